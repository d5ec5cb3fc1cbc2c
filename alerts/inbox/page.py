"""What the inbox's pages say: what needs someone now, one alert, what was before, and what nobody is mailed about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.inbox.response_times import Pace
from alerts.models import Alert, AlertState, Delivery, DeliveryState, Rule, Severity, Silence
from alerts.rules.noise import Noise
from alerts.wording import listed
from lib.formats import ago, count, duration, sentences, when
from lib.paging import Sorts
from lib.time_spans import Span

# What lists of alerts can be sorted by. Urgency: the most urgent is the largest.
URGENCY = {Severity.CRITICAL: 2, Severity.WARNING: 1}
SORTS: Sorts = {
    "state": lambda alert: (alert.state == AlertState.OPEN, URGENCY.get(alert.severity, 0)),
    "title": lambda alert: alert.title,
    "since": lambda alert: alert.opened_at,
    "told": lambda alert: sum(delivery.state != DeliveryState.UNSENT for delivery in alert.deliveries.all()),
    "over": lambda alert: alert.resolved_at,
    "lasted": lambda alert: alert.lasted,
    "rule": lambda alert: alert.rule.name,
    "mails": lambda alert: len(alert.deliveries.all()),
}


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Alerts that are not over, by who has them; `late` where nobody runs the rules. `days` is the pace's period."""

    late: bool
    evaluated_at: datetime | None
    pace: Pace
    days: int
    open: Sequence[Alert] = ()  # nobody has them; the worst first
    assigned: Sequence[Alert] = ()
    acknowledged: Sequence[Alert] = ()
    snoozed: Sequence[Alert] = ()
    noisy: Sequence[Noise] = ()
    silences: Sequence[Silence] = field(default=())
    worst: Alert | None = None  # of the open ones, which may be in another order

    def first_table(self) -> str:
        """The name of the first table on the page, whose headings sort all of them; "" without alerts."""
        return next((name for name in ("open", "assigned", "acknowledged", "snoozed") if getattr(self, name)), "")

    def answer(self) -> str:
        if self.late:
            return self._unknown()
        if self.open:
            text = ngettext(
                "1 open, unassigned: <b>{title}</b>.", "{n} open, unassigned. First: <b>{title}</b>.", len(self.open)
            )
            return format_html(text, n=len(self.open), title=(self.worst or self.open[0]).title)
        if taken := len(self.assigned) + len(self.acknowledged):
            return ngettext(
                "No unassigned alerts. The only open alert has an owner.",
                "No unassigned alerts. All %(n)s open alerts have an owner.",
                taken,
            ) % {"n": taken}
        if n := len(self.snoozed):
            return ngettext(
                "No unassigned alerts. The only open alert is snoozed.",
                "No unassigned alerts. All %(n)s open alerts are snoozed.",
                n,
            ) % {"n": n}
        return _("All clear: no open alerts")

    def _unknown(self) -> str:
        if self.evaluated_at is None:
            return _("Unknown: no rule has run yet.")
        text = _("Unknown: the rules last ran {ago}.")
        return format_html(text, ago=ago(self.evaluated_at))

    def open_headline(self) -> str:
        n = len(self.open)
        if not n:
            return _("No unassigned alerts")
        return ngettext("1 open, unassigned", "%(n)s open, unassigned", n) % {"n": n}

    def pace_headline(self) -> str:
        if self.pace.to_resolve:
            return _("Mean time to resolve: %(span)s") % {"span": duration(self.pace.to_resolve)}
        return _("Response times: no alert ended in %(days)s days") % {"days": self.days}

    def noise_headline(self) -> str:
        n = len(self.noisy)
        return ngettext("1 noisy rule", "%(n)s noisy rules", n) % {"n": n} if n else _("No noisy rules")

    def silences_headline(self) -> str:
        n = len(self.silences)
        if not n:
            return _("No active silences")
        return ngettext("1 active silence", "%(n)s active silences", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One alert and the messages about it."""

    alert: Alert
    deliveries: Sequence[Delivery] = ()

    def answer(self) -> str:
        alert = self.alert
        if alert.state == "resolved" and alert.opened_at:
            text = _("Resolved after <b>{span}</b>.")
        elif alert.state == "resolved":
            text = _("Ended before it opened.")
        elif alert.state == "open":
            text = _("Unassigned, opened {ago}.")
        elif alert.state == "acknowledged":
            text = _("Acknowledged, opened {ago}.")
        else:
            text = _("Pending: it opens if the limit stays exceeded.")
        return format_html(text, span=duration(alert.lasted), ago=ago(alert.opened_at))

    def todo_headline(self) -> str:
        return _("What to do") if self.alert.is_shown else _("What to do then")

    def told_headline(self) -> str:
        n = len(self.deliveries)
        if not n:
            return _("No notifications")
        return ngettext("Notifications (1)", "Notifications (%(n)s)", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Alerts that are over: how many the address asks for, and how long alerts of the last 30 days lasted."""

    total: int
    filtered: bool
    pace: Pace
    sorted_among: int = 0  # how many of them the order is made of; 0 in the order of time

    def order_note(self) -> str:
        """In what order they stand, and among which of them that holds."""
        if not self.sorted_among:
            return _("newest first")
        if self.sorted_among >= self.total:
            return ""
        return _("sorted among the newest %(n)s") % {"n": count(self.sorted_among)}

    def answer(self) -> str:
        values = {"n": self.total}
        if self.filtered and not self.total:
            return _("No past alert matches.")
        if self.filtered:
            return ngettext("1 past alert matches.", "%(n)s past alerts match.", self.total) % values
        if not self.total:
            return _("No past alerts yet.")
        text = ngettext("1 past alert.", "%(n)s past alerts.", self.total) % values
        if not self.pace.to_resolve:
            return text
        lasted = _("Mean time to resolve in the last 30 days: <b>{span}</b>.")
        return sentences(text, format_html(lasted, span=duration(self.pace.to_resolve)))


@dataclass(frozen=True, slots=True)
class SilencesPage:
    """Silences in force, each with how many open alerts it covers, and planned ones with their next window."""

    in_force: Sequence[tuple[Silence, int]]
    planned: Sequence[tuple[Silence, Span]]

    def answer(self) -> str:
        n, planned = len(self.in_force), len(self.planned)
        text = (
            ngettext("<b>1 active silence</b>{rest}.", "<b>{n} active silences</b>{rest}.", n)
            if n
            else _("No active silences{rest}. All new alerts are notified.")
        )
        rest = ngettext(", %(n)s planned", ", %(n)s planned", planned) % {"n": planned}
        muted = sum(alerts for _silence, alerts in self.in_force)
        covers = ngettext("%(n)s open alert is muted.", "%(n)s open alerts are muted.", muted) % {"n": muted}
        sentence = format_html(text, n=n, rest=rest if planned else "")
        return sentences(sentence, covers) if n else sentence

    def headline(self) -> str:
        return _("Active silences") if self.in_force else _("No active silences")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a silence would cover and when it `ends`, before it is made; `problems` say what is missing in its form."""

    alerts: Sequence[Alert] = ()
    rules: Sequence[Rule] = ()
    problems: Sequence[str] = ()
    ends: datetime | None = None

    def end(self) -> str:
        """`Ends 3 Dec, 08:30.`; nothing while something is missing."""
        if self.problems or self.ends is None:
            return ""
        return format_html(_("Ends {when}."), when=when(self.ends))

    def sentence(self) -> str:
        """`Covers 3 open alerts and 2 rules: High latency, Outage.`"""
        if self.problems:
            return " ".join(self.problems)
        n, rules = len(self.alerts), len(self.rules)
        if not n and not rules:
            return _("Covers no open alert and no rule that has fired in the last 90 days. Check what you filled in.")
        alerts = ngettext("%(n)s open alert", "%(n)s open alerts", n) % {"n": n}
        if not rules:
            return _("Covers %(alerts)s.") % {"alerts": alerts}
        names = listed([rule.name for rule in self.rules])
        text = ngettext(
            "Covers %(alerts)s and %(n)s rule: %(names)s.", "Covers %(alerts)s and %(n)s rules: %(names)s.", rules
        )
        return text % {"alerts": alerts, "n": rules, "names": names}


def bad_link_answer(why: str) -> str:
    """Why a link of a mail does nothing; `why` is the word of a `BadLink`."""
    if why == "expired":
        return _("This link is older than seven days and has expired.")
    if why == "used":
        return _("This link was already used. It works only once.")
    return _("This link is not valid.")


def subscription_answer(address: str, *, out: bool, answered: bool) -> str:
    """Whether an address gets a sort of mail, or the question before anybody answered it."""
    if out:
        text = _("%(address)s no longer receives these mails.")
    elif answered:
        text = _("%(address)s receives these mails again.")
    else:
        text = _("Stop sending these mails to %(address)s?")
    return text % {"address": address}
