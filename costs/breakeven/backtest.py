"""The ledger's own comparison: what the tasks cost before our own GPUs took them over, and what they cost now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.allocation.queries import SpendData, counted_charges, read
from costs.breakeven.inputs import TaskCost
from lib.formats import day_text, dollars
from lib.money import ZERO
from traffic.models import Application

DAYS = timedelta(days=30)
FEWEST_DAYS = 7  # on either side
FEWEST_REQUESTS = 1_000  # on either side


@dataclass(frozen=True, slots=True)
class Backtest:
    """USD of 1,000 requests of the same tasks, by the ledger; both spans without their last day.

    `before` is what the API took. `now` holds the leases' shares of these tasks and what the API took for the rest of
    them; hours in which a GPU is idle and upkeep are nobody's in the ledger, so they are not in it.
    """

    tasks: tuple[str, ...]
    before_from: date
    before_until: date
    before: Decimal
    requests_before: int
    now_from: date
    now_until: date
    now: Decimal
    requests_now: int

    def disagrees(self, saving: Decimal) -> bool:
        """Whether the ledger and the computed saving name different sides as the cheaper one."""
        return saving != 0 and self.before != self.now and (saving > 0) != (self.now < self.before)

    def sentence(self) -> SafeString:
        text = _(
            "Before our own GPUs took it over ({first} to {last}), 1,000 requests of this work cost <b>{before}</b> by"
            " the ledger; in the last {days} days they cost <b>{now}</b>."
        )
        return format_html(
            text,
            first=day_text(self.before_from),
            last=day_text(self.before_until - timedelta(days=1)),
            before=dollars(self.before),
            now=dollars(self.now),
            days=(self.now_until - self.now_from).days,
        )

    def as_json(self) -> dict[str, Any]:
        """As the HTTP API gives it; days without the last one, money as decimal strings."""
        return {
            "tasks": list(self.tasks),
            "before": {"from": self.before_from, "to": self.before_until, "requests": self.requests_before,
                       "cost_per_1000": f"{self.before:f}"},
            "now": {"from": self.now_from, "to": self.now_until, "requests": self.requests_now,
                    "cost_per_1000": f"{self.now:f}"},
        }  # fmt: skip


def backtest(tasks: Iterable[TaskCost], today: date) -> Backtest | None:
    """The backtest of what our own GPUs serve; None where the log does not hold enough of before or of since then."""
    moved = [row for row in tasks if row.ours and row.left_api and row.ours * 2 >= row.requests + row.left_out]
    ends = [row.left_api for row in moved if row.left_api]
    if not ends:
        return None
    before_until, now_from = min(ends) + timedelta(days=1), max(*ends, today - DAYS - timedelta(days=1))
    before_from, now_from = before_until - DAYS, now_from + timedelta(days=1)
    if (today - now_from).days < FEWEST_DAYS:
        return None
    names = tuple(row.task for row in moved)
    counted = counted_charges(before_from, today)
    without = set(Application.objects.filter(test_only=True).values_list("pk", flat=True))
    on_api = counted._replace(charges=[charge for charge in counted.charges if charge["lease_id"] is None])
    before = _per_1000(read(before_from, before_until, counting=on_api), names, without, on_api=True)
    now = _per_1000(read(now_from, today, counting=counted), names, without, on_api=False)
    if before is None or now is None:
        return None
    return Backtest(names, before_from, before_until, *before, now_from, today, *now)


def _per_1000(
    data: SpendData, tasks: tuple[str, ...], without: set[int], *, on_api: bool
) -> tuple[Decimal, int] | None:
    """USD of 1,000 requests and how many there were; `on_api`: of those that the API served. None: too few."""
    amount = sum(
        (
            line.amount
            for line in data.lines
            if line.attribution.task in tasks and line.attribution.application_id not in without
        ),
        ZERO,
    )
    rows = [
        row
        for row in data.usage
        if row["task"] in tasks and row["application_id"] not in without and not (on_api and row["provider"] == "self")
    ]
    requests = sum(row["requests"] - row["unpriced"] for row in rows)
    days = len({row["day"] for row in rows if row["requests"]})
    if requests < FEWEST_REQUESTS or days < FEWEST_DAYS:
        return None
    return amount * 1000 / requests, requests
