"""The ledger's own comparison: what the tasks cost before our own GPUs took them over, and what they cost now."""

from __future__ import annotations

from collections import Counter, defaultdict
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
    """USD of 1,000 requests of the same tasks in today's mix, by the ledger; both spans without their last day.

    `before` is what the API took, each task weighed by its requests of `now`: a task that grew and costs more or less
    than the others would otherwise pass for a change of price. `now` holds the leases' shares of these tasks and what
    the API took for the rest of them; hours in which a GPU is idle and upkeep are nobody's in the ledger, so they are
    not in it.
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
            "Before self-hosting ({first} to {last}), 1,000 requests of this work cost <b>{before}</b> by"
            " the ledger. In the last {days} days they cost <b>{now}</b>."
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
    before = _by_task(read(before_from, before_until, counting=on_api), names, without, on_api=True)
    now = _by_task(read(now_from, today, counting=counted), names, without, on_api=False)
    both = tuple(task for task in names if task in before and task in now)
    served_before, served_now = (sum(side[task][1] for task in both) for side in (before, now))
    if min(served_before, served_now) < FEWEST_REQUESTS:
        return None
    cost_before = sum((before[task][0] * now[task][1] / before[task][1] for task in both), ZERO)
    cost_now = sum((now[task][0] for task in both), ZERO)
    return Backtest(both, before_from, before_until, cost_before * 1000 / served_now, served_before,
                    now_from, today, cost_now * 1000 / served_now, served_now)  # fmt: skip


def _by_task(
    data: SpendData, tasks: tuple[str, ...], without: set[int], *, on_api: bool
) -> dict[str, tuple[Decimal, int]]:
    """USD and requests of each task; `on_api`: of those that the API served. Empty where there are too few days."""
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for line in data.lines:
        if line.attribution.task in tasks and line.attribution.application_id not in without:
            amounts[line.attribution.task] += line.amount
    rows = [
        row
        for row in data.usage
        if row["task"] in tasks and row["application_id"] not in without and not (on_api and row["provider"] == "self")
    ]
    if len({row["day"] for row in rows if row["requests"]}) < FEWEST_DAYS:
        return {}
    requests: Counter[str] = Counter()
    for row in rows:
        requests[row["task"]] += row["requests"] - row["unpriced"]
    return {task: (amounts[task], n) for task, n in requests.items() if n > 0}
