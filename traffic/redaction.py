"""What must not be kept of what people write: e-mail addresses, phone and card numbers, secrets, an application's own.

Applied before anything is stored or spooled, by every way in. Pure and without Django, so that the gateway uses it.
The shipped patterns take time in proportion to the text. An application's own are in a syntax that bounds them
(`checked`), and stop at a deadline: what has not been looked at by then is not kept.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import orjson

# What `re` parses with, in every Python we run on, and the parser's own words; typeshed knows neither.
parser: Any = import_module("re._parser")
codes: Any = import_module("re._constants")

EMAIL, PHONE, CARD, SECRET = KINDS = ("email", "phone", "card", "secret")

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,128}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_SECRET = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|[rs]k_(?:live|test)_\w{16,}|hf_[A-Za-z0-9]{20,}"
    r"|bk_[\w-]{24,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
_DIGITS = re.compile(r"(?<![\w.])\d(?:[ -]?\d){11,40}(?!\w)")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:"
    r"\+[1-9](?:[ ./()-]{0,2}\d){6,14}"
    r"|00[1-9]\d{0,2}[ ./()-]{1,2}\d(?:[ ./()-]{0,2}\d){5,12}"
    r"|\(\d{2,5}\)[ -]?\d{2,4}(?:[ -]?\d{2,4}){1,3}"
    r"|0\d{1,4}[ /-]\d{3,8}(?:[ -]\d{2,6}){0,3}"
    r"|[2-9]\d{2}[ .-]\d{3}[ .-]\d{4}"
    r")(?![\w-])"
)
# A cheap look first, for most text holds nothing like these.
_MARKS = (
    "@", "+", "sk-", "k_live_", "k_test_", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xox", "AIza", "hf_", "bk_", "eyJ", "PRIVATE KEY",
    "\0",  # it is left out, and may stand in the middle of any of these
)  # fmt: skip
# Bytes that numbers are written with as 1: eight in a row are found several times faster than by a regular expression.
_NUMERIC = bytes(1 if chr(byte) in "0123456789 ()./-" else 0 for byte in range(256))
_EIGHT = b"\1" * 8
_NUMBER = re.compile(
    r"(?<![\w.])(?:\d(?:[ -]?\d){11}|00[1-9]\d{0,2}[ ./()-]|\d{2,5}\)[ -]?\d|0\d{1,4}[ /-]\d{3}"
    r"|\d{3}[ .-]\d{3}[ .-]\d{4})"
)


SHORT = 128


def _may_hold(text: str) -> bool:
    return _short_may_hold(text) if len(text) <= SHORT else _looks_like(text)


def _looks_like(text: str) -> bool:
    for mark in _MARKS:  # a generator would take three times as long
        if mark in text:
            return True
    written = text.encode("latin-1", "replace").translate(_NUMERIC)  # a byte for each character
    start = written.find(_EIGHT)
    while start >= 0:
        end = written.find(0, start)
        if _NUMBER.search(text, start, end if end >= 0 else len(text)):
            return True
        start = written.find(_EIGHT, end) if end >= 0 else -1
    return False


# Names of attributes, models and services come again in every record.
_short_may_hold = lru_cache(8192)(_looks_like)


def _touches(value: Any, user: str | None) -> bool:
    """Whether a text in it, names included, may hold something; what is no JSON as it stands is taken to."""
    kind = type(value)
    if kind is str:
        return _may_hold(value) or (user is not None and user in value)
    if kind is dict:
        names = tuple(value)
        if (_few_names_may_hold if len(names) <= SHORT else _names_may_hold)(names):
            return True
        if user is not None and any(user in name for name in names):
            return True
        value = value.values()
    elif kind is not list and kind is not tuple:
        return kind not in _NUMBERS
    for item in value:  # the hottest lines of redaction, so that texts are asked without a call in between
        kind = type(item)
        if kind is str:
            if _short_may_hold(item) if len(item) <= SHORT else _looks_like(item):
                return True
            if user is not None and user in item:
                return True
        elif kind not in _NUMBERS and _touches(item, user):
            return True
    return False


def may_hold(value: Any) -> bool:
    """Whether there may be anything in this JSON that the shipped patterns take out."""
    return _touches(value, None)


def _names_may_hold(names: tuple[Any, ...]) -> bool:
    """Of an object; a name that is no text is looked at when it is."""
    return any(type(name) is not str or _may_hold(name) for name in names)


_few_names_may_hold = lru_cache(512)(_names_may_hold)
_NUMBERS = frozenset((int, float, bool, type(None)))


_BRAND = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d{2}|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d{2}|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
    r"|(?:50|5[6-8]|6[37])\d{10,17}"
)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _without_cards(match: re.Match[str]) -> str:
    """A run of digits without the card numbers in it; they begin and end where a group of digits does."""
    text = match[0]
    groups = list(re.finditer(r"\d+", text))
    for first in range(len(groups)):
        for last in range(len(groups) - 1, first - 1, -1):
            digits = "".join(group[0] for group in groups[first : last + 1])
            if 12 <= len(digits) <= 19 and _BRAND.fullmatch(digits) and luhn(digits):
                start, end = groups[first].start(), groups[last].end()
                rest = text[end:]
                return text[:start] + "[card]" + _DIGITS.sub(_without_cards, rest)
    return text


def _without_phone(match: re.Match[str]) -> str:
    return "[phone]" if 7 <= sum(character.isdigit() for character in match[0]) <= 15 else match[0]


# Secrets first: a key may hold what looks like a number. Cards before phones, which are less certain.
_SHIPPED: dict[str, tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = {
    SECRET: (_SECRET, "[secret]"),
    EMAIL: (_EMAIL, "[e-mail]"),
    CARD: (_DIGITS, _without_cards),
    PHONE: (_PHONE, _without_phone),
}

# An application's own patterns.
MOST_PATTERNS = 10
MOST_WAYS = 2_000  # in which one pattern can try to match from one place
MOST_REPEATS = 200
WINDOW = 4_096  # characters between two looks at the clock
DEADLINE_S = 0.25  # for one text
UNSEEN = "[not checked in time]"


class BadPattern(ValueError):
    """A pattern that may not be used; a sentence."""


@lru_cache(512)
def checked(pattern: str) -> re.Pattern[str]:
    """An own pattern that cannot run away. Raises BadPattern.

    Every repeat must say how often at most, nothing may look around or back, and the ways in which it can try from
    one place are counted: their number bounds the time.
    """
    if len(pattern) > 200:
        raise BadPattern("A pattern has 200 characters at most.")
    try:
        parsed = parser.parse(pattern)
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(f"This is no regular expression: {error}.") from None
    if ways(parsed) > MOST_WAYS:
        raise BadPattern("It can try in too many ways and could take forever; use fewer or shorter repeats.")
    if parsed.getwidth()[0] == 0:
        raise BadPattern("It would match where nothing is; say what must be there at least once.")
    return compiled


_PLAIN = {codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN, codes.AT, codes.CATEGORY}
_REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}


def ways(parsed: Any) -> int:
    """In how many ways a pattern can go on from one place, at most. Raises BadPattern for what has no bound."""
    found = 1
    for code, given in parsed:
        found = min(found * _ways_of(code, given), MOST_WAYS + 1)
    return found


def _ways_of(code: Any, given: Any) -> int:
    if code in _PLAIN:
        return 1
    if code is codes.SUBPATTERN:
        return ways(given[3])
    if code is codes.ATOMIC_GROUP:
        return ways(given)
    if code is codes.BRANCH:
        return sum(ways(branch) for branch in given[1])
    if code in _REPEATS:
        least, most, inner = given
        if most > MOST_REPEATS:
            raise BadPattern(
                f"Say how often at most, up to {MOST_REPEATS}: {{1,40}} instead of +, {{0,40}} instead of *."
            )
        return _repeated(ways(inner), int(least), int(most))
    raise BadPattern("It may not look ahead or behind, nor refer back to a group.")


def _repeated(each: int, least: int, most: int) -> int:
    if each == 1:
        return most - least + 1
    total = 0
    for times in range(least, most + 1):
        total += each**times
        if total > MOST_WAYS:
            return MOST_WAYS + 1
    return total


def longest(pattern: re.Pattern[str]) -> int:
    """Characters that it can match at most."""
    return int(parser.parse(pattern.pattern).getwidth()[1])


def _own(pattern: re.Pattern[str], text: str, ends: float) -> str:
    """The text without what an own pattern matches; from the deadline on without the rest."""
    reach = longest(pattern)
    pieces: list[str] = []
    at = 0
    while at < len(text):
        if time.monotonic() > ends:
            return "".join(pieces) + UNSEEN
        stop = min(at + WINDOW, len(text))
        # A window ends where a match that begins in it may still be looked at whole.
        for match in _beginning_before(pattern, text, at, stop, reach):
            pieces.append(text[at : match.start()])
            pieces.append("[redacted]")
            at = match.end()
        if at < stop:
            pieces.append(text[at:stop])
            at = stop
    return "".join(pieces)


def _beginning_before(pattern: re.Pattern[str], text: str, at: int, stop: int, reach: int) -> Iterator[re.Match[str]]:
    while at < stop and (match := pattern.search(text, at, stop + reach)) and match.start() < stop:
        yield match
        at = match.end()


@dataclass(frozen=True)
class Redaction:
    """What one application's texts lose."""

    kinds: tuple[str, ...] = KINDS
    own: tuple[re.Pattern[str], ...] = ()

    def text(self, value: str) -> str:
        if _may_hold(value):
            for kind, (pattern, instead) in _SHIPPED.items():
                if kind in self.kinds:
                    value = pattern.sub(instead, value)
        if self.own:
            ends = time.monotonic() + DEADLINE_S
            for pattern in self.own:
                value = _own(pattern, value, ends)
        return value

    def optional(self, value: str | None) -> str | None:
        return None if value is None else self.text(value)

    def prompt(self, value: str | None) -> str | None:
        """A prompt; one that is JSON is read first, for escapes would hide what they stand beside."""
        if value is None or value.lstrip()[:1] not in ("[", "{"):
            return self.optional(value)
        try:
            read = orjson.loads(value)
        except orjson.JSONDecodeError:
            return self.text(value)
        written = self.tree(read)
        return value if written == read else orjson.dumps(written).decode()

    def tree(self, value: Any, user: str | None = None) -> Any:
        """JSON with every text in it redacted, names included; `user` is taken out wherever it stands."""
        if isinstance(value, str):
            value = self.text(value)
            return value.replace(user, "[user]") if user and user in value and _tells(user, value) else value
        if isinstance(value, dict):
            return {self.tree(name, user): self.tree(item, user) for name, item in value.items()}
        return [self.tree(item, user) for item in value] if isinstance(value, list | tuple) else value

    def needed(self, value: Any, user: str | None = None) -> bool:
        """Whether there may be anything to take out of this JSON, which is no deeper than JSON writers go."""
        return bool(self.own) or _touches(value, user or None)


def _tells(user: str, value: str) -> bool:
    """A short name inside a longer text is a word, not the person."""
    return user == value or len(user) >= 6


@lru_cache(512)
def redaction_of(kinds: tuple[str, ...], patterns: tuple[str, ...]) -> Redaction:
    """The redaction of an application's settings; a pattern that may not be used any more takes everything out."""
    return Redaction(kinds, tuple(_usable(pattern) for pattern in patterns))


def _usable(pattern: str) -> re.Pattern[str]:
    try:
        return checked(pattern)
    except BadPattern:
        return re.compile(r"[\s\S]{1,200}")


EVERYTHING = Redaction()
