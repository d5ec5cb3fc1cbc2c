"""Should we self-host? The live break-even at today's run rate, without queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, Result, volume_saving
from costs.breakeven.band import Band
from costs.breakeven.engine import crossing_as_json
from costs.readiness.evidence import Thresholds
from costs.readiness.scorecard import go
from costs.verdicts.amounts import about_requests, marked_crossing
from costs.verdicts.verdict import State, Verdict
from dashboard.overview.reads import Facts
from dashboard.overview.worth import Worth
from lib.formats import count, dollars, figure, rounded_count, sentences


@dataclass(frozen=True)
class SelfHosting:
    """`needed` is the saving in USD a month that the go or no-go criterion asks for, `needed_at` the requests a month
    that bring it."""

    inputs: Inputs
    result: Result
    verdict: Verdict  # whether to self-host, as on the Decide page
    saving_verdict: Verdict
    worse: bool  # whether our answers are rated so much worse that the page must not call our GPUs cheaper
    needed: Decimal
    needed_at: int | None
    band: Band | None = None  # between which values the crossing lies
    here_on: str = ""  # the line that we are on: "api" or "selfhost"

    @property
    def volume(self) -> int:
        return self.inputs.requests_per_month

    @property
    def crossing(self) -> int | None:
        """Requests a month from which our own GPUs pay: the last crossing passed, else the first."""
        into = [crossing.requests_per_month for crossing in self.result.crossings if crossing.side_to == "selfhost"]
        return max((at for at in into if at <= self.volume), default=min(into, default=None))

    @property
    def distance(self) -> int | None:
        """Requests a month past the crossing; negative before it."""
        return None if self.crossing is None else self.volume - self.crossing

    @property
    def curve(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"requests_per_month": at.requests_per_month, "api": at.api, "selfhost": at.selfhost, "gpus": at.gpus}
            for at in self.result.curve
        ]

    @property
    def crossings(self) -> Sequence[Mapping[str, Any]]:
        return [crossing_as_json(crossing, self.result.routed_share) for crossing in self.result.crossings]

    def headline(self) -> str:
        """The break-even's part of the page's heading."""
        return self._with_figures(self._finding())

    def _finding(self) -> str:
        interval = self.saving_verdict.interval
        surely_cheaper = interval is not None and interval.low > 0
        if not self.volume:
            return _("self-hosting <b>not judged</b>")
        if self.worse:
            return _("self-hosting <b>ruled out</b>")
        if interval is not None and interval.high < 0:
            return _("self-hosting <b>more expensive</b>")
        if self.verdict.state == State.MET:
            return _("self-hosting <b>cheaper</b>") if surely_cheaper else _("self-hosting <b>justified</b>")
        if self.verdict.state == State.NOT_MET:
            return _("self-hosting <b>not justified</b>")
        return _("self-hosting <b>undecided</b>")

    def answer(self) -> str:
        """What self-hosting costs or saves at today's volume with the interval, and what would decide the question."""
        if not self.volume:
            return _("Without traffic nothing is measured. The curve below is an example.")
        text = _("Self-hosted answers are rated significantly worse, so they are not called cheaper.")
        worse = text if self.worse else ""
        return sentences(self.saving_verdict.marked_sentence(), worse, self.verdict.needed)

    def goal(self) -> str:
        """Where the crossing lies, and which volume brings the saving that is required; empty without traffic."""
        if not self.volume:
            return ""
        text = _("It saves {needed} at {needed_at} requests.") if self.needed_at else ""
        return sentences(self._with_figures(self._crossing_text()), self._with_figures(text))

    def _crossing_text(self) -> str:
        if self.crossing is None:
            if self.band and self.band.crossing_low is not None:
                return _("At best, self-hosting is cheaper above about {low} requests a month. At worst, it never is.")
            return _("The curves do not cross at any volume.")
        return _("Self-hosting is cheaper above {crossing} requests a month.")

    def curve_headline(self) -> str:
        """What the curve shows: how far today's volume is from the crossing."""
        if self.band and self.band.holds(self.volume):
            return _("Too close to call: the run rate lies within the break-even’s interval")
        if self.distance is None:
            if self.result.cheaper == "api":
                return _("Self-hosting is not cheaper at any volume")
            return _("Self-hosting is cheaper at every volume")
        if self.distance >= 0:
            return _("About %(n)s requests a month past break-even") % {"n": rounded_count(self.distance)}
        return _("About %(n)s requests a month short of break-even") % {"n": rounded_count(-self.distance)}

    def _with_figures(self, text: str) -> str:
        """`text` with the placeholders replaced by the figures."""
        return format_html(
            text,
            volume=figure(count(self.volume), "run-rate", self.volume),
            crossing=marked_crossing(
                self.crossing, self.band.crossing_ends(self.crossing) if self.band and self.crossing else None
            ),
            low=rounded_count(self.band.crossing_low or 0) if self.band else "",
            needed=dollars(self.needed, 0),
            needed_at=about_requests(self.needed_at, self.band.goal_ends if self.band else None),
        )


def selfhosting(facts: Facts, worth: Worth) -> SelfHosting:
    needed = Thresholds().saving_monthly
    return SelfHosting(
        inputs=facts.inputs,
        result=facts.result,
        verdict=go(facts.card),
        saving_verdict=next(row for row in facts.card.criteria if row.question == "saving"),
        worse=worth.refuses,
        needed=needed,
        band=facts.report.band,
        needed_at=volume_saving(facts.inputs, needed),
        here_on="selfhost" if facts.traffic.own_requests else "api",
    )
