"""Rules about our accounts at the vendors: polls, prepaid money, machines that nobody uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import exact, listed, meaning, moment, number, percent, span
from lib.formats import usd4
from providers.accounts.freshness import FEED_WORDS
from providers.leases.queries import Runway, busy_of, hourly_price, hours_between, monthly_cost, runway
from providers.leases.services import StopWay, stop_way
from providers.models import Account, Feed, Lease, LeaseState

# Whatever a feed's own interval: a poll that is a few minutes late is not yet news.
LEAST_OVERDUE = timedelta(minutes=10)


def polls(context: EvaluationContext, params: RuleParams) -> Iterator[Finding]:
    """One subject for each account: a poll of it fails, is overdue, or was given up."""
    for account, feeds in groupby(context.feeds, key=lambda feed: feed.account):
        yield account_polled(context, params, account, list(feeds))


def account_polled(context: EvaluationContext, params: RuleParams, account: Account, feeds: list[Feed]) -> Finding:
    subject = f"account:{account.slug}"
    if not account.enabled and not account.disabled_reason:
        return fine(subject, account, _("Disabled: %(name)s, 0 polls are due"))
    if not account.enabled:
        return refused(context, subject, account, feeds)
    if account.new_identity:
        return fine(subject, account, _("Waiting for a decision: %(name)s, 0 rows are stored"))
    given_up = [feed for feed in feeds if feed.disabled_reason]
    asked_for = [feed for feed in feeds if not feed.disabled_reason]
    bad = [feed for feed in asked_for if failing(feed, params) or overdue(feed, context.now, params)]
    if given_up and not bad:
        return partly_refused(context, subject, account, given_up)
    if not bad:
        failures = sum(feed.failures for feed in feeds)
        calm = fine(subject, account, _("Polls work again: %(name)s, 0 feeds fail"))
        return calm if not failures else Finding(subject, calm.title, crossed=False, clear=False, value=str(failures))
    since = min(failing_since(feed, context.now) for feed in bad)
    lasted = span(context.now - since)
    # Nobody was asked, or somebody was and failed: the one is ours to mend.
    unasked = not any(feed.failures for feed in bad)
    title = (
        _("Poll overdue: %(name)s, due %(span)s ago")
        if unasked
        else _("Poll failing: %(name)s, no success for %(span)s")
    )
    return Finding(
        subject=subject,
        title=title % {"name": account.name, "span": lasted},
        crossed=True,
        clear=False,
        value="" if unasked else str(max(feed.failures for feed in bad)),
        threshold="" if unasked else number(params.number("failures")),
        since=since,
        covered_by=f"spend-cap:{account.slug}" if all(capped(feed, context.now) for feed in bad) else "",
        words=Words(
            todo=_("Check that the worker and beat processes run. No poll was sent.")
            if unasked
            else _("Check the account's last error. If the vendor is down, no action is needed and polls continue."),
            detail=_("Its figures are not updated. Spend and leases may be higher than shown."),
            facts=[[words_of(feed), feed.last_error or _("overdue"), answered(feed)] for feed in bad],
            fixes=[[_("The account %(name)s") % {"name": account.name}, page_of(account)]],
            page=page_of(account),
        ),
    )


def identities(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """Two subjects for each account: its key changed hands, and another account brings the same rows."""
    for account, feeds in groupby(context.feeds, key=lambda feed: feed.account):
        yield changed_hands(account)
        yield brought_twice(account, [feed for feed in feeds if feed.refused])


def changed_hands(account: Account) -> Finding:
    subject = f"account-key:{account.slug}"
    if not account.new_identity or not account.enabled:
        return fine(subject, account, _("Key unchanged: %(name)s, 0 decisions open"))
    return Finding(
        subject=subject,
        title=_("Key of another account: %(name)s, 0 rows are stored") % {"name": account.name},
        crossed=True,
        clear=False,
        value="1",
        threshold="0",
        words=Words(
            todo=_("Choose on the account's page which account to read."),
            detail=_("The vendor reports another organisation or user behind this key than before."),
            facts=[
                [_("Before"), ", ".join(account.identity), ""],
                [_("Now"), ", ".join(account.new_identity), _("reported by the vendor")],
            ],
            fixes=[[_("The account %(name)s") % {"name": account.name}, page_of(account)]],
            page=page_of(account),
        ),
    )


def brought_twice(account: Account, feeds: list[Feed]) -> Finding:
    subject = f"account-twice:{account.slug}"
    if not feeds:
        return fine(subject, account, _("Read once: %(name)s, 0 rows refused"))
    rows = sum(feed.refused["rows"] for feed in feeds)
    other = feeds[0].refused["name"]
    title = ngettext(
        "Charges of %(vendor)s arrived from two accounts: %(name)s, %(n)s row refused",
        "Charges of %(vendor)s arrived from two accounts: %(name)s, %(n)s rows refused",
        rows,
    )
    return Finding(
        subject=subject,
        title=title % {"vendor": account.provider_name, "name": account.name, "n": number(Decimal(rows))},
        crossed=True,
        clear=False,
        value=str(rows),
        threshold="0",
        words=Words(
            todo=_("Remove %(name)s or %(other)s: both read the same account at the vendor.")
            % {"name": account.name, "other": other},
            detail=_(
                "Rows of %(other)s came first and stay. The same rows of %(name)s are refused, so no total changes."
            )
            % {"name": account.name, "other": other},
            facts=[[words_of(feed), str(feed.refused["rows"]), refused_line(feed)] for feed in feeds],
            fixes=[[_("The account %(name)s") % {"name": account.name}, page_of(account)]],
            page=page_of(account),
        ),
    )


def refused_line(feed: Feed) -> str:
    """One of the refused rows, with its two currencies where they differ."""
    line, *currencies = feed.refused["examples"][0]
    text = _("%(line)s: stored in %(stored)s, refused in %(refused)s")
    return text % dict(zip(("line", "stored", "refused"), (line, *currencies), strict=True)) if currencies else line


def words_of(feed: Feed) -> str:
    return capfirst(str(FEED_WORDS.get(feed.kind, feed.kind)))


def page_of(account: Account) -> str:
    return reverse("providers:account", args=[account.slug])


def failing(feed: Feed, params: RuleParams) -> bool:
    return feed.failures >= params.number("failures")


def overdue(feed: Feed, now: datetime, params: RuleParams) -> bool:
    """Not answered for several intervals, by whoever's fault."""
    since = feed.last_success_at or feed.account.created_at
    return now - since > max(timedelta(seconds=feed.every_s) * float(params.number("intervals")), LEAST_OVERDUE)


def failing_since(feed: Feed, now: datetime) -> datetime:
    """When it went wrong: its first failure, or when it was to be asked and nobody did. The last good answer is older
    by up to an interval, in which nothing was wrong."""
    if feed.failures:
        return min(feed.failing_since or feed.last_error_at or now, now)
    return min((feed.last_success_at or feed.account.created_at) + timedelta(seconds=feed.every_s), now)


def capped(feed: Feed, now: datetime) -> bool:
    """The vendor refuses because its spend limit is reached, which is an alert of its own."""
    return feed.capped_until is not None and feed.capped_until > now


def answered(feed: Feed) -> str:
    if feed.last_success_at is None:
        return _("never succeeded")
    return _("last success %(at)s") % {"at": moment(feed.last_success_at)}


def fine(subject: str, account: Account, title: str) -> Finding:
    words = Words(todo=_("No action needed."), page=page_of(account))
    return Finding(subject, title % {"name": account.name}, crossed=False, clear=True, value="0", words=words)


def refused(context: EvaluationContext, subject: str, account: Account, feeds: list[Feed]) -> Finding:
    """We stopped by ourselves: asking again would not help."""
    last = [feed.last_success_at for feed in feeds if feed.last_success_at]
    lasted = span(context.now - (max(last) if last else account.created_at))
    twin = account.unverified.get("name")
    title = _("Key rejected: %(name)s, no figures for %(span)s")
    if twin:
        title = _("Account added twice: %(name)s is %(twin)s, 0 rows are stored")
    return Finding(
        subject=subject,
        title=title % {"name": account.name, "span": lasted, "twin": twin},
        crossed=True,
        clear=False,
        value="1",
        threshold="0",
        severity="critical",
        words=Words(
            todo=_("Change the key of %(twin)s there, and remove %(name)s.") % {"twin": twin, "name": account.name}
            if twin
            else _("Enter a new key for the account under Set up, then test it there."),
            detail=account.disabled_reason,
            facts=[[words_of(feed), feed.last_error or "", answered(feed)] for feed in feeds],
            page=page_of(account),
        ),
    )


def partly_refused(context: EvaluationContext, subject: str, account: Account, feeds: list[Feed]) -> Finding:
    """The key lacks a permission for some feeds: they are asked for no more, the others are read on."""
    what = listed([str(FEED_WORDS.get(feed.kind, feed.kind)) for feed in feeds])
    return Finding(
        subject=subject,
        title=ngettext(
            "Key rejected: %(name)s, no %(what)s, %(n)s feed stopped",
            "Key rejected: %(name)s, no %(what)s, %(n)s feeds stopped",
            len(feeds),
        )
        % {"name": account.name, "what": what, "n": len(feeds)},
        crossed=True,
        clear=False,
        value=str(len(feeds)),
        threshold="0",
        words=Words(
            todo=_("Add the missing permission to the key, then poll the account manually."),
            detail=feeds[0].disabled_reason,
            facts=[[words_of(feed), feed.last_error, answered(feed)] for feed in feeds],
            fixes=[[_("The account %(name)s") % {"name": account.name}, page_of(account)]],
            page=page_of(account),
        ),
    )


def balances(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each prepaid account: how long its money lasts at the present pace."""
    for balance in context.balances:
        lasts = runway(balance, context.rented_per_hour.get(balance.account_id, Decimal(0)), context.now)
        if lasts.per_hour > 0:
            there = [lease for lease in context.leases if lease.account_id == balance.account_id]
            yield balance_lasts(lasts, params.number("days"), params.number("band"), there)


def balance_lasts(lasts: Runway, fewest: Decimal, band: Decimal, there: list[Lease]) -> Finding:
    balance, hourly = lasts.balance, lasts.per_hour
    days = balance.amount / hourly / 24
    values = {"name": balance.account.name, "amount": exact(balance.amount), "days": f"{days:.1f}"}
    crossed = days < fewest
    title = (
        _("Balance low: %(name)s, %(amount)s, %(days)s days")
        if crossed
        else _("Balance: %(name)s, %(amount)s, %(days)s days")
    )
    return Finding(
        subject=f"balance:{balance.account.slug}",
        title=title % values,
        crossed=crossed,
        clear=days >= fewest + band,
        value=f"{days:.2f}",
        threshold=f"{fewest}",
        severity="critical" if days < 1 else "",
        words=Words(
            todo=_("Top up the account. At zero the vendor stops your GPUs.") if crossed else "",
            detail=lasts_until(lasts, days),
            facts=[
                [_("Balance"), exact(balance.amount), moment(balance.at)],
                [_("Spend"), _("%(hourly)s an hour") % {"hourly": exact(hourly)}, source_of(lasts)],
                [_("Lasts"), _("%(days)s days") % {"days": f"{days:.1f}"}, _("at this rate")],
            ],
            drivers=dearest(there),
            driven=_("Leases that use it"),
            page="/providers/",
        ),
    )


def dearest(leases: list[Lease], most: int = 3) -> list[list[str]]:
    """The leases that cost most an hour."""
    order = sorted(leases, key=lambda lease: -lease.price_per_hour)[:most]
    return [[str(lease), _("%(hourly)s an hour") % {"hourly": f"${usd4(lease.price_per_hour)}"}, ""] for lease in order]


def source_of(lasts: Runway) -> str:
    return _("reported by the vendor") if lasts.said_by_vendor else _("leases there")


def lasts_until(lasts: Runway, days: Decimal) -> str:
    """ "Balance lasts until Thursday, 26 Nov 2026, 14:00 UTC at this rate", where it is soon."""
    hourly = exact(lasts.per_hour)
    if lasts.lasts_until is None or not lasts.soon:
        return _("At %(hourly)s an hour the balance lasts %(days)s days.") % {"hourly": hourly, "days": f"{days:.1f}"}
    text = _("Balance lasts until %(until)s at this rate of %(hourly)s an hour.")
    return text % {"until": moment(lasts.lasts_until, weekday=True), "hourly": hourly}


def leases(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each lease that is billed while nobody uses it: stopped, or without a request or a deployment
    for as long as the lease says, or else the rule."""
    hours = timedelta(hours=float(params.number("hours")))
    for lease in context.leases:
        since = context.unused_since(lease)
        longest = timedelta(minutes=lease.idle_minutes) if lease.idle_minutes else hours
        yield lease_used(context, lease, since, longest)


def lease_used(context: EvaluationContext, lease: Lease, since: datetime | None, longest: timedelta) -> Finding:
    subject, name = f"lease:{lease.account.slug}/{lease.external_id}"[:200], str(lease)
    idle = max(context.now - since, timedelta(0)) if since else timedelta(0)
    wasted = lease.price_per_hour * hours_between(context.now - idle, context.now)
    if idle <= longest:
        words = Words(todo=_("No action needed."), page=lease_page(lease))
        return Finding(
            subject,
            _("In use: %(name)s, $0 wasted") % {"name": name},
            False,
            since is None or not idle,
            value="0",
            words=words,
        )
    values = {"name": name, "span": span(idle), "wasted": exact(wasted)}
    stopped = lease.state == LeaseState.STOPPED
    title = (
        _("Stopped but billed: %(name)s, %(wasted)s in %(span)s")
        if stopped
        else _("Idle GPU: %(name)s, %(wasted)s in %(span)s")
    )
    way = stop_way(lease)
    bare = not stopped and not context.served_by(lease)
    fixes = [] if stopped else [[_("Stop %(name)s") % values, reverse("providers:lease-stop", args=[lease.pk])]]
    if bare:
        fixes.append([_("Assign a deployment"), reverse("providers:deployments")])
    return Finding(
        subject=subject,
        title=title % values,
        crossed=True,
        clear=False,
        value=f"{idle.total_seconds() / 3600:.1f}",
        threshold=f"{longest.total_seconds() / 3600:.4g}",
        words=Words(
            todo=_("Stop it, or send it batch or RAG requests.")
            if way and way.call
            else _("End the lease at %(account)s's console.") % {"account": lease.account.name},
            detail=why_paid(stopped, bare) % {"span": span(idle), "hourly": f"${usd4(lease.price_per_hour)}"},
            fixes=fixes,
            facts=[
                [_("Lease"), name, lease.external_id],
                [_("GPU"), f"{lease.gpu_count} × {lease.gpu}", lease.region],
                [
                    _("Price"),
                    _("%(hourly)s an hour") % {"hourly": f"${usd4(lease.price_per_hour)}"},
                    lease.account.name,
                ],
                [_("A month"), exact(monthly_cost(lease)), _("730 hours at this price"), *a_month(lease)],
                [_("Spent idle"), exact(wasted), _("estimated"), *meaning("idle-cost", wasted, scope=str(lease.pk))],
                busy(context, lease),
                *how_to_stop(way),
            ],
            page=lease_page(lease),
        ),
    )


def a_month(lease: Lease) -> list[str]:
    return meaning("lease-month", monthly_cost(lease), hourly_price(lease.price_per_hour), str(lease.pk))


def why_paid(stopped: bool, bare: bool) -> str:
    if stopped:
        return _("It has been stopped for %(span)s and still costs %(hourly)s an hour.")
    if bare:
        return _(
            "It has no deployment, so it served no request for %(span)s at %(hourly)s an hour. If it "
            "serves one, select the lease under Self-hosting, Deployments."
        )
    return _("It has served no request for %(span)s and costs %(hourly)s an hour.")


def busy(context: EvaluationContext, lease: Lease) -> list[str]:
    """As on the lease's page."""
    share, name = busy_of(lease, context.engines_busy.get(lease.pk))
    if share is None:
        return [name, _("not reported"), _("not reported by vendor or engine")]
    return [name, percent(share), "", *meaning("busy", share, scope=str(lease.pk))]


def lease_page(lease: Lease) -> str:
    return reverse("costs:lease", args=[lease.pk])


def how_to_stop(way: StopWay | None) -> list[list[str]]:
    """The exact command and the vendor's console, with what is lost."""
    if way is None:
        return []
    typed = [[_("To stop it"), way.command, way.loses]] if way.call else [[_("To stop it"), way.barred, ""]]
    return [*typed, [_("Manually"), way.stop.console, _("the vendor's console")]]
