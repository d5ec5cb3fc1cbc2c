"""What a digest says: what a period cost, how the month stands against its plan, and three things to look at."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.charts.timeline import FEWEST
from alerts.context.evaluation import EvaluationContext
from alerts.context.known_names import KnownNames
from alerts.digests.findings import CRITICAL, Item, ranked, unnamed, usual_period
from alerts.digests.periods import Period
from alerts.mail.subjects import MOST
from alerts.metrics.month_budgets import MonthBudget
from alerts.models import ReportKind
from alerts.wording import dollars, exact, meaning, number, percent
from costs.allocation.queries import Spend, daily, read
from costs.dates import month_of
from costs.ledger.posting import state_of_days
from costs.verdicts.on_plan import FEWEST_DAYS, in_short
from costs.verdicts.verdict import State, Verdict
from lib.dates import DAY, midnight
from lib.formats import at_least_dollars, known_part
from lib.money import ZERO

NAMED = 3


def digest(kind: str, period: Period, today: date | None = None) -> dict[str, Any]:
    """As JSON, in the language that is active: the same for everybody of that language.

    `today` is the day on which it is written, UTC; without it, the first after the period.
    """
    data, before = read(period.since, period.until), usual_period(period)
    spend, usual = data.by("application"), read(before.since, before.until)
    until = month_until(period, today or period.until)
    context = EvaluationContext(midnight(until) - timedelta(seconds=1))
    plan = next((budget for budget in context.budgets if budget.kind == "phase"), None)
    findings = ranked(period, data, usual, context)
    on_plan, verdict = verdict_of(plan, until)
    forecast = shown_forecast(plan, until)
    urgent = bool(findings) and findings[0].rank == CRITICAL
    return {
        "subject": subject_of(kind, on_plan, spend, plan, forecast),
        "heading": sentence(kind, period, spend, verdict),
        "verdict": _("Open alerts") if urgent else on_plan,
        "state": verdict.state.value,
        "month": f"{context.month_start:%Y-%m}",
        "scope": scope_of(until),
        "ledger": [f"{context.month_start}", f"{until}", state_of_days(context.month_start, until)],
        "tone": "bad" if urgent else TONES[verdict.state],
        "todo": todo_of(findings),
        "items": [[item.title, item.detail, item.path] for item in findings[:NAMED]],
        "unnamed": unnamed(findings[NAMED:], period),
        "facts": facts_of(kind, spend, usual.by("application"), usual_ratio(period), plan, forecast, scope_of(until)),
        "drivers": drivers_of(spend, context),
        "points": points_of(context, plan),
        "at_least": plan.at_least if plan else spend.at_least,
        "page": "/plan/",
    }


TONES = {State.MET: "ok", State.NOT_MET: "bad", State.TOO_CLOSE: "warn", State.NOT_ENOUGH: "us"}


def month_until(period: Period, today: date) -> date:
    """The first day that the month's figures leave out: that after the period, or the end of a month that is over.

    A week that ends on 29 November and is written of on 1 December says how November ended.
    """
    ends = month_of(period.until - DAY)[1] + DAY
    return ends if today >= ends else period.until


def shown_forecast(plan: MonthBudget | None, until: date) -> tuple[Decimal, Decimal, Decimal] | None:
    """Low, median and high, USD; None for a month that is over, and in its first days, as on the pages."""
    if plan is None or until.day == 1 or (until - plan.month).days < FEWEST_DAYS:
        return None
    return plan.forecast


def verdict_of(plan: MonthBudget | None, until: date) -> tuple[str, Verdict]:
    """The month in words of a subject, and its verdict as the pages had it on the day `until`."""
    if plan is None:
        verdict = Verdict("plan", State.NOT_ENOUGH, _("No phase is planned for this day, so there is no budget."))
        return in_short(verdict, ZERO), verdict
    verdict = plan.verdict(until)
    return in_short(verdict, plan.spent), verdict


def subject_of(
    kind: str, verdict: str, spend: Spend, plan: MonthBudget | None, forecast: tuple[Decimal, Decimal, Decimal] | None
) -> str:
    """The longest of the month's wordings that fits a subject line; without the month where none does."""
    whens = {ReportKind.DAILY: _("yesterday"), ReportKind.WEEKLY: _("last week"), ReportKind.MONTHLY: _("last month")}
    spent = known_part(exact(spend.total), spend.at_least)
    values = {"verdict": verdict, "spent": spent, "when": whens[ReportKind(kind)]}
    text = _("%(verdict)s: %(spent)s %(when)s") % values
    if plan is None or not plan.high:
        return text
    words = {
        "high": dollars(plan.high),
        "month": date_format(plan.month, "F"),
        "so_far": known_part(exact(plan.spent), plan.at_least),
    }
    if kind == ReportKind.MONTHLY:
        endings = [_(", plan %(high)s") % words]
    elif forecast is None:
        endings = [_(", %(month)s %(so_far)s of %(high)s") % words]
    else:
        words |= {"median": dollars(forecast[1], 0), "high": dollars(plan.high, 0)}
        endings = [_(", forecast %(median)s of %(high)s") % words, _(", about %(median)s of %(high)s") % words]
    return next((text + ending for ending in endings if len(text + ending) <= MOST), text)


def sentence(kind: str, period: Period, spend: Spend, verdict: Verdict) -> str:
    """What was spent, and how the month stands."""
    return f"{spent_sentence(kind, period, spend)} {verdict.sentence}"


def spent_sentence(kind: str, period: Period, spend: Spend) -> str:
    last = period.until - timedelta(days=1)
    day = date_format(last, "j F")
    shapes = {
        ReportKind.DAILY: _("Yesterday, %(last)s, you spent %(spent)s."),
        ReportKind.WEEKLY: _("Last week, %(first)s to %(last)s, you spent %(spent)s."),
        ReportKind.MONTHLY: _("In %(month)s you spent %(spent)s."),
    }
    nothing = {
        ReportKind.DAILY: _("Yesterday, %(last)s, there was no spend and no request."),
        ReportKind.WEEKLY: _("Last week, %(first)s to %(last)s, there was no spend and no request."),
        ReportKind.MONTHLY: _("In %(month)s there was no spend and no request."),
    }
    chosen = shapes if spend.total or spend.requests else nothing
    return chosen[ReportKind(kind)] % {
        "first": date_format(period.since, "j F"),
        "last": day,
        "month": date_format(period.since, "F"),
        "spent": known_part(exact(spend.total), spend.at_least),
    }


def todo_of(findings: list[Item]) -> str:
    """The first line: how much there is to look at."""
    if not findings:
        return _("All clear: no open alerts, no failures, no unusual spend.")
    n = min(len(findings), NAMED)
    return ngettext("1 item to check.", "%(n)s items to check.", n) % {"n": n}


def usual_ratio(period: Period) -> Decimal:
    before = usual_period(period)
    return Decimal(period.days) / before.days


def scope_of(until: date) -> str:
    """Of which days of its month the figures are: pages have today in theirs; empty for a whole month."""
    return "" if until.day == 1 else f"before {until:%Y-%m-%d}"


def source_of(spend: Spend) -> str:
    """The two largest provenances with their shares; without shares where a part is negative, as a credit is."""
    parts = sorted(spend.provenance.items(), key=lambda part: (-abs(part[1]), part[0]))
    names = [(name, amount) for name, amount in parts if amount][:2]
    if any(amount < 0 for _name, amount in parts):
        return ", ".join(name for name, _amount in names)
    return ", ".join(f"{name} {percent(amount / spend.total)}" for name, amount in names)


def facts_of(
    kind: str,
    spend: Spend,
    usual: Spend,
    ratio: Decimal,
    plan: MonthBudget | None,
    forecast: tuple[Decimal, Decimal, Decimal] | None,
    scope: str,
) -> list[list[str]]:
    days = {"n": (spend.until - spend.since).days}
    before = _("mean of the 7 days before") if kind == ReportKind.DAILY else _("the %(n)s days before") % days
    month = meaning("spend", spend.total, spend.since) if kind == ReportKind.MONTHLY else []
    facts = [
        [_("Spent"), at_least_dollars(spend.total, spend.at_least), source_of(spend), *month],
        [_("Usual"), exact(usual.total * ratio) if usual.groups else _("not known"), before],
        [_("Requests"), number(spend.requests), _("measured")],
    ]
    if plan is not None and plan.high:
        spent_so_far = meaning("spend", plan.spent, plan.month, plan.scope or scope)
        limit = meaning("budget", plan.high, plan.month, plan.scope)
        used = percent(plan.spent / plan.high) + _(" of plan")
        name = _("Month to date") if scope else _("Whole month")
        facts.append([name, at_least_dollars(plan.spent, plan.at_least), used, *spent_so_far])
        facts.append([_("Plan"), f"{dollars(plan.low)}–{dollars(plan.high)[1:]}", plan.name, *limit])
        if forecast is not None:
            low, median, high = forecast
            reach = _("%(low)s to %(high)s") % {"low": dollars(low, 0), "high": dollars(high, 0)}
            ahead = meaning("forecast", median, plan.month, plan.scope or scope)
            facts.append([_("Forecast"), exact(median), reach, *ahead])
    return facts


def drivers_of(spend: Spend, names: KnownNames) -> list[list[str]]:
    """The applications that cost most of the period."""
    groups = sorted((group for group in spend.groups if group.amount > 0), key=lambda group: -group.amount)
    has_credit = any(group.amount < 0 for group in spend.groups)  # then shares of the total would pass 100 %
    return [
        [
            names.named(group.key) if group.key else _("unallocated"),
            at_least_dollars(group.amount, group.unpriced),
            "" if has_credit else percent(group.amount / spend.total),
        ]
        for group in groups[:NAMED]
    ]


def points_of(context: EvaluationContext, plan: MonthBudget | None) -> list[list[str]]:
    """The month added up against its plan: moment, USD, USD; empty where that is no line yet."""
    first, last = context.month_start, context.today
    days = daily(first, last + timedelta(days=1))
    sums = [ZERO, *accumulate(days.values())]
    if len(sums) <= FEWEST or not sums[-1]:
        return []
    start = midnight(first)
    line = f"{plan.high:f}" if plan is not None and plan.high else ""
    return [[(start + timedelta(days=n)).isoformat(), f"{amount:f}", line] for n, amount in enumerate(sums)]


def statement_path(period: Period) -> str:
    return f"{reverse('costs:statements')}?month={period.since:%Y-%m}&by=application"
