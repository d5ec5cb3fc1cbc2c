"""Rows that another account has brought already: they are refused where rows are written, with a note on the feed.

The natural key of a lease, a bill line or a usage row is the vendor's own id within its origin, whichever account of
ours brought it. The origin is the vendor where ids are unique there (leases everywhere), else the organisation. Where
it is not known yet it is empty, and only the account itself is compared. Constraints of the database hold the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.db import connection, models

from lib.events import log_event
from providers.connectors import CONNECTORS, connector_class
from providers.models import Account, Feed, Lease, VendorCost, VendorUsage

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=models.Model)
KEYS: dict[type[models.Model], tuple[str, ...]] = {
    Lease: ("external_id",),
    VendorCost: ("external_id",),
    VendorUsage: ("starts_at", "model", "workspace", "api_key", "service_tier"),
}
FEED_OF: dict[type[models.Model], str] = {Lease: "leases", VendorCost: "costs", VendorUsage: "usage"}
EXAMPLES = 3
AT_ONCE = 5_000  # values of one statement


def origin_of(account: Account, model: type[models.Model]) -> str:
    """Whose a row is at the vendor; empty where nobody knows yet."""
    if account.kind not in CONNECTORS:
        return ""
    if model is Lease or (model is VendorCost and connector_class(account.kind).unique_bills):
        return account.kind
    return f"{account.kind}/{account.identity[0]}" if account.identity else ""


def key_of(row: models.Model) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in KEYS[type(row)])


def without_others(account: Account, model: type[M], rows: Iterable[M]) -> tuple[list[M], set[tuple[Any, ...]]]:
    """Rows that this account may bring, with their origin, and the keys of those that another one has brought.

    In the caller's transaction, which waits for others that write rows of the same origin.
    """
    rows, origin = list(rows), origin_of(account, model)
    for row in rows:
        setattr(row, "origin", origin)  # noqa: B010 - a column of each of the three models
    if not origin:
        return rows, set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [origin])
    theirs = brought_by_others(account, model, rows, origin)
    refused = [row for row in rows if key_of(row) in theirs]
    note(account, model, refused, theirs)
    return [row for row in rows if key_of(row) not in theirs], {key_of(row) for row in refused}


def brought_by_others(
    account: Account, model: type[M], rows: Sequence[M], origin: str
) -> dict[tuple[Any, ...], models.Model]:
    """By their key, the rows of other accounts of this origin."""
    name = KEYS[model][0]
    firsts = sorted({getattr(row, name) for row in rows})
    others = model._default_manager.filter(origin=origin).exclude(account=account).select_related("account")
    parts = (firsts[start : start + AT_ONCE] for start in range(0, len(firsts), AT_ONCE))
    return {key_of(row): row for part in parts for row in others.filter(**{f"{name}__in": part})}


def note(
    account: Account, model: type[models.Model], refused: Sequence[Any], theirs: dict[tuple[Any, ...], Any]
) -> None:
    """Keep on the feed what its last answer brought twice, for the alert and the account's page; nothing if nothing."""
    feeds = Feed.objects.filter(account=account, kind=FEED_OF[model])
    if not refused:
        feeds.exclude(refused={}).update(refused={})
        return
    other = theirs[key_of(refused[0])].account
    differing = [row for row in refused if getattr(row, "currency", "") != currency_of(theirs[key_of(row)])]
    examples = [example(row, theirs[key_of(row)]) for row in [*differing, *refused][:EXAMPLES]]
    feeds.update(refused={"rows": len(refused), "account": other.slug, "name": other.name, "examples": examples})
    log_event(
        logger, logging.WARNING, "rows_refused", account=account.slug, feed=FEED_OF[model], rows=len(refused),
        brought_by=other.slug, other_currency=len(differing),
    )  # fmt: skip


def currency_of(row: Any) -> str:
    return str(getattr(row, "currency", ""))


def example(row: Any, theirs: Any) -> list[str]:
    """A refused row by its id, with both currencies where they differ: the stored one and the refused one."""
    words = " ".join(str(part) for part in key_of(row) if part)[:200]
    return [words, currency_of(theirs), currency_of(row)] if currency_of(row) != currency_of(theirs) else [words]


def take_origin(account: Account) -> None:
    """Give what an account stored before its identity was known its origin, but for what another account brought."""
    for model, key in KEYS.items():
        origin = origin_of(account, model)
        if origin:
            same = {name: models.OuterRef(name) for name in key}
            others = model._default_manager.filter(origin=origin, **same)
            mine = model._default_manager.filter(account=account, origin="")
            mine.filter(~models.Exists(others)).update(origin=origin)
