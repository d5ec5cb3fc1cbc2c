"""Views ask queries and services of their folder; none of them reads or writes the database itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIEWS = sorted((ROOT / "traffic").rglob("*views.py"))
# Of managers, querysets and rows. Forms have `save` too: a service calls it.
ORM = {
    "objects", "save", "delete", "refresh_from_db", "select_for_update", "bulk_create", "bulk_update", "values_list",
    "select_related", "prefetch_related", "annotate", "aggregate", "exclude", "atomic",
}  # fmt: skip
SHORTCUTS = {"get_object_or_404", "get_list_or_404"}
OTHERS = {("late_texts", "save")}  # a function of ingest, not a row


def database_uses(tree: ast.AST) -> list[int]:
    """Lines that use a manager, a queryset or a row's own writes."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ORM:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if (owner, node.attr) not in OTHERS:
                lines.append(node.lineno)
        elif isinstance(node, ast.Name) and node.id in SHORTCUTS:
            lines.append(node.lineno)
    return sorted(lines)


def test_views_are_found() -> None:
    assert len(VIEWS) > 10


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_views_do_not_use_the_orm(path: Path) -> None:
    assert database_uses(ast.parse(path.read_text())) == []


def test_a_use_of_the_orm_is_seen() -> None:
    source = (
        "row = Route.objects.filter(slug=slug).first()\nrow.save()\nget_object_or_404(Route)\nlate_texts.save(read)\n"
    )
    assert database_uses(ast.parse(source)) == [1, 2, 3]
