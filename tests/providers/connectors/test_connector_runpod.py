"""RunPod: recorded answers become rows, and the sandbox bills what its pods ran."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from providers.connectors import connect
from providers.connectors.base import AccountConfig, Connector, ConnectorError
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.answers import Answers

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
HOUR = datetime(2026, 11, 24, 6, tzinfo=UTC)


def runpod(answers: Answers, **settings: Any) -> Connector:
    return connect("runpod", AccountConfig(answers.url, "rpa_test_key", settings, local=True, timeout=2))


def pod(spans: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    row = {"id": "p1", "name": "vllm", "gpu": "NVIDIA GeForce RTX 4090", "gpu_count": 1, "price_per_hour": "0.34"}
    return row | {"cloud": "COMMUNITY", "disk_per_hour": "0.01", "spans": spans} | changes


def test_prices_are_per_gpu_and_by_place(answers: Answers) -> None:
    answers.say_recorded("/v2/catalog/gpus", "runpod_gpus")
    rows = runpod(answers, spot=False).fetch_offers().rows
    assert [(row.gpu, row.kind, row.region, row.price_per_gpu_hour) for row in rows] == [
        ("L40S", "on_demand", "secure", Decimal("0.86")),
        ("L40S", "on_demand", "community", Decimal("0.79")),
        ("L40S", "serverless", "", Decimal("1.9")),
        ("A100 80GB", "on_demand", "secure", Decimal("1.99")),
    ]
    assert [row.available for row in rows] == [True, True, True, False]
    assert rows[0].raw == {"availability": "LOW", "data_centers": ["XX-YY-1"]}


def test_pods_become_leases_without_the_users_secrets(answers: Answers) -> None:
    answers.say_recorded("/v2/pods", "runpod_pods")
    answers.say("/v2/serverless", {"endpoints": []})
    running, stopped, strange = runpod(answers).fetch_leases().rows
    assert (running.gpu, running.gpu_count, running.price_per_hour) == ("RTX 4090", 2, Decimal("0.68"))
    assert (running.state, running.utilisation) == ("running", 0.6)
    assert running.started_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert (stopped.state, stopped.price_per_hour, stopped.raw_state) == ("stopped", Decimal(0), "EXITED")
    assert (strange.state, strange.raw_state) == ("unknown", "MIGRATING")
    assert "hf_a_secret" not in repr([running, stopped, strange])


def test_a_bill_has_gpu_and_disk_apart(answers: Answers) -> None:
    answers.say_recorded("/v2/billing/pods", "runpod_billing_pods")
    answers.say("/v2/billing/serverless", {"records": []})
    volume = {"startTime": "2026-11-23T10:00:00Z", "endTime": "2026-11-23T11:00:00Z", "networkVolumeId": "v1"}
    answers.say("/v2/billing/networkvolumes", {"records": [volume | {"totalAmount": 0.0096}]})
    rows = runpod(answers).fetch_costs(NOW - timedelta(days=1), NOW).rows
    assert [(row.resource, row.category, row.amount) for row in rows] == [
        ("abc123", "gpu", Decimal("0.68")),
        ("abc123", "disk", Decimal("0.007")),
        ("def456", "disk", Decimal("0.01")),
        ("v1", "disk", Decimal("0.0096")),
    ]
    assert rows[0].external_id == "pods/abc123/2026-11-23T10:00:00Z/gpu"


def test_an_endpoint_is_read_as_recorded_with_its_workers_and_bill(answers: Answers) -> None:
    answers.say("/v2/pods", {"pods": []})
    answers.say_recorded("/v2/serverless", "runpod_serverless")
    answers.say_recorded("/v2/serverless/ep1/workers", "runpod_workers")
    answers.say_recorded("/v2/catalog/gpus", "runpod_gpus")
    answers.say_recorded("/v2/billing/serverless", "runpod_billing_serverless")
    for what in ("pods", "networkvolumes"):
        answers.say(f"/v2/billing/{what}", {"records": []})
    (endpoint,) = runpod(answers).fetch_leases().rows
    assert (endpoint.name, endpoint.gpu, endpoint.gpu_count, endpoint.kind) == ("burst", "L40S", 2, "serverless")
    assert (endpoint.price_per_hour, endpoint.worker_per_hour) == (Decimal("3.8"), Decimal("3.8"))
    assert endpoint.raw_state == "1 of 3 workers running"
    assert "hf_a_secret" not in repr(endpoint)
    bill = runpod(answers).fetch_costs(NOW - timedelta(days=1), NOW).rows
    assert [(row.resource, row.category, row.amount) for row in bill] == [
        ("ep1", "gpu", Decimal("0.5")),
        ("ep1", "disk", Decimal("0.01")),
        ("ep1", "adjustment", Decimal("0.02")),
    ]


def test_the_graphql_balance_may_be_below_zero(answers: Answers) -> None:
    answers.say("/graphql", {"data": {"myself": {"id": "u", "clientBalance": -1.25, "currentSpendPerHr": None}}})
    balance = runpod(answers).fetch_balance()
    assert (balance.amount, balance.spend_per_hour) == (Decimal("-1.25"), None)


def test_an_error_inside_a_good_answer_is_an_error(answers: Answers) -> None:
    answers.say("/graphql", {"errors": [{"message": "Something is wrong with rpa_test_key"}], "data": None})
    with pytest.raises(ConnectorError, match=r"wrong with \[key\]"):
        runpod(answers).fetch_balance()


@pytest.mark.parametrize("price", [-0.2, "NaN", None, True, 1e12])
def test_an_impossible_price_is_refused(answers: Answers, price: object) -> None:
    gpu = {"id": "NVIDIA L4", "memory": 24, "price": {"secure": price or [1]}, "availability": "LOW"}
    answers.say("/v2/catalog/gpus", {"gpus": [gpu]})
    with pytest.raises(ConnectorError, match="response in an unknown format"):
        runpod(answers, spot=False).fetch_offers()


def test_a_price_that_is_no_number_at_all_is_broken_json(answers: Answers) -> None:
    answers.say("/v2/catalog/gpus", b'{"gpus": [{"id": "NVIDIA L4", "memory": 24, "price": {"secure": NaN}}]}')
    with pytest.raises(ConnectorError, match="broken or incomplete JSON"):
        runpod(answers, spot=False).fetch_offers()


def test_a_time_without_a_zone_is_refused(answers: Answers) -> None:
    record = {"startTime": "2026-11-23T10:00:00", "endTime": "2026-11-23T11:00:00", "podId": "a", "gpuAmount": 1}
    answers.say("/v2/billing/pods", {"records": [record]})
    with pytest.raises(ConnectorError, match="without a zone"):
        runpod(answers).fetch_costs(NOW - timedelta(days=1), NOW)


def test_the_sandbox_bills_a_pod_by_the_hours_that_it_ran() -> None:
    spans: list[dict[str, Any]] = [
        {"from": "2026-11-24T06:15:00Z", "to": "2026-11-24T08:00:00Z", "status": "RUNNING"},
        {"from": "2026-11-24T08:00:00Z", "to": None, "status": "EXITED"},
    ]
    with running_sandbox(now=NOW) as sandbox:
        sandbox.load("runpod", {"pods": [pod(spans)], "balance": "50"})
        connector = connect("runpod", sandbox.config("runpod"))
        rows = connector.fetch_costs(HOUR, NOW).rows
        gpu = [row.amount for row in rows if row.category == "gpu"]
        assert gpu == [Decimal("0.255"), Decimal("0.34")]
        assert sum(row.amount for row in rows if row.category == "disk") == Decimal("0.0425")
        lease = connector.fetch_leases().rows[0]
        assert (lease.state, lease.price_per_hour) == ("stopped", Decimal(0))


def test_the_prepaid_balance_burns_down() -> None:
    spans: list[dict[str, Any]] = [{"from": "2026-11-20T00:00:00Z", "to": None, "status": "RUNNING"}]
    with running_sandbox() as sandbox:
        sandbox.load("runpod", {"pods": [pod(spans)], "balance": 50})
        balance = connect("runpod", sandbox.config("runpod")).fetch_balance()
        assert Decimal("49.99") < balance.amount <= 50
        assert balance.spend_per_hour == Decimal("0.35")


def test_a_serverless_endpoint_costs_its_busy_seconds(sandbox: Sandbox) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    endpoint = {"id": "e1", "name": "burst", "pools": ["ADA_24"], "running": 2, "price_per_second": "0.0004"}
    sandbox.load("runpod", {"endpoints": [endpoint | {"busy_seconds": {hour.isoformat(): 250}}]})
    connector = connect("runpod", sandbox.config("runpod"))
    lease = connector.fetch_leases().rows[0]
    assert (lease.kind, lease.raw_state) == ("serverless", "2 of 3 workers running")
    assert lease.price_per_hour > 0
    rows = connector.fetch_costs(hour, hour + timedelta(hours=1)).rows
    assert [(row.category, row.amount) for row in rows if row.amount] == [("gpu", Decimal("0.1"))]


def test_the_demo_companys_gpu_keeps_its_price(sandbox: Sandbox) -> None:
    rows = connect("runpod", sandbox.config("runpod")).fetch_offers().rows
    price = {row.region: row.price_per_gpu_hour for row in rows if row.gpu == "RTX 4090" and row.kind == "on_demand"}
    assert price["community"] == Decimal("0.34")
    assert {row.kind for row in rows} == {"on_demand", "spot", "serverless"}
