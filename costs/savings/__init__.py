"""The savings advisor: finds avoidable spend in our own traffic, people decide about it, and it verifies the result."""

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
