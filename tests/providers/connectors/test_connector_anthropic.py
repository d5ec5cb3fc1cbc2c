"""Claude: recorded answers become rows, and the real SDK pages through the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from providers.connectors import connect
from providers.connectors.base import AccountConfig, Connector, ConnectorError
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.answers import Answers

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
DAY = datetime(2026, 11, 23, tzinfo=UTC)
USAGE, COST = "/v1/organizations/analytics/usage", "/v1/organizations/analytics/cost"


@pytest.fixture(autouse=True)
def then() -> Iterator[None]:
    """Claude's reports reach back a year, also from the day on which this runs."""
    with time_machine.travel(NOW):
        yield


def claude(answers: Answers) -> Connector:
    return connect("anthropic", AccountConfig(answers.url, "sk-ant-admin01-test", local=True, timeout=2))


def hour_row(hour: datetime, **changes: Any) -> dict[str, Any]:
    row = {
        "hour": hour.isoformat(),
        "model": "claude-sonnet-5-5",
        "service_tier": "standard",
        "workspace": "wrkspc_default",
        "api_key": "apikey_1",
        "requests": 2,
        "tokens": {"uncached_input": 100, "cache_read": 900, "cache_write_5m": 50, "cache_write_1h": 0, "output": 70},
        "cost": {"uncached_input": "0.0002", "cache_read": "0.00009", "output": "0.000700000001"},
        "web_searches": 1,
    }
    return row | changes


def test_a_usage_row_keeps_the_five_classes_apart(answers: Answers) -> None:
    answers.say_recorded(USAGE, "anthropic_usage")
    fetched = claude(answers).fetch_usage(DAY, DAY + timedelta(days=1))
    first, second = fetched.rows
    assert (first.uncached_input, first.cache_read, first.cache_write_5m, first.cache_write_1h, first.output) == (
        *(1200, 3000, 200, 100, 400),
    )
    assert (first.requests, first.web_searches, first.workspace, first.api_key) == (7, 1, "wrkspc_1", "")
    assert (second.requests, second.model) == (None, "")
    assert fetched.complete_until == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_cents_as_text_become_exact_dollars(answers: Answers) -> None:
    answers.say_recorded(COST, "anthropic_cost")
    output, batch, sandboxed = claude(answers).fetch_costs(DAY, DAY + timedelta(days=1)).rows
    assert (output.amount, output.list_amount, output.token_class) == (Decimal("1.23456"), Decimal("1.3"), "output")
    assert (batch.amount, batch.token_class) == (Decimal("0.000000000125"), "cache_write_1h")
    assert (sandboxed.category, sandboxed.model, sandboxed.amount) == ("code_execution", "", Decimal("0.05"))
    assert (output.workspace, output.service_tier, batch.service_tier) == ("wrkspc_1", "standard", "batch")
    assert output.external_id == "2026-11-23/wrkspc_1/claude-opus-5-5/standard/tokens/output_tokens"
    assert len({row.external_id for row in (output, batch, sandboxed)}) == 3


def test_the_organisation_is_named(answers: Answers) -> None:
    answers.say_recorded("/v1/organizations/me", "anthropic_me")
    assert "Example GmbH" in claude(answers).test()


def test_the_sdk_sends_beta_version_and_bracket_arrays(answers: Answers) -> None:
    answers.say_recorded(COST, "anthropic_cost")
    claude(answers).fetch_costs(DAY, DAY + timedelta(days=1))
    _method, _path, query, headers, _body = answers.asked[0]
    assert headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
    assert headers["anthropic-version"] == "2026-10-21"
    assert [value for name, value in query if name == "group_by[]"][:2] == ["model", "workspace_id"]


def test_workspaces_and_keys_have_names(answers: Answers) -> None:
    answers.say_recorded("/v1/organizations/workspaces", "anthropic_workspaces")
    answers.say_recorded("/v1/organizations/api_keys", "anthropic_api_keys")
    rows = claude(answers).fetch_names().rows
    assert [(row.kind, row.external_id, row.name, row.parent, row.state) for row in rows] == [
        ("workspace", "wrkspc_0", "Default", "", "active"),
        ("workspace", "wrkspc_1", "Shop", "", "active"),
        ("workspace", "wrkspc_9", "Old pilot", "", "archived"),
        ("api_key", "apikey_1", "shop, production", "wrkspc_1", "active"),
        ("api_key", "apikey_2", "ops laptop", "", "inactive"),  # bound to a person, in no workspace
    ]
    assert rows[3].hint == "sk-ant-api03-R2D...igAA"
    queries = {path: dict(query) for _method, path, query, _headers, _body in answers.asked}
    assert queries["/v1/organizations/workspaces"]["include_default"] == "true"


def test_every_page_of_names_is_read(sandbox: Sandbox) -> None:
    hour = DAY + timedelta(hours=3)
    keys = [hour_row(hour, api_key=f"apikey_{n:04}") for n in range(1100)]
    named = {"apikey_0007": "the seventh", "wrkspc_default": "Main"}
    sandbox.load("anthropic", {"usage": keys, "names": named, "replace": True})
    rows = {row.external_id: row for row in connect("anthropic", sandbox.config("anthropic")).fetch_names().rows}
    assert len([row for row in rows.values() if row.kind == "api_key"]) == 1100
    assert rows["apikey_0007"].name == "the seventh"
    assert rows["apikey_0007"].parent == "wrkspc_default"


def test_the_older_reports_are_read_as_recorded(answers: Answers) -> None:
    answers.say_recorded("/v1/organizations/usage_report/messages", "anthropic_usage_report")
    answers.say_recorded("/v1/organizations/cost_report", "anthropic_cost_report")
    config = AccountConfig(answers.url, "sk-ant-admin01-test", {"reports": "legacy"}, local=True, timeout=2)
    old = connect("anthropic", config)
    usage = old.fetch_usage(DAY, DAY + timedelta(days=1)).rows
    assert [(row.service_tier, row.uncached_input, row.cache_write_1h, row.requests) for row in usage] == [
        ("standard", 81_230, 7, None),
        ("priority", 5_000, 7, None),
    ]
    costs = old.fetch_costs(DAY, DAY + timedelta(days=1)).rows
    assert [(row.category, row.amount, row.token_class, row.service_tier, row.workspace) for row in costs] == [
        ("tokens", Decimal("0.410725"), "output", "standard", "wrkspc_1"),
        ("tokens", Decimal("0.025"), "cache_write_1h", "batch", "wrkspc_1"),
        ("web_search", Decimal("0.04"), "", "", "wrkspc_1"),
        ("code_execution", Decimal("0.05"), "", "", "wrkspc_1"),
    ]
    assert len({row.external_id for row in costs}) == 4
    headers = answers.asked[0][3]
    assert (headers["anthropic-version"], headers["x-api-key"]) == ("2023-06-01", "sk-ant-admin01-test")


@pytest.mark.parametrize("currency", ["EUR", None])
def test_a_cost_in_another_currency_is_refused(answers: Answers, currency: str | None) -> None:
    row = {"starting_at": "2026-11-23T00:00:00Z", "ending_at": "2026-11-24T00:00:00Z", "group": {"model": "m"}}
    cost = {"amount": "1", "list_amount": "1", "currency": currency}
    answers.say(COST, {"data": [row | {"cost": cost}], "has_more": False, "next_page": None})
    with pytest.raises(ConnectorError, match="response in an unknown format"):
        claude(answers).fetch_costs(DAY, DAY + timedelta(days=1))


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e999", "", None, [], "12,5"])
def test_an_amount_that_is_none_is_refused(answers: Answers, amount: object) -> None:
    row = {"starting_at": "2026-11-23T00:00:00Z", "ending_at": "2026-11-24T00:00:00Z", "group": {"model": "m"}}
    cost = {"amount": amount, "list_amount": "1", "currency": "USD"}
    answers.say(COST, {"data": [row | {"cost": cost}], "has_more": False, "next_page": None})
    with pytest.raises(ConnectorError, match="response in an unknown format"):
        claude(answers).fetch_costs(DAY, DAY + timedelta(days=1))


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": [{}]}, {"data": [1]}, [], 5, "text", None])
def test_a_shape_that_we_do_not_know_is_a_sentence(answers: Answers, body: object) -> None:
    answers.say(USAGE, body)
    with pytest.raises(ConnectorError, match="response in an"):
        claude(answers).fetch_usage(DAY, DAY + timedelta(days=1))


def test_endless_paging_is_stopped(answers: Answers) -> None:
    answers.say(USAGE, {"data": [], "has_more": True, "next_page": "page_again"})
    with pytest.raises(ConnectorError, match="repeats the same page"):
        claude(answers).fetch_usage(DAY, DAY + timedelta(days=1))


def test_a_spend_cap_waits_for_the_month_to_end(sandbox: Sandbox) -> None:
    sandbox.fault("anthropic", "spend_cap")
    with pytest.raises(ConnectorError, match="spend limit") as caught:
        connect("anthropic", sandbox.config("anthropic")).test()
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 31 * 86_400
    assert not caught.value.permanent


def test_a_rate_limit_brings_the_vendors_own_wait(sandbox: Sandbox) -> None:
    sandbox.fault("anthropic", "429")
    with pytest.raises(ConnectorError, match="limits the request rate") as caught:
        connect("anthropic", sandbox.config("anthropic")).test()
    assert caught.value.retry_after == 8


def test_every_page_of_two_months_is_read() -> None:
    with running_sandbox(now=NOW) as sandbox:
        hours = [NOW.replace(minute=0) - timedelta(hours=n) for n in range(60 * 24)]
        models = ["claude-sonnet-5-5", "claude-haiku-4-5"]
        sandbox.load("anthropic", {"usage": [hour_row(hour, model=model) for hour in hours for model in models]})
        fetched = connect("anthropic", sandbox.config("anthropic")).fetch_usage(NOW - timedelta(days=50), NOW)
        # 50 days and the started hour, without the four hours behind the watermark and the hour under way.
        assert len(fetched.rows) == len(models) * (50 * 24 - 4)
        assert len({(row.starts_at, row.model) for row in fetched.rows}) == len(fetched.rows)
        assert fetched.complete_until == datetime(2026, 11, 24, 6, tzinfo=UTC)


def test_usage_and_cost_add_up_to_what_was_billed() -> None:
    with running_sandbox(now=NOW) as sandbox:
        hours = [DAY + timedelta(hours=n) for n in range(24)]
        tiers = ["standard", "batch"]
        ran = {"code_execution": "0.05"}
        sandbox.load(
            "anthropic", {"usage": [hour_row(hour, service_tier=tier, **ran) for hour in hours for tier in tiers]}
        )
        connector = connect("anthropic", sandbox.config("anthropic"))
        costs = connector.fetch_costs(DAY, DAY + timedelta(days=1)).rows
        assert sum(row.amount for row in costs if row.category == "tokens") == Decimal("0.000990000001") * 48
        assert sum(row.amount for row in costs if row.category == "web_search") == Decimal("0.48")
        assert sum(row.amount for row in costs if row.category == "code_execution") == Decimal("2.40")
        usage = connector.fetch_usage(DAY, DAY + timedelta(days=1)).rows
        assert (sum(row.requests or 0 for row in usage), sum(row.cache_read for row in usage)) == (96, 43_200)


def test_a_re_read_gives_the_same_keys() -> None:
    with running_sandbox(now=NOW) as sandbox:
        sandbox.load("anthropic", {"usage": [hour_row(DAY + timedelta(hours=3))]})
        connector = connect("anthropic", sandbox.config("anthropic"))
        before = connector.fetch_costs(DAY, NOW).rows
        sandbox.load("anthropic", {"usage": [hour_row(DAY + timedelta(hours=3))]})  # the vendor revises
        after = connector.fetch_costs(DAY + timedelta(hours=5), NOW).rows
        assert [row.external_id for row in after] == [row.external_id for row in before]
        assert sum(row.amount for row in after) == 2 * sum(row.amount for row in before)


def test_the_older_reports_tell_the_same_story() -> None:
    with running_sandbox(now=NOW) as sandbox:
        hours = [DAY + timedelta(hours=n) for n in range(0, 24, 5)]
        sandbox.load("anthropic", {"usage": [hour_row(hour) for hour in hours]})
        new = connect("anthropic", sandbox.config("anthropic"))
        old = connect("anthropic", sandbox.config("anthropic", settings={"reports": "legacy"}))
        before = DAY - timedelta(days=40)
        usage, older = new.fetch_usage(DAY, NOW).rows, old.fetch_usage(before, NOW).rows
        assert [replace(row, requests=None) for row in usage] == older
        money, old_money = new.fetch_costs(DAY, NOW).rows, old.fetch_costs(before, NOW).rows
        assert sum(row.amount for row in money) == sum(row.amount for row in old_money)
        assert {row.token_class for row in old_money} == {"uncached_input", "cache_read", "output", ""}


def test_the_older_reports_are_fresh_and_leave_out_the_cost_of_priority() -> None:
    with running_sandbox(now=NOW) as sandbox:
        recent = NOW.replace(minute=0) - timedelta(hours=1)
        sandbox.load("anthropic", {"usage": [hour_row(recent, service_tier="priority")]})
        old = connect("anthropic", sandbox.config("anthropic", settings={"reports": "legacy"}))
        assert [row.service_tier for row in old.fetch_usage(DAY, NOW).rows] == ["priority"]
        assert old.fetch_costs(DAY, NOW).rows == []
        assert connect("anthropic", sandbox.config("anthropic")).fetch_usage(DAY, NOW).rows == []
