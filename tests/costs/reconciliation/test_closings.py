"""An invoice closes a month; what comes after it is a correction. The page tells why bills and log differ."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from costs.allocation.queries import spend
from costs.ledger import posting as ledger
from costs.models import Charge, Closing, Receipt
from costs.reconciliation import month_close
from costs.reconciliation.invoices import UnreadableInvoice, numbers, read_invoice
from costs.reconciliation.reconcile import Reconciled, reconcile
from costs.reconciliation.tolerances import ReconciliationGap, reconciliation_gaps, set_tolerance
from costs.spend.page import SpendPage, SpendParams
from costs.tasks import post_ledger
from providers.models import Account, Feed, VendorCost, VendorUsage
from tests.costs.people import client_of, text
from tests.costs.usage_rows import usage
from tests.factories import AccountFactory, FeedFactory
from tests.query_ceilings import ceiling
from traffic.usage.filters import Filters

TODAY = timezone.now().astimezone(UTC).date()
MONTH = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)
SAID = f"{MONTH:%Y-%m}"
DAY = datetime(MONTH.year, MONTH.month, 12, tzinfo=UTC)
URL, CLOSE = "/spend/reconciliation/", "/spend/reconciliation/close/"


@pytest.fixture
def claude(db: Any) -> Account:
    """A month in which the vendor billed 10 USD, of which our log has 8."""
    account = AccountFactory.create(slug="claude", name="Claude")
    for kind in ("costs", "usage"):
        FeedFactory.create(account=account, kind=kind, every_s=60, due_at=timezone.now(), complete_until=timezone.now())
    for key, workspace, tokens in (("k1", "main", 800_000), ("", "main", 200_000)):
        VendorUsage.objects.create(
            account=account, starts_at=DAY, ends_at=DAY + timedelta(hours=1), model="claude", api_key=key,
            workspace=workspace, service_tier="standard", requests=5, output=tokens,
        )  # fmt: skip
    billed(account, "10")
    usage(day=DAY.date(), cost=Decimal(8), output=800_000, model="claude", requests=5)
    ledger.post()
    return account


def billed(account: Account, amount: str) -> None:
    VendorCost.objects.update_or_create(
        account=account, external_id="line",
        defaults={
            "category": "tokens", "model": "claude", "token_class": "output", "starts_at": DAY,
            "ends_at": DAY + timedelta(days=1), "amount": Decimal(amount), "original_amount": Decimal(amount),
        },
    )  # fmt: skip


@pytest.fixture
def manager(claude: Account) -> Client:
    return client_of("manager")


def send(client: Client, **given: Any) -> Any:
    return client.post(CLOSE, {"provider": "anthropic", "month": SAID, **given})


def errors(client: Client, **given: Any) -> dict[str, str]:
    answer = send(client, **given)
    assert answer.status_code == 422
    assert not Closing.objects.exists() and not Receipt.objects.exists(), "nothing is saved by half"
    return {name: " ".join(texts) for name, texts in answer.context["form"].errors.items()}


def a_file(content: str | bytes, name: str = "invoice.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content, "text/csv")


def row(provider: str = "anthropic", month: date = MONTH) -> Reconciled:
    return next(one for one in reconcile(month, timezone.now()).rows if one.provider == provider)


def causes(of: Reconciled) -> dict[str, Decimal]:
    assert sum((cause.amount for cause in of.causes), Decimal(0)) == of.difference
    return {cause.cause: cause.amount for cause in of.causes}


def test_an_invoice_with_tax_closes_the_month_and_the_ledger_adds_up_to_it(manager: Client) -> None:
    assert send(manager, amount="12,20", tax="2,20", number="A-7").status_code == 302
    found = row()
    assert causes(found) == {"other_keys": Decimal(2), "tax": Decimal("2.2")}
    assert (found.billed, str(reconcile(MONTH, timezone.now()).unexplained)) == (Decimal("12.2"), "0.00")
    until = (MONTH + timedelta(days=31)).replace(day=1)
    assert spend(MONTH, until).total == Decimal("12.2")
    assert "closed on" in text(manager, f"{URL}?month={SAID}")


def test_every_page_calls_a_closed_month_final(manager: Client) -> None:
    asked = f"month={SAID}"
    send(manager, amount="12.20", tax="2.20")
    answer = manager.get(f"/api/v1/statements?{asked}").json()
    assert (answer["state"], answer["final_on"]) == ("final", TODAY.isoformat())
    page = text(manager, f"/spend/ledger/?{asked}")
    assert "final (" in page
    assert "open until" not in page
    (provider,) = SpendPage(SpendParams(MONTH, Filters()), timezone.now()).providers
    assert provider.final == TODAY


def test_a_csv_is_added_up_kept_and_its_tax_and_credits_named(manager: Client) -> None:
    lines = (
        "\ufeffDescription;Amount;Currency;Period\nClaude;10,00;USD;{0}\nVAT;2,20;USD;{0}\n"
        "Promo credit;-1,00;USD;{0}\nTotal;11,20;USD;\n"
    )
    assert send(manager, file=a_file(lines.format(SAID))).status_code == 302
    assert causes(row()) == {"other_keys": Decimal(2), "tax": Decimal("2.2"), "credit": Decimal(-1)}
    closing = Closing.objects.get()
    assert closing.amount == Decimal("11.2")
    assert closing.receipt is not None and bytes(closing.receipt.content).startswith(b"\xef\xbb\xbf")


def test_what_an_invoice_leaves_without_a_cause_must_be_accepted(manager: Client) -> None:
    assert "is unexplained" in errors(manager, amount="15")["amount"]
    assert send(manager, amount="15", accept="on").status_code == 302
    assert row().unexplained == 5


def test_half_a_cent_is_rounding(manager: Client) -> None:
    VendorCost.objects.update(amount=Decimal("10.004"))
    ledger.post()
    assert send(manager, amount="10.00").status_code == 302
    assert causes(row())["rounding"] == Decimal("-0.004")


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"amount": "10", "month": f"{TODAY:%Y-%m}"}, "month", "is not over"),
        ({"amount": "10", "month": "2026-13"}, "month", "Write the month"),
        ({"amount": "10", "month": "2024-01"}, "month", "There is no cost"),
        ({"amount": "10", "currency": "EUR"}, "currency", "bills in USD"),
        ({"amount": "10", "currency": "E"}, "currency", "three letters"),
        ({"amount": "10", "account": "pods"}, "account", "is an account at RunPod"),
        ({"amount": "-3"}, "amount", "cannot be negative"),
        ({"amount": "1,234"}, "amount", "decimal sign"),
        ({"amount": "ten"}, "amount", "not an amount"),
        ({}, "amount", "Enter the amount"),
        ({"file": "Amount,Period\n10.00,2024-02\n"}, "file", "The file is for 2024-02"),
        ({"file": "Amount,Currency\n10.00,EUR\n"}, "currency", "Check the account"),
        ({"file": "Amount,Currency\n10.00,EUR\n1.00,USD\n"}, "file", "one currency"),
        ({"file": "Amount,Account\n10.00,Pods\n"}, "file", "an account at RunPod"),
        ({"file": "Amount,Account\n10.00,org-9\n"}, "file", "not known at"),
        ({"file": "Amount\n10.00\n", "amount": "11"}, "amount", "add up to 10.00"),
        ({"file": "What\nx\n"}, "file", "No column"),
        ({"file": "Amount\n"}, "file", "no line with an amount"),
    ],
)
def test_a_wrong_invoice_is_refused_by_a_sentence_at_its_field(
    manager: Client, given: dict[str, Any], field: str, said: str
) -> None:
    AccountFactory.create(slug="pods", name="Pods", kind="runpod")
    sent = {name: a_file(value) if name == "file" else value for name, value in given.items()}
    assert said in errors(manager, **sent)[field]


def test_a_month_is_closed_once_and_only_when_its_bill_is_whole(manager: Client) -> None:
    Feed.objects.update(complete_until=DAY + timedelta(days=1))
    assert "only before" in errors(manager, amount="10")["month"]
    Feed.objects.update(complete_until=timezone.now())
    assert send(manager, amount="10").status_code == 302
    again = send(manager, amount="11")
    assert "was closed on" in str(again.context["form"].errors["month"])


def test_what_a_vendor_revises_later_is_a_correction_and_leaves_the_closed_month(
    manager: Client, claude: Account
) -> None:
    send(manager, amount="10")
    before = row()
    billed(claude, "10.75")
    for _again in range(2):
        ledger.post()
        month_close.revise(TODAY)
    assert (row().billed, causes(row())) == (before.billed, causes(before))
    assert Charge.objects.get(provenance="billed").amount == 10
    change = Charge.objects.get(key__startswith="revision:")
    assert (change.amount, change.day, change.is_final(TODAY)) == (Decimal("0.75"), TODAY, True)
    assert causes(row(month=TODAY.replace(day=1)))["late_revision"] == Decimal("0.75")
    assert month_close.amount_now(Closing.objects.get()) == Decimal("10.75")
    assert not ledger.differences()
    billed(claude, "10")
    month_close.revise(TODAY)
    assert month_close.amount_now(Closing.objects.get()) == 10


def test_a_person_corrects_a_closed_month_on_a_later_day(manager: Client) -> None:
    send(manager, amount="10")
    pk = Closing.objects.get().pk
    assert manager.post(f"{URL}{pk}/correct/", {"right": "10", "reason": "x"}).status_code == 422
    assert manager.post(f"{URL}{pk}/correct/", {"right": "8.50", "reason": "credit note"}).status_code == 302
    made = Charge.objects.get(description="credit note")
    assert (made.amount, made.day) == (Decimal("-1.5"), TODAY)
    assert row().billed == 10
    answer = manager.post(
        "/spend/charges/add/",
        {"category": "tax", "provider": "anthropic", "month": SAID, "amount": "1", "currency": "USD"},
    )
    assert "closed by an invoice" in str(answer.context["form"].errors["month"])


def test_a_closing_of_today_is_taken_back_with_its_lines(manager: Client) -> None:
    send(manager, amount="12", tax="2")
    pk = Closing.objects.get().pk
    assert manager.post(f"{URL}{pk}/reopen/").status_code == 302
    assert not Closing.objects.exists()
    (left,) = Charge.objects.all()
    assert (left.provenance, left.closing) == ("billed", None)
    send(manager, amount="12", tax="2")
    Closing.objects.update(created_at=timezone.now() - timedelta(days=1))
    manager.post(f"{URL}{Closing.objects.get().pk}/reopen/")
    assert Closing.objects.exists()


def test_log_says_when_a_month_is_closed_revised_corrected_and_opened_again(
    manager: Client, claude: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="costs.reconciliation.month_close")
    send(manager, amount="12", tax="2")
    pk, month = Closing.objects.get().pk, f"provider=anthropic month={SAID}"
    manager.post(f"{URL}{pk}/reopen/")
    send(manager, amount="12", tax="2")
    again = Closing.objects.get()
    billed(claude, "10.75")
    month_close.revise(TODAY)
    manager.post(f"{URL}{again.pk}/correct/", {"right": "8.50", "reason": "credit note"})
    charge = Charge.objects.get(description="credit note")
    lines = [record for record in caplog.records if record.name == "costs.reconciliation.month_close"]
    assert [(record.levelname, record.getMessage()) for record in lines] == [
        ("INFO", f"month_closed closing={pk} {month} lines={len(again.places)}"),
        ("INFO", f"month_reopened closing={pk} {month}"),
        ("INFO", f"month_closed closing={again.pk} {month} lines={len(again.places)}"),
        ("WARNING", f"closed_month_revised closing={again.pk} {month}"),
        ("INFO", f"closed_month_corrected closing={again.pk} charge={charge.pk}"),
    ]


def test_log_says_what_a_posting_of_the_ledger_changed(claude: Account, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="costs.tasks")
    billed(claude, "11")
    post_ledger()
    (line,) = caplog.messages
    assert line.startswith("ledger_posted lines=1 recurring=0 revisions=0 months_compared=2 ms=")


def test_a_provider_without_a_bill_is_closed_by_the_invoice_itself(manager: Client) -> None:
    usage(day=DAY.date(), cost=Decimal(3), provider="openai", model="gpt")
    AccountFactory.create(slug="o", name="O", kind="openai")
    assert send(manager, provider="openai", amount="3.66", tax="0.66").status_code == 302
    assert causes(row("openai")) == {"tax": Decimal("0.66")}
    assert {charge.amount for charge in Charge.objects.filter(provider="openai")} == {Decimal("3.66")}
    days = [part for part in reconcile(MONTH, timezone.now()).by("day") if part.provider == "openai"]
    assert [part.difference for part in days] == [Decimal(-3), Decimal("3.66")]


def test_coverage_is_told_by_key_and_workspace_and_a_key_can_be_anothers(manager: Client, claude: Account) -> None:
    page = text(manager, f"{URL}?month={SAID}")
    assert "<b>80 %</b> of the tokens billed by Anthropic" in page.replace("\u202f", " ").replace("\xa0", " ")
    manager.post(f"{URL}keys/", {"account": "claude", "key": "k1", "owner": "~other", "month": SAID})
    assert causes(row()) == {"other_keys": Decimal(2)}
    found = manager.get(f"/api/v1/reconciliation?month={SAID}&by=day").json()
    assert [(key["api_key"], key["share"]) for key in found["coverage"][0]["keys"]] == [("k1", 0.0), (None, 0.0)]
    assert found["parts"][0]["model"] == "claude"
    assert found["tolerance"][0]["provider"] == "anthropic"


def over_tolerance() -> list[ReconciliationGap]:
    return [gap for gap in reconciliation_gaps(timezone.now()) if gap.over]


def test_over_tolerance_names_provider_and_month(manager: Client) -> None:
    assert not over_tolerance(), "2 USD are below 5"
    assert manager.post(f"{URL}tolerance/anthropic/", {"percent": "10", "usd": "0"}).status_code == 302
    (found,) = over_tolerance()
    assert (found.provider, found.month, found.gap, found.allowed) == ("anthropic", MONTH, Decimal(2), Decimal(1))
    assert found.causes[0].cause == "other_keys"
    set_tolerance(provider="anthropic", share=Decimal("0.2"), amount=Decimal(0), user=None)
    assert not over_tolerance()


def test_the_page_reads_no_more_for_more_days(manager: Client, claude: Account) -> None:
    manager.get(f"{URL}?month={SAID}")
    with CaptureQueriesContext(
        connection,
    ) as few:
        manager.get(f"{URL}?month={SAID}")
    for day in range(1, 10):
        usage(day=MONTH + timedelta(days=day), cost=Decimal(1), output=9, model=f"m{day}")
    with CaptureQueriesContext(connection) as many:
        manager.get(f"{URL}?month={SAID}")
    assert len(many) == len(few) <= ceiling("/spend/reconciliation/ of a month that a vendor billed")


def test_days_are_folded_until_a_provider_is_chosen(manager: Client) -> None:
    page = text(manager, f"{URL}?month={SAID}")
    assert '<details class="fold"> <summary>Show each day' in " ".join(page.split())
    page = text(manager, f"{URL}?month={SAID}&provider=anthropic")
    assert '<details class="fold" open> <summary>Show each day' in " ".join(page.split())


def test_causes_lead_to_requests_or_bill_lines(manager: Client) -> None:
    usage(day=DAY.date() + timedelta(days=1), cost=Decimal(1), output=100, model="lost")
    page = text(manager, f"{URL}?month={SAID}")
    day = DAY.date() + timedelta(days=1)
    assert f"/requests/?provider=anthropic&amp;from={day}&amp;to={day + timedelta(days=1)}&amp;model=lost" in page
    assert f"/spend/ledger/?month={SAID}&amp;provider=anthropic&amp;provenance=billed" in page


def test_a_month_of_nothing_says_what_to_do(db: Any) -> None:
    page = text(client_of("manager"), f"{URL}?month=2020-01")
    assert "Nothing to compare yet" in page and "Connect an account" in page


# Files.


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1.234,56", "7"], ["1234.56", "7"]),
        (["1,234.56", "1,000"], ["1234.56", "1000"]),
        (["$ 12.50", "(3.10)", "4.00-", "-€2.00"], ["12.50", "-3.10", "-4.00", "-2.00"]),
        (["1 234,50", "1\u00a0000,00"], ["1234.50", "1000.00"]),
        (["1,234,567", "0.005"], ["1234567", "0.005"]),
    ],
)
def test_amounts_are_read_by_the_sign_that_the_file_shows(texts: list[str], expected: list[str]) -> None:
    assert numbers(texts) == [Decimal(text) for text in expected]


@pytest.mark.parametrize("texts", [["1,234"], ["1,5", "2.5"], ["12 USD 3"], [""]])
def test_amounts_that_may_be_either_are_refused(texts: list[str]) -> None:
    with pytest.raises(UnreadableInvoice):
        numbers(texts)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_is_read_in_the_encodings_that_offices_write(encoding: str) -> None:
    found = read_invoice("Währung;Betrag;Beschreibung\nEUR;10,00;Läufe\nEUR;1,90;MwSt\n".encode(encoding))
    assert (found.amount, dict(found.named), sorted(found.currencies)) == (
        Decimal("11.90"), {"tax": Decimal("1.90")}, ["EUR"],
    )  # fmt: skip


def test_a_picture_called_csv_is_refused() -> None:
    with pytest.raises(UnreadableInvoice):
        read_invoice(b"\x89PNG\x00\x00")
