"""Delivery makes a mail of what its alert holds, and imports nothing from costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shape import imported_names

DELIVERY = sorted((Path(__file__).parents[2] / "alerts/delivery").glob("*.py"))


def imported_apps(source: str) -> set[str]:
    return {name.partition(".")[0] for name in imported_names(source, "alerts.delivery")}


def test_an_import_from_costs_is_seen() -> None:
    assert len(DELIVERY) > 10
    assert imported_apps("import costs.models\nfrom lib import errors\nfrom . import smtp") == {
        "costs",
        "lib",
        "alerts",
    }


@pytest.mark.parametrize("path", DELIVERY, ids=lambda path: path.name)
def test_delivery_imports_nothing_from_costs(path: Path) -> None:
    assert "costs" not in imported_apps(path.read_text())
