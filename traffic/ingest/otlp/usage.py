"""Five disjoint token classes from what an emitter counts; what cannot be is unknown, and never zero."""

from __future__ import annotations

from typing import NamedTuple

from traffic.ingest import data_quality
from traffic.ingest.bounds import MOST_TOKENS
from traffic.ingest.otlp import names
from traffic.ingest.otlp.spans import Span
from traffic.ingest.rows import Tokens


def tokens_of(span: Span, doubts: list[str], *, without_output: bool = False) -> Tokens | None:
    """The five classes of a span's tokens; None where the usage is unknown. Adds what is odd about it to `doubts`."""
    shape, attributes = names.shape(span), span.attributes
    flat = span.name.startswith(names.CLAUDE_CODE)
    counts: list[int | None] = [*NOTHING]
    for place, present in shape.flat_counts if flat else shape.counts:
        value = names.value_of(attributes, present)
        if type(value) is int and 0 <= value <= MOST_TOKENS:
            counts[place] = value
        elif value is not None:
            try:
                counts[place] = names.whole(value)
            except names.NoCount:
                doubts.append(data_quality.NOT_A_COUNT)
                return None
    return classes(Counted._make(counts), doubts, apart=flat, outputs=not without_output)


class Counted(NamedTuple):
    """What is told of a call's tokens, each checked by itself; None is not told."""

    input: int | None  # the input
    output: int | None
    read: int = 0  # from a cache
    written: int = 0  # to a cache, both lengths
    hour: int = 0  # of `written`, what is kept for an hour
    reasoning: int = 0
    total: int | None = None


NOTHING = Counted(None, None)


def classes(counted: Counted, doubts: list[str], *, apart: bool = False, outputs: bool = True) -> Tokens | None:
    """The classes that these make, by the rules of `docs/reference/telemetry-rules.md`; doubts are added to `doubts`.

    `apart`: the input does not hold what was read from or written to a cache. `outputs`: the call should have some.
    """
    prompt, output, read, written, hour, reasoning, total = counted
    if prompt is None and output is None:
        return None
    if output is None:
        output = rest(total, prompt) or 0  # what a broken stream has cost at least is its input
        if not output and outputs:
            doubts.append(data_quality.NO_OUTPUT)
    if prompt is None:
        prompt = rest(total, output)
    if prompt is None:
        doubts.append(data_quality.NO_INPUT)
        return None
    apart = apart or read + written > prompt
    if total is not None and total != prompt + output:
        if total == prompt + output + reasoning:
            output += reasoning  # Gemini counts thoughts beside the answer
        elif total == prompt + read + written + output:
            apart = True
        else:
            doubts.append(data_quality.TOTAL)
    if hour > written or reasoning > output:
        doubts.append(data_quality.PART)
    hour, reasoning = min(hour, written), min(reasoning, output)
    return Tokens(prompt if apart else prompt - read - written, read, written - hour, hour, output, reasoning)


def rest(total: int | None, part: int | None) -> int | None:
    """What is left of a total; None where it is not known or less than the part."""
    return total - part if total is not None and part is not None and total >= part else None
