"""How far raters agree: Krippendorff's alpha, Cohen's and Fleiss' kappa, and one rater's bias. Pure.

A unit is what several raters judged: an answer, or a pair. 1 is full agreement, 0 is that of chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from statistics import fmean
from typing import Literal, TypeVar

from lib import confidence_intervals
from lib.formats import grouped

Level = Literal["nominal", "ordinal", "interval"]
Value = TypeVar("Value", bound=Hashable)
Z = float(confidence_intervals.Z)
TRUSTED = 0.667  # the least alpha from which even tentative conclusions are drawn (Krippendorff 2004, page 241)
FEWEST_UNITS = 10  # that several raters judged, before an alpha is shown


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha of what several raters judged alike; `raters` and `items` are those it is of."""

    alpha: float | None
    metric: Level
    raters: int
    items: int

    @property
    def trusted(self) -> bool | None:
        """Whether conclusions may be drawn from what these raters judged; None where too little was judged twice."""
        return None if self.alpha is None or self.items < FEWEST_UNITS else self.alpha >= TRUSTED

    def alpha_words(self) -> str:
        """Alpha with two decimals, with the minus sign of all other figures; empty without one."""
        return "" if self.alpha is None else grouped(Decimal(self.alpha), 2)


def krippendorff_alpha(units: Iterable[tuple[Mapping[Value, int], int]], level: Level) -> float | None:
    """Krippendorff's alpha of values of which each unit may have any number; those with one say nothing.

    A unit is how often each value was given, and how many such units there are. For ordinal and interval the values
    are numbers. None where nothing was judged twice, and where all values are the same.
    """
    observed: Counter[tuple[Value, Value]] = Counter()
    totals: Counter[Value] = Counter()
    for counts, times in units:
        size = sum(counts.values())
        if size < 2:
            continue
        for value, count in counts.items():
            totals[value] += count * times
            for other, again in counts.items():
                if other != value:
                    observed[value, other] += count * again * times / (size - 1)  # type: ignore[assignment]
    return alpha_of_sums(totals, observed, level)


def alpha_of_sums(
    totals: Mapping[Value, float], observed: Mapping[tuple[Value, Value], float], level: Level
) -> float | None:
    """Alpha by how often each value was given in units of several, and the coincidences of each two unlike values."""
    n = sum(totals.values())
    distance = _distances(totals, level)
    expected = sum(totals[value] * totals[other] * apart for (value, other), apart in distance.items())
    if not expected:
        return None
    return 1 - (n - 1) * sum(weight * distance[pair] for pair, weight in observed.items()) / expected


def _distances(totals: Mapping[Value, float], level: Level) -> dict[tuple[Value, Value], float]:
    """The squared difference of each two values; between ordinal ones lie as many as were given."""
    if level == "nominal":
        return {(value, other): float(value != other) for value in totals for other in totals}
    ordered: list[tuple[Value, float]] = []
    below = 0.0
    for value in sorted(totals, key=float):  # type: ignore[arg-type]  # numbers, as the docstring asks
        place = float(value) if level == "interval" else below + totals[value] / 2  # type: ignore[arg-type]
        ordered.append((value, place))
        below += totals[value]
    return {(value, other): (at - there) ** 2 for value, at in ordered for other, there in ordered}


def cohen_kappa(choices: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two raters who judged the same units; None without one, and where chance alone agrees."""
    n = len(choices)
    if not n:
        return None
    first, second = Counter(a for a, _ in choices), Counter(b for _, b in choices)
    by_chance = sum(first[value] * second[value] for value in first) / n**2
    return None if by_chance == 1 else (sum(a == b for a, b in choices) / n - by_chance) / (1 - by_chance)


def fleiss_kappa(units: Sequence[Mapping[Hashable, int]]) -> float | None:
    """Fleiss' kappa of units that the same number of raters judged; None where there is nothing to compare.

    Raises ValueError where the numbers of raters differ.
    """
    sizes = {sum(counts.values()) for counts in units}
    if len(sizes) > 1:
        raise ValueError("Each unit needs the same number of raters.")
    if not units or (size := sizes.pop()) < 2:
        return None
    totals: Counter[Hashable] = Counter()
    for counts in units:
        totals.update(counts)
    by_chance = sum((count / (size * len(units))) ** 2 for count in totals.values())
    agreed = fmean((sum(n * n for n in counts.values()) - size) / (size * (size - 1)) for counts in units)
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


@dataclass(frozen=True, slots=True)
class Bias:
    """How far a rater's values lie above those of the others on the same units, with its 95 % interval."""

    units: int
    low: float
    middle: float
    high: float

    @property
    def is_real(self) -> bool:
        return self.low > 0 or self.high < 0


def rater_bias(units: int, total: float, squares: float) -> Bias | None:
    """The bias of a rater by how far their value of each unit lies above the mean of the others' values of it.

    `total` and `squares` are the sums of these differences and of their squares; None for fewer than two units.
    """
    if units < 2:
        return None
    middle = total / units
    half = Z * sqrt(max(0.0, squares - total * middle) / (units - 1) / units)
    return Bias(units, middle - half, middle, middle + half)
