"""Rules about volume: which way of serving it is cheaper, and which phase it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Bar, Finding, RuleParams, Words
from alerts.wording import day, exact, meaning, number, percent
from costs.breakeven import Inputs, Result
from costs.breakeven.saving import Saving
from costs.models import Phase
from costs.verdicts.amounts import about, about_requests
from lib.confidence_intervals import Interval, points_apart
from lib.dates import midnight
from lib.formats import rounded_count

BREAK_EVEN = "break-even"


def lasting(
    context: EvaluationContext, requests: dict[date, int], holds: Callable[[int], bool], most: int = 60
) -> tuple[int, date | None]:
    """For how many days, today included, the run rate of `requests` has been as `holds` says, and since which day."""
    days = 0
    first = min(requests, default=None)
    while days < most and first is not None:
        on = context.today - timedelta(days=days)
        if on <= first or not holds(context.run_rate(on, requests)):
            break
        days += 1
    return days, context.today - timedelta(days=days - 1) if days else None


def break_even(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """Open while self-hosting is cheaper in the whole interval of its saving, so never on a middle alone.

    Both ways the run rate must have stayed there for the rule's days. Where the two most plausible API models of the
    tasks name different sides, it neither opens nor ends. While our own answers are rated significantly worse, nothing
    is cheaper, as on the Break-even page: it does not open, and an open one ends.
    """
    inputs, result = context.break_even
    requests = context.compared_by_day
    if not requests or not inputs.requests_per_month:
        return
    band, days = params.number("band") / 100, int(params.number("days"))
    into = [crossing.requests_per_month for crossing in result.crossings if crossing.side_to == "selfhost"]
    n = inputs.requests_per_month
    at = max((volume for volume in into if volume <= n), default=min(into, default=None))
    saving = context.saving
    refused = saving is not None and saving.is_refused
    pays = saving is not None and saving.verdict == "selfhost" and not refused
    costs_more = saving is not None and result.cheaper != "selfhost" and not saving.turns
    if at is None:  # one side is cheaper at every volume, so there is no line to be near
        crossed, clear, since = pays, costs_more, None
    else:
        upper, lower = int(at * (1 + band)), int(at * (1 - band))
        above, since = lasting(context, requests, lambda rate: rate >= upper)
        below, since_below = lasting(context, requests, lambda rate: rate < lower)
        crossed, clear = pays and above >= days, costs_more and below >= days
        since = since if crossed or refused else since_below
    yield Finding(
        subject=BREAK_EVEN,
        title=break_even_title(saving),
        crossed=crossed,
        clear=clear or refused,
        since=midnight(since) if since else None,
        value=str(n),
        threshold=str(at) if at is not None else "",
        words=Words(
            todo=break_even_advice(context, saving),
            detail=break_even_detail(result, since, int((at or 0) * (1 - band))),
            facts=[*break_even_facts(inputs, result, at, saving), quality_fact(context.quality_gap)],
            bars=break_even_bars(result),
            drivers=sides(result),
            driven=_("What each side costs a month"),
            page="/break-even/",
            fixes=[[_("Go or no-go"), "/decide/"]],
            over=break_even_title(saving) if refused else "",  # an alert that has ended must not say that it saves
        ),
    )


def break_even_title(saving: Saving | None) -> str:
    """What the interval of the saving allows to say."""
    if saving is None or saving.interval is None:
        return _("Break-even: not enough data for a saving")
    if saving.is_refused:
        return _("Not cheaper: self-hosted answers are rated worse")
    titles = {
        "selfhost": _("Break-even passed: saves %(saving)s"),
        "api": _("Below break-even: self-hosting costs %(saving)s more"),
        "too_close": _("Near break-even: too close to call, %(saving)s"),
    }
    return titles[saving.verdict] % {"saving": about(saving.amount, saving.interval)}


def break_even_facts(inputs: Inputs, result: Result, at: int | None, saving: Saving | None) -> list[list[str]]:
    n = inputs.requests_per_month
    interval, band = (saving.interval, saving.band) if saving else (None, None)
    pays_from = about_requests(at, band.crossing_ends(at) if band else None) or _("none")
    routable = _("%(share)s routable") % {"share": percent(inputs.routable_share)}
    each = _("%(price)s per 1,000") % {"price": exact(result.api_cost_per_request * 1000)}
    ends = [str(interval.low), str(interval.high)] if interval else []
    saved = _("Extra cost") if interval and interval.high < 0 else _("Saving")
    if saving is not None and saving.is_refused:
        saved = _("Difference of cost")
    return [
        [_("Requests a month, all"), number(n), _("measured, last 30 days")],
        [_("Of these, routable to our GPU"), number(n * inputs.routable_share), routable],
        [_("Break-even, all requests"), pays_from, _("today's prices")],
        [_("API only"), exact(result.api_cost), each],
        [_("Self-hosting and the rest"), exact(result.selfhost_cost), gpus_text(result, inputs.selfhost.gpu_hourly)],
        [saved, about(result.saving, interval), _("a month"), *meaning("saving", result.saving), *ends],
    ]


def sides(result: Result) -> list[list[str]]:
    """All of it at the API; our own GPUs, and the API for what they may not serve."""
    rest = result.selfhost_cost - result.own_cost
    whole = result.selfhost_cost
    own, left = (percent(part / whole) if whole else "" for part in (result.own_cost, rest))
    return [
        [_("API only"), exact(result.api_cost), ""],
        [_("Our GPU, rent and upkeep"), exact(result.own_cost), own],
        [_("The API for the rest"), exact(rest), left],
    ]


def break_even_bars(result: Result) -> list[Bar]:
    most = max(result.api_cost, result.selfhost_cost) or 1
    costs = ((_("API"), result.api_cost, "them"), (_("Our GPU"), result.selfhost_cost, "us"))
    return [
        Bar(label=label, text=exact(amount), share=float(amount / most), tone=tone) for label, amount, tone in costs
    ]


def quality_fact(gap: Interval | None) -> list[str]:
    """How our own answers are rated against the API's, as the Break-even page says it."""
    return [
        _("Self-hosted answers against the API"),
        points_apart(gap) if gap else _("not known"),
        _("ratings of 90 days"),
    ]


def break_even_advice(context: EvaluationContext, saving: Saving | None) -> str:
    interval = saving.interval if saving else None
    if saving is not None and saving.is_refused:
        return _("Use a model whose answers are rated better, or send these tasks to the API.")
    if interval is not None and interval.high < 0:
        return _("Check whether the rented GPUs are still needed.")
    if interval is None or interval.low <= 0:
        return _("More days of traffic narrow the interval. Until then, rent or stop no GPU because of this.")
    if context.leases:
        return _("The rented GPU pays for itself. The Decide page shows the other criteria.")
    return _("Check the four criteria on the Decide page before you rent a GPU.")


def break_even_detail(result: Result, since: date | None, armed: int) -> str:
    sentences = []
    if since:
        sentences.append(_("The run rate has been on this side since %(day)s.") % {"day": day(since)})
    if result.cheaper == "selfhost" and armed:
        text = _("You are notified once, and again after the run rate was below about %(n)s requests a month.")
        sentences.append(text % {"n": rounded_count(armed)})
    return " ".join(sentences)


def gpus_text(result: Result, hourly: object) -> str:
    if result.gpus is None or hourly is None:
        return ""
    return _("%(n)s GPU at $%(hourly)s an hour") % {"n": result.gpus, "hourly": f"{hourly:.3f}"}


def phase_band(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """Open while the volume belongs to another phase than the one planned for today."""
    planned = context.current_phase
    if planned is None or not context.requests_by_day:
        return
    days = int(params.number("days"))
    rate = context.run_rate(context.today)
    outside, since = lasting(context, context.requests_by_day, lambda n: not in_band(planned, n))
    inside, _since = lasting(context, context.requests_by_day, lambda n: in_band(planned, n))
    other = next((phase for phase in context.phases if in_band(phase, rate)), None)
    crossed = outside >= days
    values = {"name": planned.name, "n": number(rate)}
    title = (
        _("Left the phase: %(name)s, %(n)s requests a month")
        if outside
        else _("Inside the phase: %(name)s, %(n)s requests a month")
    )
    yield Finding(
        subject=f"phase:{planned.slug}",
        title=title % values,
        crossed=crossed,
        clear=inside >= days,
        since=midnight(since) if since and crossed else None,
        value=str(rate),
        threshold=str(planned.volume_to if planned.volume_to and rate >= planned.volume_to else planned.volume_from),
        words=Words(
            todo=_("Choose the phase that fits on the Plan page, or check where the volume comes from.")
            if outside
            else "",
            detail=band_text(planned, other, since),
            facts=[
                [_("Run rate"), number(rate), _("requests a month, last 30 days")],
                [planned.name, band(planned), _("planned for today")],
                *([[other.name, band(other), _("holds this volume")]] if other and other != planned else []),
            ],
            drivers=busiest(context) if crossed else [],
            driven=_("Volume by application, last 30 days"),
            page="/plan/",
        ),
    )


def busiest(context: EvaluationContext, most: int = 3) -> list[list[str]]:
    """The applications with most requests of the last 30 days: name, requests, share."""
    rows = context.requests_by_application()
    total = sum(n for _name, n, _unpriced in rows)
    return [[name or _("(no name)"), number(n), percent(n / total)] for name, n, _unpriced in rows[:most] if total]


def in_band(phase: Phase, rate: int) -> bool:
    return rate >= phase.volume_from and (phase.volume_to is None or rate < phase.volume_to)


def band(phase: Phase) -> str:
    upper = number(phase.volume_to) if phase.volume_to is not None else _("any volume")
    return _("%(low)s to %(high)s") % {"low": number(phase.volume_from), "high": upper}


def band_text(planned: Phase, other: Phase | None, since: date | None) -> str:
    if other is None or other == planned or since is None:
        return ""
    values = {"day": day(since), "other": other.name, "planned": planned.name}
    return _("Since %(day)s the volume fits %(other)s, while the plan is %(planned)s.") % values
