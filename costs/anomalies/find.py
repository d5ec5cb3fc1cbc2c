"""From windows of sums to findings, one for each cause. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import log

from costs.anomalies.drivers import PROFILE_DAYS, Effects, Rates, added, effects
from costs.anomalies.history import LEAST_DAYS, JudgedValue, judge
from costs.anomalies.sums import METRICS, REQUESTS, Metric, Sums

SPREADS, SHORT_SPREADS, HELD_SPREADS = 4.0, 6.0, 2.0
LEAST_USD = Decimal(1)  # a day; less is nobody's business
NEW_DAYS = 14  # for which an application or a model is new
SHARED = 2  # applications on one model that slow down or fail together: then it is the model
Key = tuple[int, str]  # application and model; "" stands for all of an application's
Days = Mapping[int, Sums]  # by number of the window, backwards
Cause = tuple[int, str, str]  # application (0: none), model where it is the model's, driver


@dataclass(frozen=True, slots=True)
class Windows:
    """Of each application and model: windows of a whole day, and of the same few hours of each day."""

    days: Mapping[Key, Days]
    hours: Mapping[Key, Days]


@dataclass(frozen=True, slots=True)
class AnomalyFound:
    """One cause. `before` and `after` are the driver's figure; `costs` USD a day more, None where money is no part."""

    application: int
    model: str  # of the model's own findings
    driver: str  # cache, size, errors, latency, volume, mix, rest
    before: float
    after: float
    z: float
    models: tuple[str, ...] = ()  # those that show it by themselves
    costs: Decimal | None = None
    effects: Effects = field(default_factory=Effects)
    applications: tuple[int, ...] = ()  # of a model's finding

    @property
    def cause(self) -> Cause:
        return self.application, self.model, self.driver


@dataclass(frozen=True, slots=True)
class New:
    """An application, or a model that it did not use before ("" where all of it is new)."""

    application: int
    model: str
    days: int  # since its first request
    costs: Decimal  # USD of the last day, priced requests


def find(windows: Windows, rates: Mapping[str, Rates], open_causes: Set[Cause] = frozenset()) -> list[AnomalyFound]:
    """Every cause; those in `open_causes` stay until they are well inside the usual."""
    by_application: dict[int, dict[str, Days]] = defaultdict(dict)
    for (application, model), days in windows.days.items():
        by_application[application][model] = days
    findings: list[AnomalyFound] = []
    for application, models in by_application.items():
        if 0 in {n for days in models.values() for n in days}:
            findings += of_application(application, models, windows, rates, open_causes)
    return sorted(shared(findings), key=lambda finding: (-(finding.costs or 0), -finding.z))


def of_application(
    application: int, models: Mapping[str, Days], windows: Windows, rates: Mapping[str, Rates], open_causes: Set[Cause]
) -> list[AnomalyFound]:
    whole = together(models.values())
    # What its requests are like is told by the models that it knows: the others' have another cache, size and pace.
    settled = {model: days for model, days in models.items() if max(days) >= LEAST_DAYS}
    alike = together(settled.values())
    hours = together(windows.hours.get((application, model), {}) for model in settled)
    why = effects(models, rates)
    findings: dict[str, AnomalyFound] = {}
    for name in ("cache", "size", "errors", "latency"):
        metric, is_held = METRICS[name], (application, "", name) in open_causes
        judged = stands_out(metric, alike, hours, is_held)
        theirs = {
            model: finding for model, days in models.items()
            if (finding := stands_out(metric, days, windows.hours.get((application, model), {}), is_held))
        }  # fmt: skip
        if judged or theirs:
            most = judged or max(theirs.values(), key=lambda finding: finding.z)
            costs = getattr(why, name) if name in ("cache", "size") else None
            findings[name] = AnomalyFound(
                application, "", name, most.usual, most.now, most.z, tuple(sorted(theirs)), costs, why
            )
    priced = any(model in rates for model in models)
    for name in ("cache", "size"):
        least = LEAST_USD / 20 if (application, "", name) in open_causes else LEAST_USD / 2
        if name in findings and priced and getattr(why, name) < least:
            del findings[name]
    # Longer requests and failing ones take longer: that is their doing.
    if set(findings) & {"cache", "size", "errors"} or ("latency" in findings and longer(findings["latency"], models)):
        findings.pop("latency", None)
    spend = judge(METRICS["spend"], whole)
    driver = why.largest
    is_held = (application, "", driver) in open_causes
    costly = why.total >= (LEAST_USD / 2 if is_held else LEAST_USD)
    if (
        spend
        and costly
        and driver not in findings
        and not is_new(models, why)
        and past(METRICS["spend"], spend, is_held)
    ):
        findings[driver] = replace(driven(application, driver, models, spend), costs=why.total, effects=why)
    return list(findings.values())


def is_new(models: Mapping[str, Days], why: Effects) -> bool:
    """Whether a model that the application did not use before makes half of what it spends more: a fact, no anomaly."""
    new = sum((days[0].cost for days in models.values() if 0 in days and max(days) <= NEW_DAYS), Decimal(0))
    return new >= why.total / 2


def news(windows: Windows) -> list[New]:
    """Applications, and models that an application did not use before, that came in the last two weeks, the latest
    first. Nothing is known to be new before there is a longer history."""
    if max((n for days in windows.days.values() for n in days), default=0) < LEAST_DAYS:
        return []
    by_application: dict[int, dict[str, Days]] = defaultdict(dict)
    for (application, model), days in windows.days.items():
        by_application[application][model] = days
    new_uses = []
    for application, models in by_application.items():
        whole = together(models.values())
        fresh = {"": whole} if max(whole) <= NEW_DAYS else {m: d for m, d in models.items() if max(d) <= NEW_DAYS}
        new_uses += [New(application, model, max(days), days.get(0, Sums()).cost) for model, days in fresh.items()]
    return sorted(new_uses, key=lambda new_use: (new_use.days, -new_use.costs, new_use.application, new_use.model))


def longer(slow: AnomalyFound, models: Mapping[str, Days]) -> bool:
    """Whether answers, of all its models or of those that slowed down, grew by so much that it explains half of it."""
    return any(grew(slow, together(models[model] for model in names)) for names in (models, slow.models) if names)


def grew(slow: AnomalyFound, whole: Days) -> bool:
    now, usual = whole.get(0, Sums()), added(whole[n] for n in whole if 1 <= n <= PROFILE_DAYS)
    if not (now.told and usual.told and now.output and usual.output and slow.before and slow.after):
        return False
    by = log(now.output / now.told) - log(usual.output / usual.told)
    return by >= log(slow.after / slow.before) / 2


def driven(application: int, driver: str, models: Mapping[str, Days], spend: JudgedValue) -> AnomalyFound:
    """The finding of a rise in spend, with the figure of what drives it."""
    whole = together(models.values())
    usual = added(whole[n] for n in whole if 1 <= n <= PROFILE_DAYS)
    now = whole.get(0, Sums())
    if driver in METRICS and METRICS[driver].value(usual) is not None and METRICS[driver].value(now) is not None:
        before, after = METRICS[driver].value(usual) or 0.0, METRICS[driver].value(now) or 0.0
    elif driver == "volume":
        came = judge(REQUESTS, whole)
        before, after = came.usual if came else 0.0, float(now.requests)
    elif driver in ("mix", "rest"):  # what a request costs
        before = float(usual.cost) / max(usual.requests, 1)
        after = float(now.cost) / max(now.requests, 1)
    else:
        before, after = spend.usual, spend.now
    return AnomalyFound(application, "", driver, before, after, spend.z)


def stands_out(metric: Metric, days: Days, hours: Days, is_held: bool) -> JudgedValue | None:
    """By the whole day, or sooner by the last hours where it is plain."""
    judged = judge(metric, days)
    if judged and past(metric, judged, is_held):
        return judged
    soon = judge(metric, hours)
    if soon and judged and soon.z >= SHORT_SPREADS and soon.change >= metric.least * 1.5:
        return soon
    return None


def past(metric: Metric, judged: JudgedValue, is_held: bool) -> bool:
    if is_held:
        return judged.z >= HELD_SPREADS and judged.change >= metric.least / 2
    return judged.z >= SPREADS and judged.change >= metric.least


def together(many: Iterable[Days]) -> dict[int, Sums]:
    """The windows of several models added up."""
    total: dict[int, Sums] = {}
    for days in many:
        for n, sums in days.items():
            total.setdefault(n, Sums()).add(sums)
    return total


def shared(findings: list[AnomalyFound]) -> list[AnomalyFound]:
    """Where several applications fail or slow down on one model, the model's finding takes the place of theirs."""
    rows: dict[tuple[str, str], list[AnomalyFound]] = defaultdict(list)
    for finding in findings:
        if finding.driver in ("errors", "latency"):
            for model in finding.models:
                rows[model, finding.driver].append(finding)
    swallowed: set[Cause] = set()
    added_rows: list[AnomalyFound] = []
    for (model, _driver), ones in rows.items():
        theirs = [finding for finding in ones if finding.models == (model,)]
        if len(theirs) >= SHARED:
            worst = max(theirs, key=lambda finding: finding.z)
            applications = tuple(sorted(finding.application for finding in theirs))
            added_rows.append(replace(worst, application=0, model=model, models=(), applications=applications))
            swallowed |= {finding.cause for finding in theirs}
    return [finding for finding in findings if finding.cause not in swallowed] + added_rows


def too_little(windows: Windows) -> dict[int, int]:
    """Applications in use whose history is too short to say anything, with its days."""
    days_seen = {}
    for application in {application for application, _model in windows.days}:
        whole = together(days for (owner, _m), days in windows.days.items() if owner == application)
        if 0 in whole and judge(METRICS["spend"], whole) is None:
            days_seen[application] = max(whole)
    return days_seen
