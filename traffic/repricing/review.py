"""A new price beside the one that stands, before a person saves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, signed_percent, signed_usd, when
from providers.models import TokenPrice
from providers.pricing.discounts import cost_at_list
from traffic.models import Request
from traffic.repricing.effect import Effect, effect, names_of
from traffic.repricing.page import holds
from traffic.usage.token_classes import CLASSES


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

    def words(self) -> str:
        if not self.changes:
            return _("same")
        return _("new") if self.share is None else signed_percent(self.share)


@dataclass(frozen=True, slots=True)
class Review:
    """What saving a price means: the changes by class, until when it holds, and the requests stored since it holds."""

    price: TokenPrice
    standing: TokenPrice | None
    following: TokenPrice | None
    changes: Sequence[Change]
    effect: Effect | None  # None where it begins in the future

    @property
    def same(self) -> bool:
        return self.standing is not None and not any(change.changes for change in self.changes)

    def headline(self) -> SafeString:
        """How many stored requests it is for, and by how much they would change."""
        model, effect = self.price.model, self.effect
        if self.same:
            return format_html(_("<b>{model}</b> costs this already."), model=model)
        if effect is None:
            text = _("Requests to <b>{model}</b> cost this from <b>{day}</b>. There are none yet.")
            return format_html(text, model=model, day=when(self.price.starts_at))
        if not effect.requests:
            return format_html(_("No requests to <b>{model}</b> since this price began."), model=model)
        if effect.amount is None:
            text = ngettext(
                "<b>{n} stored request</b> is affected, and a rate for it is missing.",
                "<b>{n} stored requests</b> are affected, and a rate for them is missing.",
                effect.requests,
            )
            return format_html(text, n=count(effect.requests))
        text = ngettext(
            "<b>{n} stored request</b> is affected and would change by about <b>{by} USD</b>.",
            "<b>{n} stored requests</b> are affected and would change by about <b>{by} USD</b>.",
            effect.requests,
        )
        return format_html(text, n=count(effect.requests), by=signed_usd(effect.amount))

    def holds(self) -> SafeString:
        return holds(self.price, self.following)


def review_of(price: TokenPrice) -> Review:
    versions = TokenPrice.objects.of(price.provider, price.model)
    standing = versions.filter(starts_at__lte=price.starts_at).first()
    following = versions.filter(starts_at__gt=price.starts_at).last()
    past = effect_of(price, standing, following) if price.starts_at <= timezone.now() else None
    return Review(price, standing, following, changes_of(standing, price), past)


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
    until = following.starts_at if following else None
    effect_at = partial(effect, provider=price.provider, model=price.model, since=price.starts_at, until=until)
    change = effect_at(price=partial(cost_at_list, price))
    if standing is None or change.unpriced or change.after is None:
        return change
    listed = effect_at(price=partial(cost_at_list, standing)).after
    after = change.before * change.after / listed if listed else change.after
    return Effect(change.requests, change.unpriced, change.before, after)


def is_used(price: TokenPrice) -> bool:
    """Whether a stored request was costed with it."""
    names = names_of(price.provider, price.model, price.starts_at.date())
    days = Request.objects.in_days(price.starts_at.date(), timezone.now().date() + timedelta(days=2))
    return days.filter(provider=price.provider, model__in=names, price_id=price.pk).exists()
