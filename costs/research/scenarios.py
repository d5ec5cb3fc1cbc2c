"""The research's scenarios A to E: what a set-up costs a month, line by line, computed from a price sheet.

The same scenarios can be priced with what a GPU costs today; a price that nobody lists leaves the total unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costs.breakeven import Inputs, SelfHost, decimal_text
from costs.price_sheets.sheets import GpuLine, Scenario, Sheet, Variant

IDS = ("A", "B", "C", "D", "E")

# USD for one GPU an hour today, None where nobody offers it.
Hourly = Callable[[GpuLine], Decimal | None]


@dataclass(frozen=True, slots=True)
class VariantCost:
    """USD a month by line (`gpu`, `vm`, `storage`); None is a price that is not known."""

    slug: str
    title: str
    lines: dict[str, Decimal | None]

    @property
    def total(self) -> Decimal | None:
        """None as soon as one line is unknown."""
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
    """One scenario with the sheet's prices, or with the GPU prices that `hourly` knows; where `machine` knows what the
    machine around the GPU costs besides, that stands for the sheet's VM.

    Raises LookupError for an unknown scenario.
    """
    scenario = find(sheet, scenario_id)
    variants = tuple(_variant(sheet, variant, hourly, machine) for variant in scenario.variants)
    return ScenarioCost(scenario.id, scenario.title, sheet.name, variants)


def find(sheet: Sheet, scenario_id: str) -> Scenario:
    """Raises LookupError for an unknown scenario."""
    for scenario in sheet.scenarios:
        if scenario.id == scenario_id:
            return scenario
    raise LookupError(f"there is no scenario {scenario_id!r}")


def as_json(cost: ScenarioCost) -> dict[str, Any]:
    """The contract's answer."""
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
    """The sheet's example as break-even inputs: everything routable, one GPU at every volume.

    Raises LookupError where the sheet lacks the price of its own example.
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
    """Hours times price, or the month as the source prints it where the scenario asks for that."""
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
