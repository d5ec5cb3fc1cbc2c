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
from lib.formats import ago, count, duration, sentences
from lib.paging import Sorts
from lib.time_spans import Span

MOST_NAMED = 5  # rules in a preview's sentence
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

    def answer(self) -> str:
        if self.late:
            return self._unknown()
        if self.open:
            text = ngettext(
                "One alert needs someone: <b>{title}</b>.",
                "{n} alerts need someone; first of all <b>{title}</b>.",
                len(self.open),
            )
            return format_html(text, n=len(self.open), title=(self.worst or self.open[0]).title)
        if taken := len(self.assigned) + len(self.acknowledged):
            return ngettext(
                "Nothing new needs anyone; someone has the one open alert.",
                "Nothing new needs anyone; someone has each of the %(n)s open alerts.",
                taken,
            ) % {"n": taken}
        if n := len(self.snoozed):
            return ngettext(
                "Nothing needs anyone now; the one open alert is put off.",
                "Nothing needs anyone now; all %(n)s open alerts are put off.",
                n,
            ) % {"n": n}
        return _("Nothing needs anyone now: no rule is broken.")

    def _unknown(self) -> str:
        if self.evaluated_at is None:
            return _("No rule has run yet, so what needs someone now is unknown.")
        text = _("The rules last ran {ago}, so what needs someone now is unknown.")
        return format_html(text, ago=ago(self.evaluated_at))

    def open_headline(self) -> str:
        n = len(self.open)
        if not n:
            return _("None is open without somebody on it")
        return ngettext("One is open and nobody has it", "%(n)s are open and nobody has them", n) % {"n": n}

    def pace_headline(self) -> str:
        if self.pace.to_resolve:
            return _("An alert is over after %(span)s, on average") % {"span": duration(self.pace.to_resolve)}
        return _("No alert has ended in %(days)s days") % {"days": self.days}

    def noise_headline(self) -> str:
        n = len(self.noisy)
        return ngettext("One rule cries wolf", "%(n)s rules cry wolf", n) % {"n": n} if n else _("No rule cries wolf")

    def silences_headline(self) -> str:
        n = len(self.silences)
        if not n:
            return _("No silence is in force")
        return ngettext("One silence is in force", "%(n)s silences are in force", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One alert and the messages about it."""

    alert: Alert
    deliveries: Sequence[Delivery] = ()

    def answer(self) -> str:
        alert = self.alert
        if alert.state == "resolved" and alert.opened_at:
            text = _("{title}; over after <b>{span}</b>.")
        elif alert.state == "resolved":
            text = _("{title}; over before it opened.")
        elif alert.state == "open":
            text = _("{title}; nobody has taken it on yet.")
        elif alert.state == "acknowledged":
            text = _("{title}; somebody has taken it on.")
        else:
            text = _("{title}; it opens if this lasts.")
        return format_html(text, title=alert.title, span=duration(alert.lasted))

    def todo_headline(self) -> str:
        return _("What to do") if self.alert.is_shown else _("What was to do")

    def told_headline(self) -> str:
        n = len(self.deliveries)
        if not n:
            return _("Nobody was told")
        return ngettext("One mail was written", "%(n)s mails were written", n) % {"n": n}


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
            return _("No past alert is like that.")
        if self.filtered:
            return (
                ngettext(
                    "One alert that is over is like that.", "%(n)s alerts that are over are like that.", self.total
                )
                % values
            )
        if not self.total:
            return _("No alert has come and gone here yet.")
        text = (
            ngettext("One alert has come and gone so far.", "%(n)s alerts have come and gone so far.", self.total)
            % values
        )
        if not self.pace.to_resolve:
            return text
        lasted = _("In the last 30 days they lasted <b>{span}</b> on average.")
        return sentences(text, format_html(lasted, span=duration(self.pace.to_resolve)))


@dataclass(frozen=True, slots=True)
class SilencesPage:
    """Silences in force, each with how many open alerts it covers, and planned ones with their next window."""

    in_force: Sequence[tuple[Silence, int]]
    planned: Sequence[tuple[Silence, Span]]

    def answer(self) -> str:
        n, planned = len(self.in_force), len(self.planned)
        text = (
            ngettext("<b>One silence</b> is in force{rest}.", "<b>{n} silences</b> are in force{rest}.", n)
            if n
            else _("No silence is in force: mail goes out about everything that opens{rest}.")
        )
        rest = ngettext("; %(n)s more is planned", "; %(n)s more are planned", planned) % {"n": planned}
        return format_html(text, n=n, rest=rest if planned else "")

    def headline(self) -> str:
        return _("In force now") if self.in_force else _("None is in force")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a silence would cover, before it is made; `problems` say what is missing in its form."""

    alerts: Sequence[Alert] = ()
    rules: Sequence[Rule] = ()
    problems: Sequence[str] = ()

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
        names = [rule.name for rule in self.rules[:MOST_NAMED]]
        if rules > MOST_NAMED:
            names.append(_("and %(n)s more") % {"n": rules - MOST_NAMED})
        text = ngettext(
            "Covers %(alerts)s and %(n)s rule: %(names)s.", "Covers %(alerts)s and %(n)s rules: %(names)s.", rules
        )
        return text % {"alerts": alerts, "n": rules, "names": ", ".join(names)}


def bad_link_answer(why: str) -> str:
    """Why a link of a mail does nothing; `why` is the word of a `BadLink`."""
    if why == "expired":
        return _("This link of a mail is older than seven days and no longer works.")
    if why == "used":
        return _("This link of a mail was used before and works only once.")
    return _("This link is not one that we sent.")


def subscription_answer(address: str, *, out: bool, answered: bool) -> str:
    """Whether an address gets a sort of mail, or the question before anybody answered it."""
    if out:
        text = _("%(address)s gets no more mail of this kind.")
    elif answered:
        text = _("%(address)s gets mail of this kind again.")
    else:
        text = _("Shall %(address)s get no more mail of this kind?")
    return text % {"address": address}
