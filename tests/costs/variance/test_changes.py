"""What changed: steps that add up exactly whatever happened, each with the rows behind it, on a page and by the API."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from costs.allocation.queries import Attribution, Line, Names, SpendData
from costs.list_prices import ListPrices
from costs.variance.bridge import Bridge, Hours, Step, bridge, from_plan
from dashboard.charts.waterfall import waterfall
from providers.models import Account, TokenPrice
from tests.costs.keys import key
from tests.costs.world import last_month
from tests.factories import PhaseFactory
from tests.traffic.people import text

D = Decimal
MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)
CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")


def version(pk: int, start: datetime, plain: str, read: str, output: str) -> TokenPrice:
    return TokenPrice(pk=pk, starts_at=start, uncached_input=D(plain), cache_read=D(read), output=D(output))


OLD, NEW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 10, tzinfo=UTC)
PRICES = ListPrices({("a", "m"): [version(2, NEW, "4", "0.4", "20"), version(1, OLD, "2", "0.2", "10")]})


def known(since: date, lines: list[Line], rows: list[dict[str, Any]]) -> SpendData:
    return SpendData(since, JUNE if since == MAY else JULY, lines, rows, Names())


def line(day: date, amount: str, application: int = 1, model: str = "m", **changes: Any) -> Line:
    return Line(day, "a", "measured", D(amount), Attribution(application, 0, model, "rag"), **changes)


def used(day: date, requests: int, application: int = 1, model: str = "m", **tokens: int) -> dict[str, Any]:
    key = {
        "day": day,
        "provider": "a",
        "model": model,
        "application_id": application,
        "deployment_id": 0,
        "task": "rag",
    }
    return {**key, "requests": requests, **dict.fromkeys(CLASSES, 0), **tokens}


def checked(found: Bridge) -> dict[str, Step]:
    assert found.before + sum((step.amount for step in found.steps), D(0)) == found.after
    for step in found.steps:
        assert sum((part.amount for part in step.parts), D(0)) == step.amount
    return {step.slug: step for step in found.steps}


AMOUNTS = st.integers(-(10**15), 10**18).map(lambda n: D(n).scaleb(-12))
LINES = st.builds(
    lambda provenance, model, application, lease, category, amount, day: Line(
        day, "a", provenance, amount, Attribution(application, 0, model, ""), bool(lease) or provenance == "entered",
        category, lease,
    ),
    st.sampled_from(["measured", "billed", "estimated", "entered"]), st.sampled_from(["", "m", "n"]),
    st.integers(0, 3), st.sampled_from([0, 0, 7, 8]), st.sampled_from(["tokens", "gpu", "idle_gpu", "disk", "tax"]),
    AMOUNTS, st.integers(1, 28).map(lambda n: date(2026, 6, n)),
)  # fmt: skip
ROWS = st.builds(
    lambda day, requests, application, model, tokens: used(
        day, requests, application, model, **dict(zip(CLASSES, tokens, strict=True))
    ),
    st.integers(1, 28).map(lambda n: date(2026, 6, n)), st.integers(1, 10**6), st.integers(0, 3),
    st.sampled_from(["m", "n"]), st.lists(st.integers(0, 10**9), min_size=5, max_size=5),
)  # fmt: skip
PERIODS = st.tuples(st.lists(LINES, max_size=8), st.lists(ROWS, max_size=8))
HOURS = st.builds(
    lambda before, after: {7: Hours("runpod", "L4", Fraction(before, 3), Fraction(after, 7))},
    st.integers(0, 2000), st.integers(0, 2000),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PERIODS, PERIODS, HOURS)
def test_steps_and_their_rows_add_up_whatever_happened(before: Any, after: Any, hours: dict[int, Hours]) -> None:
    checked(bridge(known(MAY, *before), known(JUNE, *after), PRICES, hours))
    checked(bridge(known(MAY, *after), known(JUNE, *before), PRICES, {}))
    assert bridge(known(MAY, *before), known(MAY, *before), ListPrices({})).steps == []


@settings(max_examples=60, deadline=None)
@given(PERIODS, st.integers(0, 10**16).map(lambda n: D(n).scaleb(-12)), st.integers(0, 10**7))
def test_the_way_from_the_plan_adds_up_whatever_was_spent(period: Any, budget: Decimal, planned: int) -> None:
    found = from_plan(budget, planned, known(JUNE, *period))
    checked(found)
    assert (found.before, found.after) == (budget, sum((line.amount for line in period[0]), D(0)))


def test_an_application_that_came_and_one_that_left_are_steps_of_their_own() -> None:
    before = known(MAY, [line(MAY, "10"), line(MAY, "3", 2)], [used(MAY, 100), used(MAY, 30, 2)])
    after = known(JUNE, [line(JUNE, "20"), line(JUNE, "5", 3)], [used(JUNE, 200), used(JUNE, 50, 3)])
    steps = checked(bridge(before, after, ListPrices({})))
    assert {slug: step.amount for slug, step in steps.items()} == {"new": 5, "ended": -3, "volume": 10}
    assert [part.key for part in steps["new"].parts] == [("3",)]
    assert (steps["volume"].before, steps["volume"].after) == (100, 200)


def test_longer_requests_less_cache_and_dearer_prices_are_told_apart() -> None:
    # Before, 100 requests of 1M plain and 1M cached input: 2 + 0.2, all of it at half the list price.
    before = known(MAY, [line(MAY, "1.1")], [used(MAY, 100, uncached_input=1_000_000, cache_read=1_000_000)])
    # Now twice the input a request, none of it cached, half after the price has doubled.
    rows = [used(date(2026, 6, d), 50, uncached_input=2_000_000) for d in (1, 20)]
    after = known(JUNE, [line(date(2026, 6, 1), "2"), line(date(2026, 6, 20), "4")], rows)
    steps = checked(bridge(before, after, PRICES))
    # Twice the tokens: +1.1; the cached half at the plain rate: +1.8; dearer by 2 a million for half of it: +2.
    assert {slug: step.amount for slug, step in steps.items()} == {"tokens": D("1.1"), "cache": D("1.8"), "price": 2}
    assert (steps["cache"].parts[0].before, steps["cache"].parts[0].after) == (D("0.5"), 0)
    assert (steps["tokens"].parts[0].before, steps["tokens"].parts[0].after) == (20_000, 40_000)


def test_more_hours_of_a_gpu_are_told_from_a_dearer_hour() -> None:
    leased: dict[str, Any] = {"committed": True, "lease_id": 7}
    before = known(MAY, [line(MAY, "30", model="", category="gpu", **leased)], [])
    idle = line(JUNE, "60", model="", category="idle_gpu", **leased)
    after = known(JUNE, [line(JUNE, "20", category="gpu", **leased), idle], [])
    hours = {7: Hours("runpod", "RTX 4090", Fraction(100), Fraction(200))}
    steps = checked(bridge(before, after, ListPrices({}), hours))
    assert {slug: step.amount for slug, step in steps.items()} == {"gpu_hours": 30, "gpu_price": 20}
    assert steps["gpu_price"].parts[0].after == D("0.4")


def test_what_only_a_bill_knows_is_no_volume() -> None:
    before = known(MAY, [line(MAY, "10"), line(MAY, "4", 0, "console")], [used(MAY, 100)])
    after = known(JUNE, [line(JUNE, "10"), line(JUNE, "9", 0, "console")], [used(JUNE, 100)])
    assert {s.slug: s.amount for s in bridge(before, after, ListPrices({})).steps} == {"rest": 5}


def test_the_picture_says_its_steps_in_words_and_as_a_table() -> None:
    start, end = {"label": "May", "amount": D(10)}, {"label": "June", "amount": D(7)}
    drawn = waterfall(start, [{"label": "Volume", "amount": D(2)}, {"label": "Cache", "amount": D(-5)}], end)
    assert 'aria-label="From May $10.00 to June $7.00: Volume +2.00; Cache −5.00"' in drawn.svg
    assert drawn.rows == [["May", "$10.00"], ["Volume", "+2.00"], ["Cache", "−5.00"], ["June", "$7.00"]]


def test_a_fall_below_zero_stays_inside_the_picture() -> None:
    start, end = {"label": "May", "amount": D(1)}, {"label": "June", "amount": D(-3)}
    drawn = waterfall(start, [{"label": "Credit", "amount": D(-4)}], end)
    assert ' x="-' not in drawn.svg and ' width="-' not in drawn.svg


def test_small_steps_beside_large_sums_get_a_scale_of_their_own_and_it_is_said() -> None:
    start, end = {"label": "May", "amount": D(362)}, {"label": "June", "amount": D(337)}
    drawn = waterfall(start, [{"label": "Cache", "amount": D(-25)}], end)
    assert "begins at $331" in drawn.note
    assert 'width="80%"' in drawn.svg  # the step: 25 of the 31.25 dollars that are drawn
    assert waterfall(start, [{"label": "Cache", "amount": D(-200)}], {"label": "June", "amount": D(162)}).note == ""


# The page and the API.


def test_the_page_tells_every_step_with_links_to_its_rows(viewer: Client, world: Account) -> None:
    page = text(viewer, f"/spend/changes/?month={last_month()}")
    assert "Manual entries" in page and "GPU hours" in page and "RunPod RTX 4090" in page
    assert "Web shop" in page
    running = text(viewer, f"/spend/changes/?month={datetime.now(UTC):%Y-%m}")
    assert "/requests/?provider=anthropic&amp;model=claude-sonnet-5-5&amp;from=" in running
    assert "New applications" not in running
    assert f"/spend/ledger/?month={last_month()}" in page


def test_without_any_traffic_the_page_says_so(viewer: Client) -> None:
    assert "No spend in either period" in text(viewer, "/spend/changes/")


def test_a_plan_is_held_against_the_same_days(viewer: Client, world: Account) -> None:
    PhaseFactory.create(
        slug="now", name="Now", budget_low=50, budget_high=300, volume_to=100_000,
        starts_on=date(2020, 1, 1),
    )  # fmt: skip
    page = text(viewer, f"/spend/changes/?against=plan&month={last_month()}")
    assert (
        "compared with <b>$300.00</b> planned in “Now”" in page
        and "minus the plan for the same number of requests" in page
    )
    assert "Volume compares the requests with the upper end of the phase" in page
    assert "Token costs are taken apart" not in page
    found = read(f"against=plan&month={last_month()}")
    assert D(found["before"]) == 300 and found["compared_with"] is None


def test_without_a_phase_the_plan_is_said_to_be_missing(viewer: Client, world: Account) -> None:
    assert "No phase is planned for this period" in text(viewer, "/spend/changes/?against=plan")
    _secret, status = answer("against=plan")
    assert status == 404


def test_the_api_adds_up_to_what_spend_says(world: Account) -> None:
    found = read(f"month={last_month()}")
    assert D(found["before"]) + sum(D(step["amount"]) for step in found["steps"]) == D(found["after"])
    assert D(found["change"]) == D(found["after"]) - D(found["before"])
    for step in found["steps"]:
        assert sum(D(part["amount"]) for part in step["parts"]) == D(step["amount"])
    spent = Client().get("/api/v1/spend", period(last_month()), headers=key()).json()
    assert D(found["after"]) == D(spent["total"])


def period(month: str) -> dict[str, str]:
    first = date.fromisoformat(f"{month}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return {"from": first.isoformat(), "to": following.isoformat()}


def answer(query: str) -> tuple[Any, int]:
    response = Client().get(f"/api/v1/changes?{query}", headers=key())
    return response.json(), response.status_code


def read(query: str) -> Any:
    found, status = answer(query)
    assert status == 200, found
    return found


@pytest.mark.parametrize("query", ["month=2026-13", "month=nonsense", "against=nothing", "application=nobody"])
def test_nonsense_in_the_address_is_the_default(viewer: Client, world: Account, query: str) -> None:
    assert "What changed" in text(viewer, f"/spend/changes/?{query}")
