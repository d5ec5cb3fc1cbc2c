"""Modules that documents, scripts and programs in texts name are there: no type checker and no linter sees them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.copy_rules import wrong

ROOT = Path(__file__).parents[1]
HOW_TO = (ROOT / "docs/how-to").glob("add-*.md")
DOCUMENTS = [ROOT / "CONTRIBUTING.md", ROOT / "docs/explanation/architecture.md", *HOW_TO]
# Decisions keep the words of their day, and copy.md quotes the words that it forbids.
PLAIN = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/glossary.md")),
    *sorted(path for name in ("explanation", "how-to", "reference") for path in (ROOT / "docs" / name).glob("*.md")),
]
PLAIN.remove(ROOT / "docs/reference/copy.md")
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


def programs() -> Iterator[tuple[str, str, str]]:
    """Each `from module import name` in a text of our Python: a program that another process is given."""
    imports = re.compile(
        r"^\s*from ((?:lib|providers|traffic|costs|alerts|dashboard|demo|sandbox|benchmarks)[\w.]*) import ([\w, ]+)",
        re.MULTILINE,
    )
    for folder in ("benchmarks", "demo", "sandbox", "dashboard", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not imports.search(text := path.read_text()):
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for module, names in imports.findall(node.value):
                        yield from ((str(path), module, name.strip()) for name in names.split(",") if name.strip())


def test_what_a_program_in_a_text_imports_exists() -> None:
    """All of them in one test: to look for them when tests are collected takes each worker a second."""
    texts = list(programs())
    assert texts, "nothing is checked"
    missing = []
    for path, module, name in texts:
        if not hasattr(import_module(module), name) and find_spec(f"{module}.{name}") is None:
            missing.append((path, module, name))
    assert missing == []


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_a_document_keeps_to_the_rules_of_copy(path: Path) -> None:
    assert wrong(path) == []


def test_a_long_sentence_and_an_old_word_of_a_document_are_named_with_their_line(tmp_path: Path) -> None:
    document = tmp_path / "one.md"
    document.write_text(
        "# Title\n\n```sh\ntold; told\n```\n\nIt says 1,234. A `told;` is code.\n\n- Nobody\n  has it.\n"
    )
    assert [line.partition(": ")[0] for line in wrong(document)] == [f"{document}:7", f"{document}:9"]
