"""Labels inside a plot that never overlap: each moves a little, hides on a phone, or is left out; the legend and the
table under the chart have the same text.

Places across are fractions of the plot's width, which the browser decides. So a place counts only if it is free at
every width in px that the plot may have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dashboard.charts.svg import CHARACTER_PX, pct, text

PHONE = (240, 300, 380, 470, 620)
DESKTOP = (400, 500, 640, 800, 1100)
LINE_PX, RISE_PX, DROP_PX = 15, 11, 4  # between two lines, above the baseline, and below it
MARGIN_PX = 16  # at the right of a plot
TOP_PX = 18  # above it
WIDE = " wide"  # the class of what a phone hides

LINE_NAME = 5  # the rank of a line's name; a phone hides it, where it is as long as the line
ACROSS_PX = 40  # from below a line to above it
Box = tuple[float, float, float, float]
Taken = list[tuple["Label", tuple[int, ...]]]


@dataclass(frozen=True)
class Label:
    """Lines of text at (`x`, `y`), fractions of the plot from its left and its bottom.

    `dx`: px between the place and the text, to the side that `anchor` names (`start`, `end` or `mid`); `dy`: px from
    the place down to the first baseline. The lower `rank`, the earlier the label chooses its place.
    """

    lines: Sequence[str]
    x: float
    y: float
    dy: int = 0
    dx: int = 8
    anchor: str = "start"
    cls: str = ""
    rank: int = 5

    def box(self, width: int, height: int) -> Box:
        """Left, top, right and bottom in px of the plot at a width."""
        long = max(len(line) for line in self.lines) * CHARACTER_PX
        at = self.x * width
        left = {"start": at + self.dx, "end": at - self.dx - long, "mid": at - long / 2}[self.anchor]
        base = (1 - self.y) * height + self.dy
        return left, base - RISE_PX, left + long, base + (len(self.lines) - 1) * LINE_PX + DROP_PX

    def markup(self, hidden: str) -> list[str]:
        side = "" if self.anchor == "start" else f" {self.anchor}"
        dx = {"start": self.dx, "end": -self.dx, "mid": 0}[self.anchor]
        return [
            text(line, cls=f"halo {self.cls}".rstrip() + side + hidden, x=pct(self.x), y=pct(1 - self.y), dx=dx,
                 dy=self.dy + LINE_PX * number)
            for number, line in enumerate(self.lines) if line
        ]  # fmt: skip


def placed(labels: Sequence[Label], height: int) -> list[str]:
    """The labels as markup in a plot of `height` px, in their order; what has no room is left out."""
    taken: Taken = []
    markup: dict[int, list[str]] = {}
    for index, label in sorted(enumerate(labels), key=lambda item: item[1].rank):
        everywhere = () if label.rank == LINE_NAME else (("", PHONE + DESKTOP),)
        for hidden, widths in (*everywhere, (WIDE, DESKTOP)):
            place = next((p for p in places(label) if is_free(p, height, taken, widths)), None)
            if place is not None:
                taken.append((place, widths))
                markup[index] = place.markup(hidden)
                break
    return [line for index in sorted(markup) for line in markup[index]]


def places(label: Label) -> Iterator[Label]:
    """Where a label may stand: as wished, on the other side, and a few lines higher or lower on both."""
    other = {"start": "end", "end": "start"}.get(label.anchor)
    if label.rank == LINE_NAME:  # below its line, which rises, or above it: at other places it would lie on it
        yield from (label, *(replace(label, dy=label.dy - ACROSS_PX, anchor=a) for a in (other, label.anchor) if a))
        return
    for shift in (0, -LINE_PX, LINE_PX + 4, -2 * LINE_PX, 2 * LINE_PX + 4, 3 * LINE_PX + 4):
        yield replace(label, dy=label.dy + shift)
        if other:
            yield replace(label, dy=label.dy + shift, anchor=other)


def is_free(label: Label, height: int, taken: Taken, widths: Sequence[int]) -> bool:
    for width in widths:
        left, top, right, bottom = label.box(width, height)
        if left < -4 or right > width + MARGIN_PX or top < -TOP_PX or bottom > height + DROP_PX:
            return False
        for other, seen_at in taken:
            if width in seen_at:
                a, b, c, d = other.box(width, height)
                if left < c and a < right and top < d and b < bottom:
                    return False
    return True
