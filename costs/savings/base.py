"""A finding before it is stored, the days it is computed from, and which of two findings on the same tokens counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from lib.money import COST_STEP, ZERO
from providers.leases.queries import MONTH_HOURS

DAYS = 14  # two whole weeks hold every weekday twice
LEAST_DAYS = 7  # days with traffic that are needed before anything is reported
LEAST = Decimal(1)  # USD a month; a smaller saving costs more work than it brings


@dataclass(frozen=True, slots=True)
class Window:
    """Whole UTC days from `since` to before `until`; amounts are scaled to a month by the `days` that have data."""

    since: date
    until: date
    days: int

    def monthly(self, amount: Decimal) -> Decimal:
        """USD of the window as USD a month of 730 hours."""
        return (amount * MONTH_HOURS / 24 / self.days).quantize(COST_STEP) if self.days else ZERO

    @property
    def enough(self) -> bool:
        return self.days >= LEAST_DAYS

    def last_days(self, count: int) -> list[date]:
        return [self.until - timedelta(days=n) for n in range(1, count + 1)]


def ended_before(today: date) -> tuple[date, date]:
    """First day and end of the window; today is left out because it is not over."""
    return today - timedelta(days=DAYS), today


@dataclass(frozen=True, slots=True)
class SavingFound:
    """One way to save `monthly` USD. `claims` name the tokens or hours that it would change, as (subject, class)."""

    kind: str
    subject: str
    monthly: Decimal
    evidence: dict[str, Any]
    claims: frozenset[tuple[str, str]]
    application_id: int | None = None
    provider: str = ""
    model: str = ""
    task: str = ""
    lease_id: int | None = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}"


def worth_saying(findings: Iterable[SavingFound]) -> list[SavingFound]:
    """Keep the findings that save enough to be shown."""
    return [finding for finding in findings if finding.monthly >= LEAST]


def behind(findings: Iterable[SavingFound], first: Collection[str], never: Collection[str]) -> dict[str, str]:
    """For each finding's key, the key of the finding that counts in its place; "" if it counts itself.

    Two findings with the same claim would save the same money twice, so one counts: an accepted one (`first`) before
    others, then the larger saving. A dismissed one (`never`) does not keep others from counting.
    """
    taken: dict[tuple[str, str], str] = {}
    result: dict[str, str] = {}
    for finding in sorted(findings, key=lambda finding: (finding.key not in first, -finding.monthly, finding.key)):
        holders = [taken[claim] for claim in sorted(finding.claims) if claim in taken]
        result[finding.key] = holders[0] if holders else ""
        if not holders and finding.key not in never:
            taken |= dict.fromkeys(finding.claims, finding.key)
    return result
