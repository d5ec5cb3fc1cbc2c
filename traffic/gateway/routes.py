"""Which deployment answers a call: ordered rules over plain data, no I/O.

The first rule whose conditions hold and whose target speaks the caller's protocol names that target and its
fall-backs. A rule has the columns of `traffic.models.Route`; the shipped ones pick targets by provider, so that they
need no slug of any installation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from providers.aws_signature import is_claude
from traffic.gateway.model_distance import Distance, distance, has_family, match_rank
from traffic.gateway.plan import FIRST, IDLE, arranged, in_canary, lot
from traffic.gateway.protocols import (
    ANTHROPIC,
    COMPLETIONS,
    CONVERSING,
    EMBEDDINGS,
    MEDIA,
    OPENAI,
    RESPONSES,
    SAME_MODEL,
    GatewayRequest,
    Protocol,
    can_be_translated,
)

SELF, BEDROCK = "self", "bedrock"
DEFAULT_ROUTES = Path(__file__).resolve().parent.parent / "data" / "default_routes.json"
MOST_TARGETS = 4  # a call that fails everywhere must not go round all deployments

# Which protocols an engine serves; a test holds this next to `providers.engines`, which needs Django.
BOTH: frozenset[Protocol] = frozenset({ANTHROPIC, OPENAI})
PROTOCOLS: dict[str, frozenset[Protocol]] = {
    "anthropic": frozenset({ANTHROPIC}),
    "vllm": BOTH,
    "llamacpp": BOTH,
    "ollama": BOTH,
    "sglang": frozenset({OPENAI}),
    "lmdeploy": frozenset({OPENAI}),
    "tgi": frozenset({OPENAI}),
    BEDROCK: frozenset({ANTHROPIC}),
    "azure_openai": frozenset({OPENAI}),
    "gemini": frozenset({OPENAI}),
    "openrouter": frozenset({OPENAI}),
    "openai_compatible": frozenset({OPENAI}),
}
# What an engine serves beside them. Responses only where a server of that name is known to have them: what a
# conversation needs is translated otherwise.
BESIDE: dict[str, frozenset[Protocol]] = {
    "vllm": frozenset({RESPONSES, COMPLETIONS, EMBEDDINGS, MEDIA}),
    "llamacpp": frozenset({RESPONSES, COMPLETIONS, EMBEDDINGS, MEDIA}),
    "ollama": frozenset({RESPONSES, COMPLETIONS, EMBEDDINGS}),
    "sglang": frozenset({COMPLETIONS, EMBEDDINGS}),
    "lmdeploy": frozenset({COMPLETIONS}),
    "tgi": frozenset({COMPLETIONS}),
    "azure_openai": frozenset({RESPONSES, COMPLETIONS, EMBEDDINGS, MEDIA}),
    "gemini": frozenset({EMBEDDINGS, MEDIA}),
    "openrouter": frozenset({COMPLETIONS, EMBEDDINGS}),
    "openai_compatible": frozenset({COMPLETIONS, EMBEDDINGS, MEDIA}),
}
BESIDE_AT: dict[str, frozenset[Protocol]] = {"openai": frozenset({RESPONSES})}  # by provider


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment as the gateway sees it. `down` is an open outage or a maintenance.

    `local`: it may be at a private or loopback address. `max_concurrency`: how many calls this process may have under
    way there, its share of what the deployment serves at once; None: no limit.
    """

    id: int
    slug: str
    provider: str
    engine: str
    url: str
    model: str
    api_key: str = field(default="", repr=False)
    context_tokens: int | None = None
    down: bool = False
    local: bool = False
    max_concurrency: int | None = None
    takes_media: bool | None = None  # images or sound; None: nobody says
    connect_timeout_s: float | None = None  # None: as the gateway's settings say
    first_byte_timeout_s: float | None = None
    idle_timeout_s: float | None = None  # None: as for the first byte
    total_timeout_s: float | None = None  # None: no limit
    failed_checks: int = 0  # in a row, up to now
    cooling_until: datetime | None = None  # calls at some gateway failed in a row

    @property
    def protocols(self) -> frozenset[Protocol]:
        """What its server speaks itself."""
        return _protocols(self.engine, self.provider, self.model)

    def serves(self, model: str) -> bool:
        """Whether this is what a caller means who asks for `model`: the engine's own name or our slug."""
        return model in (self.model, self.slug)

    def holds(self, prompt_tokens: int) -> bool:
        """Whether a prompt of that length fits; a context of unknown size is taken to be large enough."""
        return self.context_tokens is None or prompt_tokens <= self.context_tokens


@cache
def _protocols(engine: str, provider: str, model: str) -> frozenset[Protocol]:
    own = CONVERSING if engine == BEDROCK and not is_claude(model) else PROTOCOLS.get(engine, frozenset({OPENAI}))
    return own | BESIDE.get(engine, frozenset()) | BESIDE_AT.get(provider, frozenset())


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule; a condition left empty holds for every call, all that are given must hold.

    It sends to `deployment` (a slug) or to the best one of `to_provider`. `fallbacks` are slugs, tried in this order;
    without any, the other targets that rules name for this application stand in, unless `falls_back` is off.
    """

    slug: str
    name: str = ""
    tasks: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    requested_models: tuple[str, ...] = ()  # a `*` at the end matches any rest
    over_tokens: int | None = None  # the prompt is estimated longer than this,
    over_context: bool = False  # or longer than any self-hosted target takes
    media: bool | None = None
    private: bool | None = None
    self_only_model: bool = False  # only our own deployments serve the model asked for
    percent: int | None = None  # of conversations; one that is in stays in
    budget_states: tuple[str, ...] = ()
    to_provider: str = ""
    deployment: str = ""
    fallbacks: tuple[str, ...] = ()
    falls_back: bool = True
    next_at_cap: bool = False  # where a cap is used up the rules after it decide
    strategy: str = FIRST  # of `traffic.gateway.plan`, among equal targets
    weight: int = 1  # of `deployment` among them
    weights: tuple[int | None, ...] = ()  # of each fall-back; None: it is not equal
    hedge_ms: int | None = None  # without a byte, before a second one of the equal targets is asked
    canary: str = ""  # a slug
    canary_percent: int | None = None  # of conversations
    canary_ttft_ms: int | None = None  # streams past it count against the canary
    shadow: str = ""  # a slug
    shadow_usd: Decimal | None = None  # a day

    def names(self, target: Target) -> bool:
        """Whether this rule's own target, fall-backs aside, can be this deployment."""
        return target.slug == self.deployment if self.deployment else target.provider == self.to_provider


@dataclass(frozen=True, slots=True)
class Call:
    """What the rules look at. `forced` is a rule's or a deployment's slug that the caller insists on."""

    request: GatewayRequest
    application: str
    task: str
    private: bool = False
    forced: str = ""
    budget_state: str = ""
    exact: bool = False  # it cannot be translated
    guessed: str = ""  # why its task is taken to be what it is, where the caller names none


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that matched and the targets to try, best first; never empty.

    `instead_of` is the slug of the rule's own choice where that is down and another goes before it.
    """

    rule: str
    targets: tuple[Target, ...]
    instead_of: str = ""
    of: Rule | None = field(default=None, compare=False, repr=False)  # the rule itself; None where a caller insists
    equals: tuple[Target, ...] = ()  # the rule's own targets, where several are equal
    canary: Target | None = None  # the first target, where this conversation is in the share of the rule's canary
    shadow: Target | None = None  # gets a copy of the call after its answer


class BudgetDecides(Exception):
    """The caller insists on a way past the rule that is there for its application's budget; `rule` is its slug."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def decide(
    rules: Sequence[Rule], targets: Sequence[Target], call: Call, busy: Mapping[int, int] = IDLE
) -> Decision | None:
    """The first rule that matches and can answer in the caller's protocol, or None.

    `busy` is how many calls are under way at each target, by its id.

    Raises BudgetDecides where the caller insists on another way than the one that is left by its budget.
    """
    able = [
        target
        for target in targets
        if _answers(target, call)
        # A model of text alone would answer an image with an error, and so would the next one.
        and (target.takes_media is not False or not call.request.media)
        # A private call stays on our own machines whatever a rule, a fall-back or the caller's own wish say.
        and (target.provider == SELF or not call.private)
    ]
    if call.forced:
        return _forced(rules, targets, able, call, busy)
    return _first(rules, targets, able, call, busy)


def _answers(target: Target, call: Call) -> bool:
    """Whether it speaks the caller's protocol, or one into which that is translated.

    Vectors of different models cannot be compared, so that no other model stands in for the one that embeds; nor for
    one that hears, speaks or draws.
    """
    request = call.request
    if call.exact and target.engine == BEDROCK:  # which counts no tokens in Messages
        return False
    if request.protocol not in target.protocols:
        return not call.exact and can_be_translated(request.protocol, target.protocols)
    return request.protocol not in SAME_MODEL or is_nearly(target, request.model)


def is_known(rules: Iterable[Rule], targets: Sequence[Target], call: Call) -> bool:
    """Whether the model asked for is served, or is one that routes may answer with another.

    That is a vendor's model by the family in its name, or one that a rule names. Any other is taken for a mistake,
    which a model of another name and price must not answer.
    """
    model = call.request.model
    if any(target.serves(model) for target in targets) or has_family(model):
        return True
    if any(is_nearly(target, model) for target in targets):
        return True
    mine = (rule for rule in rules if not rule.applications or call.application in rule.applications)
    return any(_is_one_of(model, rule.requested_models) for rule in mine)


def is_nearly(target: Target, model: str) -> bool:
    """Whether it serves the model asked for, its day aside."""
    return target.serves(model) or match_rank(target.model, model) < 2


def after_cap(
    rules: Sequence[Rule], targets: Sequence[Target], call: Call, rule: str, busy: Mapping[int, int] = IDLE
) -> Decision | None:
    """Where a call goes whose caps leave no room at the targets of a rule: nowhere, unless the rule says so."""
    for number, reached in enumerate(rules):
        if reached.slug == rule and reached.next_at_cap and not call.forced:
            return decide(rules[number + 1 :], targets, call, busy)
    return None


def _first(
    rules: Sequence[Rule], targets: Sequence[Target], able: Sequence[Target], call: Call, busy: Mapping[int, int]
) -> Decision | None:
    for rule in rules:
        if holds(rule, targets, call) and (decision := _decision(rule, rules, able, call, busy)):
            return decision
    return None


def _forced(
    rules: Sequence[Rule], targets: Sequence[Target], able: Sequence[Target], call: Call, busy: Mapping[int, int]
) -> Decision | None:
    """The rule, else the deployment, that the caller insists on; a rule of other applications is not theirs.

    A wish passes over every condition but those on the budget: a rule for another state of it does not exist, and
    where a rule for an application over its budget decides, the caller may choose among its targets alone.
    """
    decision = _requested_route(rules, able, call, busy)
    if decision is None or call.budget_state != OVER or not any(rule.budget_states for rule in rules):
        return decision
    due = _first(rules, targets, able, call, busy)
    if due is None or due.rule == decision.rule:
        return decision
    if any(rule.slug == due.rule and rule.budget_states for rule in rules) and (
        decision.rule != FORCED or decision.targets[0] not in due.targets
    ):
        raise BudgetDecides(due.rule)
    return decision


FORCED, OVER = "forced", "over"


def _requested_route(
    rules: Sequence[Rule], able: Sequence[Target], call: Call, busy: Mapping[int, int]
) -> Decision | None:
    mine = [rule for rule in rules if not rule.applications or call.application in rule.applications]
    open_to_it = [rule for rule in mine if not rule.budget_states or call.budget_state in rule.budget_states]
    for rule in mine:
        if rule.slug == call.forced:
            if rule not in open_to_it:
                raise BudgetDecides(rule.slug)
            return _decision(rule, rules, able, call, busy)
    for target in reachable(mine, able, call.application):
        if target.slug == call.forced:
            if not reachable(open_to_it, [target], call.application):
                raise BudgetDecides(next(rule.slug for rule in mine if reachable([rule], [target], call.application)))
            return Decision(FORCED, (target,))
    return None


def _decision(
    rule: Rule, rules: Sequence[Rule], able: Sequence[Target], call: Call, busy: Mapping[int, int]
) -> Decision | None:
    """The rule's target, then its fall-backs; one in an outage goes behind those that are up."""
    named = [target for target in able if rule.names(target)]
    if not named:
        return None
    first = named[0] if len(named) == 1 else min(named, key=lambda target: _rank(target, call))
    # What the rule would choose if all were up: a call that passes it over counts in its outage.
    meant = first if len(named) == 1 else min(named, key=lambda target: _rank(target, call)[1:])
    equals = _equals(rule, first, named, able, call) if rule.strategy != FIRST or rule.hedge_ms else ()
    own: Sequence[Target] = (first,)
    if len(equals) > 1:
        own = arranged(rule, equals, call.request.conversation, busy)
        if rule.strategy != FIRST:
            meant = min(equals, key=lambda target: lot(rule, target, call.request.conversation))
            meant = meant if meant.down else own[0]
    others = _fallbacks(rule, rules, first, able, call) if rule.falls_back else ()
    chosen = [*own, *(target for target in others if target not in own)][:MOST_TARGETS]
    if chosen[0].down:
        chosen.sort(key=lambda target: target.down)
    decision = Decision(
        rule.slug,
        tuple(chosen),
        instead_of=meant.slug if chosen[0] is not meant else "",
        of=rule,
        equals=tuple(equals) if len(equals) > 1 else (),
    )
    return decision if not rule.canary and not rule.shadow else _beside(decision, rule, able, call)


def _equals(rule: Rule, first: Target, named: Sequence[Target], able: Sequence[Target], call: Call) -> Sequence[Target]:
    """The targets that are as good as the rule's first one: those of its provider that only their names tell apart, or
    for one deployment the fall-backs with a weight."""
    if not rule.deployment:
        rank = _rank(first, call)[1:-1]
        return [target for target in named if _rank(target, call)[1:-1] == rank]
    weighted = {slug for slug, weight in zip(rule.fallbacks, rule.weights, strict=False) if weight}
    return [first, *(target for target in able if target.slug in weighted and target is not first)]


def _beside(decision: Decision, rule: Rule, able: Sequence[Target], call: Call) -> Decision:
    """The decision with the rule's canary in front, where this conversation is in its share, and with its shadow."""
    fits = [target for target in able if not target.down and target.holds(call.request.prompt_tokens)]
    canary = next((target for target in fits if target.slug == rule.canary), None)
    if canary in decision.targets[:1] or not in_canary(rule, call.request.conversation):
        canary = None
    others = tuple(target for target in decision.targets if target is not canary)
    targets = others if canary is None else (canary, *others)[:MOST_TARGETS]
    shadow = next((target for target in fits if target.slug == rule.shadow and target is not targets[0]), None)
    return replace(decision, targets=targets, canary=canary, shadow=None if call.private else shadow)


def _fallbacks(
    rule: Rule, rules: Sequence[Rule], first: Target, able: Sequence[Target], call: Call
) -> Iterable[Target]:
    others = [target for target in able if target is not first]
    if rule.fallbacks:
        by_slug = {target.slug: target for target in others}
        return [by_slug[slug] for slug in rule.fallbacks if slug in by_slug]
    # Never to a deployment that no rule names: it may be there for a trial, at a vendor that must not see this data.
    others = [
        target
        for target in reachable(rules, others, call.application)
        if target.holds(call.request.prompt_tokens) and (target.provider == first.provider or not call.request.media)
    ]
    return sorted(others, key=lambda target: (target.provider != first.provider, *_rank(target, call)))


def _rank(target: Target, call: Call) -> tuple[bool, int, bool, bool, Distance, bool, str]:
    """Best first: up, has the model asked for, takes images, holds the prompt, nearest model, no translation."""
    return (
        target.down,
        0 if target.serves(call.request.model) else match_rank(target.model, call.request.model),
        call.request.media and target.provider == SELF and target.takes_media is None,
        not target.holds(call.request.prompt_tokens),
        distance(target.model, call.request.model),
        call.request.protocol not in target.protocols,
        target.slug,
    )


def holds(rule: Rule, targets: Sequence[Target], call: Call) -> bool:
    """Whether every condition of the rule holds; the dear ones are looked at last."""
    request = call.request
    return (
        (not rule.tasks or call.task in rule.tasks)
        and (not rule.applications or call.application in rule.applications)
        and (not rule.budget_states or call.budget_state in rule.budget_states)
        and rule.private in (None, call.private)
        and (not rule.requested_models or _is_one_of(request.model, rule.requested_models))
        and (not rule.self_only_model or _only_self_serves(targets, request.model))
        and _is_long_enough(rule, targets, request)
        and (rule.media is None or rule.media == request.media)
        and (rule.percent is None or share_of(rule.slug, request.conversation) < rule.percent)
    )


def _is_one_of(model: str, patterns: Iterable[str]) -> bool:
    return any(model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern for pattern in patterns)


def _only_self_serves(targets: Iterable[Target], model: str) -> bool:
    return {target.provider for target in targets if target.serves(model)} == {SELF}


def _is_long_enough(rule: Rule, targets: Iterable[Target], request: GatewayRequest) -> bool:
    if rule.over_tokens is None and not rule.over_context:
        return True
    if rule.over_tokens is not None and request.prompt_tokens > rule.over_tokens:
        return True
    own = [target for target in targets if target.provider == SELF]
    return rule.over_context and bool(own) and not any(target.holds(request.prompt_tokens) for target in own)


def share_of(rule: str, conversation: bytes) -> float:
    """Where a conversation stands between 0 and 100 for a rule: always the same, another for each rule."""
    digest = hashlib.blake2b(conversation, digest_size=4, key=rule.encode()[:64]).digest()
    return int.from_bytes(digest, "big") * 100 / 2**32


def reachable(rules: Iterable[Rule], targets: Iterable[Target], application: str) -> list[Target]:
    """The targets that some rule names for this application, as its target or as a fall-back."""
    mine = [rule for rule in rules if not rule.applications or application in rule.applications]
    return [target for target in targets if any(rule.names(target) or target.slug in rule.fallbacks for rule in mine)]


def read_rules(data: bytes) -> tuple[Rule, ...]:
    """Rules from JSON. Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.json.decode(data, type=tuple[Rule, ...])


def default_rules() -> tuple[Rule, ...]:
    """The shipped rules."""
    return read_rules(DEFAULT_ROUTES.read_bytes())
