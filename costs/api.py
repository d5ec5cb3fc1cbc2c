"""Costs' part of the JSON API: spend, plan, break-even, scenarios, scorecard, reconciliation, FOCUS export."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Body, Query, Router
from pydantic import Field

from costs import focus
from costs.allocation.queries import spend
from costs.anomalies.page import AnomaliesPage
from costs.breakeven import Inputs, InvalidInputs, Spread, answered, body_schema, inputs_from_body
from costs.breakeven.backtest import backtest
from costs.breakeven.measured_inputs import live_inputs, measure, price_lists, spread
from costs.breakeven.queries import only_testing
from costs.models import Phase
from costs.plan.budgets import budget_positions
from costs.plan.queries import plan
from costs.plan.steps import budgets_of_application
from costs.price_sheets import sheets
from costs.readiness import records, scorecard
from costs.readiness.inputs import read_report
from costs.readiness.queries import latest_decisions
from costs.readiness.verdicts import verdicts
from costs.reconciliation.page import ReconciliationPage
from costs.research import scenarios
from costs.savings import page as savings_page
from costs.schemas.bills import ReconciliationOut, StatementsOut
from costs.schemas.breakeven import BreakEvenOut, ScenarioOut
from costs.schemas.decisions import DecisionsOut, ScorecardOut, VerdictsOut
from costs.schemas.findings import AnomaliesOut, SavingsOut
from costs.schemas.plan import BudgetsOut, PhasesOut
from costs.schemas.spend import ChangesOut, SpendOut, UnitCostsOut, UserCostsOut
from costs.scoreboard.api import router as scoreboard
from costs.spend.page import SpendPage, SpendParams
from costs.statements import queries as statements
from costs.trials.api import router as trials
from costs.units import queries as units
from costs.units import users as user_units
from costs.variance import queries as changes
from costs.verdicts.verdict import as_json
from lib.errors import ApiError, at
from lib.periods import month_days
from lib.shapes import READ_ERRORS, Error
from traffic.authentication.access import application_of_key, needs
from traffic.requests.query_params import FilterQuery, Month, PeriodQuery
from traffic.usage.filters import Filters

router = Router(tags=["costs"])
router.add_router("", trials)
router.add_router("", scoreboard)
LIVE_FOR_S = 10
GroupBy = Literal["provider", "model", "application", "owner", "task", "category", "day", "month", "provenance"]


@router.get(
    "/spend",
    auth=needs("read"),
    response={200: SpendOut, **READ_ERRORS},
    summary="Spend, adding up exactly",
    by_alias=True,
)
def get_spend(
    request: HttpRequest, filters: Query[FilterQuery], period: Query[PeriodQuery], group_by: GroupBy = "provider"
) -> Any:
    days = period.parsed()
    return spend(days.first_day, days.end_day, group_by, filters.parsed())


@router.get(
    "/changes",
    auth=needs("read"),
    response={200: ChangesOut, 404: Error, **READ_ERRORS},
    summary="What changed, as steps that add up: a month against the one before, or against the plan",
    by_alias=True,
)
def get_changes(
    request: HttpRequest, filters: Query[FilterQuery], month: Month = None, against: changes.Against = "month"
) -> Any:
    now = timezone.now()
    page = SpendPage(SpendParams(month_days(month)[0] if month else now.date().replace(day=1), filters.parsed()), now)
    if against == "plan" and application_of_key(request):
        raise ApiError(403, "The plan is of the whole installation. Ask with a key that belongs to no application.")
    if against == "month":
        return SimpleNamespace(days=page.days, against=against, compared_with=page.days, bridge=page.change)
    plan = changes.planned(page.days)
    if plan is None:
        raise ApiError(404, "No phase was planned for these days.")
    bridge = changes.against_plan(plan, page.data)
    return SimpleNamespace(days=page.days, against=against, compared_with=None, bridge=bridge)


@router.get(
    "/unit-costs",
    auth=needs("read"),
    response={200: UnitCostsOut, **READ_ERRORS},
    summary="What a request, an accepted answer, a million tokens and an incident cost in a month",
    by_alias=True,
)
def get_unit_costs(
    request: HttpRequest, filters: Query[FilterQuery], month: Month = None, group_by: units.By = "application"
) -> Any:
    now = timezone.now()
    page = SpendPage(SpendParams(month_days(month)[0] if month else now.date().replace(day=1), filters.parsed()), now)
    return units.UnitCosts(page, group_by)


@router.get(
    "/unit-costs/{application}/users",
    auth=needs("read"),
    response={200: UserCostsOut, **READ_ERRORS, 404: Error},
    summary="What the most expensive users of an application cost in a month, as far back as may be read",
    by_alias=True,
)
def get_user_costs(request: HttpRequest, application: str, month: Month = None) -> Any:
    row = user_units.find_application(application)
    if row is None or application_of_key(request) not in (None, row.slug):
        raise ApiError(404, "No application is called so.")
    today = timezone.now().date()
    since, until = month_days(month) if month else (today.replace(day=1), today + timedelta(days=1))
    return user_units.user_units(row, since, min(until, today + timedelta(days=1)))


@router.get(
    "/break-even",
    auth=needs("read"),
    response={200: BreakEvenOut, **READ_ERRORS},
    summary="Live break-even",
    by_alias=True,
)
def get_break_even(request: HttpRequest, filters: Query[FilterQuery]) -> Any:
    now, wanted = timezone.now(), filters.parsed()
    inputs, days = live_over(now, wanted)
    past = None if wanted.divides() or wanted.provider else backtest(inputs.tasks, now.astimezone(UTC).date())
    excluded = [] if wanted.application else only_testing()
    return {**answered(inputs, days), "backtest": past and past.as_json(), "excluded_applications": excluded}


def live_over(now: datetime, filters: Filters) -> tuple[Inputs, Spread | None]:
    """Live inputs of the traffic that passes the filters, and the spread of its days."""
    return live_inputs(now, measure(now, filters)), spread(now, filters)


def lately(now: datetime, filters: Filters) -> tuple[Inputs, Spread | None]:
    """The same, read at most every 10 seconds: who moves a slider asks many times about one live state."""
    key = f"live-inputs/{sha256(repr(filters).encode()).hexdigest()}"
    live: tuple[Inputs, Spread | None] | None = cache.get(key)
    if live is None:
        live = live_over(now, filters)
        cache.set(key, live, LIVE_FOR_S)
    return live


@router.post(
    "/break-even",
    auth=needs("read"),
    response={200: BreakEvenOut, 400: Error, **READ_ERRORS},
    summary="Break-even of a what-if. A key left out is live",
    by_alias=True,
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": body_schema()}}}},
)
def post_break_even(request: HttpRequest, filters: Query[FilterQuery], body: Annotated[dict[str, Any], Body()]) -> Any:
    now = timezone.now()
    try:
        listed = price_lists(now) if body.keys() & {"price_sheet", "api_model"} else {}
        live, days = lately(now, filters.parsed())
        inputs = inputs_from_body(body, live, listed)
    except InvalidInputs as error:
        errors = [at(["body", *loc], message) for loc, message in error.errors]
        raise ApiError(422, "Some inputs do not match the schema.", errors) from None
    return answered(inputs, days)


@router.get(
    "/scenarios/{scenario}",
    auth=needs("read"),
    response={200: ScenarioOut, 404: Error, **READ_ERRORS},
    summary="A scenario of the reference case, calculated from its price sheet",
)
def get_scenario(request: HttpRequest, scenario: Annotated[str, Field(max_length=20)]) -> Any:
    try:
        return scenarios.as_json(scenarios.compute(sheets.load(), scenario))
    except LookupError:
        raise ApiError(404, f"There is no scenario {scenario!r}. The reference case has A to E.") from None


@router.get(
    "/reconciliation",
    auth=needs("read"),
    response={200: ReconciliationOut, **READ_ERRORS},
    summary="Bills against our figures, with causes that add up to each difference. Without `month` the current one",
)
def get_reconciliation(
    request: HttpRequest,
    filters: Query[FilterQuery],
    month: Month = None,
    by: Literal["provider", "model", "day"] = "provider",
) -> Any:
    now = timezone.now()
    first = month_days(month)[0] if month else now.date().replace(day=1)
    page = ReconciliationPage(first, now, filters.parsed())
    parts = [] if by == "provider" else page.reconciliation.by(by)
    return SimpleNamespace(reconciliation=page.reconciliation, parts=parts, coverages=page.coverages, gaps=page.gaps)


@router.get(
    "/statements",
    auth=needs("read"),
    response={200: StatementsOut, **READ_ERRORS},
    summary="Statements of a month, in cents that add up to its spend. Without `month` the current one",
)
def get_statements(
    request: HttpRequest, month: Month = None, by: Literal["application", "owner"] = "application"
) -> Any:
    today = timezone.now().date()
    first = month_days(month)[0] if month else today.replace(day=1)
    own = application_of_key(request)
    if own is None:
        return statements.statements(first, by, today)
    if by == "owner":
        raise ApiError(403, "An owner may have other applications. Ask with a key that belongs to no application.")
    return statements.statements(first, by, today).of(own)


@router.get(
    "/savings",
    auth=needs("read"),
    response={200: SavingsOut, **READ_ERRORS},
    summary="What could be saved a month, what was decided about it, and whether accepted savings arrived",
    by_alias=True,
)
def get_savings(request: HttpRequest) -> Any:
    return savings_page.page()


Dataset = Literal["cost-and-usage", "invoice-detail", "billing-period"]
FILES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}},
    focus.parquet.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}},
}


@router.get(
    "/export/focus",
    auth=needs("read"),
    response={200: None, **READ_ERRORS},
    openapi_extra={"responses": {200: {"content": FILES}}},
    summary="A month in FOCUS 1.4, as CSV with a header or as Parquet. Without `month` the current one",
    description="Parquet needs the extra `parquet`: without it the answer is 422.",
)
def get_focus(
    request: HttpRequest,
    month: Month = None,
    version: Literal["1.4"] = "1.4",
    dataset: Dataset = "cost-and-usage",
    format: Literal["csv", "parquet"] = "csv",
) -> Any:
    now = timezone.now()
    first = month_days(month)[0] if month else now.date().replace(day=1)
    try:
        content = focus.as_file(dataset, focus.read(first, now), format)
    except focus.NotInstalled as error:
        raise ApiError(422, str(error), [at(["query", "format"], str(error))]) from None
    answer = HttpResponse(content, content_type=focus.KINDS[format])
    answer["Content-Disposition"] = f'attachment; filename="{focus.file_name(dataset, first, format)}"'
    return answer


@router.get(
    "/scorecard",
    auth=needs("read"),
    response={200: ScorecardOut, **READ_ERRORS},
    summary="Go or no-go, by four criteria with their evidence",
)
def get_scorecard(request: HttpRequest, filters: Query[FilterQuery]) -> Any:
    return scorecard.as_json(scorecard.judge(read_report(timezone.now(), filters.parsed()).evidence))


@router.get(
    "/verdicts",
    auth=needs("read"),
    response={200: VerdictsOut, **READ_ERRORS},
    summary="On plan, up, good enough, fast, cheaper, reliable, go: each state with its figure and interval",
)
def get_verdicts(request: HttpRequest) -> Any:
    return {"items": [as_json(verdict) for verdict in verdicts(timezone.now())]}


@router.get(
    "/decisions",
    auth=needs("read"),
    response={200: DecisionsOut, **READ_ERRORS},
    summary="Signed decisions with the figures they were made on, the newest first. The first one stands",
)
def get_decisions(request: HttpRequest, limit: Annotated[int, Field(ge=1, le=500)] = 50) -> Any:
    decisions = latest_decisions(limit)
    standing = decisions[0] if decisions else None
    changed = records.changed(decisions)
    return {
        "items": [records.as_json(decision, standing, intact=decision.number not in changed) for decision in decisions]
    }


@router.get("/phases", auth=needs("read"), response={200: PhasesOut, **READ_ERRORS}, summary="Phases and stages")
def get_phases(request: HttpRequest, filters: Query[FilterQuery]) -> Any:
    plan_data = plan(timezone.now(), filters=filters.parsed())
    return {
        "current": slug(plan_data.current),
        "volume_phase": slug(plan_data.volume_phase),
        "run_rate": plan_data.run_rate,
        "phases": plan_data.phases,
        "stages": plan_data.stages,
    }


@router.get("/anomalies", auth=needs("read"), response={200: AnomaliesOut, **READ_ERRORS}, summary="Anomalies")
def get_anomalies(request: HttpRequest) -> Any:
    page, own = AnomaliesPage(timezone.now()), application_of_key(request)
    too_little = dict(page.look.too_little) if page.look else {}
    return {
        "looked_at": page.look and page.look.at,
        "too_little": {slug: days for slug, days in too_little.items() if own in (None, slug)},
        "new": [
            {"application": slug, "model": model or None, "first_day": day, "cost_last_day": costs}
            for slug, model, day, costs in page.new
            if own in (None, slug)
        ],
        "anomalies": [anomaly for anomaly in page.findings if own in (None, anomaly.application)],
    }


@router.get("/budgets", auth=needs("read"), response={200: BudgetsOut, **READ_ERRORS}, summary="Budgets this month")
def get_budgets(request: HttpRequest) -> Any:
    own = application_of_key(request)
    now = timezone.now()
    shown = budget_positions(now) if own is None else budget_positions(now, budgets_of_application(own, now))
    return {"budgets": shown}


def slug(phase: Phase | None) -> str | None:
    return phase.slug if phase else None
