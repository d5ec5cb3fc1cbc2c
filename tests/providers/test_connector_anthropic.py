"""Claude: recorded answers become rows, and the real SDK pages through the sandbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from providers.connectors import connect
from providers.connectors.base import AccountConfig, Connector, ConnectorError
from providers.sandbox.testing import Sandbox, running_sandbox
from tests.providers.answers import Answers

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
DAY = datetime(2026, 11, 23, tzinfo=UTC)
USAGE, COST = "/v1/organizations/analytics/usage", "/v1/organizations/analytics/cost"


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


@pytest.mark.parametrize("currency", ["EUR", None])
def test_a_cost_in_another_currency_is_refused(answers: Answers, currency: str | None) -> None:
    row = {"starting_at": "2026-11-23T00:00:00Z", "ending_at": "2026-11-24T00:00:00Z", "group": {"model": "m"}}
    cost = {"amount": "1", "list_amount": "1", "currency": currency}
    answers.say(COST, {"data": [row | {"cost": cost}], "has_more": False, "next_page": None})
    with pytest.raises(ConnectorError, match="form that we do not know"):
        claude(answers).fetch_costs(DAY, DAY + timedelta(days=1))


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e999", "", None, [], "12,5"])
def test_an_amount_that_is_none_is_refused(answers: Answers, amount: object) -> None:
    row = {"starting_at": "2026-11-23T00:00:00Z", "ending_at": "2026-11-24T00:00:00Z", "group": {"model": "m"}}
    cost = {"amount": amount, "list_amount": "1", "currency": "USD"}
    answers.say(COST, {"data": [row | {"cost": cost}], "has_more": False, "next_page": None})
    with pytest.raises(ConnectorError, match="form that we do not know"):
        claude(answers).fetch_costs(DAY, DAY + timedelta(days=1))


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": [{}]}, {"data": [1]}, [], 5, "text", None])
def test_a_shape_that_we_do_not_know_is_a_sentence(answers: Answers, body: object) -> None:
    answers.say(USAGE, body)
    with pytest.raises(ConnectorError, match="form that"):
        claude(answers).fetch_usage(DAY, DAY + timedelta(days=1))


def test_endless_paging_is_stopped(answers: Answers) -> None:
    answers.say(USAGE, {"data": [], "has_more": True, "next_page": "page_again"})
    with pytest.raises(ConnectorError, match="again and again"):
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
    with pytest.raises(ConnectorError, match="slow down") as caught:
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
        sandbox.load("anthropic", {"usage": [hour_row(hour, service_tier=tier) for hour in hours for tier in tiers]})
        connector = connect("anthropic", sandbox.config("anthropic"))
        costs = connector.fetch_costs(DAY, DAY + timedelta(days=1)).rows
        assert sum(row.amount for row in costs if row.category == "tokens") == Decimal("0.000990000001") * 48
        assert sum(row.amount for row in costs if row.category == "web_search") == Decimal("0.48")
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
