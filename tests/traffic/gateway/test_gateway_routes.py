"""The rules: the first match names a target and its fall-backs; the shipped ones say what the design says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from providers.engines import ENGINES, engine_of
from traffic.gateway.model_distance import made_at
from traffic.gateway.protocols import ANTHROPIC, EMBEDDINGS, OPENAI, Protocol, read_request
from traffic.gateway.routes import (
    PROTOCOLS,
    BudgetDecides,
    Call,
    Rule,
    Target,
    decide,
    default_rules,
    reachable,
    read_rules,
    share_of,
)
from traffic.models import Route, Task

OWN = Target(1, "own", "self", "llamacpp", "http://own", "llama", context_tokens=8_000)
OWN_2 = Target(2, "own-2", "self", "vllm", "http://own-2", "qwen", context_tokens=60_000)
CLAUDE = Target(3, "claude", "anthropic", "anthropic", "https://claude", "claude-sonnet", context_tokens=1_000_000)
TRIAL = Target(4, "trial", "openai", "openai_compatible", "https://trial", "gpt")
ALL = (OWN, OWN_2, CLAUDE, TRIAL)
RULES = default_rules()


def call(protocol: Protocol = ANTHROPIC, *, text: str = "Hi", model: str = "any", **given: Any) -> Call:
    media = given.pop("media", False)
    content = [{"type": "image"}] if media else text
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()
    return Call(read_request(protocol, body), **{"application": "shop", "task": "other", **given})


def went(decision: Any) -> tuple[str, list[str]] | None:
    return decision and (decision.rule, [target.slug for target in decision.targets])


@pytest.mark.parametrize(
    ("given", "rule", "first"),
    [
        ({"private": True}, "private", "own"),
        ({"private": True, "task": "code"}, "private", "own"),
        ({"model": "qwen"}, "own-model", "own-2"),
        ({"model": "own"}, "own-model", "own"),
        ({"text": "x" * 450_000}, "long-prompt", "claude"),
        ({"text": "x" * 250_000, "task": "rag"}, "long-prompt", "claude"),
        ({"media": True, "task": "rag"}, "media", "claude"),
        ({"task": "code"}, "hard", "claude"),
        ({"task": "reasoning"}, "hard", "claude"),
        ({"task": "rag"}, "routine", "own"),
        ({"task": "qa"}, "routine", "own"),
        ({"task": "batch"}, "routine", "own"),
        ({"task": "chat"}, "otherwise", "claude"),
        ({}, "otherwise", "claude"),
    ],
)
def test_the_shipped_rules_route_as_designed(given: dict[str, Any], rule: str, first: str) -> None:
    decision = decide(RULES, ALL, call(**given))
    assert decision is not None
    assert (decision.rule, decision.targets[0].slug) == (rule, first)


def test_a_private_call_has_no_fallback_and_no_way_out() -> None:
    assert went(decide(RULES, ALL, call(private=True))) == ("private", ["own"])
    assert decide(RULES, (CLAUDE,), call(private=True)) is None
    assert decide(RULES, ALL, call(private=True, forced="otherwise")) is None
    assert decide(RULES, ALL, call(private=True, forced="claude")) is None


def test_a_target_that_does_not_speak_the_protocol_does_not_match() -> None:
    assert decide(RULES, ALL, call(EMBEDDINGS, task="code")) is None
    assert decide(RULES, (CLAUDE,), call(OPENAI, exact=True)) is None
    assert went(decide(RULES, ALL, call(OPENAI, task="rag", exact=True))) == ("routine", ["own", "own-2"])


def test_a_target_into_whose_protocol_a_call_is_translated_matches_behind_those_that_need_none() -> None:
    assert went(decide(RULES, (OWN, CLAUDE), call(OPENAI, task="code"))) == ("hard", ["claude", "own"])
    spoken = replace(CLAUDE, id=9, slug="second", engine="openai_compatible")
    rule = Rule("r", to_provider="anthropic")
    assert went(decide((rule,), (CLAUDE, spoken), call(OPENAI))) == ("r", ["second", "claude"])
    assert went(decide((rule,), (CLAUDE, spoken), call(ANTHROPIC))) == ("r", ["claude", "second"])


def test_fallbacks_are_the_others_that_rules_name_the_same_provider_first() -> None:
    assert went(decide(RULES, ALL, call(task="rag"))) == ("routine", ["own", "own-2", "claude"])
    assert went(decide(RULES, ALL, call())) == ("otherwise", ["claude", "own", "own-2"])


def test_no_call_falls_back_to_where_it_does_not_fit() -> None:
    assert went(decide(RULES, ALL, call(text="x" * 100_000))) == ("otherwise", ["claude", "own-2"])
    assert went(decide(RULES, ALL, call(media=True))) == ("media", ["claude"])


def test_an_outage_puts_a_target_behind_those_that_are_up() -> None:
    down = (replace(OWN, down=True), replace(OWN_2, down=True), CLAUDE)
    assert went(decide(RULES, down, call(task="rag"))) == ("routine", ["claude", "own", "own-2"])
    assert went(decide(RULES, (replace(OWN, down=True), OWN_2), call(task="rag"))) == ("routine", ["own-2", "own"])
    assert went(decide(RULES, down, call(private=True))) == ("private", ["own"])


def test_a_decision_tells_whose_place_another_takes() -> None:
    passed_over = decide(RULES, (replace(OWN, down=True), CLAUDE), call(task="rag"))
    as_meant = decide(RULES, (OWN, CLAUDE), call(task="rag"))
    assert passed_over is not None and as_meant is not None
    assert (passed_over.instead_of, as_meant.instead_of) == ("own", "")


def test_a_call_that_another_of_our_own_answers_counts_in_the_outage_too() -> None:
    """With two of one vendor the first that is up is chosen, and the one that was meant is named all the same."""
    down = (replace(OWN, down=True), OWN_2)
    decision = decide(RULES, down, call(task="rag"))
    assert went(decision) == ("routine", ["own-2", "own"])
    assert decision is not None and decision.instead_of == "own"
    strict = tuple(msgspec.structs.replace(rule, falls_back=False) for rule in RULES)
    decision = decide(strict, down, call(task="rag"))
    assert went(decision) == ("routine", ["own-2"])
    assert decision is not None and decision.instead_of == "own"
    both_up = decide(RULES, (OWN, OWN_2), call(task="rag"))
    assert both_up is not None and both_up.instead_of == ""


def test_named_fallbacks_are_tried_in_their_order_and_no_others() -> None:
    rule = Rule("r", deployment="claude", fallbacks=("trial", "own-2", "gone"))
    assert went(decide((rule,), ALL, call())) == ("r", ["claude", "trial", "own-2"])
    assert went(decide((rule,), ALL, call(exact=True))) == ("r", ["claude", "own-2"])  # trial speaks OpenAI's alone


def test_the_best_of_a_providers_targets_has_the_model_asked_for_and_holds_the_prompt() -> None:
    rule = Rule("r", to_provider="self", falls_back=False)
    assert went(decide((rule,), ALL, call(model="qwen"))) == ("r", ["own-2"])
    assert went(decide((rule,), ALL, call(text="x" * 100_000))) == ("r", ["own-2"])
    assert went(decide((rule,), ALL, call())) == ("r", ["own"])


def claude(*models: str) -> tuple[Target, ...]:
    """Deployments of a vendor, with slugs that say nothing."""
    return tuple(
        Target(number, f"d{number}", "anthropic", "anthropic", "https://claude", model)
        for number, model in enumerate(models)
    )


OPUS, SONNET, HAIKU = "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"


@pytest.mark.parametrize(
    ("asked", "there", "chosen"),
    [
        (SONNET, (HAIKU, OPUS, SONNET), SONNET),
        (f"{SONNET}-20250929", (HAIKU, OPUS, SONNET), SONNET),
        (f"{SONNET}@20250929", (HAIKU, OPUS, SONNET), SONNET),
        (SONNET, (HAIKU, OPUS, f"{SONNET}-20250929"), f"{SONNET}-20250929"),
        (f"{SONNET}-20250929", (SONNET, f"{SONNET}-20250929"), f"{SONNET}-20250929"),
        ("claude-3-5-haiku-latest", (OPUS, "claude-3-5-haiku-20241022"), "claude-3-5-haiku-20241022"),
        ("claude-opus-4-1", (HAIKU, SONNET, OPUS), OPUS),
        ("claude-opus-4-1", (HAIKU, SONNET), SONNET),
        ("claude-opus-4-1", (HAIKU,), HAIKU),
        ("claude-sonnet-4-0", (HAIKU, OPUS), OPUS),
        ("claude-haiku-9", (OPUS, SONNET), SONNET),
        ("claude-opus-4-1", ("claude-instant", HAIKU), HAIKU),
        ("claude-sonnet-4-5", ("claude-sonnet-4", "claude-sonnet-5", "claude-sonnet-4-6"), "claude-sonnet-4-6"),
        ("claude-sonnet-4-5", ("claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514"), "claude-sonnet-4-20250514"),
        ("gpt-4o", (HAIKU, OPUS), HAIKU),  # nothing near: the first slug, as for every model
        ("gpt-4o-2024-08-06", (HAIKU, "gpt-4o"), "gpt-4o"),
        ("claude-opus-" + "9" * 180, (HAIKU, OPUS), OPUS),
    ],
)
def test_a_provider_answers_with_the_nearest_model_and_never_a_smaller_one_unasked(
    asked: str, there: tuple[str, ...], chosen: str
) -> None:
    decision = decide((Rule("r", to_provider="anthropic"),), claude(*there), call(model=asked))
    assert decision is not None
    assert decision.targets[0].model == chosen


def test_the_nearest_model_is_one_that_is_up_and_holds_the_prompt() -> None:
    haiku, sonnet, opus = claude(HAIKU, SONNET, OPUS)
    rule = Rule("r", to_provider="anthropic")
    asked = call(model="claude-opus-4-1", text="x" * 100_000)
    assert went(decide((rule,), (haiku, sonnet, replace(opus, down=True)), asked)) == ("r", ["d1", "d0", "d2"])
    small = replace(opus, context_tokens=1_000)
    assert went(decide((rule,), (haiku, sonnet, small), asked)) == ("r", ["d1", "d0"])


@pytest.mark.parametrize(
    ("model", "made"),
    [
        ("claude-sonnet-4-5-20250929", "2025-09-29"),
        ("gpt-4o-2024-08-06", "2024-08-06"),
        ("claude-3-5-haiku-latest", "2024-01-01"),
        ("qwen", "2024-01-01"),
        ("claude-20259999", "2024-01-01"),
    ],
)
def test_a_model_was_made_when_its_name_says(model: str, made: str) -> None:
    assert f"{made_at(model):%Y-%m-%d}" == made


def test_a_model_of_text_alone_is_asked_for_no_image() -> None:
    blind, seeing = replace(OWN, takes_media=False), replace(OWN_2, takes_media=True)
    assert went(decide(RULES, (blind, CLAUDE), call(model="llama", media=True))) == ("media", ["claude"])
    assert went(decide(RULES, (blind, CLAUDE), call(model="llama"))) == ("own-model", ["own", "claude"])
    assert decide(RULES, (blind, CLAUDE), call(media=True, private=True)) is None
    assert went(decide(RULES, (blind, seeing), call(media=True, private=True))) == ("private", ["own-2"])
    silent = replace(OWN, takes_media=None)
    decision = decide(RULES, (silent, seeing), call(media=True, private=True))
    assert decision is not None and decision.targets[0].slug == "own-2"
    assert went(decide(RULES, (silent, blind), call(media=True, private=True))) == ("private", ["own"])


def test_conditions_must_all_hold() -> None:
    rule = Rule(
        "r",
        tasks=("rag",),
        applications=("shop",),
        requested_models=("claude-*", "x"),
        budget_states=("over",),
        to_provider="self",
    )
    good: dict[str, Any] = {"task": "rag", "model": "claude-9", "budget_state": "over"}
    assert went(decide((rule,), (OWN,), call(**good))) == ("r", ["own"])
    for other in ({"task": "qa"}, {"application": "lab"}, {"model": "claude"}, {"budget_state": "within"}):
        assert decide((rule,), (OWN,), call(**{**good, **other})) is None


def test_a_rule_for_media_can_also_mean_none() -> None:
    rule = Rule("r", media=False, to_provider="self")
    assert decide((rule,), ALL, call()) is not None
    assert decide((rule,), ALL, call(media=True)) is None


def test_a_prompt_over_every_own_context_is_long_only_where_there_is_one() -> None:
    rule = Rule("r", over_context=True, to_provider="anthropic")
    long = call(text="x" * 300_000)
    assert decide((rule,), ALL, long) is not None
    assert decide((rule,), (CLAUDE,), long) is None
    assert decide((rule,), (replace(OWN, context_tokens=None), CLAUDE), long) is None


def test_a_percentage_is_sticky_and_about_right() -> None:
    rule = Rule("r", percent=30, to_provider="self")
    calls = [call(text=f"question {number}") for number in range(2_000)]
    inside = [decide((rule,), ALL, each) is not None for each in calls]
    assert inside == [decide((rule,), ALL, each) is not None for each in calls]
    assert 0.26 < sum(inside) / len(inside) < 0.34
    assert share_of("a", b"1") != share_of("b", b"1")


def test_a_caller_can_insist_on_what_its_application_may_reach() -> None:
    rules = (Rule("labs", applications=("lab",), deployment="trial"), *RULES)
    assert went(decide(rules, ALL, call(forced="hard"))) == ("hard", ["claude", "own", "own-2"])
    assert went(decide(rules, ALL, call(forced="own-2"))) == ("forced", ["own-2"])
    assert decide(rules, ALL, call(OPENAI, forced="trial")) is None
    assert decide(rules, ALL, call(OPENAI, forced="labs")) is None
    assert went(decide(rules, ALL, call(OPENAI, forced="trial", application="lab"))) == ("forced", ["trial"])


def test_a_caller_cannot_insist_on_a_way_past_its_budget() -> None:
    cheap = Rule("cheap", budget_states=("over",), to_provider="self", falls_back=False)
    rules = (cheap, Rule("good", budget_states=("within", "unknown"), deployment="trial"), *RULES)
    for wish in ("otherwise", "hard", "claude", "good"):
        with pytest.raises(BudgetDecides):
            decide(rules, ALL, call(OPENAI if wish == "good" else ANTHROPIC, forced=wish, budget_state="over"))
    for wish in ("cheap", "own"):
        decision = decide(rules, ALL, call(forced=wish, budget_state="over"))
        assert decision is not None and [target.slug for target in decision.targets] == ["own"]
    assert went(decide(rules, ALL, call(forced="hard", budget_state="within", exact=True))) == (
        "hard",
        ["claude", "own", "own-2"],
    )
    with pytest.raises(BudgetDecides):
        decide(rules, ALL, call(forced="cheap", budget_state="within"))
    with pytest.raises(BudgetDecides):
        decide(rules, ALL, call(OPENAI, forced="trial", budget_state="over"))
    assert decide(rules, ALL, call(forced="nowhere", budget_state="over")) is None
    # Where no rule is about the budget, a wish is a wish.
    assert went(decide(RULES, ALL, call(forced="claude", budget_state="over"))) == ("forced", ["claude"])


def test_reachable_are_the_targets_that_rules_name() -> None:
    assert [target.slug for target in reachable(RULES, ALL, "shop")] == ["own", "own-2", "claude"]


def test_no_targets_means_no_decision() -> None:
    assert decide(RULES, (), call()) is None
    assert decide((), ALL, call()) is None


def test_a_rule_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        read_rules(b'[{"slug": "r", "colour": "red"}]')


def test_a_target_never_shows_its_key() -> None:
    assert "sk-secret" not in repr(replace(OWN, api_key="sk-secret"))


def test_rules_have_the_columns_of_a_route() -> None:
    elsewhere = {"id", "order", "enabled", "fallback", "use", "canary_errors"}  # the last one judges in a worker
    columns = {field.name for field in Route._meta.get_fields()} - elsewhere
    assert set(Rule.__struct_fields__) == columns | {"weights"}


def test_the_shipped_rules_name_tasks_that_exist() -> None:
    assert {task for rule in RULES for task in rule.tasks} <= set(Task.values)


def test_the_gateway_knows_what_every_engine_speaks() -> None:
    assert {kind: engine_of(kind).protocols for kind in ENGINES} == PROTOCOLS
