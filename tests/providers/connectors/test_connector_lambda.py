"""Lambda: recorded answers become rows; memory stands in a text and prices are whole cents of the instance."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import httpx
import pytest

from providers.connectors import connect
from providers.connectors.base import AccountConfig, Connector, ConnectorError
from sandbox.lambda_cloud import KEY
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.answers import Answers


def lambda_cloud(answers: Answers) -> Connector:
    return connect("lambda", AccountConfig(answers.url, "secret_test_key", local=True, timeout=2))


def test_an_offer_is_priced_per_gpu_and_stands_in_every_region_with_capacity(answers: Answers) -> None:
    answers.say_recorded("/instance-types", "lambda_instance_types")
    rows = lambda_cloud(answers).fetch_offers().rows
    assert [
        (row.gpu, row.gpu_count, row.memory_gb, row.price_per_gpu_hour, row.region, row.available) for row in rows
    ] == [
        ("H100", 1, 80, Decimal("2.49"), "us-west-1", True),
        ("H100", 1, 80, Decimal("2.49"), "xx-new-1", True),
        ("A100 40GB", 8, 40, Decimal("1.29"), "", False),
    ]


def test_instances_become_leases_without_their_notebooks(answers: Answers) -> None:
    answers.say_recorded("/instances", "lambda_instances")
    active, preempted = lambda_cloud(answers).fetch_leases().rows
    assert (active.gpu, active.gpu_count, active.price_per_hour, active.state) == (
        *("A100 40GB", 8, Decimal("10.32"), "running"),
    )
    assert (active.region, active.started_at) == ("us-west-1", None)
    assert (preempted.state, preempted.raw_state, preempted.name) == ("ended", "preempted", "")
    assert "jupyter" not in repr([active, preempted])


@pytest.mark.parametrize("cents", [-1, None, "x", True])
def test_an_impossible_price_is_refused(answers: Answers, cents: Any) -> None:
    kind = {"name": "n", "description": "1x L4 (24 GB)", "price_cents_per_hour": cents, "specs": {"gpus": 1}}
    answers.say("/instance-types", {"data": {"n": {"instance_type": kind, "regions_with_capacity_available": []}}})
    with pytest.raises(ConnectorError, match="response in an unknown format"):
        lambda_cloud(answers).fetch_offers()


def test_the_sandbox_rents_and_ends_instances(sandbox: Sandbox) -> None:
    span = {"from": "2026-11-01T00:00:00Z", "to": None, "status": "RUNNING"}
    rented = {"id": "a", "name": "train", "gpu": "gpu_1x_h100_pcie", "price_per_hour": 2.49, "spans": [span]}
    ended = rented | {"id": "b", "spans": [span | {"to": "2026-11-02T00:00:00Z"}]}
    sandbox.load("lambda", {"instances": [rented, ended]})
    rows = connect("lambda", sandbox.config("lambda")).fetch_leases().rows
    assert [(row.external_id, row.state, row.price_per_hour) for row in rows] == [("a", "running", Decimal("2.49"))]


def test_the_sandbox_takes_the_key_in_each_documented_way(sandbox: Sandbox) -> None:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    for header in (f"Bearer {KEY}", f"Basic {basic}", f"Basic {KEY}"):
        assert httpx.get(f"{sandbox.url}/lambda/instances", headers={"authorization": header}).status_code == 200


def test_one_call_a_second_where_the_vendor_is_strict() -> None:
    with running_sandbox(strict=True) as sandbox:
        connector = connect("lambda", sandbox.config("lambda"))
        connector.test()
        with pytest.raises(ConnectorError, match="1 request per second"):
            connector.test()
