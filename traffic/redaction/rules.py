"""What must not be kept of what people write: e-mail addresses, phone and card numbers, secrets, an application's own.

Applied before anything is stored or spooled, by every way in. Pure and without Django, so that the gateway uses it.

No text costs work out of proportion to its length. Secrets have no longest length and are found by RE2, whose time is
linear by construction and which lets other threads run meanwhile. The other shipped patterns match a bounded number of
characters from a bounded number of places each, and go through a long text window by window, so that other threads
run in between. An application's own patterns are RE2's alone (`own_patterns`). All of one value stops at a deadline:
what has not been looked at by then is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import orjson
import re2

from traffic.json_depth import DEEPEST, TOO_DEEP
from traffic.redaction.own_patterns import BadPattern, OwnPattern, checked
from traffic.redaction.work_bounds import UNSEEN, WINDOW, Budget

EMAIL, PHONE, CARD, SECRET = KINDS = ("email", "phone", "card", "secret")

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,128}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_BYTES = re2.Options()
_BYTES.encoding = re2.Options.Encoding.LATIN1  # secrets are ASCII, so that bytes are searched as they are
# Where a secret begins: after what is no letter and no digit, which RE2 cannot look back at and so takes along.
_BEFORE = rb"(?:\A|[^A-Za-z0-9])"
_ALNUM = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_SECRETS = (
    # Apart from the others: searching it may go on to the end of a word while they have matched long before.
    re2.compile(_BEFORE + rb"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", _BYTES),
    re2.compile(
        rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\z)|"
        + _BEFORE
        + rb"(?:sk-[A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
        rb"|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|[rs]k_(?:live|test)_\w{16,}|hf_[A-Za-z0-9]{20,}"
        rb"|bk_[\w-]{24,})",
        _BYTES,
    ),
)
_AWS, _AWS_LENGTH = (b"AKIA", b"ASIA"), 20  # a longer run of capitals is no such key
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
_SECRET_MARKS = (
    "sk-", "k_live_", "k_test_", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox",
    "AIza", "hf_", "bk_", "eyJ", "PRIVATE KEY",
)  # fmt: skip
_MARKS = ("@", "+", *_SECRET_MARKS, "\0")  # NUL is left out, and may stand in the middle of any of these
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


def _is_in(text: str, marks: tuple[str, ...]) -> bool:
    for mark in marks:  # noqa: SIM110 - a generator would take three times as long
        if mark in text:
            return True
    return False


def _looks_like(text: str) -> bool:
    if _is_in(text, _MARKS):
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


def _touches(value: Any, user: str | None, depth: int = 0) -> bool:
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
    if depth >= DEEPEST:
        return True  # it is taken out for its depth
    for item in value:  # the hottest lines of redaction, so that texts are asked without a call in between
        kind = type(item)
        if kind is str:
            if _short_may_hold(item) if len(item) <= SHORT else _looks_like(item):
                return True
            if user is not None and user in item:
                return True
        elif kind not in _NUMBERS and _touches(item, user, depth + 1):
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


class _Sums:
    """Luhn's sums of all beginnings of a run of digits, so that any part of it is judged at once."""

    def __init__(self, digits: str) -> None:
        self._sums: tuple[list[int], list[int]] = ([0], [0])  # digits at even places as they are; at odd places
        for place, digit in enumerate(digits):
            plain = int(digit)
            doubled = 2 * plain - 9 if plain > 4 else 2 * plain
            self._sums[place % 2].append(self._sums[place % 2][-1] + plain)
            self._sums[1 - place % 2].append(self._sums[1 - place % 2][-1] + doubled)

    def hold(self, start: int, end: int) -> bool:
        sums = self._sums[(end - 1) % 2]
        return (sums[end] - sums[start]) % 10 == 0


_GROUP = re.compile(r"\d+")
SHORTEST_CARD, LONGEST_CARD = 12, 19  # digits


def _without_cards(match: re.Match[str]) -> str:
    """A run of digits without the card numbers in it; they begin and end where a group of digits does."""
    text = match[0]
    groups = list(_GROUP.finditer(text))
    digits = "".join([group[0] for group in groups])
    sums: _Sums | None = None
    ends = list(accumulate([group.end() - group.start() for group in groups]))  # of each group, counted in digits
    for first, group in enumerate(groups):
        start = ends[first - 1] if first else 0
        if digits[start] not in "23456":  # no brand begins with another
            continue
        sums = sums or _Sums(digits)
        for last in range(len(groups) - 1, first - 1, -1):
            end = ends[last]
            if end - start < SHORTEST_CARD:
                break
            if end - start <= LONGEST_CARD and sums.hold(start, end) and _BRAND.fullmatch(digits, start, end):
                rest = text[groups[last].end() :]
                return text[: group.start()] + "[card]" + _DIGITS.sub(_without_cards, rest)
    return text


def _without_phone(match: re.Match[str]) -> str:
    return "[phone]" if 7 <= sum(character.isdigit() for character in match[0]) <= 15 else match[0]


def _without_secrets(text: str, budget: Budget) -> str:
    data = text.encode("utf-8", "surrogatepass")
    for pattern in _SECRETS:
        pieces: list[bytes] = []
        at = 0
        for match in pattern.finditer(data):
            start, end = match.span()
            start += data[start] not in _ALNUM and data[start : start + 5] != b"-----"  # what it took along
            if budget.over():
                return b"".join(pieces).decode("utf-8", "surrogatepass") + UNSEEN
            if end - start != _AWS_LENGTH and data[start : start + 4] in _AWS:
                continue
            pieces += data[at:start], b"[secret]"
            at = end
        if pieces:
            data = b"".join((*pieces, data[at:]))
    return data.decode("utf-8", "surrogatepass")


# More characters than any of the patterns below matches.
_REACH = 1_024
_Instead = str | Callable[[re.Match[str]], str]
# Cards before phones, which are less certain.
_BOUNDED: dict[str, tuple[re.Pattern[str], _Instead]] = {
    EMAIL: (_EMAIL, "[e-mail]"),
    CARD: (_DIGITS, _without_cards),
    PHONE: (_PHONE, _without_phone),
}


def _without_bounded(pattern: re.Pattern[str], instead: _Instead, text: str, budget: Budget) -> str:
    """What `pattern.sub` makes of it; a long text is gone through in windows, between which other threads run."""
    if len(text) <= WINDOW:
        return pattern.sub(instead, text)
    pieces: list[str] = []
    at = 0
    while at < len(text):
        stop = min(at + WINDOW, len(text))
        # A window ends where a match that begins in it may still be looked at whole.
        while at < stop and (match := pattern.search(text, at, stop + _REACH)) and match.start() < stop:
            pieces += text[at : match.start()], instead if isinstance(instead, str) else instead(match)
            at = match.end()
        pieces.append(text[at:stop])
        at = max(at, stop)
        if budget.over():
            return "".join((*pieces, UNSEEN if at < len(text) else ""))
    return "".join(pieces)


MOST_TEXT = 4_000_000  # characters of one text; what is beyond is not kept
MOST_PATTERNS = 10  # of an application


def _bounded(text: str) -> str:
    beyond = len(text) - MOST_TEXT
    return text if beyond <= 0 else f"{text[:MOST_TEXT]}[{beyond:,} more characters are not kept]"


@dataclass(frozen=True)
class Redaction:
    """What is removed from the texts of one application."""

    kinds: tuple[str, ...] = KINDS
    own: tuple[OwnPattern, ...] = ()
    broken: int = 0  # the number of the first own pattern that cannot be run; then no text is kept

    def text(self, value: str, budget: Budget | None = None) -> str:
        if len(value) > MOST_TEXT:
            value = _bounded(value)
        if self.broken and value:
            return f"[redacted: pattern {self.broken} cannot be run]"
        suspect = _may_hold(value)
        if not suspect and not self.own:
            return value
        if budget is None:
            budget = Budget()
        elif budget.over():
            return UNSEEN
        if suspect:
            value = self._without_shipped(value, budget)
        for pattern in self.own:
            value = pattern.taken_out(value, budget)
        return value

    def _without_shipped(self, value: str, budget: Budget) -> str:
        """The text after the shipped patterns; secrets first, for a key may contain what looks like a number."""
        if SECRET in self.kinds and _is_in(value, _SECRET_MARKS):
            value = _without_secrets(value, budget)
        for kind, (pattern, instead) in _BOUNDED.items():
            if kind in self.kinds:
                value = _without_bounded(pattern, instead, value, budget)
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
        """JSON with every text in it redacted, names included; `user` is taken out wherever it stands.

        Of what is nested deeper than `DEEPEST` levels only the words that say so are left.
        """
        return self._branch(value, user, Budget(), 0)

    def _branch(self, value: Any, user: str | None, budget: Budget, depth: int) -> Any:
        if isinstance(value, str):
            value = self.text(value, budget)
            return value.replace(user, "[user]") if user and user in value and _tells(user, value) else value
        if not isinstance(value, dict | list | tuple):
            return value
        if depth == DEEPEST:
            return TOO_DEEP
        if isinstance(value, dict):
            return {
                self._branch(name, user, budget, depth + 1): self._branch(item, user, budget, depth + 1)
                for name, item in value.items()
            }
        return [self._branch(item, user, budget, depth + 1) for item in value]

    def needed(self, value: Any, user: str | None = None) -> bool:
        """Whether there may be anything to take out of this JSON."""
        return bool(self.own) or bool(self.broken) or _touches(value, user or None)


def _tells(user: str, value: str) -> bool:
    """Whether the user's name inside a value stands for the user: a short one may be part of another word."""
    return user == value or len(user) >= 6


@lru_cache(512)
def redaction_of(kinds: tuple[str, ...], patterns: tuple[str, ...]) -> Redaction:
    """The redaction of an application's settings; with a pattern that may not be used any more no text is kept."""
    own: list[OwnPattern] = []
    for number, pattern in enumerate(patterns, 1):
        try:
            own.append(checked(pattern))
        except BadPattern:
            return Redaction(kinds, broken=number)
    return Redaction(kinds, tuple(own))


EVERYTHING = Redaction()
