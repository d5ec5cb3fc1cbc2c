"""Rules about what runs out: the disk, the days that are kept, keys and certificates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import day, listed, long_day, moment, number, percent, span
from providers.models import Deployment
from traffic.models import Key

GB = 1024**3
EXPIRED_NEWS = timedelta(days=7)  # what stopped longer ago is known by now


def disk(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """The disk of the data directory; with the embedded database it is the database's as well."""
    usage = context.disk
    if usage is None:
        return
    limit, band, least = params.number("percent"), params.number("band"), params.number("gb")
    used, free = Decimal(usage.used) * 100 / usage.total, Decimal(usage.free) / GB
    crossed = used >= limit or free < least or usage.free < 2 * usage.floor  # the floor is told of before it is reached
    floor = f"{Decimal(usage.floor) / GB:.1f}"
    values = {"used": percent(used / 100), "free": f"{free:.1f}"}
    title = (
        _("Disk fills up: %(used)s used, %(free)s GB free")
        if crossed
        else _("Disk space recovered: %(used)s used, %(free)s GB free")
    )
    yield Finding(
        subject="disk:data",
        title=title % values,
        crossed=crossed,
        clear=used < limit - band and free >= least * 2 and usage.free >= 3 * usage.floor,
        value=f"{used:.1f}",
        threshold=f"{limit:f}",
        severity="critical" if used >= 95 or free < 1 or usage.low else "",
        words=Words(
            todo=_("Free space, enlarge the disk, or keep requests for fewer days.") if crossed else "",
            detail=_("Below %(floor)s GB free, requests of applications are refused until there is space.")
            % {"floor": floor}
            if crossed
            else "",
            facts=[
                [_("Free"), _("%(n)s GB") % {"n": values["free"]}, str(context.data_dir)],
                [_("Disk"), _("%(n)s GB") % {"n": f"{Decimal(usage.total) / GB:.1f}"}, ""],
                [
                    _("Our database"),
                    _("%(n)s GB") % {"n": f"{Decimal(context.database_bytes) / GB:.1f}"},
                    _("on its own server, if it has one"),
                ],
            ],
            page=reverse("storage"),
        ),
    )


def retention(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """Three subjects: the first days that retention will drop, days that it drops within a week before their bill is
    complete, and days that it should have dropped and did not."""
    retained = context.kept_days(int(params.number("days")))
    values = {"days": number(retained.days), "first": day(retained.first) if retained.first else ""}
    facts = [
        [_("Kept for"), _("%(days)s days") % values, _("from the settings")],
        [_("Oldest day"), long_day(retained.first) if retained.first else _("none"), _("single requests")],
    ]
    page = reverse("costs:reconciliation")
    if retained.overdue:
        yield Finding(
            subject="retention:overdue",
            title=ngettext("Retention late: %(n)s day of requests to delete",
                           "Retention late: %(n)s days of requests to delete", len(retained.overdue))
            % {"n": number(len(retained.overdue))},
            crossed=True, clear=False, value=str(len(retained.overdue)), threshold="0",
            words=Words(
                todo=_("Check that beat and worker run, and the worker's log about retention."),
                detail=_("Days that are too old are deleted once a day. These days were not."),
                facts=[*facts, [_("Late"), listed([day(on) for on in retained.overdue]), ""]], page=reverse("storage"),
            ),
        )  # fmt: skip
    if retained.unbilled:
        names = listed(sorted({provider for _day, provider in retained.unbilled}))
        until = day(max(on for on, _provider in retained.unbilled))
        yield Finding(
            subject="retention:unbilled",
            title=_("Days deleted before their bill: %(names)s, until %(until)s") % {"names": names, "until": until},
            crossed=True, clear=False, value=str(len(retained.unbilled)), threshold="0",
            words=Words(
                todo=_("Repair the poll of the bill, enter the invoice, or keep requests for longer."),
                detail=_("Their requests are deleted within a week, before the vendor’s bill is complete. A "
                         "difference can then no longer be traced to its requests."),
                facts=[
                    *facts, *([day(on), provider, _("bill not complete")] for on, provider in retained.unbilled[:10])
                ],
                page=page,
            ),
        )  # fmt: skip
    if retained.approaching:
        yield Finding(
            subject="retention:first",
            title=ngettext("First requests deleted: those of %(first)s, in %(n)s day",
                           "First requests deleted: those of %(first)s, in %(n)s days", retained.goes_in or 0)
            % (values | {"n": retained.goes_in}),
            crossed=True, clear=False, value=str(retained.goes_in), threshold="0", severity="info",
            words=Words(
                todo=_("If this is not intended, keep more days in the settings before then."),
                detail=_("From then on one day is deleted each day. The totals of spend, usage and latency stay."),
                facts=facts, page=reverse("traffic:requests"),
            ),
        )  # fmt: skip
    there = {"overdue": retained.overdue, "unbilled": retained.unbilled, "first": retained.approaching}
    for subject in live:
        if not there.get(subject.partition(":")[2]):
            yield Finding(subject, _("Retention normal: 0 days at risk"), False, True, value="0")


def keys(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each key of an application that stops soon or just did, and has no successor."""
    expiring = {
        f"key:{key.pk}": key
        for key in context.expiring_keys(EXPIRED_NEWS, timedelta(days=float(params.number("days"))))
    }
    for subject, key in expiring.items():
        yield key_expires(context, subject, key)
    gone = live - expiring.keys()
    for key in context.keys_of(int(subject.partition(":")[2]) for subject in gone):
        title = _("Key no longer used: %(name)s") if key.revoked_at else _("Key valid: %(name)s")
        words = Words(todo=_("No action needed."), page=page_of(key))
        yield Finding(f"key:{key.pk}", title % {"name": str(key)}, crossed=False, clear=True, words=words)


def page_of(key: Key) -> str:
    if key.application is None:
        return reverse("traffic:applications")
    return reverse("traffic:application", args=[key.application.slug])


def key_expires(context: EvaluationContext, subject: str, key: Key) -> Finding:
    assert key.expires_at is not None, "asked for"
    whose = key.application.name if key.application else _("all applications")
    values = {"name": str(key), "whose": whose}
    return Finding(
        subject=subject,
        title=expiry(context.now, key.expires_at, _("Key expires in %(span)s: %(name)s of %(whose)s"),
                     _("Key expired %(span)s ago: %(name)s of %(whose)s")) % values,
        crossed=True,
        clear=False,
        severity=urgency(context.now, key.expires_at),
        labels={"application": key.application.slug} if key.application else {},
        words=Words(
            todo=_("Replace it. The new key works beside the old one for a time that you choose."),
            detail=_("After it expires, requests with it are refused and not logged."),
            facts=[
                [_("Expires"), moment(key.expires_at), ""],
                [_("Last used"), moment(key.last_used_at) if key.last_used_at else _("never"), ""],
                [_("Permissions"), ", ".join(key.scope_words), ""],
            ],
            page=page_of(key),
        ),
    )  # fmt: skip


def expiry(now: datetime, at: datetime, ahead: str, past: str) -> str:
    """The words for a moment that is ahead or past, with the span filled in and the rest left to fill."""
    text, length = (ahead, at - now) if at > now else (past, now - at)
    return text.replace("%(span)s", span(length).replace("%", "%%"))


def urgency(now: datetime, at: datetime) -> str:
    return "critical" if at - now < timedelta(days=2) else ""


def certificates(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each deployment whose TLS certificate, as the last check saw it, ends soon or has."""
    limit = timedelta(days=float(params.number("days")))
    for deployment in context.deployments.values():
        subject, ends = f"certificate:{deployment.slug}", deployment.tls_expires_at
        if deployment.enabled and ends is not None and ends - context.now < limit:
            yield certificate_ends(context, subject, deployment, ends)
        elif subject in live:
            until = long_day(ends) if ends else _("no end")
            title = _("Certificate renewed: %(name)s, until %(until)s") % {"name": deployment.name, "until": until}
            yield Finding(subject, title, crossed=False, clear=True, words=Words(page=uptime_of(deployment)))


def certificate_ends(context: EvaluationContext, subject: str, deployment: Deployment, ends: datetime) -> Finding:
    text = expiry(
        context.now,
        ends,
        _("Certificate expires in %(span)s: %(name)s"),
        _("Certificate expired %(span)s ago: %(name)s"),
    )
    left = int((ends - context.now).total_seconds() // 86_400)
    return Finding(
        subject=subject,
        title=text % {"name": deployment.name},
        crossed=True,
        clear=False,
        value=str(left),
        threshold="0",
        severity=urgency(context.now, ends),
        depends_on=(f"deployment:{deployment.slug}",),
        labels={"provider": deployment.provider, "model": deployment.model, "deployment": deployment.slug},
        words=Words(
            todo=_("Renew it where %(name)s is served, and check why the automatic renewal failed.")
            % {"name": deployment.name},
            detail=_("After that clients refuse the connection and the deployment is down."),
            facts=[[_("Expires"), moment(ends), _("the last check")], [_("Address"), deployment.url, ""]],
            page=uptime_of(deployment),
        ),
    )


LIMITS_LAST = timedelta(minutes=5)  # an older report of a vendor says nothing of now


def rate_limits(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each deployment whose vendor reported a limit that is nearly used up."""
    line, band = params.number("percent"), params.number("band")
    for deployment in context.deployments.values():
        subject, at = f"rate-limit:{deployment.slug}", deployment.vendor_limits_at
        fresh = at is not None and context.now - at <= LIMITS_LAST
        used = {name: percent_used(row) for name, row in deployment.vendor_limits.items()} if fresh else {}
        most = max(used.values(), default=0)
        crossed = bool(used) and most >= line
        if not crossed and subject not in live:
            continue
        text = (
            _("Rate limit: %(name)s, %(percent)s %% used") if crossed else _("Rate limit OK: %(name)s, %(percent)s %%")
        )
        yield Finding(
            subject=subject,
            title=text % {"name": deployment.name, "percent": most},
            crossed=crossed,
            clear=most < line - band,
            value=str(most),
            threshold=f"{line:f}",
            labels={"provider": deployment.provider, "model": deployment.model, "deployment": deployment.slug},
            words=Words(
                todo=_("Ask the vendor for a higher limit, or send calls to another deployment.") if crossed else "",
                detail=_("Above the limit the vendor rejects calls with 429.") if crossed else "",
                facts=[
                    [
                        name.replace("_", " ").capitalize(),
                        f"{row['remaining']:,}",
                        _("left of %(n)s") % {"n": f"{row['limit']:,}"},
                    ]
                    for name, row in deployment.vendor_limits.items()
                ],
                page=uptime_of(deployment),
            ),
        )


def percent_used(row: Mapping[str, int]) -> int:
    """How much of a vendor's limit is used, rounded down."""
    return (row["limit"] - row["remaining"]) * 100 // row["limit"]


def uptime_of(deployment: Deployment) -> str:
    return f"{reverse('providers:uptime')}?deployment={deployment.slug}"
