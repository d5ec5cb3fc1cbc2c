"""Rules about the plan's money: budgets and what the month will come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Bar, Finding, RuleParams, Words
from alerts.metrics.month_budgets import MonthBudget
from alerts.wording import dollars, exact, meaning, percent
from costs.allocation.queries import Spend
from costs.models import Budget, BudgetScope
from costs.plan.budgets import applications_of_owners, filters_of, spent_in
from costs.verdicts.on_plan import in_short
from costs.verdicts.verdict import State
from lib.formats import at_least_dollars, known_part

HUNDRED = Decimal(100)
SEVERITY = {100: "critical", 90: "warning"}


def budgets(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each budget and month; its level is the highest of the thresholds that the month has reached."""
    for budget in context.budgets:
        yield budget_level(context, budget, params.numbers("levels"), params.number("band"))
    now = {budget.subject for budget in context.budgets}
    yield from filter(None, (ended(context, subject) for subject in live - now))


def ended(context: EvaluationContext, subject: str) -> Finding | None:
    """What a budget came to whose month is over; None where it is no longer planned."""
    kind, slug, month = subject.split(":")
    first = date.fromisoformat(f"{month}-01")
    if first >= context.month_start:
        return None
    came = came_to(context, kind, slug, first)
    if came is None:
        return None
    name, spent, high = came
    values = {"month": date_format(first, "F"), "name": name, "spent": exact(spent), "plan": dollars(high)}
    return Finding(
        subject=subject,
        title=_("%(month)s is over: %(name)s, %(spent)s of %(plan)s") % values,
        crossed=False,
        clear=True,
        value=f"{spent:.2f}",
        words=Words(todo=_("No action needed. The new month has its own budget."), page="/plan/"),
    )


def came_to(context: EvaluationContext, kind: str, slug: str, first: date) -> tuple[str, Decimal, Decimal] | None:
    """Name, spend and budget of a month that is over; None where the budget is gone."""
    if kind == "phase":
        phase = next((phase for phase in context.phases if phase.slug == slug), None)
        return (phase.name, context.spent_in(first), phase.budget_high) if phase else None
    budget = Budget.objects.filter(slug=slug).first()
    return (budget.title, spent_in(budget, first), budget.high) if budget else None


def budget_level(context: EvaluationContext, budget: MonthBudget, levels: list[Decimal], band: Decimal) -> Finding:
    share = budget.spent * HUNDRED / budget.high if budget.high else HUNDRED
    level = max((int(threshold) for threshold in levels if share >= threshold), default=0)
    sustained = max((int(threshold) for threshold in levels if share >= threshold - band), default=0)
    spent = known_part(exact(budget.spent), budget.at_least)
    values = {"level": level, "name": budget.name, "spent": spent, "plan": dollars(budget.high)}
    if level >= HUNDRED:
        title = _("Over budget: %(name)s, %(spent)s of %(plan)s") % values
    elif level:
        title = _("%(level)s %% of budget: %(name)s, %(spent)s of %(plan)s") % values
    elif budget.at_least:
        title = _("Cost incomplete: %(name)s, %(spent)s of %(plan)s") % values
    else:
        title = _("Within budget: %(name)s, %(spent)s of %(plan)s") % values
    return Finding(
        subject=budget.subject,
        title=title,
        crossed=level > 0,
        clear=sustained == 0,
        level=level,
        sustained_level=sustained,
        value=f"{budget.spent:.2f}",
        threshold=f"{budget.high * (level or min(levels)) / HUNDRED:.2f}",
        severity=next((name for least, name in SEVERITY.items() if level >= least), "info"),
        group=f"budgets:{budget.month:%Y-%m}",
        group_waits=True,
        labels=budget.labels,
        words=budget_words(context, budget, level),
    )


def budget_words(context: EvaluationContext, budget: MonthBudget, level: int) -> Words:
    left = budget.high - budget.spent
    if not level:
        todo = ""
    elif level >= HUNDRED:
        todo = _("Raise the budget on the Plan page, or reduce the highest costs.")
    else:
        todo = _("Check the highest costs and the forecast for the month.")
    spend = meaning("spend", budget.spent, budget.month, budget.scope)
    limit = meaning("budget", budget.high, budget.month, budget.scope)
    facts = [
        [_("Spent this month"), known_part(exact(budget.spent), budget.at_least), known_from(budget), *spend],
        [_("Budget"), f"{dollars(budget.low)}–{dollars(budget.high)[1:]}", _("a month, plan"), *limit],
        [_("Left") if left >= 0 else _("Over"), exact(abs(left)), percent(abs(left) / budget.high)],
    ]
    if budget.forecast:
        low, median, high = budget.forecast
        facts.append(
            [
                _("Forecast"),
                exact(median),
                _("%(low)s to %(high)s") % {"low": dollars(low, 0), "high": dollars(high, 0)},
                *meaning("forecast", median, budget.month, budget.scope),
            ]
        )
    if budget.runs_out_on and left >= 0:
        facts.append([_("Runs out on"), date_format(budget.runs_out_on, "j F"), _("at this rate")])
    return Words(
        todo=todo,
        detail=_("%(name)s has spent %(share)s of its budget for %(month)s.")
        % {
            "name": budget.name,
            "share": percent(budget.spent / budget.high),
            "month": date_format(budget.month, "F Y"),
        },
        facts=facts,
        bars=bars_of(budget),
        drivers=drivers(context, budget_month(context, budget)) if level else [],
        page="/plan/",
    )


def known_from(budget: MonthBudget) -> str:
    """`billed 90 %, measured 8 %, estimated 2 %`: where the sum is known from, largest first."""
    amounts = sorted(((amount, kind) for kind, amount in budget.provenance.items() if amount > 0), reverse=True)
    # The two largest say it; the rest stands on the page.
    return ", ".join(f"{kind} {percent(amount / budget.spent)}" for amount, kind in amounts[:2]) if budget.spent else ""


def bars_of(budget: MonthBudget) -> list[Bar]:
    forecast = budget.forecast[1] if budget.forecast else None
    rows = [(_("Spent"), exact(budget.spent), budget.spent, "us")]
    if forecast is not None:
        rows.append((_("Forecast"), exact(forecast), forecast, "them"))
    rows.append((_("Budget"), dollars(budget.high), budget.high, "limit"))
    most = max(amount for _label, _text, amount, _tone in rows) or Decimal(1)
    return [Bar(label=label, text=text, share=float(amount / most), tone=tone) for label, text, amount, tone in rows]


def budget_month(context: EvaluationContext, budget: MonthBudget) -> Spend:
    """What a budget is about, by application; by model where it is one application's."""
    if budget.budget is None:
        return context.month_by_application
    filters = filters_of(budget.budget, applications_of_owners([budget.budget]))
    return context.month_of(filters, "model" if budget.budget.scope == BudgetScope.APPLICATION else "application")


def drivers(context: EvaluationContext, month: Spend, most: int = 3) -> list[list[str]]:
    """The applications, or models, that cost most: name, amount, share of the whole."""
    groups = [group for group in month.groups if group.amount > 0]
    groups.sort(key=lambda group: -group.amount)
    return [
        [
            context.named(group.key) if group.key else _("unallocated"),
            at_least_dollars(group.amount, group.unpriced),
            percent(group.amount / month.total),
        ]
        for group in groups[:most]
    ]


def forecasts(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """The month on course to end over its budget; said by the budget itself once it is over."""
    over, band = params.number("percent"), params.number("band")
    for budget in context.budgets:
        if budget.forecast is None or not budget.high:
            continue
        low, median, high = budget.forecast
        verdict = budget.verdict(context.today)
        share = median * HUNDRED / budget.high
        if budget.spent >= budget.high:  # the budget's own alert says it: this one ends without a word
            if budget.subject in live:
                title = _("Over already: %(name)s, %(spent)s of %(plan)s")
                names = {"name": budget.name, "spent": exact(budget.spent), "plan": dollars(budget.high)}
                yield Finding(budget.subject, title % names, False, True, covered_by=budget.subject)
            continue
        values = {"name": budget.name, "forecast": exact(median), "plan": dollars(budget.high)}
        crossed = share >= over and verdict.state != State.NOT_ENOUGH
        values["state"] = in_short(verdict, budget.spent)
        title = _("%(state)s: %(name)s, %(forecast)s of %(plan)s")
        yield Finding(
            subject=budget.subject,
            title=title % values,
            crossed=crossed,
            clear=share < over - band,
            value=f"{median:.2f}",
            threshold=f"{budget.high * over / HUNDRED:.2f}",
            labels=budget.labels,
            words=budget_words(context, budget, int(share))
            | Words(
                todo=_("Raise the budget or reduce the traffic while there is time.") if crossed else "",
                detail=_("At the current pace the month ends between %(low)s and %(high)s (80 %% interval).")
                % {"low": exact(low), "high": exact(high)},
            ),
        )
