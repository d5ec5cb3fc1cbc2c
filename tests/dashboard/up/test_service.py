"""The systemd unit: what it starts exists, and it leaves `up` the time and the signals that it needs."""

from __future__ import annotations

import argparse
import shlex
from collections import defaultdict
from pathlib import Path

import pytest

from dashboard.up.command import BEYOND_GRACE, DEFAULT_GRACE, PATIENCE_AT_STOP, add_arguments

BASE = Path(__file__).resolve().parent.parent.parent.parent
UNIT = BASE / "deploy" / "breakeven.service"


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """`Section.Name` to its values, as systemd reads it: names count upper and lower case, and may come again."""
    values: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert section and equals and name.isidentifier(), line
            values[f"{section}.{name}"].append(value)
    return values


def test_it_starts_up_with_options_that_up_has(unit: dict[str, list[str]]) -> None:
    [command] = unit["Service.ExecStart"]
    python, script, name, *options = shlex.split(command)
    assert (python, script, name) == (f"{unit['Service.WorkingDirectory'][0]}/.venv/bin/python", "manage.py", "up")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(options).data == f"/var/lib/{unit['Service.StateDirectory'][0]}"


def test_systemd_signals_only_up_and_waits_as_long_as_a_stop_may_take(unit: dict[str, list[str]]) -> None:
    """Asked all at once, the database would end before those that write to it."""
    assert unit["Service.KillMode"] == ["mixed"]
    servers = 20  # seconds, with the longest patience for both
    assert int(unit["Service.TimeoutStopSec"][0]) >= DEFAULT_GRACE + BEYOND_GRACE + servers > PATIENCE_AT_STOP


def test_a_refusal_is_not_tried_again_and_a_crash_is(unit: dict[str, list[str]]) -> None:
    assert unit["Service.Restart"] == ["on-failure"]
    assert unit["Service.RestartPreventExitStatus"] == ["2"]
    assert "Service.ExecReload" not in unit, "SIGHUP ends `up`: there is nothing to reload"


def test_the_service_runs_as_its_own_user_and_writes_only_to_its_own_directory(unit: dict[str, list[str]]) -> None:
    assert unit["Service.User"] == ["breakeven"]
    assert unit["Service.CapabilityBoundingSet"] == [""]
    assert unit["Service.ProtectSystem"] == ["strict"] and "Service.ReadWritePaths" not in unit
    assert unit["Service.NoNewPrivileges"] == unit["Service.ProtectHome"] == unit["Service.PrivateTmp"] == ["yes"]


def test_the_how_to_page_describes_the_installation_of_the_service() -> None:
    page = (BASE / "docs" / "how-to" / "run-as-a-service.md").read_text()
    assert "deploy/breakeven.service" in page and "systemctl reload` is refused" in page
