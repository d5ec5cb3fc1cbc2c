"""What status pages say to strangers, and what their own pages say to us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import duration
from providers.models import StatusPage

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

    def length(self) -> str:
        return duration(self.lasted) if self.lasted else _("ongoing")


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
            return ngettext("The service is up.", "All %(n)d services are up.", n) % {"n": n}
        if self.state == "down":
            down = self.count("down")
            return ngettext("%(down)d of %(n)d services is down.", "%(down)d of %(n)d services are down.", down) % {
                "down": down,
                "n": n,
            }
        if self.state == "maintenance":
            return _("No outages. %(n)d of %(all)d services are in maintenance.") % {
                "n": self.count("maintenance"),
                "all": n,
            }
        return _("No known outages. The state of %(n)d of %(all)d services is unknown.") % {
            "n": self.count("unknown", "starting"),
            "all": n,
        }

    def outages_headline(self) -> str:
        return _("Recent outages") if self.incidents else _("No outages in 90 days")


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


@dataclass(frozen=True, slots=True)
class StatusPagesPage:
    """Every status page."""

    pages: Sequence[StatusPage]

    def answer(self) -> str:
        total, shown = len(self.pages), sum(page.open for page in self.pages)
        if not total:
            return _("No status pages yet.")
        if not shown:
            return ngettext(
                "The only status page is a draft.",
                "All %(n)s status pages are drafts.",
                total,
            ) % {"n": total}
        text = ngettext(
            "<b>{n}</b> of {total} status pages is public.",
            "<b>{n}</b> of {total} status pages are public.",
            shown,
        )
        return format_html(text, n=shown, total=total)

    def headline(self) -> str:
        return _("Each shows selected deployments and batch jobs") if self.pages else _("Add your first status page")


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """The settings of one status page; None of one that is being added."""

    page: StatusPage | None

    def title(self) -> str:
        return self.page.title if self.page else _("Add a status page")

    def answer(self) -> str:
        if self.page is None:
            return _("A status page shows selected deployments and batch jobs.")
        text = {
            StatusPage.Access.PUBLIC: _("<b>{title}</b> is public, without a login."),
            StatusPage.Access.UNLISTED: _("<b>{title}</b> is open to people with its secret link."),
        }.get(
            StatusPage.Access(self.page.access),
            _("<b>{title}</b> is a draft. Only signed-in people can open it."),
        )
        return format_html(text, title=self.page.title)
