"""The counts of the repository's shape see what they count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import shape


def test_there_is_something_to_count() -> None:
    views = [path for path in shape.product_modules() if "views" in path.name]
    assert len(shape.product_modules()) > 500 and len(views) > 50 and len(shape.templates()) > 200


def test_uses_of_the_orm_are_seen() -> None:
    source = "row = get_object_or_404(Row, pk=pk)\nrow.save()\nRow.objects.order_by()\nservices.save(form)\nform.data"
    assert shape.orm_lines(source) == [1, 2, 3, 3]


def test_weak_names_are_seen_as_variables_and_parameters() -> None:
    assert shape.weak_names("def f(given):\n    for one in given: pass\n    row.found = 'told'") == [1, 2, 2]


def test_small_modules_of_one_importer_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "ROOT", tmp_path)
    texts = {
        "a.py": "from app import b, c",
        "b.py": "from . import c",
        "c.py": "",
        "d.py": "import app.e",
        "e.py": "\n" * 40,
    }
    (tmp_path / "app").mkdir()
    for name, text in texts.items():
        (tmp_path / "app" / name).write_text(text)
    small = shape.small_modules(sorted((tmp_path / "app").iterdir()))
    assert small == ["app/b.py (1 lines) is imported by app.a"]  # c has two importers, e 40 lines, a and d none


def test_a_limit_that_is_not_kept_names_its_places() -> None:
    assert str(shape.Limit("modules", 3, 2, ["app/a.py"])).splitlines()[1] == "    app/a.py"
    assert not str(shape.Limit("modules", 2, 2, ["app/a.py"])).endswith("a.py")
