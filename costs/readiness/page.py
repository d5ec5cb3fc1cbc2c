"""What the Decide page and a signed decision say, from a report and a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.breakeven import page as breakeven_page
from costs.models import Decision, Justification
from costs.readiness.criteria import percent_short_of, share_span, task_state
from costs.readiness.evidence import OpsWorkload, TaskQuality, Thresholds
from costs.readiness.inputs import Report
from costs.readiness.scorecard import Scorecard, go
from costs.verdicts.amounts import marked_crossing, marked_saving
from costs.verdicts.verdict import MARKS, State, Verdict
from lib.confidence_intervals import Interval, points_apart, wilson
from lib.formats import count, dollars, duration, figure, missing, percent, sentences, signed_usd, when
from providers.uptime import page as uptime_page
from traffic.models import Task

STRIP_DAYS = 30
WORKLOAD_LABELS = {
    "incidents": gettext_lazy("Incidents"),
    "hours": gettext_lazy("Hours of work"),
    "pages": gettext_lazy("Calls"),
}


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task's ratings of our own answers against what is asked."""

    task: str
    label: str
    requests: int
    ratings: int
    share: Decimal | None
    interval: Interval | None
    state: State

    @property
    def enough(self) -> bool:
        return self.state != State.NOT_ENOUGH

    @property
    def passes(self) -> bool:
        return self.state == State.MET

    @property
    def mark(self) -> str:
        return MARKS[self.state]

    def word(self) -> str:
        return {
            State.MET: _("passes"),
            State.NOT_MET: _("fails"),
            State.TOO_CLOSE: _("too close to call"),
            State.NOT_ENOUGH: _("too few ratings"),
        }[self.state]


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """One burden of operations against what was agreed."""

    name: str
    value: Decimal | int
    most: Decimal | int | None
    over: bool

    @property
    def label(self) -> str:
        return str(WORKLOAD_LABELS[self.name])

    def source(self) -> SafeString:
        """Where the figure comes from."""
        link = '<a href="{}">{}</a>'
        if self.name == "incidents":
            return format_html(link, reverse("providers:uptime") + "#outages", _("outages, as checks confirmed them"))
        if self.name == "pages":
            return format_html(link, reverse("alerts:list"), _("delivered alerts about self-hosted deployments"))
        return format_html("{}", _("as people entered them"))

    @property
    def mark(self) -> str:
        return "unknown" if self.most is None else "bad" if self.over else "ok"

    def word(self) -> str:
        if self.most is None:
            return _("not limited")
        return _("no") if self.over else _("yes")


def workload_rows(burden: OpsWorkload) -> list[WorkloadRow]:
    return [WorkloadRow(name, value, most, name in burden.over) for name, value, most in burden.rows]


class DecidePage:
    """The verdict with its evidence, as the page shows it."""

    def __init__(self, report: Report, card: Scorecard, now: datetime) -> None:
        self.report, self.card, self.now = report, card, now

    def answer(self) -> SafeString:
        changes = self.card.changes if not self.card.objections else ()
        return sentences(self.card.sentence, *changes[:1])

    @property
    def verdict(self) -> Verdict:
        """Whether to self-host, as on the Overview."""
        return go(self.card)

    @property
    def criteria(self) -> dict[str, Verdict]:
        """Each criterion by its question."""
        return {row.question: row for row in self.card.criteria}

    @property
    def objections(self) -> list[tuple[str, str]]:
        """What forbids it, and why."""
        titles = {
            "quality-gap": _("Quality too low"),
            "complexity": _("Manual veto"),
            "operations": _("Too much operations work"),
            "volume": _("Not cheaper at this volume"),
        }
        return [(titles[row.slug], row.sentence) for row in self.card.objections]

    def quality_span(self) -> str:
        """Which share of all requests is of tasks with acceptable answers; empty where that is not known."""
        interval = self.criteria["quality"].interval
        return share_span(interval) if interval else ""

    def pays_from(self) -> SafeString:
        """The crossing with its interval, requests a month."""
        evidence = self.report.evidence
        return figure(evidence.pays_from() or missing("dash"), "crossing", evidence.crossing)

    def saves_from(self) -> str:
        """The volume that brings the required saving, with its interval."""
        return self.report.evidence.saves_from() or missing("dash")

    def gap_words(self) -> str:
        """How our answers are rated against the API's on the same tasks."""
        gap = self.report.evidence.quality_gap
        return points_apart(gap) if gap else _("not known")

    def change_headline(self) -> str:
        return _("No blockers") if self.card.verdict == "go" else _("What would change the verdict")

    def people_headline(self) -> str:
        return _("Manual veto") if self.report.no_go else _("Veto and exceptions")

    def workload_headline(self) -> str:
        if self.card.ops_workload.over:
            return _("Operations exceed the limits")
        if self.card.ops_workload.limited:
            return _("Operations stay within the limits")
        return _("Operations workload")

    @property
    def workload(self) -> list[WorkloadRow]:
        return workload_rows(self.card.ops_workload)

    @cached_property
    def tasks(self) -> list[TaskRow]:
        return task_rows(self.report)

    @property
    def rated(self) -> list[dict[str, Any]]:
        """Rows of the interval chart."""
        return [_as_interval(row) for row in self.tasks if row.ratings]

    @property
    def passed(self) -> int:
        return sum(row.passes for row in self.tasks)

    @property
    def rated_enough(self) -> int:
        return sum(row.enough for row in self.tasks)

    @cached_property
    def drawn(self) -> dict[str, Any]:
        return breakeven_page.drawn(self.report.inputs, self.report.result)

    @property
    def switches(self) -> list[dict[str, Any]]:
        choices, standing = Justification.Kind.choices, self.report.switches
        return [{"kind": kind, "label": label, "on": standing.get(kind)} for kind, label in choices]

    @cached_property
    def strips(self) -> list[dict[str, Any]]:
        """Our own deployments' days, one cell each."""
        since = self.now.astimezone(UTC) - timedelta(days=STRIP_DAYS - 1)
        days: Sequence[date] = uptime_page.days_of(since, self.now)
        return [
            {
                "name": row.name,
                "slug": row.slug,
                "cells": uptime_page.cells(row, days, (), self.now),
                "uptime": row.uptime,
            }
            for row in self.report.uptimes
        ]


def task_rows(report: Report) -> list[TaskRow]:
    labels = dict(Task.choices)
    return [
        TaskRow(
            task=row.task,
            label=str(labels.get(row.task, row.task)),
            requests=row.requests,
            ratings=row.recent[0],
            share=Decimal(row.recent[1]) / row.recent[0] if row.recent[0] else None,
            interval=wilson(row.recent[1], row.recent[0]),
            state=task_state(TaskQuality(row.task, row.requests, *row.recent), Thresholds()),
        )
        for row in report.rated
    ]


def _as_interval(row: TaskRow) -> dict[str, Any]:
    assert row.interval is not None, "a task with ratings has one"
    return {"label": row.label, "value": row.share, "low": row.interval.low, "high": row.interval.high,
            "text": _("%(n)s rated") % {"n": row.ratings}, "passes": row.passes}  # fmt: skip


# --- the four criteria as the break-even page lists them ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CriterionRow:
    """A criterion with its figure and what is asked, in words."""

    criterion: Verdict

    def name(self) -> str:
        return {
            "quality": _("Requests of tasks with good enough answers"),
            "latency": _("First token, 95th percentile"),
            "saving": _("Saving a month"),
            "reliability": _("Uptime, self-hosted"),
        }[self.criterion.question]

    def value(self) -> str:
        value = self.criterion.value
        if value is None:
            return _("not known")
        if self.criterion.question == "quality" and self.criterion.interval:
            return share_span(self.criterion.interval)
        if self.criterion.question == "reliability":
            return percent_short_of(value, self.criterion.threshold or Decimal(1))
        return self._figure(value)

    def needed(self) -> str:
        relation = {"latency": "<", "quality": "≥"}.get(self.criterion.question, ">")
        return f"{relation} {self._figure(self.criterion.threshold or Decimal(0))}"

    def _figure(self, value: Decimal) -> str:
        if self.criterion.question == "latency":
            return duration(value)
        return dollars(value, 0) if self.criterion.question == "saving" else percent(value)

    def state_mark(self) -> SafeString:
        return self.criterion.state_mark()


# --- a signed decision ---------------------------------------------------------------------------------------------


def signed_headline(records: Sequence[Decision]) -> str:
    if not records:
        return _("No signed decision yet")
    newest = records[0]
    who = newest.signed_name or newest.signed_by
    words = {"choice": marked_choice(newest), "who": who, "on": when(newest.signed_at)}
    return format_html(_("Current decision: {choice} ({who}, {on})"), **words)


def record_answer(record: Decision, later: Decision | None) -> SafeString:
    """Who decided what, and whether it stands."""
    signed = format_html(
        _("<b>{choice}</b>, signed by <b>{who}</b>, {on}."),
        choice=marked_choice(record),
        who=record.signed_name or record.signed_by,
        on=when(record.signed_at),
    )
    superseded = (
        _("Decision %(n)s has superseded it.") % {"n": later.number} if later else _("It is the current decision.")
    )
    return sentences(signed, superseded)


def seal_headline(intact: bool) -> str:
    return _("Intact: the digest matches this record") if intact else _("Not intact")


def recorded_go(card: Mapping[str, Any], number: int) -> Verdict:
    """Whether the figures of a record allowed to self-host; records of before have only the choice."""
    by_choice = {"go": State.MET, "no_go": State.NOT_MET}
    state = State(card["state"]) if "state" in card else by_choice.get(card["verdict"], State.NOT_ENOUGH)
    return Verdict("go", state, card["sentence"], scope=scope_of(number))


def scope_of(number: int) -> str:
    """What the marks of a record's figures are of, as they are not of this moment."""
    return f"decision {number}"


def marked_choice(record: Decision) -> SafeString:
    return figure(record.get_choice_display(), "decision", record.get_choice_display(), scope=scope_of(record.number))


class RecordedMoney:
    """The break-even as the figures of a record have it, marked for `manage.py audit --pages`."""

    def __init__(self, money: Mapping[str, Any], number: int) -> None:
        self.money, self.scope = money, scope_of(number)

    def requests(self) -> SafeString:
        volume = self.money["inputs"]["requests_per_month"]
        return figure(count(volume), "run-rate", volume, scope=self.scope)

    def saving(self) -> SafeString:
        amount = Decimal(self.money["saving"])
        return figure(signed_usd(amount), "saving", amount, scope=self.scope)

    def pays_from(self) -> SafeString:
        """The first crossing with its interval, which records of before do not have."""
        into = (row["requests_per_month"] for row in self.money["crossings"] if row["to"] == "selfhost")
        volume, ends = next(into, None), self.money.get("crossing_interval")
        return marked_crossing(volume, ends and (ends[0], ends[1]), self.scope) or format_html("{}", _("none"))


@dataclass(frozen=True, slots=True)
class RecordedCriterion:
    """One of the four criteria, as the figures of a record have it."""

    row: Mapping[str, Any]
    number: int  # of the record

    def name(self) -> str:
        return {
            "quality": _("Good enough"), "latency": _("Fast enough"), "saving": _("Cheaper"),
            "reliability": _("Reliable"),
        }[self.row["slug"]]  # fmt: skip

    def sentence(self) -> SafeString:
        """What was measured, with the marks of a saving."""
        ends, value = self.row["interval"], self.row["value"]
        if self.row["slug"] != "saving" or not ends or value is None:
            return format_html("{}", self.row["sentence"])
        interval = Interval(*map(Decimal, ends))
        return marked_saving(self.row["sentence"], Decimal(value), interval, scope_of(self.number))

    def between(self) -> SafeString:
        """Its interval in words; empty without one."""
        if not self.row["interval"]:
            return SafeString()
        low, high = self.row["interval"]
        return format_html(_("between {low} and {high}"), low=self._figure("low", low), high=self._figure("high", high))

    def _figure(self, end: str, value: Any) -> str:
        if self.row["slug"] == "saving":
            return figure(signed_usd(value), f"saving-{end}", Decimal(value), scope=scope_of(self.number))
        return duration(value) if self.row["slug"] == "latency" else percent(value, 2)

    @property
    def verdict(self) -> Verdict:
        """As it was signed; records of before have only whether it held."""
        held = {True: State.MET, False: State.NOT_MET, None: State.NOT_ENOUGH}
        state = State(self.row["state"]) if "state" in self.row else held[self.row["holds"]]
        return Verdict(self.row["slug"], state, self.row.get("sentence", ""), set_aside=self.row["set_aside"],
                       scope=f"decision {self.number}")  # fmt: skip

    def state_mark(self) -> SafeString:
        return self.verdict.state_mark()
