"""What is worth a look in a period, the weightiest first: the few things that a digest names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.known_names import KnownNames
from alerts.digests.periods import Period
from alerts.models import Alert
from alerts.wording import exact, number, percent, span
from costs.allocation.queries import Spend, SpendData
from costs.labels import category_name
from costs.models import Provenance
from costs.models.ledger import IDLE
from lib.dates import midnight
from lib.formats import known_part
from lib.money import ZERO
from providers.models import Deployment, Outage
from traffic.models import UsageDay

USUAL_DAYS = 7  # that a single day is held against
LEAST_MOVE, LEAST_SHARE = Decimal(1), Decimal("0.2")  # USD a period, and of what was usual: less is noise
SHORTEST_MONTH = 28
LEAST_ERRORS, ERROR_SHARE = 10, Decimal("0.02")
MOST_ALERTS = 200  # as many as the page of alerts lists
# Ranks, the lower the earlier; among equals the more money, or requests, the earlier.
CRITICAL, DOUBLED, WARNING, FAILED, MOVED, INFO = range(6)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to look at; `weight` is USD or requests, `path` the page with the evidence, `kind` what it is of."""

    kind: Literal["alert", "spend", "outage", "errors", "idle"]
    rank: int
    weight: Decimal
    title: str
    detail: str
    path: str


def ranked(period: Period, data: SpendData, usual: SpendData, names: KnownNames) -> list[Item]:
    """What a digest lists, the most urgent first. `data` is the period's spend, `usual` that of `usual_period`."""
    items = [*open_alerts(), *moves(period, data, usual, names), *outages(period), *errors(period), *idle(data)]
    return sorted(items, key=lambda item: (item.rank, -item.weight, item.title))


def unnamed(items: list[Item], period: Period) -> list[list[str]]:
    """Count the items that a digest does not name, each kind with the page that lists all of its kind."""
    n = Counter[str](item.kind for item in items)
    rows = {
        "alert": (ngettext("%(n)s more alert", "%(n)s more alerts", n["alert"]), reverse("alerts:list")),
        "spend": (
            ngettext("%(n)s more cost changed", "%(n)s more costs changed", n["spend"]),
            f"{reverse('costs:spend')}?month={period.since:%Y-%m}",
        ),
        "outage": (
            ngettext("%(n)s more deployment was down", "%(n)s more deployments were down", n["outage"]),
            reverse("providers:uptime"),
        ),
        "errors": (
            ngettext("Failures at %(n)s more deployment", "Failures at %(n)s more deployments", n["errors"]),
            f"{reverse('traffic:requests')}?outcome=error",
        ),
        "idle": (_("Idle GPUs"), reverse("providers:leases")),
    }
    return [[text % {"n": n[kind]}, path] for kind, (text, path) in rows.items() if n[kind]]


def usual_period(period: Period) -> Period:
    """What a period is held against: the one before it; a single day, the week before."""
    if period.days > 1:
        return period.before
    return Period(period.since - timedelta(days=USUAL_DAYS), period.since)


def open_alerts() -> Iterator[Item]:
    """What is open now; what somebody has, put off, or a larger alert tells, needs nobody else."""
    ranks = {"critical": CRITICAL, "warning": WARNING, "info": INFO}
    waiting = Alert.objects.waiting(timezone.now()).filter(covered_by="").by_urgency()[:MOST_ALERTS]
    for place, alert in enumerate(waiting):
        rank = ranks[alert.severity]
        yield Item("alert", rank, Decimal(-place), alert.title, alert.words.get("todo", ""), alert.get_absolute_url())


def moves(period: Period, data: SpendData, usual: SpendData, names: KnownNames) -> Iterator[Item]:
    """Applications that cost clearly more or less than before; none where there was nothing before."""
    if not (usual.lines or usual.usage):
        return
    days = Decimal(period.days) / (usual.until - usual.since).days
    spend = data.by("application")
    now, then = amounts(spend), amounts(usual.by("application"))
    unpriced = {group.key or "" for group in spend.groups if group.unpriced}
    # A cost of the whole month is entered on one day, and is no move of that day or week.
    entered = amounts(entered_part(data).by("application")) if period.days < SHORTEST_MONTH else {}
    page = f"{reverse('costs:spend')}?month={period.since:%Y-%m}"
    for name in sorted(now.keys() | then.keys()):
        before = then.get(name, ZERO) * days
        moved = now.get(name, ZERO) - before
        by_itself = max(moved - entered.get(name, ZERO), ZERO) if moved > 0 else moved
        if abs(by_itself) < max(LEAST_MOVE * period.days, before * LEAST_SHARE):
            continue
        values = {
            "name": names.named(name) if name else _("Unallocated"),
            "spent": known_part(exact(now.get(name, ZERO)), name in unpriced),
            "moved": exact(abs(moved)),
            "before": exact(before),
        }
        more = _("%(name)s cost %(spent)s, %(moved)s more than before")
        less = _("%(name)s cost %(spent)s, %(moved)s less than before")
        rank = DOUBLED if moved > before else MOVED
        detail = _("Before: %(before)s for the same number of days.") % values
        yield Item("spend", rank, abs(moved), (more if moved > 0 else less) % values, detail, page)


def entered_part(data: SpendData) -> SpendData:
    return replace(data, lines=[line for line in data.lines if line.provenance == Provenance.ENTERED])


def amounts(spend: Spend) -> dict[str, Decimal]:
    return {group.key or "": group.amount for group in spend.groups}


def outages(period: Period) -> Iterator[Item]:
    """Deployments that were down and are up again; what is down still is an alert."""
    start, end = (midnight(day) for day in (period.since, period.until))
    rows = Outage.objects.filter(started_at__lt=end, ended_at__gt=start).select_related("deployment")
    by_deployment: dict[Deployment, list[Outage]] = {}
    for outage in rows.order_by("deployment__slug", "started_at"):
        by_deployment.setdefault(outage.deployment, []).append(outage)
    for deployment, some in by_deployment.items():
        down = sum((min(o.ended_at, end) - max(o.started_at, start) for o in some if o.ended_at), timedelta(0))
        failed = sum(outage.requests_failed or 0 for outage in some)
        text = ngettext(
            "%(name)s was down for %(span)s, in one outage",
            "%(name)s was down for %(span)s, in %(n)s outages",
            len(some),
        )
        lost = ngettext("%(n)s request failed.", "%(n)s requests failed.", failed)
        detail = lost % {"n": number(failed)} if any(o.counted_at for o in some) else some[-1].cause
        page = f"{reverse('providers:uptime')}?deployment={deployment.slug}"
        title = text % {"name": deployment.name, "span": span(down), "n": len(some)}
        yield Item("outage", FAILED, Decimal(failed), title, detail, page)


def errors(period: Period) -> Iterator[Item]:
    """Deployments whose requests failed more than now and then."""
    rows = UsageDay.objects.filter(day__gte=period.since, day__lt=period.until, deployment_id__isnull=False)
    sums = rows.values("deployment_id").annotate(all=Sum("requests"), bad=Sum("errors"))
    deployments = Deployment.objects.in_bulk()
    for row in sums.filter(bad__gte=LEAST_ERRORS):
        share = Decimal(row["bad"]) / row["all"] if row["all"] else ZERO
        if share < ERROR_SHARE or row["deployment_id"] not in deployments:
            continue
        deployment = deployments[row["deployment_id"]]
        values = {"name": deployment.name, "bad": number(row["bad"]), "all": number(row["all"])}
        title = _("%(share)s of requests to %(name)s failed") % {**values, "share": percent(share)}
        page = f"{reverse('traffic:requests')}?deployment={deployment.slug}&outcome=error"
        yield Item("errors", FAILED, Decimal(row["bad"]), title, _("%(bad)s of %(all)s requests.") % values, page)


def idle(data: SpendData) -> Iterator[Item]:
    """Machines that nobody used, where that is a part that counts."""
    by_category = data.by("category")
    unused = sum((group.amount for group in by_category.groups if group.key == IDLE), ZERO)
    if unused < LEAST_MOVE or unused < by_category.total * LEAST_SHARE:
        return
    values = {"what": category_name(IDLE), "amount": exact(unused), "share": percent(unused / by_category.total)}
    title = _("%(amount)s (%(share)s) went to %(what)s") % values
    detail = _("Stop unused GPUs, or send batch work there.")
    yield Item("idle", MOVED, unused, title, detail, reverse("providers:leases"))
