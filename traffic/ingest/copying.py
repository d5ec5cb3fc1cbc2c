"""A staged row as a line of COPY's text format, its raw JSON without what must not be kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from traffic.ingest.staging import Staged


def lines_of(staged: Sequence[Staged]) -> str:
    """A batch as COPY reads it; made before the transaction begins, which others may wait for."""
    received = datetime.now(UTC).isoformat()
    return "".join([line(number, item, received) for number, item in enumerate(staged)])


def line(number: int, item: Staged, received: str) -> str:
    """One row of COPY's text format; written by hand because this is the hottest line of ingest."""
    row, tokens, costed = item.row, item.row.tokens, item.costed
    values = (
        number,
        item.id.hex,
        item.response_hash and item.response_hash.hex,
        item.user_hash and item.user_hash.hex,
        row.started_at.isoformat(),
        received,
        row.application_id,
        row.deployment_id,
        costed.price_id,
        costed.discount_id,
        row.latency_ms,
        row.ttft_ms,
        *(
            (None, None, None, None, None, None)
            if tokens is None
            else (
                tokens.uncached_input,
                tokens.cache_read,
                tokens.cache_write_5m,
                tokens.cache_write_1h,
                tokens.output,
                tokens.reasoning,
            )
        ),
        item.day,
        item.alt_day,
        row.http_status,
        "t" if row.streamed else "f",
        "t" if row.batch else "f",
        None if costed.cost is None else f"{costed.cost:f}",
        costed.reason,
        word(row.provider),
        word(row.model),
        word(row.task),
        word(row.outcome),
        word(row.error_type),
        text(row.response_id),
        text(row.external_id),
        row.source,
        word(row.route),
        None if row.raw is None else raw_text(item).replace("\\", "\\\\"),  # JSON has nothing else to escape
        row.import_id,
        None if row.reported_cost is None else f"{row.reported_cost:f}",
        word(row.tier),
    )
    return "\t".join(["\\N" if value is None else str(value) for value in values]) + "\n"


def raw_text(item: Staged) -> str:
    """The raw JSON without what must not be kept; it is taken apart only where it may hold such a thing."""
    row = item.row
    written = json_text(row.raw)
    readable = not written.startswith(UNREADABLE)
    if row.clean or not item.redaction.needed(row.raw if readable else written, row.user):
        return written
    return json_text(item.redaction.tree(orjson.loads(written), row.user))


def json_text(value: Any) -> str:
    """JSON that jsonb takes: without NUL and without half a surrogate pair; what JSON cannot say is said as text."""
    try:
        written = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        written = orjson.dumps({"unreadable": repr(value)[:2000].encode("ascii", "replace").decode()}).decode()
    return NUL.sub(r"\1", written) if "\\u0000" in written else written


UNREADABLE = '{"unreadable":'
# An escaped NUL: an odd number of backslashes before it, of which the last is its own.
NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "�"})


def text(value: str | None) -> str | None:
    """COPY's escapes; most values have nothing to escape."""
    return value if value is None or (value.isprintable() and "\\" not in value) else value.translate(ESCAPES)


# Names of models, tasks and the like come again and again.
word = lru_cache(4096)(text)
