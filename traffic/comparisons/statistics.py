"""Whether a candidate's answers are worse than the baseline's, from pairs that raters chose between. Pure.

The difference is the share of pairs that the candidate won less the share that it lost; ties and pairs of which both
are bad count as no difference. Its 95 % interval is Tango's score interval for paired proportions (Statistics in
Medicine 17, 1998, 891-908): it holds its level for few pairs, also where no pair was won or lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, exp, log, sqrt
from typing import Literal

Z = 1.959963984540054  # of the normal distribution, two-sided 95 %
MARGIN = 0.05  # non-inferiority: how much worse the candidate may be, as a share of all pairs
MOST_PAIRS = 10_000  # no more are asked for

ComparisonVerdict = Literal["not_worse", "worse", "better", "not_yet"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Share won less share lost, from -1 to 1, with the ends of its 95 % interval."""

    low: float
    middle: float
    high: float


def paired_difference(wins: float, losses: float, pairs: float) -> Difference:
    """The difference of `pairs` of which `wins` were won and `losses` lost, with Tango's interval.

    Raises ValueError without a pair, or where more are won and lost than there are.
    """
    if pairs <= 0 or min(wins, losses) < 0 or wins + losses > pairs * (1 + 1e-9):
        raise ValueError(f"{wins} won and {losses} lost of {pairs}")
    middle = (wins - losses) / pairs
    low = _end(wins, losses, pairs, middle, -1.0)
    high = _end(wins, losses, pairs, middle, 1.0)
    return Difference(low, middle, high)


def _end(wins: float, losses: float, pairs: float, middle: float, limit: float) -> float:
    """The value between `middle` and `limit` at which the score statistic reaches Z; `limit` where none does."""
    near, far = middle, limit
    if _score(wins, losses, pairs, far) < Z:
        return limit
    for _step in range(60):
        between = (near + far) / 2
        if _score(wins, losses, pairs, between) < Z:
            near = between
        else:
            far = between
    return (near + far) / 2


def _score(wins: float, losses: float, pairs: float, delta: float) -> float:
    """Tango's statistic without its sign: how many standard errors the data are from a true difference of `delta`."""
    b = -wins - losses + (2 * pairs - wins + losses) * delta
    c = -losses * delta * (1 - delta)
    lost = (sqrt(max(b * b - 8 * pairs * c, 0.0)) - b) / (4 * pairs)  # share lost, at its likeliest given delta
    variance = pairs * (2 * lost + delta * (1 - delta))
    distance = abs(wins - losses - pairs * delta)
    return distance / sqrt(variance) if variance > 1e-12 else (0.0 if distance < 1e-9 else float("inf"))


def sign_test(wins: int, losses: int) -> float:
    """The two-sided p-value of an exact sign test, which is McNemar's exact test: could both sides be equally good?

    Ties say nothing here. 1 where no pair was won or lost.
    """
    n, fewer = wins + losses, min(wins, losses)
    tail = sum(comb(n, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << n))


def verdict_of(difference: Difference | None, margin: float = MARGIN) -> ComparisonVerdict:
    """What the whole interval allows: `not_yet` while the margin lies inside it."""
    if difference is None:
        return "not_yet"
    if difference.low > 0:
        return "better"
    if difference.low > -margin:
        return "not_worse"
    return "worse" if difference.high < -margin else "not_yet"


def more_needed(wins: int, losses: int, pairs: int, margin: float = MARGIN) -> int | None:
    """How many more pairs decide, if the shares won and lost stay as they are; 0 where they decide now.

    None without a pair, and where more than `MOST_PAIRS` would be needed in all.
    """
    if not pairs:
        return None

    def decided(n: int) -> bool:
        scale = n / pairs
        return verdict_of(paired_difference(wins * scale, losses * scale, n), margin) != "not_yet"

    if decided(pairs):
        return 0
    if pairs >= MOST_PAIRS or not decided(MOST_PAIRS):
        return None
    low, high = pairs, MOST_PAIRS  # not decided, decided
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high - pairs


# --- one pair, several raters --------------------------------------------------------------------------------------


RATERS_NEEDED = 2  # of each pair; a third where these two choose differently


@dataclass(frozen=True, slots=True)
class Decided:
    """The outcome of a pair, blank without a choice; and whether its raters disagree so that one more is needed."""

    outcome: str
    disputed: bool


def decide(outcomes: Sequence[str], adjudicated: str = "") -> Decided:
    """More than half of the raters decide, an adjudication decides alone; otherwise the pair counts as a tie.

    A pair without a majority is a tie, since no side is preferred: the difference of the sides is then never larger
    than what raters agree on.
    """
    if adjudicated:
        return Decided(adjudicated, False)
    if not outcomes:
        return Decided("", False)
    outcome, votes = Counter(outcomes).most_common(1)[0]
    if 2 * votes > len(outcomes):
        return Decided(outcome, False)
    return Decided("tie", True)


# --- three deployments and more ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Strength:
    """A deployment's logarithm of strength, 0 being the mean of all, with its 95 % interval."""

    name: str
    low: float
    middle: float
    high: float


def bradley_terry(wins: Mapping[tuple[str, str], float]) -> list[Strength] | None:
    """Strengths by the Bradley-Terry model, the strongest first; a tie is half a win of each side.

    `wins[i, j]` is how often i won against j. Estimated by Hunter's MM algorithm (Annals of Statistics 32, 2004,
    384-406), with intervals from the observed information. None where no finite estimate exists: where some of them
    never lost to, or were never compared with, the others.
    """
    names = sorted({name for pair in wins for name in pair})
    n = len(names)
    won = [[float(wins.get((i, j), 0.0)) if i != j else 0.0 for j in names] for i in names]
    if n < 2 or not _connected(won):
        return None
    games = [[won[i][j] + won[j][i] for j in range(n)] for i in range(n)]
    strengths = [1.0] * n
    for _step in range(10_000):
        after = [
            sum(won[i]) / sum(games[i][j] / (strengths[i] + strengths[j]) for j in range(n) if games[i][j])
            for i in range(n)
        ]
        mean = exp(sum(log(value) for value in after) / n)
        after = [value / mean for value in after]
        moved = max(abs(log(new / old)) for new, old in zip(after, strengths, strict=True))
        strengths = after
        if moved < 1e-10:
            break
    variances = _variances(games, strengths)
    rows = [
        Strength(name, log(strength) - Z * sqrt(variance), log(strength), log(strength) + Z * sqrt(variance))
        for name, strength, variance in zip(names, strengths, variances, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.middle, row.name))


def _connected(won: Sequence[Sequence[float]]) -> bool:
    """Whether every one won, over others, against every other: the condition for a finite estimate (Ford 1957)."""
    n = len(won)
    for ahead in (True, False):
        reached, todo = {0}, [0]
        while todo:
            i = todo.pop()
            beaten = {j for j in range(n) if (won[i][j] if ahead else won[j][i]) > 0} - reached
            reached |= beaten
            todo += beaten
        if len(reached) < n:
            return False
    return True


def _variances(games: Sequence[Sequence[float]], strengths: Sequence[float]) -> list[float]:
    """Variances of the logarithms about their mean: the diagonal of the information's pseudo-inverse."""
    n = len(strengths)
    information = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            if games[i][j]:
                weight = games[i][j] * strengths[i] * strengths[j] / (strengths[i] + strengths[j]) ** 2
                information[i][i] += weight
                information[i][j] -= weight
    inverse = _inverse([[value + 1 / n for value in row] for row in information])
    return [inverse[i][i] - 1 / n for i in range(n)]


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Gauss-Jordan with pivots; the matrix is small and positive definite."""
    n = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(n))] for i, row in enumerate(matrix)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(n):
            if k != i and rows[k][i]:
                factor = rows[k][i]
                rows[k] = [value - factor * own for value, own in zip(rows[k], rows[i], strict=True)]
    return [row[n:] for row in rows]
