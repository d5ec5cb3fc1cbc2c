"""Views of costs ask queries and services; the ORM is theirs alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

COSTS = Path(__file__).parents[2] / "costs"
VIEWS = sorted(path for path in COSTS.rglob("*views*.py"))
ORM_NAMES = {"get_object_or_404", "get_list_or_404", "prepared", "transaction"}
ORM_ATTRIBUTES = {
    "objects", "save", "delete", "select_related", "prefetch_related", "annotate", "aggregate", "values_list",
    "update_or_create", "get_or_create", "bulk_create", "refresh_from_db",
}  # fmt: skip


def orm_uses(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)} & ORM_NAMES
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)} & ORM_ATTRIBUTES


def test_there_are_views_to_look_at() -> None:
    assert len(VIEWS) > 15
    assert orm_uses("row = get_object_or_404(Row, pk=pk)\nrow.save()\nRow.objects.all()") == {
        "get_object_or_404", "save", "objects",
    }  # fmt: skip


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: str(path.relative_to(COSTS)))
def test_view_does_not_touch_the_orm(path: Path) -> None:
    assert orm_uses(path.read_text()) == set()
