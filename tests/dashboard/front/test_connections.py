"""The web process beneath more connections, downloads and unread answers than one client may hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lib.connections import EACH
from tests.dashboard.front_server import BATCH, signed_in
from tests.holders import held, held_by_server
from tests.traffic.gateway_stack import until
from tests.traffic.web_process import BASE, SECRET, Intake

pytestmark = pytest.mark.django_db

EXPORT = "/requests/export.csv"


def test_thousands_of_silent_connections_of_one_address_keep_nobody_out(intake: Intake, person: httpx.Client) -> None:
    port, half = intake.web.port, b"POST /v1/traces HTTP/1.1\r\nHost: he"
    with held(port, 2_000) as silent, held(port, 2_000, half):
        assert intake.web.ask("/healthz")[0] == 200
        assert person.get("/", timeout=60).status_code == 200
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/x-protobuf"}
        assert intake.web.ask("/v1/traces", BATCH, headers)[0] == 200
        assert any(held_by_server(port, holder) for holder in silent[::50]), "they had not come to their end by then"


def test_what_an_address_holds_over_its_part_is_ended(intake: Intake) -> None:
    with held(intake.web.port, EACH + 400, address="127.0.0.9"):
        log = Path(intake.web.log.name)
        until(lambda: f"limit={EACH} addresses=127.0.0.9" in log.read_text())
        assert intake.web.ask("/healthz")[0] == 200


def test_who_takes_nothing_of_an_answer_loses_the_connection(intake: Intake) -> None:
    [plotly] = (BASE / "staticfiles" / "plotly").glob("plotly*.js")  # five megabytes
    file = f"GET /static/plotly/{plotly.name} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
    pages = b"GET /login/ HTTP/1.1\r\nHost: here\r\n\r\n" * 200
    with held(intake.web.port, 1, file) as (of_file,), held(intake.web.port, 1, pages) as (of_pages,):
        until(lambda: not held_by_server(intake.web.port, of_file))
        until(lambda: not held_by_server(intake.web.port, of_pages))


def rows_of(intake: Intake, count: int) -> None:
    """So many requests of today, like the one that is there."""
    names = intake.conn.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'traffic_request'"
    )
    others = ", ".join(f'"{name}"' for (name,) in names if name not in ("id", "external_id", "response_id"))
    # The names are the database's own.
    intake.conn.execute(
        f"INSERT INTO traffic_request (id, external_id, {others}) SELECT gen_random_uuid(), 'copy-' || number, {others}"
        " FROM (SELECT * FROM traffic_request LIMIT 1) AS first, generate_series(1, %s) AS number",
        [count],
    )


@contextmanager
def reading_nothing(intake: Intake, client: httpx.Client, count: int) -> Iterator[list[bytes]]:
    """So many downloads of somebody who reads but the first line of each, which is what comes."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    head = f"GET {EXPORT} HTTP/1.1\r\nHost: here\r\nCookie: {cookies}\r\n\r\n".encode()
    with held(intake.web.port, count, head, room=4096) as sockets:
        for reader in sockets:
            reader.settimeout(120)
        yield [reader.recv(12) for reader in sockets]


def test_one_caller_cannot_have_all_downloads(intake: Intake, person: httpx.Client) -> None:
    assert intake.web.post(BATCH)[0] == 200
    rows_of(intake, 20_000)
    with signed_in(intake, "other") as other, reading_nothing(intake, person, 6) as answers:
        assert sorted(answers) == [b"HTTP/1.1 200"] * 2 + [b"HTTP/1.1 429"] * 4
        refused = person.get(EXPORT)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert len(other.get(EXPORT).content.splitlines()) > 20_000
        # Who reads nothing loses them soon.
        until(lambda: person.get(EXPORT).status_code == 200)
    assert "download_cut reason=client_" in Path(intake.web.log.name).read_text()
