"""Exchange rates by hand and from the bank's file; receipts, which are kept and handed out with care."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from costs.charges.exchange_rates import NoRate, UnreadableRates, read_ecb, to_usd
from costs.charges.receipts import LARGEST, BadReceipt, checked
from costs.models import Charge, ExchangeRate, Receipt
from tests.traffic.people import logged_in, person, text

TODAY = datetime.now(UTC).date()
URL = "/spend/rates/"
HISTORY = b"\xef\xbb\xbfDate,USD,JPY,GBP,\n2026-03-04,1.0842,162.5,N/A,\n2026-03-03,1.0800,,0.84,\n"


@pytest.fixture
def client(db: None) -> Client:
    return logged_in(person("ann", "costs.view_charge", "costs.add_charge"))


def test_the_banks_file_is_crossed_with_its_dollar() -> None:
    found = {(rate.currency, rate.day.day): rate.usd for rate in read_ecb(HISTORY)}
    assert found == {
        ("EUR", 4): Decimal("1.0842"), ("JPY", 4): Decimal("0.0066720000"),
        ("EUR", 3): Decimal("1.0800"), ("GBP", 3): Decimal("1.2857142857"),
    }  # fmt: skip
    (one,) = read_ecb(b"Date, USD, \n24 November 2026, 1.1, \n")
    assert (one.currency, one.day) == ("EUR", date(2026, 11, 24))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe", "This is not a CSV file in UTF-8."),
        (b"", "The first row must have Date"),
        (b"Day,USD\n", "The first row must have Date"),
        (b"Date,USD\n", "The file has no rates."),
        (b"Date,USD\nsoon,1.1\n", "Row 2 has no valid day: soon."),
        (b"Date,USD\n2026-03-04,1.1\n2026-03-03,-1\n", "Row 3 has no valid rate of USD: -1."),
        (b'Date,USD\n2026-03-04,"1,1"\n', "Row 2 has no valid rate of USD: 1,1."),
        (b"Date,USD,<b>\n2026-03-04,1.1,2\n", "<b> is not a currency."),
    ],
)
def test_a_file_that_is_not_the_banks_is_refused_whole(client: Client, content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableRates, match=re.escape(sentence)):
        read_ecb(content)
    answer = client.post(URL, {"what": "file", "file": SimpleUploadedFile("x.csv", content)})
    assert answer.status_code == 422
    assert not ExchangeRate.objects.exists()


def test_rates_are_entered_by_hand_or_by_file_and_replace_those_of_their_day(client: Client) -> None:
    client.post(URL, {"what": "rate", "currency": "eur", "day": "2026-03-04", "usd": "1.2", "source": "my bank"})
    assert "<b>1 EUR is 1.2 USD</b> since 4 March 2026." in text(client, URL)
    client.post(URL, {"what": "file", "file": SimpleUploadedFile("eurofxref-hist.csv", HISTORY)})
    assert ExchangeRate.objects.count() == 4
    assert to_usd(Decimal(10), "EUR", date(2026, 3, 10)).amount == Decimal("10.842")
    looking = logged_in(person("omar", "costs.view_charge"))
    assert looking.post(URL, {"what": "rate"}).status_code == 403


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"currency": "USD"}, "currency", "USD needs no rate."),
        ({"currency": "E1"}, "currency", "A currency has three letters, such as EUR."),
        ({"usd": "0"}, "usd", "The rate must be above zero."),
        ({"usd": "NaN"}, "usd", "Write the rate as a number such as 1.0842."),
        ({"usd": "999999"}, "usd", "This rate is too high."),
        ({"day": "2199-01-01"}, "day", "This day is in the future."),
        ({"source": ""}, "source", "Enter the source of the rate."),
    ],
)
def test_a_wrong_rate_says_why(client: Client, changes: Any, field: str, sentence: str) -> None:
    good = {"what": "rate", "currency": "EUR", "day": "2026-03-04", "usd": "1.1", "source": "x"}
    assert client.post(URL, good | changes).context["by_hand"].errors[field] == [sentence]


def test_a_rate_holds_until_the_next_and_a_month_at_most(db: None) -> None:
    ExchangeRate.objects.create(currency="EUR", day=date(2026, 1, 1), usd="1.1", source="a")
    ExchangeRate.objects.create(currency="EUR", day=date(2026, 1, 5), usd="1.3", source="b")
    assert to_usd(Decimal(1), "EUR", date(2026, 1, 4)).rate == Decimal("1.1")
    assert to_usd(Decimal(1), "EUR", date(2026, 2, 4)).source == "b, 2026-01-05"
    for day in (date(2025, 12, 31), date(2026, 2, 5)):
        with pytest.raises(NoRate):
            to_usd(Decimal(1), "EUR", day)


def enter(client: Client, **changes: Any) -> Any:
    good = {"category": "vm", "provider": "self", "day": str(TODAY), "amount": "10", "currency": "EUR"}
    return client.post("/spend/charges/add/", good | changes)


def test_a_charge_takes_the_rate_of_its_day_and_keeps_it(client: Client) -> None:
    ExchangeRate.objects.create(currency="EUR", day=TODAY - timedelta(days=3), usd="1.1", source="the bank")
    enter(client)
    ExchangeRate.objects.update(usd="2")
    charge = Charge.objects.get()
    assert (charge.amount, charge.original_amount) == (Decimal(11), Decimal(10))
    assert charge.rate == Decimal("1.1")
    assert f"at 1.1, the bank, {TODAY - timedelta(days=3)}" in text(client, "/spend/charges/")


# Receipts.


def test_a_receipt_is_known_by_its_content_and_comes_back_as_a_download_only(client: Client) -> None:
    paper = SimpleUploadedFile("../Rëchnung <1>.html", b"%PDF-1.7 <script>", content_type="text/html")
    enter(client, currency="USD", receipt=paper)
    found = Charge.objects.get().receipt
    assert found is not None
    assert (found.name, found.content_type, found.size) == ("Rëchnung_1.pdf", "application/pdf", 17)
    answer = client.get(f"/spend/receipts/{found.pk}/")
    assert answer.content == b"%PDF-1.7 <script>"
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''R%C3%ABchnung_1.pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert logged_in(person("sam", "traffic.view_quality")).get(f"/spend/receipts/{found.pk}/").status_code == 403


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.pdf", b"<html>", "A receipt is a PDF, a PNG or JPEG image, or a CSV or text file."),
        ("a.csv", b"a\x00b", "A receipt is a PDF, a PNG or JPEG image, or a CSV or text file."),
        ("a.svg", b"<svg/>", "A receipt is a PDF, a PNG or JPEG image, or a CSV or text file."),
        ("a.pdf", b"%PDF-" + b"x" * LARGEST, "A receipt has at most 5 MB."),
        ("a.pdf", b"", "This file is empty."),
    ],
)
def test_other_files_are_refused_and_nothing_is_saved(client: Client, name: str, content: bytes, sentence: str) -> None:
    answer = enter(client, currency="USD", receipt=SimpleUploadedFile(name, content))
    assert answer.context["form"].errors["receipt"] == [sentence]
    assert not Charge.objects.exists()
    assert not Receipt.objects.exists()


@pytest.mark.parametrize(
    ("name", "kept"), [("bill.CSV", "bill.csv"), ("C:\\x\\bill.txt", "bill.txt"), (".txt", "receipt"), ("..", "")]
)
def test_names_of_receipts_are_made_safe(name: str, kept: str) -> None:
    if kept in ("", "receipt"):
        with pytest.raises(BadReceipt):
            checked(name, b"10 EUR")
    else:
        assert checked(name, b"10 EUR")[0] == kept
