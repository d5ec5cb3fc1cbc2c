"""What the page Health shows: the parts of the installation and the feeds of its vendors, each with its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.restarts import Restart, lately
from alerts.delivery.queries import STUCK_AFTER, waiting_since
from alerts.evaluation.queries import evaluated_at, is_late
from alerts.kinds.processes import restarted
from alerts.mail.server import has_mail_server
from dashboard.health.readiness import Readiness
from lib.disk import Disk, disk_of
from lib.formats import ago, count, state
from providers.accounts.freshness import AccountNow, FeedNow, worst_first
from providers.accounts.queries import accounts_now

GATEWAY_S = 1.0
MANY_TASKS = 1_000  # tasks in the queue from which the worker is behind


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the installation. `mark` is ok, warn, bad or unknown; `finding` is a sentence."""

    name: str
    mark: str
    finding: str

    @property
    def state_mark(self) -> str:
        words = {"ok": _("works"), "warn": _("check"), "bad": _("does not work"), "unknown": _("unknown")}
        return state(self.mark, words[self.mark])


@dataclass(frozen=True, slots=True)
class HealthPage:
    parts: Sequence[Part]
    accounts: Sequence[AccountNow]

    def answer(self) -> str:
        """Which parts do not work, need a check or are unknown, and how many feeds are late or fail."""
        texts = {
            "bad": _("%(names)s: does not work."),
            "warn": _("%(names)s: needs a check."),
            "unknown": _("%(names)s: unknown."),
        }
        names = {mark: ", ".join(part.name for part in self.parts if part.mark == mark) for mark in texts}
        marked = [text % {"names": names[mark]} for mark, text in texts.items() if names[mark]]
        late = sum(1 for _account, feed in self.feeds if feed.mark in ("bad", "warn"))
        feeds = ngettext("%(n)s vendor feed is late or fails.", "%(n)s vendor feeds are late or fail.", late)
        return f"{' '.join(marked) or _('Every part works.')} " + (
            feeds % {"n": late} if late else _("All vendor feeds are on time.")
        )

    @property
    def feeds(self) -> list[tuple[AccountNow, FeedNow]]:
        """Each feed with its account, the worst account first."""
        return [(account, feed) for account in self.accounts for feed in account.feeds]


def health_page(now: datetime) -> HealthPage:
    """Asks the database, the queue and the gateway, which takes five seconds at most."""
    with closing(Readiness()) as readiness:
        reasons, tasks = readiness.reasons(), readiness.tasks()
    parts = [
        storing(reasons),
        disk(disk_of(Path(settings.DATA_DIR))),
        queue(tasks),
        rules(evaluated_at(), is_late(now)),
        gateway(),
        processes(lately(settings.DATA_DIR, now)),
        notifications(*waiting_since(now), now=now),
        mail(has_mail_server()),
    ]
    return HealthPage(parts, worst_first(accounts_now(now)))


def storing(reasons: Sequence[str]) -> Part:
    """What `/readyz` answers."""
    finding = " ".join(reasons) or _("Requests are stored.")
    return Part(_("Database"), "bad" if reasons else "ok", finding)


def disk(found: Disk | None) -> Part:
    if found is None:
        return Part(_("Disk"), "unknown", _("The data directory is on another server."))
    text = _("%(free)s of %(total)s are free. Below %(floor)s no more requests are stored.")
    sizes = {name: filesizeformat(getattr(found, name)) for name in ("free", "total", "floor")}
    return Part(_("Disk"), "bad" if found.low else "ok", text % sizes)


def queue(tasks: int | None) -> Part:
    """`tasks` is None where the queue does not answer."""
    if tasks is None:
        return Part(_("Queue"), "bad", _("It does not answer, so polls, rules and notifications wait."))
    text = ngettext("%(n)s task waits.", "%(n)s tasks wait.", tasks) % {"n": count(tasks)}
    return Part(_("Queue"), "warn" if tasks >= MANY_TASKS else "ok", text)


def rules(at: datetime | None, late: bool) -> Part:
    """The rules are run by the worker, on the clock of the scheduler."""
    name = _("Worker and scheduler")
    if at is None:
        return Part(name, "unknown", _("The rules have not run yet."))
    return Part(name, "bad" if late else "ok", format_html(_("Rules last ran {ago}."), ago=ago(at)))


def gateway() -> Part:
    url = settings.GATEWAY_URL
    try:
        status = httpx.get(f"{url}/healthz", timeout=GATEWAY_S).status_code
    except httpx.ConnectError:  # nothing listens there, or its name has no address
        return Part(_("Gateway"), "bad", _("Nothing answers at %(url)s.") % {"url": url})
    except httpx.HTTPError:
        return Part(_("Gateway"), "unknown", _("It cannot be reached from this page at %(url)s.") % {"url": url})
    values = {"url": url, "status": status}
    if status == 200:
        return Part(_("Gateway"), "ok", _("It answers at %(url)s.") % values)
    return Part(_("Gateway"), "bad", _("It answers with status %(status)s at %(url)s.") % values)


def processes(rows: Mapping[str, Sequence[Restart]]) -> Part:
    text = " ".join(restarted(restarts) for restarts in rows.values())
    return Part(_("Processes"), "warn" if rows else "ok", text or _("No restart in the last hour."))


def notifications(number: int, oldest: datetime | None, *, now: datetime) -> Part:
    """`number` of them are due and not sent; `oldest` is when the first of these was due."""
    if not number or oldest is None:
        return Part(_("Notifications"), "ok", _("None waits to be sent."))
    text = ngettext("{n} waits to be sent, since {ago}.", "{n} wait to be sent, the oldest since {ago}.", number)
    mark = "warn" if now - oldest > STUCK_AFTER else "ok"
    return Part(_("Notifications"), mark, format_html(text, n=count(number), ago=ago(oldest)))


def mail(there: bool) -> Part:
    if there:
        return Part(_("Mail server"), "ok", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}")
    return Part(_("Mail server"), "warn", _("None is set up, so alerts reach no mailbox. Set EMAIL_URL."))
