"""The statements of a month as one PDF for a mail or a file: made here, without a browser and without the network.

What stands in it is a plain list of `Block`s, from the same rows as the pages; drawing adds no figure. Letters that the
font does not have (it holds Latin, Greek, Cyrillic, Armenian and Georgian) are drawn as a box, and the name is followed
by what else is known of it by: an application by its slug, a person by the user name.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from fpdf import FPDF, XPos, YPos
from fpdf.enums import Align, TableBordersLayout, TextEmphasis
from fpdf.fonts import FontFace

from costs.models import Provenance
from costs.statements.queries import Statement, StatementLine, Statements
from lib.formats import at_least, at_least_dollars

FONT = Path(__file__).parents[1] / "fonts" / "DejaVuSans.ttf"
FAMILY, BOX = "DejaVu", "\N{WHITE SQUARE}"
# It tells at length which glyphs it keeps.
logging.getLogger("fontTools.subset").setLevel(logging.WARNING)
INK, SOFT, RULE = (22, 24, 29), (65, 70, 78), (200, 196, 186)
MARGIN = 18.0  # mm
KEPT, TALLEST = 2, 10.5  # rows of a table's end that stay on one page, and mm of one whose text takes two lines


@dataclass
class Block:
    """A table with a line above it; `widths` are shares, the last column is money, `total` its sum.

    The last `numbers` columns are figures, which stand right.
    """

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    total: Decimal
    widths: tuple[int, ...]
    notes: list[str] = field(default_factory=list)
    numbers: int = 1
    unpriced: int = 0  # requests without a price, for which the total is a lower bound


@dataclass
class Sheet:
    """What is to be drawn, as text."""

    title: str
    lines: list[str]
    blocks: list[Block]
    foot: str


def sheet(month_statements: Statements, chosen: Sequence[Statement]) -> Sheet:
    """All of it where `chosen` is all; an overview first where there are several."""
    total = sum((statement.total for statement in chosen), Decimal(0))
    unpriced = sum(statement.unpriced for statement in chosen)
    blocks = [overview(chosen, total, unpriced)] if len(chosen) > 1 else []
    month = date_format(month_statements.month, "F Y")
    share = (
        _("%(total)s of the month’s %(all)s in the ledger.")
        if month_statements.whole
        else _("%(total)s in the ledger.")
    )
    return Sheet(
        title=_("Statement of costs, %(month)s") % {"month": month},
        lines=[
            share % {"total": at_least_dollars(total, unpriced), "all": month_statements.total_words},
            state_of(month_statements),
        ],
        blocks=[*blocks, *(block_of(month_statements, statement) for statement in chosen)],
        foot=_("Breakeven. Lines are rounded to cents and add up to statements, and statements to the ledger."),
    )


def state_of(month_statements: Statements) -> str:
    """Whether anything may still change."""
    day = date_format(month_statements.final_on, "j F Y")
    if month_statements.final:
        return _("Final.")
    if month_statements.running:
        return _("Not final: the month is not over. Final on %(day)s.") % {"day": day}
    return _("Not final: vendors may revise it until %(day)s.") % {"day": day}


def overview(chosen: Sequence[Statement], total: Decimal, unpriced: int) -> Block:
    rows = [
        (
            name_of(statement),
            f"{statement.requests:,}" if statement.requests else "–",
            at_least(statement.total, statement.unpriced),
        )
        for statement in chosen
    ]
    head = (_("Statement"), _("Requests"), _("USD"))
    return Block(_("Total"), head, rows, total, (60, 20, 20), numbers=2, unpriced=unpriced)


def block_of(month_statements: Statements, statement: Statement) -> Block:
    head = (_("For"), _("Provider"), _("Model"), _("Source"), _("USD"))
    notes = []
    if statement.unpriced:
        text = ngettext(
            "The total is a minimum: %(n)s request has no price.",
            "The total is a minimum: %(n)s requests have no price.",
            statement.unpriced,
        )
        notes.append(text % {"n": f"{statement.unpriced:,}"})
    rows = [(for_what(month_statements, statement, row), readable(row.provider_name), readable(row.key.model) or "–",
             known_from(row), money(row.cents)) for row in statement.rows]  # fmt: skip
    widths = (30, 18, 24, 14, 14)
    return Block(name_of(statement), head, rows, statement.total, widths, notes, unpriced=statement.unpriced)


def for_what(month_statements: Statements, statement: Statement, row: StatementLine) -> str:
    """What a line is for, and whose it is where the statement is of several applications."""
    parts = [row.category_name, row.why]
    if row.key.application and month_statements.by == "owner":
        parts.insert(0, readable(month_statements.names.get(row.key.application, ""), row.key.application))
    return readable(", ".join(part for part in parts if part))


def known_from(row: StatementLine) -> str:
    """The provenances, the largest first."""
    order = sorted(row.provenance, key=lambda name: -abs(row.provenance[name]))
    return ", ".join(str(Provenance(name).label) for name in order if row.provenance[name])


def name_of(statement: Statement) -> str:
    return readable(statement.name, statement.key if statement.has_name and not statement.key.startswith("~") else "")


@cache
def letters() -> frozenset[int]:
    """The characters that the font has."""
    return frozenset(Paper("").fonts[FAMILY.lower()].cmap)  # type: ignore[union-attr]  # a font of a file


def readable(text: str, key: str = "") -> str:
    """The text as the font can write it; the key beside it where letters are missing."""
    drawable = "".join(letter if ord(letter) in letters() else BOX for letter in text if letter.isprintable())
    return f"{drawable} ({key})" if key and BOX in drawable and drawable != text else drawable


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}".replace("-", "−")


class Paper(FPDF):
    """A4 with a line at the foot of each page."""

    def __init__(self, foot: str) -> None:
        super().__init__(format="A4")
        self.foot = foot
        self.add_font(FAMILY, "", FONT)
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=MARGIN + 4)
        self.alias_nb_pages()

    def footer(self) -> None:
        self.set_y(-MARGIN)
        self.set_font(FAMILY, "", 7)
        self.set_text_color(*SOFT)
        self.cell(0, 4, self.foot)
        self.set_x(-MARGIN - 20)
        self.cell(20, 4, f"{self.page_no()}/{{nb}}", align="R")


def pdf(month_statements: Statements, chosen: Sequence[Statement], at: datetime) -> bytes:
    """The file; the same bytes for the same figures and moment."""
    page = sheet(month_statements, chosen)
    paper = Paper(page.foot)
    paper.set_creation_date(at.astimezone(UTC))
    paper.set_title(page.title)
    paper.add_page()
    paper.set_text_color(*INK)
    write(paper, page.title, 17, gap=2)
    for line in page.lines:
        write(paper, line, 9.5)
    for block in page.blocks:
        draw(paper, block)
    return bytes(paper.output())


def write(paper: FPDF, text: str, size: float, gap: float = 0) -> None:
    paper.set_font(FAMILY, "", size)
    paper.multi_cell(0, size * 0.5, text, align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.ln(gap)


def draw(paper: FPDF, block: Block) -> None:
    """A table that repeats its head on every page; its sum never stands on a page without a row."""
    if paper.will_page_break(44):  # a title and its first rows stay together
        paper.add_page()
    paper.ln(6)
    paper.set_text_color(*INK)
    write(paper, f"{block.title}: {at_least_dollars(block.total, block.unpriced)}", 11.5, gap=1)
    for note in block.notes:
        write(paper, note, 8.5, gap=1)
    paper.set_font(FAMILY, "", 8)
    paper.set_draw_color(*RULE)
    rows = [block.head, *block.rows, sum_row(block)]
    if len(rows) > KEPT + 1:
        table_of(paper, rows[:-KEPT], block.widths, block.numbers, headed=True)
        if paper.will_page_break(KEPT * TALLEST):
            paper.add_page()
            rows = [block.head, *rows[-KEPT:]]
        else:
            paper.line(paper.l_margin, paper.get_y(), paper.w - paper.r_margin, paper.get_y())
            rows = rows[-KEPT:]
    table_of(paper, rows, block.widths, block.numbers, headed=rows[0] is block.head)


def table_of(
    paper: FPDF, rows: Sequence[tuple[str, ...]], widths: tuple[int, ...], numbers: int, *, headed: bool
) -> None:
    """Draw rows of text; the last `numbers` columns stand right."""
    with paper.table(
        col_widths=widths,
        text_align=tuple(["LEFT"] * (len(widths) - numbers) + ["RIGHT"] * numbers),
        first_row_as_headings=headed,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis=TextEmphasis.NONE, color=SOFT),
        line_height=4.6,
        padding=0.6,
    ) as table:
        for cells in rows:
            row = table.row()
            for cell in cells:
                row.cell(cell)


def sum_row(block: Block) -> tuple[str, ...]:
    return (_("Total"), *("" for _name in block.head[1:-1]), at_least(block.total, block.unpriced))
