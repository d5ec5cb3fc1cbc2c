"""The four criteria of go or no-go, each a verdict of its own: quality, latency, saving, reliability. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.readiness.evidence import ACCEPTED, FEWEST_REQUESTS, FEWEST_SECONDS, Evidence, TaskQuality, Thresholds
from costs.verdicts.amounts import about
from costs.verdicts.verdict import State, Verdict, compare, ratings_to_decide, sample_to_decide
from lib.confidence_intervals import Interval, wilson
from lib.formats import count, dollars
from traffic.quality.agreement import TRUSTED, Agreement

FEWEST_DAYS = 7  # with traffic and a known cost, before a month's saving is told
MOST_DAYS = 30  # of the window that traffic is measured in


def quality(evidence: Evidence, thresholds: Thresholds) -> Verdict:
    """Share of the requests that are of tasks whose answers are acceptable beyond chance.

    Tasks that are not decided count as failed at the low end of the interval and as passed at its high end.
    """
    total = sum(task.requests for task in evidence.tasks)
    sample = sum(task.ratings for task in evidence.tasks)
    blank = Verdict("quality", State.NOT_ENOUGH, "", threshold=thresholds.quality_share, sample=sample)
    passed = [task for task in evidence.tasks if task_state(task, thresholds) == State.MET]
    failed = [task for task in evidence.tasks if task_state(task, thresholds) == State.NOT_MET]
    open_tasks = [task for task in evidence.tasks if task not in passed and task not in failed]
    if not total or not any(task.ratings >= thresholds.ratings_per_task for task in evidence.tasks):
        text = _("No task has %(needed)s ratings yet, so quality is not known.")
        needed = ratings_needed(open_tasks, thresholds)
        return replace(blank, sentence=text % {"needed": thresholds.ratings_per_task}, needed=needed)
    good, bad = _requests(passed), _requests(failed)
    interval = Interval(Decimal(good) / total, Decimal(total - bad) / total)
    rated = _requests([task for task in evidence.tasks if task.ratings >= thresholds.ratings_per_task])
    share = Decimal(good) / rated if rated else interval.low
    words = {"share": share_span(interval), "needed": percent_cut(thresholds.quality_share, 1)}
    text = _("Tasks with %(share)s of all requests have acceptable answers, target %(needed)s.")
    reached = compare(interval, thresholds.quality_share, "at_least")
    if reached == State.TOO_CLOSE and any(task.ratings < thresholds.ratings_per_task for task in open_tasks):
        reached = State.NOT_ENOUGH
    needed = ratings_needed(open_tasks, thresholds) if reached in (State.TOO_CLOSE, State.NOT_ENOUGH) else ""
    sentence = text % words + _doubt(evidence.agreement)
    return replace(blank, state=reached, sentence=sentence, value=share, interval=interval, needed=needed)


def _doubt(agreement: Agreement | None) -> str:
    """That the raters do not agree enough to draw conclusions; empty where they do, and where that is not known."""
    if agreement is None or agreement.alpha is None or agreement.trusted is not False:
        return ""
    text = _("Raters of self-hosted answers do not agree enough: alpha is %(alpha)s, required: %(least)s.")
    return " " + text % {"alpha": agreement.alpha_words(), "least": TRUSTED}


def task_state(task: TaskQuality, thresholds: Thresholds) -> State:
    """Whether the share of acceptable answers of one task is high enough, by Wilson's interval."""
    if task.ratings < thresholds.ratings_per_task:
        return State.NOT_ENOUGH
    return compare(wilson(task.acceptable, task.ratings), ACCEPTED, "at_least")


def _requests(tasks: Sequence[TaskQuality]) -> int:
    return sum(task.requests for task in tasks)


def ratings_needed(tasks: Sequence[TaskQuality], thresholds: Thresholds) -> str:
    """How many more ratings would decide the undecided task with most requests; empty without one.

    Only tasks that a GPU of ours serves: nobody can rate answers that are never given.
    """
    if not tasks:
        return ""
    served = [task for task in tasks if task.served]
    if not served:
        return _("The undecided tasks are not self-hosted yet.")
    task = max(served, key=lambda row: row.requests)
    more = thresholds.ratings_per_task - task.ratings
    if more <= 0:
        enough = ratings_to_decide(task.acceptable, task.ratings, ACCEPTED)
        if enough is None:
            return _("Ratings of %(task)s are so close to the limit that more of them may not decide.") % {
                "task": task.label
            }
        more = max(enough - task.ratings, 1)
    text = ngettext("About %(n)s more rating of %(task)s.", "About %(n)s more ratings of %(task)s.", more)
    return text % {"n": count(more), "task": task.label}


def latency(evidence: Evidence, thresholds: Thresholds) -> Verdict:
    """Time to first token: a whole answer of 200 tokens takes seconds at the research's own speed."""
    value, sample, limit = evidence.first_token_p95_ms, evidence.first_token_sample, thresholds.first_token_p95_ms
    interval = evidence.first_token_interval
    blank = Verdict("latency", State.NOT_ENOUGH, "", value, limit, interval, sample)
    if value is None or interval is None or sample < FEWEST_REQUESTS:
        text = _("Self-hosted deployments streamed %(sample)s requests. A 95th percentile needs %(fewest)s.")
        words = {"sample": count(sample), "fewest": FEWEST_REQUESTS}
        more = max(FEWEST_REQUESTS - sample, 1)
        needed = ngettext("%(n)s more streamed request.", "%(n)s more streamed requests.", more) % {"n": more}
        return replace(blank, sentence=text % words + _whole_answer(evidence), needed=needed)
    text = _(
        "The first token takes %(value)s (%(low)s–%(high)s) at the 95th percentile. Required: less than %(needed)s."
    )
    words = {"value": ms(value), "low": ms(interval.low), "high": ms(interval.high), "needed": ms(limit)}
    reached = compare(interval, limit, "below")
    needed = ""
    if reached == State.TOO_CLOSE:
        enough = sample_to_decide(value, limit, interval, sample)
        if enough is not None:
            needed = _("About %(n)s more streamed requests.") % {"n": count(max(enough - sample, 1))}
    return replace(blank, state=reached, sentence=text % words + _whole_answer(evidence), needed=needed)


def _whole_answer(evidence: Evidence) -> str:
    if evidence.end_to_end_p95_ms is None:
        return ""
    return " " + _("The whole answer takes %(value)s.") % {"value": ms(evidence.end_to_end_p95_ms)}


def saving(evidence: Evidence, thresholds: Thresholds, justified: bool) -> Verdict:
    """By how much self-hosting is cheaper a month, USD, judged by both ends of its interval."""
    value, interval, limit = evidence.saving_monthly, evidence.saving_interval, thresholds.saving_monthly
    sample = evidence.requests_per_month or 0
    blank = Verdict("saving", State.NOT_ENOUGH, "", value, limit, interval, sample, set_aside=justified)
    aside = " " + _("Not required, because of an exception.") if justified else ""
    if value is None:
        return replace(blank, sentence=_("No traffic or no price yet, so the saving is not known.") + aside)
    words = {"requests": count(sample), "needed": dollars(limit, 0), "value": about(value, interval)}
    if interval is None:
        text = _("Required: %(fewest)s days with traffic and known cost.") % {"fewest": FEWEST_DAYS}
        missing = max(FEWEST_DAYS - evidence.traffic_days, 1)
        needed = ngettext("%(n)s more day of traffic.", "%(n)s more days of traffic.", missing) % {"n": missing}
        return replace(blank, sentence=text + aside, needed=needed)
    if interval.high < 0:
        text = _("At %(requests)s requests a month self-hosting costs %(value)s more.")
    elif interval.low < 0:
        text = _("At %(requests)s requests a month it is not certain whether self-hosting is cheaper: %(value)s.")
    else:
        text = _("At %(requests)s requests a month self-hosting saves %(value)s. Required: more than %(needed)s.")
    reached = compare(interval, limit, "above")
    needed = _days_needed(evidence, value, limit, interval) if reached == State.TOO_CLOSE else ""
    return replace(blank, state=reached, sentence=text % words + aside, needed=needed)


def _days_needed(evidence: Evidence, value: Decimal, limit: Decimal, interval: Interval) -> str:
    """How many more days would narrow the interval enough; the window ends at 30."""
    enough = sample_to_decide(value, limit, interval, evidence.traffic_days)
    if enough is None or enough > MOST_DAYS or enough <= evidence.traffic_days:
        return _("Traffic and its cost differ so much from day to day that more days do not decide.")
    more = enough - evidence.traffic_days
    return ngettext("About %(n)s more day of traffic.", "About %(n)s more days of traffic.", more) % {"n": more}


def reliability(evidence: Evidence, thresholds: Thresholds) -> Verdict:
    """Uptime of all self-hosted deployments, by the interval of their checks."""
    value, limit, interval = evidence.uptime, thresholds.reliability, evidence.uptime_interval
    hours = evidence.observed_seconds // 3600
    blank = Verdict("reliability", State.NOT_ENOUGH, "", value, limit, interval, evidence.checks)
    if value is None or interval is None or evidence.observed_seconds < FEWEST_SECONDS:
        text = _("Self-hosted deployments were checked for %(hours)s h. Required: 24 h.")
        more = max(FEWEST_SECONDS // 3600 - hours, 1)
        needed = ngettext("%(n)s more hour of checks.", "%(n)s more hours of checks.", more) % {"n": more}
        return replace(blank, interval=None, sentence=text % {"hours": count(hours)}, needed=needed)
    text = _("Self-hosted deployments were up %(value)s of %(hours)s h. Required: more than %(needed)s.")
    words = {"value": percent_short_of(value, limit), "hours": count(hours), "needed": percent_cut(limit)}
    reached = compare(interval, limit, "above")
    needed = ""
    if reached == State.TOO_CLOSE:
        enough = sample_to_decide(value, limit, interval, evidence.checks)
        if enough is not None:
            needed = _("About %(n)s more checks.") % {"n": count(max(enough - evidence.checks, 1))}
    return replace(blank, state=reached, sentence=text % words, needed=needed)


def share_span(interval: Interval) -> str:
    """Both ends cut: where a limit lies above the low end, it also lies above what is shown."""
    low, high = percent_cut(interval.low, 1), percent_cut(interval.high, 1)
    return low if low == high else f"{low}–{high}"


def percent_short_of(share: Decimal, limit: Decimal) -> str:
    """Rounded as on every page, but cut where rounding would reach a limit that it misses, or the whole."""
    rounded = round(share, 4)
    return percent_cut(share if any(share < end <= rounded for end in (limit, 1)) else rounded)


def percent_cut(share: Decimal, places: int = 2) -> str:
    """Cut rather than rounded up, so that 98.996 % never reads as the 99 % that is required."""
    cut = int(share * 100 * 10**places) / Decimal(10**places)
    return f"{cut:f}".rstrip("0").rstrip(".") + " %" if cut % 1 else f"{cut:.0f} %"


def ms(value: Decimal) -> str:
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.1f} s"
