"""Texts that people read keep to docs/reference/copy.md: words not used, length of a sentence, no semicolon."""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dashboard.api import api
from tests.copy_rules import faults

ROOT = Path(__file__).parent.parent
APPS = ("providers", "traffic", "costs", "alerts", "dashboard", "lib")
# Every folder with texts; "shared" are the templates outside any folder.
FOLDERS = (
    "alerts",
    "costs",
    "dashboard",
    "lib",
    "providers",
    "templates/alerts",
    "templates/charts",
    "templates/costs",
    "templates/dashboard",
    "templates/providers",
    "templates/registration",
    "templates/shared",
    "templates/traffic",
    "traffic",
)
GETTEXT = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy", "npgettext"}
GETTEXT |= {"gettext_noop"}
PLAIN = {"label", "help_text", "empty_label", "help"}
SHOWN = {"write", "print"}  # what a command shows
# Errors of Python and Django; those of the code are found by their bases. What these functions are given is shown too.
ERRORS = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
ERRORS |= {"ArgumentTypeError", "CommandError", "ImproperlyConfigured", "SerializationFailure", "ValidationError"}
REFUSING = {"Bad", "at", "come_back", "fail", "file_probe", "refuse", "reject", "say", "wrong"}
# Reference pages are about the research, and name it.
ABOUT_THE_RESEARCH = ("costs/research/", "templates/costs/research/")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every text for people in one file, with its line: translations, and labels and helps of forms."""
    source = path.read_text()
    if path.suffix == ".py":
        tree = ast.parse(source)
        constants = {ast.unparse(line.targets[0]): line.value for line in tree.body if isinstance(line, ast.Assign)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from of_a_call(node, is_command="commands" in path.parts)
                yield from of_an_error(node, constants)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from of_a_function(node)
            if isinstance(node, ast.ClassDef):
                yield from of_a_class(node)
        return
    for match in re.finditer(r"""(?:\{%\s*trans(?:late)?\s+|\b_\()(?:"([^"]*)"|'([^']*)')""", source):
        yield source.count("\n", 0, match.start()) + 1, match[1] or match[2]
    for match in re.finditer(r"\{%\s*blocktrans(?:late)?\b.*?%\}(.*?)\{%\s*endblocktrans(?:late)?", source, re.DOTALL):
        for part in re.split(r"\{%\s*plural\s*%\}", match[1]):
            yield source.count("\n", 0, match.start()) + 1, " ".join(part.split())


def called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def of_a_call(node: ast.Call, *, is_command: bool) -> Iterator[tuple[int, str]]:
    name = called(node)
    values = list(node.args) if name in GETTEXT or (is_command and name in SHOWN) else []
    values += [keyword.value for keyword in node.keywords if keyword.arg in PLAIN]
    yield from written(values)


def of_an_error(node: ast.Call, constants: dict[str, ast.expr]) -> Iterator[tuple[int, str]]:
    """The sentences of an error or of a refusal, also where a constant of the module holds one."""
    if called(node) in errors() | REFUSING:
        values = [constants.get(ast.unparse(value), value) for value in arguments(node)]
        yield from written(values)


def of_a_function(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """The sentences that a name of the function holds until an error or a refusal is given it."""
    nodes = list(ast.walk(function))
    refusals = [node for node in nodes if isinstance(node, ast.Call) and called(node) in errors() | REFUSING]
    names = {ast.unparse(value) for call in refusals for value in arguments(call)}
    lines = [node for node in nodes if isinstance(node, ast.Assign)]
    yield from written([line.value for line in lines if ast.unparse(line.targets[0]) in names])


@cache
def errors() -> set[str]:
    """The names of all errors: Python's, Django's, and every class of the apps that is made of one."""
    names, before = {*ERRORS}, 0
    classes = [
        (node.name, {ast.unparse(base).split(".")[-1] for base in node.bases})
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    while len(names) > before:
        before = len(names)
        names |= {name for name, bases in classes if bases & names}
    return names


def of_a_class(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    """The help of a command, and the labels of choices."""
    is_choices = any("Choices" in ast.unparse(base) for base in node.bases)
    for line in node.body:
        if not isinstance(line, ast.Assign):
            continue
        if is_choices and isinstance(line.value, ast.Tuple):
            yield from written(line.value.elts[1:])
        elif node.name == "Command" and ast.unparse(line.targets[0]) == "help":
            yield from written([line.value])


def written(values: list[ast.expr]) -> Iterator[tuple[int, str]]:
    """The texts among expressions; a value in an f-string is a placeholder."""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.lineno, value.value
        if isinstance(value, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in value.values]
            yield value.lineno, "".join(map(str, parts))
        if isinstance(value, ast.BinOp | ast.IfExp):  # "one" + "two", "{}" % value, "one" if few else "two"
            yield from written(
                [getattr(value, name) for name in ("left", "right", "body", "orelse") if hasattr(value, name)]
            )


def files(folder: str) -> list[Path]:
    if folder == "templates/shared":
        return sorted((ROOT / "templates").glob("*.html"))
    paths = (ROOT / folder).rglob("*")
    return sorted(path for path in paths if path.suffix in (".py", ".html", ".txt") and "migrations" not in path.parts)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_text_keeps_to_the_rules_of_copy(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {', '.join(names)}: {text}"
        for path in files(folder)
        for line, text in texts(path)
        if (names := faults(text)) and not str(path.relative_to(ROOT)).startswith(ABOUT_THE_RESEARCH)
    ]
    assert found == [], f"{len(found)} texts; docs/reference/copy.md has the words to use\n" + "\n".join(found)


@pytest.mark.parametrize("name", ["default_routes", "default_rubrics"])
def test_what_every_installation_starts_with_keeps_to_the_rules_of_copy(name: str) -> None:
    shown = [row["name"] for row in json.loads((ROOT / f"traffic/data/{name}.json").read_text())]
    assert shown
    assert {text: names for text in shown if (names := faults(text))} == {}


def of_the_schema(part: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every summary and description of the JSON API, with its place; titles are made of the names of fields."""
    for name, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if name in ("summary", "description") and isinstance(value, str):
            yield f"{place}/{name}", " ".join(value.split())
        yield from of_the_schema(value, f"{place}/{name}")


def test_the_json_api_keeps_to_the_rules_of_copy() -> None:
    texts_of_api = dict(of_the_schema(api.get_openapi_schema(path_prefix="/api/v1/")))
    assert "Requests, tokens and cost" in texts_of_api.values()
    found = [f"{place}: {', '.join(faults(text))}: {text}" for place, text in texts_of_api.items() if faults(text)]
    assert found == [], f"{len(found)} texts; docs/reference/copy.md has the words to use\n" + "\n".join(found)


def test_no_folder_is_left_out() -> None:
    folders = {*APPS, "templates/shared"} | {
        f"templates/{path.name}" for path in (ROOT / "templates").iterdir() if path.is_dir()
    }
    assert {*FOLDERS} == folders


@pytest.mark.parametrize(
    "text",
    [
        "Told",
        "The vendor tells no bill.",
        "{name} asks for a key.",
        "Nobody has it.",
        "Do it",
        "2 rules cry wolf",
        "It speaks for 2 others",
        "Costed anew",
        "As the research has it",
        "Take a snooze back",
        "Say what the key may do.",
        "Saved; it holds at once.",
        "No free slot. Come back.",
        "Calls stay on our own machines",
        " ".join(["word"] * 21),
    ],
)
def test_what_the_rules_forbid_is_seen(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "Notified",
        "All clear: no open alerts",
        "RunPod &amp; Vast.ai report no bill.",
        "Ask ops to add one.",
        "2 unassigned",
    ],
)
def test_what_the_rules_allow_passes(text: str) -> None:
    assert faults(text) == []


def test_texts_are_read_from_templates_and_from_python(tmp_path: Path) -> None:
    page, form = tmp_path / "page.html", tmp_path / "forms.py"
    page.write_text(
        '{% th "x" _("Zero") %}{% translate "One" %}\n'
        "{% blocktranslate with a=b trimmed %}\n Two\n{% plural %}\nThree{% endblocktranslate %}"
    )
    form.write_text(
        '_("Four")\nngettext("Five", "Six", 2)\nCharField(label="Seven", help_text="Eight")\nlogger.info("no text")'
    )
    assert [text for _line, text in texts(page)] == ["Zero", "One", "Two", "Three"]
    assert [text for _line, text in texts(form)] == ["Four", "Five", "Six", "Seven", "Eight"]
    assert [line for line, _text in texts(page)] == [1, 1, 2, 2]


def test_texts_are_read_from_errors_and_refusals(tmp_path: Path) -> None:
    errors_of_app = tmp_path / "errors.py"
    errors_of_app.write_text(
        'FULL = "One"\nraise ApiError(503, FULL)\nraise Refusal(429, "code", f"{n} Two") from None\n'
        'raise BackupError("Three" if few else "Four" + five)\nraise come_back(1, "code", message="Five %s" % six)\n'
        'parsed.reject(rows, "Six")\nlog_event("no text")'
    )
    read = [text for _line, text in texts(errors_of_app)]
    assert [text for text in read if text != "code"] == ["One", "{} Two", "Three", "Four", "Five %s", "Six"]


def test_texts_are_read_from_commands_and_choices(tmp_path: Path) -> None:
    (tmp_path / "commands").mkdir()
    command, states = tmp_path / "commands" / "x.py", tmp_path / "states.py"
    command.write_text(
        'class Command(BaseCommand):\n    help = "One"\n    def handle(self):\n        self.stdout.write(f"{n} Two")\n'
        '        parser.add_argument("--x", help="Three")\n        raise CommandError("Four")\n'
        '    def refuse(self):\n        words = f"{n} Five"\n        raise CommandError(words)\n'
    )
    states.write_text('class State(models.TextChoices):\n    A = "a", "Five"\n    B = "b", _("Six")\n')
    assert [text for _line, text in texts(command)] == ["One", "{} Five", "{} Two", "Three", "Four"]
    assert sorted(text for _line, text in texts(states)) == ["Five", "Six"]
    assert faults("taken back") and faults("at work") and faults("being worked out")
