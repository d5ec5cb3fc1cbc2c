"""What a rule does with its targets: equal ones by weight or by load, canaries, shadows. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from traffic.gateway.plan import LEAST_BUSY, WEIGHTED, in_canary
from traffic.gateway.protocols import OPENAI, read_request
from traffic.gateway.routes import Call, Decision, Rule, Target, decide
from traffic.gateway.rule_use import CanaryCounts

A, B, C = (Target(n, slug, "self", "vllm", f"http://{slug}", "m") for n, slug in ((1, "a"), (2, "b"), (3, "c")))
OTHER = Target(4, "other", "self", "vllm", "http://other", "another-model")
CLAUDE = Target(5, "claude", "anthropic", "anthropic", "http://claude", "claude-test")
ALL = (A, B, C, OTHER, CLAUDE)
WEIGHED = Rule("r", deployment="a", fallbacks=("b", "claude"), weight=3, weights=(1, None), strategy=WEIGHTED)
OF_PROVIDER = Rule("p", to_provider="self", strategy=WEIGHTED)


def plan(rule: Rule, text: str = "Hi", targets: Sequence[Target] = ALL, **more: object) -> Decision:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    busy = more.pop("busy", {})
    call = Call(read_request(OPENAI, json.dumps(body).encode()), "shop", "other", **more)  # type: ignore[arg-type]
    decision = decide([rule], targets, call, busy)  # type: ignore[arg-type]
    assert decision is not None
    return decision


def firsts(rule: Rule, targets: Sequence[Target] = ALL, n: int = 2_000) -> Counter[str]:
    return Counter(plan(rule, str(number), targets).targets[0].slug for number in range(n))


def slugs(decision: Decision) -> list[str]:
    return [target.slug for target in decision.targets]


def test_equal_deployments_are_chosen_by_weight_and_a_conversation_stays() -> None:
    shares = firsts(WEIGHED)
    assert set(shares) == {"a", "b"}
    assert 0.71 < shares["a"] / 2_000 < 0.79
    assert plan(WEIGHED, "the same") == plan(WEIGHED, "the same")


def test_the_other_equal_one_answers_before_the_fallbacks() -> None:
    assert {tuple(slugs(plan(WEIGHED, str(n)))) for n in range(20)} == {("a", "b", "claude"), ("b", "a", "claude")}


def test_of_a_provider_those_with_the_model_asked_for_share_equally() -> None:
    shares = firsts(OF_PROVIDER)
    assert set(shares) == {"a", "b", "c"}
    assert max(shares.values()) - min(shares.values()) < 150


def test_only_the_conversations_of_one_that_is_down_move_and_count_in_its_outage() -> None:
    down = (replace(A, down=True), B, C, OTHER, CLAUDE)
    for number in range(200):
        before, after = plan(OF_PROVIDER, str(number)), plan(OF_PROVIDER, str(number), down)
        if before.targets[0] is A:
            assert after.targets[0].slug in ("b", "c") and after.instead_of == "a"
        else:
            assert after.targets[0] is before.targets[0] and not after.instead_of


def test_the_least_busy_one_is_asked_first_whatever_the_conversation() -> None:
    rule = Rule("p", to_provider="self", strategy=LEAST_BUSY)
    decision = plan(rule, busy={1: 4, 2: 1, 3: 2})
    assert slugs(decision)[:3] == ["b", "c", "a"] and not decision.instead_of
    assert len({plan(rule, str(n)).targets[0].slug for n in range(50)}) == 3  # none is busy


def test_a_rule_that_never_falls_back_stays_among_its_equal_ones() -> None:
    assert set(slugs(plan(Rule("p", to_provider="self", strategy=WEIGHTED, falls_back=False)))) == {"a", "b", "c"}
    assert slugs(plan(Rule("p", to_provider="self", falls_back=False))) == ["a"]


def test_a_rule_with_none_of_this_is_as_it_was() -> None:
    decision = plan(Rule("p", to_provider="self"))
    assert (decision.equals, decision.canary, decision.shadow) == ((), None, None)
    hedged = plan(Rule("p", to_provider="self", hedge_ms=100))
    assert slugs(hedged)[:2] == ["a", "b"] and [target.slug for target in hedged.equals] == ["a", "b", "c"]


def test_a_canary_gets_its_share_of_conversations_and_the_rule_answers_when_it_fails() -> None:
    rule = Rule("p", deployment="a", canary="other", canary_percent=20)
    shares = firsts(rule)
    assert 0.16 < shares["other"] / 2_000 < 0.24
    text = next(str(n) for n in range(100) if plan(rule, str(n)).canary)
    decision = plan(rule, text)
    assert slugs(decision)[:2] == ["other", "a"] and not decision.instead_of
    down = (A, B, C, replace(OTHER, down=True), CLAUDE)
    assert plan(rule, text, down).canary is None and slugs(plan(rule, text, down))[0] == "a"


def test_a_larger_share_keeps_the_conversations_of_a_smaller_one() -> None:
    small, large = (Rule("p", canary="x", canary_percent=n) for n in (5, 30))
    names = [str(n).encode() for n in range(500)]
    assert {name for name in names if in_canary(small, name)} < {name for name in names if in_canary(large, name)}


@pytest.mark.parametrize(
    ("status", "outcome", "counted"),
    [
        (200, "ok", [1, 0, 0, 0]),
        (400, "error", [1, 0, 0, 0]),
        (413, "error", [1, 0, 0, 0]),
        (422, "error", [1, 0, 0, 0]),
        (401, "error", [1, 1, 0, 0]),  # our key
        (403, "error", [1, 1, 0, 0]),
        (404, "error", [1, 1, 0, 0]),  # its model
        (429, "error", [1, 1, 0, 0]),
        (None, "error", [1, 1, 0, 0]),
        (None, "cancelled", None),
    ],
)
def test_a_canary_fails_by_what_its_deployment_does_wrong(
    status: int | None, outcome: str, counted: list[int] | None
) -> None:
    canary = Target(9, "next", "self", "vllm", "http://h", "m")
    decision = Decision("p", (canary,), of=Rule("p", canary="next"), canary=canary)
    call: Any = SimpleNamespace(decision=decision, recorded=True, target=canary, status=status, ttft_ms=None)
    counts = CanaryCounts()
    counts.note(call, outcome)
    call.recorded = False  # it counts tokens
    counts.note(call, outcome)
    assert counts._counts == ({} if counted is None else {("p", 9): counted})


@pytest.mark.parametrize("private", [False, True])
def test_private_calls_get_no_shadow_and_no_canary_elsewhere(private: bool) -> None:
    rule = Rule("p", to_provider="self", canary="claude", canary_percent=99, shadow="claude", shadow_usd=Decimal(1))
    decisions = [plan(rule, str(n), private=private) for n in range(20)]
    assert any(decision.canary for decision in decisions) is not private
    shadowed = [decision for decision in decisions if decision.canary is None]
    assert private is all(decision.shadow is None for decision in shadowed) or not shadowed


def test_a_shadow_is_another_deployment_than_the_one_that_answers() -> None:
    assert plan(Rule("p", deployment="a", shadow="b")).shadow is B
    assert plan(Rule("p", to_provider="self", shadow="a")).shadow is None
