"""Rules before they act: one call with every rule's answer, and the last calls under changed rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests.dashboard.logins import logged_in, with_role
from tests.factories import ApplicationFactory, DeploymentFactory
from tests.traffic.people import text
from tests.traffic.request_rows import row
from traffic.gateway.protocols import ANTHROPIC
from traffic.gateway.routes import Rule, Target, default_rules, holds
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens
from traffic.ingest.store import ingest
from traffic.models import Application, Route
from traffic.routes import queries
from traffic.routes.dry_run import CallSketch, PastCall, call_of, compare, dry_run, unmet

OWN = Target(1, "own", "self", "vllm", "http://own", "own-model", context_tokens=50_000)
CLAUDE = Target(2, "claude", "anthropic", "anthropic", "http://claude", "claude-test")
TARGETS = (OWN, CLAUDE)
URL = "/settings/routes/"


def past(tokens: int = 100, **sketch: Any) -> PastCall:
    return PastCall("0", datetime.now(UTC), CallSketch("claude-test", tokens=tokens, **sketch), (tokens, 0, 0, 0, 9))


def test_each_rule_answers_and_the_decision_is_the_gateways() -> None:
    rules = (
        Rule("code", tasks=("code",), to_provider="anthropic"),
        Rule("gone", to_provider="nobody"),
        Rule("own", over_tokens=1_000, to_provider="self"),
        Rule("rest", to_provider="anthropic"),
    )
    tried = dry_run(rules, TARGETS, CallSketch("own-model", tokens=2_000))
    assert [(answer.unmet, answer.answers, answer.decides) for answer in tried.rules] == [
        (("tasks",), False, False),
        ((), False, False),
        ((), True, True),
        ((), True, False),
    ]
    assert tried.decision is not None
    assert [target.slug for target in tried.decision.targets] == ["own", "claude"]


@given(
    task=st.sampled_from(["rag", "code", "other"]),
    tokens=st.integers(0, 200_000),
    media=st.booleans(),
    private=st.booleans(),
    model=st.sampled_from(["own-model", "claude-test", "gpt"]),
)
def test_a_rule_without_unmet_conditions_is_one_that_holds(
    task: str, tokens: int, media: bool, private: bool, model: str
) -> None:
    call = call_of(CallSketch(model, task=task, tokens=tokens, media=media, private=private))
    assert abs(call.request.prompt_tokens - tokens) <= 60
    assert (call.request.media, call.request.protocol) == (media, ANTHROPIC)
    for rule in default_rules():
        assert holds(rule, TARGETS, call) == (not unmet(rule, TARGETS, call))


def test_calls_that_would_go_elsewhere_are_counted_with_their_costs_and_what_does_not_fit() -> None:
    before, after = [Rule("all", to_provider="anthropic")], [Rule("all", to_provider="self")]
    prices = {"own": Decimal(0), "claude": Decimal("0.02")}
    calls = [past(), past(), past(90_000)]
    comparison = compare(before, after, TARGETS, calls, lambda call, target: prices[target.slug])
    assert (comparison.calls, comparison.moved, comparison.do_not_fit) == (3, 3, 1)
    assert (comparison.cost_before, comparison.cost_after) == (Decimal("0.06"), Decimal(0))
    assert (comparison.listed[0].before, comparison.listed[0].after) == ("claude", "own")
    unknown = compare(before, after, TARGETS, calls, lambda call, target: None)
    assert (unknown.unpriced, unknown.cost_before) == (3, Decimal(0))
    nowhere = compare(before, [], TARGETS, calls, lambda call, target: Decimal(1))
    assert (nowhere.moved, nowhere.nowhere, nowhere.unpriced) == (3, 3, 3)
    assert compare(before, before, TARGETS, calls, lambda call, target: None).moved == 0


# Pages.


@pytest.fixture
def ops(db: None) -> Client:
    with_role("ops")
    return logged_in(User.objects.get(username="ops"))


@pytest.fixture
def shop(db: None) -> Application:
    DeploymentFactory.create(slug="own", model="own-model", context_tokens=50_000)
    DeploymentFactory.create(slug="claude", provider="anthropic", engine="anthropic", model="claude-test")
    Route.objects.all().delete()
    Route.objects.create(order=1, slug="all", name="All", to_provider="anthropic")
    return ApplicationFactory.create(slug="shop")


def test_the_page_names_the_rule_and_what_does_not_match(ops: Client, shop: Application) -> None:
    assert "No request is sent" in text(ops, f"{URL}try/")
    Route.objects.create(order=0, slug="rag", name="RAG", tasks=["rag"], to_provider="self")
    page = text(ops, f"{URL}try/", model="claude-test", task="code", tokens="500")
    assert "The route <b>all</b> sends this call to <b>claude</b>." in page
    assert "no match" in page and "its task" in page
    page = text(ops, f"{URL}try/", model="claude-test", task="rag", private="on", application=str(shop.pk))
    assert "The route <b>rag</b> sends this call to <b>own</b>." in page
    assert ops.get(f"{URL}try/", {"model": "", "tokens": "-1"}).status_code == 422


def test_a_changed_rule_is_held_against_the_last_calls_and_not_saved(
    ops: Client, shop: Application, conn: psycopg.Connection
) -> None:
    now = datetime.now(UTC)
    rows = [
        row(
            number,
            started_at=now - timedelta(seconds=number),
            source="gateway",
            provider="anthropic",
            model="claude-test",
            application_id=shop.pk,
            task="rag" if number < 7 else "code",
            tokens=Tokens(60_000 if number == 0 else 100, 0, 0, 0, 5),
        )
        for number in range(10)
    ]
    ingest(conn, rows, PricingContext.load(conn))
    fields = {"name": "RAG", "slug": "rag", "enabled": "on", "tasks": ["rag"], "to_provider": "self", "before": "",
              "falls_back": "on", "action": "compare"}  # fmt: skip
    fields["before"] = str(Route.objects.get().pk)
    response = ops.post(f"{URL}add/", fields)
    page = response.content.decode()
    assert response.status_code == 200
    assert "<b>7</b> of the last <b>10</b> calls would go to another deployment." in page
    assert "With a prompt that is too long there" in page and "not included" in page
    assert Route.objects.count() == 1
    response = ops.post(f"{URL}all/", {**fields, "slug": "all", "name": "All", "tasks": [], "enabled": ""})
    assert "<b>10</b> of the last <b>10</b> calls" in response.content.decode()
    assert Route.objects.get().enabled
    assert ops.post(f"{URL}add/", {**fields, "action": ""}).status_code == 302
    assert Route.objects.count() == 2


def test_a_log_that_does_not_answer_in_time_ends_the_search(
    shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "LOOK_MS", 50)
    with conn.transaction():
        conn.execute("LOCK TABLE traffic_request")
        assert queries.last_calls((), datetime.now(UTC).date()) == []
