"""Go or no-go, pure: four criteria with their evidence, the clauses that forbid, and one verdict.

GO when all criteria hold and nothing forbids; NO-GO as soon as one fails or something forbids; NOT YET while one cannot
be told, and then what is missing is said. Privacy and a fine-tuned model can justify self-hosting against the money:
they set the saving and the volume aside, and the scorecard shows that they did.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from django.utils.translation import gettext as _

from costs.breakeven import Side, decimal_text
from lib.confidence_intervals import Interval, wilson

Verdict = Literal["go", "no_go", "not_yet"]

ACCEPTED = Decimal("0.7")  # of a task's answers, by the lower end of Wilson's interval
GAP = Decimal("-0.05")  # paired difference of ratings below which quality is significantly worse
MOST_UNRATED = Decimal("0.5")  # of the requests may be of tasks that are not rated enough, else the share says nothing
FEWEST_REQUESTS = 100  # behind a 95th percentile
FEWEST_SECONDS = 86_400  # watched before an uptime is told


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the team agreed on; the defaults are the research's."""

    quality_share: Decimal = Decimal("0.7")  # of the requests, by task
    ratings_per_task: int = 30
    first_token_p95_ms: Decimal = Decimal(500)
    saving_monthly: Decimal = Decimal(100)  # USD
    reliability: Decimal = Decimal("0.99")


@dataclass(frozen=True, slots=True)
class TaskQuality:
    """Ratings of our own deployments' answers for one task; acceptable: score >= 0 or stars >= 4."""

    task: str
    requests: int
    ratings: int
    acceptable: int


@dataclass(frozen=True, slots=True)
class OpsWorkload:
    """What running our own deployments asked of people in 30 days; a limit of None is none."""

    incidents: int = 0
    hours: Decimal = Decimal(0)
    pages: int = 0  # alerts that called someone
    most_incidents: int | None = None
    most_hours: Decimal | None = None
    most_pages: int | None = None

    @property
    def limited(self) -> bool:
        return any(most is not None for _name, _value, most in self.rows)

    @property
    def rows(self) -> tuple[tuple[str, Decimal | int, Decimal | int | None], ...]:
        """Name, value and limit."""
        return (
            ("incidents", self.incidents, self.most_incidents),
            ("hours", self.hours, self.most_hours),
            ("pages", self.pages, self.most_pages),
        )

    @property
    def over(self) -> tuple[str, ...]:
        return tuple(name for name, value, most in self.rows if most is not None and value > most)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured. None is unknown, never 0."""

    tasks: tuple[TaskQuality, ...] = ()
    quality_gap: Interval | None = None  # ours minus the API's, paired, 95 %
    first_token_p95_ms: Decimal | None = None
    first_token_sample: int = 0
    first_token_interval: Interval | None = None
    end_to_end_p95_ms: Decimal | None = None
    saving_monthly: Decimal | None = None  # USD, allocated basis; negative where self-hosting costs more
    saving_interval: Interval | None = None  # by how much the traffic differs from day to day
    requests_per_month: int | None = None
    cheaper: Side | None = None  # at that volume
    crossing: int | None = None  # requests a month from which self-hosting costs no more
    volume_for_saving: int | None = None  # requests a month at which the saving is reached
    uptime: Decimal | None = None  # share
    observed_seconds: int = 0
    checks: int = 0
    uptime_interval: Interval | None = None  # 95 %, by the checks
    ops_workload: OpsWorkload = OpsWorkload()
    too_complex: str = ""  # a person's reason; empty: nobody ticked it
    private: bool = False
    fine_tuned: bool = False


@dataclass(frozen=True, slots=True)
class Criterion:
    """One of the four criteria; `set_aside` means that a switch justifies self-hosting without it."""

    slug: Literal["quality", "latency", "saving", "reliability"]
    holds: bool | None
    value: Decimal | None
    threshold: Decimal
    interval: Interval | None
    sample: int
    sentence: str
    set_aside: bool = False

    @property
    def mark(self) -> str:
        return mark_of(self.holds, self.set_aside)


def mark_of(holds: bool | None, set_aside: bool) -> str:
    """The kind of chip that says whether something holds."""
    return "info" if set_aside else "unknown" if holds is None else "ok" if holds else "bad"


@dataclass(frozen=True, slots=True)
class Objection:
    """A clause of the no-go list that applies."""

    slug: Literal["quality-gap", "complexity", "operations", "volume"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    verdict: Verdict
    sentence: str
    criteria: tuple[Criterion, ...]
    objections: tuple[Objection, ...]
    justified_by: tuple[str, ...]  # switches that are on
    changes: tuple[str, ...]  # what would change the verdict, in sentences
    ops_workload: OpsWorkload = OpsWorkload()


def judge(evidence: Evidence, thresholds: Thresholds | None = None) -> Scorecard:
    """Judge all four criteria and the objections."""
    limits = thresholds or Thresholds()
    justified = _switches(evidence)
    criteria = (
        _quality(evidence, limits),
        _latency(evidence, limits),
        _saving(evidence, limits, bool(justified)),
        _reliability(evidence, limits),
    )
    objections = tuple(_objections(evidence, bool(justified)))
    verdict = _verdict(criteria, objections)
    return Scorecard(
        verdict,
        _sentence(verdict, criteria, objections, justified),
        criteria,
        objections,
        justified,
        tuple(_changes(evidence, criteria, objections)),
        evidence.ops_workload,
    )


def quality_refuses(gap: Interval | None) -> bool:
    """Whether rated quality is significantly worse, so that nothing may be called cheaper."""
    return gap is not None and gap.high < GAP


def as_json(card: Scorecard) -> dict[str, Any]:
    """The contract's answer, with what forbids and what would change the verdict beside it."""
    return {
        "verdict": card.verdict,
        "sentence": card.sentence,
        "criteria": [_criterion_json(row) for row in card.criteria],
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


def _criterion_json(row: Criterion) -> dict[str, Any]:
    """Money as strings, shares and milliseconds as numbers."""
    as_value = decimal_text if row.slug == "saving" else float
    interval = row.interval and [as_value(row.interval.low), as_value(row.interval.high)]
    return {
        "slug": row.slug,
        "holds": row.holds,
        "value": None if row.value is None else as_value(row.value),
        "threshold": as_value(row.threshold),
        "interval": interval,
        "sample": row.sample,
        "sentence": row.sentence,
        "set_aside": row.set_aside,
    }


def _verdict(criteria: tuple[Criterion, ...], objections: tuple[Objection, ...]) -> Verdict:
    counted = [row.holds for row in criteria if not row.set_aside]
    if objections or False in counted:
        return "no_go"
    return "not_yet" if None in counted else "go"


# --- the four criteria ---------------------------------------------------------------------------------------------


def _quality(evidence: Evidence, thresholds: Thresholds) -> Criterion:
    """Share of the requests that are of tasks whose answers are acceptable beyond chance."""
    rated = [task for task in evidence.tasks if task.ratings >= thresholds.ratings_per_task]
    total = sum(task.requests for task in evidence.tasks)
    rated_requests = sum(task.requests for task in rated)
    passed = sum(task.requests for task in rated if _accepted(task))
    sample = sum(task.ratings for task in rated)
    if not rated_requests:
        sentence = _("No task has %(needed)s ratings yet, so quality cannot be told.")
        text = sentence % {"needed": thresholds.ratings_per_task}
        return Criterion("quality", None, None, thresholds.quality_share, None, sample, text)
    share = Decimal(passed) / rated_requests
    # What the share over all requests can be at worst and at best once the other tasks are rated.
    interval = Interval(Decimal(passed) / total, Decimal(passed + total - rated_requests) / total)
    values = {
        "share": _percent(share),
        "needed": _percent(thresholds.quality_share),
        "ratings": f"{sample:,}",
        "unrated": _percent(Decimal(total - rated_requests) / total),
    }
    if Decimal(total - rated_requests) / total > MOST_UNRATED:
        text = _(
            "%(unrated)s of the requests are of tasks with too few ratings; of the others %(share)s are good enough."
        )
        return Criterion("quality", None, share, thresholds.quality_share, interval, sample, text % values)
    text = _(
        "Of the requests whose tasks are rated, %(share)s are of tasks with good enough answers; %(needed)s are asked."
        " %(ratings)s ratings; tasks with %(unrated)s of all requests are not rated enough."
    )
    holds = share >= thresholds.quality_share
    return Criterion("quality", holds, share, thresholds.quality_share, interval, sample, text % values)


def _accepted(task: TaskQuality) -> bool:
    interval = wilson(task.acceptable, task.ratings)
    return interval is not None and interval.low >= ACCEPTED


def _latency(evidence: Evidence, thresholds: Thresholds) -> Criterion:
    """Time to first token: a whole answer of 200 tokens takes seconds at the research's own speed."""
    value, sample = evidence.first_token_p95_ms, evidence.first_token_sample
    values = {"needed": _ms(thresholds.first_token_p95_ms), "sample": f"{sample:,}", "fewest": FEWEST_REQUESTS}
    if value is None or sample < FEWEST_REQUESTS:
        sentence = _("%(sample)s streamed requests of our own deployments, a 95th percentile needs %(fewest)s.")
        text, holds = sentence % values, None
    else:
        sentence = _("The first token comes within %(value)s at the 95th percentile, less than %(needed)s is asked.")
        text, holds = sentence % {**values, "value": _ms(value)}, value < thresholds.first_token_p95_ms
    if evidence.end_to_end_p95_ms is not None:
        text += " " + _("The whole answer takes %(value)s.") % {"value": _ms(evidence.end_to_end_p95_ms)}
    return Criterion(
        "latency", holds, value, thresholds.first_token_p95_ms, evidence.first_token_interval, sample, text
    )


def _saving(evidence: Evidence, thresholds: Thresholds, justified: bool) -> Criterion:
    value = evidence.saving_monthly
    values = {"needed": _usd(thresholds.saving_monthly), "requests": f"{evidence.requests_per_month or 0:,}"}
    sample = evidence.requests_per_month or 0
    if value is None:
        text = _("There is no traffic or no price yet, so the saving cannot be told.")
        return Criterion("saving", None, None, thresholds.saving_monthly, None, sample, text, justified)
    if value < 0:
        sentence = _(
            "At %(requests)s requests a month our own GPUs cost %(value)s more; a saving above %(needed)s is asked."
        )
    else:
        sentence = _("At %(requests)s requests a month our own GPUs save %(value)s; more than %(needed)s is asked.")
    text = sentence % {**values, "value": _usd(abs(value))}
    if justified:
        text += " " + _("Set aside by a switch.")
    holds = value > thresholds.saving_monthly
    interval = evidence.saving_interval
    return Criterion("saving", holds, value, thresholds.saving_monthly, interval, sample, text, justified)


def _reliability(evidence: Evidence, thresholds: Thresholds) -> Criterion:
    value = evidence.uptime
    hours = evidence.observed_seconds // 3600
    if value is None or evidence.observed_seconds < FEWEST_SECONDS:
        text = _("Our own deployments were watched for %(hours)s h, a day is needed.") % {"hours": f"{hours:,}"}
        return Criterion("reliability", None, value, thresholds.reliability, None, evidence.checks, text)
    sentence = _("Our own deployments were up %(value)s of %(hours)s h; more than %(needed)s is asked.")
    text = sentence % {"value": _percent(value), "hours": f"{hours:,}", "needed": _percent(thresholds.reliability)}
    holds = value > thresholds.reliability
    return Criterion(
        "reliability", holds, value, thresholds.reliability, evidence.uptime_interval, evidence.checks, text
    )


# --- what forbids, what justifies, what would change it ------------------------------------------------------------


def _objections(evidence: Evidence, justified: bool) -> list[Objection]:
    objections = []
    if evidence.quality_gap is not None and quality_refuses(evidence.quality_gap):
        text = _("Answers of our own model are rated significantly worse: by %(low)s to %(high)s.")
        values = {"low": f"{-evidence.quality_gap.high:.2f}", "high": f"{-evidence.quality_gap.low:.2f}"}
        objections.append(Objection("quality-gap", text % values))
    if evidence.too_complex:
        text = _("Running it was judged too complex: %(reason)s") % {"reason": evidence.too_complex}
        objections.append(Objection("complexity", text))
    if evidence.ops_workload.over:
        objections.append(Objection("operations", _("Running it asks more of people than was agreed: %(what)s.") % {
            "what": "; ".join(_too_much(evidence.ops_workload))}))  # fmt: skip
    if evidence.cheaper == "api" and not justified:
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
    values = {"requests": f"{evidence.requests_per_month or 0:,}", "crossing": f"{evidence.crossing or 0:,}"}
    if evidence.crossing is None:
        return _("At no volume do our own GPUs cost less than the API.")
    if (evidence.requests_per_month or 0) < evidence.crossing:
        text = _("The volume of %(requests)s requests a month is below the break-even of %(crossing)s.")
    else:
        text = _("At %(requests)s requests a month the API is cheaper again: one GPU more than the volume fills.")
    return text % values


def _switches(evidence: Evidence) -> tuple[str, ...]:
    switches = (("privacy", evidence.private), ("fine_tuned", evidence.fine_tuned))
    return tuple(name for name, on in switches if on)


def _sentence(
    verdict: Verdict, criteria: tuple[Criterion, ...], objections: tuple[Objection, ...], justified: tuple[str, ...]
) -> str:
    counted = [row for row in criteria if not row.set_aside]
    values = {"holding": sum(row.holds is True for row in counted), "all": len(counted)}
    if verdict == "go":
        text = _("GO: all %(all)s criteria hold.") % values
    elif verdict == "no_go":
        text = _("NO-GO: %(holding)s of %(all)s criteria hold.") % values
        if objections:
            text += " " + objections[0].sentence
    else:
        text = _("NOT YET: %(holding)s of %(all)s criteria hold, the others cannot be told.") % values
    if justified:
        text += " " + _("The saving is set aside, because privacy or a fine-tuned model asks for our own GPUs.")
    return text


def _changes(evidence: Evidence, criteria: tuple[Criterion, ...], objections: tuple[Objection, ...]) -> list[str]:
    """What is missing or would turn a failing criterion, in sentences."""
    changes = [row.sentence for row in criteria if row.holds is None and not row.set_aside]
    changes += [_turn(evidence, row) for row in criteria if row.holds is False and not row.set_aside]
    advice = {
        "complexity": lambda: _("The person who ticked “too complex” would have to withdraw it."),
        "operations": lambda: _("The burden of operations would have to come down to what was agreed."),
        "quality-gap": lambda: _("The interval of ours less the API’s would have to reach above −5 %."),
        "volume": lambda: _more_volume(evidence),
    }
    return changes + [advice[row.slug]() for row in objections]


def _more_volume(evidence: Evidence) -> str:
    """What the volume, or the prices, would have to become."""
    if evidence.crossing is None:
        return _("API prices would have to rise, or a GPU’s hour fall: more requests do not help.")
    if (evidence.requests_per_month or 0) < evidence.crossing:
        missing = evidence.crossing - (evidence.requests_per_month or 0)
        return _("%(missing)s requests a month more would reach the break-even.") % {"missing": f"{missing:,}"}
    return _("Enough requests would have to come to fill the next GPU, or a larger GPU hold them all.")


def _turn(evidence: Evidence, row: Criterion) -> str:
    if row.slug == "saving":
        if evidence.volume_for_saving is None:
            return _("No volume at these prices saves %(needed)s a month.") % {"needed": _usd(row.threshold)}
        text = _("At %(volume)s requests a month the saving would reach %(needed)s.")
        return text % {"volume": f"{evidence.volume_for_saving:,}", "needed": _usd(row.threshold)}
    if row.slug == "quality":
        return _("More requests would have to be of tasks that are good enough: now %(value)s, asked %(needed)s.") % {
            "value": _percent(row.value or Decimal(0)),
            "needed": _percent(row.threshold),
        }
    if row.slug == "latency":
        return _("The first token would have to come within %(needed)s.") % {"needed": _ms(row.threshold)}
    return _("Uptime would have to be above %(needed)s.") % {"needed": _percent(row.threshold)}


def _percent(share: Decimal) -> str:
    """One decimal, cut rather than rounded up, so that 98.96 % never reads as the 99 % that is asked."""
    cut = int(share * 10_000) / Decimal(100)
    return f"{cut:f}".rstrip("0").rstrip(".") + " %" if cut % 1 else f"{cut:.0f} %"


def _ms(value: Decimal) -> str:
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.1f} s"


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}" if amount % 1 else f"${amount:,.0f}"
