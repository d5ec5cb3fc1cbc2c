"""Modules that documents, scripts and programs in texts name are there: no type checker and no linter sees them."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOW_TO = (ROOT / "docs/how-to").glob("add-*.md")
DOCUMENTS = [ROOT / "CONTRIBUTING.md", ROOT / "docs/explanation/architecture.md", *HOW_TO]
NAMED = re.compile(r"`((?:lib|providers|traffic|costs|alerts|dashboard|benchmarks|sandbox|templates|tests)/[\w/.-]*)`")


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


def programs() -> list[tuple[str, str, str]]:
    """Each `from module import name` in a text of our Python: a program that another process is given."""
    imports = re.compile(
        r"^\s*from ((?:lib|providers|traffic|costs|alerts|dashboard|demo|sandbox|benchmarks)[\w.]*) import ([\w, ]+)",
        re.MULTILINE,
    )
    return [
        (str(path.relative_to(ROOT)), module, name.strip())
        for folder in ("benchmarks", "demo", "sandbox", "dashboard", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for module, names in imports.findall(node.value)
        for name in names.split(",")
        if name.strip()
    ]


@pytest.mark.parametrize(("path", "module", "name"), programs())
def test_what_a_program_in_a_text_imports_exists(path: str, module: str, name: str) -> None:
    assert hasattr(import_module(module), name) or import_module(f"{module}.{name}"), path
