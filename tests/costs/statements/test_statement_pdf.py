"""The statements as a PDF: the figures of the ledger, to the cent, whatever the names are written in."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from costs.statements.pdf import Block, Paper, draw, pdf, readable, sheet, write
from costs.statements.queries import statements
from lib.periods import next_month
from tests.costs.month import TODAY, URL
from tests.costs.pdf_text import text_of
from tests.costs.people import client_of, text
from traffic.models import Application

NAMES = {"shop": "Боты & <script>Ω</script> (x)", "docs": "支持 bot 🚀", "chat": "Ünï-çôdé"}


@pytest.fixture
def named(month: date) -> date:
    for slug, name in NAMES.items():
        Application.objects.filter(slug=slug).update(name=name)
    return month


@pytest.mark.parametrize("by", ["application", "owner"])
def test_the_file_says_the_ledgers_figures_to_the_cent(named: date, by: Any) -> None:
    found = statements(named, by, TODAY)
    said = text_of(pdf(found, found.statements, timezone.now()))
    whole = "\n".join(said)
    assert f"{found.total:,.2f}" == "14.01"
    assert "≥\u202f$14.01 of the month’s ≥\u202f$14.01 in the ledger." in whole
    for one in found.statements:
        assert f"{': ≥' + chr(0x202F) if one.unpriced else ': '}${one.total:,.2f}" in whole
        for row in one.rows:
            assert f"{row.cents:,.2f}" in said
    page = sheet(found, found.statements)
    overview, *blocks = page.blocks
    assert sum(Decimal(row[-1].removeprefix("≥\u202f")) for row in overview.rows) == found.total == overview.total
    for one, block in zip(found.statements, blocks, strict=True):
        assert (
            sum(Decimal(row[-1].replace(",", "").replace("−", "-")) for row in block.rows) == one.total == block.total
        )


def test_names_are_text_in_any_script_and_what_has_no_letters_is_named_by_its_slug(named: date) -> None:
    found = statements(named, "application", TODAY)
    whole = "\n".join(text_of(pdf(found, found.statements, timezone.now())))
    assert NAMES["shop"] in whole and NAMES["chat"] in whole
    assert "□□ bot □ (docs)" in whole
    assert readable("中") == "\N{WHITE SQUARE}" and readable("Ada") == "Ada"


def test_it_says_whether_anything_may_still_change(named: date) -> None:
    later = {day: "\n".join(sheet(statements(named, "owner", day), []).lines) for day in (named, next_month(named))}
    assert "the month is not over" in later[named]
    assert "Not final: vendors may revise it until" in later[next_month(named)]
    assert "Final." in sheet(statements(named, "owner", date(2100, 1, 1)), []).lines


def test_the_same_figures_at_the_same_moment_are_the_same_file_and_long_ones_go_over_pages(named: date) -> None:
    found, at = statements(named, "application", TODAY), timezone.now()
    assert pdf(found, found.statements, at) == pdf(found, found.statements, at)
    many = [*found.statements] * 12
    assert text_of(pdf(found, many, at)).count("Provider") > 36, "the head of a table is said again on a new page"


def test_a_total_is_never_separated_from_its_rows_and_every_row_is_drawn_once() -> None:
    paper = Paper("")
    paper.add_page()
    head = ("For", "Provider", "Model", "Source", "USD")
    for n in range(1, 40):
        rows = [(f"row {n}.{place}", "", "", "", "1.00") for place in range(n)]
        draw(paper, Block(f"Block {n}", head, rows, Decimal(n), (30, 18, 24, 14, 14)))
    said = [one for one in text_of(bytes(paper.output())) if one]
    assert ("USD", "Total") not in set(pairwise(said))
    drawn = [one for one in said if one.startswith("row ")]
    assert drawn == [f"row {n}.{place}" for n in range(1, 40) for place in range(n)]
    assert said.count("Total") == 39


def test_the_words_of_a_long_line_are_not_spread_over_its_width() -> None:
    paper = Paper("")
    paper.compress = False
    paper.add_page()
    write(paper, "word " * 60, 9.5)
    assert b"[(" not in bytes(paper.output()), "a list of words and the widths between them"


def test_every_column_of_figures_stands_right(named: date) -> None:
    overview, *others = sheet(found := statements(named, "application", TODAY), found.statements).blocks
    assert overview.head[-overview.numbers :] == ("Requests", "USD")
    assert {block.head[-block.numbers :] for block in others} == {("USD",)}


def test_pages_offer_the_files(named: date) -> None:
    client, asked = client_of("manager"), f"month={named:%Y-%m}"
    assert "statements.pdf" in text(client, f"{URL}?{asked}")
    for path in (f"statements.pdf?{asked}&by=owner", f"{named:%Y-%m}/owner/ada/statement.pdf"):
        answer = client.get(URL + path)
        assert answer["Content-Type"] == "application/pdf" and answer.content.startswith(b"%PDF")
        assert "attachment" in answer["Content-Disposition"]
