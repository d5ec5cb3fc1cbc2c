"""A trial's report as a PDF to file: the same sentences and figures as on its page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from costs.statements.pdf import FAMILY, INK, RULE, SOFT, Paper, readable, table_of, write
from costs.trials.page import StepRow, TrialPage
from lib.formats import dollars, duration
from traffic.trials.measure import FIRST_TOKEN_LIMIT_MS
from traffic.trials.page import speed

HEIGHT, BELOW = 45.0, 6.0  # mm of the plot and of its axis' words
WHITE = (255, 255, 255)
COLOURS = ((0, 102, 153), (190, 95, 0))  # of the candidate and the baseline


def pdf(page: TrialPage, at: datetime) -> bytes:
    """The file; the same bytes for the same figures and moment."""
    trial = page.trial
    paper = Paper(_("Breakeven. Measured at the stated concurrency, with the prompts of this trial."))
    paper.set_creation_date(at.astimezone(UTC))
    paper.set_title(readable(trial.name))
    paper.add_page()
    paper.set_text_color(*INK)
    write(paper, readable(_("Trial: %(name)s") % {"name": trial.name}), 17, gap=2)
    # A file is read by people of other time zones too, so its hour names its own.
    ended = date_format((trial.finished_at or at).astimezone(UTC), "j F Y H:i") + " UTC"
    for line in (
        page.headline(), page.against(), f"{trial.get_state_display()}, {ended}",
        f"{page.source_words()}. {page.spent_words()}.", trial.problem, *page.side_words(), page.break_even_words(),
    ):  # fmt: skip
        if line:
            write(paper, readable(str(line)), 9.5)
    curve(paper, _("Output tokens/s by calls at once"), page.throughput["series"], None)
    curve(paper, _("First token in ms, 95th percentile, by calls at once"), page.first_token["series"],
          FIRST_TOKEN_LIMIT_MS)  # fmt: skip
    section(paper, _("Steps"))
    steps = (_("Deployment"), _("At once"), _("Calls"), _("Errors"), _("tokens/s"), _("one stream"),
             _("first token p95"), _("whole p95"), _("1M tokens"))  # fmt: skip
    table_of(paper, [steps, *map(cells, page.rows)], (22, 9, 9, 9, 10, 10, 12, 10, 11), 8, headed=True)
    section(paper, _("Four criteria"))
    criteria = [
        (row.name(), row.criterion.word, row.value(), row.needed(), readable(row.criterion.sentence))
        for row in page.criteria
    ]
    head = (_("Criterion"), _("State"), _("Value"), _("Required"), _("Evidence"))
    table_of(paper, [head, *criteria], (24, 14, 12, 12, 40), 0, headed=True)
    section(paper, _("Answers compared"))
    write(paper, page.pair_words(), 9.5)
    return bytes(paper.output())


def cells(row: StepRow) -> tuple[str, ...]:
    step, cost = row.step, row.cost_per_million()
    times = (duration(value) if value is not None else "–" for value in (step.ttft_p95_ms, step.latency_p95_ms))
    return (
        readable(step.deployment.name), str(step.concurrency), f"{step.requests:,}", f"{step.errors:,}",
        row.speed() or "–", row.stream_speed() or "–", *map(str, times), dollars(cost) if cost is not None else "–",
    )  # fmt: skip


def section(paper: Paper, title: str) -> None:
    if paper.will_page_break(40):
        paper.add_page()
    paper.ln(5)
    paper.set_text_color(*INK)
    write(paper, title, 11.5, gap=1)
    paper.set_font(FAMILY, "", 8)
    paper.set_draw_color(*RULE)


def curve(paper: Paper, title: str, series: Sequence[dict[str, Any]], limit: float | None) -> None:
    """Lines over the concurrency, with a grid; nothing where nothing was measured."""
    points = [point for row in series for point in row["points"]]
    if not points:
        return
    if paper.will_page_break(HEIGHT + BELOW + 18):
        paper.add_page()
    section(paper, title)
    left, top, width = paper.l_margin + 12, paper.get_y() + 2, paper.epw - 14
    highest = max(max(y for _x, y in points), limit or 0)
    step = next(size for power in range(-3, 9) for digit in (1, 2, 5) if (size := digit * 10.0**power) >= highest / 5)
    most = step * math.ceil(highest / step)
    first, last = min(x for x, _y in points), max(x for x, _y in points)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + width * ((x - first) / (last - first) if last > first else 0.5), top + HEIGHT * (1 - y / most)

    paper.set_font(FAMILY, "", 7)
    paper.set_text_color(*SOFT)
    for tick in range(round(most / step) + 1):
        value = step * tick
        _x, y = place(first, value)
        paper.line(left, y, left + width, y)
        paper.text(paper.l_margin, y + 1, speed(value) if value else "0")
    for x in sorted({x for x, _y in points}):
        paper.text(place(x, 0)[0] - 1, top + HEIGHT + 4, str(x))
    if limit is not None:
        paper.set_dash_pattern(dash=1, gap=1)
        paper.set_draw_color(*INK)
        y = place(first, limit)[1]
        paper.line(left, y, left + width, y)
        paper.set_dash_pattern()
    for colour, row in zip(COLOURS, series, strict=False):
        paper.set_draw_color(*colour)
        paper.set_fill_color(*colour)
        spots = [place(x, y) for x, y in row["points"]]
        paper.set_line_width(0.5)
        for (x0, y0), (x1, y1) in pairwise(spots):
            paper.line(x0, y0, x1, y1)
        for x, y in spots:
            paper.circle(x, y, 0.9, style="F")
        paper.set_line_width(0.2)
    paper.set_draw_color(*RULE)
    paper.set_fill_color(*WHITE)
    paper.set_y(top + HEIGHT + BELOW)
    for colour, row in zip(COLOURS, series, strict=False):
        paper.set_text_color(*colour)
        write(paper, readable(str(row["name"])), 8)
    paper.set_text_color(*INK)
