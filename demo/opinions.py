"""What recent requests said, and what people thought of the answers: both chosen by a hash of the row's own id.

Only every few rows of the applications that opted in carry a text; the texts are short invented ones from `texts.json`,
some with a weaker answer beside the good one, which the own model gives more often.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from demo.company import BY_SLUG, MISTRAL_7B
from demo.traffic import Row

TEXTS = Path(__file__).with_name("texts.json")
EVERY = 20  # one row of so many carries its text
END_USER = "end-user"
# Per cent of weak answers among those that have a weak variant, and of good answers that still disappoint.
WEAK = {True: 15, False: 12}
DISAPPOINTS = {True: 5, False: 4}
COMMENTS = {
    1: ("", "", "", "Right and short.", "Exactly what the handbook says.", "Friendly, and it answers the question."),
    0: ("", "Right, but one sentence is missing.", "Correct; could be shorter.", "Does not say where to look it up."),
    -1: ("", "This is not what the handbook says.", "It does not answer the question.", "Invented."),
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """One person's judgement of one answer."""

    response_id: str
    by: str  # a username of the company's people, or an end user
    score: int  # 1, 0, -1
    stars: int
    comment: str

    def as_feedback(self) -> dict[str, object]:
        """The body of `POST /api/v1/feedback`."""
        return {
            "request_id": self.response_id,
            "score": self.score,
            "stars": self.stars,
            "comment": self.comment,
            "by": self.by,
        }


@cache
def texts() -> dict[str, list[dict[str, str]]]:
    loaded: dict[str, list[dict[str, str]]] = json.loads(TEXTS.read_text(encoding="utf-8"))
    return loaded


def luck(row: Row, salt: str) -> int:
    """A number below 2^32 that belongs to this row and this question."""
    text = f"{salt}/{row['application']}/{row['id']}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def has_text(row: Row) -> bool:
    return (
        BY_SLUG[row["application"]].keeps_bodies
        and row["outcome"] == "ok"
        and row["task"] in texts()
        and luck(row, "text") % EVERY == 0
    )


def is_weak(row: Row) -> bool:
    """Whether this row's answer is the weaker variant of its text."""
    return "weak" in _text(row) and luck(row, "weak") % 100 < WEAK[_is_own(row)]


def with_text(row: Row) -> Row:
    """The row with its prompt and answer, where it has them."""
    if not has_text(row):
        return row
    text = _text(row)
    return row | {"prompt": text["prompt"], "answer": text["weak" if is_weak(row) else "answer"]}


def opinions(row: Row) -> Iterator[Opinion]:
    """Who judged this row's answer: of those with a text about one in eight, of code and reasoning a few."""
    if row["outcome"] != "ok" or not row["response_id"]:
        return
    if has_text(row):
        if luck(row, "rated") % 8 == 0:
            yield from _of_members(row)
        elif row["application"] == "site-chat" and luck(row, "visitor") % 8 == 0:
            yield _judge(row, END_USER)
    elif row["task"] in ("code", "reasoning") and luck(row, "rated") % 90 == 0:
        yield from _of_members(row)


def _of_members(row: Row) -> Iterator[Opinion]:
    members = BY_SLUG[row["application"]].members
    first = luck(row, "who") % len(members)
    yield _judge(row, members[first])
    if len(members) > 1 and luck(row, "second") % 3 == 0:
        yield _judge(row, members[(first + 1) % len(members)])


def _judge(row: Row, by: str) -> Opinion:
    chance = luck(row, f"judge/{by}") % 100
    bad = 88 if has_text(row) and is_weak(row) else DISAPPOINTS[_is_own(row)]
    score = -1 if chance < bad else 0 if chance < bad + (100 - bad) // 6 else 1
    stars = {-1: 1 + chance % 3, 0: 4, 1: 4 + (chance % 3 > 0)}[score]
    comments = COMMENTS[score]
    return Opinion(row["response_id"], by, score, stars, comments[luck(row, f"comment/{by}") % len(comments)])


def _text(row: Row) -> dict[str, str]:
    of_task = texts()[row["task"]]
    return of_task[luck(row, "which") % len(of_task)]


def _is_own(row: Row) -> bool:
    return bool(row["model"] == MISTRAL_7B.model)
