"""Which spans of one export are the same call: an SDK's own span and the span of an instrumentation around it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from traffic.ingest.otlp import names
from traffic.ingest.otlp.spans import Span
from traffic.ingest.rows import RequestRow

Key = tuple[str, str]  # trace, span
# Spans that a vendor's own code makes; what they say of usage is what was billed.
SDK = "com.anthropic."
NEAR = 64  # spans that began before, which are looked at for one that holds the other
SLACK_NS = 2_000_000  # an instrumentation of streams may begin after its SDK did
LATE_END_NS = 100_000_000  # or end after what is around it: when its turn comes on a busy machine


def groups(requests: Mapping[Key, Span], parents: Mapping[Key, str]) -> list[tuple[Span, list[Span]]]:
    """The spans of each call, with the one whose id the call has; spans of one trace first, then across traces."""
    calls_by_key: dict[Key, list[Span]] = {}
    for span in requests.values():
        root = ancestor(span, requests, parents)
        calls_by_key.setdefault((root.trace_id, root.span_id), []).append(span)
    if len(calls_by_key) > 1 and len({span.scope for span in requests.values()}) > 1:
        join_traces(calls_by_key, requests)
    calls = [(requests[key], spans) for key, spans in calls_by_key.items()]
    if len(applications_of(requests.values())) < 2:
        return calls
    return [call for root, spans in calls for call in by_application(root, spans)]


def applications_of(spans: Iterable[Span]) -> set[int]:
    """Whose these spans are; those of a service that no application is called by are nobody's."""
    return {span.kind.application_id for span in spans} - {None}


def by_application(root: Span, spans: list[Span]) -> Iterator[tuple[Span, list[Span]]]:
    """Calls of two applications that are below a span of neither: it goes to the one that began first."""
    named = sorted((span for span in spans if span.kind.application_id), key=lambda span: (span.start_ns, span.span_id))
    owners = list(dict.fromkeys(span.kind.application_id for span in named))
    yield root, [span for span in spans if span.kind.application_id in (None, *owners[:1])]
    for owner in owners[1:]:
        theirs = [span for span in named if span.kind.application_id == owner]
        yield max(theirs, key=lambda span: span.end_ns - span.start_ns), theirs


def ancestor(span: Span, requests: Mapping[Key, Span], parents: Mapping[Key, str]) -> Span:
    """The outermost request span of the same model above this one; the span itself where there is none."""
    outermost, at = span, span.parent_id
    for _ in range(64):  # a loop of parents ends
        if not at:
            break
        above = requests.get((span.trace_id, at))
        if (
            above is not None
            and len(applications_of((span, above))) < 2
            and same_model(names.model_of(span), names.model_of(above))
        ):
            outermost = above
        at = parents.get((span.trace_id, at), "")
    return outermost


def same_model(first: str | None, second: str | None) -> bool:
    """Whether two names may be of one call: one begins like the other (an alias and its dated version), or one is
    missing."""
    return first is None or second is None or first.startswith(second) or second.startswith(first)


def join_traces(calls_by_key: dict[Key, list[Span]], requests: Mapping[Key, Span]) -> None:
    """Put a call to the one of another instrumentation that was around it at that time, in whatever trace.

    Some instrumentations do not make their span the current one. A response id tells their spans' twins, but not all
    keep one and a call that failed has none; then it is the time. An instrumentation sees a call once: of calls at the
    same time each keeps its own row.
    """
    scopes = {key: {span.scope for span in spans} for key, spans in calls_by_key.items()}
    of_service: dict[Any, set[str]] = {}
    for key in calls_by_key:
        of_service.setdefault(service_of(requests[key]), set()).update(scopes[key])
    order = sorted(
        (key for key in calls_by_key if len(of_service[service_of(requests[key])]) > 1),
        key=lambda key: (requests[key].start_ns, -requests[key].end_ns),
    )
    starts = [requests[key].start_ns for key in order]
    for key in order:
        end = bisect_right(starts, requests[key].start_ns + SLACK_NS)
        for other in reversed(order[max(0, end - NEAR) : end]):
            if (
                other in calls_by_key
                and scopes[other].isdisjoint(scopes[key])
                and holds(requests[other], requests[key])
                and len(applications_of((*calls_by_key[other], *calls_by_key[key]))) < 2
            ):
                calls_by_key[other] += calls_by_key.pop(key)
                scopes[other] |= scopes[key]
                break


def service_of(span: Span) -> Any:
    return span.resource.get("service.name")


def holds(outer: Span, inner: Span) -> bool:
    """Whether the call of `inner` may have happened inside `outer`; equal response ids decide where both have one."""
    outer_id, inner_id = names.response_id_of(outer), names.response_id_of(inner)
    if outer_id and inner_id:
        return outer_id == inner_id
    return (
        outer.resource == inner.resource
        and (outer.status == 2) == (inner.status == 2)
        and outer.start_ns - SLACK_NS <= inner.start_ns
        and inner.end_ns <= outer.end_ns + LATE_END_NS
        and overlap(outer, inner)
        and same_model(names.model_of(outer), names.model_of(inner))
        and same_count(names.count(outer, names.OUTPUT), names.count(inner, names.OUTPUT))
    )


def overlap(first: Span, second: Span) -> bool:
    """Whether they share at least half of the shorter one: two calls in turn do not, however late a span was ended."""
    shared = min(first.end_ns, second.end_ns) - max(first.start_ns, second.start_ns)
    return 2 * shared + SLACK_NS >= min(first.end_ns - first.start_ns, second.end_ns - second.start_ns)


def same_count(first: int | None, second: int | None) -> bool:
    """Whether two output counts may be of one call; one emitter counts the last event of a stream as a token."""
    return first is None or second is None or abs(first - second) <= 1


FILLED = (
    "tokens", "response_id", "http_status", "error_type", "ttft_ms", "deployment_id", "raw", "reported_cost",
)  # fmt: skip
PERSONAL = ("user", "prompt", "answer")  # told by the row's own application alone


def first_of(rows: Iterable[RequestRow], name: str) -> Any:
    return next((value for row in rows if (value := getattr(row, name)) is not None), None)


def merged(pairs: Iterable[tuple[Span, RequestRow]]) -> RequestRow:
    """One row of a call's spans: the outermost knows the whole latency, the SDK and the innermost the usage."""
    by_length = sorted(pairs, key=lambda pair: pair[1].latency_ms or 0)
    by_trust = [row for _span, row in sorted(by_length, key=lambda pair: not pair[0].scope.startswith(SDK))]
    outer = by_length[-1][1]
    for row in by_trust:  # the raw JSON of one alone is kept, and another may have told the tier
        outer.tier = outer.tier or row.tier
    outer.application_id = next((row.application_id for row in by_trust if row.application_id is not None), None)
    by_owner = [row for row in by_trust if row.application_id == outer.application_id]
    facts: dict[str, Any] = {name: first_of(by_trust, name) for name in FILLED}
    facts |= {name: first_of(by_owner, name) for name in PERSONAL}
    if outer.deployment_id is None and facts["deployment_id"] is not None:
        ours = next(row for row in by_trust if row.deployment_id is not None)
        facts |= {"provider": ours.provider, "model": ours.model}
    outcome = outer.outcome
    if outcome in ("ok", "cancelled"):
        facts["error_type"] = None  # of a try that was repeated
        finished = any(names.first(span, names.FINISH) is not None for span, _row in by_length)
        # Not every span tells that the stream was broken off; one that saw its end knows better than all.
        outcome = "cancelled" if not finished and any(row.outcome == "cancelled" for row in by_trust) else "ok"
    facts["suspect"] = any(row.suspect for row in by_trust)
    return replace(outer, outcome=outcome, streamed=any(row.streamed for row in by_trust), **facts)
