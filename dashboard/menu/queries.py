"""What the palette finds besides pages: names in the database, at most a few of each kind."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Case, Q, Value, When

from alerts.models import Rule
from costs.dates import months_since, today
from costs.ledger.queries import first_known_day
from providers.models import Account, Deployment, TokenPrice
from traffic.models import Application
from traffic.requests.queries import open_request

MOST = 8  # rows of a kind
# What people call the things that a shipped rule watches, by the rule's kind; its name has the rest.
RULE_WORDS = {
    "lease": "gpu rented unused", "outage": "downtime unavailable", "late": "worker", "budget": "spend limit",
    "balance": "credit", "unpriced": "unknown cost", "break-even": "own gpu volume", "bill-gap": "invoice"}  # fmt: skip


def _with_words(rows: Any, words: list[str], *fields: str, kind: str = "") -> list[dict[str, str]]:
    """The rows, as dicts, that have every word in one of the fields, but for one that names the kind ("idle rule")."""
    for word in words if len(words) == 1 else [word for word in words if f" {word}" not in f" {kind}s"]:
        condition = Q()
        for field in fields:
            condition |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(condition)
    return list(rows.order_by(fields[0]).values(*fields).distinct()[:MOST])


def applications(user: Any, words: list[str]) -> list[dict[str, str]]:
    """Applications (`name`, `slug`): all for whoever sees them, else those that the person owns or belongs to."""
    rows = Application.objects.all()
    rows = rows if user.has_perm("traffic.view_application") else rows.of_person(user)
    return _with_words(rows, words, "name", "slug", kind="application")


def deployments(words: list[str]) -> list[dict[str, str]]:
    return _with_words(Deployment.objects.all(), words, "name", "slug", kind="deployment")


def accounts(words: list[str]) -> list[dict[str, str]]:
    return _with_words(Account.objects.all(), words, "name", "slug", kind="account")


def rules(words: list[str]) -> list[dict[str, str]]:
    """Rules (`name`, `slug`), also by what people call the thing that they watch."""
    called = Case(*(When(kind=kind, then=Value(text)) for kind, text in RULE_WORDS.items()), default=Value(""))
    return _with_words(Rule.objects.annotate(called=called), words, "name", "slug", "called", kind="alert rule")


def models(words: list[str]) -> list[dict[str, str]]:
    """Models of the price book (`model`)."""
    return _with_words(TokenPrice.objects.all(), words, "model", kind="model")


def months() -> list[str]:
    """Months with usage or charges as `2026-11`, the newest first."""
    now = today()
    return [f"{month:%Y-%m}" for month in sorted(months_since(first_known_day(now), now), reverse=True)]


def request_of(user: Any, text: str) -> uuid.UUID | None:
    """The id of the request that the text names; None if there is none that this person may open."""
    try:
        identifier = uuid.UUID(text)
        return identifier if open_request(user, identifier) else None
    except (ValueError, OverflowError):
        return None
