"""Views of the alerts and of the project ask queries and services; delivery knows no costs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIEWS = sorted(
    path
    for app in ("alerts", "dashboard")
    for pattern in ("*views*.py", "api.py")
    for path in (ROOT / app).rglob(pattern)
)
DELIVERY = sorted((ROOT / "alerts/delivery").glob("*.py"))
ORM_NAMES = {"get_object_or_404", "get_list_or_404", "transaction"}
ORM_ATTRIBUTES = {
    "objects", "_default_manager", "save", "select_related", "prefetch_related", "annotate", "aggregate",
    "values_list", "order_by", "update_or_create", "get_or_create", "bulk_create", "refresh_from_db",
}  # fmt: skip


def orm_uses(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)} & ORM_NAMES
    # What a service of the same name does is no use of the ORM.
    attributes = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "services")
    }
    return names | attributes & ORM_ATTRIBUTES


def imported_apps(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text)))
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {module.partition(".")[0] for module in modules}


def test_there_are_views_and_uses_to_look_at() -> None:
    assert len(VIEWS) > 15 and len(DELIVERY) > 10
    assert orm_uses("row = get_object_or_404(Row, pk=pk)\nrow.save()\nRow.objects.order_by()") == {
        "get_object_or_404", "save", "objects", "order_by",
    }  # fmt: skip
    assert orm_uses("services.save(form=form)") == set()
    assert imported_apps("import costs.models\nfrom lib import errors") == {"costs", "lib"}


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_view_does_not_touch_the_orm(path: Path) -> None:
    assert orm_uses(path.read_text()) == set()


@pytest.mark.parametrize("path", DELIVERY, ids=lambda path: path.name)
def test_delivery_imports_nothing_from_costs(path: Path) -> None:
    assert "costs" not in imported_apps(path.read_text())
