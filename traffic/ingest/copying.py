"""A staged row as a line of COPY's text format, its raw JSON without what must not be kept."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any

import orjson

from traffic.ingest.pricing import Staged
from traffic.json_depth import shallow


def line(number: int, item: Staged, received: str) -> str:
    """One row of COPY's text format. Written without a library, because this is the hottest line of ingest."""
    row, tokens, costed = item.row, item.row.tokens, item.costed
    counts = (
        NO_TOKENS
        if tokens is None
        else f"{tokens.uncached_input}\t{tokens.cache_read}\t{tokens.cache_write_5m}\t{tokens.cache_write_1h}"
        f"\t{tokens.output}\t{tokens.reasoning}"
    )
    common = words(
        item.day, item.alt_day, row.application_id, row.deployment_id, costed.price_id, costed.discount_id,
        row.http_status, row.streamed, row.batch, costed.reason, row.provider, row.model, row.task, row.outcome,
        row.error_type, row.source, row.route, row.import_id, row.tier,
    )  # fmt: skip
    return (
        f"{number}\t{item.id}\t{NULL if item.response_hash is None else item.response_hash}"
        f"\t{NULL if item.user_hash is None else item.user_hash.hex}\t{row.started_at.isoformat()}\t{received}"
        f"\t{NULL if row.latency_ms is None else row.latency_ms}\t{NULL if row.ttft_ms is None else row.ttft_ms}"
        f"\t{counts}\t{common}\t{NULL if costed.cost is None else f'{costed.cost:f}'}"
        f"\t{NULL if row.response_id is None else text(row.response_id)}\t{text(row.external_id)}"
        # JSON has nothing else to escape.
        f"\t{NULL if row.raw is None else raw_text(item).replace(BACKSLASH, ESCAPED)}"
        f"\t{NULL if row.reported_cost is None else f'{row.reported_cost:f}'}\n"
    )


NULL, BACKSLASH, ESCAPED = "\\N", "\\", "\\\\"
NO_TOKENS = "\t".join([NULL] * 6)


@lru_cache(4096)
def words(*values: str | int | bool | date | None) -> str:
    """Columns whose values repeat, in COPY's text format; cached."""
    return "\t".join([NULL if value is None else text(str(value)) for value in values])


def raw_text(item: Staged) -> str:
    """The raw JSON after redaction; it is decoded only where it may hold something to redact."""
    row = item.row
    written = json_text(row.raw)
    if row.clean or (row.suspect is False and row.user is None and not item.redaction.own):
        return written
    readable = not written.startswith(UNREADABLE)
    if row.suspect or item.redaction.needed(row.raw if readable else written, row.user):
        return json_text(item.redaction.tree(orjson.loads(written), row.user))
    return written


def json_text(value: Any) -> str:
    """JSON that jsonb accepts: without NUL and lone surrogates; values that JSON does not know become text."""
    try:
        written = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        words = repr(shallow(value))[:2000].encode("ascii", "replace").decode()
        written = orjson.dumps({"unreadable": words}).decode()
    return NUL.sub(r"\1", written) if "\\u0000" in written else written


UNREADABLE = '{"unreadable":'
# An escaped NUL: an odd number of backslashes before it, of which the last is its own.
NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "�"})


def text(value: str) -> str:
    """A value with COPY's escapes."""
    return value if value.isprintable() and "\\" not in value else value.translate(ESCAPES)
