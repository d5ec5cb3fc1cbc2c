"""What the pages of comparisons show and say: one pair, blind, and what all choices add up to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import exp

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.confidence_intervals import Interval, points_apart, wilson
from lib.formats import count, percent, sentences
from traffic.comparisons.queries import RaterCounts, Result
from traffic.comparisons.queue import COUNTED, Shown, Texts
from traffic.comparisons.rater import side_of
from traffic.comparisons.statistics import MARGIN, Strength
from traffic.models import Pair, PairChoice, Task
from traffic.quality.agreement import FEWEST_UNITS, TRUSTED, Agreement
from traffic.quality.queries import COMPARED_DAYS
from traffic.rendering import Rendered, marked_differences, rendered

SIDE_WORDS = {
    "a": gettext_lazy("A is better"),
    "b": gettext_lazy("B is better"),
    "tie": gettext_lazy("Tie"),
    "both_bad": gettext_lazy("Both bad"),
}
CHOSEN = {
    "a": gettext_lazy("Saved: A is better."),
    "b": gettext_lazy("Saved: B is better."),
    "tie": gettext_lazy("Saved: a tie."),
    "both_bad": gettext_lazy("Saved: both are bad."),
}
VERDICTS = {
    "better": gettext_lazy("Better"),
    "not_worse": gettext_lazy("Not worse"),
    "worse": gettext_lazy("Worse"),
    "not_yet": gettext_lazy("Not enough data"),
}
MARKS = {"better": "ok", "not_worse": "ok", "worse": "bad", "not_yet": "unknown"}


@dataclass(frozen=True, slots=True)
class ComparePage:
    """A pair to choose from, or None; how many this rater did today and has left; `diff`: differences are marked."""

    shown: Shown | None
    done: int
    left: int
    diff: bool = False

    def headline(self) -> str:
        """How many pairs are done and left."""
        done = ngettext("<b>{n} pair</b> compared today", "<b>{n} pairs</b> compared today", self.done)
        left = _("{n} or more left") if self.left >= COUNTED else _("{n} left")
        if self.shown is None and not self.left:
            return format_html(_("{done}, none left."), done=format_html(done, n=count(self.done)))
        return format_html("{}, {}.", format_html(done, n=count(self.done)), format_html(left, n=count(self.left)))

    def source(self) -> SafeString:
        """Of which application and task the pair is; not who answered."""
        if self.shown is None:
            return SafeString()
        pair = self.shown.pair
        parts = [pair.application.name] if pair.application else []
        parts += [pair.get_task_display(), _("the deployments are named at the end")]
        return format_html(" · ".join(["{}"] * len(parts)), *parts)

    def answers(self) -> list[tuple[str, Rendered]]:
        """Both answers under their letters."""
        assert self.shown is not None, "an empty page shows no answers"
        texts = (self.shown.first, self.shown.second)
        marked = marked_differences(*texts) if self.diff else None
        return list(zip("AB", marked or map(rendered, texts), strict=True))

    def diff_note(self) -> str:
        """Why differences are not marked although that was chosen; empty where they are."""
        if not self.diff or self.shown is None or marked_differences(self.shown.first, self.shown.second):
            return ""
        return _("The answers are too long to mark their differences.")


@dataclass(frozen=True, slots=True)
class ChosenRow:
    """A choice of this rater, with the deployments named."""

    choice: PairChoice

    def words(self) -> str:
        """What was chosen, as the rater saw the sides."""
        return str(SIDE_WORDS[side_of(self.choice.outcome, self.choice.candidate_first)])

    def names(self) -> tuple[str, str]:
        """The deployments behind A and B."""
        pair = self.choice.pair
        names = (pair.candidate.name, pair.baseline.name)
        return names if self.choice.candidate_first else (names[1], names[0])


# --- results -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A candidate and its baseline, in words."""

    result: Result

    @property
    def mark(self) -> str:
        """The kind of chip that shows the verdict."""
        return MARKS[self.result.verdict]

    def word(self) -> str:
        return str(VERDICTS[self.result.verdict])

    @property
    def tasks(self) -> list[ResultRow]:
        return [ResultRow(result) for result in self.result.tasks]

    def names(self) -> str:
        return _("%(candidate)s against %(baseline)s") % {
            "candidate": self.result.candidate.name,
            "baseline": self.result.baseline.name,
        }

    def task_name(self) -> str:
        return str(dict(Task.choices).get(self.result.task, self.result.task))

    def sentence(self) -> str:
        """The verdict on the two deployments."""
        texts = {
            "better": _("%(candidate)s is rated better than %(baseline)s."),
            "not_worse": _("%(candidate)s is not rated worse than %(baseline)s."),
            "worse": _("%(candidate)s is rated worse than %(baseline)s."),
            "not_yet": _("Not enough data to compare %(candidate)s with %(baseline)s."),
        }
        names = {"candidate": self.result.candidate.name, "baseline": self.result.baseline.name}
        return texts[self.result.verdict] % names

    def apart(self) -> str:
        """The interval of the difference in percentage points of all pairs; empty without a pair."""
        difference = self.result.difference
        if difference is None:
            return ""
        return points_apart(Interval(Decimal(str(difference.low)), Decimal(str(difference.high))))

    def enough(self) -> str:
        """Whether there are enough pairs, and how many more are needed."""
        if self.result.enough:
            return _("Enough pairs")
        more = self.result.more_needed
        if not self.result.pairs:
            return _("No choices yet")
        if more is None:
            return _("Too close to call, whatever the number of pairs")
        text = ngettext("About %(n)s more pair is needed", "About %(n)s more pairs are needed", more)
        return text % {"n": count(more)}

    def disputed(self) -> str:
        """How many pairs have raters without a majority; empty without one."""
        n = self.result.disputed
        text = ngettext("%(n)s pair is disputed and counts as a tie.", "%(n)s pairs are disputed and count as ties.", n)
        return text % {"n": n} if n else ""


@dataclass(frozen=True, slots=True)
class PairPage:
    """A pair to decide, without names, or one that this person has chosen from, with them.

    `candidate_first`: this person sees the candidate's answer as A. `own` is their choice.
    """

    pair: Pair
    texts: Texts | None
    choices: Sequence[PairChoice]
    candidate_first: bool
    own: PairChoice | None = None

    @property
    def is_named(self) -> bool:
        """Whether the page shows who answered: not while this person may still decide."""
        return not self.pair.disputed or (self.own is not None and self.own.revealed_at is not None)

    def headline(self) -> str:
        """How many raters chose; between which deployments, where these are named."""
        if not self.is_named:
            text = ngettext("%(n)s rater compared this pair.", "%(n)s raters compared this pair.", self.pair.votes)
            return text % {"n": count(self.pair.votes)}
        text = ngettext(
            "%(n)s rater chose between %(candidate)s and %(baseline)s.",
            "%(n)s raters chose between %(candidate)s and %(baseline)s.",
            self.pair.votes,
        )
        names = {"candidate": self.pair.candidate.name, "baseline": self.pair.baseline.name}
        return text % {"n": count(self.pair.votes), **names}

    def no_decision(self) -> str:
        """Why this person cannot decide the pair; empty where they can."""
        if not self.is_named:
            return ""
        if self.pair.disputed:
            return _("You have seen who answered, so another person has to decide this pair.")
        return _("This pair is decided.")

    def answers(self) -> list[tuple[str, Rendered]]:
        """Both answers in this person's order, under their letters or under letters and names."""
        if self.texts is None:
            return []
        sides = [(self.pair.candidate.name, self.texts.first), (self.pair.baseline.name, self.texts.second)]
        ordered = sides if self.candidate_first else sides[::-1]
        return [
            (f"{letter}: {name}" if self.is_named else letter, rendered(text))
            for letter, (name, text) in zip("AB", ordered, strict=True)
        ]

    def choice_rows(self) -> list[tuple[PairChoice, str]]:
        """Each choice in words, by the letters of this page."""
        return [(choice, str(SIDE_WORDS[side_of(choice.outcome, self.candidate_first)])) for choice in self.choices]


@dataclass(frozen=True, slots=True)
class RaterRow:
    """One rater's choices."""

    counts: RaterCounts

    def side(self) -> str:
        """How often this rater chose the answer on the left, with its interval; a fair rater is near 50 %."""
        interval = wilson(self.counts.chose_first, self.counts.chose_a_side)
        if interval is None:
            return ""
        share = percent(self.counts.chose_first / self.counts.chose_a_side)
        return _("%(share)s (%(low)s–%(high)s)") % {
            "share": share, "low": percent(interval.low), "high": percent(interval.high),
        }  # fmt: skip

    def is_biased(self) -> bool:
        """Whether the interval of the share leaves out one half: this rater prefers a side."""
        interval = wilson(self.counts.chose_first, self.counts.chose_a_side)
        return interval is not None and not interval.low <= Decimal("0.5") <= interval.high

    def with_others(self) -> str:
        return _part(self.counts.with_majority, self.counts.shared)

    def gold(self) -> str:
        return _part(self.counts.gold_right, self.counts.gold)


def _part(part: int, whole: int) -> str:
    return _("%(part)s of %(whole)s") % {"part": count(part), "whole": count(whole)} if whole else ""


@dataclass(frozen=True, slots=True)
class ComparisonsPage:
    """All results, the most compared deployments first; `strengths` where three or more were compared."""

    results: Sequence[Result]
    agreement: Agreement
    raters: Sequence[RaterCounts]
    strengths: Sequence[Strength] | None = None

    @property
    def rows(self) -> list[ResultRow]:
        return [ResultRow(result) for result in self.results]

    @property
    def rater_rows(self) -> list[RaterRow]:
        return [RaterRow(counts) for counts in self.raters]

    @property
    def margin(self) -> float:
        """The mark of the drawn intervals: how much worse a candidate may be."""
        return -MARGIN

    @property
    def scale(self) -> float:
        """The end of the scale of the drawn intervals: a round tenth beyond all of them, on both sides of 0."""
        rows = [row for result in self.results for row in (result, *result.tasks)]
        ends = [abs(end) for row in rows if row.difference for end in (row.difference.low, row.difference.high)]
        return min(1.0, int(max(ends, default=0.1) * 10 + 1) / 10)

    @property
    def scale_low(self) -> float:
        return -self.scale

    def headline(self) -> SafeString:
        """The verdict with the most pairs behind it, and what raters' agreement allows."""
        judged = [ResultRow(result) for result in self.results if result.pairs]
        if not judged:
            return sentences(_("No pair of answers has been compared."))
        row = judged[0]
        pairs = ngettext("%(n)s pair: %(apart)s.", "%(n)s pairs: %(apart)s.", row.result.pairs)
        finding = pairs % {"n": count(row.result.pairs), "apart": row.apart()}
        return sentences(row.sentence(), finding if row.result.enough else f"{row.enough()}.")

    def counted_words(self) -> str:
        """Which pairs count, here, in the API and in Break-even."""
        text = _("Pairs of the last %(days)s days count, without trials that Break-even does not take.")
        return f"{text % {'days': COMPARED_DAYS}} " + _("Two deployments’ pairs of the same prompt count once.")

    def agreement_heading(self) -> str:
        if self.agreement.trusted is None:
            return _("Agreement is not known")
        return _("Raters agree") if self.agreement.trusted else _("Raters do not agree enough")

    def agreement_words(self) -> SafeString:
        """Alpha with what it is of, and what follows from it."""
        alpha, items = self.agreement.alpha, self.agreement.items
        pairs = ngettext("%(n)s pair was", "%(n)s pairs were", items) % {"n": count(items)}
        of_pairs = _("%(pairs)s chosen from by two raters or more.") % {"pairs": pairs}
        if items < FEWEST_UNITS:
            needed = _("%(n)s are needed before agreement is shown.") % {"n": FEWEST_UNITS}
            return sentences(of_pairs, needed)
        if alpha is None:
            return sentences(of_pairs, _("All choices are the same, so agreement cannot be calculated."))
        figure = _("Krippendorff’s alpha is %(alpha)s, and %(least)s is required.") % {
            "alpha": self.agreement.alpha_words(), "least": f"{TRUSTED:.2f}",
        }  # fmt: skip
        advice = _("Agree on the criteria and compare more pairs before you rely on these results.")
        return sentences(figure, of_pairs, "" if self.agreement.trusted else advice)

    def strength_rows(self) -> list[dict[str, object]]:
        """Rows of the interval chart: how likely each deployment is preferred to an average one."""
        return [
            {
                "label": row.name, "value": _chance(row.middle), "low": _chance(row.low), "high": _chance(row.high),
                "passes": row.low > 0,
            }
            for row in self.strengths or ()
        ]  # fmt: skip


def _chance(strength: float) -> float:
    """The probability to be preferred to a deployment of the mean strength."""
    return 1 / (1 + exp(-strength))
