"""What the page of judges shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, dollars, percent
from traffic.judges.queries import JudgeResult
from traffic.quality.agreement import FEWEST_UNITS


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """One judge. Its share is shown only beside its agreement with people."""

    result: JudgeResult

    @property
    def mark(self) -> str:
        if not self.result.judge.enabled:
            return "unknown"
        return "ok" if self.result.trusted else "warn"

    def word(self) -> str:
        """Whether its scores may be used."""
        if self.result.trusted:
            return _("agrees with people")
        return _("not to be trusted yet")

    def agreement(self) -> str:
        """Alpha with what it is of, or what is missing for it."""
        agreement, least = self.result.agreement, f"{self.result.judge.least_alpha:.2f}"
        if agreement.items < FEWEST_UNITS:
            words = {"n": count(agreement.items), "needed": FEWEST_UNITS}
            return _("%(n)s of %(needed)s answers that people rated too") % words
        if agreement.alpha is None:
            return _("all scores are the same")
        words = {"alpha": agreement.alpha_words(), "n": count(agreement.items), "least": least}
        return _("alpha %(alpha)s over %(n)s answers, %(least)s is required") % words

    def share(self) -> str:
        """The acceptable share with its interval; empty without a score."""
        result = self.result
        if result.interval is None:
            return ""
        low, high = result.interval
        return f"{percent(result.acceptable / result.judged)} ({percent(low)}–{percent(high)})"

    def spent(self) -> str:
        words = {"spent": dollars(self.result.spent, 4), "cap": dollars(self.result.judge.cap_usd)}
        return _("%(spent)s of %(cap)s") % words


def headline(results: Sequence[JudgeResult]) -> str:
    """How many judges are enabled, and how many agree with people."""
    enabled = [result for result in results if result.judge.enabled]
    if not enabled:
        return _("No judge is enabled. People rate all answers.")
    trusted = sum(result.trusted for result in enabled)
    text = ngettext(
        "%(n)s judge is enabled, %(trusted)s agrees with people.",
        "%(n)s judges are enabled, %(trusted)s of them agree with people.", len(enabled),
    )  # fmt: skip
    return text % {"n": count(len(enabled)), "trusted": count(trusted)}
