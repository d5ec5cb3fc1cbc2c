"""Statements of a month add up to the ledger to the cent, whoever they are for; what is nobody's stands by itself."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from costs.allocation.queries import spend
from costs.ledger.page import SORTS as LEDGER_SORTS
from costs.ledger.page import ledger_rows
from costs.statements.queries import NOBODY, OWNERLESS, SORTS, By, statements
from lib.allocation import in_cents
from lib.money import CENT
from lib.paging import in_order
from lib.periods import next_month
from tests.costs.month import TODAY, URL
from tests.costs.pdf_text import text_of
from tests.costs.people import client_of, text
from tests.costs.usage_rows import usage
from tests.query_ceilings import ceiling
from tests.sorted_lists import assert_sorts, rows_of
from traffic.models import Application


@pytest.mark.parametrize("by", ["application", "owner"])
def test_all_statements_add_up_to_the_ledger_to_the_cent(month: date, by: Any) -> None:
    total = spend(month, next_month(month)).total
    found = statements(month, by, TODAY)
    assert found.exact == total == Decimal("14.0059")
    assert found.total == Decimal("14.01") == sum(one.total for one in found.statements)
    for one in found.statements:
        assert sum(row.cents for row in one.rows) == one.total
        assert all(abs(row.cents - row.exact) < CENT for row in one.rows)
    assert sum(row.amount for row in ledger_rows(month)) == total


def test_unattributed_costs_are_listed_and_not_divided_among_owners(month: date) -> None:
    nobody = statements(month, "owner", TODAY).nobody
    assert nobody is not None
    rows = {(row.key.category, row.key.why): row.exact for row in nobody.rows}
    assert rows == {("idle_gpu", "idle"): Decimal("0.333"), ("vm", "entered"): Decimal("0.005")}
    by_owner = {one.key: one.exact for one in statements(month, "owner", TODAY).statements}
    assert set(by_owner) == {"ada", OWNERLESS, NOBODY}
    shop = statements(month, "application", TODAY).get("shop")
    assert shop is not None
    assert shop.exact == Decimal("3.333333333334") + Decimal("0.333")


def test_a_month_is_running_then_open_then_final(month: date) -> None:
    days = {day: statements(month, "owner", day).state for day in (month, next_month(month), month + timedelta(70))}
    assert list(days.values()) == ["running", "open", "final"]
    # The vendor of tokens revises 30 days, so do people.
    assert statements(month, "owner", TODAY).final_on == next_month(month) + timedelta(days=30)


def test_pages_and_files_show_the_same_sums(month: date, django_assert_max_num_queries: Any) -> None:
    client, asked = client_of("manager"), f"month={month:%Y-%m}"
    page = text(client, f"{URL}?{asked}&by=owner")
    assert "<b>≥ $14.01</b> in" in page
    assert "Total ≥ $14.01 (matches the ledger)" in page
    assert "unallocated" in page
    with django_assert_max_num_queries(ceiling("/spend/statements/ of a month with charges of owners")):
        text(client, f"{URL}?{asked}&by=application")
    one = text(client, f"{URL}{month:%Y-%m}/owner/ada/")
    assert "Ada Moor: <b>$10.3" in one
    rows = list(csv.DictReader(io.StringIO(client.get(f"{URL}statements.csv?{asked}&by=owner").content.decode())))
    assert sum(Decimal(row["amount_usd"]) for row in rows) == Decimal("14.01")
    assert sum(Decimal(row["exact_usd"]) for row in rows) == Decimal("14.0059")
    chat = client.get(f"{URL}{month:%Y-%m}/application/chat/statement.csv")
    assert "'=Chat" in chat.content.decode()
    assert "attachment" in chat["Content-Disposition"]
    answer = client.get(f"/api/v1/statements?{asked}&by=owner").json()
    assert sum(Decimal(one["total"]) for one in answer["statements"]) == Decimal(answer["total"]) == Decimal("14.01")
    assert answer["statements"][-1]["key"] is None


def owner(username: str = "ada") -> Client:
    """Someone who sees no figures, signed in."""
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client


def test_the_total_of_an_owner_is_not_called_that_of_the_ledger(month: date) -> None:
    page = text(owner(), f"{URL}?month={month:%Y-%m}&by=application")
    assert "Total " in page and "matches the ledger" not in page


def test_an_owner_sees_their_own_statements_as_managers_do_and_learns_nothing_of_others(month: date) -> None:
    ada, manager, asked = owner(), client_of("manager"), f"month={month:%Y-%m}"
    for path in ("owner/ada", "application/shop", "application/docs"):
        for file in ("statement.csv", "statement.pdf"):
            url = f"{URL}{month:%Y-%m}/{path}/{file}"
            mine = ada.get(url)
            assert mine.status_code == 200
            if file.endswith("csv"):
                assert mine.content == manager.get(url).content
            else:
                assert not any("14.01" in line for line in text_of(mine.content))
        assert "14.01" not in text(ada, f"{URL}{month:%Y-%m}/{path}/")
    ways: dict[By, set[str]] = {"owner": {"ada"}, "application": {"shop", "docs"}}
    for by, mine_alone in ways.items():
        page = text(ada, f"{URL}?{asked}&by={by}")
        rows = list(csv.DictReader(io.StringIO(ada.get(f"{URL}statements.csv?{asked}&by={by}").content.decode())))
        assert {row["statement"] for row in rows} == mine_alone
        found = [one for one in statements(month, by, TODAY).statements if one.key in mine_alone]
        total = sum(one.total for one in found)
        assert sum(Decimal(row["amount_usd"]) for row in rows) == total
        assert f"Your applications cost <b>${total}</b>" in page
        for other in ("14.01", "Chat", "Unallocated", "without an owner", "/api/v1/", 'href="/spend/"'):
            assert other not in page, other
        whole = " ".join(text_of(ada.get(f"{URL}statements.pdf?{asked}&by={by}").content))
        assert f"${total} in the ledger." in whole
        assert "14.01" not in whole


@pytest.mark.parametrize("file", ["", "statement.csv", "statement.pdf"])
@pytest.mark.parametrize("path", ["application/chat", "owner/~nobody", "owner/~ownerless", "application/~nobody"])
def test_what_others_carry_is_not_there_for_an_owner(month: date, path: str, file: str) -> None:
    assert owner().get(f"{URL}{month:%Y-%m}/{path}/{file}").status_code == 404


def test_a_member_who_owns_nothing_sees_no_statement(month: date) -> None:
    bob = User.objects.create_user("bob")
    Application.objects.get(slug="shop").members.add(bob)
    client, asked = owner("bob"), f"month={month:%Y-%m}"
    assert "Your applications have no costs" in text(client, f"{URL}?{asked}")
    # The navigation leads nobody to an empty page: the only link to it is the one to copy.
    assert text(client, URL).count(f'href="{URL}"') == 1
    assert text(owner(), URL).count(f'href="{URL}"') > 1
    for path in (f"statements.csv?{asked}", f"statements.pdf?{asked}", f"{month:%Y-%m}/application/shop/"):
        assert client.get(URL + path).status_code == 404
    assert owner().get("/spend/").status_code == 403


def test_who_owns_an_application_no_longer_sees_no_more_of_it(month: date) -> None:
    Application.objects.filter(slug="shop").update(owner=None)
    ada = owner()
    assert ada.get(f"{URL}{month:%Y-%m}/application/shop/").status_code == 404
    assert ada.get(f"{URL}{month:%Y-%m}/application/docs/").status_code == 200


def test_a_month_that_is_none_or_has_not_begun_is_said_so(month: date) -> None:
    client = client_of("ops")
    assert "is not a past or current month" in text(client, f"{URL}?month=2199-01")
    assert "is not a past or current month" in text(client, f"{URL}?month=x")
    usage(day=TODAY, cost=Decimal(2))
    running = text(client, f"{URL}?month={TODAY:%Y-%m}")
    assert f"<b>$2.00</b> in {TODAY:%B} so far" in running
    for path in ("2199-01/owner/ada/", "x/owner/ada/", f"{month:%Y-%m}/model/ada/", f"{month:%Y-%m}/owner/none/"):
        assert client.get(URL + path).status_code == 404


def test_the_month_box_holds_the_month_that_is_shown(db: None) -> None:
    """A month without any data as well: the box named the running month under a heading of another one."""
    client = client_of("ops")
    for page in (URL, "/spend/ledger/", "/spend/reconciliation/"):
        assert '<option value="2026-01" selected>' in text(client, f"{page}?month=2026-01"), page


def test_the_ledger_page_shows_each_line_with_its_state_and_idle_hours_by_themselves(month: date) -> None:
    middle = datetime.combine(next_month(month) + timedelta(days=14), time(12), UTC)  # on a 31st it is no longer open
    with time_machine.travel(middle, tick=False):
        page = text(client_of("manager"), f"/spend/ledger/?month={month:%Y-%m}")
    assert "<b>$14.01</b>" in page
    assert "idle GPU hours" in page
    assert f"open until {next_month(month) + timedelta(days=30):%-d %b}" in page  # what people entered
    assert "<b>$0.33</b> in" in text(client_of("ops"), f"/spend/ledger/?month={month:%Y-%m}&category=idle_gpu")


@given(st.dictionaries(st.integers(), st.decimals("-99", "99", places=12), min_size=1, max_size=30))
def test_cents_add_up_and_no_part_moves_by_a_cent(parts: dict[int, Decimal]) -> None:
    total = sum(parts.values(), Decimal(0)).quantize(CENT)
    cents = in_cents(parts, total)
    assert sum(cents.values()) == total
    assert all(abs(cents[key] - part) < CENT and cents[key] == cents[key].quantize(CENT) for key, part in parts.items())


def test_statements_and_ledger_are_sorted_by_every_column(month: date) -> None:
    client = client_of("manager")
    asked = f"month={month:%Y-%m}"
    for by in ("owner", "application"):
        assert_sorts(client, f"{URL}?{asked}&by={by}", SORTS)
    smallest = [row.split(" ≥")[0] for row in rows_of(text(client, f"{URL}?{asked}&by=owner&sort=total"))]
    assert (
        smallest == [row.split(" ≥")[0] for row in rows_of(text(client, f"{URL}?{asked}&by=owner&sort=-total"))][::-1]
    )
    assert_sorts(client, f"/spend/ledger/?{asked}", LEDGER_SORTS)
    figures = [Decimal(row.amount) for row in in_order(ledger_rows(month), LEDGER_SORTS, "-amount")]
    assert figures == sorted(figures, reverse=True)


def test_the_file_of_a_sorted_list_has_its_order(month: date) -> None:
    client, asked = client_of("manager"), f"month={month:%Y-%m}"
    for sort in ("amount", "-amount"):
        file = client.get(f"/spend/ledger/?{asked}&sort={sort}&as=csv").content.decode()
        amounts = [Decimal(row[4]) for row in list(csv.reader(io.StringIO(file)))[1:]]
        assert len(amounts) > 2 and amounts == sorted(amounts, reverse=sort.startswith("-"))
