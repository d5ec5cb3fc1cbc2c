"""Vast.ai: recorded answers become rows, its odd refusals become sentences, and charges come day by day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest

from providers.connectors import connect
from providers.connectors.base import AccountConfig, Connector, ConnectorError
from sandbox.testing import Sandbox, running_sandbox
from sandbox.vast import KEY
from tests.providers.answers import Answers

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
DAY = datetime(2026, 11, 23, tzinfo=UTC)


def vast(answers: Answers) -> Connector:
    return connect(
        "vast", AccountConfig(answers.url, "vast_test_key", local=True, timeout=2, pause=lambda seconds: None)
    )


def instance(number: int, **changes: Any) -> dict[str, Any]:
    spans = [{"from": "2026-11-22T06:00:00Z", "to": None, "status": "RUNNING"}]
    row = {"id": str(number), "gpu": "RTX 4090", "price_per_hour": 0.30, "disk_per_hour": 0.01, "spans": spans}
    return row | changes


def test_an_offer_is_priced_per_gpu_and_followed_by_its_machine(answers: Answers) -> None:
    answers.say_recorded("/api/v0/bundles/", "vast_bundles")
    rows = vast(answers).fetch_offers().rows
    assert [(row.external_id, row.kind, row.price_per_gpu_hour, row.memory_gb) for row in rows] == [
        ("678x2", "on_demand", Decimal("0.2521"), 24),  # the cheaper of the two listings
        ("678x2", "spot", Decimal("0.12"), 24),
        ("700x1", "on_demand", Decimal("0.904"), 80),
    ]
    assert (rows[0].reliability, rows[0].region, rows[0].raw["offer"]) == (0.997, "Utah, US", 12399)
    assert [row.disk_per_gb_month for row in rows] == [None, Decimal("0.15"), None], "where the vendor says it"
    assert (rows[2].gpu, rows[2].reliability, rows[2].region) == ("A100 80GB", 0.95, "")


def test_one_broad_search_is_asked_for(answers: Answers) -> None:
    answers.say_recorded("/api/v0/bundles/", "vast_bundles")
    vast(answers).fetch_offers()
    assert len(answers.asked) == 1
    body = json.loads(answers.asked[0][4])
    assert (body["type"], body["verified"], body["limit"]) == ("on-demand", {"eq": True}, 1000)


def test_instances_become_leases_without_the_users_secrets(answers: Answers) -> None:
    answers.say_recorded("/api/v1/instances/", "vast_instances")
    running, stopped, fresh = vast(answers).fetch_leases().rows
    assert (running.state, running.price_per_hour, running.utilisation) == ("running", Decimal("0.3042"), 0.375)
    assert running.started_at == datetime(2025, 11, 15, 9, 46, 40, 250000, tzinfo=UTC)
    assert (stopped.state, stopped.kind, stopped.price_per_hour) == ("stopped", "spot", Decimal("0.0042"))
    assert (fresh.state, fresh.raw_state, fresh.started_at, fresh.memory_gb) == ("pending", "", None, 48)
    assert "secret" not in repr([running, stopped, fresh])


def test_a_charge_is_divided_into_its_items(answers: Answers) -> None:
    answers.say_recorded("/api/v0/charges/", "vast_charges")
    rows = vast(answers).fetch_costs(DAY, DAY + timedelta(days=1)).rows
    assert [(row.resource, row.category, row.amount) for row in rows] == [
        ("501", "gpu", Decimal("7.2")),
        ("501", "disk", Decimal("0.1")),
        ("501", "network", Decimal("0.05")),
        ("volume-9", "disk", Decimal("0.5")),
    ]
    assert rows[0].external_id == "2026-11-23/instance-501/gpu"


def test_charges_are_asked_day_by_day_as_json_in_the_query(answers: Answers) -> None:
    answers.say("/api/v0/charges/", {"success": True, "results": [], "next_token": None})
    vast(answers).fetch_costs(DAY + timedelta(hours=5), NOW)
    spans = [json.loads(dict(query)["select_filters"])["day"] for _m, _p, query, _h, _b in answers.asked]
    assert [span["lte"] - span["gte"] for span in spans] == [86_399, 86_399]
    assert spans[0]["gte"] == int(DAY.timestamp())


def test_a_long_past_is_asked_by_the_month(answers: Answers) -> None:
    answers.say("/api/v0/charges/", {"success": True, "results": [], "next_token": None})
    vast(answers).fetch_costs(DAY - timedelta(days=364), DAY)
    spans = [json.loads(dict(query)["select_filters"])["day"] for _m, _p, query, _h, _b in answers.asked]
    assert len(spans) == 11 + 45
    assert all(later["gte"] == earlier["lte"] + 1 for earlier, later in pairwise(spans))


def test_the_prepaid_credit_is_the_balance(answers: Answers) -> None:
    answers.say_recorded("/api/v0/users/current/", "vast_user")
    assert vast(answers).fetch_balance().amount == Decimal("12.5")
    assert "the-key-itself" not in vast(answers).test()


def test_invoices_are_payments_without_cards_and_people(answers: Answers) -> None:
    answers.say_recorded("/api/v1/invoices/", "vast_invoices")
    rows = vast(answers).fetch_payments(DAY - timedelta(days=30), NOW).rows
    assert [(row.external_id, row.amount, row.kind) for row in rows] == [
        ("4828771", Decimal("19.99"), "credit stripe_payments"),
        ("4829137", Decimal("35.5"), "transfer transfer"),
    ]
    assert "0000" not in repr(rows) and "example.org" not in repr(rows)
    asked = json.loads(dict(answers.asked[0][2])["select_filters"])
    assert asked == {"when": {"gte": int((DAY - timedelta(days=30)).timestamp()), "lte": int(NOW.timestamp())}}


def test_the_sandbox_pages_through_payments_and_refuses_a_period_that_is_none(sandbox: Sandbox) -> None:
    paid = [{"id": n, "at": "2026-11-02T00:00:00Z", "amount": 10} for n in range(130)]
    sandbox.load("vast", {"instances": [], "payments": paid})
    connector = connect("vast", sandbox.config("vast"))
    assert len(connector.fetch_payments(DAY - timedelta(days=30), DAY).rows) == 130
    url = f"{sandbox.url}/vast/api/v1/invoices/"
    answer = httpx.get(url, headers={"authorization": f"Bearer {KEY}"}, params={"select_filters": "{}"})
    assert (answer.status_code, answer.json()["success"]) == (200, False)


@pytest.mark.parametrize(
    ("status", "body", "permanent", "words"),
    [
        (403, {"success": False, "error": "auth_error", "msg": "This action requires login."}, True, "requires login"),
        (404, {"success": False, "error": "auth_error", "msg": "Invalid user key"}, True, "Invalid user key"),
        (404, {"msg": "Invalid user key"}, True, "Invalid user key"),
        (404, {"success": False, "error": "no_such_path", "msg": "Nothing here"}, False, "Nothing here"),
        (200, {"success": False, "error": "bad_range", "msg": "gte is after lte"}, False, "gte is after lte"),
    ],
)
def test_its_refusals_come_under_many_numbers(
    answers: Answers, status: int, body: Any, permanent: bool, words: str
) -> None:
    answers.say("/api/v0/users/current/", body, status)
    with pytest.raises(ConnectorError, match=words) as caught:
        vast(answers).test()
    assert caught.value.permanent is permanent


def test_a_used_up_search_quota_waits_for_midnight(answers: Answers) -> None:
    reset = str(int(datetime.now(UTC).timestamp()) + 7200)
    body = {"success": False, "error": "search_quota_exceeded", "msg": "x"}
    answers.say("/api/v0/bundles/", body, 429, headers={"X-RateLimit-Reset": reset})
    with pytest.raises(ConnectorError, match="quota") as caught:
        vast(answers).fetch_offers()
    assert caught.value.retry_after is not None
    assert 7000 < caught.value.retry_after <= 7200


def test_a_plain_text_refusal_is_quoted(sandbox: Sandbox) -> None:
    sandbox.fault("vast", "429")
    with pytest.raises(ConnectorError, match="too frequent"):
        connect("vast", sandbox.config("vast")).test()


def test_every_page_of_instances_is_read(sandbox: Sandbox) -> None:
    sandbox.load("vast", {"instances": [instance(number) for number in range(60)]})
    rows = connect("vast", sandbox.config("vast")).fetch_leases().rows
    assert len({row.external_id for row in rows}) == 60


def test_the_sandbox_charges_what_ran_on_each_day() -> None:
    with running_sandbox(now=NOW) as sandbox:
        sandbox.load("vast", {"instances": [instance(501)], "balance": 20})
        connector = connect("vast", sandbox.config("vast"))
        rows = connector.fetch_costs(NOW - timedelta(days=2), NOW).rows
        gpu = {row.starts_at.day: row.amount for row in rows if row.category == "gpu"}
        assert gpu == {22: Decimal("5.4"), 23: Decimal("7.2"), 24: Decimal("3.15")}
        assert connector.fetch_balance().amount == 20


def test_two_calls_are_a_second_apart_where_the_vendor_is_strict() -> None:
    waits: list[float] = []
    with running_sandbox(strict=True) as sandbox:
        config = sandbox.config("vast", pause=waits.append)
        with pytest.raises(ConnectorError, match="too frequent"):
            connect("vast", config).fetch_costs(NOW - timedelta(days=3), NOW)
    assert len(waits) == 1
    assert 0.5 < waits[0] <= 1.0
