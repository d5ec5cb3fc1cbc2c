"""What the Uptime page says, from plain rows: who is up now, one cell a day, what broke. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from statistics import median
from types import MappingProxyType
from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from lib.dates import DAY
from lib.formats import ago, count, duration, figure, missing, sentences, when
from lib.time_spans import Span
from providers.models import Deployment, DeploymentState, LeaseState, Outage, provider_name
from providers.uptime.checks import SLACK, UNWATCHED_INTERVALS
from providers.uptime.outage_cost import NO_COST, OutageCost
from providers.uptime.report import DeploymentUptime, OutageSpan, UptimeDay, longest, mean_time_to_repair, share

# A day is slow when its checks took this many times the deployment's usual time, and long enough to be felt.
SLOW_TIMES, SLOW_MS = 3.0, 300.0
# How each state is shown: kind of mark, and where it stands in the list.
ORDER = {"down": 0, "stopped": 1, "starting": 2, "unknown": 3, "maintenance": 4, "up": 5}
MARKS = {"stopped": "warn", "up": "ok", "down": "bad", "starting": "warn", "maintenance": "info", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class DeploymentNow:
    """A deployment at this moment. A state that nobody confirmed lately is `unknown`, whatever was last written."""

    deployment: Deployment
    state: str

    @property
    def provider_name(self) -> str:
        """Who serves it, as Overview names it: the vendor of its machine, or the provider itself."""
        lease = self.deployment.lease
        return provider_name(lease.account.provider if lease else self.deployment.provider)

    @property
    def mark(self) -> str:
        return MARKS[self.state]

    @property
    def word(self) -> str:
        return _("stopped") if self.state == "stopped" else str(DeploymentState(self.state).label)

    def note(self) -> str:
        """Since when it is so, or what it was before nobody knew any more."""
        if self.state != self.deployment.state:
            return _("was %(word)s") % {"word": self.deployment.get_state_display()}
        since = self.deployment.state_since
        return format_html(_("since {since}"), since=when(since)) if since else ""

    def down_notice(self) -> str:
        text = _("{name} went down {since}")
        return format_html(text, name=self.deployment.name, since=ago(self.deployment.state_since))


def now_of(deployment: Deployment, now: datetime) -> DeploymentNow:
    confirmed_for = timedelta(seconds=deployment.check_every_s) * UNWATCHED_INTERVALS + SLACK
    watched = deployment.last_check_at is not None and now - deployment.last_check_at <= confirmed_for
    return DeploymentNow(deployment, str(deployment.state) if watched and deployment.checked else "unknown")


def with_machine(deployment: Deployment, now: datetime) -> DeploymentNow:
    """The same with the state of the machine that it is on, which must be read along: `stopped` once its vendor says
    so, whatever the last check said. One that its checks found down stays down: that may be why."""
    entry, lease = now_of(deployment, now), deployment.lease
    if lease is None or entry.state in ("down", "maintenance"):
        return entry
    off = lease.ended_at is not None or lease.state in (LeaseState.STOPPED, LeaseState.ENDED)
    return DeploymentNow(deployment, "stopped") if off else entry


@dataclass(frozen=True, slots=True)
class UptimeSummary:
    """The figures of the page's sentence."""

    total: int
    by_state: Mapping[str, Sequence[DeploymentNow]]
    slowest: DeploymentNow | None
    last_check_at: datetime | None

    @property
    def up(self) -> int:
        return len(self.by_state.get("up", ()))

    @property
    def down(self) -> Sequence[DeploymentNow]:
        return self.by_state.get("down", ())

    @property
    def unknown(self) -> Sequence[DeploymentNow]:
        return self.by_state.get("unknown", ())

    @property
    def stopped(self) -> bool:
        """Checks were made once, and none of them lately."""
        return self.last_check_at is not None and len(self.unknown) == self.total

    def answer(self) -> str:
        """The Uptime page's sentence."""
        if not self.total:
            return _("No deployments yet, so there is no uptime data.")
        if self.last_check_at is None:
            return ngettext(
                "%(n)s deployment, not checked yet.",
                "%(n)s deployments, none checked yet.",
                self.total,
            ) % {"n": self.total}
        if self.stopped:
            text = _("Uptime is unknown: no check has run since {ago}.")
            return format_html(text, ago=ago(self.last_check_at))
        if self.up == self.total:
            return self._all_up()
        return sentences(self._down(), self._counts())

    def _all_up(self) -> str:
        text = ngettext(
            "{name} is up. Its last check took {ms}.",
            "All {n} deployments are up. Slowest check: {name}, {ms}.",
            self.total,
        )
        slowest = self.slowest.deployment if self.slowest else None
        name, ms = (slowest.name, slowest.last_latency_ms) if slowest else ("", None)
        up = figure(self.total, "deployments-up", self.up)
        return format_html(text, n=up, name=name, ms=duration(ms))

    def _down(self) -> str:
        if not self.down:
            return _("No deployment is down,")
        if len(self.down) > 1:
            return _("%(n)s of %(total)s deployments are down,") % {"n": len(self.down), "total": self.total}
        deployment = self.down[0].deployment
        text = _("<b>{name}</b> has been down since {since},")
        return format_html(text, name=deployment.name, since=when(deployment.state_since))

    def _counts(self) -> str:
        """How many are up, and what the others are."""
        names = ("stopped", "starting", "maintenance")
        off, starting, maintenance = (len(self.by_state.get(state, ())) for state in names)
        unknown = len(self.unknown)
        counts = [
            (self.up, _("%(n)s of %(total)s are up")),
            (off, ngettext("%(n)s is on a stopped GPU", "%(n)s are on stopped GPUs", off)),
            (starting, ngettext("%(n)s is starting", "%(n)s are starting", starting)),
            (maintenance, ngettext("%(n)s is in maintenance", "%(n)s are in maintenance", maintenance)),
            (unknown, ngettext("%(n)s is unknown", "%(n)s are unknown", unknown)),
        ]
        parts = [text % {"n": n, "total": self.total} for place, (n, text) in enumerate(counts) if n or not place]
        return f"{', '.join(parts)}."

    def speed_headline(self) -> str:
        if self.slowest is None:
            return _("No check times")
        values = {"name": self.slowest.deployment.name, "ms": duration(self.slowest.deployment.last_latency_ms)}
        return _("Slowest check: %(name)s, %(ms)s") % values

    def deployments_answer(self, off: int) -> str:
        """The sentence of the deployments' list; `off` are switched off besides."""
        if not self.total:
            if off:
                return _("All deployments are disabled, so no requests can be sent.")
            return _("No deployments yet, so no requests can be sent.")
        if self.down:
            text = ngettext(
                "<b>{up} of {n} deployment</b> is up. <b>{name}</b> is down.",
                "<b>{up} of {n} deployments</b> are up. <b>{name}</b> is down.",
                self.total,
            )
        elif self.up == self.total:
            text = ngettext(
                "The only deployment is up and can receive requests.",
                "All <b>{n} deployments</b> are up and can receive requests.",
                self.total,
            )
        elif off_machines := len(self.by_state.get("stopped", ())):
            text = ngettext(
                "<b>{up} of {n} deployments</b> are up. {off} is on a stopped GPU.",
                "<b>{up} of {n} deployments</b> are up. {off} are on stopped GPUs.",
                off_machines,
            )
            return format_html(text, up=self.up, n=self.total, off=off_machines)
        else:
            text = _("<b>{up} of {n} deployments</b> are up. The others are unknown.")
        name = self.down[0].deployment.name if self.down else ""
        return format_html(text, up=self.up, n=self.total, name=name)


def answer(states: Sequence[DeploymentNow]) -> UptimeSummary:
    by_state: dict[str, list[DeploymentNow]] = {}
    for entry in states:
        by_state.setdefault(entry.state, []).append(entry)
    timed = [entry for entry in by_state.get("up", ()) if entry.deployment.last_latency_ms is not None]
    checks = [entry.deployment.last_check_at for entry in states if entry.deployment.last_check_at is not None]
    return UptimeSummary(
        total=len(states),
        by_state=by_state,
        slowest=max(timed, key=lambda entry: entry.deployment.last_latency_ms or 0.0, default=None),
        last_check_at=max(checks, default=None),
    )


def worst_first(states: Iterable[DeploymentNow]) -> list[DeploymentNow]:
    return sorted(states, key=lambda entry: (ORDER[entry.state], entry.deployment.slug))


# The strip: one cell a day.


def days_of(start: datetime, end: datetime) -> list[date]:
    first, last = start.astimezone(UTC).date(), (end - timedelta(microseconds=1)).astimezone(UTC).date()
    return [first + n * DAY for n in range((last - first).days + 1)]


def cells(
    entry: DeploymentUptime, days: Sequence[date], windows: Sequence[Span], now: datetime
) -> list[dict[str, Any]]:
    """One cell a day, as the strip tag wants them."""
    by_day = {day.day: day for day in entry.days}
    usual = usual_ms(entry.days)
    labels = _labels(tuple(days), get_language())
    return [
        {**_cell(day, label, by_day.get(day), entry.outages, windows, usual, now), "day": day}
        for day, label in zip(days, labels, strict=True)
    ]


@lru_cache(maxsize=32)
def _labels(days: tuple[date, ...], language: str | None) -> list[str]:
    """`9 Jun` of each day; kept, because a page has the same days for every deployment."""
    return [date_format(day, "j M") for day in days]


def usual_ms(days: Iterable[UptimeDay]) -> float | None:
    latencies = [day.latency_ms for day in days if day.latency_ms is not None]
    return median(latencies) if latencies else None


def _cell(
    day: date,
    label: str,
    figures: UptimeDay | None,
    outages: Sequence[OutageSpan],
    windows: Sequence[Span],
    usual: float | None,
    now: datetime,
) -> dict[str, Any]:
    if figures is None or figures.observed_s <= 0:
        planned = any(window.within(_whole(day)).seconds > 0 for window in windows)
        if planned:
            return {"label": label, "state": "maintenance", "cause": _("maintenance")}
        return {"label": label, "state": "unknown", "cause": _("not checked")}
    if figures.down_s > 0:
        whole = _whole(day)
        causes = dict.fromkeys(o.cause for o in outages if o.span(now).within(whole).seconds > 0)
        cause = f"{minutes(figures.down_s)}: {' / '.join(causes)}"
        return {"label": label, "state": "down", "lost": figures.down_s / figures.observed_s, "cause": cause}
    if usual is not None and (figures.latency_ms or 0) > max(SLOW_TIMES * usual, SLOW_MS):
        took = _("checks took %(ms)d ms, usually %(usual)d ms") % {"ms": figures.latency_ms, "usual": usual}
        return {"label": label, "state": "slow", "cause": took}
    return {"label": label, "state": "up"}


def _whole(day: date) -> Span:
    return Span(datetime.combine(day, time(), UTC), datetime.combine(day + DAY, time(), UTC))


def minutes(seconds: float) -> str:
    """An outage's length in a cell's title: at least a minute."""
    n = max(1, round(seconds / 60))
    return ngettext("%(n)d min", "%(n)d min", n) % {"n": n}


def axis(days: Sequence[date]) -> list[str]:
    """Four labels under the strips, the last of them today."""
    return [date_format(days[round(n * (len(days) - 1) / 3)], "j M") for n in range(3)] + [_("today")]


@dataclass(frozen=True, slots=True)
class OutagePage:
    """One outage with what it cost, as it stands after it has lasted so long."""

    outage: Outage
    lasted: timedelta
    cost: OutageCost

    def answer(self) -> str:
        text = (
            _("<b>{name}</b> was down for <b>{lasted}</b> from {start}.")
            if self.outage.ended_at
            else _("<b>{name}</b> has been down for <b>{lasted}</b>, since {start}.")
        )
        name, start = self.outage.deployment.name, when(self.outage.started_at)
        return sentences(format_html(text, name=name, lasted=duration(self.lasted), start=start), self._requests())

    def _requests(self) -> str:
        if self.cost.failed is None:
            return _("Affected requests are not counted yet.")
        return ngettext(
            "%(n)s request failed and %(rerouted)s were rerouted.",
            "%(n)s requests failed and %(rerouted)s were rerouted.",
            self.cost.failed,
        ) % {"n": self.cost.failed, "rerouted": count(self.cost.rerouted)}

    def rent(self) -> str:
        """What its machine cost while it was down."""
        if not self.outage.deployment.lease_id:
            return _("no lease")
        return self.cost.rent()

    def lesson_headline(self) -> str:
        if self.outage.post_mortem:
            return _("Post-mortem")
        return _("No post-mortem yet")


# What broke.


@dataclass(frozen=True, slots=True)
class Broke:
    """One outage of one deployment, for the list."""

    slug: str
    name: str
    outage: OutageSpan
    lasted: timedelta
    cost: OutageCost = NO_COST

    def length(self) -> str:
        if self.outage.ended_at:
            return duration(self.lasted)
        return _("%(so_far)s so far") % {"so_far": duration(self.lasted)}


@dataclass(frozen=True, slots=True)
class Record:
    """The outages of a period of some days, newest first, and what they amount to."""

    days: int
    outages: Sequence[Broke]
    down: timedelta
    longest: Broke | None
    repair: timedelta | None
    between: timedelta | None
    uptime: float | None
    cost: OutageCost = NO_COST

    def time_between(self) -> str:
        """The mean time up between two outages; where it is longer than the period, how many outages there were.

        Several deployments that were watched add up to more time than has passed.
        """
        n, between = len(self.outages), self.between
        if between is None or between <= timedelta(days=self.days):
            return duration(between) if between else missing("dash")
        text = ngettext("%(n)s outage in %(days)s days", "%(n)s outages in %(days)s days", n)
        return text % {"n": n, "days": self.days} + _(", too few for a mean")

    def finding(self) -> str:
        """What broke, in a sentence without its full stop."""
        n = len(self.outages)
        if n and self.longest:
            text = ngettext(
                "{n} outage in {days} days, {lost} down: {name}, {when}",
                "{n} outages in {days} days, {lost} down. Longest: {name}, {when}",
                n,
            )
            began = when(self.longest.outage.started_at)
            lost = duration(self.down)
            return format_html(text, n=n, days=self.days, lost=lost, name=self.longest.name, when=began)
        text = _("No checks in %(days)s days") if self.uptime is None else _("No outages in %(days)s days")
        return text % {"days": self.days}

    def headline(self) -> str:
        if self.outages:
            return _("Outages")
        return ngettext("No outages in %(n)s day", "No outages in %(n)s days", self.days) % {"n": self.days}


def record(
    entries: Sequence[DeploymentUptime],
    start: datetime,
    now: datetime,
    costs: Mapping[int, OutageCost] = MappingProxyType({}),
) -> Record:
    """Over the days from `start` on; entries may reach further back. `costs` by the stored outage's id."""
    broke = [
        Broke(entry.slug, entry.name, outage, outage.lasted(now), _cost(outage, costs))
        for entry in entries
        for outage in entry.outages
        if outage.ended_at is None or outage.ended_at > start
    ]
    broke.sort(key=lambda broken: broken.outage.started_at, reverse=True)
    days = [day for entry in entries for day in entry.days if day.day >= start.astimezone(UTC).date()]
    observed, down = sum(day.observed_s for day in days), sum(day.down_s for day in days)
    worst = longest((broken.outage for broken in broke), now)
    return Record(
        days=(now.astimezone(UTC).date() - start.astimezone(UTC).date()).days + 1,
        outages=broke,
        down=timedelta(seconds=down),
        longest=next((broken for broken in broke if broken.outage is worst), None),
        repair=mean_time_to_repair(broken.outage for broken in broke),
        between=timedelta(seconds=(observed - down) / len(broke)) if broke and observed else None,
        uptime=share(observed, down),
        cost=sum((broken.cost for broken in broke), NO_COST),
    )


def _cost(outage: OutageSpan, costs: Mapping[int, OutageCost]) -> OutageCost:
    return costs.get(outage.row.pk, NO_COST) if outage.row else NO_COST


LIMITS_LAST = timedelta(minutes=15)


def limits_used(deployment: Deployment, now: datetime) -> str:
    """How much of the vendor's rate limits was used at its last answer; empty where it reported none lately."""
    at = deployment.vendor_limits_at
    if at is None or now - at > LIMITS_LAST or not deployment.vendor_limits:
        return ""
    used = max((row["limit"] - row["remaining"]) * 100 // row["limit"] for row in deployment.vendor_limits.values())
    return _("rate limit %(percent)s %% used") % {"percent": used}
