"""The break-even engine: the research's figures, exact crossings against brute force, strict reading of a what-if."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costs.breakeven import (
    Inputs,
    InvalidInputs,
    TokenPrices,
    Usage,
    as_json,
    compute,
    days_to_cross,
    decimal_text,
    explain,
    inputs_from_body,
    measured_mix,
    sensitivity,
    volume_saving,
)
from costs.breakeven.body import NUMBERS, SELFHOST_NUMBERS, Bounds
from costs.breakeven.crossings import MOST_CROSSINGS, Difference, find_crossings
from costs.breakeven.inputs import MOST_REQUESTS
from costs.price_sheets.sheets import load
from costs.research.scenarios import workload_inputs

SHEET = load()
NOTE = workload_inputs(SHEET)
SHEETS = {SHEET.name: SHEET}
EXAMPLE: dict[str, Any] = {
    "price_sheet": "2026-01",
    "api_model": "claude-sonnet-4-5",
    "input_tokens": 500,
    "output_tokens": 200,
    "cache_read_share": 1.0,
    "cache_write_tokens": 1000,
    "batch_share": 0,
    "requests_per_month": 30000,
    "routable_share": 1.0,
    "selfhost": {
        "billing": "hourly",
        "gpu_hourly": "0.34",
        "hours_per_month": 730,
        "price_per_second": None,
        "cold_start_seconds": 0,
        "fixed_monthly": "50",
        "storage_monthly": "0",
        "gpu_tokens_per_second": None,
        "peak_factor": 1.0,
    },
}


def with_selfhost(inputs: Inputs, **changes: Any) -> Inputs:
    return replace(inputs, selfhost=replace(inputs.selfhost, **changes))


def serverless(**changes: Any) -> Inputs:
    own = {"billing": "per_second", "price_per_second": Decimal("0.0004"), "gpu_tokens_per_second": Decimal(85)}
    return with_selfhost(NOTE, **{**own, "fixed_monthly": Decimal(0), **changes})


def crossing_volumes(inputs: Inputs) -> list[int]:
    return [crossing.requests_per_month for crossing in compute(inputs).crossings]


# --- the figures of the research -----------------------------------------------------------------------------------


def test_the_example_of_the_contract_gives_its_answer() -> None:
    answer = as_json(compute(inputs_from_body(EXAMPLE, live_inputs(), SHEETS)))
    assert answer["api_cost"] == "94.50375"
    assert answer["selfhost_cost"] == "298.20"
    assert (answer["gpus"], answer["cheaper"], answer["utilisation"]) == (1, "api", None)
    assert answer["api_cost_per_request"] == "0.00315"
    assert answer["cost_per_mtok"]["selfhost_used"] is None
    (crossing,) = answer["crossings"]
    assert (crossing["requests_per_month"], crossing["from"], crossing["to"]) == (94666, "api", "selfhost")


def test_with_seventy_percent_routable_the_crossing_counts_all_requests() -> None:
    result = compute(replace(NOTE, routable_share=Decimal("0.7")))
    (crossing,) = as_json(result)["crossings"]
    assert crossing["requests_per_month"] == 135239
    assert crossing["routed_requests"] == 94667


@pytest.mark.parametrize(
    ("requests", "api", "cheaper"),
    [
        (30_000, "94.50375", "api"),
        (100_000, "315.00375", "selfhost"),
        (300_000, "945.00375", "selfhost"),
        (1_000_000, "3150.00375", "selfhost"),
    ],
)
def test_the_table_of_the_note_comes_out(requests: int, api: str, cheaper: str) -> None:
    result = compute(replace(NOTE, requests_per_month=requests))
    assert decimal_text(result.api_cost) == api
    assert (decimal_text(result.selfhost_cost), result.cheaper) == ("298.20", cheaper)


def test_the_answer_turns_exactly_at_the_crossing() -> None:
    assert compute(replace(NOTE, requests_per_month=94_665)).cheaper == "api"
    assert compute(replace(NOTE, requests_per_month=94_666)).cheaper == "selfhost"


def test_serverless_wins_from_the_first_request_and_below_the_gpu_up_to_264_thousand() -> None:
    first = compute(replace(serverless(), requests_per_month=1))
    assert first.cheaper == "selfhost"
    assert first.gpus is None
    assert first.own_cost.quantize(Decimal("0.00001")) == Decimal("0.00094")
    at, past = (compute(replace(serverless(), requests_per_month=n)).own_cost for n in (263_712, 263_713))
    assert at < Decimal("248.20") < past


def test_a_serverless_start_from_cold_is_billed_with_every_request() -> None:
    warm, cold = (compute(serverless(cold_start_seconds=Decimal(s))).own_cost for s in (0, 10))
    assert cold - warm == 30_000 * 10 * Decimal("0.0004")


# --- GPUs and bases ------------------------------------------------------------------------------------------------


def test_gpus_follow_the_peak_and_utilisation_the_mean() -> None:
    inputs = with_selfhost(NOTE, gpu_tokens_per_second=Decimal(85), peak_factor=Decimal(3))
    result = compute(replace(inputs, requests_per_month=1_000_000))
    assert result.gpus == 3
    assert decimal_text(result.selfhost_cost) == "794.60"
    assert result.utilisation is not None
    assert float(result.utilisation) == pytest.approx(200e6 / 2_628_000 / (3 * 85))
    assert result.mtok_allocated == Decimal("1.135142857143")
    assert result.mtok_used is not None
    assert float(result.mtok_used) == pytest.approx(float(result.mtok_allocated * result.utilisation))


def test_a_gpu_is_added_only_when_the_peak_no_longer_fits() -> None:
    # 2,628,000 s x 100 tokens/s / 200 tokens = 1,314,000 requests fill one GPU exactly.
    inputs = with_selfhost(NOTE, gpu_tokens_per_second=Decimal(100))
    full, over = (compute(replace(inputs, requests_per_month=n)) for n in (1_314_000, 1_314_001))
    assert (full.gpus, full.utilisation, over.gpus) == (1, Decimal(1), 2)


def test_what_is_not_routable_stays_at_the_api_with_its_cache_writes() -> None:
    result = compute(replace(NOTE, routable_share=Decimal("0.7")))
    assert result.selfhost_cost - result.own_cost == Decimal("0.3") * 30_000 * Decimal("0.00315") + Decimal("0.00375")


def test_without_any_request_nothing_is_divided_by_zero() -> None:
    result = compute(with_selfhost(replace(NOTE, requests_per_month=0), gpu_tokens_per_second=Decimal(85)))
    assert (result.api_cost, result.gpus) == (Decimal(0), 0)
    assert result.utilisation is None
    assert (result.mtok_api, result.mtok_allocated, result.mtok_used) == (None, None, None)
    assert result.cheaper == "api"


def test_without_tokens_the_cost_per_million_is_unknown() -> None:
    result = compute(replace(NOTE, input_tokens=Decimal(0), output_tokens=Decimal(0)))
    assert result.mtok_api is None
    assert result.crossings == ()


def test_batch_halves_the_requests_and_not_the_cache_writes() -> None:
    result = compute(replace(NOTE, batch_share=Decimal("0.5")))
    assert result.api_cost == Decimal("94.5") * Decimal("0.75") + Decimal("0.00375")


def test_nothing_routable_and_nothing_fixed_is_no_crossing() -> None:
    inputs = with_selfhost(
        replace(NOTE, routable_share=Decimal(0)), fixed_monthly=Decimal(0), gpu_tokens_per_second=Decimal(85)
    )
    result = compute(inputs)
    assert result.crossings == ()
    assert result.api_cost == result.selfhost_cost


# --- crossings -----------------------------------------------------------------------------------------------------


def test_a_dear_gpu_crosses_at_every_step_until_its_steps_no_longer_reach_the_line() -> None:
    inputs = with_selfhost(
        NOTE,
        gpu_hourly=Decimal("0.35"),
        hours_per_month=Decimal(720),
        fixed_monthly=Decimal(187),
        gpu_tokens_per_second=Decimal(40),
        peak_factor=Decimal(3),
    )
    result = compute(inputs)
    assert [(c.requests_per_month, c.side_to) for c in result.crossings] == [
        (139364, "selfhost"),
        (172801, "api"),
        (219364, "selfhost"),
    ]


def test_a_crossing_beyond_the_drawn_curve_is_found() -> None:
    inputs = with_selfhost(NOTE, fixed_monthly=Decimal(3_000_000))
    assert crossing_volumes(inputs) == [952_459_745]
    assert compute(inputs, curve_to=1000).curve[-1].requests_per_month == 1000


def test_a_crossing_past_a_thousand_million_is_none() -> None:
    assert crossing_volumes(with_selfhost(NOTE, fixed_monthly=Decimal(4_000_000))) == []


def test_an_exact_tie_counts_for_the_side_that_is_turned_to() -> None:
    # 0.00315 a request: 31.5 USD are reached by exactly 10,000 requests.
    inputs = replace(
        with_selfhost(NOTE, gpu_hourly=Decimal(0), fixed_monthly=Decimal("31.5")), cache_write_tokens=Decimal(0)
    )
    result = compute(replace(inputs, requests_per_month=10_000))
    assert [c.requests_per_month for c in result.crossings] == [10_000]
    assert result.api_cost == result.selfhost_cost
    assert result.cheaper == "selfhost"


def test_slopes_that_agree_to_the_last_digit_are_still_answered() -> None:
    """The staircase touches the line only where a step ends on a whole request; the walk gives up before."""
    difference = Difference(step=10**9 + 7, load_num=1, load_den=10**9 + 7, fall=1, base=-5, at_zero=1)
    found, _ = find_crossings(difference)
    assert [(c.requests_per_month, c.side_to) for c in found] == []
    shifted = replace(difference, load_num=999_983, load_den=(10**9 + 7) * 3, fall=333_328)
    found, _ = find_crossings(shifted)
    for crossing in found:
        sign = 1 if crossing.side_to == "api" else -1
        assert shifted.at(crossing.requests_per_month) * sign >= 0
        assert shifted.at(crossing.requests_per_month - 1) * sign < 0


def test_a_staircase_that_crosses_for_ever_is_cut_and_said_to_be() -> None:
    inputs = with_selfhost(
        replace(NOTE, cache_write_tokens=Decimal(0)),
        gpu_hourly=Decimal("2.3"),
        hours_per_month=Decimal(730),
        fixed_monthly=Decimal(0),
        gpu_tokens_per_second=Decimal(40),
    )
    result = compute(inputs)
    assert result.more_crossings is False
    ever = Difference(step=1000, load_num=1, load_den=100, fall=10, base=-500, at_zero=1)
    found, more = find_crossings(ever)
    assert (len(found), more) == (MOST_CROSSINGS, True)


def brute(difference: Difference, upto: int) -> list[tuple[int, str]]:
    """The definition, volume by volume: from the cheaper side, the next volume where the other costs no more."""
    found: list[tuple[int, str]] = []
    side, tied = "", False
    for n in range(upto + 1):
        now = difference.at(n)
        if not side or tied:
            # Nothing is cheaper yet, or both cost the same: only a strict difference decides.
            if now:
                other = "api" if now > 0 else "selfhost"
                if side and other != side:
                    found.append((n, other))
                side, tied = other, False
            continue
        if (side == "api" and now <= 0) or (side == "selfhost" and now >= 0):
            side = "selfhost" if side == "api" else "api"
            found.append((n, side))
            tied = now == 0
    return found


small = st.integers(0, 40)


@settings(max_examples=400, deadline=None)
@given(
    step=st.integers(1, 60),
    num=st.integers(1, 30),
    den=st.integers(1, 90),
    fall=small,
    base=st.integers(-80, 80),
    zero=small,
)
def test_crossings_agree_with_brute_force_on_any_staircase(
    step: int, num: int, den: int, fall: int, base: int, zero: int
) -> None:
    difference = Difference(step, num, den, fall, base, zero)
    found, more = find_crossings(difference)
    upto = found[-1].requests_per_month if more else 600
    expected = brute(difference, upto)
    assert [(c.requests_per_month, c.side_to) for c in found if c.requests_per_month <= upto] == expected


@settings(max_examples=200, deadline=None)
@given(fall=st.integers(-20, 20), base=st.integers(-300, 300), zero=small)
def test_crossings_agree_with_brute_force_on_a_straight_line(fall: int, base: int, zero: int) -> None:
    difference = Difference(0, 0, 1, fall, base, zero)
    found, _ = find_crossings(difference)
    assert [(c.requests_per_month, c.side_to) for c in found] == brute(difference, 700)


@settings(max_examples=150, deadline=None)
@given(
    step=st.integers(1, 10**13),
    num=st.integers(1, 10**9),
    den=st.integers(1, 10**14),
    fall=st.integers(0, 10**8),
    base=st.integers(-(10**13), 10**14),
)
def test_a_crossing_is_the_smallest_volume_whatever_its_size(
    step: int, num: int, den: int, fall: int, base: int
) -> None:
    """Beside each crossing the sides are as said; between two of them neither a sample nor a step edge disagrees."""
    difference = Difference(step, num, den, fall, base, max(base, 0))
    found, _ = find_crossings(difference)
    volumes = [0, *[c.requests_per_month for c in found]]
    for crossing in found:
        sign = 1 if crossing.side_to == "api" else -1
        assert difference.at(crossing.requests_per_month) * sign >= 0
        assert difference.at(crossing.requests_per_month - 1) * sign <= 0
    for (start, end), crossing in zip(pairwise(volumes), found, strict=False):
        sign = 1 if crossing.side_to == "api" else -1
        for n in samples(difference, start + 1, end - 1):
            assert difference.at(n) * sign <= 0


def samples(difference: Difference, first: int, last: int) -> list[int]:
    spread = {first + (last - first) * i // 50 for i in range(51)} if first <= last else set()
    edges = {
        n * difference.load_num // difference.load_den * difference.load_den // difference.load_num for n in spread
    }
    near = {edge + by for edge in edges for by in (-1, 0, 1)}
    return [n for n in spread | near if first <= n <= last]


money = st.decimals(Decimal(0), Decimal(500), places=4)
share = st.decimals(Decimal(0), Decimal(1), places=2)


@st.composite
def questions(draw: st.DrawFn) -> Inputs:
    own = replace(
        NOTE.selfhost,
        gpu_hourly=draw(st.decimals(Decimal(0), Decimal(9), places=2)),
        fixed_monthly=draw(money),
        gpu_tokens_per_second=draw(st.none() | st.decimals(Decimal("0.5"), Decimal(4000), places=1)),
        peak_factor=draw(st.decimals(Decimal(1), Decimal(9), places=1)),
        vm_hourly=draw(st.decimals(Decimal(0), Decimal(1), places=2)),
        disk_gb=Decimal(draw(st.integers(0, 200))),
        disk_per_gb_month=draw(share),
        egress_per_gb=draw(share),
    )
    return replace(
        NOTE,
        input_tokens=Decimal(draw(st.integers(0, 100_000))),
        output_tokens=Decimal(draw(st.integers(0, 4000))),
        cache_read_share=draw(share),
        batch_share=draw(share),
        routable_share=draw(share),
        cache_write_tokens=Decimal(draw(st.integers(0, 10**7))),
        requests_per_month=draw(st.integers(0, 5_000_000)),
        selfhost=own,
    )


@settings(max_examples=150, deadline=None)
@given(questions())
def test_the_parts_of_a_statement_add_up_to_its_totals(inputs: Inputs) -> None:
    result = compute(inputs)
    rows = explain(inputs, result)
    for total in ("api", "selfhost"):
        place = next(i for i, row in enumerate(rows) if row.slug == total)
        parts = []
        for row in rows[place + 1 :]:
            if row.level == 0:
                break
            assert row.amount is not None
            parts.append(row.amount)
        assert abs(sum(parts, Decimal(0)) - (rows[place].amount or 0)) <= Decimal("5e-12")


@settings(max_examples=150, deadline=None)
@given(questions())
def test_the_engine_agrees_with_a_plain_sum_and_its_crossings_with_its_costs(inputs: Inputs) -> None:
    result = compute(inputs)
    assert abs(Fraction(result.api_cost) - by_hand(inputs)[0]) <= Fraction(1, 10**12)
    assert abs(Fraction(result.selfhost_cost) - by_hand(inputs)[1]) <= Fraction(1, 10**12)
    for crossing in result.crossings[:6]:
        n = crossing.requests_per_month
        api, own = by_hand(replace(inputs, requests_per_month=n))
        assert (own <= api) if crossing.side_to == "selfhost" else (api <= own)
        if n:
            api, own = by_hand(replace(inputs, requests_per_month=n - 1))
            assert (own >= api) if crossing.side_to == "selfhost" else (api >= own)


def by_hand(inputs: Inputs) -> tuple[Fraction, Fraction]:
    """Both costs as the contract's sentences say them, hourly."""
    n, own, price = inputs.requests_per_month, inputs.selfhost, inputs.prices
    routed = Fraction(inputs.routable_share) * n
    read = Fraction(inputs.input_tokens) * Fraction(inputs.cache_read_share)
    fresh = Fraction(inputs.input_tokens) - read
    each = read * Fraction(price.cache_read) + fresh * Fraction(price.input)
    each += Fraction(inputs.output_tokens) * Fraction(price.output)
    each *= (1 - Fraction(inputs.batch_share) / 2) / 10**6
    writes = Fraction(inputs.cache_write_tokens) * Fraction(price.cache_write_5m) / 10**6
    gpus = 1
    if own.gpu_tokens_per_second is not None:
        mean = routed * Fraction(inputs.output_tokens) / Fraction(own.hours_per_month * 3600)
        gpus = -(-mean * Fraction(own.peak_factor) // Fraction(own.gpu_tokens_per_second))
        gpus = max(gpus, 1 if routed else 0)
    assert own.gpu_hourly is not None
    lease = gpus * (Fraction(own.gpu_hourly) + Fraction(own.vm_hourly)) * Fraction(own.hours_per_month)
    lease += Fraction(own.disk_gb) * Fraction(own.disk_per_gb_month)
    lease += routed * Fraction(inputs.output_tokens) * 200 * Fraction(own.egress_per_gb) / 10**9
    rest = (n - routed) * each + writes if n > routed else Fraction(0)
    api = n * each + writes if n else Fraction(0)
    return api, lease + Fraction(own.fixed_monthly) + Fraction(own.storage_monthly) + rest


# --- the curve and the JSON ----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(questions())
def test_the_curve_is_ascending_short_and_shows_where_we_are(inputs: Inputs) -> None:
    volumes = [point.requests_per_month for point in compute(inputs).curve]
    assert volumes == sorted(set(volumes))
    assert len(volumes) <= 200
    assert inputs.requests_per_month in volumes
    for point in compute(inputs).curve[::7]:
        api, selfhost = by_hand(replace(inputs, requests_per_month=point.requests_per_month))
        assert abs(Fraction(point.api) - api) <= Fraction(1, 10**12)
        assert abs(Fraction(point.selfhost) - selfhost) <= Fraction(1, 10**12)


def test_the_curve_has_both_sides_of_every_step_and_every_crossing() -> None:
    inputs = with_selfhost(NOTE, gpu_tokens_per_second=Decimal(100))
    curve = {point.requests_per_month: point.gpus for point in compute(inputs, curve_to=5_000_000).curve}
    assert [curve[1_314_000 * step + by] for step in (1, 2, 3) for by in (0, 1)] == [1, 2, 2, 3, 3, 4]
    assert 94_666 in curve


@settings(max_examples=60, deadline=None)
@given(questions())
def test_amounts_are_plain_decimal_strings(inputs: Inputs) -> None:
    answer = as_json(compute(inputs))
    amounts = [answer["api_cost"], answer["selfhost_cost"], answer["api_cost_per_request"], answer["saving"]]
    amounts += [value for value in answer["cost_per_mtok"].values() if value is not None]
    amounts += [point[name] for point in answer["curve"] for name in ("api", "selfhost")]
    assert all(re.fullmatch(r"-?\d+\.\d{2,12}", amount) for amount in amounts)


def test_the_division_of_the_statement_is_the_crossing() -> None:
    text = next(row.arithmetic for row in explain(NOTE, compute(NOTE)) if row.slug == "crossing")
    assert text == "($298.20 − $0.00375) ÷ $0.00315 a request = 94,666 requests a month"


def test_the_widest_swing_stands_first() -> None:
    swings = sensitivity(NOTE)
    assert swings[0].field in {"api_prices", "output_tokens"}
    spreads = [swing.spread for swing in swings if swing.spread is not None]
    assert spreads == sorted(spreads, reverse=True)
    prices = next(swing for swing in swings if swing.field == "api_prices")
    assert (prices.low_crossing, prices.crossing, prices.high_crossing) == (118333, 94666, 78888)


# --- reading a what-if ---------------------------------------------------------------------------------------------


def live_inputs() -> Inputs:
    """Something unlike the example in every key, as a running stack would have."""
    own = replace(
        NOTE.selfhost,
        gpu_hourly=Decimal("0.41"),
        gpu_tokens_per_second=Decimal(900),
        peak_factor=Decimal("2.5"),
        fixed_monthly=Decimal(20),
    )
    return Inputs(
        price_sheet="live",
        api_model="claude-sonnet-5-5",
        prices=TokenPrices(Decimal(2), Decimal(10), Decimal("2.5"), Decimal("0.2")),
        input_tokens=Decimal("812.25"),
        output_tokens=Decimal("154.5"),
        cache_read_share=Decimal("0.61"),
        cache_write_tokens=Decimal(90_000),
        batch_share=Decimal("0.1"),
        requests_per_month=142_000,
        routable_share=Decimal("0.7"),
        selfhost=own,
    )


def errors_of(body: dict[str, Any]) -> dict[tuple[str, ...], str]:
    with pytest.raises(InvalidInputs) as caught:
        inputs_from_body(body, live_inputs(), SHEETS)
    return dict(caught.value.errors)


def test_an_empty_body_is_all_live() -> None:
    assert inputs_from_body({}, live_inputs(), SHEETS) == live_inputs()


def test_a_key_left_out_is_live_and_a_key_that_is_null_is_null() -> None:
    kept = inputs_from_body({"selfhost": {"gpu_hourly": "0.5"}}, live_inputs(), SHEETS)
    assert (kept.selfhost.gpu_tokens_per_second, kept.selfhost.gpu_hourly) == (Decimal(900), Decimal("0.5"))
    nulled = inputs_from_body({"selfhost": {"gpu_tokens_per_second": None}}, live_inputs(), SHEETS)
    assert nulled.selfhost.gpu_tokens_per_second is None
    assert compute(nulled).gpus == 1


def test_a_float_of_the_body_keeps_its_shortest_digits() -> None:
    inputs = inputs_from_body({"cache_read_share": 0.1, "requests_per_month": 3.0}, live_inputs(), SHEETS)
    assert (inputs.cache_read_share, inputs.requests_per_month) == (Decimal("0.1"), 3)


def test_another_model_is_priced_from_the_named_sheet() -> None:
    inputs = inputs_from_body({"price_sheet": "2026-01", "api_model": "claude-haiku-4-5"}, live_inputs(), SHEETS)
    assert inputs.prices.output == Decimal(5)


def test_a_sent_price_per_second_means_billing_per_second() -> None:
    inputs = inputs_from_body({"selfhost": {"price_per_second": "0.0004"}}, live_inputs(), SHEETS)
    assert inputs.selfhost.billing == "per_second"
    hourly = inputs_from_body({"selfhost": {"price_per_second": None}}, live_inputs(), SHEETS)
    assert hourly.selfhost.billing == "hourly"


def test_billing_per_second_without_a_capacity_is_refused() -> None:
    body = {"selfhost": {"price_per_second": "0.0004", "gpu_tokens_per_second": None}}
    assert list(errors_of(body)) == [("selfhost", "gpu_tokens_per_second")]


def test_billing_by_the_hour_without_a_price_is_refused() -> None:
    assert list(errors_of({"selfhost": {"gpu_hourly": None}})) == [("selfhost", "gpu_hourly")]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"requests_per_month": -1}, ("requests_per_month",)),
        ({"requests_per_month": MOST_REQUESTS + 1}, ("requests_per_month",)),
        ({"requests_per_month": 1.5}, ("requests_per_month",)),
        ({"requests_per_month": None}, ("requests_per_month",)),
        ({"input_tokens": True}, ("input_tokens",)),
        ({"input_tokens": [1]}, ("input_tokens",)),
        ({"output_tokens": "NaN"}, ("output_tokens",)),
        ({"output_tokens": float("inf")}, ("output_tokens",)),
        ({"output_tokens": "1e9999"}, ("output_tokens",)),
        ({"output_tokens": "1e999999"}, ("output_tokens",)),
        ({"output_tokens": "1_000"}, ("output_tokens",)),
        ({"output_tokens": " 1"}, ("output_tokens",)),
        ({"output_tokens": "١"}, ("output_tokens",)),
        ({"output_tokens": "1" * 5000}, ("output_tokens",)),
        ({"output_tokens": 10**5000}, ("output_tokens",)),
        ({"cache_read_share": 1.01}, ("cache_read_share",)),
        ({"routable_share": "-0.1"}, ("routable_share",)),
        ({"routible_share": 1}, ("routible_share",)),
        ({"price_sheet": "1999-01"}, ("price_sheet",)),
        ({"price_sheet": 7}, ("price_sheet",)),
        ({"api_model": ""}, ("api_model",)),
        ({"price_sheet": "2026-01", "api_model": "gpt-9"}, ("api_model",)),
        ({"selfhost": 3}, ("selfhost",)),
        ({"selfhost": None}, ("selfhost",)),
        ({"selfhost": {"billing": "weekly"}}, ("selfhost", "billing")),
        ({"selfhost": {"gpu_tokens_per_second": 0}}, ("selfhost", "gpu_tokens_per_second")),
        ({"selfhost": {"hours_per_month": 0}}, ("selfhost", "hours_per_month")),
        ({"selfhost": {"peak_factor": 0.5}}, ("selfhost", "peak_factor")),
        ({"selfhost": {"gpu_hourly": "-1"}}, ("selfhost", "gpu_hourly")),
        ({"selfhost": {"gpus": 2}}, ("selfhost", "gpus")),
    ],
)
def test_a_bad_key_is_named_with_a_sentence(body: dict[str, Any], loc: tuple[str, ...]) -> None:
    errors = errors_of(body)
    assert list(errors) == [loc]
    assert errors[loc].endswith(".")


def test_all_errors_of_a_body_come_at_once() -> None:
    errors = errors_of({"input_tokens": "x", "batch_share": 2, "selfhost": {"fixed_monthly": None}})
    assert set(errors) == {("input_tokens",), ("batch_share",), ("selfhost", "fixed_monthly")}


def within(bounds: Bounds) -> st.SearchStrategy[Any]:
    """Any value that a key may have, its ends included."""
    if bounds.whole:
        return st.integers(int(bounds.least), int(bounds.most))
    ends = st.sampled_from([f"{bounds.least:f}", f"{bounds.most:f}"])
    inside = st.decimals(bounds.least, bounds.most, places=6).map(str)
    floats = st.floats(float(bounds.least), float(bounds.most))
    return ends | inside | floats | (st.none() if bounds.nullable else st.nothing())


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries({}, optional={key: within(bounds) for key, bounds in NUMBERS.items()}),
    st.fixed_dictionaries({}, optional={key: within(bounds) for key, bounds in SELFHOST_NUMBERS.items()}),
)
def test_any_body_within_its_bounds_is_answered_in_full(body: dict[str, Any], own: dict[str, Any]) -> None:
    try:
        inputs = inputs_from_body({**body, "selfhost": own}, live_inputs(), SHEETS)
    except InvalidInputs as error:
        assert {loc[0] for loc, _ in error.errors} == {"selfhost"}
        return
    result = compute(inputs)
    json.dumps(as_json(result))
    assert explain(inputs, result)
    sensitivity(inputs)
    assert len(result.curve) <= 200


# --- the measured mix ----------------------------------------------------------------------------------------------

tokens = st.integers(0, 10**9)
price = st.decimals(Decimal(0), Decimal(100), places=4)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    prices = TokenPrices(draw(price), draw(price), draw(price), draw(price))
    requests = draw(st.integers(1, 10**6))
    fresh, read, short, hour, output = (draw(tokens) for _ in range(5))
    return Usage(prices, draw(price), requests, fresh, read, short, hour, output, draw(st.booleans()))


@settings(max_examples=150, deadline=None)
@given(st.lists(usages(), min_size=1, max_size=8))
def test_the_mix_costs_what_its_rows_cost(rows: list[Usage]) -> None:
    total = sum((cost_of(row) for row in rows), Decimal(0))
    mix = measured_mix(rows, sum(int(row.requests) for row in rows))
    assert mix is not None
    assert abs(compute(mix.over(NOTE)).api_cost - total) <= max(total, Decimal(1)) * Decimal("1e-15")


def cost_of(row: Usage) -> Decimal:
    prices = row.prices
    read = row.uncached_input * prices.input + row.cache_read * prices.cache_read + row.output * prices.output
    writes = row.cache_write_5m * prices.cache_write_5m + row.cache_write_1h * row.cache_write_1h_price
    return (read * (1 - prices.batch_discount if row.batch else 1) + writes) / 1_000_000


def test_without_a_request_there_is_no_mix() -> None:
    assert measured_mix([], 0) is None


def test_a_run_rate_scales_the_volume_and_the_cache_writes_alike() -> None:
    sonnet = NOTE.prices
    row = Usage(sonnet, Decimal(6), 1000, 0, 500_000, 100, 0, 200_000)
    mix = measured_mix([row], 30_000)
    assert mix is not None
    assert (mix.input_tokens, mix.output_tokens, mix.cache_read_share) == (Decimal(500), Decimal(200), Decimal(1))
    assert (mix.requests_per_month, mix.cache_write_tokens) == (30_000, Decimal(3000))


# --- further out ---------------------------------------------------------------------------------------------------


def test_the_volume_that_saves_a_hundred_a_month() -> None:
    at = volume_saving(NOTE, Decimal(100))
    assert at == 126_412
    assert compute(replace(NOTE, requests_per_month=at)).saving >= 100
    assert compute(replace(NOTE, requests_per_month=at - 1)).saving < 100
    assert volume_saving(with_selfhost(NOTE, fixed_monthly=Decimal(10**9)), Decimal(100)) is None


def test_the_days_until_a_growing_volume_crosses() -> None:
    assert days_to_cross(94_666, 94_666, Decimal(0)) == 0
    assert days_to_cross(47_333, 94_666, Decimal(1)) == 31
    assert days_to_cross(50_000, 94_666, Decimal(0)) is None
    assert days_to_cross(0, 94_666, Decimal(1)) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(EXAMPLE, json_values)))
def test_any_json_is_read_or_refused_and_never_breaks(body: dict[str, Any]) -> None:
    try:
        inputs = inputs_from_body(body, live_inputs(), SHEETS)
    except InvalidInputs as error:
        assert error.errors
    else:
        as_json(compute(inputs))
