"""What both sides cost at other volumes: rows of the Break-even page, made without queries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, Result, cells, routed_requests, volume_saving
from costs.breakeven.band import SAVING, Spread
from costs.breakeven.decimals import decimal
from costs.breakeven.engine import Costs, costs_of
from costs.breakeven.saving import Saving, savings_at

NOTED = (30_000, 100_000, 300_000, 1_000_000)  # volumes of the research's table
MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """What both sides cost at one volume, USD a month."""

    n: int
    routed: int
    api: Decimal
    selfhost: Decimal
    gpus: int | None
    utilisation: Decimal | None
    note: str
    here: bool
    saving: Saving
    marked: bool = False  # whether the saving is the one of every page, so that an audit compares it

    def saved(self) -> SafeString:
        return cells.saved(self.saving, marked=self.marked)

    def side(self) -> SafeString:
        return cells.side(self.saving)


def volume_rows(
    inputs: Inputs, result: Result, spread: Spread | None = None, *, saving: Saving | None = None, changed: bool = True
) -> list[VolumeRow]:
    """Rows for the research's volumes, our run rate, the crossings and the ends of the first steps, ascending.

    `saving` is that at our run rate, which is uncertain itself; the other rows are of exactly their volume. `changed`:
    whether a what-if changed the inputs.
    """
    n = inputs.requests_per_month
    notes: dict[int, str] = dict.fromkeys(NOTED, "")
    for at, gpus in step_ends(inputs):
        notes[at] = _("%(gpus)s GPUs are full at the peak, one more above it") % {"gpus": gpus}
        if gpus == 1:
            notes[at] = _("one GPU is full at the peak, two above it")
    saves_at = volume_saving(inputs, SAVING)
    if saves_at is not None:
        notes[saves_at] = _("saves the $100 that go/no-go requires")
    for crossing in result.crossings[:4]:
        into = crossing.side_to == "selfhost"
        notes[crossing.requests_per_month] = _("break-even") if into else _("the API is cheaper again")
    if n:
        notes[n] = _("our run rate") if not notes.get(n) else f"{_('our run rate')}, {notes[n]}"
    costs, volumes = costs_of(inputs), sorted(notes)[:MOST_ROWS]
    savings = dict(zip(volumes, savings_at(volumes, inputs, spread, worse=bool(saving and saving.worse)), strict=True))
    if saving:
        savings[n] = saving
    marked = n if saving and not changed else None
    return [_volume_row(inputs, costs, at, notes[at], savings[at], marked) for at in volumes]


def _volume_row(inputs: Inputs, costs: Costs, at: int, note: str, saving: Saving, marked: int | None) -> VolumeRow:
    gpus, peak = costs.gpus(at), Fraction(inputs.selfhost.peak_factor)
    return VolumeRow(
        n=at,
        routed=routed_requests(at, inputs.routable_share),
        api=decimal(costs.api(at)),
        selfhost=decimal(costs.selfhost(at)),
        gpus=gpus,
        utilisation=decimal(at * costs.load / peak / gpus) if gpus and costs.load else None,
        note=note,
        here=at == inputs.requests_per_month,
        saving=saving,
        marked=at == marked,
    )


def step_ends(inputs: Inputs, most: int = 2) -> list[tuple[int, int]]:
    """(last volume, GPUs) of the first steps that end below a million requests a month."""
    load = costs_of(inputs).load
    if not load:
        return []
    ends = [(int(gpus / load), gpus) for gpus in range(1, most + 1)]
    return [(at, gpus) for at, gpus in ends if 0 < at <= NOTED[-1]]
