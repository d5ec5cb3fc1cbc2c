"""The web process beneath more connections, downloads and unread answers than one client may hold."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.dashboard.test_front import BATCH, intake, person
from tests.holders import held, held_by_server
from tests.traffic.gateway_stack import until
from tests.traffic.web_process import BASE, SECRET, Intake
from traffic.connections import EACH

__all__ = ["intake", "person"]  # fixtures
pytestmark = pytest.mark.django_db

# Far below the time for which the server lets a connection say nothing, which is 10 s.
SECONDS = 5


def test_thousands_of_silent_connections_of_one_address_keep_nobody_out(intake: Intake, person: httpx.Client) -> None:
    with held(intake.web.port, 2_000), held(intake.web.port, 2_000, b"POST /v1/traces HTTP/1.1\r\nHost: he"):
        assert intake.web.ask("/healthz", seconds=SECONDS)[0] == 200
        assert person.get("/", timeout=SECONDS).status_code == 200
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/x-protobuf"}
        assert intake.web.ask("/v1/traces", BATCH, headers, seconds=SECONDS)[0] == 200


def test_what_an_address_holds_over_its_part_is_ended(intake: Intake) -> None:
    with held(intake.web.port, EACH + 400, address="127.0.0.9"):
        log = Path(intake.web.log.name)
        until(lambda: f"connections ended: 127.0.0.9 may hold {EACH} at once" in log.read_text(), 9)
        assert intake.web.ask("/healthz", seconds=SECONDS)[0] == 200


def test_who_takes_nothing_of_an_answer_loses_the_connection(intake: Intake) -> None:
    [plotly] = (BASE / "staticfiles" / "plotly").glob("plotly*.js")  # five megabytes
    file = f"GET /static/plotly/{plotly.name} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
    pages = b"GET /login/ HTTP/1.1\r\nHost: here\r\n\r\n" * 200
    with held(intake.web.port, 1, file) as (of_file,), held(intake.web.port, 1, pages) as (of_pages,):
        until(lambda: not held_by_server(intake.web.port, of_file), 30)
        until(lambda: not held_by_server(intake.web.port, of_pages), 30)
