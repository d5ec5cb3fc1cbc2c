"""Unit costs: what a request, an accepted answer, a million tokens and an incident cost, beside the list price."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from costs.allocation.queries import spend
from costs.models import Effort
from costs.spend.page import SpendPage, SpendParams
from costs.units.queries import BYS, SORTS, UnitCosts, months_back
from providers.models import Account, Deployment, Discount
from tests.costs.keys import key
from tests.costs.usage_rows import usage
from tests.costs.world import last_month
from tests.factories import OutageFactory
from tests.sorted_lists import assert_sorts
from tests.traffic.people import text
from traffic.models import Application, Rating
from traffic.usage.filters import Filters

D = Decimal


def first_of_last() -> date:
    return date.fromisoformat(f"{last_month()}-01")


def found(by: Any = "application", month: date | None = None) -> UnitCosts:
    now = timezone.now()
    return UnitCosts(SpendPage(SpendParams(month or first_of_last(), Filters()), now), by)


def test_without_traffic_nothing_has_a_unit_cost(viewer: Client) -> None:
    assert "No traffic in these days" in text(viewer, "/spend/units/")
    answer = read("")
    assert answer["total"]["per_request"] is None and answer["groups"] == []
    assert answer["incidents"]["upkeep_per_incident"] is None


@pytest.mark.parametrize("by", BYS)
def test_every_grouping_adds_up_to_the_ledger(world: Account, by: Any) -> None:
    units = found(by)
    month = first_of_last()
    total = spend(month, month_after(month)).total
    assert sum((unit.amount for unit in units.rows), D(0)) == units.whole.amount == total
    assert sum(unit.requests for unit in units.rows) == units.whole.requests > 0
    assert units.whole.per_request == total / units.whole.requests


def month_after(month: date) -> date:
    return months_back(month, -1)


def test_an_accepted_answer_costs_a_request_over_the_accepted_share(world: Account) -> None:
    shop = Application.objects.get()
    for n in range(8):
        Rating.objects.create(
            day=first_of_last(), by=f"p{n}", response_id=str(n), score=1 if n < 6 else -1, application=shop, task="rag",
            model="claude-sonnet-5-5",
        )  # fmt: skip
    (unit,) = [unit for unit in found().rows if unit.key == "shop"]
    assert unit.per_request is not None
    assert unit.per_accepted == unit.per_request * 8 / 6
    assert unit.ratings_text() == "8 ratings, few"
    Rating.objects.update(score=-1)
    assert [unit.per_accepted for unit in found().rows] == [None] * len(found().rows)


def test_what_was_paid_stands_beside_the_list_price(world: Account) -> None:
    # 100 output tokens of ours at 10 a million are 0.001 at list price; the bill has 0.0013 for them and a console's.
    (unit,) = [unit for unit in found("model").rows if unit.key == "claude-sonnet-5-5"]
    assert (unit.at_list, unit.by_token) == (D("0.001"), D("0.0013"))
    assert unit.against_list == D("0.3")
    (output,) = [row for row in found().classes if row.slug == "output"]
    assert output.listed == 10


def test_the_list_price_is_without_the_contracts_discount(world: Account) -> None:
    Discount.objects.create(account=world, starts_on=date(2020, 1, 1), percent=50, source="a contract",
                            entered_at=timezone.now())  # fmt: skip
    (output,) = [row for row in found().classes if row.slug == "output"]
    assert output.listed == 10


def test_an_incident_has_its_share_of_upkeep_and_hours(viewer: Client, world: Account) -> None:
    at = datetime.combine(first_of_last(), datetime.min.time(), UTC) + timedelta(hours=30)
    for n in range(3):
        OutageFactory.create(
            deployment=Deployment.objects.get(), started_at=at + timedelta(hours=n), confirmed_at=at,
            ended_at=at + timedelta(hours=n), cause="refused",
        )  # fmt: skip
    Effort.objects.create(day=at.date(), hours=D("1.5"), what="driver")
    incidents = found().incidents
    assert (incidents.upkeep_each, incidents.hours_each) == (D(2), D("0.5"))
    assert "3 incidents of self-hosted deployments: $2.00 of upkeep each" in text(viewer, page())


def page() -> str:
    return f"/spend/units/?month={last_month()}"


def test_the_trend_holds_the_months_that_are_known_and_leads_to_them(world: Account, viewer: Client) -> None:
    usage(day=months_back(first_of_last(), 3), provider="openai", requests=4, output=1_000_000, cost=D(2))
    usage(day=months_back(first_of_last(), 7), provider="openai", requests=4, output=5, cost=D(2))
    months = found().months
    assert [row.month for row in months] == [months_back(first_of_last(), 3), first_of_last()]
    assert (months[0].per_request, months[0].per_mtok) == (D("0.5"), D(2))
    assert months[1].amount == found().whole.amount
    shown = viewer.get(f"{page()}&by=model").content.decode()
    assert f'<a href="?month={months[0].month:%Y-%m}&amp;by=model">' in shown


@pytest.mark.parametrize(
    ("month", "back", "wanted"),
    [(date(2026, 3, 1), 5, date(2025, 10, 1)), (date(2026, 12, 1), -1, date(2027, 1, 1)),
     (date(2026, 1, 1), 0, date(2026, 1, 1))],
)  # fmt: skip
def test_months_are_counted_over_the_years_end(month: date, back: int, wanted: date) -> None:
    assert months_back(month, back) == wanted


def test_the_api_says_what_the_page_says(viewer: Client, world: Account) -> None:
    answer = read(f"?month={last_month()}&group_by=application")
    units = found()
    assert D(answer["total"]["amount"]) == units.whole.amount
    assert sum(D(group["amount"]) for group in answer["groups"]) == units.whole.amount
    assert {group["key"] for group in answer["groups"]} == {"shop", None}
    assert "Web shop" in text(viewer, page())


def read(query: str) -> Any:
    response = Client().get(f"/api/v1/unit-costs{query}", headers=key())
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.parametrize("query", ["by=nothing", "month=2026-13", "application=nobody", "month=0"])
def test_nonsense_in_the_address_is_the_default(viewer: Client, world: Account, query: str) -> None:
    assert "Unit costs" in text(viewer, f"/spend/units/?{query}")


def test_the_groups_are_sorted_by_every_column_and_what_has_no_unit_cost_is_last(
    world: Account, viewer: Client
) -> None:
    url = f"/spend/units/?month={last_month()}&by=model"
    assert_sorts(viewer, url, SORTS)
    for name, value in SORTS.items():
        for sort in (name, f"-{name}"):
            units = UnitCosts(SpendPage(SpendParams(first_of_last(), Filters()), timezone.now()), "application", sort)
            values = [value(unit) for unit in units.rows]
            known = [figure for figure in values if figure is not None]
            assert values == known + [None] * (len(values) - len(known)), sort
