"""No text costs work out of proportion to its length: twice the text takes at most three times the processor's time.

Ratios and no seconds, of processor time and no wall clock, so that a busy machine changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from traffic import redaction, work_bounds
from traffic.own_patterns import checked
from traffic.redaction import EVERYTHING, Redaction

MB = 1_000_000
MOST_RATIO = 3.0
LEAST_S = 0.02  # below it the clock says nothing


def filled(part: str, size: int) -> str:
    return (part * (size // len(part) + 1))[:size]


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this thread."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def assert_linear(once: Callable[[], object], twice: Callable[[], object], ratio: float = MOST_RATIO) -> None:
    """Measured again where it is not, for a machine's caches are shared with others."""
    for _ in range(2):
        if seconds(twice) <= ratio * max(seconds(once), LEAST_S):
            return
    assert min(seconds(twice), seconds(twice)) <= ratio * max(min(seconds(once), seconds(once)), LEAST_S)


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
    texts = ["@" + filled(part, size) for size in (MB, 2 * MB)]
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
    began = time.thread_time()
    text = chosen.text("x" * MB)
    assert text.endswith(work_bounds.UNSEEN)
    assert time.thread_time() - began < 5
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
