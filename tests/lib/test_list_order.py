"""The order of a list from its address: each column in both directions, unknown values last, anything else ignored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from lib.paging import Sorts, in_order, known_sort, page_number

SORTS: Sorts = {"name": lambda row: row["name"], "cost": lambda row: row["cost"]}
ROWS: list[dict[str, Any]] = [
    {"name": "beta", "cost": Decimal(3)},
    {"name": "Alpha", "cost": None},
    {"name": "", "cost": Decimal(0)},
    {"name": "gamma", "cost": Decimal(-1)},
]


def test_both_directions_and_what_is_unknown_is_last_in_both_and_is_no_zero() -> None:
    assert [row["cost"] for row in in_order(ROWS, SORTS, "cost")] == [-1, 0, 3, None]
    assert [row["cost"] for row in in_order(ROWS, SORTS, "-cost")] == [3, 0, -1, None]


def test_names_are_sorted_without_regard_to_capitals_and_empty_ones_are_last() -> None:
    assert [row["name"] for row in in_order(ROWS, SORTS, "name")] == ["Alpha", "beta", "gamma", ""]
    assert [row["name"] for row in in_order(ROWS, SORTS, "-name")] == ["gamma", "beta", "Alpha", ""]
    words: Any = {"word": lambda row: row}
    assert list(map(str, in_order([gettext_lazy("b"), gettext_lazy("A")], words, "word"))) == ["A", "b"]


@pytest.mark.parametrize("sort", [None, "", "-", "--cost", "price", "cost ", "name,cost", "\0", "x" * 10_000, "-Cost"])
def test_what_is_no_column_leaves_the_default_order(sort: str | None) -> None:
    assert in_order(ROWS, SORTS, sort) == ROWS
    assert known_sort(sort, SORTS) == ""


@given(st.lists(st.tuples(st.none() | st.decimals(allow_nan=False), st.integers())))
def test_equal_rows_keep_their_order_and_none_is_lost(rows: list[tuple[Decimal | None, int]]) -> None:
    sorts: Sorts = {"value": lambda row: row[0]}
    for sort in ("value", "-value"):
        ordered = in_order(rows, sorts, sort)
        assert sorted(map(str, ordered)) == sorted(map(str, rows))
        for value in {row[0] for row in rows}:
            assert [row for row in ordered if row[0] == value] == [row for row in rows if row[0] == value]


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("0", 1), ("-2", 1), ("", 1), ("x", 1), ("٣", 1), ("²", 1), ("9" * 400, 1)]
)
def test_the_number_of_a_page_is_one_where_it_is_none(text: str, number: int) -> None:
    assert page_number(text) == number
