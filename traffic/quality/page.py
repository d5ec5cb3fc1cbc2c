"""What the Quality page says, from the scoreboard's groups. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from traffic.quality.queries import QualityGroup, differ


@dataclass(frozen=True, slots=True)
class Named:
    """A group with the name that people read."""

    name: str
    group: QualityGroup


@dataclass(frozen=True, slots=True)
class Answer:
    """The figures of the page's sentence: everything together, and the two most rated that can be compared."""

    total: QualityGroup | None
    first: Named | None
    second: Named | None

    @property
    def differs(self) -> bool:
        return self.first is not None and self.second is not None and differ(self.first.group, self.second.group)


def answer(total: Sequence[QualityGroup], compared: Sequence[Named]) -> Answer:
    """`compared` are the groups to set against each other, the most rated first; the better one is named first."""
    pair = sorted(
        [named for named in compared if named.group.enough][:2], key=lambda named: -named.group.acceptable_share
    )
    first, second = (*pair, None, None)[:2]
    return Answer(total[0] if total else None, first, second)


def passing(groups: Sequence[Named]) -> int:
    """The number of groups whose interval lies wholly above the mark."""
    return sum(named.group.passes for named in groups)


def judgeable(groups: Sequence[Named]) -> list[Named]:
    return [named for named in groups if named.group.enough]


def lowest(groups: Sequence[Named]) -> float:
    """Where the scale of the drawn intervals begins, a round tenth below all of them."""
    low = min((named.group.interval[0] for named in groups), default=0.0)
    return max(0.0, int(low * 10) / 10)
