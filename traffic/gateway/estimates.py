"""Estimates the tokens of a call without usage, for its key's quota alone; the tokens of its row stay unknown."""

from __future__ import annotations

from traffic.gateway.answers import Answer
from traffic.gateway.protocols import GatewayRequest
from traffic.gateway.routes import Target
from traffic.gateway.usage_tokens import Tokens as Counted
from traffic.ingest.rows import Tokens

CHARACTERS_PER_TOKEN = 4
# An answer that was not waited for is written all the same; so fast, as the quicker engines write.
TOKENS_PER_S = 100
LONGEST_CONTEXT = 200_000  # tokens, where a target does not say


def estimated(request: GatewayRequest, target: Target, answer: Answer, counted: Counted, elapsed_ms: float) -> Tokens:
    """What is known of the usage, and for the rest: the prompt by its bytes, the answer by what of it came.

    An answer that is not streamed comes whole or not at all. When its caller hangs up it is taken to be written until
    then, at most as long as the caller allowed.
    """
    input_tokens = counted.uncached_input
    if input_tokens is None:
        input_tokens = min(request.prompt_tokens, target.context_tokens or LONGEST_CONTEXT)
    output = counted.output
    if output is None:
        output = max(answer.deltas, -(-answer.characters // CHARACTERS_PER_TOKEN))
    if output == 0 and answer.error_type == "caller_hung_up":
        written = int(elapsed_ms / 1000 * TOKENS_PER_S)
        output = min(written, request.most_output or written)
    return Tokens(
        input_tokens, counted.cache_read or 0, counted.cache_write_5m or 0, counted.cache_write_1h or 0, output
    )
