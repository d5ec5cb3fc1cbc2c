"""The Spend page: who may see it, that it adds up to what the API says, and what it costs to make."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from costs.allocation.queries import Attribution, Line, Names, SpendData, read, spend
from costs.dates import days_of, months_since
from costs.ledger import posting as ledger
from costs.list_prices import ListPrices
from costs.spend.page import SpendPage, SpendParams
from costs.spend.rows import day_bars
from costs.spend.token_costs import api_amounts, by_class, tokens_of
from costs.spend.views import opening_month
from costs.variance.bridge import bridge
from providers.models import Account, Feed, TokenPrice
from tests.costs.entered import entered
from tests.costs.usage_rows import at, usage
from tests.costs.world import last_month
from tests.factories import ApplicationFactory, VendorCostFactory
from tests.pages import html_of
from tests.query_ceilings import ceiling
from tests.traffic.people import logged_in, person, text
from traffic.authentication.keys import callers, create_key
from traffic.usage.filters import Filters

URL = "/spend/"
NOW = datetime(2026, 6, 18, 14, tzinfo=UTC)
JUNE, MAY = date(2026, 6, 1), date(2026, 5, 1)


# Days, months, bars. Pure.


def test_a_running_month_is_held_against_the_same_days_of_the_one_before() -> None:
    assert days_of(JUNE, JUNE).words() == "1 June"
    days = days_of(JUNE, NOW.date())
    assert days.words() == "1 to 18 June"
    assert (days.until, days.before, days.before_until) == (date(2026, 6, 19), MAY, date(2026, 5, 19))
    assert days.running


def test_a_month_that_is_over_is_held_against_the_whole_one_before() -> None:
    days = days_of(MAY, NOW.date())
    assert (days.until, days.before, days.before_until) == (JUNE, date(2026, 4, 1), MAY)
    assert not days.running


def test_on_30_march_the_days_to_compare_end_with_february() -> None:
    days = days_of(date(2026, 3, 1), date(2026, 3, 30))
    assert (days.before_until, days.running) == (date(2026, 3, 1), True)


def test_months_are_offered_from_the_newest_to_the_first_known() -> None:
    assert months_since(date(2026, 4, 30), NOW.date()) == [JUNE, MAY, date(2026, 4, 1)]


def known(*lines: Line, rows: list[dict[str, Any]] | None = None) -> SpendData:
    return SpendData(JUNE, date(2026, 7, 1), list(lines), rows or [], Names())


def line(day: date, amount: str, provider: str = "anthropic", provenance: str = "billed", model: str = "m") -> Line:
    committed = provider == "runpod" or provenance == "entered"
    return Line(day, provider, provenance, Decimal(amount), Attribution(model=model), committed)


def used(day: date, requests: int, model: str = "m", **tokens: int) -> dict[str, Any]:
    zero = dict.fromkeys(("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output"), 0)
    base = {"day": day, "provider": "anthropic", "model": model, "requests": requests, "unpriced": 0}
    return {**base, "unknown_usage": 0, "cost": Decimal(0), **zero, **tokens}


def test_the_current_day_is_labelled_with_its_hours_and_an_unpriced_day_is_marked_unknown() -> None:
    rows = [used(JUNE, 3) | {"unpriced": 1}]
    first, last = day_bars([JUNE, NOW.date()], known(line(JUNE, "2"), rows=rows), NOW)
    assert (first["unknown"], first["note"], first["parts"][0]["amount"]) == (True, "", 2)
    assert (last["unknown"], last["note"], last["parts"]) == (False, "14 h", [])


# What changed. Pure, but for prices.

PRICES = ListPrices({})


def steps(before: SpendData, after: SpendData, prices: ListPrices = PRICES) -> dict[str, Decimal]:
    found = bridge(before, after, prices)
    assert found.before + sum((step.amount for step in found.steps), Decimal(0)) == found.after
    return {step.slug: step.amount for step in found.steps}


def test_twice_the_requests_at_the_same_cost_is_volume() -> None:
    before = known(line(MAY, "10"), rows=[used(MAY, 100)])
    after = known(line(JUNE, "20"), rows=[used(JUNE, 200)])
    assert steps(before, after) == {"volume": 10}


def test_the_same_requests_at_another_model_is_mix() -> None:
    before = known(line(MAY, "10"), line(MAY, "1", model="small"), rows=[used(MAY, 100), used(MAY, 100, model="small")])
    after = known(line(JUNE, "2", model="small"), rows=[used(JUNE, 200, model="small")])
    assert steps(before, after) == {"mix": -9}


def test_dearer_requests_of_a_model_without_a_list_price_are_the_rest() -> None:
    before = known(line(MAY, "10"), rows=[used(MAY, 100)])
    after = known(line(JUNE, "12"), rows=[used(JUNE, 100)])
    assert steps(before, after) == {"rest": 2}


def test_another_list_price_is_told_from_longer_requests() -> None:
    def version(pk: int, start: datetime, output: int) -> TokenPrice:
        zero = dict.fromkeys(("cache_read", "cache_write_5m", "cache_write_1h"))
        return TokenPrice(pk=pk, starts_at=start, uncached_input=0, output=output, **zero)

    versions = [version(2, datetime(2026, 6, 1, tzinfo=UTC), 12), version(1, datetime(2026, 1, 1, tzinfo=UTC), 10)]
    prices = ListPrices({("anthropic", "m"): versions})
    before = SpendData(MAY, date(2026, 5, 31), [line(MAY, "10")], [used(MAY, 100, output=1_000_000)], Names())
    after = known(line(JUNE, "13"), rows=[used(JUNE, 100, output=1_000_000)])
    assert steps(before, after, prices) == {"price": 2, "rest": 1}


def test_machines_taxes_and_entered_charges_are_steps_of_their_own() -> None:
    before = known(line(MAY, "8", "runpod", "estimated"), line(MAY, "3", provenance="entered", model=""))
    after = known(line(JUNE, "9", "runpod"), line(JUNE, "1", model=""), line(JUNE, "5", provenance="entered", model=""))
    assert steps(before, after) == {"leases": 1, "other": 1, "entered": 2}


def test_thirds_of_a_cent_still_add_up() -> None:
    before = known(line(MAY, "0.1"), rows=[used(MAY, 3)])
    after = known(line(JUNE, "0.2"), rows=[used(JUNE, 7)])
    assert set(steps(before, after)) == {"volume", "rest"}


# The page.


def test_a_stranger_is_sent_to_the_login(db: None) -> None:
    assert Client().get(URL)["Location"].startswith("/login/")


@pytest.mark.parametrize(("role", "status"), [("manager", 200), ("ops", 200), ("staff", 403)])
def test_the_roles_that_may_see_figures_see_it(db: None, role: str, status: int) -> None:
    from dashboard.people.roles import ROLES

    client = logged_in(person(role, *ROLES[role]))
    assert client.get(URL).status_code == status


def test_with_nothing_known_the_page_says_so(viewer: Client) -> None:
    page = text(viewer, URL)
    assert "No spend recorded in" in page
    assert 'href="/spend/charges/"' in page


def test_the_page_says_what_the_api_says(viewer: Client, world: Account) -> None:
    callers.clear()
    response = viewer.get(URL, {"month": last_month()})
    headers = {"Authorization": f"Bearer {create_key(name='reader', scopes=['read'])[1]}"}
    answer = Client().get(response.context["json_url"], headers=headers).json()
    page = response.context["page"]
    assert f"{page.total.total:f}" == answer["total"]
    assert Decimal(answer["total"]) == Decimal("0.0013") + Decimal("3.4") + 6
    assert {row.slug: row.amount for row in page.providers} == {
        group["key"]: Decimal(group["amount"]) for group in answer["groups"]
    }
    assert "At least <b>$9.40</b>" in html_of(response)


@pytest.mark.parametrize("by", ["application", "model", "task"])
def test_every_table_adds_up_to_the_same_total(world: Account, by: str) -> None:
    month = date.fromisoformat(f"{last_month()}-01")
    page = SpendPage(SpendParams(month, Filters(), by), datetime.now(UTC))
    total = page.total.total
    assert sum(row.amount for row in page.users) == total
    assert sum(row.requests for row in page.users) == page.total.requests
    assert sum(row.amount for row in page.providers) == total
    assert sum(part["amount"] for bar in page.bars for part in bar["parts"]) == total
    assert page.change.before + sum(step.amount for step in page.change.steps) == total
    assert page.tokens.cost == Decimal("0.0013")


@pytest.mark.parametrize("by", ["application", "model", "task"])
@pytest.mark.parametrize("filters", [Filters(), Filters(task=["qa"]), Filters(deployment=[7])], ids=str)
def test_a_page_says_the_same_of_rows_that_the_database_added_up(world: Account, by: str, filters: Filters) -> None:
    month = date.fromisoformat(f"{last_month()}-01")
    for task, deployment in (("qa", 7), ("rag", 7), ("rag", 8), ("qa", 8)):
        usage(day=month, task=task, deployment_id=deployment, requests=3, unpriced=1, output=5, cost="0.7")
    params = SpendParams.of_page(month, filters, by)
    few, all_rows = (SpendPage(each, datetime.now(UTC)) for each in (params, SpendParams(month, filters, by)))
    assert (few.total, few.providers, few.users) == (all_rows.total, all_rows.providers, all_rows.users)
    assert (few.steps, few.tokens, few.unknowns) == (all_rows.steps, all_rows.tokens, all_rows.unknowns)
    assert (few.bars, few.choices) == (all_rows.bars, all_rows.choices)
    by_task_and_deployment = by == "task" and filters.deployment
    assert (len(few.everything.usage) < len(all_rows.everything.usage)) == (not by_task_and_deployment)


def test_idle_hours_and_entered_charges_have_rows_of_their_own(viewer: Client, world: Account) -> None:
    page = viewer.get(URL, {"month": last_month()}).context["page"]
    rows = [(row.name or row.why, row.amount) for row in page.users]
    assert rows == [
        ("Web shop", Decimal("0.3413")),
        ("Manual entries", Decimal(6)),
        ("Idle GPU hours", Decimal("3.06")),
    ]


def test_usage_of_a_console_is_named_where_the_bill_differs(viewer: Client, world: Account) -> None:
    page = text(viewer, URL, month=last_month())
    assert "other tools or keys of the account: 3 requests, claude-sonnet-5-5" in page
    assert "Bills match our records to the cent" in page  # the difference is less than one


def test_a_model_without_a_price_is_counted_and_linked(viewer: Client, world: Account) -> None:
    page = text(viewer, URL, month=last_month())
    assert "1 model without a price answered 10 requests" in page
    assert 'href="/requests/?model=preview"' in page


def test_filters_live_in_the_address_and_empty_ones_are_none(viewer: Client, world: Account) -> None:
    response = viewer.get(URL, {"month": last_month(), "provider": "anthropic", "model": "", "task": ""})
    assert response.context["page"].total.total == Decimal("0.0013")
    assert "provider=anthropic" in response.context["json_url"]
    assert "model" not in response.context["json_url"]
    whole = viewer.get(URL, {"month": last_month(), "application": "shop"})
    assert whole.context["page"].total.total == Decimal("0.3413")
    assert "Bills have no model, application or task" in whole.content.decode()


@pytest.mark.parametrize("query", ["month=x", "month=2199-01", "month=0001-01", "by=x&application=nobody"])
def test_nonsense_in_the_address_is_the_default(viewer: Client, world: Account, query: str) -> None:
    response = viewer.get(f"{URL}?{query}")
    assert response.status_code == 200
    # In the first days of a month the default is the one that has closed: something was spent in it here.
    assert response.context["page"].params.month == opening_month(datetime.now(UTC))


def test_links_keep_what_was_chosen(viewer: Client, world: Account) -> None:
    page = text(viewer, URL, month=last_month(), by="task")
    assert f'href="?month={last_month()}&amp;by=model#users-h"' in page
    assert re.search(rf'href="\?month={last_month()}&amp;by=task&amp;provider=runpod"', page)
    assert re.search(rf'href="\?month={last_month()}&amp;by=task&amp;task=rag"', page)


def test_what_the_vendor_reports_by_workspace_and_key_is_one_click_away(viewer: Client, world: Account) -> None:
    page = text(viewer, URL, month=last_month())
    assert f'<a href="/settings/accounts/{world.slug}/#reported">{world.name}</a>' in page
    Feed.objects.update(last_success_at=None)
    assert "#reported" not in text(viewer, URL, month=last_month())


def test_the_page_takes_as_many_statements_for_much_as_for_little(viewer: Client, world: Account) -> None:
    viewer.get(URL, {"month": last_month()})
    with CaptureQueriesContext(connection) as little:
        viewer.get(URL, {"month": last_month()})
    first = date.fromisoformat(f"{last_month()}-01")
    for number in range(12):
        application = ApplicationFactory.create(slug=f"a{number}", name=f"A{number}")
        day = first + timedelta(days=number)
        usage(day=day, application_id=application.pk, model=f"m{number}", provider=f"p{number}", cost=Decimal(number))
        VendorCostFactory.create(
            account=world, external_id=f"x{number}", starts_at=at(day), ends_at=at(day, 1), category="tokens",
            amount=1, original_amount=1, model=f"m{number}",
        )  # fmt: skip
    ledger.post()
    with CaptureQueriesContext(connection) as much:
        viewer.get(URL, {"month": last_month()})
    assert len(much) == len(little)
    assert len(little) <= ceiling("/spend/")


# Token classes.


def test_token_classes_share_the_money_by_list_price(db: None, world: Account) -> None:
    month = date.fromisoformat(f"{last_month()}-01")
    prices = ListPrices.of(["claude-sonnet-5-5"])
    price = prices.at("anthropic", "claude-sonnet-5-5", month)
    assert price is not None
    usage(day=month, model="claude-sonnet-5-5", task="chat", uncached_input=50, cost=Decimal("0.0001"))
    period = read(month, month + timedelta(days=1), fine=False)
    amounts = api_amounts(period)
    found = by_class(amounts, tokens_of(period, amounts), prices)
    costs = {row.slug: row.cost for row in found.classes}
    assert sum(costs.values()) + found.undivided == Decimal("0.0013")
    weights = {"uncached_input": 50 * price.uncached_input, "output": 100 * price.output}
    share = weights["output"] / (weights["uncached_input"] + weights["output"])
    assert costs["output"] == pytest.approx(Decimal("0.0013") * share, abs=Decimal("1e-12"))


def test_a_period_read_once_says_what_spend_says(world: Account) -> None:
    month = date.fromisoformat(f"{last_month()}-01")
    until = datetime.now(UTC).date().replace(day=1)
    for fine in (False, True):
        assert read(month, until, fine).by("day").total == spend(month, until, "provider").total


@pytest.mark.django_db
def test_of_many_models_without_a_price_the_busiest_stand_and_the_rest_are_counted() -> None:
    for n in range(1, 15):
        usage(day=MAY, provider="openai", model=f"odd-{n:02}", requests=n, unpriced=n)
    page = text(logged_in(person("ann", "costs.view_charge")), f"{URL}?month={MAY:%Y-%m}")
    assert "14 models without a price answered 105 requests" in page
    section = page.split('id="unknown-h"')[1].split("</section>")[0]
    assert "odd-03" in section
    assert "odd-02" not in section
    assert "2 more models have fewer such requests." in section


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "month"), [(1, "2026-05"), (3, "2026-05"), (5, "2026-05"), (6, "2026-06"), (30, "2026-06")]
)
def test_spend_opens_on_the_closed_month_for_five_days(day: int, month: str) -> None:
    now = datetime(2026, 6, day, 0, 2, tzinfo=UTC)
    assert f"{opening_month(now):%Y-%m}" == "2026-06", "nothing was spent in May"
    entered("anthropic", "model", "3.00", date(2026, 5, 31))
    assert f"{opening_month(now):%Y-%m}" == month
