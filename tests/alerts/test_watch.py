"""When the rules do not run somebody outside the worker notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.utils import timezone

from alerts import services, watch
from alerts.models import Alert, Delivery, Rule
from providers.models import Account, Feed
from tests.alerts.smtp_server import Mailbox, Smtp


class Monitor(BaseHTTPRequestHandler):
    status = 200
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def monitor(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Monitor]]:
    server = HTTPServer(("127.0.0.1", 0), Monitor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.HEARTBEAT_URL = f"http://127.0.0.1:{server.server_port}/ping/secret"
    monkeypatch.setattr(watch, "_last_heartbeat", None)
    Monitor.status, Monitor.asked = 200, []
    yield Monitor
    server.shutdown()
    server.server_close()


def test_an_outside_monitor_is_told_once_a_minute(monitor: type[Monitor]) -> None:
    now = timezone.now()
    told = [watch.heartbeat(now + timedelta(seconds=seconds)) for seconds in (0, 15, 30, 60)]
    assert told == [True, False, False, True]
    assert monitor.asked == ["/ping/secret"] * 2


def test_a_monitor_that_fails_is_asked_again_and_its_address_stays_out_of_the_log(
    monitor: type[Monitor], caplog: pytest.LogCaptureFixture
) -> None:
    monitor.status = 500
    assert not watch.heartbeat(timezone.now())
    monitor.status = 200
    assert watch.heartbeat(timezone.now())
    assert "secret" not in "".join(record.getMessage() for record in caplog.records if record.name == "alerts.watch")


def test_without_an_address_nobody_is_told(settings: Any) -> None:
    settings.HEARTBEAT_URL = ""
    assert not watch.heartbeat(timezone.now())


def test_the_web_process_tells_that_the_worker_is_silent_and_the_worker_that_it_is_back(
    ops: Any, smtp: Smtp, mailbox: Mailbox
) -> None:
    services.evaluate()
    assert not watch.stand_in()
    Rule.objects.update(evaluated_at=timezone.now() - timedelta(minutes=20))
    assert watch.stand_in()
    assert watch.stand_in()
    alert = Alert.objects.get(state="open")
    assert (alert.kind, alert.subject, alert.severity) == ("late", "evaluation", "critical")
    assert [subject[:11] for subject in mailbox.subjects()] == ["Rules late:"]
    assert Rule.objects.filter(evaluated_at__gt=timezone.now() - timedelta(minutes=1)).count() == 0, "no false trace"
    for _ in range(2):  # its own rule runs last, so the second pass finds all of them fresh
        services.evaluate(wait=True)
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert Delivery.objects.filter(alert=alert).count() == 2


def test_the_web_process_sees_polls_that_are_overdue_and_names_the_account(db: Any) -> None:
    """Polls and rules run in the worker: with both of them silent, neither can tell of the other."""
    services.evaluate()
    ago = timezone.now() - timedelta(hours=2)
    where = Account.objects.create(slug="runpod", name="RunPod", kind="runpod")
    Feed.objects.create(account=where, kind="leases", every_s=60, due_at=ago, last_success_at=ago)
    Rule.objects.update(evaluated_at=timezone.now() - timedelta(minutes=20))
    assert watch.stand_in()
    alert = Alert.objects.get(subject="account:runpod", state="open")
    assert alert.title == "Poll overdue: RunPod, not asked for 2 h"
    assert alert.words["page"] == "/settings/accounts/runpod/"
