"""Rules about the models that we use: prices that change, models that retire, vendors that refuse to serve more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.delivery.wording import day, exact, listed, long_day, moment, number, percent
from alerts.evaluation.context import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.kinds.vendors import capped, words_of
from providers.models import PROVIDER_NAMES, Feed
from traffic.usage.models_used import PriceChange, Retiring


def prices(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each model in use whose price changed within the rule's days, or is known to change."""
    found = {subject_of(one): one for one in context.price_changes(int(params.number("days")))}
    for subject, one in found.items():
        yield changed(context, subject, one)
    for subject in live - found.keys():
        title = _("No longer news: the price of %(name)s") % {"name": subject.partition("/")[2]}
        yield Finding(subject, title, crossed=False, clear=True, words=Words(page=reverse("traffic:prices")))


def subject_of(one: PriceChange) -> str:
    return f"price:{one.provider}/{one.model}"[:200]


def changed(context: EvaluationContext, subject: str, one: PriceChange) -> Finding:
    monthly = one.monthly
    ahead = one.new.starts_at > context.now
    values = {"name": one.model, "amount": by_month(monthly), "day": day(one.new.starts_at.date())}
    title = (
        _("Price will change: %(name)s, %(amount)s a month from %(day)s")
        if ahead
        else _("Price changed: %(name)s, %(amount)s a month since %(day)s")
    )
    who = str(one.new.entered_by) if one.new.entered_by else one.new.source
    return Finding(
        subject=subject,
        title=title % values,
        crossed=True,
        clear=False,
        value="" if monthly is None else f"{monthly:.2f}",
        severity="warning" if monthly is not None and monthly > 0 else "",
        since=None if ahead else one.new.starts_at,
        labels={"provider": one.provider, "model": one.model},
        words=Words(
            todo=_("See whether the plan still fits, and whether another model does the same for less."),
            detail=_("Reckoned with the tokens of the last 30 days; requests before it keep their price."),
            facts=[
                *([label, f"{rate(old)} → {rate(new)}", _("USD per 1M tokens")] for label, old, new in one.rates),
                [_("Effect"), by_month(monthly), _("a month, at the last 30 days’ use")],
                [_("Known from"), who, moment(one.new.seen_at)],
            ],
            drivers=users(context, one),
            driven=_("Who uses it, last 30 days"),
            page=f"{reverse('traffic:prices')}?{urlencode({'provider': one.provider, 'model': one.model})}",
            providers=[one.provider],
        ),
    )


def users(context: EvaluationContext, one: PriceChange, most: int = 3) -> list[list[str]]:
    """The applications with most requests to the model: name, requests, share."""
    rows = context.requests_by_application(provider=one.provider, model=one.model)
    total = sum(n for _slug, n, _unpriced in rows)
    return [[slug or _("no application"), number(n), percent(Decimal(n) / total)] for slug, n, _u in rows[:most] if n]


def by_month(amount: Decimal | None) -> str:
    return _("by an unknown amount") if amount is None else ("+" if amount >= 0 else "") + exact(amount)


def rate(value: Decimal | None) -> str:
    return _("unknown") if value is None else f"${value.normalize():f}"


def retiring(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each model that retires within the rule's days and was used in the last week."""
    found = {f"retiring:{one.provider}/{one.model}"[:200]: one for one in context.retiring(int(params.number("days")))}
    for subject, one in found.items():
        yield retires(context, subject, one)
    for subject in live - found.keys():
        title = _("Used no more: %(name)s, 0 requests in 7 days") % {"name": subject.partition("/")[2]}
        yield Finding(subject, title, crossed=False, clear=True, value="0")


def retires(context: EvaluationContext, subject: str, one: Retiring) -> Finding:
    left = (one.on - context.today).days
    values = {"name": one.model, "n": str(left), "day": long_day(one.on), "requests": number(one.requests)}
    if left > 0:
        title = ngettext("Retires in %(n)s day: %(name)s, %(said)s", "Retires in %(n)s days: %(name)s, %(said)s", left)
    else:
        title = _("Retired: %(name)s on %(day)s, %(said)s")
    said = ngettext("%(requests)s request in 7 days", "%(requests)s requests in 7 days", one.requests) % values
    return Finding(
        subject=subject,
        title=title % (values | {"said": said}),
        crossed=True,
        clear=False,
        value=str(left),
        threshold="0",
        severity="critical" if left <= 7 else "",
        labels={"provider": one.provider, "model": one.model},
        words=Words(
            todo=_("Move these applications to another model before that day; from then on their requests fail.")
            if left > 0
            else _("Move these applications to another model now: their requests fail."),
            detail=(
                _("The vendor switches %(name)s off on %(day)s.")
                if left > 0
                else _("The vendor switched %(name)s off on %(day)s.")
            )
            % values,
            facts=[
                [_("Model"), one.model, one.provider],
                [_("Switched off on"), values["day"], _("the vendor’s list")],
                [_("Applications"), listed([name or _("no application") for name, _n in one.applications]), ""],
            ],
            drivers=[
                [name or _("no application"), number(n), percent(Decimal(n) / one.requests)]
                for name, n in one.applications[:3]
            ],
            driven=_("Who still uses it, last 7 days"),
            page=f"{reverse('traffic:requests')}?{urlencode({'provider': one.provider, 'model': one.used_as[0]})}",
            providers=[one.provider],
        ),
    )


def caps(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each account whose vendor serves no more because a limit of its own is reached."""
    found: dict[str, Feed] = {}
    for feed in context.feeds:
        subject = f"spend-cap:{feed.account.slug}"
        if capped(feed, context.now):
            found.setdefault(subject, feed)
    for subject, feed in found.items():
        yield is_capped(context, subject, feed)
    for subject in live - found.keys():
        title = _("Served again: %(name)s") % {"name": subject.partition(":")[2]}
        yield Finding(subject, title, crossed=False, clear=True)


def is_capped(context: EvaluationContext, subject: str, feed: Feed) -> Finding:
    assert feed.capped_until is not None, "asked for"
    account = feed.account
    values = {"name": account.name, "until": moment(feed.capped_until)}
    return Finding(
        subject=subject,
        title=_("Limit reached: %(name)s, until %(until)s") % values,
        crossed=True,
        clear=False,
        since=feed.last_error_at,
        labels={"account": account.slug, "provider": account.kind},
        words=Words(
            todo=_("Raise the limit in the vendor’s console, or let routes send requests elsewhere until then."),
            detail=feed.last_error,
            facts=[
                [_("Account"), account.name, PROVIDER_NAMES.get(account.kind, account.kind)],
                [
                    _("Refused since"),
                    moment(feed.last_error_at) if feed.last_error_at else _("unknown"),
                    words_of(feed),
                ],
                [_("Until"), values["until"], _("if nobody raises it")],
            ],
            page=reverse("providers:account", args=[account.slug]),
            providers=[account.kind],
        ),
    )
