"""No text costs work out of proportion to its length: twice the text takes at most three times the processor's time.

Ratios and no seconds, of processor time and no wall clock, so that a busy machine changes nothing.
"""

from __future__ import annotations

import ast
import importlib
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.traffic.linearity import LEAST_S, assert_linear, seconds
from traffic.ingest.parse_lock import parse_lock
from traffic.redaction import rules as redaction
from traffic.redaction import work_bounds
from traffic.redaction.own_patterns import checked
from traffic.redaction.rules import EVERYTHING, Redaction

MB = 1_000_000


def filled(part: str, size: int) -> str:
    return (part * (size // len(part) + 1))[:size]


# What each shipped pattern finds hardest: beginnings that fail late, runs that begin again, and matches in plenty.
WORST = {
    "jwt-beginnings": "_eyJaaaaaaaa",
    "jwt-two-parts": "-eyJaaaaaaaa.bbbbbbbb",
    "jwt-with-others": "eyJ-AKIAIOSFODNN7EXAMPLE-",
    "jwts": "eyJaaaaaaaa.bbbbbbbb ",
    "secret-too-short": "-sk-aaaaaaaaaaaaaaa.",
    "secrets": "sk-aaaaaaaaaaaaaaaaaaaa ",
    "key-without-end": "-----BEGIN RSA PRIVATE KEY-----",
    "key-half-begun": "-----BEGIN AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "key-half-ended": "-----BEGIN PRIVATE KEY-----a-----END AAAAAAAAAA ",
    "single-digits": "4 4 1 1 ",
    "eleven-digits": "1 1 1 1 1 1 1 1 1 1 1 x ",
    "almost-cards": "4111111111111112 ",
    "cards": "4111 1111 1111 1111 ",
    "one-number": "4",
    "ats": "a@",
    "long-locals": "a" * 128 + "@ ",
    "long-domains": "x@" + ("a" * 63 + ".") * 8 + "1 ",
    "addresses": "ann@example.org ",
    "half-phones": "+1 ./1 ./1 ./1 ./",
    "zeros": "00 ",
    "brackets": "(12)1212121212121212x ",
    "groups": "0123 12345678 123456 123456 123456x",
    "spread-phones": "+1" + "  2" * 13 + "x ",
    "phones": "+39 06 1234 5678 ",
    "nearly-numbers": "123 456 78 ",
    "numeric": "( )-/. ",
    "json": '{"a":["',
}


@pytest.fixture
def without_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_bounds, "DEADLINE_S", 1e9)


@pytest.mark.usefixtures("without_deadline")
@pytest.mark.parametrize("part", WORST.values(), ids=WORST)
def test_the_worst_text_of_each_shipped_pattern_costs_no_more_than_its_length(part: str) -> None:
    """With an address in front, or a text of numbers alone would not be looked at by the others."""
    texts = ["@" + filled(part, size) for size in (MB // 2, MB)]
    assert_linear(lambda: EVERYTHING.text(texts[0]), lambda: EVERYTHING.text(texts[1]))


@pytest.mark.parametrize("part", ["1 1 1 1 1 1 1 1 1 1 1 x ", "123 456 78 ", "( )-/. ", "00 ", "0123 12 ", "a"])
def test_the_look_that_comes_first_costs_no_more_than_the_length(part: str) -> None:
    texts = [filled(part, size) for size in (MB, 2 * MB)]
    assert_linear(lambda: redaction.may_hold(texts[0]), lambda: redaction.may_hold(texts[1]))


@pytest.mark.usefixtures("without_deadline")
@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", ".*x", "(a|a){1,30}b", "a{1,100}a{1,100}b", "(a?){1,50}a{50}b", "[a-z]{1,99}0", r"(\w+\s?)+$"],
)
def test_an_own_pattern_costs_no_more_than_the_length_of_the_text(pattern: str) -> None:
    chosen = Redaction((), (checked(pattern),))
    texts = [filled("a", size) for size in (MB // 8, MB // 4)]
    assert_linear(lambda: chosen.text(texts[0]), lambda: chosen.text(texts[1]))


def test_matches_that_overlap_again_and_again_end_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each search is linear, but a pattern may look far ahead from each of its many matches."""
    monkeypatch.setattr(work_bounds, "DEADLINE_S", 0.05)
    chosen = Redaction((), (checked("x.*y|x"),))
    asked, over = list[bool](), work_bounds.Budget.over

    def noted(budget: work_bounds.Budget) -> bool:
        asked.append(over(budget))
        return asked[-1]

    monkeypatch.setattr(work_bounds.Budget, "over", noted)
    text = chosen.text("x" * MB)
    assert text.endswith(work_bounds.UNSEEN)
    assert asked == [False] * (len(asked) - 1) + [True], "nothing was looked at after the deadline"
    tree = chosen.tree(["x" * MB, "x" * 10, {"note": "x"}])
    assert tree[1] == work_bounds.UNSEEN  # one deadline for all texts of a value


def test_what_is_in_a_window_is_found_as_in_a_short_text() -> None:
    """Long texts are gone through in pieces; nothing may hide on an edge between two."""
    hidden = {
        "[e-mail]": "ann.lee@example.co.uk", "[card]": "4111 1111 1111 1111", "[phone]": "+39 06 1234 5678",
        "[secret]": "sk-abcdefghijklmnopqrstuv",
    }  # fmt: skip
    for instead, text in hidden.items():
        for place in range(work_bounds.WINDOW - len(text) - 2, work_bounds.WINDOW + 2):
            long = "é" * (place - 1) + " " + text + " " + "y" * work_bounds.WINDOW
            assert EVERYTHING.text(long) == long.replace(text, instead), (instead, place)


def test_a_text_of_a_million_characters_lets_other_threads_run() -> None:
    """A regular expression of Python keeps all threads waiting for as long as it searches."""
    text = "@" + filled("00 ", 3 * MB)
    ticks: list[float] = []
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(0.001):
            ticks.append(time.monotonic())

    other = threading.Thread(target=tick)
    other.start()
    EVERYTHING.text(text)
    ended.set()
    other.join()
    assert len(ticks) > 20  # with one search for the whole text it would be a handful


def test_a_text_past_the_bound_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "MOST_TEXT", 100)
    assert EVERYTHING.text("a" * 1_100) == "a" * 100 + "[1,000 more characters are not kept]"
    assert EVERYTHING.prompt("a" * 100) == "a" * 100


def test_all_texts_of_one_request_share_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text has 2 s of its own; three hundred of them in one body would have ten minutes."""
    monkeypatch.setattr(work_bounds, "REQUEST_S", 0.0)
    with work_bounds.one_request():
        assert work_bounds.UNSEEN in EVERYTHING.text("a b@c.de 4111 1111 1111 1111 " * 10_000)
    assert work_bounds.UNSEEN not in EVERYTHING.text("a b@c.de 4111 1111 1111 1111 " * 100)


def test_a_batch_of_few_rows_with_much_text_keeps_no_other_batch_waiting() -> None:
    """Redaction of 27 MiB takes 20 s, and whoever holds the lock keeps the senders of all applications waiting."""
    assert parse_lock(rows=330, size=27 << 20) is not parse_lock(rows=330, size=10_000)
    assert parse_lock(rows=5, size=10_000) is parse_lock(rows=6)


# --- every pattern of the product ---

parser: Any = importlib.import_module("re._parser")
APPS = ("lib", "providers", "traffic", "costs", "alerts", "dashboard")
ROOT = Path(__file__).parents[3]
CALLS = {"compile", "match", "search", "sub", "subn", "findall", "finditer", "split", "fullmatch"}
NOT_OURS = ("migrations",)


Use = tuple[re.Pattern[Any], str]  # and how it is asked: `findall` for whatever goes through the whole text
AT_ONCE = {"match", "fullmatch"}


def uses_of(source: str) -> Iterator[Use]:
    """The patterns that a module writes out, in `re.compile` or in a call of `re`."""
    if not re.search(r"\bre\.\w+\(", source):
        return  # to parse every module of the product takes each worker of the suite seconds
    tree = ast.parse(source)
    names = {id(node.value): node.targets[0].id for node in ast.walk(tree)
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.func.attr in CALLS):
            continue
        written, call = node.args[0], ast.unparse(node)
        if isinstance(written, ast.Constant) and isinstance(written.value, str | bytes):
            flags = (re.DOTALL if "DOTALL" in call else 0) | (re.IGNORECASE if "IGNORECASE" in call else 0)
            asked = {node.func.attr}
            if node.func.attr == "compile":
                asked = set(re.findall(rf"\b{names.get(id(node), '-')}\.(\w+)\(", source)) & CALLS
            for how in asked & AT_ONCE if asked and asked <= AT_ONCE else {"findall"}:
                yield re.compile(written.value, flags), how


def all_uses() -> dict[str, Use]:
    """By where they stand; of those that are put together, the modules' own."""
    found: dict[str, Use] = {}
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if not set(path.relative_to(ROOT).parts) & set(NOT_OURS):
                for number, use in enumerate(uses_of(path.read_text())):
                    found[f"{path.relative_to(ROOT)}:{number}"] = use
    module = importlib.import_module("traffic.redaction.rules")
    return found | {
        f"{module.__name__}.{name}": (value, "findall")
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern) and name != "_BRAND"  # which is asked of 19 digits at most
    }


def example(parsed: Any) -> str:
    """The beginning of what a pattern matches: of branches the first, of repeats one more than the least."""
    written = ""
    for code, given in parsed:
        word = str(code)
        if word == "LITERAL":
            written += chr(given)
        elif word == "NOT_LITERAL":
            written += "a" if given != ord("a") else "b"
        elif word == "ANY":
            written += "a"
        elif word == "IN":
            written += next((character for character in "a0A -_.:/@+,;\\\"'(~\t" if in_class(given, character)), "a")
        elif word == "BRANCH":
            written += example(given[1][0])
        elif word == "SUBPATTERN":
            written += example(given[3])
        elif word == "ATOMIC_GROUP":
            written += example(given)
        elif word.endswith("REPEAT"):
            written += example(given[2]) * (int(given[0]) + 1)
    return written


def in_class(given: Any, character: str) -> bool:
    return re.compile(rebuilt(given)).fullmatch(character) is not None


def rebuilt(given: Any) -> str:
    """A class as it was written, as far as ours go."""
    categories = {"CATEGORY_DIGIT": r"\d", "CATEGORY_WORD": r"\w", "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_DIGIT": r"\D",
                  "CATEGORY_NOT_WORD": r"\W", "CATEGORY_NOT_SPACE": r"\S"}  # fmt: skip
    written = ""
    for code, value in given:
        word = str(code)
        if word == "NEGATE":
            written += "^"
        elif word == "LITERAL":
            written += re.escape(chr(value))
        elif word == "RANGE":
            written += f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
        elif word == "CATEGORY":
            written += categories[str(value)]
    return f"[{written}]"


def probes(pattern: re.Pattern[Any]) -> list[str]:
    """Runs of each kind of character, and what nearly matches again and again."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    whole = example(parser.parse(text, pattern.flags & ~re.UNICODE))
    beginnings = {whole[:size] for size in range(1, min(len(whole), 24) + 1)} | {whole[:-1], whole[1:]}
    spoilt = {begun + other for begun in (whole, whole[:-1]) for other in ("!", " ", "\n", "x", "0")}
    runs = {"a", "A", "0", " ", "-", "_", ".", "\\", '"', "/", ":", "@", "=", ",", "\n", "a ", "a.", "a-", "0 ", "a://"}
    return sorted((beginnings | spoilt | runs) - {""})


ALL = all_uses()
SMALL, LARGE = 4_000, 8_000


@pytest.mark.parametrize("use", ALL.values(), ids=ALL)
def test_no_pattern_of_the_product_takes_time_out_of_proportion(use: Use) -> None:
    pattern, how = use
    for probe in probes(pattern):
        for end in ("", "\0"):
            texts: list[Any] = [filled(probe, size) + end for size in (SMALL, LARGE)]
            if isinstance(pattern.pattern, bytes):
                texts = [text.encode("latin-1", "replace") for text in texts]
            work = [partial(getattr(pattern, how), text) for text in texts]
            if seconds(work[1]) > LEAST_S / 4:  # a linear one takes a twentieth of that
                assert_linear(work[0], work[1], LEAST_S / 16)


@pytest.mark.parametrize("slow", [r"\w+://x", r"eyJ[\w-]{8,}\.x"])
def test_the_probe_finds_what_is_out_of_proportion(slow: str) -> None:
    with pytest.raises(AssertionError):
        test_no_pattern_of_the_product_takes_time_out_of_proportion((re.compile(slow), "findall"))
