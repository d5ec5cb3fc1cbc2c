"""Pages of the research: scenarios A to E with the costs of January and today, and the slips of the note."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from costs.breakeven.measured_inputs import live_inputs
from costs.price_sheets import sheets
from costs.research import comparison, page, scenarios
from costs.research.offers import cheapest_offers
from lib.http import get_view


@get_view("costs.view_charge")
def scenario_list(request: HttpRequest) -> HttpResponse:
    sheet = sheets.load()
    today = cheapest_offers()
    context = {
        "page": page.Scenarios([page.scenario_rows(sheet, scenario, today) for scenario in scenarios.IDS]),
        "seen_at": today.seen_at,
        "slips": [page.Slip(figure) for figure in page.slips()],
        "computed": page.computed(),
        "sheet": sheet,
    }
    return render(request, "costs/research/scenarios.html", context)


@get_view("costs.view_charge")
def research_tables(request: HttpRequest) -> HttpResponse:
    """The comparison tables and the decision of the research, with today's figures."""
    sheet, now = sheets.load(), timezone.now()
    today = cheapest_offers()
    decision = comparison.decision(sheet, live_inputs(now), now)
    models = {model.slug: model.name for model in sheet.models} | {row.slug: row.name for row in sheet.claude}
    gpus = {gpu.slug: gpu.name for gpu in sheet.gpus}
    context = {
        "sheet": sheet,
        "seen_at": today.seen_at,
        "decision": decision,
        "hardware": comparison.hardware(sheet, today.gpus),
        "claude": comparison.claude(sheet, now),
        "throughputs": [
            (models.get(r.model, r.model), gpus.get(r.hardware, r.hardware.upper()), r) for r in sheet.throughputs
        ],
        "own": comparison.own_deployments(),
        "quality": [(models.get(row.model, row.model), row) for row in sheet.quality],
        "judged": comparison.judged(now),
        "providers": [page.purpose(row, sheet, today) for row in sheet.provider_purposes],
        "breaks": next(figure for figure in page.slips() if figure.slug == "slip-phase-2-breaks"),
        "slips": page.slips(),
    }
    return render(request, "costs/research/research.html", context)
