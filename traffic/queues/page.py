"""What the pages of queues show and say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from traffic.models import RatingQueue
from traffic.models.queues import shown_name
from traffic.queues.queries import Progress


@dataclass(frozen=True, slots=True)
class QueueList:
    """All queues that a person may see; `left` is how many answers they may rate now, by queue."""

    rows: Sequence[Progress]
    left: Mapping[int, int]

    def headline(self) -> str:
        total = sum(self.left.values())
        if total:
            return waiting_words(total)
        return _("No queue has answers for you to rate. The newest answers are open to every rater.")

    def lines(self) -> list[QueueLine]:
        return [QueueLine(row, self.left.get(row.queue.pk, 0)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One queue in the list."""

    progress: Progress
    left: int

    def progress_words(self) -> str:
        words = {"rated": self.progress.rated, "needed": self.progress.needed, "mine": self.progress.mine}
        return _("%(rated)s of %(needed)s, %(mine)s by you") % words

    def state(self) -> tuple[str, str]:
        """A state's kind and its word."""
        if self.progress.queue.closed_at:
            return "unknown", _("closed")
        return ("ok", _("done")) if self.progress.done else ("info", _("open"))

    def scope(self) -> str:
        return scope_words(self.progress.queue)


def waiting_words(n: int) -> str:
    text = ngettext("%(n)s answer waits for your rating.", "%(n)s answers wait for your rating.", n)
    return text % {"n": n}


def scope_words(queue: RatingQueue) -> str:
    """What a queue was drawn from, and how."""
    parts = [
        queue.application.name if queue.application else "",
        queue.get_task_display() if queue.task else "",
        queue.deployment.name if queue.deployment else "",
        queue.get_sampling_display(),
    ]
    return " · ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One queue for who manages it."""

    progress: Progress
    by_rater: Sequence[tuple[User | None, int]]
    skips: Sequence[tuple[str, int]]

    def headline(self) -> str:
        if not self.progress.needed:
            return _("No stored answer matches this queue yet.")
        text = _("%(rated)s of %(needed)s ratings are done.")
        return text % {"rated": self.progress.rated, "needed": self.progress.needed}

    def facts(self) -> list[tuple[str, str]]:
        queue = self.progress.queue
        overlap = _("%(share)s %% of the answers, %(n)s ratings each")
        return [
            (_("Question"), queue.question),
            (_("Answers"), scope_words(queue)),
            (_("Rated by several"), overlap % {"share": queue.overlap_percent, "n": queue.ratings_per_answer}),
            (_("Rubric"), str(queue.rubric) if queue.rubric else _("that of each answer's task")),
        ]

    def raters(self) -> list[tuple[str, int]]:
        """Each rater's name and number of ratings; a name that its rater hides is not shown."""
        return [(name_of(person), n) for person, n in self.by_rater]

    def reasons(self) -> list[tuple[str, int]]:
        return [(reason or _("no reason"), n) for reason, n in self.skips]


def name_of(person: User | None) -> str:
    """A rater's name, as far as they show it."""
    if person is None:
        return _("deleted person")
    return shown_name(person)
