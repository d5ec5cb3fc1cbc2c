"""What a status page tells strangers, from rollups alone: no money, no address, nothing that an engine answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Q
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from providers.heartbeats.report import beat_now, spans_of, uptime_of
from providers.models import Maintenance, StatusPage
from providers.status_pages.page import Incident, Planned, Service, Summary
from providers.uptime import page as uptime_page
from providers.uptime.queries import reports_by_slug
from providers.uptime.report import DeploymentUptime

DAYS = 90
OUTAGES_SHOWN = 10


def pages_with_counts() -> list[StatusPage]:
    """Every page with how many deployments (`shown`) and heartbeats (`jobs`) it shows. One statement."""
    shown = Count("deployments", filter=Q(deployments__enabled=True), distinct=True)
    jobs = Count("heartbeats", filter=Q(heartbeats__deleted_at=None), distinct=True)
    return list(StatusPage.objects.not_deleted().annotate(shown=shown, jobs=jobs))


def page_or_404(slug: str) -> StatusPage:
    return get_object_or_404(StatusPage.objects.not_deleted(), slug=slug)


def deleted_page_or_404(pk: int) -> StatusPage:
    """Also one that is not deleted: an undo that is pressed twice changes nothing."""
    return get_object_or_404(StatusPage, pk=pk)


def stored(page: StatusPage) -> StatusPage:
    """The row as it is stored: a form that was refused has changed the one that it was given."""
    return StatusPage.objects.get(pk=page.pk)


def public_page(address: str) -> StatusPage | None:
    """The page that strangers reach at an address."""
    return StatusPage.objects.at(address)


def summary(page: StatusPage, now: datetime) -> Summary:
    """Ten statements however many services there are and however often was checked."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - timedelta(days=DAYS - 1)
    days = uptime_page.days_of(start, now)
    deployments = list(page.deployments.filter(enabled=True))
    ids = [row.pk for row in deployments]
    report = reports_by_slug(ids, start, now)
    windows = Maintenance.objects.spans(ids, start, now)
    services, incidents = [], []
    for row in deployments:
        if row.slug in report:
            entry = report[row.slug]
            state = uptime_page.now_of(row, now)
            shown = uptime_page.cells(redacted(entry), days, windows.get(row.pk, ()), now)
            services.append(Service(row.name, "deployment", state.state, state.mark, state.word, entry.uptime, shown))
            incidents += incidents_of(entry)
    heartbeats = list(page.heartbeats.filter(deleted_at=None))
    spans = spans_of(heartbeats, start)
    for heartbeat in heartbeats:
        beat = beat_now(heartbeat, now)
        entry = uptime_of(heartbeat, spans.get(heartbeat.pk, ()), days, now)
        shown = uptime_page.cells(redacted(entry), days, (), now)
        services.append(Service(heartbeat.name, "heartbeat", beat.state, beat.mark, beat.word, entry.uptime, shown))
        incidents += incidents_of(entry)
    incidents.sort(key=lambda incident: incident.started_at, reverse=True)
    return Summary(
        title=page.title,
        intro=page.intro,
        at=now,
        services=services,
        incidents=incidents[:OUTAGES_SHOWN],
        planned=planned(ids, now),
        axis=uptime_page.axis(days),
    )


def redacted(entry: DeploymentUptime) -> DeploymentUptime:
    """The report with each outage's public note in place of its cause, which may name hosts and models."""
    outages = [
        replace(outage, cause=(outage.row.public_note if outage.row else "") or _("outage")) for outage in entry.outages
    ]
    return replace(entry, outages=outages)


def incidents_of(entry: DeploymentUptime) -> list[Incident]:
    return [
        Incident(entry.name, outage.started_at, outage.ended_at, outage.row.public_note if outage.row else "")
        for outage in entry.outages
    ]


def planned(ids: Sequence[int], now: datetime) -> list[Planned]:
    """Windows of now and later, without their reasons, which are internal."""
    rows = Maintenance.objects.planned(ids, now)
    return [Planned(row.deployment.name, span.start, span.end) for row, span in rows]
