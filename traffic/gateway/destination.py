"""Where a call goes by the rules, and what its caller is told where it goes nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from traffic.gateway.model_distance import nearest
from traffic.gateway.protocols import SAME_MODEL
from traffic.gateway.refusals import Refusal
from traffic.gateway.routes import BudgetDecides, Call, Decision, decide, is_known
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


def _nowhere(call: Call, snapshot: Snapshot) -> Refusal:
    """Why no target takes this call, in a sentence."""
    if not snapshot.targets:
        return Refusal(404, "no-target", "No deployment is set up yet.")
    if call.forced:
        forced = call.forced[:200]
        return Refusal(404, "no-target", f"There is no route or deployment {forced} that can answer this call.")
    if call.request.protocol in SAME_MODEL:
        return _unknown_model(call, snapshot)
    where = " of our own machines" if call.private else ""
    where += " whose model takes images" if call.request.media else ""
    return Refusal(
        404, "no-target", f"No route leads to a deployment{where} that can answer {call.request.model[:200]}."
    )


def _unknown_model(call: Call, snapshot: Snapshot) -> Refusal:
    """A name that nobody knows, with the nearest of those that the caller reaches."""
    near = nearest(call.request.model, (target.model for target in snapshot.models(call.application)))
    names = f" The nearest names: {', '.join(near)}." if near else " GET /v1/models lists the models of this key."
    return Refusal(404, "no-such-model", f"No deployment serves the model {call.request.model[:200]}.{names}")
