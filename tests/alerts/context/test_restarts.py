"""Our own processes that were started again: the alert, the Overview and `doctor` read one file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from alerts.context.restarts import Restart, record
from alerts.evaluation import services
from alerts.models import Alert
from alerts.wording import moment
from dashboard.management.commands.doctor import restarts
from tests.alerts.conditions import NOW, findings, only
from tests.dashboard.logins import logged_in, with_role, words
from tests.dashboard.overview_rows import deployment

MINUTE = timedelta(minutes=1)


@pytest.fixture
def directory(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_a_process_that_was_started_again_is_told_with_how_often_when_and_its_last_line(
    db: Any, directory: Path
) -> None:
    assert findings("system-restarts") == []
    for ago in (90, 40, 5):
        record(directory, Restart("web", NOW - ago * MINUTE, "was ended by SIGKILL", "MemoryError"))
    found = only("system-restarts")
    assert (found.subject, found.crossed, found.value) == ("process:web", True, "2")
    assert found.title == "Restarted: web, 2 times in an hour"
    assert found.since == NOW - 40 * MINUTE
    at = moment(NOW - 5 * MINUTE)
    told = f"web was restarted 2 times in the last hour, last at {at}: it was ended by SIGKILL (MemoryError)."
    assert found.words["detail"] == told


def test_one_restart_may_be_let_pass_and_three_are_critical(db: Any, directory: Path) -> None:
    record(directory, Restart("beat", NOW - MINUTE, "ended with exit code 1"))
    assert not only("system-restarts", restarts=2).crossed
    assert only("system-restarts").severity == ""
    for _ in range(2):
        record(directory, Restart("beat", NOW, "ended with exit code 1"))
    assert only("system-restarts").severity == "critical"


def test_the_alert_is_over_an_hour_after_the_last_of_them(db: Any, directory: Path) -> None:
    record(directory, Restart("web", NOW - MINUTE, "was ended by SIGKILL"))
    services.evaluate(now=NOW, kinds=["system-restarts"], wait=True)
    assert Alert.objects.get().state == "open"
    for minutes in (60, 90):
        services.evaluate(now=NOW + minutes * MINUTE, kinds=["system-restarts"], wait=True)
    assert Alert.objects.get().state == "resolved"


def test_the_overview_and_doctor_tell_of_it_and_markup_in_a_log_stays_text(db: Any, directory: Path) -> None:
    assert restarts() == "none in the last hour"
    client = logged_in(with_role("ops"))
    deployment("claude")  # without anything the page shows how to begin
    assert "was restarted" not in words(client, "/")
    record(directory, Restart("gateway", timezone.now() - MINUTE, "was ended by SIGKILL", "<b>no memory</b>"))
    told = "it was ended by SIGKILL (<b>no memory</b>)."
    assert restarts().startswith("gateway was restarted once in the last hour, at ") and restarts().endswith(told)
    assert "gateway was restarted once in the last hour" in words(client, "/")
    assert "<b>no memory" not in client.get("/").content.decode()
