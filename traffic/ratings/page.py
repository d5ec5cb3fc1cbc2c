"""What the page of the rating queue shows and says: one answer, blind, and how far its reader is today."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import when
from traffic.models import Rating
from traffic.ratings.queue import LONGEST, Answer

DAILY = 40  # ratings a day that one person is asked for


@dataclass(frozen=True, slots=True)
class RatingPage:
    """An answer to judge, or None; the reader's rating of it; and how many are `done` today and `waiting`."""

    answer: Answer | None
    mine: Rating | None
    done: int
    waiting: int
    previous: uuid.UUID | None
    next: uuid.UUID | None
    money: bool  # whether the reader may see costs

    @property
    def goal(self) -> int:
        """Today's number of ratings: what is asked for, or what there is."""
        return max(self.done, min(DAILY, self.done + self.waiting))

    def headline(self) -> str:
        """How many answers are done and left: always one short line, so that nothing on the page moves."""
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

    def hidden(self) -> str:
        """What of the answer is not shown before it is rated."""
        if self.money:
            return _("Speed, cost and model stay hidden until you rate.")
        return _("Speed and model stay hidden until you rate.")

    def waiting_words(self) -> str:
        """How many answers wait; no more are counted than are looked at."""
        return _("%(n)s or more") % {"n": self.waiting} if self.waiting == LONGEST else str(self.waiting)


@dataclass(frozen=True, slots=True)
class MyRatings:
    """A page of what a person rated, the newest first; `first`: it is the first page."""

    rows: Sequence[Rating]
    today: int
    first: bool

    def headline(self) -> str:
        """How many were rated today."""
        if self.first and not self.rows:
            return _("You have not rated an answer yet.")
        return ngettext("%(n)s answer rated today.", "%(n)s answers rated today.", self.today) % {"n": self.today}
