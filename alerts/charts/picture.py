"""The chart of a mail: a small PNG of a value against its line, that reads on light and on dark paper. Pure.

It has no background and no letters: whoever's theme is dark, and whoever's language is not ours, sees the same lines;
the words and figures stand around it in the mail's own text.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

from alerts.charts.timeline import Point

if TYPE_CHECKING:
    from PIL import ImageDraw

# At twice the size that mails show it in, for screens that are fine.
WIDTH, HEIGHT = 1120, 240
FINER = 2  # drawn larger still, then smoothed
PAD = 14
# At least 3:1 on the mails' white and on their black.
VALUE, LINE, GROUND = (59, 130, 246), (217, 98, 20), (131, 133, 139)
COLOURS = 32
MOST_POINTS = 140  # eight pixels each


def png(points: Sequence[Point]) -> bytes:
    """A PNG of at least two points, oldest first; below 20 kB."""
    from PIL import Image, ImageDraw  # only who writes mails needs it

    size = (WIDTH * FINER, HEIGHT * FINER)
    image = Image.new("RGBA", size, (*VALUE, 0))
    draw = ImageDraw.Draw(image)
    shown = thinned(points)
    place = Places(shown, size)
    ground = place.y(place.low)
    values = [place.of(float(point.value), point) for point in shown]
    draw.polygon([(values[0][0], ground), *values, (values[-1][0], ground)], fill=(*VALUE, 56))
    draw.line([(PAD, ground), (size[0] - PAD, ground)], fill=(*GROUND, 255), width=2 * FINER)
    lines = [place.of(float(point.line), point) for point in shown if point.line is not None]
    dashes(draw, lines)
    draw.line(values, fill=(*VALUE, 255), width=5 * FINER, joint="curve")
    x, y = values[-1]
    r = 9 * FINER
    draw.ellipse([(x - r, y - r), (x + r, y + r)], fill=(*VALUE, 255))
    small = image.reduce(FINER)
    out = BytesIO()
    small.quantize(COLOURS, method=Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
    return out.getvalue()


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most so many of the points, evenly spread; the last always stays."""
    step = len(points) // MOST_POINTS + 1
    return list(points[::-1][::step])[::-1]


class Places:
    """Where a moment and a value lie; nought is the ground unless a value is below it."""

    def __init__(self, points: Sequence[Point], size: tuple[int, int]) -> None:
        amounts = [float(point.value) for point in points] + [float(p.line) for p in points if p.line is not None]
        self.low, self.high = min(0.0, *amounts), max(amounts)
        if self.high == self.low:
            self.high = self.low + 1
        self.start, self.end = points[0].at.timestamp(), points[-1].at.timestamp()
        self.width, self.height = size
        self.pad = PAD * FINER

    def of(self, value: float, point: Point) -> tuple[float, float]:
        whole = self.end - self.start or 1
        share = (point.at.timestamp() - self.start) / whole
        return self.pad + share * (self.width - 2 * self.pad), self.y(value)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.height - self.pad - share * (self.height - 2 * self.pad)


def dashes(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]]) -> None:
    """A dashed line in steps, as a line that a person moves is."""
    dash = 22 * FINER
    for (x, y), (following, _y) in pairwise(points):
        at = x
        while at < following:
            if int(at // dash) % 2 == 0:
                end = min((at // dash + 1) * dash, following)
                draw.line([(at, y), (end, y)], fill=(*LINE, 255), width=4 * FINER)
            at = (at // dash + 1) * dash
