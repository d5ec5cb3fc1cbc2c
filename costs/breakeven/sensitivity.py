"""The sensitivity of the break-even: each input is moved a fifth down and up while the others stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from costs.breakeven.engine import find_all_crossings
from costs.breakeven.inputs import Inputs, SelfHost
from costs.breakeven.statement import number, percent, usd

STEP = Decimal("0.2")

# A share is at most 1, and the peak is at least the mean.
ENDS: dict[str, tuple[Decimal | None, Decimal | None]] = {
    "cache_read_share": (None, Decimal(1)),
    "batch_share": (None, Decimal(1)),
    "routable_share": (None, Decimal(1)),
    "peak_factor": (Decimal(1), None),
}
TRAFFIC = ("input_tokens", "output_tokens", "cache_read_share", "cache_write_tokens", "batch_share", "routable_share")
HOURLY = (
    "gpu_hourly",
    "vm_hourly",
    "egress_per_gb",
    "disk_per_gb_month",
    "fixed_monthly",
    "storage_monthly",
    "gpu_tokens_per_second",
    "peak_factor",
)
PER_SECOND = (
    "price_per_second", "cold_start_seconds", "egress_per_gb", "disk_per_gb_month", "fixed_monthly", "storage_monthly",
    "gpu_tokens_per_second",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Swing:
    """One input lowered and raised, with the first crossing that results; None if the curves no longer cross."""

    field: str
    value: Decimal
    low_value: Decimal
    high_value: Decimal
    low_crossing: int | None
    high_crossing: int | None
    crossing: int | None  # with the input unchanged

    @property
    def spread(self) -> int | None:
        """Requests a month between the two crossings; None if one of them does not exist."""
        if self.low_crossing is None or self.high_crossing is None:
            return None
        return abs(self.high_crossing - self.low_crossing)


def sensitivity(inputs: Inputs, step: Decimal = STEP) -> list[Swing]:
    """Swings of every input that is set, the widest first. Those after which the curves no longer cross come before."""
    here = _first(inputs)
    fields = HOURLY if inputs.selfhost.billing == "hourly" else PER_SECOND
    swings = [_swing(name, getattr(inputs, name), step, here, _of_traffic(inputs, name)) for name in TRAFFIC]
    swings.append(_swing("api_prices", Decimal(1), step, here, lambda factor: repriced(inputs, factor)))
    own = inputs.selfhost
    swings += [
        _swing(name, value, step, here, _of_selfhost(inputs, own, name))
        for name in fields
        if (value := getattr(own, name)) is not None
    ]
    moved = [swing for swing in swings if swing.value and swing.spread != 0 and _moves(swing)]
    return sorted(moved, key=lambda swing: (swing.spread is not None, -(swing.spread or 0)))


def _moves(swing: Swing) -> bool:
    return not swing.low_crossing == swing.high_crossing == swing.crossing


def _swing(
    name: str, value: Decimal, step: Decimal, here: int | None, with_value: Callable[[Decimal], Inputs]
) -> Swing:
    least, most = ENDS.get(name, (None, None))
    low, high = value * (1 - step), value * (1 + step)
    low = low if least is None else max(low, least)
    high = high if most is None else min(high, most)
    return Swing(name, value, low, high, _first(with_value(low)), _first(with_value(high)), here)


def _of_traffic(inputs: Inputs, name: str) -> Callable[[Decimal], Inputs]:
    def moved(value: Decimal) -> Inputs:
        change: dict[str, Any] = {name: value}
        return replace(inputs, **change)

    return moved


def _of_selfhost(inputs: Inputs, own: SelfHost, name: str) -> Callable[[Decimal], Inputs]:
    def moved(value: Decimal) -> Inputs:
        change: dict[str, Any] = {name: value}
        return replace(inputs, selfhost=replace(own, **change))

    return moved


def repriced(inputs: Inputs, factor: Decimal) -> Inputs:
    """The inputs with every API price multiplied by a factor."""
    prices = inputs.prices
    return replace(
        inputs,
        prices=replace(
            prices,
            input=prices.input * factor,
            output=prices.output * factor,
            cache_write_5m=prices.cache_write_5m * factor,
            cache_read=prices.cache_read * factor,
        ),
    )


def _first(inputs: Inputs) -> int | None:
    crossings = find_all_crossings(inputs)
    return crossings[0].requests_per_month if crossings else None


# --- in words ------------------------------------------------------------------------------------------------------

WORDS = {
    "input_tokens": lambda: _("Tokens in"),
    "output_tokens": lambda: _("Tokens out"),
    "cache_read_share": lambda: _("Read from the cache"),
    "cache_write_tokens": lambda: _("Cache writes a month"),
    "batch_share": lambda: _("Sent as a batch"),
    "routable_share": lambda: _("Routable share"),
    "api_prices": lambda: _("API prices"),
    "gpu_hourly": lambda: _("GPU, an hour"),
    "fixed_monthly": lambda: _("VM and upkeep, a month"),
    "storage_monthly": lambda: _("Storage, a month"),
    "vm_hourly": lambda: _("Machine around a GPU, an hour"),
    "disk_per_gb_month": lambda: _("Disk, a GB and month"),
    "egress_per_gb": lambda: _("Egress, a GB"),
    "gpu_tokens_per_second": lambda: _("Tokens/s of one GPU"),
    "peak_factor": lambda: _("Peak, times the mean"),
    "price_per_second": lambda: _("GPU, a second"),
    "cold_start_seconds": lambda: _("Cold start, seconds"),
}
SHARES = ("cache_read_share", "batch_share", "routable_share", "api_prices")
MONEY = (
    "vm_hourly",
    "disk_per_gb_month",
    "egress_per_gb",
    "gpu_hourly",
    "fixed_monthly",
    "storage_monthly",
    "price_per_second",
)


@dataclass(frozen=True, slots=True)
class SwingRow:
    """One input moved down and up by a fifth, with the volumes from which our GPUs then pay."""

    label: str
    value: str
    low_value: str
    high_value: str
    swing: Swing

    @property
    def least(self) -> int | None:
        return self._end(min)

    @property
    def most(self) -> int | None:
        return self._end(max)

    def _end(self, which: Any) -> int | None:
        ends = (self.swing.low_crossing, self.swing.high_crossing)
        end: int | None = which(ends) if None not in ends else None
        return end


@dataclass(frozen=True, slots=True)
class Tornado:
    """Inputs in the order in which they move the break-even, and the common scale of their bars."""

    rows: list[SwingRow]
    low: int
    high: int

    def headline(self) -> str:
        if not self.rows:
            return _("No single input moves the break-even")
        return _("Largest effect on break-even: %(name)s") % {"name": self.rows[0].label}


def tornado(swings: Iterable[Swing], n: int) -> Tornado:
    """The rows and their common scale, which includes our run rate `n` if that is not far off."""
    rows = [_swing_row(swing) for swing in swings]
    ends = [end for row in rows for end in (row.least, row.most, row.swing.crossing) if end is not None]
    if ends and min(ends) / 3 < n < max(ends) * 3:
        ends.append(n)
    margin = (max(ends) - min(ends)) // 12 if ends else 0
    return Tornado(rows, max(0, min(ends, default=0) - margin), max(ends, default=1) + margin)


def _swing_row(swing: Swing) -> SwingRow:
    formatted = percent if swing.field in SHARES else usd if swing.field in MONEY else number
    value, low, high = (formatted(round(value, 6)) for value in (swing.value, swing.low_value, swing.high_value))
    return SwingRow(WORDS[swing.field](), value, low, high, swing)
