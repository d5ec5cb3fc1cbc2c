"""Go or no-go, pure: four criteria with their evidence, the clauses that forbid, and one verdict.

GO when all criteria are met and nothing forbids; NO-GO as soon as one is not met or something forbids; NOT YET while
one is not decided, with what would decide it. Privacy and a fine-tuned model can justify self-hosting against the
money: they set the saving and the volume aside, and the scorecard shows that they did.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from django.utils.translation import gettext as _

from costs.breakeven import decimal_text
from costs.readiness.criteria import latency, percent_cut, quality, reliability, saving
from costs.readiness.criteria import ms as _ms
from costs.readiness.evidence import GAP, Evidence, OpsWorkload, Thresholds
from costs.verdicts.verdict import State, Verdict
from lib.confidence_intervals import Interval, points_apart
from lib.formats import dollars

Choice = Literal["go", "no_go", "not_yet"]


@dataclass(frozen=True, slots=True)
class Objection:
    """A clause of the no-go list that applies."""

    slug: Literal["quality-gap", "complexity", "operations", "volume"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    verdict: Choice
    state: State  # of the question whether to self-host
    sentence: str
    criteria: tuple[Verdict, ...]
    objections: tuple[Objection, ...]
    justified_by: tuple[str, ...]  # switches that are on
    changes: tuple[str, ...]  # what would change the verdict, in sentences
    ops_workload: OpsWorkload


def judge(evidence: Evidence, thresholds: Thresholds | None = None) -> Scorecard:
    """Judge all four criteria and the objections."""
    limits = thresholds or Thresholds()
    justified = _switches(evidence)
    criteria = (
        quality(evidence, limits),
        latency(evidence, limits),
        saving(evidence, limits, bool(justified)),
        reliability(evidence, limits),
    )
    objections = tuple(_objections(evidence, bool(justified)))
    reached = _state(criteria, objections)
    verdict = CHOICES.get(reached, "not_yet")
    return Scorecard(
        verdict,
        reached,
        _sentence(verdict, criteria, objections, justified),
        criteria,
        objections,
        justified,
        tuple(_changes(evidence, criteria, objections)),
        evidence.ops_workload,
    )


CHOICES: dict[State, Choice] = {State.MET: "go", State.NOT_MET: "no_go"}


def _state(criteria: tuple[Verdict, ...], objections: tuple[Objection, ...]) -> State:
    """Whether to self-host: one criterion that is not met, or one objection, outweighs what is not decided."""
    counted = [row.state for row in criteria if not row.set_aside]
    if objections or State.NOT_MET in counted:
        return State.NOT_MET
    return next((state for state in (State.NOT_ENOUGH, State.TOO_CLOSE) if state in counted), State.MET)


def go(card: Scorecard) -> Verdict:
    """The scorecard as the verdict on the question whether to self-host."""
    needed = next((row.needed for row in card.criteria if row.needed and not row.set_aside), "")
    reason = card.objections[0].sentence if card.objections else ""
    return Verdict("go", card.state, card.sentence, because=reason, needed=needed)


def quality_refuses(gap: Interval | None) -> bool:
    """Whether rated quality is significantly worse, so that nothing may be called cheaper."""
    return gap is not None and gap.high < GAP


def as_json(card: Scorecard) -> dict[str, Any]:
    """The contract's answer, with what forbids and what would change the verdict beside it."""
    return {
        "verdict": card.verdict,
        "state": card.state.value,
        "sentence": card.sentence,
        "criteria": [criterion_json(row) for row in card.criteria],
        "objections": [{"slug": row.slug, "sentence": row.sentence} for row in card.objections],
        "justified_by": list(card.justified_by),
        "changes": list(card.changes),
        "burden": ops_workload_json(card.ops_workload),
    }


def ops_workload_json(burden: OpsWorkload) -> dict[str, Any]:
    """Values and limits as numbers; a limit of null is none."""
    rows = ((name, value, most) for name, value, most in burden.rows)
    return {
        name: {"value": float(value), "limit": None if most is None else float(most), "over": name in burden.over}
        for name, value, most in rows
    }


def criterion_json(row: Verdict) -> dict[str, Any]:
    """Money as strings, shares and milliseconds as numbers."""
    as_value = decimal_text if row.question == "saving" else float
    interval = row.interval and [as_value(row.interval.low), as_value(row.interval.high)]
    return {
        "slug": row.question,
        "holds": row.holds,
        "state": row.state.value,
        "value": None if row.value is None else as_value(row.value),
        "threshold": None if row.threshold is None else as_value(row.threshold),
        "interval": interval,
        "sample": row.sample,
        "sentence": row.sentence,
        "needed": row.needed,
        "set_aside": row.set_aside,
    }


# --- what forbids, what justifies, what would change it ------------------------------------------------------------


def _objections(evidence: Evidence, justified: bool) -> list[Objection]:
    objections = []
    if evidence.quality_gap is not None and quality_refuses(evidence.quality_gap):
        text = _("Self-hosted answers are rated significantly worse: %(points)s than the API’s.")
        objections.append(Objection("quality-gap", text % {"points": points_apart(evidence.quality_gap)}))
    if evidence.too_complex:
        text = _("Running it was judged too complex: %(reason)s") % {"reason": evidence.too_complex}
        objections.append(Objection("complexity", text))
    if evidence.ops_workload.over:
        objections.append(Objection("operations", _("Running it takes more work than was agreed: %(what)s.") % {
            "what": ", ".join(_too_much(evidence.ops_workload))}))  # fmt: skip
    surely_dearer = evidence.saving_interval is not None and evidence.saving_interval.high < 0
    if evidence.cheaper == "api" and surely_dearer and not justified:
        objections.append(Objection("volume", _volume(evidence)))
    return objections


def _too_much(burden: OpsWorkload) -> list[str]:
    """What is over its limit, in words."""
    words = {
        "incidents": _("%(value)s incidents in 30 days, at most %(most)s"),
        "hours": _("%(value)s hours of work in 30 days, at most %(most)s"),
        "pages": _("%(value)s calls in 30 days, at most %(most)s"),
    }
    return [
        words[name] % {"value": _plainly(value), "most": _plainly(most)}
        for name, value, most in burden.rows
        if most is not None and name in burden.over
    ]


def _plainly(value: Decimal | int) -> str:
    """3.5 for 3.50."""
    return f"{value:,}" if isinstance(value, int) else f"{value.normalize():,f}"


def _volume(evidence: Evidence) -> str:
    values = {"requests": f"{evidence.requests_per_month or 0:,}", "crossing": evidence.pays_from()}
    if evidence.crossing is None:
        return _("Self-hosting is not cheaper than the API at any volume.")
    if (evidence.requests_per_month or 0) < evidence.crossing:
        text = _("The volume of %(requests)s requests a month is below the break-even of %(crossing)s.")
    else:
        text = _("At %(requests)s requests a month the API is cheaper again: one GPU more than the volume fills.")
    return text % values


def _switches(evidence: Evidence) -> tuple[str, ...]:
    switches = (("privacy", evidence.private), ("fine_tuned", evidence.fine_tuned))
    return tuple(name for name, on in switches if on)


def _sentence(
    verdict: Choice, criteria: tuple[Verdict, ...], objections: tuple[Objection, ...], justified: tuple[str, ...]
) -> str:
    counted = [row for row in criteria if not row.set_aside]
    values = {
        "met": sum(row.state == State.MET for row in counted),
        "open": sum(row.holds is None for row in counted),
        "known": sum(row.state != State.NOT_ENOUGH for row in counted),
        "all": len(counted),
    }
    if verdict == "go":
        text = _("GO: all %(all)s criteria are met.") % values
    elif verdict == "no_go":
        text = _("NO-GO: %(met)s of %(all)s criteria are met.") % values
        if objections:
            text += " " + objections[0].sentence
    else:
        text = _("Too close to call: %(met)s of %(all)s criteria are met, %(open)s undecided.") % values
        if values["known"] < values["all"]:
            text = _("Not enough data: %(known)s of %(all)s criteria can be evaluated, %(met)s are met.") % values
    if justified:
        text += " " + _("The saving does not count, because privacy or a fine-tuned model requires self-hosting.")
    return text


def _changes(evidence: Evidence, criteria: tuple[Verdict, ...], objections: tuple[Objection, ...]) -> list[str]:
    """What is missing or would turn a failing criterion, in sentences."""
    undecided = [row for row in criteria if row.holds is None and not row.set_aside]
    changes = [f"{row.sentence} {row.needed}".strip() for row in undecided]
    changes += [_turn(evidence, row) for row in criteria if row.holds is False and not row.set_aside]
    advice = {
        "complexity": lambda: _("The person who made the veto would have to withdraw it."),
        "operations": lambda: _("Operations work would have to come down to the agreed limits."),
        "quality-gap": lambda: _("The better end of the interval would have to be at most 5 percentage points worse."),
        "volume": lambda: _more_volume(evidence),
    }
    return changes + [advice[row.slug]() for row in objections]


def _more_volume(evidence: Evidence) -> str:
    """What the volume, or the prices, would have to become."""
    if evidence.crossing is None:
        return _("API prices would have to rise or GPU prices fall: more requests do not help.")
    if (evidence.requests_per_month or 0) < evidence.crossing:
        text = _("At %(crossing)s requests a month the break-even would be reached.")
        return text % {"crossing": evidence.pays_from()}
    return _("More requests would have to fill the next GPU, or a larger GPU serve them all.")


def _turn(evidence: Evidence, row: Verdict) -> str:
    limit = row.threshold or Decimal(0)
    if row.question == "saving":
        volume = evidence.saves_from()
        if not volume:
            return _("No volume at these prices saves %(needed)s a month.") % {"needed": dollars(limit, 0)}
        text = _("At %(volume)s requests a month the saving would reach %(needed)s.")
        return text % {"volume": volume, "needed": dollars(limit, 0)}
    if row.question == "quality":
        return _(
            "More requests would have to be of tasks with acceptable answers: now %(value)s, required %(needed)s."
        ) % {
            "value": percent_cut(row.value or Decimal(0)),
            "needed": percent_cut(limit),
        }
    if row.question == "latency":
        return _("The first token would have to come within %(needed)s.") % {"needed": _ms(limit)}
    return _("Uptime would have to be above %(needed)s.") % {"needed": percent_cut(limit)}
