"""A vendor's FOCUS bill becomes charges: what is read, what is refused by row, and the way back."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from costs import focus
from costs.allocation.queries import spend
from costs.bill_imports import services as bill_imports
from costs.bill_imports.services import enter_bill
from costs.focus.bill import UnreadableBill, read_bill
from costs.models import BillImport, Charge, ExchangeRate
from costs.reconciliation import queries as bills
from costs.reconciliation.reconcile import reconciled
from tests.costs.entered import account, entered
from tests.costs.people import client_of, text
from tests.costs.usage_rows import at, usage
from tests.factories import ApplicationFactory

URL = "/spend/bills/"
TODAY = datetime.now(UTC).date()
MONTH = TODAY.replace(day=1)
OLD, NEW = "ProviderName", "ServiceProviderName"  # 1.0 to 1.2, and 1.3 on
ROW = {
    NEW: "OpenAI", "BillingAccountId": "org-1", "BilledCost": "2.50", "BillingCurrency": "USD",
    "BillingPeriodStart": f"{MONTH}T00:00:00Z", "ChargePeriodStart": f"{MONTH}T05:00:00Z", "ChargeCategory": "Usage",
    "ServiceCategory": "AI and Machine Learning", "ServiceName": "Responses API", "ResourceId": "proj_1",
    "Tags": '{"application": "shop"}',
}  # fmt: skip


def written(*rows: dict[str, str], sign: str = ",", bom: str = "") -> bytes:
    names = list(ROW if not rows else rows[0])
    cells = [sign.join('"' + (ROW | row).get(name, "").replace('"', '""') + '"' for name in names) for row in rows]
    return (bom + "\r\n".join([sign.join(names), *cells]) + "\r\n").encode()


def line(**changes: str) -> dict[str, str]:
    return ROW | changes


def upload(client: Client, content: bytes, name: str = "bill.csv", **more: Any) -> Any:
    return client.post(URL, {"file": SimpleUploadedFile(name, content)}, **more)


@pytest.fixture
def manager(db: None) -> Client:
    return client_of("manager")


def test_a_bill_is_looked_at_entered_once_and_taken_back(manager: Client) -> None:
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    content = written(line(), line(BilledCost="1.25"), line(BilledCost="0", ServiceName="free"))
    one = upload(manager, content)["Location"]
    assert not Charge.objects.exists()
    assert "has <b>1 entry</b> of <b>$3.75</b>" in text(manager, one)
    manager.post(f"{one}enter/")
    charge = Charge.objects.get()
    assert (charge.provider, charge.category, charge.day, charge.amount, charge.application) == (
        "openai", "tokens", MONTH, Decimal("3.75"), shop,
    )  # fmt: skip
    # The same file twice changes nothing, neither by upload nor by entering it again.
    assert upload(manager, content)["Location"] == one
    manager.post(f"{one}enter/")
    assert (Charge.objects.count(), BillImport.objects.count()) == (1, 1)
    assert "<b>1 bill file</b> of <b>$3.75</b>." in text(manager, URL)
    manager.post(f"{one}undo/")
    assert not Charge.objects.exists()
    assert upload(manager, content)["Location"] != one


def test_log_says_what_became_of_a_bill_without_its_name(manager: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="costs.bill_imports")
    content = written(line(), line(BilledCost="1.25", ServiceName="other"))
    address = upload(manager, content, name="secret-name.csv")["Location"]
    bill = BillImport.objects.get().pk
    manager.post(f"{address}enter/")
    manager.post(f"{address}undo/")
    lines = [record.getMessage() for record in caplog.records if record.name == "costs.bill_imports.services"]
    assert [text.partition(" ms=")[0] for text in lines] == [
        f"bill_read bill={bill} bytes={len(content)} rows=2 unreadable=0 new=true",
        f"bill_entered bill={bill} charges=2",
        f"bill_taken_back bill={bill} charges=2",
    ]


def test_a_line_of_a_bill_is_not_changed_or_deleted_by_itself(manager: Client) -> None:
    one = upload(manager, written(line()))["Location"]
    manager.post(f"{one}enter/")
    before = Charge.objects.values().get()
    url = f"/spend/charges/{before['id']}/"
    good = {"category": "vm", "provider": "openai", "day": f"{MONTH}", "amount": "9", "currency": "USD"}
    for refused in (manager.get(url), manager.post(url, good), manager.post(f"{url}delete/")):
        assert refused["Location"] == one
    assert text(manager, one).count("Not changed. This entry is a line of bill.csv") == 3
    assert Charge.objects.values().get() == before
    assert f'href="{url}"' not in text(manager, "/spend/charges/")


def test_a_line_of_a_bill_whose_month_is_final_is_corrected(manager: Client) -> None:
    one = upload(manager, written(line()))["Location"]
    manager.post(f"{one}enter/")
    Charge.objects.update(day=MONTH - timedelta(days=200))
    url = f"/spend/charges/{Charge.objects.get().pk}/"
    assert manager.get(url)["Location"] == f"{url}correct/"


@pytest.mark.parametrize("column", [OLD, NEW, "PublisherName", "InvoiceIssuerName"])
def test_the_names_of_every_version_are_read(column: str) -> None:
    row = {name: cell for name, cell in ROW.items() if name != NEW} | {column: "Amazon Bedrock"}
    (found,) = read_bill("bill.csv", written(row)).lines
    assert (found.provider, found.bill) == ("bedrock", f"bedrock/org-1/{MONTH:%Y-%m}")


@pytest.mark.parametrize(
    ("amount", "sign", "bom", "expected"),
    [
        ("1.5E-05", ",", "", "0.000015"),
        ("0.123", ",", "\ufeff", "0.123"),
        ("1234,56", ";", "\ufeff", "1234.56"),
        ("1.234,56", ";", "", "1234.56"),
        ("-3,5", "\t", "", "-3.5"),
    ],
)
def test_decimal_signs_and_byte_order_marks_are_understood(amount: str, sign: str, bom: str, expected: str) -> None:
    (found,) = read_bill("bill.csv", written(line(BilledCost=amount), sign=sign, bom=bom)).lines
    assert found.amount == Decimal(expected)


def test_our_own_export_is_read_back_to_the_cent_as_csv_and_as_parquet(db: None) -> None:
    may, now = date(2026, 5, 1), datetime(2026, 6, 10, tzinfo=UTC)
    entered("lambda", "vm", "7.123456789012", date(2026, 5, 3))
    entered("lambda", "tax", "0.22", date(2026, 5, 4))
    entered("lambda", "credit", "-1", date(2026, 5, 5))
    month = focus.read(may, now)
    for kind in focus.KINDS:
        found = read_bill(f"bill.{kind}", focus.as_file("cost-and-usage", month, kind))
        assert (found.errors, sum(one.amount for one in found.lines)) == ([], Decimal("6.343456789012"))
        assert sorted(one.category for one in found.lines) == ["credit", "tax", "vm"]
        assert {one.day.day for one in found.lines} == {3, 4, 5}


@pytest.mark.parametrize("middle", [bytes(100) + b"PAR1", b"", b"\xff" * 40 + b"\x08\0\0\0PAR1"])
def test_a_file_that_only_begins_like_parquet_is_refused_by_a_sentence(manager: Client, middle: bytes) -> None:
    answer = upload(manager, b"PAR1" + middle, "bill.parquet")
    assert answer.status_code == 422
    assert 'id="id_file_error"' in answer.content.decode()


def test_it_stands_for_what_was_only_measured_of_its_provider_and_month(manager: Client) -> None:
    usage(day=MONTH, provider="openai", cost=Decimal(9))
    one = upload(manager, written(line()))["Location"]
    manager.post(f"{one}enter/")
    until = (MONTH + timedelta(days=32)).replace(day=1)
    assert spend(MONTH, until).total == Decimal("2.5")


def test_a_currency_counts_at_the_rate_of_its_day_and_without_one_is_refused(manager: Client) -> None:
    content = written(line(BillingCurrency="EUR"))
    one = upload(manager, content)["Location"]
    assert "There is no rate of EUR for" in text(manager, one)
    manager.post(f"{one}enter/")
    assert not Charge.objects.exists()
    ExchangeRate.objects.create(currency="EUR", day=MONTH, usd="1.2", source="the bank")
    manager.post(f"{one}enter/")
    charge = Charge.objects.get()
    assert (charge.amount, charge.original_amount, charge.currency, charge.rate_source) == (
        Decimal(3), Decimal("2.5"), "EUR", f"the bank, {MONTH}",
    )  # fmt: skip


def test_a_line_about_an_earlier_month_counts_in_the_one_that_asks_for_it() -> None:
    (found,) = read_bill("b.csv", written(line(ChargePeriodStart="2026-01-05T00:00:00Z"))).lines
    assert found.day == MONTH


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"BilledCost": "NaN"}, "BilledCost is not an amount: NaN."),
        ({"BilledCost": ""}, "BilledCost is not an amount"),
        ({"BilledCost": "99999999"}, "The amount must be below ten million."),
        ({"BillingCurrency": "credits"}, "BillingCurrency is not a currency: CREDITS."),
        ({"ChargePeriodStart": "yesterday"}, "ChargePeriodStart is not a date and time: yesterday."),
        ({"ChargeCategory": "Rent"}, "ChargeCategory is not one of FOCUS: Rent."),
        ({NEW: ""}, "No column names the provider"),
        ({"BillingPeriodStart": "2999-01-01T00:00:00Z"}, "This day is in the future."),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_entered(db: None, changes: dict[str, str], sentence: str) -> None:
    found = bill_imports.preview_bill(name="b.csv", content=written(line(), line(**changes)), today=TODAY)
    assert [(number, sentence in why) for number, why in found.errors] == [(3, True)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file has no row with a cost."),
        (b"a,b\r\n1,2\r\n", "it has no column BilledCost, BillingCurrency, ChargePeriodStart, ChargeCategory."),
        (b"\x00\x01\x02", "This is not a text"),
        (b"PAR1 but no more", "This is not a Parquet file."),
    ],
)
def test_what_is_no_bill_says_so(content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableBill, match=sentence):
        read_bill("bill.csv", content)


def test_a_bill_that_is_here_or_read_by_itself_is_not_counted_twice(manager: Client) -> None:
    one = upload(manager, written(line()))["Location"]
    manager.post(f"{one}enter/")
    again = upload(manager, written(line(BilledCost="3")))["Location"]
    assert "already has the bill of" in text(manager, again)
    account("anthropic", at(TODAY + timedelta(days=1)))
    other = upload(manager, written(line(**{NEW: "Anthropic"})))["Location"]
    assert "already covers this day" in text(manager, other)
    manager.post(f"{again}enter/")
    manager.post(f"{other}enter/")
    assert Charge.objects.count() == 1


def test_parquet_without_the_extra_is_a_sentence_and_lookers_on_change_nothing(
    manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focus.parquet, "find_spec", lambda name: None)
    answer = upload(manager, b"PAR1", "bill.parquet")
    assert (answer.status_code, "Parquet needs the extra" in answer.content.decode()) == (422, True)
    ops = client_of("ops")
    assert (ops.get(URL).status_code, upload(ops, written(line())).status_code) == (200, 403)


def test_its_lines_are_the_bill_that_ours_are_held_against(manager: Client) -> None:
    usage(day=MONTH, provider="openai", cost=Decimal(2))
    one = upload(manager, written(line()))["Location"]
    manager.post(f"{one}enter/")
    row = reconciled(bills.read(MONTH, datetime.now(UTC)), "openai")
    assert (row.billed, row.measured) == (Decimal("2.5"), Decimal(2))
    assert sum(cause.amount for cause in row.causes) == row.difference == Decimal("0.5")


def test_what_a_bill_of_a_vendor_that_we_log_nothing_of_is_for_has_its_name(manager: Client) -> None:
    lines = (line(), line(ServiceCategory="Storage", BilledCost="0.40"), line(ChargeCategory="Tax", BilledCost="0.55"))
    manager.post(f"{upload(manager, written(*lines))['Location']}enter/")
    row = reconciled(bills.read(MONTH, datetime.now(UTC)), "openai")
    found = {cause.cause: cause.amount for cause in row.causes}
    assert found == {"unseen_requests": Decimal("2.5"), "disk": Decimal("0.4"), "tax": Decimal("0.55")}
    # Each cause opens the bill's lines behind it.
    page = text(manager, "/spend/reconciliation/")
    for category, amount in (("tokens", "2.50"), ("disk", "0.40"), ("tax", "0.55")):
        url = f"/spend/ledger/?month={MONTH:%Y-%m}&provider=openai&category={category}"
        assert url.replace("&", "&amp;") in page
        assert f"<b>${amount}</b> in" in text(manager, url)
    # With requests of ours beside it, only what is no request can be told apart.
    usage(day=MONTH, provider="openai", cost=Decimal(2))
    row = reconciled(bills.read(MONTH, datetime.now(UTC)), "openai")
    found = {cause.cause: cause.amount for cause in row.causes}
    assert found == {"disk": Decimal("0.4"), "tax": Decimal("0.55"), "unexplained": Decimal("0.5")}


def test_nothing_new_is_dated_into_a_month_that_was_told_as_final(manager: Client) -> None:
    long_ago = TODAY - timedelta(days=150)
    charge = {"category": "vm", "provider": "self", "day": f"{long_ago}", "amount": "5", "currency": "USD"}
    usage(day=long_ago.replace(day=1), provider="openai", cost=Decimal(2))
    form = manager.post("/spend/charges/add/", charge)
    assert "Enter a correction on a later day." in str(form.context["form"].errors)
    old = f"{long_ago.replace(day=1)}T00:00:00Z"
    one = upload(manager, written(line(BillingPeriodStart=old, ChargePeriodStart=old)))["Location"]
    assert "Enter a correction" in text(manager, one)
    repeating = manager.post("/spend/charges/add/", charge | {"repeats": "month"})
    assert "Enter a correction" in str(repeating.context["form"].errors["day"])
    assert not Charge.objects.exists()


def test_a_bill_that_cannot_be_entered_is_a_warning(
    manager: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = upload(manager, written(line()))["Location"]
    looked = SimpleNamespace(errors=[(3, "The amount is no number.")], charges=[])
    monkeypatch.setattr("costs.bill_imports.services.preview_again", lambda *_arguments: looked)
    assert not enter_bill(pk=BillImport.objects.get().pk, today=MONTH, user=None), address
    assert not Charge.objects.exists()
    assert f"bill_refused bill={BillImport.objects.get().pk} unreadable=1" in caplog.text
