"""The models that requests of late named: what a new price changes for them, and which of them retire."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from lib.model_names import canonical_name
from providers.models import Model, TokenPrice
from providers.pricing.discounts import cost_at_list
from traffic.models import UsageDay
from traffic.usage.token_classes import CLASSES as LABELLED

LABELS = dict(LABELLED)
CLASSES = tuple(LABELS)
MONTH_DAYS, USED_DAYS, KNOWN_AHEAD = 30, 7, timedelta(days=60)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Two versions of a model's price, and the tokens of its last 30 days that they are reckoned with."""

    provider: str
    model: str
    old: TokenPrice
    new: TokenPrice
    tokens: dict[str, int]

    @property
    def rates(self) -> list[tuple[str, Decimal | None, Decimal | None]]:
        """Each class whose rate changed: name, before, after; USD per million."""
        pairs = [(str(LABELS[name]), getattr(self.old, name), getattr(self.new, name)) for name in CLASSES]
        return [(label, old, new) for label, old, new in pairs if old != new]

    @property
    def monthly(self) -> Decimal | None:
        """USD a month more; None where a class that is used has an unknown rate."""
        old, new = cost_at_list(self.old, self.tokens), cost_at_list(self.new, self.tokens)
        return None if old is None or new is None else new - old


def price_changes(now: datetime, days: int) -> list[PriceChange]:
    """Of models used in the last 30 days, those whose rates changed within `days` or are known to change; two queries,
    or three."""
    fresh = TokenPrice.objects.filter(starts_at__gt=now - timedelta(days=days), starts_at__lte=now + KNOWN_AHEAD)
    models = set(fresh.values_list("provider", "model"))
    if not models:
        return []
    versions = TokenPrice.objects.filter(provider__in={p for p, _m in models}, model__in={m for _p, m in models})
    by_model: dict[tuple[str, str], list[TokenPrice]] = defaultdict(list)
    for price in versions.select_related("entered_by").order_by("starts_at"):
        by_model[price.provider, price.model].append(price)
    used = tokens_by_model(now.date())
    changes = []
    for key in sorted(models):
        pair = latest_pair(by_model[key], now - timedelta(days=days))
        if pair and key in used:
            change = PriceChange(*key, *pair, used[key])
            changes += [change] if change.rates else []
    return changes


def latest_pair(versions: list[TokenPrice], since: datetime) -> tuple[TokenPrice, TokenPrice] | None:
    """The price before the change and the newest after it; None where nothing stood before."""
    old = [price for price in versions if price.starts_at <= since]
    return (old[-1], versions[-1]) if old and old[-1] is not versions[-1] else None


def tokens_by_model(today: date) -> dict[tuple[str, str], dict[str, int]]:
    """Tokens of the last 30 days by class, under each name that a price may have: as called, and without its date."""
    rows = UsageDay.objects.filter(day__gt=today - timedelta(days=MONTH_DAYS), day__lte=today)
    tokens: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(CLASSES, 0))
    for row in rows.values("provider", "model").annotate(**{f"{name}_sum": Sum(name) for name in CLASSES}).order_by():
        for model in {row["model"], canonical_name(row["model"])}:
            for name in CLASSES:
                tokens[row["provider"], model][name] += row[f"{name}_sum"]
    return dict(tokens)


@dataclass(frozen=True, slots=True)
class Retiring:
    """A model that its vendor switches off, and who used it in the last 7 days, most first."""

    provider: str
    model: str
    on: date
    requests: int
    applications: list[tuple[str | None, int]]
    used_as: list[str]  # as requests name it


def retiring(today: date, days: int, slugs: Any) -> list[Retiring]:
    """Models that retire within `days` or have, and are in use; `slugs` names applications by id. Two queries."""
    retiring_models = Model.objects.filter(retires_on__isnull=False, retires_on__lte=today + timedelta(days=days))
    by_name = {(model.provider, name): model for model in retiring_models for name in (model.name, *model.aliases)}
    if not by_name:
        return []
    rows = UsageDay.objects.filter(day__gt=today - timedelta(days=USED_DAYS), day__lte=today, requests__gt=0)
    users: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    names: dict[int, set[str]] = defaultdict(set)
    models: dict[int, Model] = {}
    for row in rows.values("provider", "model", "application_id").annotate(n=Sum("requests")).order_by():
        called = row["model"]
        used_model = by_name.get((row["provider"], called)) or by_name.get((row["provider"], canonical_name(called)))
        if used_model:
            models[used_model.pk] = used_model
            users[used_model.pk][row["application_id"]] += row["n"]
            names[used_model.pk].add(called)
    return [
        Retiring(
            model.provider, model.name, model.retires_on, sum(users[pk].values()),
            sorted(((slugs.get(app), n) for app, n in users[pk].items()), key=lambda pair: -pair[1]), sorted(names[pk]),
        )
        for pk, model in sorted(models.items()) if model.retires_on
    ]  # fmt: skip
