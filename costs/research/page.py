"""Rows and sentences of the research pages: its scenarios beside today's prices, and the slips of its note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from django.template.defaultfilters import floatformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.price_sheets.sheets import GpuLine, Purpose, Sheet
from costs.research import comparison, scenarios
from costs.research.figures import Figure, figures
from costs.research.offers import CheapestOffers, Kinds
from costs.research.scenarios import VariantCost
from lib.formats import count, dollars, sentences, usd
from providers.models import provider_name


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant, USD a month: January's lines and total, the note's total, and today's (None: no offer)."""

    cost: VariantCost
    note_total: Decimal
    today: Decimal | None
    why: str  # reason of the difference, in words

    @property
    def slips(self) -> bool:
        """Whether the note's total differs from the sum of its own prices, rounded to dollars."""
        return abs((self.cost.total or Decimal(0)) - self.note_total) >= Decimal("0.5")


@dataclass(frozen=True, slots=True)
class ScenarioRows:
    id: str
    title: str
    rows: list[VariantRow]


@dataclass(frozen=True, slots=True)
class Scenarios:
    """The five scenarios of the research with all their variants."""

    scenarios: list[ScenarioRows]

    def answer(self) -> SafeString:
        rows = [row for scenario in self.scenarios for row in scenario.rows]
        totals = [row.cost.total for row in rows if row.cost.total is not None]
        text = _("The research’s five set-ups cost <b>{low} to {high} a month</b> in January 2026, in {n} variants;")
        cost = format_html(text, low=dollars(min(totals), 0), high=dollars(max(totals), 0), n=len(rows))
        priced = sum(row.today is not None for row in rows)
        if not priced:
            return sentences(cost, _("none of them has a price today, because no offers are read."))
        has = ngettext("%(n)s of them has a price today.", "%(n)s of them have a price today.", priced)
        return sentences(cost, has % {"n": priced})


@dataclass(frozen=True, slots=True)
class Slip:
    """A figure of the note that does not follow from the note's own inputs."""

    figure: Figure

    def ours(self) -> str:
        if self.figure.unit == "requests":
            return count(self.figure.ours)
        return floatformat(self.figure.ours, 3) if self.figure.unit == "million_tokens" else usd(self.figure.ours)

    def unit(self) -> str:
        units = {"usd": "USD", "percent": "%", "million_tokens": _("million tokens")}
        return units.get(self.figure.unit, _("requests"))


def purpose(row: Purpose, sheet: Sheet, offered: CheapestOffers) -> tuple[str, Purpose, Decimal | None]:
    """(title, row, USD) of a provider for a purpose; USD is the cheapest month of its GPU today, None without offer."""
    provider, gpu = row.choices
    name = sheet.gpu(gpu).name
    today = offered.whole.get((provider, name, "on_demand"))
    title = f"{provider_name(provider)} {name}"
    return title, row, None if today is None else today * comparison.MONTH


def hourly(sheet: Sheet, prices: Kinds) -> Callable[[GpuLine], Decimal | None]:
    """A function that gives the price of a scenario's GPU line from `prices`, USD an hour; None if it is missing."""
    return lambda line: prices.get((line.provider, sheet.gpu(line.gpu).name, line.kind))


def scenario_rows(sheet: Sheet, scenario: str, today: CheapestOffers) -> ScenarioRows:
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
    """The figures, cached: the sheet that comes with the product does not change while a process runs."""
    return figures()


def slips() -> list[Figure]:
    """The figures that do not follow from the note's own inputs."""
    return [figure for figure in _figures() if figure.kind == "slip"]


def computed() -> int:
    """How many figures of the note follow from its inputs."""
    return sum(1 for figure in _figures() if figure.kind == "computed")
