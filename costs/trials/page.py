"""The sentences, tables and charts of a trial's report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.readiness.inputs import Report
from costs.readiness.page import CriterionRow
from costs.trials.report import Side, TrialReport, cost_per_million
from lib.formats import count, dollars, duration
from traffic.comparisons.statistics import Difference
from traffic.models import TrialStep
from traffic.models.trials import TrialState
from traffic.trials.measure import FIRST_TOKEN_LIMIT_MS
from traffic.trials.page import MARKS, TrialRow, at_once, source_words, speed
from traffic.trials.queries import cut_prompts, newest_finished
from traffic.trials.run import gpus_of


@dataclass(frozen=True, slots=True)
class StepRow:
    """One timed step in the table."""

    step: TrialStep
    is_capacity: bool

    @property
    def running(self) -> bool:
        return self.step.ended_at is None

    @property
    def error_share(self) -> Decimal | None:
        return Decimal(self.step.errors) / self.step.requests if self.step.requests else None

    @property
    def late(self) -> bool:
        return (self.step.ttft_p95_ms or 0) > FIRST_TOKEN_LIMIT_MS

    def speed(self) -> str:
        return speed(self.step.tokens_per_second) if self.step.tokens_per_second else ""

    def stream_speed(self) -> str:
        return speed(self.step.stream_tokens_per_second) if self.step.stream_tokens_per_second else ""

    def cost_per_million(self) -> Decimal | None:
        return cost_per_million(self.step)


@dataclass(frozen=True)
class TrialPage:
    """What the page and the PDF show of a report."""

    report: TrialReport

    @property
    def trial(self) -> Any:
        return self.report.trial

    @property
    def mark(self) -> str:
        return MARKS[TrialState(self.trial.state)]

    @property
    def percent(self) -> int:
        return int(self.report.progress * 100)

    def headline(self) -> str:
        """The finding, or how far it is."""
        trial = self.trial
        if trial.state == TrialState.QUEUED:
            return _("The trial is queued. A worker starts it within seconds.")
        if trial.state == TrialState.RUNNING:
            return self._running()
        side = self.report.candidate
        if side.best is None or not trial.capacity_tokens_per_second:
            return _("The trial ended without a measured capacity.")
        text = _("%(name)s delivers %(speed)s tokens/s with %(calls)s.")
        if gpus_of(trial.candidate) > 1:
            text = _("%(name)s delivers %(speed)s tokens/s on each of its %(gpus)s GPUs with %(calls)s.")
        words = {
            "name": trial.candidate.name, "speed": speed(trial.capacity_tokens_per_second),
            "gpus": gpus_of(trial.candidate), "calls": at_once(side.best.concurrency),
        }  # fmt: skip
        return f"{text % words} {self._first_token_words(side.best)}"

    def _first_token_words(self, step: TrialStep) -> str:
        if step.ttft_p95_ms is None:
            return _("Its first token was not measured.")
        return _("Its first token takes %(ttft)s.") % {"ttft": duration(step.ttft_p95_ms)}

    def _running(self) -> str:
        steps = self.report.steps
        now = next((step for step in steps if step.ended_at is None), None)
        if now is None:
            return _("The last step has ended. The report is being written.")
        words = {
            "step": now.number + 1,
            "all": len(steps),
            "name": now.deployment.name,
            "calls": at_once(now.concurrency),
        }
        if not now.timed:
            return _("Step %(step)s of %(all)s: %(name)s answers each prompt once.") % words
        return _("Step %(step)s of %(all)s: %(name)s with %(calls)s.") % (words | {"calls": at_once(now.concurrency)})

    def spent_words(self) -> str:
        """What was spent of the cap."""
        words = {"spent": dollars(self.trial.spent, 4), "cap": dollars(self.trial.cap_usd)}
        return _("%(spent)s of %(cap)s spent") % words

    def source_words(self) -> str:
        return source_words(self.trial)

    def against(self) -> str:
        return TrialRow(self.trial).against()

    def rejected_words(self) -> str:
        """How many lines of the file were no prompt, or that it was not read to its end; empty for neither."""
        n = self.trial.rejected
        if not n and self.trial.rejected_lines:
            return _("The file was not read to its end.")
        return ngettext("%(n)s line of the file is not a prompt.", "%(n)s lines of the file are not prompts.", n) % {
            "n": count(n)
        } if n else ""  # fmt: skip

    # --- the curve ---

    @cached_property
    def drawn(self) -> bool:
        """Whether there is a curve: a side with at least one measured step."""
        return any(side.points for side in self.report.sides)

    @property
    def throughput(self) -> dict[str, Any]:
        """The chart of throughput against concurrency."""
        series = self._series(lambda step: step.tokens_per_second)
        return {"series": series, "unit": "count", "x_name": _("Calls at once"), "x_ticks": self._x_ticks,
                "label": _("Output tokens/s by calls at once")}  # fmt: skip

    @property
    def first_token(self) -> dict[str, Any]:
        """The chart of the first token against concurrency, with the limit."""
        limits = [{"y": FIRST_TOKEN_LIMIT_MS, "name": _("limit 500 ms")}]
        return {"series": self._series(lambda step: step.ttft_p95_ms), "unit": "ms", "limits": limits,
                "x_name": _("Calls at once"), "x_ticks": self._x_ticks,
                "label": _("First token, 95th percentile, by calls at once")}  # fmt: skip

    @property
    def _x_ticks(self) -> int:
        """At most one for each whole number between the first step and the last: there are no half calls."""
        numbers: list[int] = self.trial.concurrency
        return min(max(max(numbers) - min(numbers), 1), 9)

    def _series(self, value: Any) -> list[dict[str, Any]]:
        return [
            {"name": side.deployment.name, "label": side.deployment.name, "style": "us" if side.is_candidate else "api",
             "points": points}
            for side in self.report.sides
            if (points := [(step.concurrency, value(step)) for step in side.steps if step.ended_at and value(step)])
        ]  # fmt: skip

    def late_words(self, side: Side | None = None) -> str:
        """Where the first token passes the limit."""
        side = side or self.report.candidate
        if not side.points:
            return _("No step has ended yet.")
        at = side.late_from
        words = {"name": side.deployment.name, "limit": duration(FIRST_TOKEN_LIMIT_MS)}
        measured = [point for point in side.points if point.ttft_p95_ms is not None]
        if not measured:
            text = _("The first token of %(name)s was not measured.")
        elif at is None and len(measured) < len(side.points):
            text = _("%(name)s keeps the first token below %(limit)s at the steps where it was measured.")
        elif at is None:
            text = _("%(name)s keeps the first token below %(limit)s at every step.")
        elif not any(point.in_time for point in side.points):
            text = _("%(name)s needs more than %(limit)s for the first token at every step.")
        elif at <= min(point.concurrency for point in measured):
            text = _("%(name)s needs more than %(limit)s for the first token with %(calls)s already.")
            words["calls"] = at_once(round(at))
        else:
            text = _("%(name)s passes %(limit)s for the first token at about %(calls)s.")
            words["calls"] = at_once(round(at))
        return text % words

    def cost_words(self, side: Side) -> str:
        """What a million tokens cost at the capacity step."""
        if side.best is None:
            return ""
        words = {"name": side.deployment.name, "calls": at_once(side.best.concurrency)}
        if side.cost_per_million is None:
            text = _("%(name)s: the cost of a million output tokens is unknown, because no rented GPU is linked to it.")
            return text % words if side.deployment.provider == "self" else _(
                "%(name)s: the cost of a million output tokens is unknown.") % words  # fmt: skip
        text = _("%(name)s: a million output tokens cost %(usd)s with %(calls)s.")
        return text % (words | {"usd": dollars(side.cost_per_million)})

    def side_words(self) -> list[str]:
        """The findings of both sides, one sentence each."""
        rows = [sentence for side in self.report.sides if side.points
                for sentence in (self.late_words(side), self.cost_words(side))]  # fmt: skip
        return [row for row in rows if row]

    @cached_property
    def rows(self) -> list[StepRow]:
        best = self.report.candidate.best
        return [StepRow(step, step == best) for side in self.report.sides for step in side.steps]

    # --- the answers ---

    def pair_words(self) -> str:
        """What raters chose, and how many prompts have no pair because an answer was cut."""
        return " ".join(filter(None, (self._chosen_words(), self._cut_words())))

    def _cut_words(self) -> str:
        n = len(cut_prompts(self.trial))
        text = ngettext(
            "%(n)s prompt has no pair, because the candidate's answer ended at the limit of %(limit)s tokens.",
            "%(n)s prompts have no pair, because the candidate's answers ended at the limit of %(limit)s tokens.", n,
        )  # fmt: skip
        return text % {"n": count(n), "limit": count(self.trial.answer_tokens)} if n else ""

    def _chosen_words(self) -> str:
        pairs = self.report.pairs
        if not pairs.pairs:
            return _("No prompt has two answers, so there is nothing to compare.")
        words = {"pairs": count(pairs.pairs), "rated": count(pairs.rated), "wins": pairs.wins, "losses": pairs.losses}
        if not pairs.rated:
            text = ngettext("%(pairs)s pair waits for raters.", "%(pairs)s pairs wait for raters.", pairs.pairs)
            return text % words
        text = _("%(rated)s of %(pairs)s pairs are rated: %(wins)s better and %(losses)s worse for the candidate.")
        return f"{text % words} {self._difference(pairs.difference)}"

    def _difference(self, difference: Difference | None) -> str:
        if difference is None:
            return ""
        words = {name: f"{value * 100:+.0f}" for name, value in
                 (("low", difference.low), ("middle", difference.middle), ("high", difference.high))}  # fmt: skip
        verdict = {
            "better": _("The candidate is better."),
            "not_worse": _("The candidate is not worse."),
            "worse": _("The candidate is worse."),
            "not_yet": _("More ratings are needed."),
        }[self.report.pairs.verdict]
        text = _("The difference is %(middle)s points (%(low)s to %(high)s).") % words
        return f"{text} {verdict}"

    @cached_property
    def criteria(self) -> Sequence[CriterionRow]:
        return [CriterionRow(row) for row in self.report.criteria]

    def break_even_words(self) -> str:
        """Whether Break-even uses the capacity."""
        trial = self.trial
        if trial.state != TrialState.DONE or not trial.capacity_tokens_per_second:
            return ""
        if not self.may_be_used or not trial.used_in_break_even:
            return _("Break-even does not use this capacity.")
        use = self.report.use_of_capacity
        if use == "newer":
            return _("Break-even does not use this capacity, because a newer trial of a self-hosted deployment counts.")
        if use == "unused":
            return _("Break-even does not use this capacity, because the candidate has no running lease.")
        return _("Break-even uses this capacity until a newer trial of a self-hosted deployment ends.")

    @property
    def may_be_used(self) -> bool:
        """Whether Break-even can take the capacity: that of a finished trial of a self-hosted deployment."""
        trial = self.trial
        return bool(trial.state == TrialState.DONE and trial.capacity_tokens_per_second
                    and trial.candidate.provider == "self")  # fmt: skip


def newest_trial(live: Report, now: datetime) -> TrialPage | None:
    """The trial that ended last by itself, with the live break-even in its criteria; None without one."""
    trial = newest_finished()
    if trial is None:
        return None
    report = TrialReport(trial, now)
    report.live = live  # it would be read again
    return TrialPage(report)
