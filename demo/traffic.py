"""The demo company's requests, day by day from a seed: (seed, anchor, day) gives the same rows to whoever asks.

A row is a dict in the shape of `POST /api/v1/requests`. What the vendor bills and our log does not know in full (a
stream cut off before its usage, a key used by hand in the vendor's console) stands beside the rows, for the bills.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from demo import company
from demo.company import APPLICATIONS, MISTRAL_7B, Application, Served, Work
from demo.story import HOUR, SIMPLE, SIZES, Story, Trouble

Row = dict[str, Any]
Sizes = list[tuple[int, int, int, int]]  # own input, shared input, output, of it reasoning
# A row's way to fail: outcome, HTTP status, error type.
Fault = tuple[str, int | None, str]

SEED = "lantern-and-loom"
SAMPLES = 1024
OUTCOMES = 4096
MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
NO_TOKENS = {
    "uncached_input": 0,
    "cache_read": 0,
    "cache_write_5m": 0,
    "cache_write_1h": 0,
    "output": 0,
    "reasoning": 0,
}

# How many of 4,096 requests end which way, in ordinary times.
VENDOR_FAULTS: tuple[tuple[int, Fault], ...] = (
    (9, ("error", 529, "overloaded_error")),
    (6, ("error", 429, "rate_limit_error")),
    (5, ("error", 500, "api_error")),
    (10, ("timeout", None, "timeout")),
    (26, ("cancelled", None, "client_closed")),
    (9, ("refused", 200, "refusal")),
)
OWN_FAULTS: tuple[tuple[int, Fault], ...] = (
    (11, ("error", 500, "internal_error")),
    (7, ("error", 503, "service_unavailable")),
    (12, ("timeout", None, "timeout")),
    (24, ("cancelled", None, "client_closed")),
)


NAMES_USERS = frozenset({"code-helper", "analyst"})


class Unseen(NamedTuple):
    """Usage that is on the vendor's bill and not in our log: five token classes, as the vendor counts them."""

    hour: int
    model: str
    batch: bool
    api_key: str | None
    tokens: tuple[int, int, int, int, int]


@dataclass(slots=True)
class Day:
    """One UTC day: its rows by time, what only the vendor saw, and whether the contract holds on it."""

    day: date
    rows: list[Row] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    contract: bool = False


class Traffic:
    """The generator. Tables of samples are drawn once, so that a row costs a few look-ups."""

    def __init__(self, story: Story, seed: str = SEED) -> None:
        self.story = story
        self.seed = seed
        rng = random.Random(f"{seed}:tables")
        self.first_token = {
            served.model: _first_tokens(rng, served) for served in (*company.CLAUDE, MISTRAL_7B, company.UNPRICED)
        }
        self.hours = {clock: _spread(list(enumerate(weights)), SAMPLES) for clock, weights in company.CLOCKS.items()}
        self.faults = {True: _faults(rng, OWN_FAULTS), False: _faults(rng, VENDOR_FAULTS)}
        self.jitter = [math.exp(rng.gauss(0, 0.16)) for _ in range(SAMPLES)]
        # Programs of colleagues name who asks; few of them ask most.
        self.users = {
            application.slug: [f"{application.slug}-user-{n}" for n in range(16)]
            for application in APPLICATIONS
            if application.slug in NAMES_USERS
        }
        self.sizes: dict[tuple[str, str, float], Sizes] = {}
        for application in APPLICATIONS:
            for work in application.work:
                for factor in sorted(set(SIZES)):
                    self.sizes[application.slug, work.task, factor] = _sizes(rng, work, factor if work.grows else 1.0)

    def day(self, day: date) -> Day:
        """Every row of a UTC day, sorted by time; about five thousand at the company's present size."""
        made = Day(day, contract=day >= self.story.contract_from)
        for application in APPLICATIONS:
            rng = random.Random(f"{self.seed}:{day.isoformat()}:{application.slug}")
            total = self.story.requests(application, day) * rng.uniform(0.96, 1.04)
            for work in application.work:
                self._add(made, rng, application, work, int(total * work.share + rng.random()))
        made.rows.sort(key=_time)
        made.unseen += self._console(day)
        return made

    def _add(self, made: Day, rng: random.Random, application: Application, work: Work, count: int) -> None:
        """Rows of one kind of work. The loop is the generator's hot path: everything is looked up before it."""
        day, story = made.day, self.story
        stretches = [
            (window, _spread([(served, part) for part, served in mix], 256))
            for window, mix in story.mix(application, work, day)
        ]
        usual, special = stretches[-1][1], stretches[:-1]
        troubles = story.troubles(day)
        lost = story.cache_lost(application, day)
        sizes = self.sizes[application.slug, work.task, SIZES[story.month_of(day)]]
        hours, jitter, first_token, all_faults = (
            self.hours[application.clock],
            self.jitter,
            self.first_token,
            self.faults,
        )
        hit_below, streamed_below = 0 if lost else round(work.hit * 256), round(work.streamed * 256)
        date_text, id_prefix = day.isoformat(), f"{day:%Y%m%d}-{work.task}-"
        users = self.users.get(application.slug)
        slug, task, batch, long_cache, writes = (
            application.slug,
            work.task,
            work.batch,
            work.long_cache,
            work.shared > 0,
        )
        getrandbits, append = rng.getrandbits, made.rows.append

        for number in range(count):
            bits = getrandbits(192)
            at = hours[bits & 1023] * HOUR + ((((bits >> 10) & 0xFFFFFF) * HOUR) >> 24)
            own, shared, output, reasoning = sizes[(bits >> 34) & 1023]
            served: Served = usual[(bits >> 44) & 255]
            meant = ""
            for window, table in special:
                if window.start <= at < window.end:
                    served = table[(bits >> 44) & 255]
                    meant = window.deployment if isinstance(window, Trouble) else ""
                    break
            model, is_own = served.model, served is MISTRAL_7B
            hit = (bits >> 52) & 255 < hit_below
            streamed = (bits >> 60) & 255 < streamed_below
            fault = all_faults[is_own][(bits >> 68) & 4095]
            if troubles:
                served, fault = _in_trouble(troubles, served, fault, at, (bits >> 80) & 255, work)
                model, is_own = served.model, served is MISTRAL_7B
            noise = jitter[(bits >> 180) & 1023]
            first = first_token[model][(bits >> 88) & 1023]
            tokens: dict[str, int] | None = {
                "uncached_input": own if hit or (writes and not is_own) else own + shared,
                "cache_read": shared if hit else 0,
                "cache_write_5m": 0 if hit or is_own or long_cache else shared,
                "cache_write_1h": 0 if hit or is_own or not long_cache else shared,
                "output": output,
                "reasoning": reasoning,
            }
            row: Row = {
                "id": f"{id_prefix}{number:05d}",
                "started_at": f"{date_text}{MINUTES[at // 60000]}{at // 1000 % 60:02d}.{at % 1000:03d}Z",
                "provider": served.provider,
                "model": model,
                "deployment": served.deployment or None,
                "application": slug,
                "task": task,
                "outcome": "ok",
                "http_status": 200,
                "error_type": None,
                "latency_ms": round(first + output * served.ms_per_token * noise, 1),
                "ttft_ms": round(first, 1) if streamed else None,
                "streamed": streamed,
                "batch": batch and not is_own,
                "response_id": f"{served.response_prefix}{(bits >> 98) & 0xFFFFFFFFFFFFFFFFFFFF:024x}",
                "tokens": tokens,
            }
            if users:
                row["user"] = users[min((bits >> 120) & 15, (bits >> 124) & 15)]
            if meant and served.deployment != meant:
                row["instead_of"] = meant
            if fault is not None:
                _fail(made, row, fault, application, bits)
            elif streamed and is_own and (bits >> 80) & 127 == 0:
                row["tokens"] = None  # the client did not ask for usage at the end of the stream
            append(row)

    def _console(self, day: date) -> list[Unseen]:
        """What people try in the vendor's console and in a notebook of theirs, which pass no application of ours."""
        if day.weekday() >= 5:
            return []
        rng = random.Random(f"{self.seed}:{day.isoformat()}:console")
        model = self.story.sonnet(day).model
        return [
            Unseen(
                rng.randrange(8, 18),
                model,
                False,
                company.NOTEBOOK_KEY if number % 3 == 2 else None,
                (rng.randrange(300, 2400), 0, 0, 0, rng.randrange(150, 900)),
            )
            for number in range(rng.randrange(2, 9))
        ]


def _in_trouble(
    troubles: tuple[Trouble, ...], served: Served, fault: Fault | None, at: int, chance: int, work: Work
) -> tuple[Served, Fault | None]:
    """What a failure of a deployment does to a request that would have gone there (or to its fallback)."""
    for trouble in troubles:
        if not trouble.start <= at < trouble.end:
            continue
        if trouble.deployment == MISTRAL_7B.deployment and work.task in SIMPLE:
            # Requests fall back at once; those that were already under way when it broke are lost.
            if at < trouble.start + 90_000 and chance < 140:
                return MISTRAL_7B, ("error", 502, "connection_reset")
        elif served.deployment == trouble.deployment and chance < (230 if trouble.hard else 90):
            return served, ("error", 529, "overloaded_error")
    return served, fault


def _fail(made: Day, row: Row, fault: Fault, application: Application, bits: int) -> None:
    """Turn a good row into a failed one. An error is not billed; a cut-off answer is, and we never hear how much."""
    outcome, status, error_type = fault
    row["outcome"], row["http_status"], row["error_type"] = outcome, status, error_type
    tokens: dict[str, int] = row["tokens"]
    if outcome == "error":
        row["tokens"] = dict(NO_TOKENS)
        row["latency_ms"] = round(20 + 400 * ((bits >> 100) & 255) / 255, 1)
        row["ttft_ms"] = row["response_id"] = None
        return
    if outcome == "refused":
        tokens["output"] = min(tokens["output"], 24)
        tokens["reasoning"] = 0
        return
    tokens["output"] = 1 + tokens["output"] * ((bits >> 100) & 255) // 256
    tokens["reasoning"] = min(tokens["reasoning"], tokens["output"])
    if outcome == "timeout":
        row["latency_ms"], row["ttft_ms"], row["response_id"] = 60_000.0, None, None
    elif row["ttft_ms"] is not None:
        row["latency_ms"] = round(
            row["ttft_ms"] + (row["latency_ms"] - row["ttft_ms"]) * ((bits >> 100) & 255) / 256, 1
        )
    row["tokens"] = None
    if row["provider"] == "anthropic":
        hour = int(row["started_at"][11:13])
        made.unseen.append(Unseen(hour, row["model"], row["batch"], application.vendor_key, five_classes(tokens)))


def five_classes(tokens: dict[str, int]) -> tuple[int, int, int, int, int]:
    """The five disjoint token classes in their fixed order."""
    return (
        tokens["uncached_input"],
        tokens["cache_read"],
        tokens["cache_write_5m"],
        tokens["cache_write_1h"],
        tokens["output"],
    )


def _time(row: Row) -> str:
    started_at: str = row["started_at"]
    return started_at


def _spread(weighted: list[tuple[Any, float]], size: int) -> list[Any]:
    """A table in which each value stands in proportion to its weight, so that a random index draws it."""
    total = sum(weight for _, weight in weighted)
    table: list[Any] = []
    reached = 0.0
    for value, weight in weighted:
        reached += weight
        table += [value] * (round(reached / total * size) - len(table))
    return table


def _first_tokens(rng: random.Random, served: Served) -> list[float]:
    return [served.first_token_ms * math.exp(rng.gauss(0, served.spread)) for _ in range(SAMPLES)]


def _faults(rng: random.Random, faults: tuple[tuple[int, Fault], ...]) -> list[Fault | None]:
    table: list[Fault | None] = [fault for count, fault in faults for _ in range(count)]
    table += [None] * (OUTCOMES - len(table))
    rng.shuffle(table)
    return table


def _sizes(rng: random.Random, work: Work, factor: float) -> Sizes:
    """Sampled sizes whose mean is the work's figure times `factor`; the shared part varies little."""
    rows: Sizes = []
    for _ in range(SAMPLES):
        own = max(8, round(work.own * factor * _unit(rng, 0.55)))
        shared = round(work.shared * _unit(rng, 0.06))
        output = max(4, round(work.output * factor * _unit(rng, 0.6)))
        rows.append((own, shared, output, round(output * work.reasoning)))
    return rows


def _unit(rng: random.Random, spread: float) -> float:
    """A lognormal number of mean 1."""
    return math.exp(rng.gauss(-spread * spread / 2, spread))
