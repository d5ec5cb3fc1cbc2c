"""Reads of the Uptime pages: how deployments stand, their reports and windows, and the checks around an outage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db.models import F
from django.shortcuts import get_object_or_404

from lib.dates import HOUR
from lib.time_spans import Span
from providers.models import Check, CheckHour, Deployment, Maintenance, Outage
from providers.models.deployments import DeploymentQuerySet
from providers.uptime.page import DeploymentNow, with_machine
from providers.uptime.report import DeploymentUptime, hour_of, report

AROUND = timedelta(minutes=10)  # before an outage's beginning and after its end
CHECKS_SHOWN = 12  # at the beginning, and as many at the end


def deployments_now(now: datetime) -> list[DeploymentNow]:
    """Every deployment that is switched on, as it stands at `now`."""
    return [with_machine(deployment, now) for deployment in Deployment.objects.enabled().select_related("lease")]


def enabled_deployments(
    *, providers: Sequence[str] = (), models: Sequence[str] = (), slugs: Sequence[str] = ()
) -> DeploymentQuerySet:
    """Those that are switched on; values of one name are alternatives, an empty list is no condition."""
    deployments = Deployment.objects.enabled().select_related("lease")
    for column, values in (("provider", providers), ("model", models), ("slug", slugs)):
        if values:
            deployments = deployments.filter(**{f"{column}__in": values})
    return deployments


def reports_by_slug(ids: Sequence[int], start: datetime, end: datetime) -> dict[str, DeploymentUptime]:
    """Uptime, outages and days of deployments between two moments, end exclusive."""
    return {entry.slug: entry for entry in report(Deployment.objects.filter(pk__in=ids), start, end)}


def latency_by_hour(ids: Sequence[int], start: datetime, end: datetime) -> dict[int, list[float | None]]:
    """Mean milliseconds of the checks that went well, by deployment and hour; None where there was none."""
    first = hour_of(start)
    hours = [first + n * HOUR for n in range((end - first) // HOUR + 1)]
    rows = CheckHour.objects.filter(deployment__in=ids, hour__gte=first, hour__lt=end, checks__gt=F("failed"))
    means = {(row.deployment_id, row.hour): row.latency_sum_ms / (row.checks - row.failed) for row in rows}
    return {pk: [means.get((pk, hour)) for hour in hours] for pk in ids}


def maintenance_windows(ids: Sequence[int], start: datetime, end: datetime) -> dict[int, list[Span]]:
    """Windows that touch the time between two moments, by deployment."""
    return Maintenance.objects.spans(ids, start, end)


def planned_maintenance(now: datetime, ids: Sequence[int] | None = None) -> list[tuple[Maintenance, Span]]:
    """Windows of `now` and later with their deployments, of all or of these; Uptime and Silences list them."""
    return Maintenance.objects.planned(ids, now)


def outage_or_404(pk: int) -> Outage:
    return get_object_or_404(Outage.objects.select_related("deployment__lease__account"), pk=pk)


def checks_around(outage: Outage, now: datetime) -> tuple[Sequence[Check], Sequence[Check]]:
    """Checks at the beginning of an outage and, where those are others, at its end; in order of time."""
    begin = _checks(outage, outage.started_at - AROUND, outage.confirmed_at + AROUND)
    turn = max(_number_before(begin, outage.started_at) - CHECKS_SHOWN // 3, 0)
    first = begin[turn : turn + CHECKS_SHOWN]
    if outage.ended_at is None:
        return first, []
    end = _checks(outage, outage.ended_at - AROUND, min(outage.ended_at + AROUND, now))
    turn = max(_number_before(end, outage.ended_at) - CHECKS_SHOWN // 2, 0)
    shown = {check.at for check in first}
    return first, [check for check in end[turn : turn + CHECKS_SHOWN] if check.at not in shown]


def _number_before(checks: Sequence[Check], moment: datetime) -> int:
    return sum(check.at < moment for check in checks)


def _checks(outage: Outage, start: datetime, end: datetime) -> list[Check]:
    """At most some hundreds: both ends lie within minutes; days name the partitions."""
    days = (start.astimezone(UTC).date(), end.astimezone(UTC).date())
    checks = Check.objects.filter(deployment=outage.deployment_id, day__range=days, at__range=(start, end))
    return list(checks.order_by("at")[:500])
