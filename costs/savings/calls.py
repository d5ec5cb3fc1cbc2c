"""Findings about calls: live requests that could be a batch, models larger and answers longer than needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

from django.db import connection

from costs.list_prices import ListPrices, list_rates
from costs.models import FindingKind
from costs.savings.base import SavingFound, Window
from costs.savings.cells import UsageCell, sample, share
from providers.accounts.queries import unusable_providers
from traffic.models import Task
from traffic.quality.queries import ACCEPTABLE_SQL, COMPARED_DAYS, ENOUGH, QualityGroup, compared, difference
from traffic.usage.filters import Filters

MARGIN = -0.10  # how much lower the smaller model's acceptable share may be, at the low end of the 95 % interval
SOMEBODY_WAITS = frozenset({Task.CHAT, Task.CODE, Task.QA, Task.RAG})
LEAST_SAMPLE = 100
ALL_BUT = 0.95  # share of the accepted answers that are no longer than the limit


def batches(cells: Sequence[UsageCell], window: Window) -> Iterator[SavingFound]:
    """Requests sent one by one whose task is batch, or that are neither streamed nor made for an end user."""
    for cell in cells:
        live = cell.requests - cell.batched
        if cell.batch_factor is None or cell.batch_factor >= 1 or live <= 0 or cell.task in SOMEBODY_WAITS:
            continue
        seen = sample(cell, window)
        unwatched = seen.requests >= LEAST_SAMPLE and not seen.streamed and not seen.of_users
        if cell.task != Task.BATCH and not unwatched:
            continue
        # Cost is known of both together only. Live and batched requests are assumed to be of the same size.
        units = live + cell.batched * cell.batch_factor
        saved = cell.cost * live / units * (1 - cell.batch_factor)
        yield SavingFound(
            FindingKind.BATCH,
            cell.subject,
            window.monthly(saved),
            {
                "live": live,
                "requests": cell.requests,
                "factor": cell.batch_factor,
                "sample": seen.requests,
                "declared": cell.task == Task.BATCH,
            },
            cell.claims(),
            **cell.names(),
        )


def smaller_models(cells: Sequence[UsageCell], window: Window) -> Iterator[SavingFound]:
    """A cheaper model in use whose ratings for the same task are as good (`as_good`), at a vendor that can serve."""
    gone = unusable_providers()
    used = {(cell.provider, cell.model) for cell in cells if cell.provider not in gone}
    prices = ListPrices.of({cell.model for cell in cells})
    last = window.last_days(1)[0]
    by_task = compared(window.until, "model", Filters())
    for task in {cell.task for cell in cells}:
        rated = {group.key: group for group in by_task.get(task, [])}
        for cell in cells:
            if cell.task == task and cell.model in rated:
                options = [
                    (listed, other, provider)
                    for provider, other in used
                    if other != cell.model and other in rated and as_good(rated[other], rated[cell.model])
                    if (listed := cell.at(list_rates(prices.at(provider, other, last)))) is not None
                ]
                if options and min(options)[0] < cell.listed:
                    cost, other, provider = min(options)
                    yield smaller(cell, window, cost, (provider, other), (rated[other], rated[cell.model]))


def as_good(small: QualityGroup, large: QualityGroup) -> bool:
    """Whether the small model passes by itself, and is at most `MARGIN` worse at the low end of the 95 % interval."""
    return small.passes and difference(small, large)[1] >= MARGIN


def smaller(
    cell: UsageCell, window: Window, cost: Fraction, to: tuple[str, str], rated: tuple[QualityGroup, QualityGroup]
) -> SavingFound:
    small, large = rated
    gap, low, high = difference(small, large)
    saved = cell.cost - share(cell.cost, cost, cell.listed)
    return SavingFound(
        FindingKind.SMALLER,
        cell.subject,
        window.monthly(saved),
        {
            "requests": cell.requests,
            "to_provider": to[0],
            "to_model": to[1],
            "ratings": small.ratings,
            "ratings_now": large.ratings,
            "acceptable": round(small.acceptable_share, 4),
            "acceptable_now": round(large.acceptable_share, 4),
            "gap": [round(gap, 4), round(low, 4), round(high, 4)],
            "price_share": str(round(float(cost / cell.listed), 4)),
        },
        cell.claims(),
        **cell.names(),
    )


# The length that a share of `ALL_BUT` of the accepted answers keeps, by application, model and task.
ACCEPTED = f"""
SELECT coalesce(r.application_id, 0), r.model, r.task, count(*),
       percentile_disc(%(all_but)s) WITHIN GROUP (ORDER BY q.output)
FROM traffic_rating AS r JOIN traffic_request AS q ON q.day = r.day AND q.id = r.request_id
WHERE r.day >= %(since)s AND r.day < %(until)s AND q.day >= %(since)s AND q.day < %(until)s
  AND {ACCEPTABLE_SQL} AND NOT r.gold AND q.output > 0
GROUP BY 1, 2, 3 HAVING count(*) >= %(enough)s
"""


def accepted_lengths(window: Window) -> dict[tuple[int, str, str], tuple[int, int]]:
    """By application, model and task: accepted answers, and the output tokens that 95 % of them keep."""
    since = window.until - timedelta(days=COMPARED_DAYS)
    params: dict[str, Any] = {"since": since, "until": window.until, "all_but": ALL_BUT, "enough": ENOUGH}
    with connection.cursor() as cursor:
        cursor.execute(ACCEPTED, params)
        return {(row[0], row[1], row[2]): (int(row[3]), int(row[4])) for row in cursor.fetchall()}


def long_answers(cells: Sequence[UsageCell], window: Window) -> Iterator[SavingFound]:
    """Output tokens beyond the length that 95 % of the accepted answers keep."""
    lengths = accepted_lengths(window)
    for cell in cells:
        accepted_length = lengths.get((cell.application_id, cell.model, cell.task))
        if accepted_length is None or "output" not in cell.rates:
            continue
        accepted, limit = accepted_length
        seen = sample(cell, window, limit)
        if seen.requests < LEAST_SAMPLE or not seen.over:
            continue
        over = Fraction(seen.over, seen.output)
        saved = cell.part(cell.tokens["output"] * cell.rates["output"] * over)
        yield SavingFound(
            FindingKind.OUTPUT,
            cell.subject,
            window.monthly(saved),
            {
                "requests": cell.requests,
                "accepted": accepted,
                "limit": limit,
                "sample": seen.requests,
                "over": round(float(over), 4),
                "mean": round(seen.output / seen.requests),
            },
            cell.claims("output"),
            **cell.names(),
        )
