"""What the Latency page shows and says: groups in two periods beside each other, and figures over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, day_text, duration, percent, when
from lib.periods import Period
from traffic.latency import queries as latency_reports
from traffic.latency.queries import BANDS, By, Failure, Mark, Step, iso_time
from traffic.requests.facets import MOST_SHOWN
from traffic.usage import reports
from traffic.usage.filters import Filters
from traffic.usage.reports import LatencyGroup, UsageGroup

LINES = 6  # groups drawn; a chart has six styles
FAILURES = 12  # of groups and what went wrong in them that are listed
KINDS = 5  # of errors that stand by themselves; the rest is one
NOTICED = 0.1  # a change of a group's p95 that the heading tells
AS_BEFORE = 0.02  # a change of the p95 of all that the first sentence does not tell
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Group:
    """A group now and in the period that it is compared with; `before` is None where it had no request then."""

    key: str | None
    now: LatencyGroup
    requests: int
    before: LatencyGroup | None
    name: str = ""  # for people

    @property
    def error_share(self) -> float | None:
        return self.now.errors / self.requests if self.requests else None

    @property
    def change(self) -> float | None:
        """How much longer its p95 is than before, as a share."""
        return change(self.now.latency.p95_ms, self.before.latency.p95_ms if self.before else None)

    @property
    def first_change(self) -> float | None:
        return change(self.now.ttft.p95_ms, self.before.ttft.p95_ms if self.before else None)


def change(now: float | None, before: float | None) -> float | None:
    return (now - before) / before if now is not None and before else None


@dataclass(frozen=True)
class Page:
    """All figures of a page and its sentences; `total` is None where nothing was asked.

    `filtered`: the reader's filters leave requests out; `no_applications`: a reader of own requests has none.
    """

    period: Period
    against: Period
    by: By
    step: Step
    total: Group | None
    groups: Sequence[Group]
    marks: Sequence[Mark]
    errors: Mapping[str, int]
    overall: dict[str, Any]
    grouped: dict[str, Any]
    first_tokens: dict[str, Any]
    speed: dict[str, Any]
    heat: dict[str, Any]
    failures: list[dict[str, Any]]
    where: Sequence[Failure]  # the most frequent ways to fail of a group
    ways: int  # how many such there are
    filtered: bool = False
    no_applications: bool = False

    @property
    def groups_shown(self) -> Sequence[Group]:
        """As many as a page holds, the largest first."""
        return self.groups[:MOST_SHOWN]

    @property
    def groups_left(self) -> int:
        return len(self.groups) - len(self.groups_shown)

    @property
    def worse(self) -> Group | None:
        """The group with many requests whose p95 grew most, if it grew enough to mention."""
        grown = [group for group in self.groups if (group.change or 0) > NOTICED and group.now.latency.count >= 100]
        return max(grown, key=lambda group: group.change or 0, default=None)

    def headline(self) -> str:
        """How long answers took, against before, and how many failed."""
        if self.no_applications:
            return _("You see requests of your own applications, and you have none yet.")
        if self.total is None:
            if self.filtered:
                return _("No requests match these filters.")
            return _("No requests in this period, so no latency.")
        if self.total.now.latency.p95_ms is None:
            text = ngettext(
                "<b>{all} request</b> without a reported latency.",
                "<b>{all} requests</b> without reported latencies.",
                self.total.requests,
            )
            return format_html(text, all=count(self.total.requests))
        text = _("95 % of answers were complete within <b>{p95}</b>")
        speed = format_html(text, p95=duration(self.total.now.latency.p95_ms))
        return format_html("{}{}. {}.", speed, self._against_before(self.total), self._failed(self.total))

    def _against_before(self, total: Group) -> str:
        if total.before is None or total.change is None:
            return ""
        if total.change > AS_BEFORE:
            return format_html(_(", {share} slower than in the period compared"), share=percent(total.change))
        if total.change < -AS_BEFORE:
            return _(", faster than in the period compared")
        return _(", as in the period compared")

    def _failed(self, total: Group) -> str:
        if not total.now.errors:
            return _("No errors")
        share, kind = percent(total.error_share, 1), next(iter(self.errors), None)
        if kind is None:
            return format_html(_("Failed: <b>{share}</b>"), share=share)
        return format_html(_("Failed: <b>{share}</b>, mostly {kind}"), share=share, kind=kind)

    def groups_heading(self) -> str:
        """Which group has become slowest."""
        if not self.groups:
            return _("Nothing to compare")
        if self.worse is None:
            return _("No group has become clearly slower")
        return _("Largest slowdown: %(name)s, %(share)s longer at the 95th percentile") % {
            "name": self.worse.name or _("Requests of no known group"),
            "share": percent(self.worse.change),
        }

    def periods(self) -> SafeString:
        """The two periods that are compared, by their first and last day."""
        text = _("{since} to {until}, compared with {before_since} to {before_until}")
        ends = {"since": self.period.since, "until": self.period.until - MOMENT}
        before = {"before_since": self.against.since, "before_until": self.against.until - MOMENT}
        return format_html(text, **{name: when(end) for name, end in (ends | before).items()})

    def errors_heading(self) -> str:
        if self.total is None or not self.errors:
            return _("No request failed")
        failed = self.total.now.errors
        return ngettext("%(n)s request failed", "%(n)s requests failed", failed) % {"n": count(failed)}


def page(
    period: Period, against: Period, by: By, filters: Filters, names: Mapping[str, str], *, filtered: bool = False,
    no_applications: bool = False,
) -> Page:  # fmt: skip
    """A fixed number of reads, whatever the period and however many groups there are.

    `names`: of groups by their keys, as people read them; others are called by their key.
    """
    fine: Step = "hour" if (period.until - period.since).days <= 8 else "day"
    coarse: Step = "hour" if (period.until - period.since).days <= 2 else "day"
    total = groups_of(period, against, "", filters)
    groups = [replace(group, name=name_of(group.key, names)) for group in groups_of(period, against, by, filters)]
    marks = latency_reports.marks(period, filters)
    failed = latency_reports.errors(period, by, coarse, filters)
    drawn = {group.key: group.name for group in groups[:LINES]}
    points = latency_reports.points(period, by, coarse, filters)
    lines = {(point.group, point.at): point for point in points}
    speeds = latency_reports.speeds(period, by, coarse, filters)
    over_time = {group.key: group for group in reports.latency(latency_reports.scaled(period, fine), fine, filters)}
    at = [*latency_reports.times(period, coarse)]
    notes = noted(marks)
    first = {key: point.ttft.p95_ms for key, point in lines.items()}
    whole = {key: point.latency.p95_ms for key, point in lines.items()}
    return Page(
        period=period,
        against=against,
        by=by,
        step=fine,
        total=total[0] if total else None,
        groups=groups,
        marks=marks,
        errors={kind: sum(counts.values()) for kind, counts in failed.kinds.items()},
        overall=overall_figure(latency_reports.times(period, fine), over_time, notes),
        grouped=line_figure(_("Whole answer, 95th percentile, by group"), "ms", by, drawn, at, whole, notes),
        first_tokens=line_figure(_("First token, 95th percentile, by group"), "ms", by, drawn, at, first, notes),
        speed=line_figure(_("Output tokens a second, by group"), "count", by, drawn, at, speeds, notes),
        heat=heat_figure(latency_reports.times(period, fine), latency_reports.heat(period, fine, filters), notes),
        failures=error_bars(at, failed.kinds),
        where=[replace(failure, name=name_of(failure.key, names)) for failure in failed.groups[:FAILURES]],
        ways=len(failed.groups),
        filtered=filtered,
        no_applications=no_applications,
    )


def name_of(key: str | None, names: Mapping[str, str]) -> str:
    return names.get(key or "", key or "")


def groups_of(period: Period, against: Period, by: str, filters: Filters) -> list[Group]:
    """Groups of the period, the largest first."""
    before = {group.key: group for group in reports.latency(against, by, filters)}
    usage_by_key: dict[str | None, UsageGroup] = {group.key: group for group in reports.usage(period, by, filters)}
    return [
        Group(
            group.key,
            group,
            usage_by_key[group.key].requests if group.key in usage_by_key else 0,
            before.get(group.key),
        )
        for group in reports.latency(period, by, filters)
    ]


Times = Sequence[datetime | date]


def noted(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """Marks for the charts; those of one moment share a label, which is short."""
    together: dict[datetime, list[Mark]] = {}
    for mark in marks:
        together.setdefault(mark.at, []).append(mark)
    return [{"kind": "event", "x": at, "label": short(these)} for at, these in together.items()]


def short(marks: Sequence[Mark]) -> str:
    prices = sum(mark.kind == "price" for mark in marks)
    names = [mark.name for mark in marks if mark.kind == "deployment"]
    parts = [_("new: %(name)s") % {"name": names[0] if len(names) == 1 else len(names)}] if names else []
    parts += [ngettext("%(n)d price", "%(n)d prices", prices) % {"n": prices}] if prices else []
    return ", ".join(parts)


def overall_figure(at: Times, groups: Mapping[str | None, LatencyGroup], marks: Any) -> dict[str, Any]:
    read: dict[str, Callable[[LatencyGroup], float | None]] = {
        "p50": lambda group: group.latency.p50_ms,
        "p95": lambda group: group.latency.p95_ms,
        "p99": lambda group: group.latency.p99_ms,
        _("first token, p95"): lambda group: group.ttft.p95_ms,
    }
    by_time = [groups.get(iso_time(x)) for x in at]
    series = [
        {"name": name, "style": style,
         "points": [(x, None if group is None else value(group)) for x, group in zip(at, by_time, strict=True)]}
        for style, (name, value) in enumerate(read.items(), 1)
    ]  # fmt: skip
    return chart(_("Latency over time"), "ms", at, series, marks)


def chart(label: str, unit: str, at: Times, series: list[dict[str, Any]], marks: Any) -> dict[str, Any]:
    """Lines for the chart tag: latencies on a logarithmic axis, as one answer of a minute would flatten the rest."""
    ends = {"x_from": at[0], "x_to": at[-1]} if at else {}
    log = unit == "ms"
    return {
        "label": label, "unit": unit, "log": log, "y_from": None if log else 0, "series": series, "marks": marks,
        "tails": False, "height": 300, **ends,
    }  # fmt: skip


Values = Mapping[tuple[str | None, str], float | None]


def line_figure(
    label: str, unit: str, by: By, drawn: Mapping[str | None, str], at: Times, values: Values, marks: Any
) -> dict[str, Any]:
    series = [
        {"name": name or _("not known"), "style": style, "meta": {by: key} if key else None,
         "points": [(x, values.get((key, iso_time(x)))) for x in at]}
        for style, (key, name) in enumerate(drawn.items(), 1)
    ]  # fmt: skip
    return chart(label, unit, at, series, marks)


def heat_figure(at: Times, by_time: Mapping[str, Sequence[int]], marks: Any) -> dict[str, Any]:
    """Share of the requests of each hour or day that fell into a band; times without requests are gaps."""
    names = band_names()
    used = [band for band in range(len(names)) if any(counts[band] for counts in by_time.values())]
    bands = range(used[0], used[-1] + 1) if used else range(0)
    columns = [by_time.get(iso_time(x)) for x in at]
    z = [[None if counts is None else counts[band] / sum(counts) for counts in columns] for band in bands]
    series = [{"name": _("share"), "x": [*at], "y": [names[band] for band in bands], "z": z}]
    label = _("Share of requests by latency over time")
    return {"kind": "heatmap", "unit": "percent", "label": label, "series": series, "marks": marks}


def band_names() -> list[str]:
    words = [f"{end / 1000:g} s" if end >= 1000 else f"{end} ms" for end in BANDS]
    between = [f"{low} – {high}" for low, high in pairwise(words)]
    return [_("to %(end)s") % {"end": words[0]}, *between, _("over %(end)s") % {"end": words[-1]}]


def error_bars(at: Times, kinds: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """A bar for each hour or day, its parts by what went wrong; the rarest kinds are one part."""
    shown = dict(list(kinds.items())[:KINDS])
    if rest := list(kinds.items())[KINDS:]:
        shown[_("other")] = {iso_time(x): sum(counts.get(iso_time(x), 0) for _kind, counts in rest) for x in at}
    return [
        {
            "label": f"{x:%H:%M}" if isinstance(x, datetime) else day_text(x),
            "day": x,
            "parts": [
                {"key": name, "name": name, "amount": counts.get(iso_time(x), 0)} for name, counts in shown.items()
            ],
        }
        for x in at
    ]
