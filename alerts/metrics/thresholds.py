"""The numbers of a rule: what a kind needs, and what a person entered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

SECONDS = "s"  # the unit of a number that people read and write as a duration


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

    def read(self, entered: Any) -> Decimal | list[Decimal]:
        """The number or numbers meant by `given`. Raises BadThreshold."""
        if not self.many:
            return self.number(entered)
        values = entered if isinstance(entered, list | tuple) else str(entered).replace(",", " ").split()
        if not values:
            raise BadThreshold(_("%(label)s: enter at least one number.") % {"label": self.label})
        return sorted({self.number(value) for value in values})

    def number(self, entered: Any) -> Decimal:
        try:
            number = Decimal(str(entered).strip())
        except InvalidOperation:
            values = {"label": self.label, "given": entered, "unit": self.unit}
            raise BadThreshold(
                _("%(label)s: “%(given)s” is not a number. Enter it in %(unit)s, without the unit.") % values
            ) from None
        if not number.is_finite() or not self.least <= number <= self.most:
            bounds = {"label": self.label, "least": self.least, "most": self.most, "unit": self.unit}
            raise BadThreshold(_("%(label)s must be between %(least)s and %(most)s %(unit)s.") % bounds)
        return number


@dataclass(frozen=True, slots=True)
class RuleParams:
    """A rule's thresholds as numbers, with the kind's default where the rule has none."""

    values: Mapping[str, Decimal | list[Decimal]]
    stored: Mapping[str, Any] = field(default_factory=dict)  # as the rule has it, for kinds that need more than numbers

    def number(self, name: str) -> Decimal:
        value = self.values[name]
        assert isinstance(value, Decimal)
        return value

    def numbers(self, name: str) -> list[Decimal]:
        value = self.values[name]
        assert isinstance(value, list)
        return value
