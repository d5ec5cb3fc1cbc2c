"""Entered charges: who may, what is refused and why, and the way back from a deletion."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from costs.allocation.queries import spend
from costs.ledger import posting as ledger
from costs.models import Charge
from providers.audit.log import AuditEntry
from tests.factories import AccountFactory, ChargeFactory, FeedFactory
from tests.traffic.people import logged_in, person, text

URL = "/spend/charges/"
ADD = f"{URL}add/"
TODAY = datetime.now(UTC).date()
GOOD = {
    "category": "upkeep", "provider": "self", "day": "2026-03-04", "month": "", "amount": "50", "currency": "USD",
    "rate": "", "description": "Two hours of work",
}  # fmt: skip


@pytest.fixture
def ann(db: None) -> User:
    return person("ann", "costs.view_charge", "costs.add_charge")


@pytest.fixture
def client(ann: User) -> Client:
    return logged_in(ann)


@pytest.fixture
def charge(client: Client) -> Charge:
    """Of a month that is still open: one that is final is corrected by another line."""
    enter(client, day=TODAY.isoformat())
    return Charge.objects.get()


def enter(client: Client, **changes: str) -> Any:
    return client.post(ADD, GOOD | changes)


def made(**given: Any) -> Charge:
    """A line of the ledger that no person entered."""
    start = datetime(2026, 3, 4, tzinfo=UTC)
    values: dict[str, Any] = {
        "key": "billed:1", "provider": "runpod", "day": start.date(), "starts_at": start,
        "ends_at": start + timedelta(days=1), "category": "gpu", "provenance": "billed", "amount": 8,
        "original_amount": 8,
    }  # fmt: skip
    return ChargeFactory.create(**values | given)


# Who may.


@pytest.mark.parametrize("url", [URL, ADD, f"{URL}1/"])
def test_a_stranger_is_sent_to_the_login(db: None, url: str) -> None:
    assert Client().get(url)["Location"].startswith("/login/")


def test_who_sees_no_figures_sees_no_charges(db: None) -> None:
    staff = logged_in(person("sam", "traffic.view_quality"))
    assert staff.get(URL).status_code == 403
    assert staff.get(ADD).status_code == 403


def test_who_may_only_look_cannot_change_anything(db: None, charge: Charge) -> None:
    ops = logged_in(person("omar", "costs.view_charge"))
    page = text(ops, URL)
    assert "Two hours of work" in page
    assert "Delete" not in page
    assert ops.get(ADD).status_code == 403
    for path in (ADD, f"{URL}{charge.pk}/", f"{URL}{charge.pk}/delete/", f"{URL}{charge.pk}/undo/"):
        assert ops.post(path, GOOD).status_code == 403
    assert Charge.objects.get().amount == 50


# What is entered.


def test_a_charge_counts_for_its_day_and_is_written_down(client: Client, ann: User) -> None:
    answer = enter(client)
    assert (answer.status_code, answer["Location"]) == (302, URL)
    charge = Charge.objects.get()
    assert (charge.provenance, charge.entered_by, charge.day) == ("entered", ann, date(2026, 3, 4))
    assert spend(date(2026, 3, 1), date(2026, 4, 1)).provenance["entered"] == 50
    entry = AuditEntry.objects.get()
    assert (entry.actor_id, entry.words) == (ann.pk, "upkeep, Self-hosted, 2026-03-04, 50.00 USD")
    assert "<b>1 manual entry</b> of <b>$50.00</b>." in text(client, URL)


def test_another_currency_is_kept_beside_its_dollars(client: Client) -> None:
    enter(client, currency="eur", amount="100", rate="1.0842", day=TODAY.isoformat())
    charge = Charge.objects.get()
    assert (charge.amount, charge.original_amount, charge.currency) == (Decimal("108.42"), Decimal(100), "EUR")
    form = client.get(f"{URL}{charge.pk}/").context["form"]
    assert (form["amount"].value(), form["rate"].value()) == ("100.00", "1.0842")


def test_a_provider_may_be_said_by_its_name(client: Client) -> None:
    enter(client, provider=" RunPod ")
    assert Charge.objects.get().provider == "runpod"


def test_an_invoice_is_for_a_month_and_replaces_what_is_not_billed(client: Client) -> None:
    enter(client, category="invoice", provider="runpod", day="", month="2026-03", amount="200")
    charge = Charge.objects.get()
    assert (charge.day, charge.invoice_month) == (date(2026, 3, 1), "2026-03")
    made(key="estimated:1", provenance="estimated")
    assert spend(date(2026, 3, 1), date(2026, 4, 1)).total == 200


def test_a_credit_lowers_the_spend(client: Client) -> None:
    enter(client, category="credit", amount="-12.50")
    assert spend(date(2026, 3, 1), date(2026, 4, 1)).total == Decimal("-12.5")


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"amount": "NaN"}, "amount", "Write the amount as a number such as 1234.56."),
        ({"amount": "Infinity"}, "amount", "Write the amount as a number such as 1234.56."),
        ({"amount": "fifty"}, "amount", "Write the amount as a number such as 1234.56."),
        ({"amount": ""}, "amount", "Enter the amount."),
        ({"amount": "0"}, "amount", "The amount cannot be zero."),
        ({"amount": "-1"}, "amount", "Only a credit or an adjustment can be negative."),
        ({"amount": "1e300"}, "amount", "Ensure that there are no more than 18 digits in total."),
        ({"amount": "99999999"}, "amount", "The amount must be below ten million USD."),
        ({"category": "credit", "amount": "5"}, "amount", "Enter a credit with a minus, because it lowers the spend."),
        ({"category": "tokens"}, "category", "Select a valid choice. tokens is not one of the available choices."),
        ({"provider": "run\x07pod"}, "provider", "A provider is written with small letters, digits, dots and hyphens."),
        ({"provider": "../x"}, "provider", "A provider is written with small letters, digits, dots and hyphens."),
        ({"provider": ""}, "provider", "Enter the provider."),
        ({"day": "2199-01-01"}, "day", "The day is in the future. Enter a cost once it has occurred."),
        ({"day": "1999-01-01"}, "day", "The first possible year is 2020."),
        ({"day": "soon"}, "day", "Write the day as 2026-11-24."),
        ({"day": ""}, "day", "Enter the day or the month."),
        ({"month": "2026-03"}, "month", "Enter the day or the month, not both."),
        ({"day": "", "month": "2199-01"}, "month", "This month has not begun yet."),
        ({"day": "", "month": "2026-13"}, "month", "Write the month as 2026-11."),
        ({"category": "invoice"}, "month", "Choose the month of the invoice."),
        ({"currency": "EUR"}, "rate", "Enter how many USD one EUR was."),
        ({"currency": "EUR", "rate": "0"}, "rate", "The rate must be above zero."),
        ({"currency": "EUR", "rate": "NaN"}, "rate", "Write the rate as a number such as 1.0842."),
        ({"rate": "1.1"}, "rate", "USD needs no rate. Clear it or choose another currency."),
        ({"currency": "US$"}, "currency", "A currency has three letters, such as EUR."),
    ],
)
def test_what_is_refused_says_why(client: Client, changes: dict[str, str], field: str, sentence: str) -> None:
    answer = enter(client, **changes)
    assert answer.status_code == 422
    assert sentence in answer.context["form"].errors[field]
    assert not Charge.objects.exists()


def test_an_invoice_of_a_month_that_is_billed_already_is_refused(client: Client) -> None:
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    FeedFactory.create(
        account=account, every_s=60, due_at=datetime.now(UTC),
        complete_until=datetime(2026, 4, 1, tzinfo=UTC),
    )  # fmt: skip
    ledger.post()
    invoice = {"category": "invoice", "provider": "runpod", "day": ""}
    answer = enter(client, **invoice, month="2026-03")
    assert "The cost would count twice" in str(answer.context["form"].errors["provider"])
    assert enter(client, **invoice, month="2026-04").status_code == 302


# Changing and deleting.


def test_a_charge_can_be_changed_and_the_log_says_from_what(client: Client, charge: Charge) -> None:
    assert client.get(f"{URL}{charge.pk}/").status_code == 200
    client.post(f"{URL}{charge.pk}/", GOOD | {"amount": "60", "day": str(TODAY - timedelta(days=1))})
    charge.refresh_from_db()
    assert (charge.amount, charge.day, Charge.objects.count()) == (60, TODAY - timedelta(days=1), 1)
    after = f"50.00 USD, now upkeep, Self-hosted, {charge.day}, 60.00 USD"
    assert after in AuditEntry.objects.latest("at").words


def test_a_deleted_charge_comes_back_as_it_was(client: Client, charge: Charge) -> None:
    enter(client, amount="1.23", description="other")
    before = Charge.objects.filter(pk=charge.pk).values("key", "day", "amount", "entered_by", "created_at").get()
    page = client.post(f"{URL}{charge.pk}/delete/", follow=True)
    assert f'action="{URL}{charge.pk}/undo/"' in page.content.decode()
    assert [c.description for c in Charge.objects.all()] == ["other"]
    client.post(f"{URL}{charge.pk}/undo/")
    after = Charge.objects.filter(key=before["key"]).values("key", "day", "amount", "entered_by", "created_at").get()
    # When it was entered is the database's own moment of writing the row.
    assert {k: v for k, v in after.items() if k != "created_at"} == {
        k: v for k, v in before.items() if k != "created_at"
    }
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["added", "added", "deleted", "added"]


def test_an_undo_works_once_and_for_oneself_alone(client: Client, charge: Charge) -> None:
    client.post(f"{URL}{charge.pk}/delete/")
    other = logged_in(person("bob", "costs.view_charge", "costs.add_charge"))
    page = other.post(f"{URL}{charge.pk}/undo/", follow=True).content.decode()
    assert "can no longer be restored" in page
    assert not Charge.objects.exists()
    for _ in range(2):
        client.post(f"{URL}{charge.pk}/undo/")
    assert Charge.objects.count() == 1


def test_a_final_month_is_corrected_by_a_line_of_today_and_keeps_what_was_stated(client: Client, ann: User) -> None:
    enter(client, currency="EUR", amount="100", rate="1.10")
    charge = Charge.objects.get()
    correct = f"{URL}{charge.pk}/correct/"
    for path in ("", "delete/"):
        assert client.post(f"{URL}{charge.pk}/{path}", GOOD | {"amount": "60"})["Location"] == correct
    answer = client.post(correct, {"right": "100", "reason": "x"})
    assert answer.context["form"].errors["right"] == ["The entry already has this amount."]
    assert client.post(correct, {"right": "-1", "reason": "x"}).status_code == 422
    client.post(correct, {"right": "80", "reason": "Two hours less"})
    line = Charge.objects.get(corrects=charge)
    assert (line.day, line.category) == (TODAY, "adjustment")
    assert line.amount == -22
    assert line.original_amount == -20
    assert spend(date(2026, 3, 1), date(2026, 4, 1)).total == 110
    assert "<b>80.00 EUR</b> for upkeep belongs to March" in text(client, correct)
    client.post(correct, {"right": "90", "reason": "One hour more"})
    assert Charge.objects.latest("pk").original_amount == 10


def test_a_charge_of_an_open_month_is_changed_and_not_corrected(client: Client, charge: Charge) -> None:
    assert client.get(f"{URL}{charge.pk}/correct/")["Location"] == f"{URL}{charge.pk}/"


def test_deleting_takes_a_post(client: Client, charge: Charge) -> None:
    assert client.get(f"{URL}{charge.pk}/delete/").status_code == 405
    assert Charge.objects.exists()


def test_what_bills_and_leases_make_cannot_be_touched(client: Client) -> None:
    line = made()
    assert client.get(f"{URL}{line.pk}/").status_code == 404
    assert client.post(f"{URL}{line.pk}/delete/").status_code == 404
    assert Charge.objects.count() == 1


# The list.


def test_the_list_can_be_held_to_a_month(client: Client) -> None:
    enter(client)
    enter(client, day="2026-02-04", amount="7")
    assert "<b>2 manual entries</b> of <b>$57.00</b>" in text(client, URL)
    assert "<b>1 manual entry</b> of <b>$7.00</b> for February" in text(client, URL, month="2026-02")
    assert "<b>2 manual entries</b>" in text(client, URL, month="x", page="x")


def test_without_charges_the_list_says_what_belongs_there(client: Client) -> None:
    page = text(client, URL)
    assert "No manual entries yet" in page
    assert f'href="{ADD}"' in page
