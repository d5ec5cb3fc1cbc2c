"""What the page of a deployment shows of its engine: one chart for each thing that it tells, gaps left open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.formats import ago, percent, sentences, state, when
from providers.engine_metrics.series import Point, series, start_of
from providers.engines import ENGINES, engine_of
from providers.engines.growth import quantile
from providers.models import Deployment, EngineBucket, EngineReading, Resolution

RESTARTS_MARKED = 5
FINE_POINTS = 150  # so many buckets are drawn one by one
WHOLE = 0.99  # so much of the time read is all of it
STALE_CHECKS = 3  # intervals without a scrape, after which the latest is old

Value = float | None


@dataclass(frozen=True, slots=True)
class Range:
    """How far back, from which buckets, and how many of them make one point."""

    label: str | Promise
    resolution: Resolution
    length: timedelta
    step: timedelta


RANGES = {
    "24h": Range(gettext_lazy("24 hours"), Resolution.MINUTE, timedelta(hours=24), timedelta(minutes=5)),
    "30d": Range(gettext_lazy("30 days"), Resolution.HOUR, timedelta(days=30), timedelta(hours=3)),
    "1y": Range(gettext_lazy("1 year"), Resolution.DAY, timedelta(days=365), timedelta(days=1)),
}
DEFAULT = "24h"


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart with the sentence that says it in words."""

    title: str
    words: str
    unit: str
    lines: Sequence[Mapping[str, Any]]
    y_to: float | None = None

    @property
    def flat(self) -> bool:
        """Nothing but zeros, which the words say already."""
        return not any(value for line in self.lines for _at, value in line["points"])


@dataclass(frozen=True, slots=True)
class EngineNow:
    """The engine's part of a deployment's page. `silent` names what this engine does not tell."""

    label: str
    range_label: str
    scrapes: bool
    reading: EngineReading | None
    old: bool
    charts: Sequence[Chart]
    silent: Sequence[str]
    watched: float  # share of the range's steps with a scrape in it, from the first scrape on
    restarts: int
    marks: Sequence[Mapping[str, Any]]
    first: datetime
    end: datetime
    begins: datetime | None  # the first scrape, where it lies inside the range

    def headline(self) -> str:
        values = {"name": self.label, "range": self.range_label}
        if self.charts:
            return _("%(name)s metrics, last %(range)s") % values
        if self.scrapes:
            return _("No %(name)s metrics in the last %(range)s") % values
        return _("%(name)s reports no metrics") % values

    def note(self) -> str:
        """Where the lines begin, how often they are broken, and restarts."""
        begins = watched = restarts = ""
        if self.begins:
            text = _("First read at {at}.")
            begins = format_html(text, at=when(self.begins))
        if self.watched < WHOLE:
            text = _("Read in %(share)s of the time since the first reading. Gaps show missing readings.")
            watched = text % {"share": percent(self.watched)}
        if self.restarts:
            restarts = ngettext(
                "1 restart. Earlier counts are included.",
                "%(n)s restarts. Earlier counts are included.",
                self.restarts,
            ) % {"n": self.restarts}
        return sentences(begins, watched, restarts)

    def why_empty(self) -> str:
        """Why there is no chart."""
        if not self.scrapes:
            readable = [engine.label for kind in ENGINES if (engine := engine_of(kind)).has_metrics]
            text = _("%(engines)s and %(last)s report metrics. For this engine only checks and requests are available.")
            return text % {"engines": ", ".join(readable[:-1]), "last": readable[-1]}
        if self.reading and self.reading.cause:
            return self.reading.cause
        if self.reading:
            return _("No readings in this period. Choose a longer one.")
        return _("The next successful check reads them.")

    def counters_mark(self) -> str:
        """The mark before `counters`; empty where they are read as they should be, or never."""
        if not self.scrapes or self.reading is None:
            return ""
        if self.reading.cause:
            return state("warn", _("not reported"))
        return state("unknown", _("old")) if self.old else ""

    def counters(self) -> str:
        """How the engine's counters were read last, in a cell."""
        if not self.scrapes:
            return _("not available for this engine")
        if self.reading is None:
            return _("not read yet")
        return self.reading.cause or ago(self.reading.at)


def engine_now(deployment: Deployment, name: str, now: datetime) -> EngineNow:
    """Raises KeyError for a range that there is not."""
    chosen = RANGES[name]
    shown = shown_of(deployment, chosen, now)
    points = shown.points
    every_chart = charts_of(shown.first, now, shown.step, points)
    drawn = [replace(chart, lines=told_lines) for chart in every_chart if (told_lines := known_of(chart.lines))]
    reading = EngineReading.objects.filter(deployment=deployment).first()
    every = timedelta(seconds=deployment.check_every_s)
    restarted = [point for point in points if point.restarts]
    titles_drawn = {chart.title for chart in drawn}
    return EngineNow(
        label=deployment.engine_label,
        range_label=str(chosen.label),
        scrapes=deployment.engine in ENGINES and engine_of(deployment.engine).has_metrics,
        reading=reading,
        old=reading is not None and now - reading.tried_at > every * STALE_CHECKS,
        charts=drawn,
        silent=[title for title in titles() if title not in titles_drawn] if drawn else [],
        watched=watched(points, shown.step, now),
        restarts=sum(point.restarts for point in restarted),
        marks=[{"x": point.start, "kind": "event", "label": _("restart")} for point in restarted[-RESTARTS_MARKED:]],
        first=shown.first,
        end=now,
        begins=shown.first if shown.young else None,
    )


@dataclass(frozen=True, slots=True)
class RangePoints:
    """The points of a range from `first` on; `young` where the engine was first read inside the range."""

    first: datetime
    step: timedelta
    points: Sequence[Point]
    young: bool


def shown_of(deployment: Deployment, chosen: Range, now: datetime) -> RangePoints:
    """A short history fills the chart and is drawn bucket by bucket; steps without a scrape are missing."""
    whole = start_of(now - chosen.length, int(chosen.step.total_seconds())) + chosen.step
    buckets = EngineBucket.objects.filter(deployment=deployment)
    inside = buckets.filter(resolution=chosen.resolution, start__gte=whole).order_by("start")
    oldest = inside.values_list("start", flat=True).first() or whole
    before = Q(resolution=Resolution.HOUR, start__lt=start_of(oldest, Resolution.HOUR))
    before |= Q(resolution=Resolution.DAY, start__lt=start_of(oldest, Resolution.DAY))
    young = oldest > whole and not buckets.filter(before).exists()
    fine = timedelta(seconds=chosen.resolution)
    begins = oldest if young else whole
    step = fine if now - begins <= FINE_POINTS * fine else chosen.step
    first = start_of(begins, int(step.total_seconds()))
    return RangePoints(first, step, series(deployment.pk, chosen.resolution, first, now, step), young)


def watched(points: Sequence[Point], step: timedelta, now: datetime) -> float:
    """Share 0..1 of the steps since the first scrape in which there was one."""
    return len(points) / ((now - points[0].start) // step + 1) if points else 0.0


def known_of(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those lines of a chart of which the engine tells anything."""
    return [line for line in lines if any(value is not None for _at, value in line["points"])]


def titles() -> list[str]:
    return [_("Concurrent requests"), _("KV cache"), _("Tokens a second"), _("Time to first token"), _("Preemptions")]


def charts_of(first: datetime, end: datetime, step: timedelta, points: Sequence[Point]) -> list[Chart]:
    """Every chart, those of what the engine does not tell included: these have no known value."""
    by_start = {point.start: point for point in points}
    steps = [first + n * step for n in range((end - first) // step + 1)]

    def line(name: str, value: Any, style: int) -> dict[str, Any]:
        points_of_line = [(at, value(by_start[at]) if at in by_start else None) for at in steps]
        return {"name": name, "style": style, "points": points_of_line}

    requests, cache, tokens, ttft, preemptions = titles()
    return [
        Chart(
            requests,
            requests_words(points),
            "count",
            [
                line(_("running, mean"), lambda p: gauge(p, "running", 1), 1),
                line(_("running, peak"), lambda p: gauge(p, "running", 2), 2),
                line(_("waiting, mean"), lambda p: gauge(p, "waiting", 1), 3),
            ],
        ),
        Chart(
            tokens,
            tokens_words(points),
            "count",
            [
                line(_("answers"), lambda p: p.rate("output_tokens"), 1),
                line(_("prompts"), lambda p: p.rate("prompt_tokens"), 2),
            ],
        ),
        Chart(
            ttft,
            ttft_words(points),
            "ms",
            [
                line(_("p50"), lambda p: ms(quantile(p.ttft, 0.5)), 1),
                line(_("p95"), lambda p: ms(quantile(p.ttft, 0.95)), 2),
            ],
        ),
        Chart(
            cache,
            cache_words(points),
            "percent",
            [
                line(_("mean"), lambda p: gauge(p, "kv_cache", 1), 1),
                line(_("peak"), lambda p: gauge(p, "kv_cache", 2), 2),
            ],
            y_to=1.0,
        ),
        Chart(
            preemptions,
            preemption_words(points),
            "count",
            [line(_("preemptions"), lambda p: p.counts["preemptions"], 1)],
        ),
    ]


def gauge(point: Point, name: str, part: int) -> Value:
    triple = point.gauges[name]
    return triple[part] if triple else None


def ms(seconds: Value) -> Value:
    return None if seconds is None else seconds * 1000


# In words.


def mean_of(points: Iterable[Point], name: str) -> Value:
    """Of all scrapes, not of the points: these hold more or fewer of them."""
    weighted = [(point.gauges[name], point.samples) for point in points]
    total = sum(samples for value, samples in weighted if value)
    return sum(value[1] * samples for value, samples in weighted if value) / total if total else None


def most_of(points: Iterable[Point], name: str) -> Value:
    return max((value[2] for point in points if (value := point.gauges[name])), default=None)


def rate_of(points: Iterable[Point], name: str) -> Value:
    counted = [(grown, point.counted_s) for point in points if (grown := point.counts[name]) is not None]
    seconds = sum(counted_s for _grown, counted_s in counted)
    return sum(grown for grown, _s in counted) / seconds if seconds else None


def requests_words(points: Sequence[Point]) -> str:
    mean, most, waiting = mean_of(points, "running"), most_of(points, "running"), most_of(points, "waiting")
    if mean is None or most is None:
        return ""
    facts = {"mean": short(mean), "most": short(most), "waiting": short(waiting or 0)}
    if waiting:
        return _("Mean %(mean)s, peak %(most)s, up to %(waiting)s waiting.") % facts
    return _("Mean %(mean)s, peak %(most)s, none waiting.") % facts


def tokens_words(points: Sequence[Point]) -> str:
    mean = rate_of(points, "output_tokens")
    if mean is None:
        return ""
    most = max(rate for point in points if (rate := point.rate("output_tokens")) is not None)
    cached, prompt = rate_of(points, "cached_tokens"), rate_of(points, "prompt_tokens")
    facts = {"mean": short(mean), "most": short(most), "cached": f"{(cached or 0) / (prompt or 1):.0%}"}
    if cached:
        sentence = _("Answers: mean %(mean)s, peak %(most)s. %(cached)s of prompt tokens from the cache.")
        return sentence % facts
    return _("Answers: mean %(mean)s, peak %(most)s.") % facts


def ttft_words(points: Sequence[Point]) -> str:
    counts: dict[float, float] = {}
    for point in points:
        for bound, n in point.ttft.items():
            counts[bound] = counts.get(bound, 0.0) + n
    half, most = quantile(counts, 0.5), quantile(counts, 0.95)
    if half is None or most is None:
        return ""
    facts = {"half": f"{half:.2f}", "most": f"{most:.2f}", "n": short(sum(counts.values()))}
    return _("p50 %(half)s s, p95 %(most)s s, %(n)s answers (engine histogram).") % facts


def cache_words(points: Sequence[Point]) -> str:
    mean, most = mean_of(points, "kv_cache"), most_of(points, "kv_cache")
    if mean is None or most is None:
        return ""
    return _("Mean %(mean)s full, peak %(most)s.") % {"mean": f"{mean:.0%}", "most": f"{most:.0%}"}


def preemption_words(points: Sequence[Point]) -> str:
    counts = [n for point in points if (n := point.counts["preemptions"]) is not None]
    if not any(counts):
        return _("No preemptions.")
    return _("%(n)s preemptions.") % {"n": short(sum(counts))}


def short(value: float) -> str:
    """A number with three significant figures."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
