"""What an evaluator gives back, and what a kind of rule is: the interface that every kind keeps to.

A kind is one function `evaluate(context, params, live)` that looks at one rule's subjects and returns a `Finding` for
each that is of interest, and for each subject in `live`, which has an alert already; a subject that it no longer
returns is taken as gone. It only says how things stand now: for how long a line must be crossed, flaps, reminders,
escalation, silences, snoozes and who is told happen outside of it, in `alerts.lifecycle.states` and
`alerts.evaluation.services`.

docs/how-to/add-an-alert-kind.md goes through it step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from alerts.lifecycle.states import Observation
from alerts.metrics.scopes import Names
from alerts.metrics.thresholds import BadThreshold as BadThreshold
from alerts.metrics.thresholds import RuleParams as RuleParams  # for the kinds, which import from here
from alerts.metrics.thresholds import Threshold as Threshold

if TYPE_CHECKING:
    from alerts.context.evaluation import EvaluationContext


class Bar(TypedDict):
    """One bar of a small chart: `share` is its length, 0 to 1."""

    label: str
    text: str
    share: float
    tone: str  # us, them, limit


class Words(TypedDict, total=False):
    """What pages and mails say about a finding: texts and lists of texts, kept as JSON."""

    todo: str  # what to do, first
    detail: str  # how much, since when, why
    facts: list[list[str]]  # label, value, known from, and `wording.meaning` where pages show the same figure
    bars: list[Bar]
    drivers: list[list[str]]  # what moves the figure most, three at most: label, amount, share
    driven: str  # the line above them; empty: what costs most this month
    page: str  # path of the page with the evidence
    over: str  # the alert's title once it is over, where "so far" no longer holds
    fixes: list[list[str]]  # where to mend it, for the page alone: label, path
    grouped: str  # the title of the larger alert under which it stands
    highest: str  # the peak of its value while it is open, where it has come down since
    peak: list[str]  # that value as decimal text, and when it was (ISO 8601)
    providers: list[str]  # whom it is about besides its subject


@dataclass(frozen=True, slots=True)
class Finding:
    """How one subject stands now, as a `states.Observation` and in words; `title` names the subject and the amount.

    `crossed` and `clear` are both False between a line and its clear line. `value` and `threshold` are decimal text in
    the kind's `unit`; the alert's page draws them, so they must be the same quantity or `threshold` be empty.
    """

    subject: str
    title: str
    crossed: bool
    clear: bool
    level: int = 0
    sustained_level: int = 0
    since: datetime | None = None
    value: str = ""
    threshold: str = ""
    severity: str = ""  # empty: the rule's
    covered_by: str = ""  # the subject of a larger alert that speaks for this one
    depends_on: tuple[str, ...] = ()  # subjects, of any kind, whose alerts speak for this one if it began with theirs
    group: str = ""  # what is said together: messages of one group that wait at the same time are one mail
    group_waits: bool = False  # the first of its group waits for others too, where a minute does no harm
    labels: Mapping[str, str] = field(default_factory=dict)  # what silences may match, besides what the subject names
    words: Words = field(default_factory=lambda: Words())

    @property
    def observation(self) -> Observation:
        return Observation(self.crossed, self.clear, self.level, self.sustained_level, self.since)


Evaluate = Callable[["EvaluationContext", RuleParams, frozenset[str]], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of rule. `evaluate(context, params, live)` must also say how each subject of `live` stands now."""

    label: str
    evaluate: Evaluate
    name: str = ""  # of the rule that every installation starts with; empty where none is shipped
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    groups: tuple[str, ...] = ("ops",)  # who is told when the rule names nobody
    severity: str = "warning"
    for_s: int = 0
    clear_for_s: int = 0
    escalate_s: int | None = None
    shipped: bool = True  # every installation starts with one of it; else people make theirs
    say: Callable[[Mapping[str, Any], Names], str] | None = (
        None  # what a rule looks for, where its numbers do not say it
    )
    unit: str = "count"  # of values and thresholds, for the chart: count, usd, percent, ms, s
    of_history: bool = False  # it reads days that a history brings: it waits while one is being loaded
    every_s: int = 0  # least time between two evaluations, for figures that are dear and move slowly
    always: frozenset[str] = frozenset()  # subjects that are told of although their rule is switched off

    def read(self, thresholds: Mapping[str, Any]) -> RuleParams:
        """A rule's thresholds over the defaults. Raises BadThreshold."""
        return RuleParams(
            {name: kind.read(thresholds.get(name, kind.default)) for name, kind in self.thresholds.items()}, thresholds
        )
