"""Where a call goes by the rules, and what its caller is told where it goes nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from traffic.gateway.model_distance import nearest
from traffic.gateway.protocols import SAME_MODEL
from traffic.gateway.refusals import Refusal
from traffic.gateway.routes import BudgetDecides, Call, Decision, Target, decide, is_known
from traffic.gateway.snapshot import Snapshot


def destination(snapshot: Snapshot, call: Call, busy: Mapping[int, int]) -> Decision:
    """Where the call goes. Raises Refusal."""
    if not call.forced and not is_known(snapshot.rules, snapshot.targets, call):
        raise _unknown_model(call, snapshot)
    try:
        decision = decide(snapshot.rules, snapshot.targets, call, busy)
    except BudgetDecides as error:
        words = f"{call.application} is held to its budget by the route {error.rule}: x-breakeven-route cannot pass it."
        raise Refusal(403, "budget-decides", words) from None
    if decision is None:
        raise _nowhere(call, snapshot)
    return decision


def bound(snapshot: Snapshot, call: Call, objects: Mapping[str, int]) -> Call:
    """The call, led to the deployment that holds what it names, or to one of the same account with the model asked for.

    `objects`: the ids that it names, each with its deployment. Raises Refusal.
    """
    holders = [target for target in snapshot.targets if target.id in objects.values()]
    if len({_account(target) for target in holders}) != 1:
        raise Refusal(404, "no-target", "What this call names is at deployments of several accounts, or of none.")
    same = [target for target in snapshot.targets if _account(target) == _account(holders[0])]
    target = next((target for target in (*holders, *same) if target.serves(call.request.model)), holders[0])
    rule = next((rule for rule in snapshot.rules if rule.slug == call.forced), None)
    if call.forced not in ("", target.slug) and not (rule and (rule.names(target) or target.slug in rule.fallbacks)):
        words = f"{target.slug} holds what this call names, where x-breakeven-route does not lead."
        raise Refusal(404, "no-target", words)
    return replace(call, forced=target.slug)


def _account(target: Target) -> tuple[str, str, str]:
    """Deployments that share it reach what any of them made."""
    return target.engine, target.url, target.api_key


def _nowhere(call: Call, snapshot: Snapshot) -> Refusal:
    """Why no target takes this call, in a sentence."""
    if not snapshot.targets:
        return Refusal(404, "no-target", "No deployment is set up yet.")
    if call.forced:
        forced = call.forced[:200]
        return Refusal(404, "no-target", f"There is no route or deployment {forced} that can answer this call.")
    if call.request.protocol in SAME_MODEL:
        return _unknown_model(call, snapshot)
    kind = "self-hosted deployment" if call.private else "deployment"
    kind += " whose model takes images" if call.request.media else ""
    return Refusal(404, "no-target", f"No route leads to a {kind} that can answer {call.request.model[:200]}.")


def _unknown_model(call: Call, snapshot: Snapshot) -> Refusal:
    """A name that nobody knows, with the nearest of those that the caller reaches; or a model that cannot do this."""
    models = [target.model for target in snapshot.models(call.application)]
    if call.request.model in models:
        words = f"No deployment of {call.request.model[:200]} supports calls of this kind."
        return Refusal(404, "no-such-model", words)
    near = nearest(call.request.model, models)
    names = f" The nearest names: {', '.join(near)}." if near else " GET /v1/models lists the models of this key."
    return Refusal(404, "no-such-model", f"No deployment serves the model {call.request.model[:200]}.{names}")
