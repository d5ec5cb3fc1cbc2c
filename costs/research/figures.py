"""Every figure of the research note: computed again if possible, else quoted with its source.

- computed: ours must be within the tolerance: 1 USD, one percentage point, 2 % of an "about", 2 GB, or equal;
- quoted: a measurement, opinion or list price of a source, which is cited and not compared;
- slip: the note's number does not follow from its own inputs; ours and the reason are given with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from costs.breakeven import Inputs, Result, compute
from costs.price_sheets.sheets import FigureNote, Kind, Sheet, Span, Tolerance, load
from costs.research import scenarios
from costs.research.quotes import Quote, quotes
from costs.sizing import memory as sizing

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `difference` is ours minus the note's: 0 inside the note's span, None if nothing is compared."""

    slug: str
    section: str
    title: str
    kind: Kind
    unit: str
    note: str
    ours: Decimal | None
    difference: Decimal | None
    tolerance: Tolerance | None
    holds: bool | None  # whether it is within the tolerance; None if it is not computed
    why: str = ""
    source: str = ""


def figures(sheet: Sheet | None = None) -> list[Figure]:
    """All figures of a sheet by section: computed ones and slips first, then quoted ones."""
    sheet = sheet or load()
    rows = [*_noted(sheet), *_scenario_totals(sheet), *_months(sheet), *_memories(sheet), *_quoted(sheet)]
    order = list(dict.fromkeys(row.section for row in rows))
    return sorted(rows, key=lambda row: (order.index(row.section), row.kind == "quoted"))


def differing(rows: list[Figure]) -> list[Figure]:
    """Computed figures that differ from the note by more than their tolerance."""
    return [row for row in rows if row.holds is False]


def compare(note: FigureNote, ours: Decimal, source: str = "") -> Figure:
    """The figure of the note compared with ours."""
    apart = _apart(note.value, ours) if note.value else None
    holds = None
    if note.kind == "computed":
        holds = apart is not None and note.value is not None and abs(apart) <= allowance(note.tolerance, note.value)
    return Figure(
        note.slug,
        note.section,
        note.title,
        note.kind,
        note.unit,
        note.note,
        ours,
        apart,
        note.tolerance,
        holds,
        note.why,
        source,
    )


def allowance(tolerance: Tolerance, value: Span) -> Decimal:
    """How far our figure may differ from the note's, in the note's unit."""
    if tolerance == "about":
        return value.high * Decimal("0.02")
    return {"usd": Decimal(1), "point": Decimal(1), "gb": Decimal(2), "exact": Decimal(0)}[tolerance]


def _apart(span: Span, ours: Decimal) -> Decimal:
    if ours < span.low:
        return ours - span.low
    return ours - span.high if ours > span.high else Decimal(0)


def _noted(sheet: Sheet) -> Iterator[Figure]:
    for note in sheet.figures:
        yield compare(note, OURS[note.slug](sheet))


def _scenario_totals(sheet: Sheet) -> Iterator[Figure]:
    for scenario in sheet.scenarios:
        cost = scenarios.compute(sheet, scenario.id)
        for variant in scenario.variants:
            total = cost.variant(variant.slug).total
            assert total is not None, "a sheet prices its own scenarios"
            slug = f"scenario-{scenario.id}-{variant.slug}"
            yield _usd(slug, "Scenarios", f"{scenario.id}: {variant.title}", variant.note_total, total, scenario.source)


def _months(sheet: Sheet) -> Iterator[Figure]:
    """Hours times the hourly price, compared with the price of a month that the note prints."""
    for price in sheet.gpu_prices:
        if price.monthly is None:
            continue
        ours, title = price.monthly_computed(), f"{price.provider} {price.gpu} {price.kind}, a month"
        slug = f"month-{price.provider}-{price.gpu}-{price.kind}"
        if price.monthly.low == price.monthly.high:
            yield _usd(slug, "GPU prices", title, price.monthly.low, ours.low, price.source)
        else:
            yield _usd(f"{slug}-low", "GPU prices", f"{title}, low", price.monthly.low, ours.low, price.source)
            yield _usd(f"{slug}-high", "GPU prices", f"{title}, high", price.monthly.high, ours.high, price.source)


def _usd(slug: str, section: str, title: str, note: Decimal, ours: Decimal, source: str) -> Figure:
    figure = FigureNote(slug, section, title, "computed", "usd", f"{note:,f}", Span(note, note), "usd")
    return compare(figure, ours, source)


def _memories(sheet: Sheet) -> Iterator[Figure]:
    """GB of weights and overhead by our estimator, compared with the note's table."""
    for model in sheet.models:
        table = {"fp16": model.memory_gb.fp16, "int8": model.memory_gb.int8, "int4": model.memory_gb.int4}
        for precision, span in table.items():
            slug, title = f"memory-{model.slug}-{precision}", f"{model.name} {precision}, memory"
            note = FigureNote(slug, "Memory", title, "computed", "gb", str(span), span, "gb")
            yield compare(note, sizing.memory(model, precision).total.quantize(Decimal("0.1")), model.source)


def _quoted(sheet: Sheet) -> Iterator[Figure]:
    for quote in quotes(sheet):
        yield _as_figure(quote)


def _as_figure(quote: Quote) -> Figure:
    return Figure(
        quote.slug,
        quote.section,
        quote.title,
        "quoted",
        quote.unit,
        quote.value,
        None,
        None,
        None,
        None,
        source=quote.source,
    )


# --- how each figure is computed -----------------------------------------------------------------------------------


def _answer(sheet: Sheet, n: int | None = None, share: Decimal = Decimal(1)) -> Result:
    """The break-even of the sheet's example at a volume of n and a routable share."""
    inputs = scenarios.workload_inputs(sheet)
    volume = inputs.requests_per_month if n is None else n
    return compute(replace(inputs, requests_per_month=volume, routable_share=share))


def _uncached(sheet: Sheet) -> Decimal:
    inputs = scenarios.workload_inputs(sheet)
    return compute(replace(inputs, cache_read_share=Decimal(0), cache_write_tokens=Decimal(0))).api_cost


def _serverless(sheet: Sheet) -> Inputs:
    """The example at the cheapest price per second, without fixed costs and cold starts."""
    inputs = scenarios.workload_inputs(sheet)
    own = replace(
        inputs.selfhost,
        billing="per_second",
        price_per_second=min(row.price_per_second for row in sheet.serverless),
        gpu_tokens_per_second=sheet.workload.tokens_per_second,
        fixed_monthly=Decimal(0),
    )
    return replace(inputs, selfhost=own)


def _serverless_request(sheet: Sheet) -> Decimal:
    return compute(replace(_serverless(sheet), requests_per_month=1)).own_cost


def _tokens(sheet: Sheet, n: int) -> Decimal:
    """Input and output tokens of n requests, in millions."""
    return (sheet.workload.input_tokens + sheet.workload.output_tokens) * n / MILLION


def _lease(sheet: Sheet) -> Decimal:
    """USD of the example's GPU for a month, without upkeep."""
    return _answer(sheet).own_cost - sheet.workload.upkeep_monthly


def _hours(sheet: Sheet, hours: int) -> Decimal:
    """USD of the example's GPU for a number of hours."""
    return sheet.gpu_price(sheet.workload.provider, sheet.workload.gpu, "on_demand").hourly.low * hours


def _total(sheet: Sheet, scenario: str, variant: str) -> Decimal:
    total = scenarios.compute(sheet, scenario).variant(variant).total
    assert total is not None, "a sheet prices its own scenarios"
    return total


def _off(sheet: Sheet, gpu: str, kind: str) -> Span:
    """The discount against the on-demand price in per cent, as a span from the smaller to the larger."""
    full = sheet.gpu_price("google", gpu, "on_demand").hourly.low
    price = sheet.gpu_price("google", gpu, kind).hourly
    return Span((1 - price.high / full) * 100, (1 - price.low / full) * 100)


def _hybrid(sheet: Sheet, n: int) -> Decimal:
    """USD a month in phase 2: the GPU, and the API for requests that are not routable."""
    return _lease(sheet) + _answer(sheet).api_cost_per_request * n * (1 - sheet.workload.routable_share)


def _hybrid_breaks(sheet: Sheet) -> Decimal:
    """Requests a month at which phase 2 costs the upper end of its budget."""
    each = _answer(sheet).api_cost_per_request * (1 - sheet.workload.routable_share)
    return (sheet.phases[1].budget_high - _lease(sheet)) / each


def _api_only(sheet: Sheet, n: int) -> Decimal:
    return _answer(sheet).api_cost_per_request * n


def _plan_total(sheet: Sheet) -> Decimal:
    return sum((stage.budget for stage in sheet.stages), Decimal(0))


def _half_year(sheet: Sheet) -> Decimal:
    return _api_only(sheet, sheet.plan.requests_per_month) * sheet.plan.months


def _production(sheet: Sheet) -> Decimal:
    return sum((stage.months * sheet.plan.monthly for stage in sheet.stages if stage.months), Decimal(0))


def _month(sheet: Sheet, gpu: str, kind: str) -> Span:
    return sheet.gpu_price("google", gpu, kind).monthly_computed()


def _first_crossing(sheet: Sheet, share: Decimal = Decimal(1)) -> Decimal:
    return Decimal(_answer(sheet, None, share).crossings[0].requests_per_month)


def _mean_load(sheet: Sheet) -> Decimal:
    return 1_000_000 * sheet.workload.output_tokens / (sheet.hours_per_month * 3600)


def _against(part: Decimal, whole: Decimal) -> Decimal:
    return part / whole * 100


Ours = Callable[[Sheet], Decimal]

VOLUMES = (30_000, 100_000, 300_000, 1_000_000)


def _api_at(n: int) -> Ours:
    return lambda sheet: _answer(sheet, n).api_cost


def _selfhost_at(n: int) -> Ours:
    return lambda sheet: _answer(sheet, n).selfhost_cost


OURS: dict[str, Ours] = {
    "dashboard-input": lambda s: s.workload.input_tokens * s.workload.requests_per_day * s.workload.days / MILLION,
    "dashboard-output": lambda s: s.workload.output_tokens * s.workload.requests_per_day * s.workload.days / MILLION,
    "dashboard-uncached": _uncached,
    "dashboard-cached": lambda s: _answer(s).api_cost,
    "caching-saving": lambda s: _uncached(s) - _answer(s).api_cost,
    "caching-saving-percent": lambda s: _against(_uncached(s) - _answer(s).api_cost, _uncached(s)),
    "selfhost": lambda s: _answer(s).selfhost_cost,
    **{f"api-{n}": _api_at(n) for n in VOLUMES},
    **{f"selfhost-{n}": _selfhost_at(n) for n in VOLUMES},
    "crossing": _first_crossing,
    "crossing-routable": lambda s: _first_crossing(s, s.workload.routable_share),
    "mean-load": _mean_load,
    "serverless-request": _serverless_request,
    "serverless-volume": lambda s: _lease(s) / _serverless_request(s),
    "c-saving": lambda s: _total(s, "A", "on_demand") - _total(s, "C", "runpod"),
    "c-saving-percent": lambda s: _against(
        _total(s, "A", "on_demand") - _total(s, "C", "runpod"), _total(s, "A", "on_demand")
    ),
    "d-difference": lambda s: _total(s, "D", "runpod") - _total(s, "D", "gcp"),
    "d-difference-percent": lambda s: _against(_total(s, "D", "runpod") - _total(s, "D", "gcp"), _total(s, "D", "gcp")),
    "t4-1y-discount": lambda s: _off(s, "t4", "committed_1y").low,
    "t4-3y-discount": lambda s: _off(s, "t4", "committed_3y").low,
    "phase-2-month": lambda s: _lease(s) + s.plan.api_monthly,
    "production": _production,
    "plan-total": _plan_total,
    "plan-saving": lambda s: s.plan.api_only_total - _plan_total(s),
    "plan-saving-percent": lambda s: _against(s.plan.api_only_total - _plan_total(s), s.plan.api_only_total),
    "slip-t4-spot-low": lambda s: _month(s, "t4", "spot").low,
    "slip-t4-spot-high": lambda s: _month(s, "t4", "spot").high,
    "slip-t4-spot-discount-low": lambda s: _off(s, "t4", "spot").low,
    "slip-t4-spot-discount-high": lambda s: _off(s, "t4", "spot").high,
    "slip-l4-3y": lambda s: _month(s, "l4", "committed_3y").low,
    "slip-b-3y": lambda s: _total(s, "B", "cud_3y"),
    "slip-a100-spot-low": lambda s: _month(s, "a100-80gb", "spot").low,
    "slip-cache-reads": lambda s: (
        (s.workload.input_tokens * s.workload.requests_per_day * s.workload.days - s.workload.cache_write_tokens)
        / MILLION
    ),
    "slip-crossing": _first_crossing,
    "slip-poc-14-days": lambda s: _hours(s, 14 * 24),
    "slip-poc-half-month": lambda s: _lease(s) / 2,
    "slip-api-only-month": lambda s: _api_only(s, s.plan.requests_per_month),
    "slip-api-only-total": _half_year,
    "slip-plan-saving": lambda s: _half_year(s) - _plan_total(s),
    "slip-plan-saving-percent": lambda s: _against(_half_year(s) - _plan_total(s), _half_year(s)),
    "slip-phase-2-150k": lambda s: _hybrid(s, 150_000),
    "slip-phase-2-160k": lambda s: _hybrid(s, 160_000),
    "slip-phase-2-500k": lambda s: _hybrid(s, 500_000),
    "slip-phase-2-breaks": _hybrid_breaks,
    "slip-phase-3-low": lambda s: _api_only(s, 500_000),
    "slip-phase-3-high": lambda s: _api_only(s, 1_500_000),
    "slip-100m-uncached": lambda s: 100 * _uncached(s) / _tokens(s, s.workload.requests_per_day * s.workload.days),
    "slip-100m-cached": lambda s: 100 * _answer(s).api_cost_per_request / _tokens(s, 1),
}
