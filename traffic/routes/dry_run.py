"""What rules would do, before they do it: one call with every rule's answer, and the last calls under other rules.

The gateway's own code decides; a call that is stored is made again by its length, for its text may not be kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from traffic.gateway.protocols import ANTHROPIC, BYTES_PER_TOKEN, GatewayRequest, Protocol, read_request
from traffic.gateway.routes import BudgetDecides, Call, Decision, Rule, Target, decide, holds

MOST_TOKENS = 1_000_000  # of a call that is made again
MOST_LISTED = 20  # calls that would go elsewhere, named one by one


@dataclass(frozen=True, slots=True)
class CallSketch:
    """A call, typed or stored, as far as rules look at it."""

    model: str
    application: str = ""
    task: str = "other"
    tokens: int = 0  # of the prompt
    text: str = ""  # of the first message of the user
    media: bool = False
    private: bool = False
    budget_state: str = ""
    protocol: Protocol = ANTHROPIC


@dataclass(frozen=True, slots=True)
class PastCall:
    """A stored call; `tokens` its five classes, None where unknown."""

    id: str
    started_at: datetime
    sketch: CallSketch
    tokens: tuple[int, ...] | None


def call_of(sketch: CallSketch) -> Call:
    """The call as the gateway would read it."""
    content: list[dict[str, object]] = [{"type": "text", "text": sketch.text}]
    if sketch.media:
        content.append({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}})
    body = {"model": sketch.model or "-", "messages": [{"role": "user", "content": content}]}
    bare = len(json.dumps(body))
    content[0]["text"] = sketch.text + " " * max(min(sketch.tokens, MOST_TOKENS) * BYTES_PER_TOKEN - bare, 0)
    request: GatewayRequest = read_request(sketch.protocol, json.dumps(body).encode())
    return Call(request, sketch.application, sketch.task, private=sketch.private, budget_state=sketch.budget_state)


# The columns of each condition of a rule; either limit of a prompt's length is enough.
CONDITIONS = (
    ("tasks",), ("applications",), ("budget_states",), ("private",), ("requested_models",), ("self_only_model",),
    ("over_tokens", "over_context"), ("media",), ("percent",),
)  # fmt: skip


def unmet(rule: Rule, targets: Sequence[Target], call: Call) -> list[str]:
    """The conditions of a rule that do not hold, each by its first column."""
    alone = ({name: getattr(rule, name) for name in names} for names in CONDITIONS)
    return [
        names[0]
        for names, condition in zip(CONDITIONS, alone, strict=True)
        if not holds(Rule(rule.slug, **condition), targets, call)
    ]


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule says of a call: the conditions that do not hold, and whether one of its targets can answer."""

    rule: Rule
    unmet: tuple[str, ...]
    answers: bool
    decides: bool


@dataclass(frozen=True, slots=True)
class DryRun:
    """Where a call would go, and each rule's answer up to the last."""

    rules: tuple[RuleAnswer, ...]
    decision: Decision | None


def dry_run(rules: Sequence[Rule], targets: Sequence[Target], sketch: CallSketch) -> DryRun:
    call = call_of(sketch)
    decision = decide(rules, targets, call)
    answers = []
    for rule in rules:
        conditions = tuple(unmet(rule, targets, call))
        able = decide([rule], targets, call) is not None if not conditions else False
        answers.append(RuleAnswer(rule, conditions, able, decision is not None and rule.slug == decision.rule))
    return DryRun(tuple(answers), decision)


@dataclass(frozen=True, slots=True)
class Moved:
    """A call that would go elsewhere; None: nowhere."""

    call: PastCall
    before: str | None
    after: str | None


@dataclass(slots=True)
class Comparison:
    """The last calls under other rules. Costs are of those that would go elsewhere, USD; unpriced ones are counted."""

    calls: int = 0
    moved: int = 0
    cost_before: Decimal = Decimal(0)
    cost_after: Decimal = Decimal(0)
    unpriced: int = 0  # of the moved ones: their cost is known on one side at most
    do_not_fit: int = 0  # their prompt is longer than what the deployment takes
    nowhere: int = 0
    listed: list[Moved] = field(default_factory=list)


Price = Callable[[PastCall, Target], Decimal | None]


def compare(
    before: Sequence[Rule], after: Sequence[Rule], targets: Sequence[Target], calls: Iterable[PastCall], price: Price
) -> Comparison:
    """Decide each call by both sets of rules. `price`: what a call would cost at a target; None where unknown."""
    comparison = Comparison()
    for past in calls:
        comparison.calls += 1
        call = call_of(past.sketch)
        was, would = (_first_target(rules, targets, call) for rules in (before, after))
        if was is would:
            continue
        comparison.moved += 1
        if would is None:
            comparison.nowhere += 1
        elif not would.holds(call.request.prompt_tokens):
            comparison.do_not_fit += 1
        costs = [None if target is None else price(past, target) for target in (was, would)]
        if costs[0] is None or costs[1] is None:
            comparison.unpriced += 1
        else:
            comparison.cost_before += costs[0]
            comparison.cost_after += costs[1]
        if len(comparison.listed) < MOST_LISTED:
            comparison.listed.append(Moved(past, was.slug if was else None, would.slug if would else None))
    return comparison


def _first_target(rules: Sequence[Rule], targets: Sequence[Target], call: Call) -> Target | None:
    try:
        decision = decide(rules, targets, call)
    except BudgetDecides:  # only where a caller insists, which is not stored
        return None
    return None if decision is None else decision.targets[0]
