"""The pages of repricings and of a price's review: what it changes is seen before anything is written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.test import Client

from providers.audit.log import AuditEntry
from providers.models import TokenPrice
from tests.pages import html_of
from tests.providers.people import in_role, text
from tests.traffic.price_forms import ADD, BOOK, filled
from tests.traffic.priced_rows import BEFORE, DAY, dearer, ended, everything
from tests.traffic.request_rows import NOON, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Repricing

LIST = "/settings/repricings/"


def asked(client: Client, **more: Any) -> Any:
    given = {"since": f"{BEFORE}", "until": f"{DAY}", "why": "The page was read wrong.", **more}
    return client.post(LIST, given)


def words(response: Any) -> str:
    return html_of(response)


def test_a_repricing_is_seen_started_and_taken_back(stored: Any, price: TokenPrice) -> None:
    before = everything(stored)
    dearer(price)
    ops = in_role("ops")
    response = asked(ops)
    made = Repricing.objects.get()
    page = f"{LIST}{made.pk}/"
    assert response.url == page
    assert "being calculated" in text(ops, page)
    ended(made)
    shown = text(ops, page)
    assert "<b>4 requests</b> would change by <b>+0.01 USD</b> in total. Nothing is saved yet" in shown
    assert "claude-test" in shown and "0.0137" in shown and "0.0274" in shown
    polled = html_of(ops.get(page, headers={"hx-request": "true", "hx-target": "progress"}))
    assert '<span id="answer" hx-swap-oob="true"><b>4 requests</b> would change' in polled
    assert everything(stored) == before
    assert ops.post(f"{page}start/").status_code == 302
    ended(made)
    assert "<b>4 requests</b> changed by <b>+0.01 USD</b> in total" in text(ops, page)
    ops.post(f"{page}take-back/")
    ended(made)
    assert everything(stored) == before
    assert "<b>4 of 4 requests</b> have their earlier cost again" in text(ops, page)
    assert "Nothing was changed" in words(ops.post(f"{page}start/", follow=True))
    assert AuditEntry.objects.filter(actor="ops", object_id=str(made.pk)).count() == 3


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"since": f"{DAY}", "until": f"{BEFORE}"}, "The last day is before the first."),
        ({"why": " "}, "Enter a reason for the audit log."),
        ({"since": "tomorrow"}, "Enter a valid date."),
        ({"model": "nobody-calls-it-so"}, "No stored requests on these days."),
    ],
)
def test_what_cannot_be_repriced_is_told_at_the_field(stored: Any, wrong: dict[str, str], sentence: str) -> None:
    response = asked(in_role("ops"), **wrong)
    assert response.status_code == 422
    assert sentence in words(response)
    assert not Repricing.objects.exists()


def test_a_manager_sees_repricings_and_starts_none(stored: Any, price: TokenPrice) -> None:
    manager = in_role("manager")
    assert asked(manager).status_code == 403
    assert '<form class="form"' not in text(manager, LIST)


def test_a_later_one_that_stands_is_named_when_one_is_taken_back(stored: Any, price: TokenPrice) -> None:
    ops = in_role("ops")
    for factor in (2, 3):
        dearer(price, factor, starts_at=NOON - timedelta(hours=4 - factor))
        asked(ops)
        made = Repricing.objects.latest("pk")
        ended(made)
        ops.post(f"{LIST}{made.pk}/start/")
        ended(made)
    first = Repricing.objects.earliest("pk")
    said = words(ops.post(f"{LIST}{first.pk}/take-back/", follow=True))
    assert "Undo that one first" in said


# A price's review.


def reviewed(client: Client, **more: Any) -> str:
    given = filled(model="claude-test", starts_at=f"{NOON - timedelta(hours=1):%Y-%m-%dT%H:%M}", **more)
    given.pop("confirmed")
    response = client.post(ADD, given)
    assert response.status_code == 200
    return words(response)


def test_a_price_is_shown_against_the_standing_one_before_it_is_saved(stored: Any, price: TokenPrice) -> None:
    shown = reviewed(in_role("ops"), uncached_input="6", cache_read="0.6", output="30")
    assert "<b>4 stored requests</b> are affected and would change by about <b>+0.01 USD</b>" in shown
    assert "+100" in shown and "same" not in shown.split("Batch")[0].split("Output")[1]
    assert "Source: https://example.com/prices" in shown
    assert TokenPrice.objects.count() == 1


def test_a_price_that_changes_nothing_cannot_be_saved(stored: Any, price: TokenPrice) -> None:
    shown = reviewed(
        in_role("ops"), uncached_input="3", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6", output="15"
    )
    assert "costs this already" in shown and 'name="confirmed"' not in shown


def test_a_wrong_price_is_taken_back_until_a_request_was_costed_with_it(
    conn: psycopg.Connection, price: TokenPrice
) -> None:
    ops = in_role("ops")
    starts = f"{NOON - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    given = filled(model="claude-test", starts_at=starts, cache_read="0.3")
    for used in (False, True):
        assert ops.post(ADD, given).status_code == 302
        made = TokenPrice.objects.exclude(entered_by=None).get()
        if used:
            ingest(conn, [row(1)], PricingContext.load(conn))
        said = words(ops.post(f"/settings/prices/{made.pk}/undo/", follow=True))
        assert ("Requests were priced with it already" in said) is used
        assert TokenPrice.objects.filter(pk=made.pk).exists() is used
    assert ops.post(f"/settings/prices/{price.pk}/undo/").status_code == 404  # the library's own


def test_models_without_a_price_wait_on_the_page_of_prices(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(n, model="claude-test-2") for n in range(3)], PricingContext.load(conn))
    shown = text(in_role("ops"), BOOK)
    assert "1 model without a price" in shown
    (line,) = [part for part in shown.split("<tr") if "claude-test-2" in part]
    assert ">3</span>" in line and "2,100" in line and ">claude-test</td>" in line
    assert "?provider=anthropic&amp;model=claude-test-2#add" in line
    assert "without a price" not in text(in_role("manager"), BOOK, q="claude")


def test_the_cost_change_is_told_for_requests_that_had_none(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(n, model="claude-new") for n in range(3)], PricingContext.load(conn))
    given = filled(
        starts_at=f"{NOON - timedelta(days=3):%Y-%m-%dT%H:%M}", uncached_input="3", cache_read="0.3", output="15"
    )
    given.pop("confirmed")
    shown = words(in_role("ops").post(ADD, given))
    assert "Of them without a cost today" in shown and "<dd>3</dd>" in shown
    assert Decimal("0.01") == Decimal(shown.split("At this price, about</dt><dd>")[1].split("</dd>")[0].lstrip("$"))
