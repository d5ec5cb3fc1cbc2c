"""What the page of the rating queue shows and says: one answer, blind, and how far its reader is today."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.dates import midnight
from lib.formats import count, when
from traffic.conversation import Turn
from traffic.models import Rating, Rubric
from traffic.queues.queries import Progress
from traffic.ratings.queue import LONGEST, Answer
from traffic.rubrics.criteria import LETTERS, PREFIX, Choice, Criterion, criteria_of

DAILY = 40  # ratings a day that one person is asked for


@dataclass(frozen=True, slots=True)
class CriterionField:
    """A criterion on the form: its choices, of which some are `chosen`, and the letter that begins their keys."""

    criterion: Criterion
    letter: str
    chosen: Sequence[str]

    @property
    def name(self) -> str:
        return PREFIX + self.criterion.key

    @property
    def many(self) -> bool:
        """Whether several values may be chosen."""
        return self.criterion.kind == "tags"

    def choices(self) -> list[tuple[Choice, bool]]:
        return [(choice, choice.value in self.chosen) for choice in self.criterion.choices(self.letter)]

    def anchors(self) -> str:
        """What the ends of a scale mean, on one line."""
        if self.criterion.kind != "scale":
            return ""
        return _("1: %(low)s · 5: %(high)s") % {"low": self.criterion.anchors[0], "high": self.criterion.anchors[-1]}


def criterion_fields(rubric: Rubric | None, marks: Mapping[str, Any]) -> list[CriterionField]:
    """The criteria of a rubric with the marks that are given already, or typed."""
    criteria = criteria_of(rubric.criteria) if rubric else []
    fields = []
    for criterion, letter in zip(criteria, LETTERS, strict=False):
        mark = marks.get(criterion.key, [])
        fields.append(
            CriterionField(criterion, letter, [str(value) for value in (mark if isinstance(mark, list) else [mark])])
        )
    return fields


@dataclass(frozen=True, slots=True)
class RatingPage:
    """An answer to judge, or None; the reader's rating of it; and how many are `done` today and `waiting`.

    `work` is the queue that the answer is of, with counts of its own; None: the newest answers of the reader's
    applications.
    """

    answer: Answer | None
    mine: Rating | None
    done: int
    waiting: int
    previous: uuid.UUID | None
    next: uuid.UUID | None
    money: bool  # whether the reader may see costs
    work: Progress | None = None

    @property
    def query(self) -> str:
        """What addresses of this page have in them of the queue: `queue=3&`, or nothing."""
        return f"queue={self.work.queue.pk}&" if self.work else ""

    @property
    def searchable(self) -> bool:
        """Whether the prompt is long enough to look for something in it."""
        return self.answer is not None and len(self.answer.prompt or "") > FOLDED

    @property
    def goal(self) -> int:
        """Today's number of ratings: what is asked for, or what there is."""
        return max(self.done, min(DAILY, self.done + self.waiting))

    def headline(self) -> str:
        """How many answers are done and left: always one short line, so that nothing on the page moves."""
        if self.work is not None:
            text = _("Queue <b>{queue}</b>: {words}.")
            return format_html(text, queue=self.work.queue.name, words=self.set_words())
        if self.answer is None:
            if not self.done:
                return _("No answers to rate.")
            text = ngettext("All done: {n} answer rated today.", "All done: {n} answers rated today.", self.done)
            return format_html(text, n=self.done)
        text = _("<b>{done} of {goal}</b> answers rated today.")
        return format_html(text, done=self.done, goal=self.goal)

    def heading(self) -> str:
        """Which answer of today this is."""
        if self.mine is not None:
            return _("You have rated this answer")
        if self.work is not None:
            return self.work.queue.question
        if self.done < self.goal:
            return _("Answer %(n)s of %(goal)s") % {"n": self.done + 1, "goal": self.goal}
        return _("Next answer")

    def source(self) -> str:
        """Of which application the answer is, and from when; not who gave it before it is rated."""
        if self.answer is None:
            return ""
        request = self.answer.request
        parts = [
            request.application.name if request.application else "",
            request.get_task_display(),
            format_html(_("asked {when}"), when=when(request.started_at)),
        ]
        parts += [] if self.mine is not None else [_("the model is shown at the end")]
        return format_html(" · ".join(["{}"] * len(parts)), *parts)

    def set_words(self) -> str:
        """How far the queue and its reader are."""
        assert self.work is not None, "asked of a queue"
        text = _("%(rated)s of %(needed)s ratings done, %(mine)s by you")
        return text % {"rated": self.work.rated, "needed": self.work.needed, "mine": self.work.mine}

    def hidden(self) -> str:
        """What of the answer is not shown before it is rated."""
        if self.money:
            return _("Speed, cost and model stay hidden until you rate.")
        return _("Speed and model stay hidden until you rate.")

    def waiting_words(self) -> str:
        """How many answers wait; no more are counted than are looked at."""
        return _("%(n)s or more") % {"n": self.waiting} if self.waiting == LONGEST else str(self.waiting)


def blind_since(today: int, waiting: int) -> datetime | None:
    """From when on a person's ratings name no model: those of `today`, until its batch ends, as the answers still
    `waiting` are rated blind. None: every rating does."""
    return midnight(timezone.now().date()) if waiting and today < DAILY else None


@dataclass(frozen=True, slots=True)
class MyRatings:
    """A page of what a person rated, the newest first; `first`: it is the first page.

    `today` counts the ratings since midnight, UTC. Those from `blind_since` on name no model yet.
    """

    rows: Sequence[Rating]
    today: int
    blind_since: datetime | None
    first: bool = True

    @property
    def hidden(self) -> set[int]:
        """Ratings whose model is not named yet."""
        return {row.pk for row in self.rows if self.blind_since and row.created_at >= self.blind_since}

    def headline(self) -> str:
        """How many were rated today."""
        if self.first and not self.rows:
            return _("You have not rated an answer yet.")
        return ngettext("%(n)s answer rated today.", "%(n)s answers rated today.", self.today) % {"n": self.today}


FOLDED = 2_000  # characters of a turn, past which it is folded
LONGEST_FIND = 100
MOST_MARKED = 500  # places of a turn


@dataclass(frozen=True, slots=True)
class ContextTurn:
    """A turn of the prompt: folded where it is long, and open with its places marked where something is looked for."""

    turn: Turn
    find: str = ""

    @property
    def folded(self) -> bool:
        return len(self.turn.text) > FOLDED

    @property
    def places(self) -> int:
        return len(re.findall(re.escape(self.find), self.turn.text, re.IGNORECASE)) if self.find else 0

    def summary(self) -> str:
        """The line of a folded turn."""
        if self.find:
            places = self.places
            text = ngettext("%(n)s match", "%(n)s matches", places)
            if places > MOST_MARKED:
                text = _("%(n)s matches, of which the first %(most)s are marked")
            return f"{self.turn.label} · {text % {'n': count(places), 'most': MOST_MARKED}}"
        return _("%(label)s, %(n)s characters") % {"label": self.turn.label, "n": count(len(self.turn.text))}

    def html(self) -> SafeString:
        """The text, with what is looked for marked."""
        if not self.find:
            return conditional_escape(self.turn.text)
        pieces = re.split(f"({re.escape(self.find)})", self.turn.text, maxsplit=MOST_MARKED, flags=re.IGNORECASE)
        return format_html_join(
            "",
            "{}",
            ((format_html("<mark>{}</mark>", piece) if place % 2 else piece,) for place, piece in enumerate(pieces)),
        )


def context_turns(turns: Sequence[Turn], find: str) -> list[ContextTurn]:
    """The turns of a prompt as the page shows them."""
    return [ContextTurn(turn, find.strip()[:LONGEST_FIND]) for turn in turns]
