"""What the page of the rating queue shows and says: one answer, blind, and how far its reader is today."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import sentences, when
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
        """How many answers wait, and how many are done."""
        if self.answer is None:
            if not self.done:
                return _("No answer of your applications waits to be rated now.")
            text = ngettext(
                "You have rated <b>{n} answer</b> today, and no other one waits for you.",
                "You have rated <b>{n} answers</b> today, and no other one waits for you.",
                self.done,
            )
            return format_html(text, n=self.done)
        if not self.done:
            text = ngettext(
                "<b>{n} answer</b> waits for your judgement today.",
                "<b>{n} answers</b> wait for your judgement today.",
                self.goal,
            )
            return format_html(text, n=self.goal)
        left = self.goal - self.done
        text = ngettext(
            "<b>{n}</b> more waits for your judgement.",
            "<b>{n}</b> more wait for your judgement.",
            left,
        )
        done = format_html(_("<b>{done} of {goal}</b> answers rated by you today;"), done=self.done, goal=self.goal)
        return sentences(done, format_html(text, n=left))

    def heading(self) -> str:
        """Which answer of today this is."""
        if self.mine is not None:
            return _("You have rated this answer")
        if self.done < self.goal:
            return _("Answer %(n)s of %(goal)s") % {"n": self.done + 1, "goal": self.goal}
        return _("One more answer")

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
        parts += [] if self.mine is not None else [_("who answered is shown after you rate")]
        return format_html(" · ".join(["{}"] * len(parts)), *parts)

    def hidden(self) -> str:
        """What of the answer is not shown before it is rated."""
        if self.money:
            return _("Speed, cost and model stay hidden until you rate.")
        return _("Speed and model stay hidden until you rate.")

    def waiting_words(self) -> str:
        """How many answers wait; no more are counted than are looked at."""
        return _("%(n)s or more") % {"n": self.waiting} if self.waiting == LONGEST else str(self.waiting)
