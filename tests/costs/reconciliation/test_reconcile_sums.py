"""Whatever bill, report and log hold: causes add up to every difference, and coverage to what both sides have."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from costs.list_prices import ListPrices
from costs.reconciliation import token_variance
from costs.reconciliation.coverage import coverages
from costs.reconciliation.queries import BillingMonthData
from costs.reconciliation.reconcile import reconciliation
from lib.tokens import TOKEN_CLASSES

MONTH = date(2026, 5, 1)
DAYS = st.integers(-1, 31).map(lambda n: MONTH + timedelta(days=n))
MODELS = st.sampled_from(["a", "b"])
TOKENS = st.fixed_dictionaries({name: st.integers(0, 5000) for name in TOKEN_CLASSES})
AMOUNTS = st.decimals(-2, 50, places=12, allow_nan=False)


@st.composite
def charges(draw: Any) -> dict[str, Any]:
    provenance = draw(st.sampled_from(["billed", "estimated", "entered"]))
    category = draw(st.sampled_from(["tokens", "gpu", "tax", "credit", "web_search", "invoice"]))
    if provenance == "estimated":  # only machines are, by their hours
        category, lease, amount = "gpu", 1, abs(draw(AMOUNTS))
    else:
        lease, amount = draw(st.sampled_from([None, 1])), draw(AMOUNTS)
    return {
        "day": draw(DAYS), "provider": "v", "provenance": provenance, "category": category, "model": draw(MODELS),
        "token_class": draw(st.sampled_from(["", "output", "cache_read"])), "total": amount,
        "lease_id": lease, "lines": draw(st.integers(1, 4)),
        "invoice_month": draw(st.sampled_from(["", "2026-04", "2026-05"])),
        "closing_id": draw(st.sampled_from([None, 9])),
        "bill_import_id": draw(st.sampled_from([None, None, 3])),
    }  # fmt: skip


@st.composite
def usage(draw: Any) -> dict[str, Any]:
    requests = draw(st.integers(1, 20))
    count = st.integers(0, requests)
    return {
        "day": draw(DAYS), "provider": "v", "model": draw(MODELS), "application_id": draw(st.integers(1, 3)),
        "cost": draw(st.decimals(0, 50, places=12, allow_nan=False)), "requests": requests, "batched": draw(count),
        "unpriced": draw(count), "unknown_usage": draw(count), **draw(TOKENS),
    }  # fmt: skip


@st.composite
def reports(draw: Any) -> dict[str, Any]:
    return {
        "day": draw(DAYS), "provider": "v", "account_id": 1, "model": draw(MODELS),
        "workspace": draw(st.sampled_from("wx")),
        "api_key": draw(st.sampled_from(["", "k1", "k2", "k3"])), "batch": draw(st.booleans()),
        "count": draw(st.integers(0, 20)), "tokens": draw(TOKENS),
    }  # fmt: skip


@st.composite
def months(draw: Any) -> BillingMonthData:
    return BillingMonthData(
        month=MONTH, until=date(2026, 6, 1), today=date(2026, 6, 10), models=frozenset(), closings={},
        complete=draw(st.sampled_from([{}, {"v": date(2026, 5, 20)}, {"v": date(2026, 6, 5)}])),
        charges=draw(st.lists(charges(), max_size=6)), usage=draw(st.lists(usage(), max_size=6)),
        vendor=draw(st.lists(reports(), max_size=6)), prices=ListPrices({}), steps={"v": Fraction(1, 100)},
        watched={(1, MONTH): Fraction(5)}, owners=draw(st.sampled_from([{}, {(1, "k1"): 1, (1, "k2"): None}])),
        awaited=draw(st.sampled_from([frozenset(), frozenset("v")])),
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(months())
def test_causes_add_up_to_the_difference_by_day_model_and_provider(facts: BillingMonthData) -> None:
    found = reconciliation(facts)
    parts = {way: found.by(way) for way in ("day", "model")}
    for row in [*found.rows, *parts["day"], *parts["model"]]:
        assert sum((cause.amount for cause in row.causes), Decimal(0)) == row.difference
    for row in found.rows:
        for way in parts.values():
            for name in ("measured", "estimated", "billed", "difference"):
                assert sum(getattr(part, name) for part in way) == getattr(row, name)
        inside = [one for one in facts.usage if facts.inside(one)]
        assert row.measured == sum((one["cost"] for one in inside), Decimal(0))


@settings(max_examples=50, deadline=None)
@given(months())
def test_seen_tokens_never_exceed_billed_ones_and_keys_add_up_to_workspaces(facts: BillingMonthData) -> None:
    for one in coverages(facts):
        assert all(0 <= row.seen <= row.billed for row in [*one.keys, *one.workspaces])
        assert sum(row.seen for row in one.workspaces) == one.seen
        assert sum(row.billed for row in one.workspaces) == one.billed
        ours = sum(sum(row[name] for name in TOKEN_CLASSES) for row in facts.usage if facts.inside(row))
        assert one.seen <= ours
        assert all(not row.seen for row in one.keys if row.other)


@given(st.dictionaries(st.tuples(DAYS, MODELS), st.tuples(st.integers(0, 9), st.integers(-9, 0)), max_size=12))
def test_a_cutoff_shift_keeps_the_sum_of_each_day_and_cancels_out_over_all_days(
    given_parts: dict[tuple[date, str], tuple[int, int]],
) -> None:
    parts = {
        key: defaultdict(Fraction, {"unseen_requests": Fraction(more), "not_billed": Fraction(less)})
        for key, (more, less) in given_parts.items()
    }
    token_variance.allocate_cutoff_shift(parts)
    for key, (more, less) in given_parts.items():
        assert sum(parts[key].values()) == more + less
        assert parts[key]["unseen_requests"] >= 0 >= parts[key]["not_billed"]
    assert sum(causes["day_edge"] for causes in parts.values()) == 0
