"""Patterns that people write for what their application's texts must lose. Pure, and RE2's alone.

RE2 takes time in proportion to the text, whatever the pattern; what it cannot read is refused. Its classes are those of
ASCII, where Python's were all of Unicode: they are widened, so that a text rather loses too much than too little.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from traffic.redaction.work_bounds import UNSEEN, WINDOW, Budget

LONGEST_PATTERN = 200  # characters
MOST_STEPS = 5_000  # of the program that RE2 makes of one: the bound of its work for each character
REACH = 1 << 12  # bytes of a match that begins at the end of a window

_WORD = r"0-9A-Za-z_\x{80}-\x{10FFFF}"
_SPACE = r"\s\x{B}\x{85}\x{A0}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
_DIGIT = r"0-9\x{660}-\x{669}\x{6F0}-\x{6F9}\x{966}-\x{96F}\x{FF10}-\x{FF19}"
_CLASSES = {r"\w": _WORD, r"\s": _SPACE, r"\d": _DIGIT}
_PART = re.compile(r"\\.|\{,(?=\d{1,4}\})|.", re.DOTALL)
_RE2_WRITES = {"{,": "{0,", r"\Z": r"\z"}


class BadPattern(ValueError):
    """A pattern is refused; the text says why, for people."""


@dataclass(frozen=True)
class OwnPattern:
    """One pattern as it was written, and what finds it."""

    pattern: str
    matcher: Any  # re2's, which says nothing of its types

    def taken_out(self, text: str, budget: Budget) -> str:
        """The text without what matches; from the deadline on without the rest."""
        data = text.encode("utf-8", "surrogatepass")
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            if budget.over():
                return b"".join(pieces).decode("utf-8", "surrogatepass") + UNSEEN
            stop = _whole_characters(data, at + WINDOW)
            span = self._next(data, at, stop)
            if span is None:
                pieces.append(data[at:stop])
                at = stop
            else:
                pieces += data[at : span[0]], b"[redacted]"
                at = span[1]
        return b"".join(pieces).decode("utf-8", "surrogatepass")

    def _next(self, data: bytes, at: int, stop: int) -> tuple[int, int] | None:
        """The first match that begins before `stop`, of a byte at least."""
        ends = _whole_characters(data, stop + REACH)
        for match in self.matcher.finditer(data, at, ends):
            start, end = match.span()
            if start >= stop:
                return None
            if end > start:
                return start, end
        return None


def _whole_characters(data: bytes, place: int) -> int:
    """The same place, or the one before it where a character begins."""
    while 0 < place < len(data) and data[place] & 0xC0 == 0x80:
        place -= 1
    return min(place, len(data))


@lru_cache(512)
def checked(pattern: str) -> OwnPattern:
    """An own pattern that can be run. Raises BadPattern."""
    if len(pattern) > LONGEST_PATTERN:
        raise BadPattern("A pattern has 200 characters at most.")
    options = re2.Options()
    options.log_errors = False
    try:
        matcher = re2.compile(_widened(pattern).encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        raise BadPattern(_sentence(error)) from None
    if matcher.programsize > MOST_STEPS:
        raise BadPattern("It can try in too many ways. Use fewer or shorter repeats.")
    if matcher.search(b"") is not None:
        raise BadPattern("It would match an empty text. Require at least one character.")
    return OwnPattern(pattern, matcher)


def _sentence(error: Exception) -> str:
    """What is wrong, from RE2's short words."""
    source = error.args[0] if error.args else ""
    reason = source.decode("utf-8", "replace") if isinstance(source, bytes) else str(source)
    if reason.startswith("invalid perl operator"):
        return f"It may not look ahead or behind, nor hold on to what it took ({reason})."
    if reason.startswith(("invalid repetition size", "pattern too large")):
        return f"It can try in too many ways; use fewer or shorter repeats ({reason})."
    if reason.startswith("invalid escape sequence"):
        return f"It may not refer back to a group, nor use an escape that RE2 does not know ({reason})."
    return f"This is no regular expression: {reason}."


def _widened(pattern: str) -> str:
    """The pattern as RE2 is to read it. Raises BadPattern."""
    written: list[str] = []
    in_class = first = False  # first: a bracket here is no end
    for part in _PART.findall(pattern):
        _refuse_halves(part, pattern, in_class)
        if in_class:
            in_class = first or part != "]"
            first = first and part == "^"
            written.append(_CLASSES.get(part, part))
        else:
            in_class = first = part == "["
            written.append(f"[{_CLASSES[part]}]" if part in _CLASSES else _RE2_WRITES.get(part, part))
    return "".join(written)


def _refuse_halves(part: str, pattern: str, in_class: bool) -> None:
    if part == r"\C":
        raise BadPattern("\\C matches half a character. Write a dot.")
    if part in (r"\b", r"\B") and not in_class and not pattern.isascii():
        raise BadPattern("\\b works with the letters a to z only. Leave it out beside others.")
