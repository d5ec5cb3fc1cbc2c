"""Counts of the repository's shape, and the limits that each of them must keep.

    python -m tests.shape

Prints one line per count with its limit and, for what is beyond it, the places; exits 1 when a limit is not kept.
Circles of imports between siblings are held by import-linter (`acyclic_siblings` in pyproject.toml).
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
APPS = ("lib", "providers", "traffic", "costs", "alerts", "dashboard")
# Words that name nothing: a variable is called by what it holds.
WEAK_NAMES = {"found", "one", "said", "known", "given", "kept", "told", "asked"}
# Of managers, querysets and rows. What a service of the same name does is no use of the ORM.
ORM_NAMES = {"get_object_or_404", "get_list_or_404", "transaction"}
ORM_ATTRIBUTES = {
    "objects", "_default_manager", "save", "delete", "refresh_from_db", "select_for_update", "select_related",
    "prefetch_related", "annotate", "aggregate", "exclude", "values_list", "order_by", "update_or_create",
    "get_or_create", "bulk_create", "bulk_update", "atomic",
}  # fmt: skip
SERVICES = {"services", "late_texts"}
ROOT_OF_LIB = 30  # lib holds named things side by side, no nouns of the menu
SMALL = 40  # lines of a module that had better stand in the one that imports it


@dataclass(frozen=True, slots=True)
class Limit:
    """One count with what it may be at most, and where it is exceeded."""

    name: str
    count: int
    limit: int
    places: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return self.count <= self.limit

    def __str__(self) -> str:
        line = f"{self.name:<58}{self.count:>7,}  at most {self.limit:,}"
        return line if self.kept else "\n    ".join([f"{line}  EXCEEDED", *self.places])


def product_modules() -> list[Path]:
    """The product's Python without migrations; demo, sandbox, benchmarks and tests are none of it."""
    return sorted(path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    """The dotted name under which PATH is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_names(source: str, package: str) -> Iterator[str]:
    """Every dotted name that SOURCE imports, `from a import b` as `a.b`; relative imports are read from PACKAGE."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def orm_lines(source: str) -> list[int]:
    """The lines of SOURCE that use a manager, a queryset, a transaction or a row's own writes."""

    def uses(node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in ORM_NAMES
        return (
            isinstance(node, ast.Attribute)
            and node.attr in ORM_ATTRIBUTES
            and not (isinstance(node.value, ast.Name) and node.value.id in SERVICES)
        )

    return sorted(node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr) and uses(node))


def weak_names(source: str) -> list[int]:
    """The lines of SOURCE on which a variable or a parameter has a name that says nothing."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        name = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else None
        if name in WEAK_NAMES:
            lines.append(node.lineno)  # type: ignore[attr-defined]
    return sorted(lines)


def small_modules(modules: Iterable[Path]) -> list[str]:
    """Modules under SMALL lines that a single module imports; what Django or a command finds by its name is none."""
    importers: dict[str, set[str]] = defaultdict(set)
    sources = {path: path.read_text() for path in modules}
    names = {name_of(path) for path in sources}
    for path, source in sources.items():
        package = name_of(path) if path.name == "__init__.py" else name_of(path.parent / "__init__.py")
        for name in set(imported_names(source, package)) & names:
            if name != name_of(path):
                importers[name].add(name_of(path))
    small = [
        (path, len(source.splitlines()), importers[name_of(path)])
        for path, source in sources.items()
        if path.name != "__init__.py" and len(source.splitlines()) < SMALL
    ]
    return [
        f"{path.relative_to(ROOT)} ({lines} lines) is imported by {next(iter(sole))}"
        for path, lines, sole in small
        if len(sole) == 1
    ]


def templates() -> list[Path]:
    return sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())


def limits() -> list[Limit]:
    """Every count of the repository with its limit."""
    modules = product_modules()
    sources = {path: path.read_text() for path in modules}
    lengths = {path: len(source.splitlines()) for path, source in sources.items()}
    roots = Counter(path.parent.name for path in modules if path.parent.parent == ROOT and path.name != "__init__.py")
    views = [path for path in modules if "views" in path.name or path.name == "api.py"]
    orm = [f"{path.relative_to(ROOT)}:{line}" for path in views for line in orm_lines(sources[path])]
    weak = [f"{path.relative_to(ROOT)}:{line}" for path in modules for line in weak_names(sources[path])]
    small = small_modules(modules)
    lines = {path: max(map(len, path.read_text().splitlines()), default=0) for path in templates()}
    longest = max(lengths, key=lengths.__getitem__)
    widest = max(lines, key=lines.__getitem__)
    return [
        *(Limit(f"modules in {app}/", roots[app], ROOT_OF_LIB if app == "lib" else 12) for app in APPS),
        Limit("lines of the longest module", lengths[longest], 450, [str(longest.relative_to(ROOT))]),
        Limit(f"modules under {SMALL} lines with a single importer", len(small), 40, small),
        Limit("characters of the templates' longest line", lines[widest], 160, [str(widest.relative_to(ROOT))]),
        Limit("lines of views that use the ORM", len(orm), 0, orm),
        Limit("variables named by a word that says nothing", len(weak), 20, weak),
        Limit("lines of the product's Python", sum(lengths.values()), 126_000),
    ]


def main() -> int:
    counts = limits()
    sys.stdout.writelines(f"{count}\n" for count in counts)
    return 0 if all(count.kept for count in counts) else 1


if __name__ == "__main__":
    sys.exit(main())
