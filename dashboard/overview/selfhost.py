"""Should we self-host? The live break-even at today's run rate, without queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, Result, volume_saving
from costs.breakeven.engine import crossing_as_json
from costs.readiness.scorecard import Thresholds
from dashboard.overview.reads import Facts
from dashboard.overview.worth import Worth
from lib.formats import count, dollars, sentences, state


@dataclass(frozen=True)
class SelfHosting:
    """`needed` is the saving in USD a month that the go or no-go criterion asks for, `needed_at` the requests a month
    that bring it."""

    inputs: Inputs
    result: Result
    worse: bool  # whether our answers are rated so much worse that the page must not call our GPUs cheaper
    needed: Decimal
    needed_at: int | None

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
    def to_go(self) -> int:
        return -(self.distance or 0)

    @property
    def saving(self) -> Decimal:
        return self.result.saving

    @property
    def verdict(self) -> str:
        if not self.volume:
            return "none"
        if self.result.cheaper == "api":
            return "api"
        if self.worse:
            return "worse"
        return "pays" if self.saving > self.needed else "barely"

    @property
    def mark(self) -> str:
        return {"pays": "ok", "barely": "ok", "api": "info", "worse": "warn"}.get(self.verdict, "unknown")

    @property
    def curve(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"requests_per_month": at.requests_per_month, "api": at.api, "selfhost": at.selfhost, "gpus": at.gpus}
            for at in self.result.curve
        ]

    @property
    def crossings(self) -> Sequence[Mapping[str, Any]]:
        return [crossing_as_json(crossing, self.result.routed_share) for crossing in self.result.crossings]

    def state_mark(self) -> SafeString:
        """The verdict as a mark with its word."""
        words = {
            "pays": _("Pays"),
            "barely": _("Pays, barely"),
            "worse": _("Cheaper, worse"),
            "api": _("Not now"),
            "none": _("No traffic"),
        }
        return state(self.mark, words[self.verdict])

    def headline(self) -> str:
        """The break-even's part of the page's heading."""
        saves = _("and our own GPU <b>saves {saving}</b> a month at {volume} requests")
        texts = {
            "none": _("and without traffic nothing can be said about self-hosting"),
            "api": _("and self-hosting <b>does not pay</b> at {volume} requests a month; it would from {crossing}")
            if self.crossing
            else _("and self-hosting <b>pays at no volume</b>"),
            "worse": _("and our own GPU would save {saving} a month <b>but answers worse</b>"),
            "barely": saves,
            "pays": saves,
        }
        return self._with_figures(texts[self.verdict])

    def answer(self) -> str:
        """What our own GPUs cost or save at today's volume, and the volume from which they pay."""
        if self.verdict == "none":
            return _("Without traffic nothing is measured; the curve below is the research’s example.")
        if self.verdict == "worse":
            text = _("Our own GPU would save <b>{saving}</b> a month, but its answers are rated significantly worse.")
            return self._with_figures(text)
        if self.verdict == "api":
            text = _(
                "No. At <b>{volume}</b> requests a month our own GPUs would cost <b>{loss}</b> more, "
                "and they pay at no volume."
            )
            if self.crossing:
                text = _(
                    "No. At <b>{volume}</b> requests a month our own GPUs would cost <b>{loss}</b> more; "
                    "they pay from <b>{crossing}</b>."
                )
            return self._with_figures(text)
        pays = _("our own GPU pays at every volume.")
        if self.crossing:
            pays = _("our own GPU pays from <b>{crossing}</b> requests a month and we have <b>{volume}</b>.")
        return sentences(
            _("Yes, by a little:") if self.verdict == "barely" else _("Yes:"),
            self._with_figures(pays),
            self._with_figures(_("It saves <b>{saving}</b> a month.")),
        )

    def goal(self) -> str:
        """The saving that go or no-go asks for with the volume that brings it; empty for verdicts without it."""
        if self.verdict in ("none", "worse"):
            return ""
        text = _("Go or no-go asks for {needed} a month, which no volume brings.")
        if self.verdict == "pays":
            text = _("Go or no-go asks for more than {needed} a month.")
        elif self.needed_at:
            text = _("Go or no-go asks for {needed} a month; that comes at {needed_at} requests.")
        return self._with_figures(text)

    def curve_headline(self) -> str:
        """What the curve shows: how far today's volume is from the crossing."""
        if self.distance is None:
            if self.result.cheaper == "api":
                return _("At no volume do our own GPUs cost less")
            return _("Our own GPUs cost less at every volume")
        if self.distance >= 0:
            return _("We are %(n)s requests a month past break-even") % {"n": count(self.distance)}
        return _("We are %(n)s requests a month short of break-even") % {"n": count(self.to_go)}

    def _with_figures(self, text: str) -> str:
        """`text` with the placeholders replaced by the figures."""
        return format_html(
            text,
            volume=count(self.volume),
            crossing=count(self.crossing),
            saving=dollars(self.saving, 0),
            loss=dollars(-self.saving, 0),
            needed=dollars(self.needed, 0),
            needed_at=count(self.needed_at),
        )


def selfhosting(facts: Facts, worth: Worth) -> SelfHosting:
    needed = Thresholds().saving_monthly
    return SelfHosting(
        inputs=facts.inputs,
        result=facts.result,
        worse=worth.refuses,
        needed=needed,
        needed_at=volume_saving(facts.inputs, needed),
    )
