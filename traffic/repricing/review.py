"""A new price beside the one that stands, before a person saves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from providers.models import TokenPrice
from traffic.models import Request
from traffic.repricing.effect import Effect, at_rates, effect, names_of
from traffic.usage.token_classes import CLASSES

NAMES = tuple(name for name, _label in CLASSES)


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of a price: what it was, what it becomes; None is unknown."""

    label: str
    before: Decimal | None
    after: Decimal | None

    @property
    def changes(self) -> bool:
        return self.before != self.after

    @property
    def share(self) -> Decimal | None:
        """By which part of it the figure grows; None where one of them is unknown or nothing was paid."""
        return None if not self.before or self.after is None else (self.after - self.before) / self.before


@dataclass(frozen=True, slots=True)
class Review:
    """What saving a price means: the changes by class, until when it holds, and the requests stored since it holds."""

    standing: TokenPrice | None
    following: TokenPrice | None
    changes: Sequence[Change]
    effect: Effect | None  # None where it begins in the future

    @property
    def same(self) -> bool:
        return self.standing is not None and not any(change.changes for change in self.changes)


def review_of(price: TokenPrice) -> Review:
    versions = TokenPrice.objects.of(price.provider, price.model)
    standing = versions.filter(starts_at__lte=price.starts_at).first()
    following = versions.filter(starts_at__gt=price.starts_at).last()
    past = effect_of(price, standing, following) if price.starts_at <= timezone.now() else None
    return Review(standing, following, changes_of(standing, price), past)


def changes_of(standing: TokenPrice | None, price: TokenPrice) -> list[Change]:
    """Every class, the batch factor, and those of long prompts where either price has them."""
    rows = [(str(label), name) for name, label in CLASSES]
    rows.append((_("Batch, of every rate"), "batch_factor"))
    if price.over_tokens or (standing and standing.over_tokens):
        rows.append((_("Long prompts begin past (tokens)"), "over_tokens"))
        rows += [(_("%(name)s, long prompts") % {"name": label}, f"over_{name}") for name, label in CLASSES]
    return [Change(label, getattr(standing, name, None), getattr(price, name)) for label, name in rows]


def effect_of(price: TokenPrice, standing: TokenPrice | None, following: TokenPrice | None) -> Effect:
    """The requests since it holds; what batches and long prompts make of a price is taken to stay in proportion."""
    since, until = price.starts_at, following.starts_at if following else None

    def rates(of: TokenPrice) -> dict[str, Decimal | None]:
        return {name: getattr(of, name) for name in NAMES}

    change = effect(provider=price.provider, model=price.model, since=since, until=until, price=at_rates(rates(price)))
    if standing is None or change.unpriced or change.after is None:
        return change
    listed = effect(
        provider=price.provider, model=price.model, since=since, until=until, price=at_rates(rates(standing))
    ).after
    after = change.before * change.after / listed if listed else change.after
    return Effect(change.requests, change.unpriced, change.before, after)


def is_used(price: TokenPrice) -> bool:
    """Whether a stored request was costed with it."""
    names = names_of(price.provider, price.model, price.starts_at.date())
    days = Request.objects.in_days(price.starts_at.date(), timezone.now().date() + timedelta(days=2))
    return days.filter(provider=price.provider, model__in=names, price_id=price.pk).exists()
