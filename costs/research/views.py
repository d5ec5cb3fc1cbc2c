"""The research's scenarios A to E: what they cost in January, what they cost today, and where the note slipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from costs.breakeven.measured_inputs import live_inputs
from costs.price_sheets import sheets
from costs.price_sheets.sheets import GpuLine, Purpose, Sheet
from costs.research import comparison, scenarios
from costs.research.figures import Figure, figures
from costs.research.offers import CheapestOffers, Kinds, cheapest_offers
from costs.research.scenarios import VariantCost
from providers.models import PROVIDER_NAMES


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant: January's lines and total, the note's own total, and today's, None where nobody offers it."""

    cost: VariantCost
    note_total: Decimal
    today: Decimal | None
    why: str  # of the difference

    @property
    def slips(self) -> bool:
        """Whether the note's total is not what its own prices make, to the dollar."""
        return abs((self.cost.total or Decimal(0)) - self.note_total) >= Decimal("0.5")


@dataclass(frozen=True, slots=True)
class ScenarioRows:
    id: str
    title: str
    rows: list[VariantRow]


@login_required
@permission_required("costs.view_charge", raise_exception=True)
@require_safe
def scenario_list(request: HttpRequest) -> HttpResponse:
    sheet = sheets.load()
    today = cheapest_offers()
    shown = [_shown(sheet, scenario, today) for scenario in scenarios.IDS]
    every = [row for scenario in shown for row in scenario.rows]
    totals = [row.cost.total for row in every if row.cost.total is not None]
    context = {
        "scenarios": shown,
        "lowest": min(totals),
        "highest": max(totals),
        "priced": sum(row.today is not None for row in every),
        "variants": len(every),
        "seen_at": today.seen_at,
        "slips": slips(),
        "computed": sum(1 for figure in _figures() if figure.kind == "computed"),
        "sheet": sheet,
    }
    return render(request, "costs/research/scenarios.html", context)


@login_required
@permission_required("costs.view_charge", raise_exception=True)
@require_safe
def research_tables(request: HttpRequest) -> HttpResponse:
    """What the research compared and decided, with today's figures beside it."""
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
        "providers": [_purpose(row, sheet, today) for row in sheet.provider_purposes],
        "breaks": next(figure for figure in slips() if figure.slug == "slip-phase-2-breaks"),
        "slips": slips(),
    }
    return render(request, "costs/research/research.html", context)


def _purpose(row: Purpose, sheet: Sheet, offered: CheapestOffers) -> tuple[str, Purpose, Decimal | None]:
    """A provider for a purpose, with the cheapest month of its GPU today."""
    provider, gpu = row.choices
    name = sheet.gpu(gpu).name
    today = offered.whole.get((provider, name, "on_demand"))
    title = f"{PROVIDER_NAMES.get(provider, provider)} {name}"
    return title, row, None if today is None else today * comparison.MONTH


def hourly(sheet: Sheet, prices: Kinds) -> Callable[[GpuLine], Decimal | None]:
    """Today's price of a scenario's GPU, or of the machine around it."""
    return lambda line: prices.get((line.provider, sheet.gpu(line.gpu).name, line.kind))


def _shown(sheet: Sheet, scenario: str, today: CheapestOffers) -> ScenarioRows:
    then = scenarios.compute(sheet, scenario)
    now = scenarios.compute(sheet, scenario, hourly(sheet, today.gpus), hourly(sheet, today.machines))
    noted = {variant.slug: variant for variant in scenarios.find(sheet, scenario).variants}
    rows = []
    for cost in then.variants:
        today_s, variant = now.variant(cost.slug), noted[cost.slug]
        rows.append(
            VariantRow(cost, variant.note_total, today_s.total, comparison.why(sheet, cost, variant.gpu, today_s))
        )
    return ScenarioRows(then.id, then.title, rows)


@cache
def _figures() -> list[Figure]:
    """The sheet that comes with the product does not change while a process runs."""
    return figures()


def slips() -> list[Figure]:
    """What does not follow from the note's own inputs."""
    return [figure for figure in _figures() if figure.kind == "slip"]
