"""Go or no-go: the four criteria with their evidence, what people decided, sizing and recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from costs.breakeven import page as breakeven_page
from costs.models import Justification
from costs.people import person
from costs.price_sheets import sheets
from costs.price_sheets.sheets import Sheet
from costs.readiness import queries, scorecard
from costs.readiness import services as decisions
from costs.readiness.forms import PRECISIONS, EffortForm, LimitsForm, ReasonForm, SignForm, SizingForm, SwitchForm
from costs.readiness.inputs import Report, read_report
from costs.research.offers import Kinds, cheapest_offers
from costs.sizing import memory as sizing
from costs.sizing import offers as sizing_offers
from costs.sizing import recipes
from costs.sizing.recipe_words import RecipeSetup
from lib.confidence_intervals import Interval, wilson
from providers.audit.log import log
from providers.models import PROVIDER_NAMES, OfferKind
from providers.uptime import page as uptime_page
from traffic.models import Task

STRIP_DAYS = 30
OFFERS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task's ratings of our own answers against what is asked."""

    label: str
    requests: int
    ratings: int
    share: Decimal | None
    interval: Interval | None
    enough: bool

    @property
    def passes(self) -> bool:
        return self.enough and self.interval is not None and self.interval.low >= scorecard.ACCEPTED


@login_required
@permission_required("costs.view_charge", raise_exception=True)
@require_safe
def decide(request: HttpRequest) -> HttpResponse:
    return show(request)


def show(request: HttpRequest, status: int = 200, **forms: Any) -> HttpResponse:
    """The page, with forms that were not saved in the place of empty ones."""
    now = timezone.now()
    report = read_report(now)
    card = scorecard.judge(report.evidence)
    tasks = task_rows(report)
    context = {
        "card": card,
        "by_slug": {row.slug: row for row in card.criteria},
        "report": report,
        "evidence": report.evidence,
        "tasks": tasks,
        "rated": [_as_interval(row) for row in tasks if row.ratings],
        "pass_label": _("70 % to pass"),
        "passed": sum(row.passes for row in tasks),
        "rated_enough": sum(row.enough for row in tasks),
        "drawn": breakeven_page.drawn(report.inputs, report.result),
        "strips": _strips(report, now),
        "standing": report.no_go,
        "switches": [_switch(kind, label, report) for kind, label in Justification.Kind.choices],
        "past": queries.past_decisions(),
        "no_go_form": ReasonForm(),
        "switch_form": SwitchForm(),
        "sign_form": SignForm(verdict=card.verdict),
        "effort_form": EffortForm(today=now.astimezone(UTC).date()),
        "limits_form": LimitsForm(initial={name: most for name, _value, most in card.ops_workload.rows}),
        "efforts": queries.recent_efforts(now) if card.ops_workload.hours else (),
        "burden_words": WORKLOAD_LABELS,
        "records": queries.signed_decisions(),
        "may_decide": request.user.has_perm("costs.decide"),
        "thresholds": scorecard.Thresholds(),
        **forms,
    }
    return render(request, "costs/readiness/decide.html", context, status=status)


WORKLOAD_LABELS = {
    "incidents": gettext_lazy("Incidents"),
    "hours": gettext_lazy("Hours of work"),
    "pages": gettext_lazy("Calls"),
}


def task_rows(report: Report) -> list[TaskRow]:
    labels = dict(Task.choices)
    return [
        TaskRow(
            label=str(labels.get(row.task, row.task)),
            requests=row.requests,
            ratings=row.recent[0],
            share=Decimal(row.recent[1]) / row.recent[0] if row.recent[0] else None,
            interval=wilson(row.recent[1], row.recent[0]),
            enough=row.recent[0] >= scorecard.Thresholds().ratings_per_task,
        )
        for row in report.rated
    ]


def _as_interval(row: TaskRow) -> dict[str, Any]:
    """A row of the interval chart."""
    assert row.interval is not None, "a task with ratings has one"
    return {"label": row.label, "value": row.share, "low": row.interval.low, "high": row.interval.high,
            "text": _("%(n)s rated") % {"n": row.ratings}, "passes": row.passes}  # fmt: skip


def _strips(report: Report, now: datetime) -> list[dict[str, Any]]:
    """Our own deployments' days, one cell each."""
    days: Sequence[date] = uptime_page.days_of(now.astimezone(UTC) - timedelta(days=STRIP_DAYS - 1), now)
    return [
        {"name": row.name, "cells": uptime_page.cells(row, days, (), now), "uptime": row.uptime}
        for row in report.uptimes
    ]


def _switch(kind: str, label: Any, report: Report) -> dict[str, Any]:
    return {"kind": kind, "label": label, "on": report.switches.get(kind)}


@login_required
@permission_required("costs.decide", raise_exception=True)
@require_POST
def forbid(request: HttpRequest) -> HttpResponse:
    """A person's tick: operations are too complex, whatever the figures say."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return show(request, 422, no_go_form=form)
    no_go = decisions.forbid(reason=form.cleaned_data["reason"], by=person(request))
    log(request, no_go, no_go.reason, added=True)
    messages.success(request, _("The no-go stands until it is withdrawn."))
    return redirect("costs:decide")


@login_required
@permission_required("costs.decide", raise_exception=True)
@require_POST
def withdraw(request: HttpRequest) -> HttpResponseRedirect:
    standing = queries.standing_no_go()
    if standing and decisions.withdraw_no_go():
        log(request, standing, "Withdrawn.")
        messages.success(request, _("The no-go is withdrawn; the figures decide again."))
    return redirect("costs:decide")


@login_required
@permission_required("costs.decide", raise_exception=True)
@require_POST
def justify(request: HttpRequest) -> HttpResponse:
    """A switch that sets the money aside."""
    form = SwitchForm(request.POST)
    if not form.is_valid():
        return show(request, 422, switch_form=form)
    switch = decisions.justify(**form.cleaned_data, by=person(request))
    log(request, switch, switch.reason, added=True)
    messages.success(request, _("The saving and the volume are set aside until this is withdrawn."))
    return redirect("costs:decide")


@login_required
@permission_required("costs.decide", raise_exception=True)
@require_POST
def withdraw_switch(request: HttpRequest, kind: str) -> HttpResponseRedirect:
    standing = queries.standing_switch(kind)
    if standing and decisions.withdraw_justification(kind=kind):
        log(request, standing, "Withdrawn.")
        messages.success(request, _("Withdrawn; the money counts again."))
    return redirect("costs:decide")


# --- sizing and recipes --------------------------------------------------------------------------------------------


@login_required
@permission_required("costs.view_charge", raise_exception=True)
@require_safe
def size(request: HttpRequest) -> HttpResponse:
    """How much memory a model needs, which GPUs hold it, and the commands that start it."""
    sheet = sheets.load()
    today = cheapest_offers()
    form = SizingForm(request.GET, sheet)
    params = form.asked
    model = sheet.model(params["model"])
    fits = sizing.fits(
        sheet, model, params["precision"], context_tokens=params["context"], concurrent=params["concurrent"]
    )
    need = sizing.memory(model, params["precision"], context_tokens=params["context"], concurrency=params["concurrent"])
    gpus = min((fit.count for fit in fits), default=1)
    offers = sizing_offers.rentable(
        model, params["precision"], need, context_tokens=params["context"], now=timezone.now()
    )
    wanted = RecipeSetup(
        model.slug, params["precision"], params["context"], params["concurrent"], gpus, params["checkpoint"], need
    )
    context = {
        "form": form,
        "asked": params,
        "model": model,
        "precision": dict(PRECISIONS)[params["precision"]],
        "need": need,
        "fits": [_fit(fit, today.whole) for fit in fits],
        "cheapest": fits[0] if fits else None,
        "offers": offers[:OFFERS_SHOWN],
        "more_offers": len(offers) - OFFERS_SHOWN,
        "now": sizing_offers.first(offers),
        "matrix": matrix(sheet),
        "quantisations": sheet.quantisations,
        "purposes": sheet.engine_purposes,
        "provider_purposes": [_purpose(row, sheet) for row in sheet.provider_purposes],
        "recipes": recipes.recipes(wanted),
        "checked": recipes.CHECKED,
        "sheet": sheet,
        "seen_at": today.seen_at,
    }
    return render(request, "costs/readiness/sizing.html", context, status=200 if form.is_valid() else 422)


def _fit(fit: sizing.Fit, today: Kinds) -> dict[str, Any]:
    """A GPU that holds the model, with today's price beside the sheet's."""
    price = today.get((fit.price.provider, fit.gpu.name, fit.price.kind))
    return {
        "fit": fit,
        "provider": PROVIDER_NAMES.get(fit.price.provider, fit.price.provider),
        "kind": OfferKind(fit.price.kind).label,
        "today": None if price is None else price * fit.count * fit.price.hours_per_month,
    }


def matrix(sheet: Sheet) -> list[dict[str, Any]]:
    """Memory of every model at the plain precisions: ours, and the note's."""
    rows = []
    for model in sheet.models:
        noted = {"fp16": model.memory_gb.fp16, "int8": model.memory_gb.int8, "int4": model.memory_gb.int4, "int3": None}
        cells = [{"ours": sizing.memory(model, name).total, "note": note} for name, note in noted.items()]
        rows.append({"model": model, "cells": cells})
    return rows


def _purpose(row: sheets.Purpose, sheet: Sheet) -> dict[str, Any]:
    provider, gpu = row.choices
    return {"row": row, "provider": PROVIDER_NAMES.get(provider, provider), "gpu": sheet.gpu(gpu).name}
