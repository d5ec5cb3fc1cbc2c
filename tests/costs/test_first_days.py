"""A month's first days: which month pages about spend open on, and that none has a percentage of two minutes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from tests.costs.usage_rows import usage
from tests.traffic.people import logged_in, person, text

MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)
SPEND, CHANGES, UNITS = "/spend/", "/spend/changes/", "/spend/units/"
CHANGE = re.compile(r"[+\u2212-]\d[\d,.]*\s%")


@pytest.fixture(params=[1, 3, 30])
def day(request: pytest.FixtureRequest, db: None) -> Iterator[int]:
    """It is 00:02 on this day of June; every day since 1 May has cost $2 for 100 requests, in June $3."""
    number: int = request.param
    with time_machine.travel(datetime(2026, 6, number, 0, 2, tzinfo=UTC), tick=False):
        for n in range(31 + number):
            at = MAY + timedelta(days=n)
            usage(day=at, provider="openai", requests=100, output=100, cost=2 if at < JUNE else 3)
        yield number


@pytest.fixture
def manager(day: int) -> Client:
    return logged_in(person("mara", "costs.view_charge"))


@pytest.mark.parametrize("page", [SPEND, CHANGES, UNITS])
def test_no_percentage_stands_against_the_month_before_in_a_months_first_days(
    manager: Client, day: int, page: str
) -> None:
    shown = text(manager, page, month="2026-06")
    early = {1: "1 May", 3: "1 to 3 May"}.get(day)
    assert shown.count("It is too early to compare") == (early is not None)
    assert early is None or f"It is too early to compare with {early}." in shown
    assert bool(CHANGE.search(shown)) == (early is None and page != CHANGES)
    if page == SPEND and early:
        assert f'<td class="num subdued" data-label="Change">+{day}.00</td>' in shown, "the change in USD stays"


@pytest.mark.parametrize("page", [SPEND, CHANGES, UNITS])
def test_pages_about_spend_open_on_the_closed_month_and_name_the_days_that_they_compare(
    manager: Client, day: int, page: str
) -> None:
    response = manager.get(page)
    days = response.context["page"].days if page != UNITS else response.context["days"]
    assert days.since == (JUNE if day == 30 else MAY)
    if page != SPEND:
        compared = "June, compared with May" if day == 30 else "May, compared with April"
        assert compared in response.content.decode()


@pytest.mark.parametrize("page", [SPEND, CHANGES, UNITS])
def test_a_month_in_which_records_begin_is_compared_with_nothing(db: None, page: str) -> None:
    with time_machine.travel(datetime(2026, 6, 28, 9, tzinfo=UTC), tick=False):
        for n in range(19, 59):
            usage(day=MAY + timedelta(days=n), provider="openai", requests=100, output=100, cost=2)
        manager = logged_in(person("mara", "costs.view_charge"))
        shown, overview = text(manager, page), text(manager, "/")
        assert "Records begin on 20 May, so there is no comparison with 1 to 28 May." in shown
        assert not CHANGE.search(shown) and not CHANGE.search(overview.split("Against 1 to 28 May")[1][:200])
        usage(day=date(2026, 4, 30), provider="openai", requests=100, output=100, cost=2)
        assert "Records begin" not in text(manager, page) and CHANGE.search(text(manager, "/"))
