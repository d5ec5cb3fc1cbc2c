"""Budgets that are being used up too fast, and steps of the plan that are over."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.kinds.money import budget_month, drivers
from alerts.metrics.month_budgets import MonthBudget
from alerts.metrics.scopes import Missing, Scope
from alerts.metrics.windows import Window
from alerts.wording import dollars, exact, long_day, moment, percent, span
from costs.models import Stage

LONG, SHORT = Window.LAST_DAY, Window.HOUR


def burn_rates(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each budget of the month. Both windows must be over the line: the long one says that it matters,
    the short one that it still goes on; it is over as soon as the short one is."""
    for budget, scope in context.watched_budgets:
        if not budget.high:
            continue
        try:
            long, short = (per_hour(context, window, scope) for window in (LONG, SHORT))
        except Missing:  # what it is about is gone: nothing burns
            continue
        yield burning(context, budget, long, short, params.number("times"), params.number("band"))


def per_hour(context: EvaluationContext, window: Window, scope: Scope) -> Decimal:
    """USD an hour: what requests cost in a window, and what the machines of the scope cost now."""
    place = context.current.names.place(scope)
    hours = Decimal((context.now - window.since(context.now)).total_seconds()) / 3600
    return context.current.sums(window, place).cost / hours + rented(context, scope)


def rented(context: EvaluationContext, scope: Scope) -> Decimal:
    """Of leases an hour: all, those of a provider, or none where nobody says whose they are."""
    if not scope.names:
        return sum(context.rented_per_hour.values(), Decimal(0))
    [(dimension, name), *_rest] = scope.names
    mine = (lease for lease in context.leases if dimension == "provider" and lease.account.kind == name)
    return sum((lease.price_per_hour for lease in mine), Decimal(0))


def burning(
    context: EvaluationContext, budget: MonthBudget, long: Decimal, short: Decimal, times: Decimal, band: Decimal
) -> Finding:
    pace = budget.high / (monthrange(budget.month.year, budget.month.month)[1] * 24)
    over = {name: rate / pace for name, rate in (("long", long), ("short", short))}
    crossed = min(over.values()) >= times
    values = {"name": budget.name, "times": f"{over['long']:.1f}", "rate": exact(long)}
    title = (
        _("Spending %(times)s times too fast: %(name)s, %(rate)s an hour")
        if crossed
        else _("Pace of the budget: %(name)s, %(rate)s an hour")
    )
    return Finding(
        subject=f"burn:{budget.subject}",
        title=title % values,
        crossed=crossed,
        clear=over["short"] < times - band,
        value=f"{over['long']:.2f}",
        threshold=f"{times:f}",
        labels=budget.labels,
        words=Words(
            todo=_("Find the caller with the new spend. Disable or limit its key before the budget is spent.")
            if crossed
            else "",
            detail=until_gone(context, budget, long),
            facts=[
                [_("Last 24 hours"), _("%(rate)s an hour") % {"rate": exact(long)}, times_of(over["long"])],
                [_("Last hour"), _("%(rate)s an hour") % {"rate": exact(short)}, times_of(over["short"])],
                [_("The budget’s even pace"), _("%(rate)s an hour") % {"rate": exact(pace)}, dollars(budget.high)],
                [_("Spent this month"), exact(budget.spent), percent(budget.spent / budget.high)],
            ],
            drivers=drivers(context, budget_month(context, budget)) if crossed else [],
            page="/spend/",
        ),
    )


def times_of(over: Decimal) -> str:
    return _("%(n)s times the even pace") % {"n": f"{over:.1f}"}


def until_gone(context: EvaluationContext, budget: MonthBudget, rate: Decimal) -> str:
    left = budget.high - budget.spent
    if left <= 0:
        return _("The budget is already spent.")
    if rate <= 0:
        return ""
    lasts = timedelta(hours=float(min(left / rate, Decimal(10_000))))
    return _("At this rate the remaining %(left)s lasts %(span)s, until %(at)s.") % {
        "left": exact(left), "span": span(lasts), "at": moment(context.now + lasts),
    }  # fmt: skip


def stages(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each stage that runs or ended within the rule's days: over its total, or at its end."""
    recent = context.today - timedelta(days=int(params.number("days")))
    running = [stage for stage in context.stages if stage.starts_on <= context.today and stage.ends_on > recent]
    for stage in running:
        yield stage_stands(context, stage)
    names = {f"stage:{stage.slug}": stage.name for stage in context.stages}
    for subject in live & names.keys() - {f"stage:{stage.slug}" for stage in running}:
        title = _("Closed: %(name)s") % {"name": names[subject]}
        yield Finding(subject, title, crossed=False, clear=True, words=Words(page="/plan/"))


def stage_stands(context: EvaluationContext, stage: Stage) -> Finding:
    spent = context.spent_between(stage.starts_on, min(stage.ends_on, context.today + timedelta(days=1)))
    ended, over = stage.ends_on <= context.today, spent > stage.budget
    last = stage.ends_on - timedelta(days=1)
    values = {"name": stage.name, "spent": exact(spent), "total": dollars(stage.budget)}
    if over:
        title = _("Over its total: %(name)s, %(spent)s of %(total)s")
        todo = _("Raise the total of the stage on the Plan page, or end the stage.")
    elif ended:
        title = _("Stage ended: %(name)s, %(spent)s of %(total)s")
        todo = _("Plan the next stage on the Plan page. Decide shows the results of this one.")
    else:
        title = _("Stage running: %(name)s, %(spent)s of %(total)s")
        todo = _("No action needed.")
    return Finding(
        subject=f"stage:{stage.slug}",
        title=title % values,
        crossed=over or ended,
        clear=not over and not ended,
        level=2 if over else int(ended),
        sustained_level=2 if over else int(ended),
        value=f"{spent:.2f}",
        threshold=f"{stage.budget:.2f}",
        severity="warning" if over else "info",
        words=Words(
            todo=todo,
            detail=_("It ran from %(first)s to %(last)s.")
            % {"first": long_day(stage.starts_on), "last": long_day(last)}
            if ended
            else _("It runs until %(last)s.") % {"last": long_day(last)},
            facts=[
                [_("Spent"), exact(spent), _("all of its days")],
                [_("Total"), dollars(stage.budget), _("plan")],
                [_("Left") if spent <= stage.budget else _("Over"), exact(abs(stage.budget - spent)), ""],
            ],
            page="/plan/",
        ),
    )
