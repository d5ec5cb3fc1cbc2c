"""What a verdict is: a question's state, its figure with the interval, and what would decide it. Pure.

A verdict never goes further than its interval: where the limit that is asked lies inside the interval, it is too close
to call, whatever the middle says.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.verdicts.amounts import marked_saving
from lib.confidence_intervals import Interval, wilson
from lib.formats import count, figure

Question = Literal["plan", "up", "quality", "latency", "saving", "reliability", "go"]
Side = Literal["above", "at_least", "below"]  # where a value has to lie


class State(StrEnum):
    """The four answers that a question can have."""

    MET = "met"
    NOT_MET = "not_met"
    TOO_CLOSE = "too_close"
    NOT_ENOUGH = "not_enough_data"


MARKS = {State.MET: "ok", State.NOT_MET: "bad", State.TOO_CLOSE: "warn", State.NOT_ENOUGH: "unknown"}
WORDS: dict[State, Promise] = {
    State.MET: gettext_lazy("Met"),
    State.NOT_MET: gettext_lazy("Not met"),
    State.TOO_CLOSE: gettext_lazy("Too close to call"),
    State.NOT_ENOUGH: gettext_lazy("Not enough data"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one question.

    `value`, `interval` and `threshold` are in the question's unit: USD for `plan` and `saving`, a share from 0 to 1 for
    `up`, `quality` and `reliability`, milliseconds for `latency`; None is unknown. `because` is the reason in a
    sentence, `needed` what would decide a question that is not decided.
    """

    question: Question
    state: State
    sentence: str
    value: Decimal | None = None
    threshold: Decimal | None = None
    interval: Interval | None = None
    sample: int = 0
    because: str = ""
    needed: str = ""
    set_aside: bool = False  # a switch justifies self-hosting without this criterion
    scope: str = ""  # what it is of, where that is not the installation at this moment: `decision 3`
    period: str = ""  # the month that it is of, `2026-11`, where a page marks it

    @property
    def holds(self) -> bool | None:
        """Whether it is met; None where that is not decided."""
        return {State.MET: True, State.NOT_MET: False}.get(self.state)

    @property
    def mark(self) -> str:
        """The kind of chip that shows the state."""
        return "info" if self.set_aside else MARKS[self.state]

    @property
    def word(self) -> str:
        return _("Set aside") if self.set_aside else str(WORDS[self.state])

    def marked_sentence(self) -> str:
        """The sentence for HTML, with the marks of a saving and of the run rate that it is at."""
        if self.question != "saving" or self.value is None:
            return self.sentence
        n, marked = count(self.sample), marked_saving(self.sentence, self.value, self.interval)
        return SafeString(marked.replace(f"At {n} ", f"At {figure(n, 'run-rate', self.sample)} ", 1))

    def state_mark(self, word: str = "") -> SafeString:
        """The state as a chip with its or another word, and the attributes that `manage.py audit --pages` reads."""
        period = format_html(' data-period="{}"', self.period) if self.period else ""
        scope = format_html(' data-scope="{}"', self.scope) if self.scope else ""
        text = '<span class="state {}" data-question="{}"{}{} data-state="{}">{}</span>'
        return format_html(text, self.mark, self.question, period, scope, self.state.value, word or self.word)


def compare(interval: Interval | None, threshold: Decimal, side: Side) -> State:
    """Whether the whole interval lies on the side that is asked, none of it, or a part."""
    if interval is None:
        return State.NOT_ENOUGH
    if side == "above":
        met, missed = interval.low > threshold, interval.high <= threshold
    elif side == "at_least":
        met, missed = interval.low >= threshold, interval.high < threshold
    else:
        met, missed = interval.high < threshold, interval.low >= threshold
    return State.MET if met else State.NOT_MET if missed else State.TOO_CLOSE


def sample_to_decide(value: Decimal, threshold: Decimal, interval: Interval, sample: int) -> int | None:
    """How large a sample would be whose interval no longer holds the threshold, if the value stayed as it is.

    An interval narrows with the square root of its sample. None where the value is the threshold itself.
    """
    distance = abs(value - threshold)
    half = interval.high - value if value < threshold else value - interval.low
    if not distance:
        return None
    return max(sample, int((sample * (half / distance) ** 2).to_integral_value(ROUND_CEILING)))


MOST_RATINGS = 10_000


def ratings_to_decide(acceptable: int, ratings: int, threshold: Decimal) -> int | None:
    """How many ratings in all decide whether a share is above the threshold, if it stays as it is.

    By Wilson's interval; None where more than `MOST_RATINGS` would be needed.
    """
    share = Decimal(acceptable) / ratings if ratings else threshold

    def decided(n: int) -> bool:
        interval = wilson(int((share * n).to_integral_value()), n)
        return compare(interval, threshold, "at_least") not in (State.TOO_CLOSE, State.NOT_ENOUGH)

    if not decided(MOST_RATINGS):
        return None
    low, high = max(ratings, 1), MOST_RATINGS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle + 1, high)
    return low


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Money as strings, shares and milliseconds as numbers."""
    money = verdict.question in ("plan", "saving")

    def written(value: Decimal | None) -> str | float | None:
        return None if value is None else f"{value:f}" if money else float(value)

    interval = verdict.interval and [written(verdict.interval.low), written(verdict.interval.high)]
    return {
        "question": verdict.question,
        "state": verdict.state.value,
        "sentence": verdict.sentence,
        "value": written(verdict.value),
        "threshold": written(verdict.threshold),
        "interval": interval,
        "sample": verdict.sample,
        "because": verdict.because,
        "needed": verdict.needed,
    }
