"""Google Cloud: prices from a small table of SKUs, leases priced by their parts, and the export's real cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from providers.connectors import connect
from providers.connectors.base import Connector, ConnectorError
from providers.connectors.google_skus import PriceList
from providers.connectors.google_tokens import category_of
from sandbox.google import PROJECT, TABLE
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.answers import Answers

NOW = datetime.now(UTC)
SKUS = "/v1/services/6F81-5844-456A/skus"
INSTANCES = f"/compute/v1/projects/{PROJECT}/aggregated/instances"
QUERIES = f"/bigquery/v2/projects/{PROJECT}/queries"


@pytest.fixture(autouse=True)
def no_remembered_prices() -> Iterator[None]:
    PriceList._known.clear()
    yield
    PriceList._known.clear()


def google(answers: Answers, sandbox: Sandbox, **settings: Any) -> Connector:
    """An account that fetches its token from the sandbox and everything else from what the test says."""
    return connect("google", sandbox.config("google", base_url=answers.url, settings=settings))


def test_the_small_table_takes_our_skus_and_leaves_their_neighbours(answers: Answers, sandbox: Sandbox) -> None:
    answers.say_recorded(SKUS, "google_skus")
    rows = google(answers, sandbox).fetch_offers().rows
    assert [(row.gpu, row.kind, row.region, row.price_per_gpu_hour) for row in rows] == [
        ("L4", "spot", "us-central1", Decimal("0.2236")),
        ("L4", "spot", "us-east1", Decimal("0.2236")),
        ("A100 80GB", "on_demand", "us-central1", Decimal("1.57")),
        ("L4", "on_demand", "us-central1", Decimal("0.56")),
        ("L4", "committed_3y", "us-central1", Decimal("0.25")),
    ]
    smallest = 4 * Decimal("0.025") + 16 * Decimal("0.003")
    assert [row.machine_per_gpu_hour for row in rows] == [None, None, None, smallest, None], "of what is priced here"
    disks = [(row.region, row.disk_per_gb_month) for row in rows]
    assert disks[:3] == [("us-central1", Decimal("0.17")), ("us-east1", None), ("us-central1", Decimal("0.17"))]


def test_a_running_machine_costs_its_gpu_cores_and_memory(answers: Answers, sandbox: Sandbox) -> None:
    answers.say_recorded(SKUS, "google_skus")
    answers.say_recorded(INSTANCES, "google_instances")
    running, halted = google(answers, sandbox).fetch_leases().rows
    assert running.price_per_hour == Decimal("0.56") + 4 * Decimal("0.025") + 16 * Decimal("0.003")
    assert (running.gpu, running.kind, running.region) == ("L4", "on_demand", "us-central1-a")
    assert running.started_at == datetime(2026, 11, 2, 7, tzinfo=UTC)
    assert (halted.state, halted.raw_state, halted.kind, halted.gpu) == ("stopped", "TERMINATED", "spot", "A100 80GB")
    assert halted.price_per_hour == 0


def test_prices_are_fetched_once_for_many_polls_of_instances(answers: Answers, sandbox: Sandbox) -> None:
    answers.say_recorded(SKUS, "google_skus")
    answers.say_recorded(INSTANCES, "google_instances")
    connector = google(answers, sandbox)
    connector.fetch_leases()
    connector.fetch_leases()
    assert [path for _method, path, *_rest in answers.asked].count(SKUS) == 1


def test_a_machine_without_a_listed_price_is_not_free(answers: Answers, sandbox: Sandbox) -> None:
    answers.say(SKUS, {"skus": [], "nextPageToken": ""})
    answers.say_recorded(INSTANCES, "google_instances")
    with pytest.raises(ConnectorError, match="lists no price for a L4"):
        google(answers, sandbox).fetch_leases()


def test_the_export_is_converted_to_dollars_with_its_own_rate(answers: Answers, sandbox: Sandbox) -> None:
    answers.say_recorded(QUERIES, "google_bill")
    fetched = google(answers, sandbox, billing_table=TABLE).fetch_costs(NOW - timedelta(days=3), NOW)
    gpu, credit, tax = fetched.rows
    assert (gpu.amount, gpu.original_amount, gpu.currency, gpu.category) == (Decimal(10), Decimal(8), "EUR", "gpu")
    assert (credit.amount, credit.category, credit.resource) == (Decimal("-0.5"), "credit", "123")
    assert (tax.amount, tax.category, tax.resource, tax.invoice_month) == (Decimal("1.25"), "tax", "", "2026-11")
    assert fetched.complete_until == datetime(2025, 11, 23, tzinfo=UTC)
    assert len({row.external_id for row in fetched.rows}) == 3


def test_token_skus_are_named_by_their_model_and_class(answers: Answers, sandbox: Sandbox) -> None:
    answers.say_recorded(QUERIES, "google_bill_tokens")
    rows = google(answers, sandbox, billing_table=TABLE).fetch_costs(NOW - timedelta(days=3), NOW).rows
    named = [(row.category, row.model, row.token_class, row.service_tier) for row in rows]
    assert named == [
        ("tokens", "gemini-2.5-flash", "uncached_input", "standard"),
        ("tokens", "gemini-2.5-flash", "output", "standard"),
        ("credit", "", "", ""),
        ("tokens", "gemini-2.5-flash", "cache_read", "standard"),
        ("tokens", "gemini-2.5-pro", "uncached_input", "batch"),
        ("tokens", "gemini-2.5-pro", "output", "standard"),
        ("tokens", "gemini-2.0-flash-lite", "uncached_input", "standard"),
        ("disk", "", "", ""),
        ("tokens", "claude-sonnet-4-5", "output", "standard"),
        ("tokens", "gemini-1.5-flash", "uncached_input", "standard"),
        ("web_search", "", "", ""),
        ("cpu", "", "", ""),
        ("other", "", "", ""),
    ]
    assert sum(row.amount for row in rows) == Decimal("28.33")
    assert len({row.external_id for row in rows}) == len(rows)


def test_tokens_are_counted_only_where_the_amount_is_a_count(answers: Answers, sandbox: Sandbox) -> None:
    answers.say_recorded(QUERIES, "google_bill_tokens")
    fetched = google(answers, sandbox, billing_table=TABLE).fetch_usage(NOW - timedelta(days=3), NOW)
    counted = {(r.model, r.service_tier): (r.uncached_input, r.cache_read, r.output) for r in fetched.rows}
    assert counted == {
        ("gemini-2.5-flash", "standard"): (1_000_000, 400_000, 200_000),
        ("gemini-2.5-pro", "batch"): (1_000_000, 0, 0),
        ("gemini-2.5-pro", "standard"): (0, 0, 1_000_000),
        ("gemini-2.0-flash-lite", "standard"): (1_000_000, 0, 0),
        ("claude-sonnet-4-5", "standard"): (0, 0, 1_000_000),
    }
    assert {(row.workspace, row.api_key, row.requests) for row in fetched.rows} == {("p", "", None)}


@pytest.mark.parametrize(
    ("words", "service", "category"),
    [
        ("Gemini 3.8 Flash Global Text Input", "Gemini API", "tokens"),
        ("Vertex AI: Online Prediction G2 Instance Core", "Vertex AI", "cpu"),
        ("Vertex AI: Training Nvidia L4 GPU", "Vertex AI", "gpu"),
        ("G2 Instance Ram running in Americas", "Compute Engine", "cpu"),
        ("Gemini Code Assist seat", "Gemini Enterprise", "other"),
        ("", "", "other"),
    ],
)
def test_what_is_not_known_is_other_and_never_cpu(words: str, service: str, category: str) -> None:
    row = {"cost_type": "regular", "words": words, "service": service, "service_id": None}
    assert category_of(row) == category


def test_a_query_that_is_still_running_is_tried_again_later(answers: Answers, sandbox: Sandbox) -> None:
    running = {"jobComplete": False, "jobReference": {"jobId": "job_1", "location": "EU"}}
    answers.say(QUERIES, running)
    answers.say(f"{QUERIES}/job_1", running)
    with pytest.raises(ConnectorError, match="still adding up") as caught:
        google(answers, sandbox, billing_table=TABLE).fetch_costs(NOW - timedelta(days=3), NOW)
    assert (caught.value.permanent, caught.value.retry_after) == (False, 60)


@pytest.mark.parametrize("table", ["x", "a.b.c`; DROP TABLE d; --", "a.b.c d", "a.b"])
def test_a_table_name_cannot_smuggle_a_query(answers: Answers, sandbox: Sandbox, table: str) -> None:
    with pytest.raises(ConnectorError, match=r"project\.dataset\.table"):
        google(answers, sandbox, billing_table=table).fetch_costs(NOW - timedelta(days=3), NOW)
    assert answers.asked == []


def test_without_an_export_nothing_is_billed_and_nothing_claims_to_be_complete(sandbox: Sandbox) -> None:
    fetched = connect("google", sandbox.config("google", settings={})).fetch_costs(NOW - timedelta(days=3), NOW)
    assert (fetched.rows, fetched.complete_until) == ([], None)


def test_a_forged_service_account_is_refused(sandbox: Sandbox) -> None:
    good = json.loads(sandbox.config("google").secret)
    with running_sandbox() as other:
        forged = json.loads(other.config("google").secret) | {"token_uri": good["token_uri"]}
    with pytest.raises(ConnectorError, match="rejected the service account") as caught:
        connect("google", sandbox.config("google", secret=json.dumps(forged))).test()
    assert caught.value.permanent


def test_the_sandbox_bills_gpu_machine_and_disk_and_prices_move_by_region() -> None:
    now = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
    spans = [{"from": "2026-11-22T00:00:00Z", "to": None, "status": "RUNNING"}]
    machine = {"id": "9001", "gpu": "nvidia-tesla-t4", "price_per_hour": 0.35, "disk_per_hour": 0.02, "spans": spans}
    with running_sandbox(now=now) as sandbox:
        sandbox.load("google", {"instances": [machine | {"vm_per_hour": 0.19, "credit_share": 0.1}]})
        connector = connect("google", sandbox.config("google"))
        rows = [row for row in connector.fetch_costs(now - timedelta(days=2), now).rows if row.starts_at.day == 23]
        found = {(row.category, row.description): row.amount for row in rows}
        assert sum(found.values()) == Decimal("13.44") * Decimal("0.9")
        assert {row.resource for row in rows} == {"9001"}
        lease = connector.fetch_leases().rows[0]
        assert (lease.gpu, lease.state) == ("T4", "running")
        assert lease.price_per_hour > Decimal("0.35")
        prices = {
            row.region: row.price_per_gpu_hour
            for row in connector.fetch_offers().rows
            if row.gpu == "T4" and row.kind == "on_demand"
        }
        assert prices["us-central1"] == Decimal("0.35")
        assert len(prices) == 3
