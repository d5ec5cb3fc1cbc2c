"""The tokens of a record by the rules that hold for every way in: what a file does not tell is unknown, never zero."""

from __future__ import annotations

from dataclasses import dataclass, field

from traffic.ingest.otlp.usage import Counted, classes
from traffic.ingest.rows import Tokens


@dataclass(frozen=True)
class Usage:
    """What a call used, None where that is unknown, and what is doubted of it."""

    tokens: Tokens | None = None
    doubts: list[str] = field(default_factory=list)


NOTHING_ASKED = Usage(Tokens())  # an answer from a tool's own cache: no vendor was asked


def usage_of(counted: Counted, *, apart: bool = False, outputs: bool = True) -> Usage:
    """`apart`: the input is without the cache. `outputs`: the call should have some."""
    doubts: list[str] = []
    tokens = classes(counted, doubts, apart=apart, outputs=outputs)
    return Usage(tokens, doubts)
