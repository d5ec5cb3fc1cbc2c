"""Rules about the models that we use: prices that change, models that retire, vendors that refuse to serve more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.kinds.vendors import capped, words_of
from alerts.wording import day, exact, listed, long_day, moment, number, percent
from providers.models import Feed, provider_name
from traffic.usage.models_used import PriceChange, Retiring


def prices(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each model in use whose price changed within the rule's days, or is known to change."""
    changes = {subject_of(change): change for change in context.price_changes(int(params.number("days")))}
    for subject, change in changes.items():
        yield changed(context, subject, change)
    for subject in live - changes.keys():
        title = _("Closed: the price of %(name)s") % {"name": subject.partition("/")[2]}
        yield Finding(subject, title, crossed=False, clear=True, words=Words(page=reverse("traffic:prices")))


def subject_of(change: PriceChange) -> str:
    return f"price:{change.provider}/{change.model}"[:200]


def changed(context: EvaluationContext, subject: str, change: PriceChange) -> Finding:
    monthly = change.monthly
    ahead = change.new.starts_at > context.now
    values = {"name": change.model, "amount": by_month(monthly), "day": day(change.new.starts_at.date())}
    title = (
        _("Price will change: %(name)s, %(amount)s a month from %(day)s")
        if ahead
        else _("Price changed: %(name)s, %(amount)s a month since %(day)s")
    )
    who = str(change.new.entered_by) if change.new.entered_by else change.new.source
    return Finding(
        subject=subject,
        title=title % values,
        crossed=True,
        clear=False,
        value="" if monthly is None else f"{monthly:.2f}",
        severity="warning" if monthly is not None and monthly > 0 else "",
        since=None if ahead else change.new.starts_at,
        labels={"provider": change.provider, "model": change.model},
        words=Words(
            todo=_("Check the plan, and whether a cheaper model is good enough."),
            detail=_("Calculated from the tokens of the last 30 days. Earlier requests keep their price."),
            facts=[
                *([label, f"{rate(old)} → {rate(new)}", _("USD per 1M tokens")] for label, old, new in change.rates),
                [_("Effect"), by_month(monthly), _("a month, at the last 30 days’ use")],
                [_("Source"), who, moment(change.new.seen_at)],
            ],
            drivers=users(context, change),
            driven=_("Applications that use it, last 30 days"),
            page=f"{reverse('traffic:prices')}?{urlencode({'provider': change.provider, 'model': change.model})}",
            providers=[change.provider],
        ),
    )


def users(context: EvaluationContext, change: PriceChange, most: int = 3) -> list[list[str]]:
    """The applications with most requests to the model: name, requests, share."""
    rows = context.requests_by_application(provider=change.provider, model=change.model)
    total = sum(n for _name, n, _unpriced in rows)
    return [[name or _("no application"), number(n), percent(Decimal(n) / total)] for name, n, _u in rows[:most] if n]


def by_month(amount: Decimal | None) -> str:
    return _("by an unknown amount") if amount is None else ("+" if amount >= 0 else "") + exact(amount)


def rate(value: Decimal | None) -> str:
    return _("unknown") if value is None else f"${value.normalize():f}"


def retiring(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each model that retires within the rule's days and was used in the last week."""
    models = {
        f"retiring:{model.provider}/{model.model}"[:200]: model
        for model in context.retiring(int(params.number("days")))
    }
    for subject, model in models.items():
        yield retires(context, subject, model)
    for subject in live - models.keys():
        title = _("No longer used: %(name)s, 0 requests in 7 days") % {"name": subject.partition("/")[2]}
        yield Finding(subject, title, crossed=False, clear=True, value="0")


def retires(context: EvaluationContext, subject: str, model: Retiring) -> Finding:
    left = (model.on - context.today).days
    values = {"name": model.model, "n": str(left), "day": long_day(model.on), "requests": number(model.requests)}
    if left > 0:
        title = ngettext(
            "Retires in %(n)s day: %(name)s, %(volume)s", "Retires in %(n)s days: %(name)s, %(volume)s", left
        )
    else:
        title = _("Retired: %(name)s on %(day)s, %(volume)s")
    usage = ngettext("%(requests)s request in 7 days", "%(requests)s requests in 7 days", model.requests) % values
    return Finding(
        subject=subject,
        title=title % (values | {"volume": usage}),
        crossed=True,
        clear=False,
        value=str(left),
        threshold="0",
        severity="critical" if left <= 7 else "",
        labels={"provider": model.provider, "model": model.model},
        words=Words(
            todo=_("Move these applications to another model before that day. Their requests fail after it.")
            if left > 0
            else _("Move these applications to another model now: their requests fail."),
            detail=(
                _("The vendor retires %(name)s on %(day)s.")
                if left > 0
                else _("The vendor retired %(name)s on %(day)s.")
            )
            % values,
            facts=[
                [_("Model"), model.model, model.provider],
                [_("Retired on"), values["day"], _("the vendor’s list")],
                [_("Applications"), listed([name or _("no application") for name, _n in model.applications]), ""],
            ],
            drivers=[
                [name or _("no application"), number(n), percent(Decimal(n) / model.requests)]
                for name, n in model.applications[:3]
            ],
            driven=_("Applications that still use it, last 7 days"),
            page=f"{reverse('traffic:requests')}?{urlencode({'provider': model.provider, 'model': model.used_as[0]})}",
            providers=[model.provider],
        ),
    )


def caps(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each account whose vendor serves no more because a limit of its own is reached."""
    capped_feeds: dict[str, Feed] = {}
    for feed in context.feeds:
        subject = f"spend-cap:{feed.account.slug}"
        if capped(feed, context.now):
            capped_feeds.setdefault(subject, feed)
    for subject, feed in capped_feeds.items():
        yield is_capped(context, subject, feed)
    for subject in live - capped_feeds.keys():
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
                [_("Account"), account.name, provider_name(account.kind)],
                [
                    _("Refused since"),
                    moment(feed.last_error_at) if feed.last_error_at else _("unknown"),
                    words_of(feed),
                ],
                [_("Until"), values["until"], _("unless it is raised")],
            ],
            page=reverse("providers:account", args=[account.slug]),
            providers=[account.kind],
        ),
    )
