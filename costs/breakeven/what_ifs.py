"""What-ifs of the break-even: read from a query string, saved under a name, compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from django.contrib.auth.models import AbstractBaseUser
from django.http import QueryDict
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.breakeven import Inputs, PriceList, Result, cells, compute
from costs.breakeven.band import Spread
from costs.breakeven.crossings import first_into_selfhost
from costs.breakeven.forms import WhatIfForm, model_choices
from costs.breakeven.measured_inputs import price_lists
from costs.breakeven.own_costs import UnitBook
from costs.breakeven.saving import Saving, saving_of
from costs.models import WhatIf
from costs.price_sheets import sheets
from lib import sql
from providers.models import Offer, TokenPrice

LEAST_MEMORY_GB = 16  # what a 7B model needs in 16 bits
MOST_KEPT = 30


OFFER, PRICE = sql.Table(Offer, "offer"), sql.Table(TokenPrice, "price")
CHEAPEST = f"""
SELECT DISTINCT ON (gpu, provider, kind) {OFFER} FROM providers_offer AS offer
WHERE available AND memory_gb >= %s ORDER BY gpu, provider, kind, whole_per_gpu_hour
"""
# Of the leases that `LeaseQuerySet.reported` has, the newest behind a deployment.
OWN_GPU = """
SELECT gpu FROM providers_lease AS lease JOIN providers_account AS account ON account.id = lease.account_id
WHERE ended_at IS NULL AND account.enabled AND new_identity = '{}'
  AND EXISTS (SELECT FROM providers_deployment WHERE lease_id = lease.id)
ORDER BY started_at DESC LIMIT 1
"""
# Of each model the version that `TokenPriceQuerySet.in_force` has.
CLAUDE_PRICES = f"""
SELECT DISTINCT ON (model) {PRICE} FROM providers_tokenprice AS price
WHERE provider = 'anthropic' AND starts_at <= %(now)s AND model NOT IN (
    SELECT name FROM providers_model WHERE provider = 'anthropic' AND retires_on <= %(today)s
) ORDER BY model, starts_at DESC
"""


class WhatIfs:
    """Makes forms over the same live inputs; offers and price lists are read once for any number of forms."""

    def __init__(self, now: datetime, live: Inputs, book: UnitBook | None = None) -> None:
        self.now, self.live, self.book = now, live, book or UnitBook(now)

    def form(self, query: QueryDict) -> WhatIfForm:
        return WhatIfForm(
            query,
            live=self.live,
            sheets=self.price_lists if query else {},
            offers=self.offers,
            own_gpu=self.own_gpu,
            models=self.models,
            book=self.book,
        )

    @cached_property
    def price_lists(self) -> dict[str, PriceList]:
        return price_lists(self.now)

    @cached_property
    def offers(self) -> list[Offer]:
        """The cheapest offer of each provider, GPU and kind with at least `LEAST_MEMORY_GB`."""
        return [offer for (offer,) in sql.instances(CHEAPEST, OFFER, parameters=[LEAST_MEMORY_GB])]

    @cached_property
    def own_gpu(self) -> str:
        return next((gpu for (gpu,) in sql.rows(OWN_GPU)), "") or "RTX 4090"

    @cached_property
    def models(self) -> list[tuple[str, str]]:
        """Choices of Claude models that have a price in force and are not retired."""
        values = {"now": self.now, "today": self.now.date()}
        prices = sql.instances(CLAUDE_PRICES, PRICE, parameters=values)
        return model_choices((price for (price,) in prices), [sheets.load()])


def saved_what_ifs() -> list[WhatIf]:
    """The saved what-ifs, at most `MOST_KEPT`."""
    return list(WhatIf.objects.kept().select_related("by")[:MOST_KEPT])


def saved_what_if(pk: int) -> WhatIf:
    """A saved what-if, removed or not. Raises Http404."""
    return get_object_or_404(WhatIf, pk=pk)


def save_what_if(*, name: str, query: str, note: str, by: AbstractBaseUser) -> WhatIf:
    return WhatIf.objects.create(name=name, query=query, note=note, by_id=by.pk)


def remove_what_if(what_if: WhatIf) -> bool:
    """Mark it as removed; False if it was removed before."""
    return bool(WhatIf.objects.kept().filter(pk=what_if.pk).update(removed_at=timezone.now()))


def restore_what_if(what_if: WhatIf) -> bool:
    """Take the removal back; False if it is not removed, or if another what-if has its name now."""
    if WhatIf.objects.kept().filter(name=what_if.name).exists():
        return False
    return bool(WhatIf.objects.filter(pk=what_if.pk).update(removed_at=None))


@dataclass(frozen=True, slots=True)
class ScenarioColumn:
    """One scenario of the comparison; `result` is None if its query can no longer be read (an offer has gone)."""

    name: str
    query: str
    inputs: Inputs
    result: Result | None
    saved: WhatIf | None = None
    errors: tuple[str, ...] = ()
    saving: Saving | None = None

    @property
    def each(self) -> Decimal | None:
        """USD of one request on the cheaper side; None without a result or traffic."""
        if self.result is None or not self.inputs.requests_per_month:
            return None
        return min(self.result.api_cost, self.result.selfhost_cost) / self.inputs.requests_per_month

    def pays_from_cell(self) -> SafeString:
        crossings = self.result.crossings if self.result else ()
        return cells.volume(first_into_selfhost(crossings), self.saving.band if self.saving else None)

    def saving_cell(self) -> SafeString:
        return cells.saved(self.saving)


def compared(
    live_name: str, what_ifs: WhatIfs, saved: Iterable[WhatIf], spread: Spread | None = None
) -> list[ScenarioColumn]:
    """A column for the live answer, then one for each saved what-if over today's live inputs.

    `spread` is that of the days that the live inputs are measured in.
    """
    live = what_ifs.live
    columns = [ScenarioColumn(live_name, "", live, compute(live), saving=saving_of(live, spread, goals=False))]
    for what_if in saved:
        form = what_ifs.form(QueryDict(what_if.query))
        valid = form.is_valid()
        errors_shown = tuple(str(error) for errors in form.errors.values() for error in errors)
        result = compute(form.inputs) if valid else None
        saving = saving_of(form.inputs, spread, goals=False) if valid else None
        column = ScenarioColumn(what_if.name, what_if.query, form.inputs, result, what_if, errors_shown, saving)
        columns.append(column)
    return columns


def cheapest(columns: Iterable[ScenarioColumn]) -> ScenarioColumn | None:
    """The column in which a request costs least, on whichever side; None if no column has traffic."""
    comparable = [column for column in columns if column.each is not None]
    return min(comparable, key=lambda column: column.each or 0, default=None)


def answer(columns: Sequence[ScenarioColumn]) -> SafeString:
    """A sentence that names the cheapest of the columns; `columns` begin with the live answer."""
    number, least = len(columns) - 1, cheapest(columns)
    if not number:
        text = _("No saved scenarios yet. Change a value in the what-if and save it under a name.")
        return format_html("{}", text)
    if least is None:
        return format_html("{}", _("None of the saved scenarios can be calculated today."))
    text = ngettext(
        "Lowest cost of a request: <b>{name}</b>, of the live result and {n} saved scenario.",
        "Lowest cost of a request: <b>{name}</b>, of the live result and {n} saved scenarios.",
        number,
    )
    return format_html(text, n=number, name=least.name)
