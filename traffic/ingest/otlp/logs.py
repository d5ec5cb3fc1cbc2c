"""Log records that tell of a call what no span tells; the others repeat spans, or are about something else.

Two kinds are read. The conventions' event of a finished inference has the usage and the vendor's id even where its span
was sampled away; by that id the two are one request. Claude Code writes a record for each call and usually no spans; a
record that belongs to a trace is left to the spans of that trace.
"""

from __future__ import annotations

from msgspec.structs import replace

from traffic.ingest.bounds import LONGEST_MS
from traffic.ingest.otlp import names
from traffic.ingest.otlp.spans import Span
from traffic.request_ids import MIN_RESPONSE_ID

DETAILS = "gen_ai.client.inference.operation.details"
CLAUDE_CODE = "claude_code."
CLAUDE_CODE_CALLS = (f"{CLAUDE_CODE}api_request", f"{CLAUDE_CODE}api_error")


def call_of(record: Span) -> Span | None:
    """The call that a log record tells of, as a span; None where it tells of none."""
    event = record.name or str(record.attributes.get("event.name") or "")
    if event == DETAILS or record.attributes.get("event.name") == DETAILS:
        return inference(record)
    return claude_code(record, event) if event in CLAUDE_CODE_CALLS and not record.span_id else None


def inference(record: Span) -> Span | None:
    """The call of an inference event. Without a response id its span could not be found across midnight, so it is
    skipped."""
    response_id = names.text(record, ("gen_ai.response.id",))
    if response_id is None or len(response_id) < MIN_RESPONSE_ID or names.is_request(record) is not True:
        return None
    if record.trace_id and record.span_id:
        return record
    return replace(record, trace_id="log", span_id=response_id)


def claude_code(record: Span, event: str) -> Span | None:
    """The call of a Claude Code event. It is written at the end, with the duration and a request id or a place in the
    session."""
    attributes = record.attributes
    request_id = names.text(record, ("request_id",))
    session = names.text(record, ("session.id",))
    if request_id is None and session is None:
        return None
    place = attributes.get("event.sequence", record.start_ns)
    failed = event.endswith("api_error")
    ms = names.number_of(attributes.get("duration_ms"))
    has_duration = 0 <= ms <= LONGEST_MS
    translated = {
        **attributes,
        "gen_ai.response.id": request_id,
        "http.response.status_code": attributes.get("status_code"),
        "error.type": "api_error" if failed else None,
    }
    return replace(
        record,
        name=f"{CLAUDE_CODE}llm_request",
        trace_id="claude_code",
        span_id=request_id or f"{session}:{place}"[:120],
        start_ns=record.start_ns - int(ms * 1e6) if has_duration else record.start_ns,
        end_ns=record.start_ns if has_duration else 0,
        status=2 if failed else 0,
        attributes={name: value for name, value in translated.items() if value is not None},
        shape=None,
    )
