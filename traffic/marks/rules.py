"""Which marks an answer gets from its prompt and its text. Pure, in time that grows with the length alone.

A mark is a hint for a filter and no judgement: an apology may be right, and a list may repeat itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntFlag

from django.utils.translation import gettext_lazy as _

from traffic.conversation import turns
from traffic.json_depth import loads

LONGEST = 100_000  # characters of a text that are looked at
BEGINNING = 300  # characters in which a refusal stands
TAIL = 2_000  # characters at the end in which a loop is looked for
LEAST_PERIOD, LEAST_REPEATS, LEAST_LOOP = 8, 4, 80
LEAST_WORDS = 5  # stop words of a language, and twice as many as of the other


class Mark(IntFlag):
    """Bits of `traffic_request_body.marks`."""

    INVALID_JSON = 1
    REFUSAL = 2
    EMPTY = 4
    OTHER_LANGUAGE = 8
    TRUNCATED = 16
    REPETITION = 32


LABELS = {
    Mark.INVALID_JSON: _("not valid JSON"),
    Mark.REFUSAL: _("refusal"),
    Mark.EMPTY: _("empty"),
    Mark.OTHER_LANGUAGE: _("other language"),
    Mark.TRUNCATED: _("truncated"),
    Mark.REPETITION: _("repetition"),
}
SLUGS = {str(mark.name).lower(): mark for mark in Mark}
REFUSALS = (
    "i can't help", "i cannot help", "i can't assist", "i cannot assist", "i can't provide", "i cannot provide",
    "i'm unable to", "i am unable to", "i won't", "i'm sorry, but i can", "as an ai", "i'm not able to",
    "non posso aiutar", "non posso fornir", "mi dispiace, ma non", "non sono in grado", "come intelligenza artificiale",
)  # fmt: skip
ASKS = {"as", "in", "valid", "only", "return", "respond", "reply", "output", "answer", "format", "produce", "write",
        "rispondi", "restituisci", "formato", "solo", "valido", "genera"}  # fmt: skip
NEAR = 40  # characters before "JSON" in which one of these words stands
TRANSLATES = ("translat", "tradu", "in english", "in italian", "in inglese", "in italiano", "in french", "in german",
              "in spanish")  # fmt: skip
STOP_WORDS = {
    "en": frozenset("the and is are of to in that it for with was this you be on as not have".split()),
    "it": frozenset("il lo la gli le di che è un una per con non del della sono questo nel alla si".split()),
}
# Reasons for which a vendor ends an answer early.
CUT = {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}


def marks_of(prompt: str, answer: str, finish_reason: str = "") -> Mark:
    """The marks of an answer; `finish_reason` is what the vendor reported, blank for unknown."""
    answer = answer[:LONGEST]
    marks = Mark.TRUNCATED if finish_reason.lower() in CUT else Mark(0)
    if not answer.strip():
        return marks | Mark.EMPTY
    asked_for = [turn.text for turn in turns(prompt[:LONGEST]) if turn.role in ("user", "system", "developer")]
    if asked_for and asks_for_json(asked_for) and not is_json(answer):
        marks |= Mark.INVALID_JSON
    if refuses(answer):
        marks |= Mark.REFUSAL
    if asked_for and speaks_otherwise(asked_for[-1], answer):
        marks |= Mark.OTHER_LANGUAGE
    if loops(answer):
        marks |= Mark.REPETITION
    return marks


def asks_for_json(texts: Sequence[str]) -> bool:
    """Whether one of the turns that instruct asks for JSON, in words such as "return valid JSON"."""
    for text in texts:
        parts = text.lower().split("json")
        if any(ASKS & set(before[-NEAR:].replace(":", " ").split()) for before in parts[:-1]):
            return True
    return False


def is_json(answer: str) -> bool:
    """Whether an answer is one JSON object or array, perhaps fenced as Markdown."""
    text = answer.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text[text.index("\n") : -3].strip()
    if not text.startswith(("{", "[")):
        return False
    try:
        loads(text.encode())
    except (ValueError, RecursionError):
        return False
    return True


def refuses(answer: str) -> bool:
    beginning = answer[:BEGINNING].lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return any(phrase in beginning for phrase in REFUSALS)


def speaks_otherwise(question: str, answer: str) -> bool:
    """Whether the answer is in English and the question in Italian, or the other way round, and none asked for that."""
    lowered = question.lower()
    if any(word in lowered for word in TRANSLATES):
        return False
    of_question, of_answer = language(lowered), language(answer.lower())
    return bool(of_question and of_answer and of_question != of_answer)


def language(text: str) -> str:
    """`en` or `it` by the stop words of a text in lower case; empty where these do not decide."""
    words = [word.strip(".,;:!?\"'()") for word in text.split()]
    counts = {name: sum(word in stop for word in words) for name, stop in STOP_WORDS.items()}
    best, other = sorted(counts, key=lambda name: -counts[name])
    return best if counts[best] >= LEAST_WORDS and counts[best] > 2 * counts[other] else ""


def loops(answer: str) -> bool:
    """Whether an answer ends in the same text four times and more, by the prefix function of its reversed end."""
    tail = answer.rstrip()[-TAIL:][::-1]
    fails = [0] * len(tail)
    length = 0
    for place in range(1, len(tail)):
        while length and tail[place] != tail[length]:
            length = fails[length - 1]
        length += tail[place] == tail[length]
        fails[place] = length
        period, size = place + 1 - length, place + 1
        if period >= LEAST_PERIOD and size >= LEAST_LOOP and size >= LEAST_REPEATS * period:
            return True
    return False


def labels(marks: int) -> list[str]:
    """The words of a stored value, in their order."""
    return [str(label) for mark, label in LABELS.items() if marks & mark]


def slugs(marks: int) -> list[str]:
    """The names of a stored value as filters and files have them, in their order."""
    return [slug for slug, mark in SLUGS.items() if marks & mark]


def bits_of(slugs: Iterable[str]) -> int:
    """Several marks of a filter as one number; a slug that is none is left out."""
    return sum({SLUGS[slug] for slug in slugs if slug in SLUGS})
