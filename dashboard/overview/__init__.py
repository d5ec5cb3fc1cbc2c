"""The Overview: one read of what the four answers rest on, then pure answers and chart rows."""

from __future__ import annotations

from dashboard.overview.money import Money, money
from dashboard.overview.reads import Facts, read
from dashboard.overview.selfhost import SelfHosting, selfhosting
from dashboard.overview.speed import speeds
from dashboard.overview.start import steps
from dashboard.overview.up import Serving, serving
from dashboard.overview.worth import Worth, worth

__all__ = [
    "Facts",
    "Money",
    "SelfHosting",
    "Serving",
    "Worth",
    "money",
    "read",
    "selfhosting",
    "serving",
    "speeds",
    "steps",
    "worth",
]
