"""How much of what a vendor bills we have seen: tokens of our log against its usage report, by key and workspace. Pure.

Our log knows no vendor's key. A key that people gave to an application is held against that application's tokens; all
other keys against the tokens of all other applications, shared out by size. Whatever is held is at most what the vendor
has of that day and model, so that too much in one place never hides a gap in another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from costs.reconciliation.queries import BillingMonthData, Row
from lib.tokens import TOKEN_CLASSES
from providers.models import provider_name

Key = tuple[int, str, str]  # account, workspace, key; empty where the vendor says none


def share_of(seen: Fraction, billed: int) -> Decimal | None:
    """Return a share from 0 to 1; None where the whole is zero."""
    return Decimal(seen.numerator) / (seen.denominator * billed) if billed else None


@dataclass
class CoverageRow:
    """Tokens of a key or a workspace: billed by the vendor, and seen in our request log."""

    account: int
    workspace: str
    key: str = ""
    billed: int = 0
    seen: Fraction = Fraction(0)
    owner: int | None = None  # the application that it was given to
    other: bool = False  # another tool's, or used without any key

    @property
    def share(self) -> Decimal | None:
        return share_of(self.seen, self.billed)


@dataclass
class Coverage:
    """What we have seen of one provider's usage report, over the days that the report covers."""

    provider: str
    keys: list[CoverageRow] = field(default_factory=list)
    workspaces: list[CoverageRow] = field(default_factory=list)

    @property
    def name(self) -> str:
        return provider_name(self.provider)

    @property
    def billed(self) -> int:
        return sum(row.billed for row in self.keys)

    @property
    def seen(self) -> Fraction:
        return sum((row.seen for row in self.keys), Fraction(0))

    @property
    def share(self) -> Decimal | None:
        return share_of(self.seen, self.billed)


def coverages(data: BillingMonthData) -> list[Coverage]:
    """Return the coverage of each provider that has a usage report in the month."""
    providers = sorted({row["provider"] for row in data.vendor})
    rows = (coverage(data, provider) for provider in providers)
    return [coverage_row for coverage_row in rows if coverage_row.billed]


def coverage(data: BillingMonthData, provider: str) -> Coverage:
    reports = [row for row in data.vendor if counted(data, provider, row)]
    names_keys = any(row["api_key"] for row in reports)
    keys: dict[Key, CoverageRow] = {}
    theirs: dict[tuple[Any, str], list[tuple[CoverageRow, int]]] = defaultdict(list)
    for row in reports:
        seen = keys.setdefault(key_of(row), named(data, row, names_keys))
        tokens = sum(row["tokens"].values())
        seen.billed += tokens
        theirs[row["day"], row["model"]].append((seen, tokens))
    ours: dict[tuple[Any, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in data.usage:
        if counted(data, provider, row):
            ours[row["day"], row["model"]][row["application_id"]] += sum(row[name] for name in TOKEN_CLASSES)
    for cell, rows in theirs.items():
        match_tokens(rows, ours.get(cell, {}))
    largest = sorted(keys.values(), key=lambda row: (-row.billed, row.workspace, row.key))
    return Coverage(provider, largest, by_workspace(largest))


def counted(data: BillingMonthData, provider: str, row: Row) -> bool:
    return bool(row["provider"] == provider and data.inside(row) and data.whole(provider, row["day"]))


def key_of(row: Row) -> Key:
    return row["account_id"], row["workspace"], row["api_key"]


def named(data: BillingMonthData, row: Row, names_keys: bool) -> CoverageRow:
    account, workspace, key = key_of(row)
    other = data.is_other(row) or (names_keys and not key)
    return CoverageRow(account, workspace, key, owner=data.owners.get((account, key)), other=other)


def match_tokens(rows: list[tuple[CoverageRow, int]], ours: dict[int, int]) -> None:
    """Match our tokens of one day and model to the vendor's keys: first to keys with an owner, then to the others."""
    left = dict(ours)
    # Keys of other tools are left out: our log cannot have their requests, so nothing of ours may be matched to them.
    shared = [(seen, tokens) for seen, tokens in rows if seen.owner is None and not seen.other]
    for seen, tokens in rows:
        if seen.owner is not None:
            # At most what the vendor reports for the key: a surplus here must not hide a gap at another key.
            matched = min(tokens, left.get(seen.owner, 0))
            left[seen.owner] = left.get(seen.owner, 0) - matched
            seen.seen += matched
    size = sum(tokens for _seen, tokens in shared)
    part = min(Fraction(1), Fraction(sum(left.values()), size)) if size else Fraction(0)
    for seen, tokens in shared:
        seen.seen += tokens * part


def by_workspace(keys: Iterable[CoverageRow]) -> list[CoverageRow]:
    rows: dict[tuple[int, str], CoverageRow] = {}
    for key in keys:
        row = rows.setdefault((key.account, key.workspace), CoverageRow(key.account, key.workspace))
        row.billed += key.billed
        row.seen += key.seen
    return sorted(rows.values(), key=lambda row: (-row.billed, row.workspace))
