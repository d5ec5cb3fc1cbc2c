"""Reads the what-if body of the HTTP API: a missing key takes the live value, a key that is null means null."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from costs.breakeven.decimals import decimal
from costs.breakeven.engine import request_cost
from costs.breakeven.inputs import MOST_REQUESTS, Billing, Inputs, PriceList, Routed, SelfHost
from costs.price_sheets.token_prices import TokenPrices

Loc = tuple[str, ...]
LONGEST = 40  # digits of a number that arrives as text
SMALLEST = -24  # power of ten under which a number is 0
PATTERN = r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?"  # of a number that arrives as text


class InvalidInputs(ValueError):
    """The errors of a body: one (location, sentence) for every bad key."""

    def __init__(self, errors: list[tuple[Loc, str]]) -> None:
        super().__init__("; ".join(f"{'.'.join(loc)}: {message}" for loc, message in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a number, both ends included; `whole` asks for an integer."""

    least: Decimal
    most: Decimal
    nullable: bool = False
    whole: bool = False


def _bounds(least: str, most: str, **options: bool) -> Bounds:
    return Bounds(Decimal(least), Decimal(most), **options)


NUMBERS: dict[str, Bounds] = {
    "input_tokens": _bounds("0", "1e9"),
    "output_tokens": _bounds("0", "1e9"),
    "cache_read_share": _bounds("0", "1"),
    "cache_write_tokens": _bounds("0", "1e15"),
    "batch_share": _bounds("0", "1"),
    "requests_per_month": _bounds("0", str(MOST_REQUESTS), whole=True),
    "routable_share": _bounds("0", "1"),
}
SELFHOST_NUMBERS: dict[str, Bounds] = {
    "gpu_hourly": _bounds("0", "1e6", nullable=True),
    "hours_per_month": _bounds("1", "8784"),
    "price_per_second": _bounds("0", "1e6", nullable=True),
    "cold_start_seconds": _bounds("0", "86400"),
    "fixed_monthly": _bounds("0", "1e9"),
    "storage_monthly": _bounds("0", "1e9"),
    "gpu_tokens_per_second": _bounds("0.001", "1e9", nullable=True),
    "peak_factor": _bounds("1", "1e6"),
    "vm_hourly": _bounds("0", "1e6"),
    "disk_gb": _bounds("0", "1e9"),
    "disk_per_gb_month": _bounds("0", "1e6"),
    "egress_per_gb": _bounds("0", "1e6"),
}


def inputs_from_body(body: Mapping[str, Any], live: Inputs, sheets: Mapping[str, PriceList]) -> Inputs:
    """Complete inputs of a what-if: the values of the body in place of the live ones.

    `sheets` are the price lists by name and hold `live.price_sheet`. An `api_model` is looked up in the body's
    `price_sheet`, or in the live one if that is missing or null. A named model or sheet counts at its list prices, in
    the tier that the prompt's length reaches, with the live cache writes on top; without either the measured mix of
    prices stays. Numbers may be JSON numbers or strings. Raises `InvalidInputs` with all errors of the body.
    """
    reader = _Reader()
    reader.only(body, ("price_sheet", "api_model", "selfhost", *NUMBERS), ())
    values = reader.numbers(body, NUMBERS, ())
    if "requests_per_month" in values:
        values["requests_per_month"] = int(values["requests_per_month"])
    priced = reader.prices(body, live, sheets)
    selfhost = reader.selfhost(body, live.selfhost)
    if reader.errors:
        raise InvalidInputs(reader.errors)
    if priced is None:
        return replace(live, **values, selfhost=selfhost)
    apart = {**asdict(live.apart), "apart": None} if live.apart else {}
    # The tier depends on the whole length of a prompt: what it reads from the cache, sends uncached and writes to the
    # cache. The live length holds all three, the one that stands apart lacks the writes.
    prices = priced["prices"].of_prompt(values.get("input_tokens", live.input_tokens))
    changed = replace(live, **{**apart, **priced, **values, "prices": prices, "selfhost": selfhost}, tasks=())
    return replace(changed, routed=_routed_at(live, prices))


def _routed_at(live: Inputs, prices: TokenPrices) -> Routed | None:
    """How the routed requests differ from the mean request where one model serves all of them."""
    if live.routed is None or live.apart is None:
        return None
    of_all = request_cost(prices, live.apart, live.output_tokens)
    of_routed = request_cost(prices, live.routed.apart, live.routed.output_tokens)
    return replace(live.routed, factor=decimal(of_routed / of_all) if of_all else Decimal(1), other=None)


class _Reader:
    """Collects every error instead of stopping at the first."""

    def __init__(self) -> None:
        self.errors: list[tuple[Loc, str]] = []

    def only(self, body: Mapping[str, Any], fields: tuple[str, ...], at: Loc) -> None:
        """Report keys that are not known: a misspelt key would otherwise count as missing and take the live value."""
        for key in body:
            if key not in fields:
                self.errors.append(((*at, str(key)), _("This key is not known.")))

    def numbers(self, body: Mapping[str, Any], fields: Mapping[str, Bounds], at: Loc) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, bounds in fields.items():
            if key in body:
                number, error = read_number(body[key], bounds)
                values[key] = number
                if error:
                    self.errors.append(((*at, key), error))
        return {key: value for key, value in values.items() if value is not None or fields[key].nullable}

    def prices(self, body: Mapping[str, Any], live: Inputs, sheets: Mapping[str, PriceList]) -> dict[str, Any] | None:
        """Sheet, model and the model's list prices; None if the body names neither, or if one of them is wrong."""
        before = len(self.errors)
        sheet = self._text(body, "price_sheet", live.price_sheet, nullable=True) or live.price_sheet
        model = self._text(body, "api_model", live.api_model) or live.api_model
        named = "api_model" in body or body.get("price_sheet") is not None
        if not named or len(self.errors) > before:
            return None
        prices = self._listed(sheet, model, sheets)
        return {"price_sheet": sheet, "api_model": model, "prices": prices} if prices else None

    def _listed(self, sheet: str | None, model: str, sheets: Mapping[str, PriceList]) -> TokenPrices | None:
        prices_of = sheets.get(sheet) if sheet is not None else None
        if prices_of is None:
            self.errors.append((("price_sheet",), _("There is no price sheet “%(name)s”.") % {"name": sheet or ""}))
            return None
        prices = None if "\0" in model else prices_of.token_prices(model)  # Postgres takes no NUL in a text
        if prices is None:
            sentence = _("The price sheet “%(sheet)s” has no price for “%(model)s”.")
            self.errors.append((("api_model",), sentence % {"sheet": sheet, "model": model}))
        return prices

    def _text(self, body: Mapping[str, Any], key: str, live: str | None, *, nullable: bool = False) -> str | None:
        value = body.get(key, live)
        if isinstance(value, str) and 0 < len(value) <= 200:
            return value
        if value is not None or not nullable:
            self.errors.append(((key,), _("This must be a name of 1 to 200 characters.")))
        return live

    def selfhost(self, body: Mapping[str, Any], live: SelfHost) -> SelfHost:
        own = body.get("selfhost", {})
        if not isinstance(own, Mapping):
            self.errors.append((("selfhost",), _("This must be an object.")))
            return live
        at = ("selfhost",)
        self.only(own, ("billing", *SELFHOST_NUMBERS), at)
        before = len(self.errors)
        values = self.numbers(own, SELFHOST_NUMBERS, at)
        merged = replace(live, **values, billing=self._billing(own, live))
        if len(self.errors) == before:
            self._complete(merged)
        return merged

    def _billing(self, own: Mapping[str, Any], live: SelfHost) -> Billing:
        if "billing" in own:
            value = own["billing"]
            if value == "hourly" or value == "per_second":
                return "per_second" if value == "per_second" else "hourly"
            self.errors.append((("selfhost", "billing"), _("This must be “hourly” or “per_second”.")))
            return live.billing
        if "price_per_second" in own:
            return "hourly" if own["price_per_second"] is None else "per_second"
        return live.billing

    def _complete(self, own: SelfHost) -> None:
        """Report the prices and capacities that the chosen billing needs and that are null."""
        needed = {
            "hourly": {"gpu_hourly": own.gpu_hourly},
            "per_second": {
                "price_per_second": own.price_per_second,
                "gpu_tokens_per_second": own.gpu_tokens_per_second,
            },
        }[own.billing]
        for key, value in needed.items():
            if value is None:
                sentence = _("Billing “%(billing)s” needs this.") % {"billing": own.billing}
                self.errors.append((("selfhost", key), sentence))


def read_number(value: object, bounds: Bounds) -> tuple[Decimal | None, str]:
    """The number and "", or None and a sentence that says what is wrong. null gives (None, "") if it is allowed."""
    if value is None:
        return None, "" if bounds.nullable else _("This may be left out, but not null.")
    number = _decimal(value)
    if number is None:
        return None, _("This must be a number.")
    low, high = f"{bounds.least:f}", f"{bounds.most:f}"
    if number < bounds.least:
        return None, _("This must be at least %(low)s.") % {"low": low}
    if number > bounds.most:
        return None, _("This must be at most %(high)s.") % {"high": high}
    if bounds.whole and number != number.to_integral_value():
        return None, _("This must be a whole number.")
    return number, ""


def _decimal(value: object) -> Decimal | None:
    """The number, 0 if it is below 10^`SMALLEST`; None for anything but a finite number of at most `LONGEST` digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, int):
        return Decimal(value) if value.bit_length() <= 4 * LONGEST else None
    text = str(value)
    if len(text) > LONGEST or not re.fullmatch(PATTERN, text):
        return None
    number = Decimal(text)
    # "1e5000" is a short text, but as an exact fraction it is an integer of 5,000 digits, which is slow in arithmetic.
    if number.adjusted() < SMALLEST:
        return Decimal(0)
    return number if number.adjusted() <= LONGEST else None
