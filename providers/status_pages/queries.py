"""What a status page tells strangers, from rollups alone: no money, no address, nothing that an engine answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from providers.heartbeats.report import beat_now, spans_of, uptime_of
from providers.models import Maintenance, StatusPage
from providers.uptime import page as uptime_page
from providers.uptime.queries import reports_by_slug
from providers.uptime.report import DeploymentUptime

DAYS = 90
OUTAGES_SHOWN = 10
MARKS = {"up": "ok", "down": "bad", "maintenance": "info", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Service:
    """One line: how it is now and was on each day."""

    name: str
    kind: str  # deployment, heartbeat
    state: str  # up, down, starting, maintenance, unknown
    mark: str
    word: str
    uptime: float | None
    cells: Sequence[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Incident:
    """One outage as strangers may know it."""

    name: str
    started_at: datetime
    ended_at: datetime | None
    note: str

    @property
    def lasted(self) -> timedelta | None:
        return self.ended_at - self.started_at if self.ended_at else None


@dataclass(frozen=True, slots=True)
class Planned:
    name: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """A status page's content at one moment."""

    title: str
    intro: str
    at: datetime
    services: Sequence[Service]
    incidents: Sequence[Incident]
    planned: Sequence[Planned]
    axis: Sequence[str]

    def count(self, *states: str) -> int:
        return sum(service.state in states for service in self.services)

    @property
    def state(self) -> str:
        """The worst that is known: down, unknown, maintenance, up."""
        for state, states in (("down", ("down",)), ("unknown", ("unknown", "starting")), ("maintenance", ())):
            if self.count(*(states or (state,))):
                return state
        return "up" if self.services else "unknown"

    @property
    def mark(self) -> str:
        return MARKS[self.state]

    @property
    def word(self) -> str:
        """A few words: a badge's right side."""
        if self.state == "down":
            return _("%(n)d of %(all)d down") % {"n": self.count("down"), "all": len(self.services)}
        return {"up": _("up"), "maintenance": _("maintenance"), "unknown": _("unknown")}[self.state]

    @property
    def sentence(self) -> str:
        n = len(self.services)
        if self.state == "up":
            return ngettext("The one service works.", "All %(n)d services work.", n) % {"n": n}
        if self.state == "down":
            down = self.count("down")
            return ngettext("%(down)d of %(n)d services is down.", "%(down)d of %(n)d services are down.", down) % {
                "down": down,
                "n": n,
            }
        if self.state == "maintenance":
            return _("Nothing is down; %(n)d of %(all)d services are in maintenance.") % {
                "n": self.count("maintenance"),
                "all": n,
            }
        return _("Nothing is known to be down; of %(n)d of %(all)d services the state is not known.") % {
            "n": self.count("unknown", "starting"),
            "all": n,
        }


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


def as_json(page: Summary) -> dict[str, Any]:
    """The same for programs; times are ISO 8601 in UTC, shares 0 to 1, null where nothing is known."""
    return {
        "title": page.title,
        "state": page.state,
        "summary": page.sentence,
        "as_of": page.at.isoformat(),
        "services": [
            {
                "name": service.name,
                "kind": service.kind,
                "state": service.state,
                "uptime_90_days": service.uptime,
                "days": [{"state": cell["state"], "lost": cell.get("lost", 0)} for cell in service.cells],
            }
            for service in page.services
        ],
        "outages": [
            {
                "service": outage.name,
                "started_at": outage.started_at.isoformat(),
                "ended_at": outage.ended_at.isoformat() if outage.ended_at else None,
                "note": outage.note,
            }
            for outage in page.incidents
        ],
        "maintenance": [
            {"service": outage.name, "starts_at": outage.starts_at.isoformat(), "ends_at": outage.ends_at.isoformat()}
            for outage in page.planned
        ],
    }
