"""The computation as a statement that a person can check: label, quantity x rate, amount."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext as _

from costs.breakeven.decimals import decimal
from costs.breakeven.engine import BYTES_PER_TOKEN, Costs, Result, costs_of, egress_request, slope
from costs.breakeven.inputs import Inputs


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One line, USD a month: level 0 is a total, level 1 a part of the total above; amount None: the line is a fact."""

    slug: str
    label: str
    arithmetic: str
    amount: Decimal | None
    level: int = 0


def explain(inputs: Inputs, result: Result) -> list[StatementRow]:
    """The lines of a result in order; the parts under a total add up to it to the twelfth decimal."""
    costs = costs_of(inputs)
    return [
        *_traffic(inputs),
        *_api(inputs, costs, result),
        *_own(inputs, result),
        *_saving(inputs, result),
        *_crossing(inputs, costs, result),
    ]


def _traffic(inputs: Inputs) -> Iterator[StatementRow]:
    n = inputs.requests_per_month
    yield StatementRow("requests", _("Requests a month"), number(n), None)
    routed = f"{percent(inputs.routable_share)} × {number(n)} = {number(inputs.routable_share * n)}"
    yield StatementRow("routed", _("of these, routable"), routed, None)
    tokens = _("%(input)s in, %(output)s out")
    values = {"input": number(inputs.input_tokens), "output": number(inputs.output_tokens)}
    yield StatementRow("tokens", _("Tokens of one request"), tokens % values, None)


def _api(inputs: Inputs, costs: Costs, result: Result) -> Iterator[StatementRow]:
    n = inputs.requests_per_month
    arithmetic = _("%(requests)s × %(price)s each, plus cache writes")
    values = {"requests": number(n), "price": usd(result.api_cost_per_request)}
    label = _("Claude API, %(model)s") if inputs.api_model.startswith("claude") else _("API, %(model)s")
    if inputs.tasks:
        label = _("API, each task at its own model")
    yield StatementRow("api", label % {"model": inputs.api_model}, arithmetic % values, result.api_cost)
    prices, read = inputs.prices, inputs.cache_read_share
    yield _tokens("output", _("output"), n * inputs.output_tokens, prices.output)
    if read:
        yield _tokens("cache_read", _("cache reads"), n * inputs.input_tokens * read, prices.cache_read)
    if read != 1:
        yield _tokens("uncached_input", _("uncached input"), n * inputs.input_tokens * (1 - read), prices.input)
    if inputs.batch_share and prices.batch_discount:
        live = _live_tokens_cost(inputs)
        text = f"{usd(live)} × {percent(inputs.batch_share)} × −{percent(prices.batch_discount)}"
        yield StatementRow("batch", _("batch discount"), text, decimal(costs.api_request * n - Fraction(live)), 1)
    if inputs.cache_write_tokens and n:
        yield _tokens("cache_write", _("cache writes, 5 min"), inputs.cache_write_tokens, prices.cache_write_5m)


def _live_tokens_cost(inputs: Inputs) -> Decimal:
    """USD of the month's tokens without the batch discount."""
    prices, read = inputs.prices, inputs.cache_read_share
    each = inputs.output_tokens * prices.output + inputs.input_tokens * (
        read * prices.cache_read + (1 - read) * prices.input
    )
    return decimal(Fraction(inputs.requests_per_month * each) / 1_000_000)


def _tokens(slug: str, label: str, tokens: Decimal, price: Decimal) -> StatementRow:
    text = _("%(tokens)s tokens × %(price)s per 1M") % {"tokens": number(tokens), "price": usd(price)}
    return StatementRow(slug, label, text, decimal(Fraction(tokens) * Fraction(price) / 1_000_000), 1)


def _own(inputs: Inputs, result: Result) -> Iterator[StatementRow]:
    own = inputs.selfhost
    yield StatementRow("selfhost", _("Self-hosting"), _("with the API for the rest"), result.selfhost_cost)
    vm = _machines(inputs, result)
    egress = decimal(egress_request(inputs) * Fraction(inputs.requests_per_month) * Fraction(inputs.routable_share))
    rest = own.fixed_monthly + own.storage_monthly + own.disk_monthly + vm + egress
    if own.billing == "hourly":
        yield StatementRow("lease", _("lease"), _lease(inputs, result), result.own_cost - rest, 1)
    else:
        yield StatementRow("seconds", _("busy seconds"), _busy(inputs), result.own_cost - rest, 1)
    if vm:
        text = _("%(gpus)s × %(price)s an hour × %(hours)s h, the VM beside a GPU")
        values = {"gpus": result.gpus, "price": usd(own.vm_hourly), "hours": number(own.hours_per_month)}
        yield StatementRow("vm", _("VM"), text % values, vm, 1)
    if own.disk_monthly:
        text = _("%(gb)s GB × %(price)s a GB and month")
        values = {"gb": number(own.disk_gb), "price": usd(own.disk_per_gb_month)}
        yield StatementRow("disk", _("disk"), text % values, own.disk_monthly, 1)
    if egress:
        text = _("%(requests)s × %(tokens)s tokens × %(bytes)s bytes × %(price)s a GB")
        routed = number(inputs.requests_per_month * inputs.routable_share)
        values = {"requests": routed, "tokens": number(inputs.output_tokens), "bytes": BYTES_PER_TOKEN,
                  "price": usd(own.egress_per_gb)}  # fmt: skip
        yield StatementRow("egress", _("egress"), text % values, egress, 1)
    yield StatementRow("fixed", _("VM and upkeep"), _("a month"), own.fixed_monthly, 1)
    if own.storage_monthly:
        yield StatementRow("storage", _("storage"), _("a month"), own.storage_monthly, 1)
    stays = result.selfhost_cost - result.own_cost
    if stays:
        unrouted = inputs.requests_per_month * (1 - inputs.routable_share)
        text = _("%(requests)s requests × %(price)s, plus cache writes")
        costs = costs_of(inputs)
        each = decimal((costs.api_request - costs.routed_api) / (1 - costs.routed_share))
        values = {"requests": number(unrouted), "price": usd(each)}
        yield StatementRow("rest", _("API for the rest"), text % values, stays, 1)


def _machines(inputs: Inputs, result: Result) -> Decimal:
    own = inputs.selfhost
    return own.vm_hourly * own.hours_per_month * (result.gpus or 0) if own.billing == "hourly" else Decimal(0)


def _lease(inputs: Inputs, result: Result) -> str:
    own = inputs.selfhost
    text = _("%(gpus)s × %(price)s an hour × %(hours)s h")
    values = {"gpus": result.gpus, "price": usd(own.gpu_hourly or Decimal(0)), "hours": number(own.hours_per_month)}
    return text % values


def _busy(inputs: Inputs) -> str:
    own, routed = inputs.selfhost, inputs.requests_per_month * inputs.routable_share
    text = _("%(requests)s × (%(tokens)s tokens ÷ %(speed)s tokens/s + %(cold)s s) × %(price)s a second")
    return text % {
        "requests": number(routed),
        "tokens": number(inputs.output_tokens),
        "speed": number(own.gpu_tokens_per_second or Decimal(0)),
        "cold": number(own.cold_start_seconds),
        "price": usd(own.price_per_second or Decimal(0)),
    }


def _saving(inputs: Inputs, result: Result) -> Iterator[StatementRow]:
    """None without a request: an assumed GPU is no loss of a month in which nothing ran."""
    if not inputs.requests_per_month:
        return
    label = _("Self-hosting costs more, a month") if result.saving < 0 else _("Self-hosting saves, a month")
    arithmetic = f"{usd(result.api_cost)} − {usd(result.selfhost_cost)}"
    yield StatementRow("saving", label, arithmetic, result.saving)


def _crossing(inputs: Inputs, costs: Costs, result: Result) -> Iterator[StatementRow]:
    """The first crossing as a division, so that a person can check it by hand."""
    if not result.crossings:
        yield StatementRow("crossing", _("Break-even"), _("none up to one billion requests a month"), None)
        return
    at = result.crossings[0].requests_per_month
    gain = slope(costs)
    routed_all = costs.routed_share == 1
    # The fixed part of our cost at the crossing, which the saving of each request has to pay for.
    fixed = costs.own(at) - costs.own_request * costs.routed_share * at
    top = f"({usd(decimal(fixed))} − {usd(decimal(costs.api_writes))})" if routed_all else usd(decimal(fixed))
    text = _("%(fixed)s ÷ %(gain)s a request = %(crossing)s requests a month")
    # At the end of a step the next GPU changes the answer and not the volume, so no division gives it.
    if gain > 0 and result.crossings[0].side_to == "selfhost":
        arithmetic = text % {"fixed": top, "gain": usd(decimal(gain)), "crossing": number(at)}
    else:
        arithmetic = _("from %(crossing)s requests a month") % {"crossing": number(at)}
    yield StatementRow("crossing", _("Break-even"), arithmetic, None)


def number(value: Decimal | int) -> str:
    """With thousands separators and at most two decimals, without trailing zeros."""
    text = f"{value:,.2f}" if isinstance(value, Decimal) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: Decimal) -> str:
    return f"{number(share * 100)} %"


def usd(amount: Decimal) -> str:
    """With two to six decimals: a price per token has digits far behind the point."""
    text = f"{amount:,.6f}".rstrip("0")
    whole, part = text.split(".")
    return f"${whole}.{part.ljust(2, '0')}".replace("$-", "−$")
