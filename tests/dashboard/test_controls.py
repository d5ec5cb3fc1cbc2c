"""The table of security controls names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

BASE = Path(settings.BASE_DIR)
TABLE = BASE / "docs" / "reference" / "asvs.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROWS = [line.strip("| ").split(" | ") for line in TABLE.read_text().splitlines() if re.match(r"\| V\d", line)]
STATES = {"present", "partly", "absent", "left to a proxy", "not applicable"}


def missing(text: str) -> list[str]:
    """Tests that a text names and that are not there."""
    return [
        f"{path}::{name}"
        for path, name in NAMED.findall(text)
        if not (BASE / path).exists()
        or not re.search(rf"^(async )?def {name}\(", (BASE / path).read_text(), re.MULTILINE)
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].split(" ", 1)[0])
def test_a_control_is_shown_by_tests_that_are_there_or_says_why_not(row: list[str]) -> None:
    _control, state, shown = row
    assert state in STATES
    assert shown.strip()
    assert missing(shown) == []
    # Whatever looks like the name of a test is read as one.
    assert shown.count("tests/") == len(NAMED.findall(shown))


def test_all_chapters_of_the_standard_are_there() -> None:
    chapters = {int(match[1]) for row in ROWS if (match := re.match(r"V(\d+)", row[0]))}
    assert chapters == set(range(1, 18))
    assert len(ROWS) > 60


def test_a_test_that_is_not_there_is_found() -> None:
    assert missing("`tests/dashboard/test_controls.py::test_nothing_such`, `tests/no.py::test_x`") == [
        "tests/dashboard/test_controls.py::test_nothing_such", "tests/no.py::test_x",
    ]  # fmt: skip
