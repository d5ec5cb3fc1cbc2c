"""The FOCUS export says what the ledger says, to the last decimal, in a form that the public linter takes."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from focus_data_toolkit.cli import main as focus_toolkit
from focus_data_toolkit.validate import validate_dataset_bundle

from costs import focus
from costs.allocation.queries import spend
from costs.focus.cells import FORMULA
from costs.ledger import posting as ledger
from costs.models import Charge, Closing, Phase
from providers.models import Account, Balance, VendorCost
from tests.costs.entered import JUNE, MAY, NOW, account, entered
from tests.costs.people import client_of, text
from tests.costs.usage_rows import at, usage
from tests.factories import (
    ApplicationFactory,
    DeploymentFactory,
    LeaseFactory,
    LeaseSpanFactory,
    PhaseFactory,
    VendorCostFactory,
)
from tests.query_ceilings import ceiling
from traffic.authentication.keys import callers, create_key

NAMES = {
    "cost-and-usage": "Cost and Usage", "invoice-detail": "Invoice Detail", "billing-period": "Billing Period",
}  # fmt: skip
PROVENANCE = ("billed", "measured", "estimated", "entered")


def table(dataset: str, month: date = MAY, now: datetime = NOW) -> list[dict[str, str]]:
    return parsed(focus.export(dataset, month, now))


def parsed(written: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written, newline="")))


def total(rows: Iterable[dict[str, str]], column: str = "EffectiveCost") -> Decimal:
    return sum((Decimal(row[column]) for row in rows), Decimal(0))


def only(rows: Iterable[dict[str, str]], **wanted: str) -> dict[str, str]:
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def vendor_cost(of: Account, day: date, amount: str, **given: Any) -> None:
    values = {"category": "tokens", "model": "", "original_amount": Decimal(amount), **given}
    VendorCostFactory.create(
        account=of, external_id=str(VendorCost.objects.count()), starts_at=at(day), ends_at=at(day + timedelta(days=1)),
        amount=Decimal(amount), **values,
    )  # fmt: skip


@pytest.fixture
def may(db: None) -> None:
    """A month with every provenance: a bill that is whole for its first half, a pod by the hour, papers by hand."""
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    claude = account("anthropic", at(date(2026, 5, 20)))
    for day in (date(2026, 5, 12), date(2026, 5, 25)):
        for token_class, amount in (("output", "1.000000000003"), ("cache_read", "0.0000001")):
            vendor_cost(claude, day, amount, model="claude", token_class=token_class)
        usage(day=day, application_id=shop.pk, cost=Decimal("0.000000000007"), output=5, cache_read=2)
    vendor_cost(claude, date(2026, 5, 12), "0.22", category="tax")
    vendor_cost(claude, date(2026, 5, 13), "-0.5", category="credit")
    google = account("google", at(JUNE))
    vendor_cost(google, date(2026, 5, 1), "3", category="vm", list_amount=Decimal(4), invoice_month="2026-04")
    runpod = account("runpod")
    Balance.objects.create(account=runpod, amount=20, at=NOW)
    pod = LeaseFactory.create(
        account=runpod, external_id="p1", name="Pod", kind="spot", price_per_hour=Decimal("0.34"),
        started_at=at(MAY), seen_at=NOW, region="EU-RO-1",
    )  # fmt: skip
    LeaseSpanFactory.create(
        lease=pod, starts_at=at(date(2026, 4, 30), 20), ends_at=at(MAY, 9) + timedelta(minutes=7),
        price_per_hour=Decimal("0.34"),
    )  # fmt: skip
    DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=pod)
    usage(day=MAY, provider="=aurora", model="-1+cmd", cost=Decimal("0.25"), output=1000)
    entered("runpod", "upkeep", "6", description='Backups,\n"and" more', invoice_month="2026-05")
    entered("lambda", "invoice", "70.5", date(2026, 5, 9), invoice_month="2026-05")
    usage(day=date(2026, 5, 3), provider="lambda", cost=Decimal(60))
    Phase.objects.all().delete()
    PhaseFactory.create(
        slug="pilot", name="Pilot", starts_on=MAY, ends_on=date(2026, 5, 20), budget_low=1, budget_high=2
    )
    ledger.post()


def test_effective_cost_is_the_spend_of_the_month_by_provenance(may: None) -> None:
    rows, found = table("cost-and-usage"), spend(MAY, JUNE)
    assert total(rows) == found.total > 0
    by_source = {source: total(row for row in rows if row["x_CostSource"] == source) for source in PROVENANCE}
    assert by_source == found.provenance
    assert all(by_source.values())


def test_by_provider_it_is_what_the_ledger_says_of_each(may: None) -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in table("cost-and-usage"):
        sums[row["InvoiceIssuerName"]] += Decimal(row["EffectiveCost"])
    spent = {group.key: group.amount for group in spend(MAY, JUNE).groups if group.amount}
    assert sorted(sums.values()) == sorted(spent.values())


def test_billed_cost_is_on_bills_alone_and_adds_up_to_the_invoices(may: None) -> None:
    rows, lines = table("cost-and-usage"), table("invoice-detail")
    for row in rows:
        on_a_bill = row["x_CostSource"] in ("billed", "entered")
        assert row["BilledCost"] == (row["EffectiveCost"] if on_a_bill else "0")
        assert bool(row["InvoiceId"]) == bool(row["InvoiceDetailId"]) == on_a_bill
    assert total(rows, "BilledCost") == total(lines, "BilledCost") > 0


@pytest.mark.parametrize("dataset", NAMES)
def test_the_public_linter_takes_every_table(may: None, dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "focus.csv"
    path.write_text(focus.export(dataset, MAY, NOW), newline="")
    more = ["--supports", "SupportsMultiplePricingCategories"] if dataset == "cost-and-usage" else []
    assert focus_toolkit(["validate", str(path), "--dataset", dataset]) == 0
    assert focus_toolkit(["validate", str(path), "--dataset", dataset, *more]) == 0


def test_the_three_tables_fit_together(may: None) -> None:
    tables = {name: table(dataset) for dataset, name in NAMES.items()}
    report = validate_dataset_bundle(tables, invoice_detail_authoritative=True, rounding_tolerance=Decimal(0))
    assert (report.errors, report.warnings) == ([], [])
    assert {"reconcile_invoice_detail", "billing_period_coverage"} <= set(report.checks_run)


@pytest.mark.parametrize("dataset", NAMES)
def test_columns_of_ours_stand_last(may: None, dataset: str) -> None:
    header = focus.export(dataset, MAY, NOW).splitlines()[0].split(",")
    ours = [name.startswith("x_") for name in header]
    assert ours == sorted(ours)
    assert len(set(header)) == len(header)


def test_no_number_has_an_exponent_and_periods_begin_on_the_first(may: None) -> None:
    for dataset in NAMES:
        for row in table(dataset):
            for name in row:
                if name.endswith("Cost"):
                    assert re.fullmatch(r"-?\d+(\.\d+)?", row[name]), (name, row[name])
            assert row["BillingPeriodStart"] == "2026-05-01T00:00:00Z"
            assert row["BillingPeriodEnd"] == "2026-06-01T00:00:00Z"


def test_everyone_who_bills_has_a_period_that_closes_with_its_bill(may: None) -> None:
    issuers = {row["InvoiceIssuerName"] for name in ("cost-and-usage", "invoice-detail") for row in table(name)}
    periods = {row["InvoiceIssuerName"]: row["BillingPeriodStatus"] for row in table("billing-period")}
    assert set(periods) == issuers
    assert (periods["Anthropic"], periods["Google Cloud"]) == ("Open", "Closed")
    running = table("billing-period", now=datetime(2026, 5, 30, tzinfo=UTC))
    assert {row["BillingPeriodStatus"] for row in running} == {"Open"}


def test_an_invoice_corrects_only_itself_and_says_how_it_is_paid(may: None) -> None:
    lines = table("invoice-detail")
    assert all(row["ReferenceInvoiceId"] == row["InvoiceId"] and row["PaymentTerms"] for row in lines)
    assert only(lines, x_Category="upkeep")["PaymentTerms"] == "Prepaid"
    assert only(lines, x_Category="tax")["PaymentTerms"] == "Not stated by the vendor"
    # The paper is there; the bill of Anthropic still lacks days.
    assert only(lines, x_Category="invoice")["InvoiceIssueStatus"] == "Issued"
    assert only(lines, x_Category="tax")["InvoiceIssueStatus"] == "Open"


def test_a_line_says_what_it_is_for(may: None) -> None:
    rows = table("cost-and-usage")
    output = only(rows, x_TokenClass="output")
    assert (output["ServiceName"], output["ChargeDescription"]) == ("Anthropic model API", "claude output model API")
    assert (output["BillingAccountId"], output["x_BudgetPhase"], output["x_Model"]) == (
        "our-anthropic", "pilot", "claude",
    )  # fmt: skip
    gpu = only(rows, x_Category="idle_gpu")  # nobody sent it anything
    assert (gpu["ResourceId"], gpu["PricingCategory"], gpu["x_GpuType"]) == ("p1", "Dynamic", "RTX 4090")
    assert (only(rows, x_Category="tax")["ChargeCategory"], only(rows, x_Category="credit")["ChargeCategory"]) == (
        "Tax", "Credit",
    )  # fmt: skip
    measured = only(rows, x_Application="shop", x_CostSource="measured")
    assert (measured["ConsumedQuantity"], measured["ConsumedUnit"], measured["x_BudgetPhase"]) == ("7", "Tokens", "")


def test_a_list_price_that_the_vendor_says_is_told(may: None) -> None:
    vm = only(table("cost-and-usage"), x_Category="vm")
    assert (vm["EffectiveCost"], vm["ListCost"], vm["x_InvoiceMonth"]) == ("3", "4", "2026-04")


def test_bills_and_machines_carry_the_applications_that_the_ledger_gives_them(may: None) -> None:
    day, cafe = date(2026, 5, 12), ApplicationFactory.create(slug="cafe", name="Café")
    usage(day=day, application_id=cafe.pk, cost=Decimal("0.000000000014"), task="rag")
    rows = table("cost-and-usage")
    output = [row for row in rows if row["x_TokenClass"] == "output" and row["x_CostSource"] == "billed"]
    assert {row["x_Application"]: row["EffectiveCost"] for row in output} == {
        "shop": "0.333333333334", "cafe": "0.666666666669",
    }  # fmt: skip
    assert {row["x_SharedBy"] for row in output} == {"measured cost"}
    assert only(output, x_Application="cafe")["Tags"] == '{"application": "cafe", "task": "rag", "phase": "pilot"}'
    told = spend(MAY, JUNE, "application").groups
    for group in told:
        mine = total(row for row in rows if row["x_Application"] == (group.key or ""))
        assert abs(mine - group.amount) < Decimal("1e-9"), group.key
    assert total(rows) == sum(group.amount for group in told)


def test_what_was_asked_for_in_another_currency_says_so_and_counts_in_dollars(may: None) -> None:
    entered("lambda", "vm", "110", date(2026, 5, 6), currency="EUR", rate=Decimal("1.1"), rate_source="the bank")
    Charge.objects.filter(currency="EUR").update(original_amount=100)
    row = only(table("cost-and-usage"), PricingCurrency="EUR")
    assert (row["BillingCurrency"], row["EffectiveCost"], row["PricingCurrencyEffectiveCost"]) == ("USD", "110", "100")
    assert (row["x_ExchangeRate"], row["x_ExchangeRateSource"]) == ("1.1", "the bank")
    line = only(table("invoice-detail"), PaymentCurrency="EUR")
    assert (line["BilledCost"], line["PaymentCurrencyBilledCost"]) == ("110", "100")


def test_a_correction_says_so_and_names_what_it_corrects(may: None) -> None:
    wrong = entered("lambda", "vm", "8", date(2026, 2, 3))
    entered("lambda", "adjustment", "-3", date(2026, 5, 7), corrects=wrong, description="read wrongly")
    closing = Closing.objects.create(
        provider="google", month=date(2026, 3, 1), amount=5, original_amount=5, lines=5, places=[]
    )
    entered("google", "adjustment", "1", date(2026, 5, 8), closing=closing)
    rows = [row for row in table("cost-and-usage") if row["ChargeClass"] == "Correction"]
    assert {row["x_CorrectsInvoiceId"]: row["EffectiveCost"] for row in rows} == {
        "lambda/lambda/2026-02/entered": "-3", "google/our-google/2026-03": "1",
    }  # fmt: skip
    lines = [row for row in table("invoice-detail") if row["ReferenceInvoiceId"] != row["InvoiceId"]]
    assert {row["ReferenceInvoiceId"] for row in lines} == {row["x_CorrectsInvoiceId"] for row in rows}
    tables = {name: table(dataset) for dataset, name in NAMES.items()}
    report = validate_dataset_bundle(tables, invoice_detail_authoritative=True, rounding_tolerance=Decimal(0))
    assert (report.errors, report.warnings) == ([], [])


@pytest.mark.parametrize("dataset", NAMES)
def test_parquet_says_what_the_csv_says(may: None, dataset: str) -> None:
    month = focus.read(MAY, NOW)
    kept = focus.parquet.cells(focus.as_file(dataset, month, "parquet"))
    told = parsed(focus.as_csv(dataset, month))
    assert len(kept) == len(told) > 0
    for one, other in zip(kept, told, strict=True):
        for name, cell in other.items():
            same = Decimal(one[name]) == Decimal(cell) if cell and name.endswith("Cost") else True
            assert same, (name, one[name], cell)
            assert bool(one[name]) == bool(cell), name


def test_an_entered_invoice_stands_for_its_month(may: None) -> None:
    paper = only(table("cost-and-usage"), x_Category="invoice")
    assert (paper["ChargePeriodStart"], paper["ChargePeriodEnd"]) == ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
    # What we measured of that provider is replaced.
    assert only(table("cost-and-usage"), InvoiceIssuerName="Lambda") == paper


def test_what_people_wrote_stays_one_cell_and_no_formula(may: None) -> None:
    rows = table("cost-and-usage")
    assert only(rows, x_Category="upkeep")["ChargeDescription"] == 'Backups, "and" more'
    aurora = only(rows, x_Model="'-1+cmd")
    assert aurora["InvoiceIssuerName"] == "'=aurora"
    for row in rows:
        for name, cell in row.items():
            assert name.endswith("Cost") or not cell.startswith(FORMULA), (name, cell)


def test_a_month_without_anything_is_a_header(db: None) -> None:
    for dataset in NAMES:
        assert len(focus.export(dataset, MAY, NOW).splitlines()) == 1


def test_it_asks_the_database_the_same_few_times_whatever_the_volume(may: None) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            focus.export("cost-and-usage", MAY, NOW)
        return len(queries)

    asked()  # once for the shares of machines, which a process keeps
    before = asked()
    for number in range(40):
        usage(day=date(2026, 5, 26), provider=f"p{number}", cost=Decimal(1))
    assert asked() == before <= ceiling("FOCUS export of a month")


# The address.


@pytest.fixture
def key(db: None) -> str:
    callers.clear()
    return create_key(name="reader", scopes=["read"])[1]


def get(key: str, **query: str) -> Any:
    return Client().get("/api/v1/export/focus", query, headers={"Authorization": f"Bearer {key}"})


def test_the_api_answers_the_file(may: None, key: str) -> None:
    answer = get(key, month="2026-05", version="1.4", dataset="invoice-detail")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    assert 'filename="breakeven-focus-1.4-invoice-detail-2026-05.csv"' in answer["Content-Disposition"]
    assert total(parsed(answer.content.decode()), "BilledCost") == total(table("invoice-detail"), "BilledCost")


def test_parquet_is_answered_with_the_extra_and_refused_by_a_sentence_without_it(
    may: None, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = get(key, month="2026-05", format="parquet")
    assert (answer["Content-Type"], answer.content[:4]) == ("application/vnd.apache.parquet", b"PAR1")
    assert 'filename="breakeven-focus-1.4-cost-and-usage-2026-05.parquet"' in answer["Content-Disposition"]
    monkeypatch.setattr(focus.parquet, "find_spec", lambda name: None)
    answer = get(key, month="2026-05", format="parquet")
    assert (answer.status_code, "Parquet needs the extra" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize("wrong", [{"month": "2026-13"}, {"version": "1.2"}, {"dataset": "invoices"}])
def test_what_is_not_there_is_refused_with_a_sentence(key: str, wrong: dict[str, str]) -> None:
    answer = get(key, **wrong)
    assert (answer.status_code, set(answer.json())) == (422, {"detail", "errors"})


def test_the_export_requires_the_right_to_read_figures(db: None) -> None:
    callers.clear()
    sender = create_key(name="sender", scopes=["ingest"])[1]
    assert (get(sender).status_code, Client().get("/api/v1/export/focus").status_code) == (403, 401)
    assert client_of("staff").get("/api/v1/export/focus").status_code == 403


def test_the_page_of_exports_links_to_the_month_that_it_shows(may: None) -> None:
    client = client_of("manager")
    page = text(client, "/spend/exports/?month=2026-05")
    links = re.findall(r'href="(/api/v1/export/focus[^"]+)" download>', page)
    assert len(links) == 3
    for link in links:
        answer = client.get(link.replace("&amp;", "&"))
        assert (answer.status_code, "2026-05" in answer["Content-Disposition"]) == (200, True)


# The command.


def test_the_command_writes_all_three_files(may: None, tmp_path: Path) -> None:
    call_command("export_focus", "--month", "2026-05", "--folder", str(tmp_path / "to"), stdout=io.StringIO())
    names = sorted(path.name for path in (tmp_path / "to").iterdir())
    assert names == [f"breakeven-focus-1.4-{dataset}-2026-05.csv" for dataset in sorted(NAMES)]
    written = (tmp_path / "to" / names[1]).read_bytes().decode()
    assert total(parsed(written)) == spend(MAY, JUNE).total


def test_the_command_prints_one_of_them(may: None) -> None:
    out = io.StringIO()
    call_command("export_focus", "--month", "2026-05", "--dataset", "billing-period", stdout=out)
    assert len(parsed(out.getvalue())) == len(table("billing-period"))


def test_the_command_says_what_is_wrong(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="YYYY-MM"):
        call_command("export_focus", "--month", "May")
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written to"):
        call_command("export_focus", "--folder", str(tmp_path / "file"))


def test_a_parquet_file_that_unpacks_to_gigabytes_is_refused_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte that comes a hundred thousand times is written once."""
    pyarrow, parquet = focus.parquet.arrow()

    def packed(rows: int, text: str) -> bytes:
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.table({"BilledCost": pyarrow.array([text] * rows)}), sink, compression="zstd")
        return bytes(sink.getvalue())

    assert len(focus.parquet.cells(packed(2_500, "1"))) == 2_500
    with pytest.raises(ValueError, match="has 500001 rows"):
        focus.parquet.cells(packed(focus.parquet.MOST_ROWS + 1, "1"))
    monkeypatch.setattr(focus.parquet, "MOST_BYTES", 4 << 20)
    small = packed(3_000, "x" * 10_000)
    assert len(small) < 100_000
    with pytest.raises(ValueError, match="unpacks to more than 4 MB"):
        focus.parquet.cells(small)
    pieces = [focus.parquet.arrow()[0].array(["x" * 3_000_000])] * 2
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table({"BilledCost": pyarrow.chunked_array(pieces)}), sink, use_dictionary=False)
    with pytest.raises(ValueError, match="unpacks to more than 4 MB"):
        focus.parquet.cells(bytes(sink.getvalue()))
