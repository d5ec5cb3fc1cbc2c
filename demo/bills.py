"""What the demo's vendors bill, made from the same rows as the request log, in the shape that the sandbox takes.

Claude: usage and cost by hour, model, service tier and key, at the list price of the moment less what the contract
takes off; with it what our log does not know. RunPod: the pods, when each was rented, a serverless endpoint, and a
prepaid balance. Vast.ai: two machines that money is burnt on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo import company
from demo.company import BY_SLUG, GPU, GPU_HOURLY
from demo.story import Story, moment
from demo.traffic import Day, Row, five_classes
from lib.tokens import TOKEN_CLASSES

Rates = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]
# USD per million tokens, by model: from when on, and the five classes.
RATES: dict[str, tuple[tuple[date, Rates], ...]] = {
    "claude-sonnet-4-5": ((date.min, (Decimal(3), Decimal("0.30"), Decimal("3.75"), Decimal(6), Decimal(15))),),
    "claude-sonnet-5-5": (
        (date(2026, 10, 7), (Decimal(2), Decimal("0.10"), Decimal("2.50"), Decimal(4), Decimal(10))),
        (date.min, (Decimal(2), Decimal("0.20"), Decimal("2.50"), Decimal(4), Decimal(10))),
    ),
    "claude-haiku-4-5": ((date.min, (Decimal(1), Decimal("0.10"), Decimal("1.25"), Decimal(2), Decimal(5))),),
}
BATCH_FACTOR = Decimal("0.5")
MILLION = Decimal(1_000_000)
# Topped up by hand at the start of each month, and lower every hour after.
PREPAID = Decimal(320)

Key = tuple[datetime, str, bool, str | None]  # hour, model, batch, the vendor's key


@dataclass
class ClaudeBill:
    """Adds days up to hours as the vendor reports them."""

    hours: dict[Key, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 6))
    contract: set[date] = field(default_factory=set)  # days on which it holds

    def add(self, day: Day, until: datetime | None = None) -> None:
        """Add a day's billed requests, those after `until` left out."""
        if day.contract:
            self.contract.add(day.day)
        limit = "" if until is None else iso_milliseconds(until)
        for row in day.rows:
            if (
                row["provider"] == "anthropic"
                and row["tokens"] is not None
                and (not limit or row["started_at"] <= limit)
            ):
                self.add_row(row)
        for seen in day.unseen:
            hour = moment(day.day, 0) + timedelta(hours=seen.hour)
            if until is None or hour < until - timedelta(hours=1):
                self._count((hour, seen.model, seen.batch, seen.api_key), seen.tokens)

    def add_row(self, row: Row) -> None:
        tokens = five_classes(row["tokens"])
        if not any(tokens):
            return  # a failed request is not billed
        hour = datetime.fromisoformat(row["started_at"][:13] + ":00+00:00")
        self._count((hour, row["model"], row["batch"], BY_SLUG[row["application"]].vendor_key), tokens)

    def _count(self, key: Key, tokens: Iterable[int]) -> None:
        hour = self.hours[key]
        hour[5] += 1
        for index, count in enumerate(tokens):
            hour[index] += count

    def lines(self) -> list[dict[str, Any]]:
        """The rows of the sandbox's `usage`, oldest first; costs are exact decimal strings in USD."""
        return [self._line(key, counts) for key, counts in sorted(self.hours.items(), key=_sort_key)]

    def _line(self, key: Key, counts: list[int]) -> dict[str, Any]:
        hour, model, batch, api_key = key
        tokens = counts[:5]
        costs = self._costs(key, tokens)
        return {
            "hour": f"{hour:%Y-%m-%dT%H:00:00Z}",
            "model": model,
            "service_tier": "batch" if batch else "standard",
            "workspace": company.WORKSPACE,
            "api_key": api_key,
            "requests": counts[5],
            "tokens": dict(zip(TOKEN_CLASSES, tokens, strict=True)),
            "cost": {name: f"{cost:f}" for name, cost in zip(TOKEN_CLASSES, costs, strict=True)},
            "web_searches": 0 if api_key else counts[5] // 2,  # the console looks things up
        }

    def state(self) -> dict[str, Any]:
        """What the sandbox's Claude is loaded with."""
        keys = {application.vendor_key: f"{application.name}, production" for application in company.APPLICATIONS}
        others = {company.WORKSPACE: company.WORKSPACE_NAME, company.NOTEBOOK_KEY: company.NOTEBOOK_NAME}
        return {"usage": self.lines(), "names": {**others, **keys}}

    def total(self) -> Decimal:
        """All of it in USD."""
        return sum(
            (cost for key, counts in self.hours.items() for cost in self._costs(key, counts[:5])),
            Decimal(0),
        )

    def _costs(self, key: Key, tokens: list[int]) -> list[Decimal]:
        hour, model, batch, _api_key = key
        listed = cost_by_class(model, hour, batch, tokens)
        if model != company.CONTRACT_MODEL or hour.date() not in self.contract:
            return listed
        return [cost * (1 - company.CONTRACT_PERCENT / 100) for cost in listed]


def cost_by_class(model: str, at: datetime, batch: bool, tokens: Iterable[int]) -> list[Decimal]:
    """USD by token class at list price; exact, since list prices are linear in tokens."""
    rates = next(rates for starts, rates in RATES[model] if at.date() >= starts)
    factor = BATCH_FACTOR if batch else Decimal(1)
    return [count * rate * factor / MILLION for count, rate in zip(tokens, rates, strict=True)]


# Serverless: busy for some minutes of each night, asleep by day.
NIGHTLY = {"id": "vx7batch01", "name": "night-batch", "price_per_second": 0.00019, "workers_max": 2}
NIGHTS = 14


def busy_nights(story: Story) -> list[tuple[datetime, int]]:
    """When the endpoint's workers began in each of the last nights, and for how many seconds they were busy."""
    nights = (moment(story.anchor - timedelta(days=n), 0) + timedelta(hours=2) for n in range(1, NIGHTS + 1))
    return [(night, 1_500 + night.day * 83 % 700) for night in nights]


def nightly(story: Story) -> dict[str, Any]:
    return NIGHTLY | {"busy_seconds": {_iso(night): seconds for night, seconds in busy_nights(story)}}


def runpod_state(story: Story, now: datetime) -> dict[str, Any]:
    """The sandbox's RunPod: the pods with the stretches in which they ran, and what is left of the prepaid money."""
    pods: dict[str, dict[str, Any]] = {}
    for pod, start, end in story.pods(now):
        entry = pods.setdefault(pod, _pod(pod))
        entry["status"] = "RUNNING" if end is None else "TERMINATED"
        entry["spans"].append({"from": _iso(start), "to": end and _iso(end), "status": "RUNNING"})
    return {"pods": list(pods.values()), "endpoints": [nightly(story)], "balance": f"{balance(now):f}"}


def _pod(pod: str) -> dict[str, Any]:
    return {
        "id": pod,
        "name": company.POD_NAME if pod == company.POD_ID else company.TRIAL_POD_NAME,
        "gpu": GPU,
        "gpu_count": 1,
        "price_per_hour": f"{GPU_HOURLY:f}",
        "cloud": "COMMUNITY",
        "status": "RUNNING",
        "spans": [],
        "disk_per_hour": "0",
    }


def vast_state(story: Story) -> dict[str, Any]:
    """The sandbox's Vast.ai: a machine that has served nothing for a day, and one that stands still since a week."""
    begun, day = moment(story.anchor, 0), timedelta(days=1)
    idle = {
        "id": company.SPARE, "name": company.SPARE_DEPLOYMENT, "label": company.SPARE_DEPLOYMENT,
        "gpu": "RTX 3060", "gpu_ram": 12_288,
        "price_per_hour": f"{company.SPARE_HOURLY:f}", "util": 0,
        "spans": [{"from": _iso(begun - 1.6 * day), "status": "RUNNING"}],
    }  # fmt: skip
    left = {
        "id": company.LEFT, "name": company.LEFT_NAME, "label": company.LEFT_NAME, "gpu": "RTX 3090",
        "price_per_hour": "0.14", "disk_per_hour": f"{company.LEFT_DISK_HOURLY:f}",
        "spans": [
            {"from": _iso(begun - 7.4 * day), "to": _iso(begun - 7.1 * day), "status": "RUNNING"},
            {"from": _iso(begun - 7.1 * day), "status": "EXITED"},
        ],
    }  # fmt: skip
    return {"instances": [idle, left], "balance": 18.4}


def balance(now: datetime) -> Decimal:
    """Prepaid USD left: filled up on the first of the month, then an hour's price lower every hour."""
    hours = int((now - now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)).total_seconds() // 3600)
    return PREPAID - GPU_HOURLY * hours


def iso_milliseconds(at: datetime) -> str:
    """A moment in the form of a row's `started_at`, so that both compare as text."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _sort_key(item: tuple[Key, list[int]]) -> tuple[datetime, str, bool, str]:
    hour, model, batch, api_key = item[0]
    return hour, model, batch, api_key or ""
