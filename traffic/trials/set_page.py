"""What the pages of sets of answers show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.formats import count
from traffic.models import AnswerSet, Trial
from traffic.trials.sets import Outcome

WORDS = {
    "worse": gettext_lazy("worse"),
    "better": gettext_lazy("better"),
    "same": gettext_lazy("no difference"),
    "open": gettext_lazy("not rated"),
}
MARKS = {"worse": "bad", "better": "ok", "same": "info", "open": "unknown"}
KEPT = {True: gettext_lazy("acceptable"), False: gettext_lazy("not acceptable"), None: gettext_lazy("not rated")}
ORDER = list(WORDS)
EXCERPT = 200  # characters of a text in the table


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One item of the table."""

    outcome: Outcome

    @property
    def mark(self) -> str:
        return MARKS[self.outcome.verdict]

    def word(self) -> str:
        return str(WORDS[self.outcome.verdict])

    def stored(self) -> str:
        """How the stored answer was judged."""
        return str(KEPT[self.outcome.item.acceptable])

    def rated(self) -> str:
        """How the new answer was judged; empty without a rating."""
        if not self.outcome.ratings:
            return ""
        words = {"good": count(self.outcome.good), "n": count(self.outcome.ratings)}
        return _("%(good)s of %(n)s acceptable") % words

    def prompt(self) -> str:
        return self.outcome.item.prompt[:EXCERPT]


@dataclass(frozen=True, slots=True)
class SetPage:
    """A set, and its items beside the answers of one trial; the items that became worse first."""

    answer_set: AnswerSet
    outcomes: Sequence[Outcome]
    trial: Trial | None
    hidden: int  # items that this person may not read

    @property
    def rows(self) -> list[OutcomeRow]:
        return [OutcomeRow(row) for row in sorted(self.outcomes, key=lambda row: ORDER.index(row.verdict))]

    def headline(self) -> str:
        """How many items there are, or how many became worse in the trial."""
        n = len(self.outcomes)
        items = ngettext("%(n)s item in this set.", "%(n)s items in this set.", n) % {"n": count(n)}
        if self.trial is None:
            return items
        counted = Counter(row.verdict for row in self.outcomes)
        if counted["open"] == n:
            return f"{items} {_('%(name)s: no new answer is rated yet.') % {'name': self.trial.candidate.name}}"
        words = {
            "name": self.trial.candidate.name,
            "worse": count(counted["worse"]),
            "better": count(counted["better"]),
        }
        text = _("%(name)s: %(worse)s worse and %(better)s better.") % words
        return f"{items} {text}"

    def hidden_words(self) -> str:
        """That items of applications are left out; empty where none is."""
        text = ngettext(
            "%(n)s item is of an application whose texts you may not read.",
            "%(n)s items are of applications whose texts you may not read.", self.hidden,
        )  # fmt: skip
        return text % {"n": count(self.hidden)} if self.hidden else ""

    def rejected_words(self) -> str:
        """How many lines of the file were left out; empty where none was."""
        n = self.answer_set.rejected
        text = ngettext("%(n)s line of the file is not an item.", "%(n)s lines of the file are not items.", n)
        return text % {"n": count(n)} if n else ""


def headline(sets: Sequence[AnswerSet]) -> str:
    """How many sets there are."""
    if not sets:
        return _("No sets yet. A set stores prompts with judged answers for later trials.")
    text = ngettext("%(n)s version. The newest is %(name)s.", "%(n)s versions. The newest is %(name)s.", len(sets))
    return text % {"n": count(len(sets)), "name": sets[0]}


def saved_words(made: AnswerSet, left_out: int) -> str:
    """That a version is saved, and how many prompts it has no room for."""
    saved = _("%(name)s is saved.") % {"name": made}
    text = ngettext(
        "%(n)s more prompt is left out, because a set has at most 2,000 items and 32 million characters.",
        "%(n)s more prompts are left out, because a set has at most 2,000 items and 32 million characters.", left_out,
    )  # fmt: skip
    return f"{saved} {text % {'n': count(left_out)}}" if left_out else saved
