"""Findings about prompts: repeated beginnings that are not cached, and cache writes that are never read.

The request log has no fingerprint of a prompt, because making one would slow down every request. So repetition is
found in a bounded sample of texts of the applications that keep them; for others the page shows the input not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile
from math import exp
from typing import Any

from django.db import connection
from django.db.models import Sum

from costs.models import FindingKind
from costs.savings.base import SavingFound, Window
from costs.savings.cells import SAMPLE_DAYS, UsageCell
from lib.money import ZERO
from lib.tokens import TOKEN_CLASSES
from traffic.models import UsageHour

TEXTS = 150  # texts read of each sampled day and cell
LEAST_TEXTS = 30
TTL_S = 300
# Vendors do not cache a shorter prefix than 1,024 tokens, for some models 4,096 (Anthropic's documentation, "prompt
# caching", 2026-11), so shorter ones are left out.
LEAST_PREFIX = 1_024
LONGER_PREFIX = {"claude-haiku-4-5": 4_096, "claude-opus-4-5": 4_096}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A stored prompt and its request's input tokens by class."""

    text: str
    uncached: int
    cached: int  # read from the cache or written to it

    @property
    def input(self) -> int:
        return self.uncached + self.cached


PROMPTS = """
SELECT left(taken.prompt, 200000), taken.uncached_input, taken.cached
FROM unnest(%(days)s::date[]) AS wanted (day)
CROSS JOIN LATERAL (
    SELECT b.prompt, r.uncached_input, r.cache_read + r.cache_write_5m + r.cache_write_1h AS cached
    FROM traffic_request_body AS b JOIN traffic_request AS r ON r.day = b.day AND r.id = b.request_id
    WHERE b.day = wanted.day AND r.day = wanted.day AND b.prompt IS NOT NULL AND r.uncached_input IS NOT NULL
      AND r.application_id = %(application)s AND r.provider = %(provider)s AND r.model = %(model)s AND r.task = %(task)s
    LIMIT %(rows)s
) AS taken
"""


def prompts_of(cell: UsageCell, window: Window) -> list[Prompt]:
    params: dict[str, Any] = {
        "application": cell.application_id,
        "provider": cell.provider,
        "model": cell.model,
        "task": cell.task,
    }
    with connection.cursor() as cursor:
        cursor.execute(PROMPTS, {**params, "days": window.last_days(SAMPLE_DAYS), "rows": TEXTS})
        return [Prompt(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Repeats:
    """How much of the uncached input of a sample is a beginning that other prompts have too."""

    texts: int
    repeating: int  # texts with such a beginning that is long enough to be cached and not fully cached already
    tokens: int  # tokens of these beginnings that are not cached
    of: int  # uncached input tokens of all texts


def repeats(prompts: Sequence[Prompt], least: int = LEAST_PREFIX) -> Repeats:
    """The longest beginning that each prompt shares with another one; tokens are in proportion to characters."""
    ordered = sorted(prompts, key=lambda prompt: prompt.text)
    tokens = repeating = 0
    for place, prompt in enumerate(ordered):
        beside = ordered[max(place - 1, 0) : place] + ordered[place + 1 : place + 2]
        shared = max((shared_length(prompt.text, other.text) for other in beside), default=0)
        prefix = prompt.input * shared // max(len(prompt.text), 1)
        missing = min(prefix - prompt.cached, prompt.uncached)
        if prefix >= least and missing > 0:
            repeating += 1
            tokens += missing
    return Repeats(len(ordered), repeating, tokens, sum(prompt.uncached for prompt in ordered))


def shared_length(text: str, other: str) -> int:
    """The number of characters at the beginning that are equal in both texts."""
    if text == other:
        return len(text)
    return sum(1 for _same in takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False)))


def uncached_repeats(
    cells: Sequence[UsageCell], window: Window, keeping: frozenset[int], unjudged: dict[str, Decimal]
) -> Iterator[SavingFound]:
    """Prompts with the same beginning that are paid in full; `keeping` are the applications that keep texts.

    Adds to `unjudged["prompts"]` the USD a month of input without enough texts to judge.
    """
    pace = requests_by_active_hour(window)
    for cell in cells:
        plain, read = cell.rates.get("uncached_input"), cell.rates.get("cache_read")
        if plain is None or read is None or not cell.tokens["uncached_input"]:
            continue
        paid = cell.part(cell.tokens["uncached_input"] * plain)
        texts = prompts_of(cell, window) if cell.application_id in keeping else []
        if len(texts) < LEAST_TEXTS:
            unjudged["prompts"] = unjudged.get("prompts", ZERO) + window.monthly(paid)
            continue
        repetition = repeats(texts, LONGER_PREFIX.get(cell.model, LEAST_PREFIX))
        if not repetition.tokens:
            continue
        # A repeated prefix is a hit if the next request comes within the cache's lifetime. Requests are assumed to
        # arrive at random (a Poisson process) at the mean rate of the hours with traffic.
        per_ttl = pace.get(cell.subject, 0.0) * TTL_S / 3600 * repetition.repeating / repetition.texts
        hit = Fraction(1 - exp(-per_ttl)).limit_denominator(10_000)
        write = cell.rates.get("cache_write_5m", plain)
        each = plain - hit * read - (1 - hit) * write
        saved = share_of(paid, Fraction(repetition.tokens, repetition.of) * each / plain)
        yield SavingFound(
            FindingKind.CACHE,
            cell.subject,
            window.monthly(saved),
            {
                "requests": cell.requests,
                "texts": repetition.texts,
                "repeating": repetition.repeating,
                "share": round(repetition.tokens / repetition.of, 4),
                "hit": round(float(hit), 4),
                "minutes": TTL_S // 60,
            },
            cell.claims("uncached_input"),
            **cell.names(),
        )


def share_of(amount: Decimal, part: Fraction) -> Decimal:
    return amount * Decimal(part.numerator) / Decimal(part.denominator)


def hours_of(window: Window) -> dict[str, datetime]:
    return {
        "hour__gte": datetime.combine(window.since, time.min, UTC),
        "hour__lt": datetime.combine(window.until, time.min, UTC),
    }


def requests_by_active_hour(window: Window) -> dict[str, float]:
    """Mean requests of the hours with any requests, by cell."""
    hours: dict[str, list[int]] = defaultdict(list)
    rows = UsageHour.objects.filter(**hours_of(window), requests__gt=0, cost__gt=0)
    for row in rows.values("hour", "application_id", "provider", "model", "task").annotate(n=Sum("requests")):
        hours[":".join(str(row[name]) for name in ("application_id", "provider", "model", "task"))].append(row["n"])
    return {subject: sum(counts) / len(counts) for subject, counts in hours.items()}


def unread_writes(cells: Sequence[UsageCell], window: Window) -> Iterator[SavingFound]:
    """Cache writes that cannot have been read: more tokens than were read in the hour of the write and the next."""
    by_hour: dict[str, dict[datetime, dict[str, int]]] = defaultdict(dict)
    rows = UsageHour.objects.filter(**hours_of(window), cost__gt=0).values(
        "hour", "application_id", "provider", "model", "task"
    )
    for row in rows.annotate(**{name: Sum(name) for name in TOKEN_CLASSES}):
        subject = ":".join(str(row[name]) for name in ("application_id", "provider", "model", "task"))
        by_hour[subject][row["hour"]] = row
    for cell in cells:
        unread = unread_of(by_hour.get(cell.subject, {}))
        plain = cell.rates.get("uncached_input")
        if plain is None or not any(unread.values()):
            continue
        extra = sum((count * (cell.rates.get(name, plain) - plain) for name, count in unread.items()), Fraction(0))
        written = cell.tokens["cache_write_1h"] + cell.tokens["cache_write_5m"]
        yield SavingFound(
            FindingKind.UNREAD,
            cell.subject,
            window.monthly(cell.part(max(extra, Fraction(0)))),
            {
                "requests": cell.requests,
                "written": written,
                "unread": sum(unread.values()),
                "unread_1h": unread["cache_write_1h"],
                "read": cell.tokens["cache_read"],
            },
            cell.claims("cache_write_1h", "cache_write_5m"),
            **cell.names(),
        )


def unread_of(hours: dict[datetime, dict[str, int]]) -> dict[str, int]:
    """Written tokens by class that cannot have been read again; `hours` are token counts by hour and class.

    An entry lives an hour at most from its write, so it is read first in that hour or the next. Reads are counted
    against the writes with the higher price first, which gives the lowest estimate.
    """
    unread_by_class = dict.fromkeys(("cache_write_1h", "cache_write_5m"), 0)
    for hour, row in hours.items():
        following = hours.get(hour + timedelta(hours=1))
        read = row["cache_read"] + (following["cache_read"] if following else 0)
        for name in unread_by_class:
            unread = max(row[name] - read, 0)
            read -= row[name] - unread
            unread_by_class[name] += unread
    return unread_by_class
