"""The savings advisor: what of our spend is without need, found from our own traffic, decided by people, verified."""

from __future__ import annotations

from costs.savings.decide import NotThere, accept, dismiss, reopen
from costs.savings.search import search
from costs.savings.verify import MOST_DAYS, NEEDED_DAYS, Outcome, outcome

__all__ = [
    "MOST_DAYS",
    "NEEDED_DAYS",
    "NotThere",
    "Outcome",
    "accept",
    "dismiss",
    "outcome",
    "reopen",
    "search",
]
