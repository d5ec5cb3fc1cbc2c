"""What an evaluator gives back, and what a kind of rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypedDict

from django.utils.translation import gettext as _

from alerts.states import Sight

if TYPE_CHECKING:
    from alerts.figures import Figures


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
    facts: list[list[str]]  # label, value, known from
    bars: list[Bar]
    drivers: list[list[str]]  # what moves the figure most: label, amount, share
    page: str  # path of the page with the evidence
    over: str  # the alert's title once it is over, where "so far" no longer holds
    fixes: list[list[str]]  # where to mend it, for the page alone: label, path
    providers: list[str]  # whom it is about besides its subject


@dataclass(frozen=True, slots=True)
class Finding:
    """How one subject stands now, as `alerts.states.Sight` and in words; `title` names the subject and the amount."""

    subject: str
    title: str
    crossed: bool
    clear: bool
    level: int = 0
    held: int = 0
    since: datetime | None = None
    value: str = ""
    threshold: str = ""
    severity: str = ""  # empty: the rule's
    covered_by: str = ""  # the subject of a larger alert that speaks for this one
    words: Words = field(default_factory=lambda: Words())

    @property
    def sight(self) -> Sight:
        return Sight(self.crossed, self.clear, self.level, self.held, self.since)


class BadThreshold(Exception):
    """A rule's number is missing, no number or out of bounds; the text says which."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a kind of rule needs; `many` takes a list of them in rising order."""

    label: str
    unit: str
    default: Any
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(10**9)
    many: bool = False

    def read(self, given: Any) -> Decimal | list[Decimal]:
        """The number or numbers meant by `given`. Raises BadThreshold."""
        if not self.many:
            return self.number(given)
        values = given if isinstance(given, list | tuple) else str(given).replace(",", " ").split()
        if not values:
            raise BadThreshold(_("%(label)s: give at least one number.") % {"label": self.label})
        return sorted({self.number(value) for value in values})

    def number(self, given: Any) -> Decimal:
        try:
            number = Decimal(str(given).strip())
        except InvalidOperation:
            raise BadThreshold(
                _("%(label)s: %(given)s is no number.") % {"label": self.label, "given": given}
            ) from None
        if not number.is_finite() or not self.least <= number <= self.most:
            bounds = {"label": self.label, "least": self.least, "most": self.most, "unit": self.unit}
            raise BadThreshold(_("%(label)s must be between %(least)s and %(most)s %(unit)s.") % bounds)
        return number


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule's thresholds, read; what the rule leaves out has the kind's default."""

    values: Mapping[str, Decimal | list[Decimal]]

    def one(self, name: str) -> Decimal:
        value = self.values[name]
        assert isinstance(value, Decimal)
        return value

    def many(self, name: str) -> list[Decimal]:
        value = self.values[name]
        assert isinstance(value, list)
        return value


Evaluate = Callable[["Figures", Asked, frozenset[str]], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of rule. `evaluate(figures, thresholds, live)` must also say how each subject of `live` stands now."""

    label: str
    evaluate: Evaluate
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    groups: tuple[str, ...] = ("ops",)  # who is told when the rule names nobody
    severity: str = "warning"
    for_s: int = 0
    clear_for_s: int = 0
    escalate_s: int | None = None
    every_s: int = 0  # least time between two evaluations, for figures that are dear and move slowly

    def read(self, given: Mapping[str, Any]) -> Asked:
        """A rule's thresholds over the defaults. Raises BadThreshold."""
        return Asked({name: kind.read(given.get(name, kind.default)) for name, kind in self.thresholds.items()})
