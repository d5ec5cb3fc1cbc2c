"""Modules that documents name are there: a newcomer follows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOW_TO = (ROOT / "docs/how-to").glob("add-*.md")
DOCUMENTS = [ROOT / "CONTRIBUTING.md", ROOT / "docs/explanation/architecture.md", *HOW_TO]
NAMED = re.compile(r"`((?:lib|providers|traffic|costs|alerts|dashboard|benchmarks|sandbox|templates|tests)/[\w/.-]*)`")


STARTED = re.compile(r"python -m ((?:dashboard|demo|sandbox|benchmarks)[\w.]*)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    names = set(NAMED.findall(document.read_text()))
    assert names, "nothing is checked"
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


def test_every_module_that_a_script_starts_exists() -> None:
    """A set-up that was made before a module moved would not show that `make setup` no longer finds it."""
    scripts = ["Makefile", "Procfile", "Dockerfile", "requirements/install.sh", "dashboard/up/command.py"]
    started = {
        module
        for script in scripts
        for module in re.findall(
            r"python -m ((?:dashboard|demo|sandbox|benchmarks)[\w.]*)", (ROOT / script).read_text()
        )
    }
    assert "dashboard.static_files.collect" in started
    assert [module for module in sorted(started) if not (ROOT / f"{module.replace('.', '/')}.py").exists()] == []
