"""A rule by sentence may be over at another line than the one that opens it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from alerts.metrics.metric import Reading
from alerts.metrics.thresholds import BadThreshold
from alerts.metrics.watch import Watch

OVER = {"figure": "spend", "window": "today", "side": "over", "line": "500", "clear": "450"}
UNDER = {**OVER, "side": "under", "line": "450", "clear": "500"}


@pytest.mark.parametrize(
    ("given", "value", "crossed", "clear"),
    [
        (OVER, "501", True, False),
        (OVER, "480", False, False),
        (OVER, "450", False, True),
        (UNDER, "449", True, False),
        (UNDER, "480", False, False),
        (UNDER, "500", False, True),
        ({**OVER, "clear": ""}, "499", False, True),
    ],
)
def test_between_the_line_and_its_clear_line_nothing_changes(
    given: dict[str, str], value: str, crossed: bool, clear: bool
) -> None:
    seen = Watch.of(given).observe(Reading(Decimal(value)))
    assert (seen.crossed, seen.clear) == (crossed, clear)


def test_a_clear_line_on_the_wrong_side_is_refused() -> None:
    with pytest.raises(BadThreshold, match="at the threshold or below"):
        Watch.of({**OVER, "clear": "501"})
    with pytest.raises(BadThreshold, match="at the threshold or above"):
        Watch.of({**UNDER, "clear": "449"})


def test_what_a_rule_keeps_is_what_it_was_given() -> None:
    assert Watch.of(Watch.of(OVER).json) == Watch.of(OVER)
