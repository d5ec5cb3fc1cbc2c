"""What the simulated Claude has served: loaded hours and calls of its own, added up as a report groups them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.state import Row, State, hour_of, moment, stamp

TOKENS = {
    "uncached_input": "uncached_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write_5m": "cache_creation.ephemeral_5m_input_tokens",
    "cache_write_1h": "cache_creation.ephemeral_1h_input_tokens",
    "output": "output_tokens",
}
WIDTHS = {"1h": timedelta(hours=1), "1d": timedelta(days=1)}
# Where a group's value stands in a loaded row, or what it always is.
FIELDS = {"model": "model", "service_tier": "service_tier", "workspace_id": "workspace", "api_key_id": "api_key"}
CONSTANT = {"product": "messages_api", "inference_geo": "global", "context_window": "0-200k", "speed": "standard"}
WEB_SEARCH_CENTS = Decimal(1)


@dataclass
class Sum:
    """Loaded rows of one bucket and group, added up."""

    requests: int = 0
    web_searches: int = 0
    code_cents: Decimal = Decimal(0)
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOKENS, 0))
    cents: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(TOKENS, Decimal(0)))

    def add(self, row: Row) -> None:
        self.requests += row["requests"]
        self.web_searches += row["web_searches"]
        self.code_cents += Decimal(row.get("code_execution", "0")) * 100
        for name in TOKENS:
            self.tokens[name] += row["tokens"].get(name, 0)
            self.cents[name] += Decimal(row["cost"].get(name, "0")) * 100


class Bills:
    """The tables `usage` (loaded) and `calls` (served here) of the state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._by_hour: dict[datetime, list[Row]] = {}
        self._made_at: tuple[int, int] = (-1, -1)

    def load(self, sent_rows: list[Row], *, replace: bool) -> int:
        """Rows of the same hour, model, tier, workspace and key are added to what is known, or take its place."""
        known = {} if replace else self.state.table("anthropic", "usage")
        rows: dict[str, Row] = {}
        for sent in sent_rows:
            key, row = _key(sent), _row(sent)
            old = rows.get(key) or known.get(key)
            rows[key] = _added(old, row) if old else row
        self.state.put("anthropic", "usage", rows)
        return len(rows)

    def seen(self, what: str) -> list[str]:
        """Ids of the workspaces or keys (`workspace`, `api_key`) that have used anything."""
        return sorted({row[what] for rows in self._hours().values() for row in rows if row[what]})

    def versions(self) -> tuple[int, int]:
        """Another value after each change of the tables."""
        return self.state.changes["anthropic", "usage"], self.state.changes["anthropic", "calls"]

    def _hours(self) -> dict[datetime, list[Row]]:
        if self._made_at != self.versions():
            found: dict[str, list[Row]] = defaultdict(list)
            for table in ("usage", "calls"):
                for row in self.state.table("anthropic", table).values():
                    found[row["hour"]].append(row)
            self._by_hour = {moment(hour): rows for hour, rows in found.items()}
            self._made_at = self.versions()
        return self._by_hour

    def sums(
        self, start: datetime, end: datetime, width: timedelta | None, groups: list[str]
    ) -> list[tuple[datetime, dict[str, Any], Sum]]:
        """(bucket, group values, sum) in order of time, only for whole hours before `end`."""
        found: dict[tuple[datetime, tuple[Any, ...]], Sum] = defaultdict(Sum)
        for hour, rows in self._hours().items():
            if not hour_of(start) <= hour or hour + timedelta(hours=1) > end:
                continue
            bucket = hour_of(start) if width is None else hour if width == WIDTHS["1h"] else hour.replace(hour=0)
            for row in rows:
                found[bucket, tuple(row[FIELDS[name]] for name in groups)].add(row)
        ordered = sorted(found.items(), key=lambda entry: (entry[0][0], [str(value) for value in entry[0][1]]))
        return [(bucket, dict(zip(groups, key, strict=True)), total) for (bucket, key), total in ordered]


def fan_out(total: Sum, groups: list[str]) -> Iterator[tuple[dict[str, str | None], Decimal]]:
    """How a sum fans out over `cost_type` and `token_type`."""
    tools = {"web_search": WEB_SEARCH_CENTS * total.web_searches, "code_execution": total.code_cents}
    tokens = sum(total.cents.values(), Decimal(0))
    if "token_type" in groups:
        for name, cents in total.cents.items():
            yield {"cost_type": "tokens", "token_type": TOKENS[name]}, cents
    elif "cost_type" in groups:
        yield {"cost_type": "tokens"}, tokens
    else:
        yield {}, sum(tools.values(), tokens)
    if "cost_type" in groups:
        for name, cents in tools.items():
            yield {"cost_type": name}, cents


def cents_text(cents: Decimal) -> str:
    """As the vendor writes it: a decimal without an exponent."""
    return format(cents.normalize(), "f")


def creation(tokens: dict[str, int]) -> dict[str, int]:
    return {
        "ephemeral_5m_input_tokens": tokens["cache_write_5m"],
        "ephemeral_1h_input_tokens": tokens["cache_write_1h"],
    }


def _key(row: Row) -> str:
    hour = stamp(hour_of(moment(row["hour"])))
    return "|".join([hour, *(str(row.get(name) or "") for name in ("model", "service_tier", "workspace", "api_key"))])


def _row(row: Row) -> Row:
    """A loaded row in the shape that is kept. Raises KeyError, ValueError."""
    return {
        "hour": stamp(hour_of(moment(row["hour"]))),
        "model": str(row["model"]),
        "service_tier": row.get("service_tier") or "standard",
        "workspace": row.get("workspace") or None,
        "api_key": row.get("api_key") or None,
        "requests": int(row.get("requests") or 0),
        "tokens": {name: int(row["tokens"].get(name) or 0) for name in TOKENS},
        "cost": {name: str(Decimal(row.get("cost", {}).get(name) or 0)) for name in TOKENS},
        "web_searches": int(row.get("web_searches") or 0),
        "code_execution": str(Decimal(row.get("code_execution") or 0)),
    }


def _added(old: Row, new: Row) -> Row:
    return new | {
        "requests": old["requests"] + new["requests"],
        "web_searches": old["web_searches"] + new["web_searches"],
        "code_execution": str(Decimal(old.get("code_execution", "0")) + Decimal(new.get("code_execution", "0"))),
        "tokens": {name: old["tokens"][name] + new["tokens"][name] for name in TOKENS},
        "cost": {name: str(Decimal(old["cost"][name]) + Decimal(new["cost"][name])) for name in TOKENS},
    }
