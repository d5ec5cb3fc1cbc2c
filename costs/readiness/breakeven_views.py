"""At what volume do our own GPUs pay, and how far are we? With a what-if whose address holds the changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from costs.allocation.queries import spend
from costs.breakeven import alternatives, answered, compute, explain, queries, sensitivity
from costs.breakeven import page as breakeven_page
from costs.breakeven.backtest import backtest
from costs.breakeven.forms import WIDE, KeepForm, WhatIfForm
from costs.breakeven.measured_inputs import live_inputs, spread
from costs.breakeven.own_costs import WINDOW, UnitBook
from costs.breakeven.saving import saving_of
from costs.breakeven.sensitivity import tornado
from costs.breakeven.task_models_page import Counterfactual
from costs.breakeven.volume_rows import volume_rows
from costs.breakeven.what_ifs import WhatIfs
from costs.readiness import scorecard
from costs.readiness.inputs import Report, read_report
from costs.readiness.page import CriterionRow
from costs.verdicts.verdict import MARKS, WORDS, State
from lib.http import asks_for_part, get_view
from providers.models import Offer

HISTORY = timedelta(days=91)
SHOWN = 4  # other GPUs that get a drawing


@get_view("costs.view_charge")
def break_even(request: HttpRequest) -> HttpResponse:
    clean = _clean_query(request)
    if clean is not None and not asks_for_part(request):
        return HttpResponseRedirect(clean)
    now = timezone.now()
    report = read_report(now)
    form = WhatIfs(now, report.inputs, report.book).form(request.GET)
    status = 422 if request.GET and not form.is_valid() else 200
    response = render(request, "costs/breakeven/breakeven.html", _context(form, report, now, request), status=status)
    if clean is not None:
        response["HX-Push-Url"] = clean
    return response


@get_view("costs.view_charge")
def break_even_json(request: HttpRequest) -> JsonResponse:
    """The page's figures as JSON, for a browser that has no key; 422 where the what-if cannot be read."""
    now = timezone.now()
    book = UnitBook(now)
    form = WhatIfs(now, live_inputs(now, unit_book=book), book).form(request.GET)
    if request.GET and not form.is_valid():
        return JsonResponse({"detail": "Some inputs cannot be read.", "errors": form.errors}, status=422)
    return JsonResponse(answered(form.inputs, spread(now)))


def _clean_query(request: HttpRequest) -> str | None:
    """The same address without fields that were left empty; None where there are none."""
    if not any(value == "" for value in request.GET.values()):
        return None
    query = request.GET.copy()
    for name in [name for name, value in request.GET.items() if value == ""]:
        del query[name]
    return f"{request.path}?{query.urlencode()}" if query else request.path


GAP_STATES = {True: State.MET, False: State.NOT_MET, None: State.NOT_ENOUGH}


def _context(form: WhatIfForm, report: Report, now: datetime, request: HttpRequest) -> dict[str, Any]:
    inputs = form.inputs
    changed = form.is_valid() and bool(form.changes)
    result = compute(inputs) if changed else report.result
    today = now.astimezone(UTC).date()
    rates = breakeven_page.run_rates(_requests_by_day(now), today)
    growth = breakeven_page.growth(rates)
    refused = scorecard.quality_refuses(report.evidence.quality_gap)
    saving = saving_of(inputs, report.spread, worse=refused)
    offers, last = _on_demand(form), result.curve[-1].requests_per_month
    band = saving.band if saving else None
    answer = breakeven_page.answer(inputs, result, growth, refused, band)
    others = alternatives.others(inputs, offers, form.own_gpu, last, form.book, report.spread)
    json_url = reverse("costs:break-even-json")
    gap = report.evidence.quality_gap
    page = breakeven_page.BreakEvenPage(inputs, result, answer, rates, gap, refused, changed, saving)
    gap_state = GAP_STATES[page.holds]
    counterfactual = Counterfactual(
        report.inputs,
        saving_of(report.inputs, report.spread) if changed else saving,
        backtest(report.inputs.tasks, today),
        report.traffic.excluded,
        spend(today - WINDOW, today).total,
    )
    return {
        "page": page,
        "answer": answer,
        "inputs": inputs,
        "result": result,
        "drawn": breakeven_page.drawn(inputs, result),
        "crossings": breakeven_page.crossing_rows(inputs, result, band),
        "statement": explain(inputs, result),
        "volumes": volume_rows(inputs, result, report.spread, saving=saving, changed=changed),
        "tornado": tornado(sensitivity(inputs), inputs.requests_per_month),
        "others": others,
        "others_headline": alternatives.others_headline(others),
        "others_drawn": others[:SHOWN],
        "criteria": [CriterionRow(row) for row in scorecard.judge(report.evidence).criteria],
        "gap": gap,
        "gap_mark": MARKS[gap_state],
        "gap_word": WORDS[gap_state],
        "report": report,
        "form": form,
        "wide": WIDE,
        "band": band,
        "counterfactual": counterfactual,
        "spent_note": "" if changed else counterfactual.spent_note(result.selfhost_cost),
        "here_on": "selfhost" if report.traffic.own_requests else "api",
        "tasks": alternatives.task_rows(report.traffic.groups, inputs, report.spread),
        "keep_form": KeepForm(query=request.GET.urlencode()),
        "may_keep": request.user.has_perm("costs.change_phase"),
        "changed": changed,
        "json_url": f"{json_url}?{request.GET.urlencode()}" if changed else json_url,
    }


def _on_demand(form: WhatIfForm) -> list[Offer]:
    """The cheapest offer on demand of each GPU."""
    cheapest: dict[str, Offer] = {}
    for offer in form.offers.values():
        if offer.kind == "on_demand":
            current = cheapest.get(offer.gpu)
            if current is None or offer.whole_per_gpu_hour < current.whole_per_gpu_hour:
                cheapest[offer.gpu] = offer
    return list(cheapest.values())


def _requests_by_day(now: datetime) -> dict[date, int]:
    today = now.astimezone(UTC).date()
    return queries.day_requests(today - HISTORY, today)
