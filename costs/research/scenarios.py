"""Scenarios A to E of the research: the cost of a set-up a month, line by line, computed from a price sheet.

They can also be computed with today's price of a GPU; if a price is missing, the total is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costs.breakeven import Inputs, SelfHost, decimal_text
from costs.price_sheets.sheets import GpuLine, Scenario, Sheet, Variant

IDS = ("A", "B", "C", "D", "E")

# Gives the price of one GPU today in USD an hour; None if nobody offers it.
Hourly = Callable[[GpuLine], Decimal | None]


@dataclass(frozen=True, slots=True)
class VariantCost:
    """USD a month by line (`gpu`, `vm`, `storage`); None is an unknown price."""

    slug: str
    title: str
    lines: dict[str, Decimal | None]

    @property
    def total(self) -> Decimal | None:
        """The sum of the lines, USD a month; None if a line is unknown."""
        amounts = [amount for amount in self.lines.values() if amount is not None]
        return sum(amounts, Decimal(0)) if len(amounts) == len(self.lines) else None


@dataclass(frozen=True, slots=True)
class ScenarioCost:
    id: str
    title: str
    price_sheet: str
    variants: tuple[VariantCost, ...]

    def variant(self, slug: str) -> VariantCost:
        return next(row for row in self.variants if row.slug == slug)


def compute(
    sheet: Sheet, scenario_id: str, hourly: Hourly | None = None, machine: Hourly | None = None
) -> ScenarioCost:
    """One scenario with the sheet's prices, or with the GPU prices that `hourly` gives. If `machine` gives a price for
    the machine around the GPU, that replaces the sheet's VM. Raises LookupError for an unknown scenario.
    """
    scenario = find(sheet, scenario_id)
    variants = tuple(_variant(sheet, variant, hourly, machine) for variant in scenario.variants)
    return ScenarioCost(scenario.id, scenario.title, sheet.name, variants)


def find(sheet: Sheet, scenario_id: str) -> Scenario:
    """A scenario of the sheet. Raises LookupError for an unknown one."""
    for scenario in sheet.scenarios:
        if scenario.id == scenario_id:
            return scenario
    raise LookupError(f"there is no scenario {scenario_id!r}")


def as_json(cost: ScenarioCost) -> dict[str, Any]:
    """The scenario as the HTTP API gives it, money as decimal strings."""
    return {
        "id": cost.id,
        "title": cost.title,
        "price_sheet": cost.price_sheet,
        "variants": [
            {
                "slug": variant.slug,
                "title": variant.title,
                "lines": {name: _plain(amount) for name, amount in variant.lines.items()},
                "total": _plain(variant.total),
            }
            for variant in cost.variants
        ],
    }


def workload_inputs(sheet: Sheet) -> Inputs:
    """The sheet's example as break-even inputs: all requests routable, one GPU at every volume.

    Raises LookupError if the sheet lacks the price of its own example.
    """
    work = sheet.workload
    prices = sheet.token_prices(work.api_model)
    if prices is None:
        raise LookupError(f"sheet {sheet.name} has no price for {work.api_model}")
    return Inputs(
        price_sheet=sheet.name,
        api_model=work.api_model,
        prices=prices,
        input_tokens=Decimal(work.input_tokens),
        output_tokens=Decimal(work.output_tokens),
        cache_read_share=Decimal(1),
        cache_write_tokens=Decimal(work.cache_write_tokens),
        batch_share=Decimal(0),
        requests_per_month=work.requests_per_day * work.days,
        routable_share=Decimal(1),
        selfhost=SelfHost(
            billing="hourly",
            gpu_hourly=sheet.gpu_price(work.provider, work.gpu, "on_demand").hourly.low,
            hours_per_month=sheet.hours_per_month,
            price_per_second=None,
            cold_start_seconds=Decimal(0),
            fixed_monthly=work.upkeep_monthly,
            storage_monthly=Decimal(0),
            gpu_tokens_per_second=None,
            peak_factor=Decimal(1),
        ),
    )


def _variant(sheet: Sheet, variant: Variant, hourly: Hourly | None, machine: Hourly | None) -> VariantCost:
    lines: dict[str, Decimal | None] = {"gpu": _gpu(sheet, variant.gpu, hourly)}
    around = machine(variant.gpu) if machine is not None else None
    if around is not None:
        lines["vm"] = around * variant.gpu.hours
    elif variant.vm is not None:
        lines["vm"] = sheet.vm(variant.vm).monthly
    if variant.storage is not None:
        lines["storage"] = sheet.storage(variant.storage).monthly
    return VariantCost(variant.slug, variant.title, lines)


def _gpu(sheet: Sheet, line: GpuLine, hourly: Hourly | None) -> Decimal | None:
    """USD of a month: hours times price, or the month's price of the source if the scenario asks for that."""
    if hourly is not None:
        today = hourly(line)
        return None if today is None else today * line.hours
    price = sheet.gpu_price(line.provider, line.gpu, line.kind)
    if line.month != "computed":
        if price.monthly is None:
            raise LookupError(f"sheet {sheet.name} quotes no month for {line.provider} {line.gpu} {line.kind}")
        return price.monthly.low if line.month == "quoted_low" else price.monthly.high
    return (line.hourly or price.hourly.low) * line.hours


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else decimal_text(amount)
