"""What repeats is made once for each of its days, at that day's rate, and can be changed from a day on, and stopped."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from costs.charges.recurrences import change, post_recurrences, waiting
from costs.models import Charge, ExchangeRate, Recurrence
from providers.audit.log import AuditEntry
from tests.traffic.people import logged_in, person, text

TODAY = datetime.now(UTC).date()
URL = "/spend/charges/repeating/"
GOOD = {
    "category": "upkeep", "provider": "self", "day": "", "month": f"{TODAY:%Y-%m}", "amount": "50", "currency": "USD",
    "rate": "", "description": "Rack", "repeats": "month", "until": "",
}  # fmt: skip


@pytest.fixture
def client(db: None) -> Client:
    return logged_in(person("ann", "costs.view_charge", "costs.add_charge"))


def series(**given: Any) -> Recurrence:
    start = given.setdefault("starts_on", date(2026, 1, 31))
    values = {"every": "month", "counts_from": start, "category": "upkeep", "provider": "self", "original_amount": 50}
    return Recurrence.objects.create(**values | given)


def days() -> list[str]:
    return [f"{day:%m-%d}" for day in Charge.objects.order_by("day").values_list("day", flat=True)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["01-31", "02-28", "03-31", "04-30"]),
        ({"until": date(2026, 3, 30)}, ["01-31", "02-28"]),
        ({"every": "week", "until": date(2026, 2, 15)}, ["01-31", "02-07", "02-14"]),
        ({"counts_from": date(2026, 3, 1)}, ["03-31", "04-30"]),
        ({"starts_on": date(2026, 5, 2)}, []),
    ],
)
def test_each_day_is_made_once_and_none_before_its_time(db: None, given: Any, expected: list[str]) -> None:
    series(**given)
    for day in (date(2026, 2, 1), date(2026, 5, 1), date(2026, 5, 1)):
        post_recurrences(day)
    assert days() == expected


def test_a_day_without_a_rate_waits_and_takes_its_own_days_rate_once_there_is_one(db: None) -> None:
    one = series(currency="EUR", starts_on=date(2026, 1, 1), until=date(2026, 2, 1))
    ExchangeRate.objects.create(currency="EUR", day=date(2025, 12, 30), usd="1.10", source="the bank")
    post_recurrences(date(2026, 2, 5))
    assert waiting([one], date(2026, 2, 5)) == {one.pk: [date(2026, 2, 1)]}
    ExchangeRate.objects.create(currency="EUR", day=date(2026, 1, 30), usd="1.20", source="the bank")
    post_recurrences(date(2026, 2, 5))
    made = Charge.objects.order_by("day").values_list("amount", "original_amount", "rate", "rate_source")
    assert list(made) == [
        (Decimal(55), Decimal(50), Decimal("1.1"), "the bank, 2025-12-30"),
        (Decimal(60), Decimal(50), Decimal("1.2"), "the bank, 2026-01-30"),
    ]  # fmt: skip


def test_a_change_makes_anew_what_is_open_and_leaves_what_is_final(db: None) -> None:
    one = series()
    post_recurrences(date(2026, 5, 20))
    # January to March are final on 20 May; the change reaches back into April at most.
    change(recurrence=one, since=date(2026, 3, 1), today=date(2026, 5, 20), original_amount=Decimal(70))
    amounts = Charge.objects.order_by("day").values_list("original_amount", flat=True)
    assert list(amounts) == [50, 50, 50, 70]
    assert post_recurrences(date(2026, 5, 20)) == 0


def test_one_is_entered_on_the_charges_form_changed_stopped_and_goes_on(client: Client) -> None:
    assert client.post("/spend/charges/add/", GOOD)["Location"] == URL
    one, first = Recurrence.objects.get(), TODAY.replace(day=1)
    charge = Charge.objects.get()
    assert (charge.day, charge.key, charge.of_a_month) == (first, f"recurring:{one.pk}:{first}", True)
    assert "<b>1 repeating cost</b>, next on" in text(client, URL)
    client.post(f"{URL}{one.pk}/", GOOD | {"amount": "60", "since": first.isoformat()})
    assert Charge.objects.get().amount == 60
    page = client.post(f"{URL}{one.pk}/stop/", follow=True).content.decode()
    assert f'action="{URL}{one.pk}/resume/"' in page
    assert "No active repeating costs." in " ".join(page.split())
    client.post(f"{URL}{one.pk}/resume/")
    assert Recurrence.objects.get().stopped_at is None
    assert AuditEntry.objects.count() == 4


def test_a_change_of_a_series_is_taken_back_once(client: Client) -> None:
    client.post("/spend/charges/add/", GOOD)
    one, first = Recurrence.objects.get(), TODAY.replace(day=1)
    page = client.post(f"{URL}{one.pk}/", GOOD | {"amount": "60", "since": first.isoformat()}, follow=True)
    assert f'action="{URL}{one.pk}/undo/"' in page.content.decode()
    client.post(f"{URL}{one.pk}/undo/")
    one.refresh_from_db()
    assert [one.original_amount, Charge.objects.get().amount] == [50, 50]
    assert "can no longer be undone" in client.post(f"{URL}{one.pk}/undo/", follow=True).content.decode()


def test_a_deleted_time_is_not_made_again_until_it_is_brought_back(client: Client) -> None:
    client.post("/spend/charges/add/", GOOD)
    charge = Charge.objects.get()
    client.post(f"/spend/charges/{charge.pk}/delete/")
    assert post_recurrences(TODAY) == 0
    client.post(f"/spend/charges/{charge.pk}/undo/")
    back = Charge.objects.get()
    assert (back.key, back.recurrence, post_recurrences(TODAY)) == (charge.key, Recurrence.objects.get(), 0)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"until": "2026-01-01"}, "until", "The last day is before the first."),
        ({"repeats": "", "until": "2199-01-01"}, "until", "Only a repeating cost has a last day."),
        ({"category": "invoice"}, "repeats", "An invoice is for one month. Enter each one separately."),
        ({"currency": "EUR"}, "currency", "There is no rate of EUR for"),
        ({"currency": "EUR", "rate": "1.1"}, "rate", "Each repetition uses the rate of its day. Enter it under"),
    ],
)
def test_what_is_refused_says_why(client: Client, changes: Any, field: str, sentence: str) -> None:
    answer = client.post("/spend/charges/add/", GOOD | changes)
    assert sentence in str(answer.context["form"].errors[field])
    assert not Recurrence.objects.exists()
    assert not Charge.objects.exists()


def test_a_change_cannot_reach_into_a_final_month(client: Client) -> None:
    one = series(starts_on=TODAY - timedelta(days=200))
    answer = client.post(f"{URL}{one.pk}/", GOOD | {"since": str(TODAY - timedelta(days=120))})
    assert "is final at" in str(answer.context["form"].errors["since"])
