"""Spans of model calls as rows; several spans of one call become one row."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from traffic.authentication.keys import Caller
from traffic.ingest import data_quality
from traffic.ingest.bounds import LONGEST_MS
from traffic.ingest.context import LookupTables
from traffic.ingest.otlp import names
from traffic.ingest.otlp.content import content_of
from traffic.ingest.otlp.deduplicate import groups, merged
from traffic.ingest.otlp.dialects import translate
from traffic.ingest.otlp.logs import call_of
from traffic.ingest.otlp.spans import Attributes, Bad, Span
from traffic.ingest.otlp.texts import BodyPart, body_part_of
from traffic.ingest.otlp.usage import tokens_of
from traffic.ingest.rows import RequestRow, usd_of
from traffic.ingest.tiers import tier_of
from traffic.redaction.rules import may_hold

YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Read:
    """What became of the items of one export."""

    rows: list[RequestRow] = field(default_factory=list)
    unread: int = 0  # that tell of no call to a model
    rejected: int = 0
    reason: str = ""  # of the first that was rejected
    body_parts: list[BodyPart] = field(default_factory=list)  # texts of log records, for applications that keep them
    dropped: int = 0  # and of the others

    def reject(self, reason: str, items: int = 1) -> None:
        self.rejected += items
        self.reason = self.reason or reason


def rows_of(spans: Iterable[Span | Bad | None], caller: Caller, tables: LookupTables, now: datetime) -> Read:
    """One row for each call to a model, however many spans it has, under the id of the outermost."""
    read = Read()
    requests: dict[tuple[str, str], Span] = {}
    parents: dict[tuple[str, str], str] = {}
    for span in spans:
        if span is None:
            read.unread += 1
            continue
        if isinstance(span, Bad):
            read.reject(span.reason, span.items)
            continue
        translate(span)
        if span.is_log:
            record = call_of(span)
            if record is None:
                read_text(read, span, caller, tables)
                continue
            span = record
        key = (span.trace_id, span.span_id)
        parents[key] = span.parent_id
        kind = span.kind = kind_of(span, caller, tables)
        if kind.is_request or (kind.is_request is None and names.counts_input(span)):
            requests[key] = span
        else:
            read.unread += 1
    oldest = now - timedelta(days=tables.retention_days)
    for root, of_call in groups(requests, parents):
        rows = []
        for span in of_call:
            started_at = moment(span.start_ns)
            if started_at is not None and oldest <= started_at <= now + timedelta(days=1):
                rows.append((span, row_of(span, root, started_at)))
                continue
            read.reject("A span starts before what is kept, or more than a day ahead of our clock.")
        if rows:
            row = rows[0][1] if len(rows) == 1 else merged(rows)
            row.links = links_of(root, of_call, parents)
            read.rows.append(row)
    return read


def read_text(read: Read, record: Span, caller: Caller, tables: LookupTables) -> None:
    """A log record that tells of no call may hold what was said in one."""
    part = body_part_of(record)
    if part is None:
        read.unread += 1
        return
    application_id, captures = application_of(record, caller, tables)
    if captures and application_id is not None:
        read.body_parts.append(replace(part, application_id=application_id))
    else:
        read.dropped += 1


def links_of(root: Span, of_call: list[Span], parents: Mapping[tuple[str, str], str]) -> tuple[tuple[str, str], ...]:
    """How spans of other exports find this call: by the spans that are in it, and by the parent that is not here."""
    above = root.parent_id
    for _ in range(64):  # a loop of parents ends
        if (root.trace_id, above) not in parents:
            break
        above = parents[root.trace_id, above]
    if not above and len(of_call) == 1:
        return ()
    name = external_id(root.trace_id, root.span_id)
    links = [(external_id(span.trace_id, span.span_id), name) for span in of_call if span is not root]
    return (*links, (name, external_id(root.trace_id, above))) if above else tuple(links)


def external_id(trace_id: str, span_id: str) -> str:
    return f"{trace_id}:{span_id}"


def moment(ns: int) -> datetime | None:
    try:
        return YEAR_1970 + timedelta(microseconds=ns // 1000) if ns > 0 else None
    except OverflowError:
        return None


def row_of(span: Span, root: Span, started_at: datetime) -> RequestRow:
    kind: Kind = span.kind
    shape, attributes = names.shape(span), span.attributes
    doubts = [*span.doubts]
    latency, ttft = latency_ms(span, doubts), ttft_ms(span, shape)
    if latency is not None and ttft is not None and ttft > latency:
        ttft = None
        doubts.append(data_quality.LATE_FIRST)
    tokens = tokens_of(span, doubts, without_output=kind.without_output)
    raw, suspect = raw_of(span, kind, shape)
    prompt, answer = content_of(span) if kind.captures else (None, None)
    if doubts:
        raw["doubts"] = doubts
    return RequestRow(
        external_id=external_id(root.trace_id, root.span_id),
        started_at=started_at,
        provider=kind.provider,
        model=kind.model,
        source="otlp",
        application_id=kind.application_id,
        deployment_id=kind.deployment_id,
        outcome="cancelled" if kind.outcome == "ok" and broke_off(span, kind) else kind.outcome,
        http_status=kind.http_status,
        error_type=kind.error_type,
        latency_ms=latency,
        ttft_ms=ttft,
        streamed=kind.streamed or ttft is not None,
        response_id=names.response_id_of(span),
        tokens=tokens,
        user=names.text_of(names.value_of(attributes, shape.user)) if shape.user else None,
        reported_cost=usd_of(names.value_of(attributes, shape.cost)) if shape.cost else None,
        raw=raw,
        suspect=suspect,
        prompt=prompt,
        answer=answer,
        tier=kind.tier,
        tier_read=True,
    )


def raw_of(span: Span, kind: Kind, shape: names.Shape) -> tuple[dict[str, Any], bool]:
    """What is kept of a span for later repricing, and whether it may hold what must not be kept.

    Without what people wrote, and without what is too long to be a fact.
    """
    attributes, facts, suspect = span.attributes, {**kind.words}, kind.suspect
    for name in shape.rest:
        value = attributes[name]
        if type(value) not in names.NUMBERS:
            if not names.is_short(value):
                continue
            suspect = suspect or may_hold(value)
        facts[name] = value
    if len(facts) > names.MOST_KEPT:
        facts = dict(islice(facts.items(), names.MOST_KEPT))
    service = span.resource.get("service.name")
    if type(service) is str:
        name, scope, service, labels_suspect = short_labels(span.name, span.scope, service)
    else:
        name, scope, _none, labels_suspect = short_labels(span.name, span.scope, "")
        labels_suspect = labels_suspect or may_hold(service)
    return {"span": name, "scope": scope, "service": service, "attributes": facts}, suspect or labels_suspect


@lru_cache(1024)
def short_labels(name: str, scope: str, service: str) -> tuple[str, str, str, bool]:
    """A span's labels, cut, and whether they may hold what must not be kept; a program repeats them in each span."""
    labels = [text[: names.LONGEST_NAME] for text in (name, scope, service)]
    return labels[0], labels[1], labels[2], any(may_hold(text) for text in labels)


def latency_ms(span: Span, doubts: list[str]) -> float | None:
    """From start to end; None with a doubt where the two cannot be."""
    if span.end_ns == 0:
        if not span.is_log:
            doubts.append(data_quality.NO_END)
        return None
    latency = (span.end_ns - span.start_ns) / 1e6
    if 0 <= latency <= LONGEST_MS:
        return latency
    doubts.append(data_quality.BACKWARDS if latency < 0 else data_quality.ENDLESS)
    return None


def ttft_ms(span: Span, shape: names.Shape) -> float | None:
    """To the first chunk of content; None when the emitter does not say, never the whole latency."""
    for name, factor in shape.ttft:
        value = span.attributes[name]
        if value is not None and 0 <= (ms := names.number_of(value) * factor) <= LONGEST_MS:
            return ms
    for name, at, _attributes in span.events:
        if name in names.FIRST_TOKEN and at >= span.start_ns > 0:
            ms = (at - span.start_ns) / 1e6
            return ms if ms <= LONGEST_MS else None
    return None


def broke_off(span: Span, kind: Kind) -> bool:
    """Whether a stream ended before its end: who says that it streamed says at the end why it stopped."""
    if not kind.streamed and not any(name in names.FIRST_TOKEN for name, *_ in span.events):
        return False
    return names.count(span, names.OUTPUT) is None and names.first(span, names.FINISH) is None


# What a span is, by its words alone: whose model it is and which, where it was called, how that ended. A program
# repeats them in each of its spans, so the result is cached; ids, times and counts are each span's own.


MOST_KINDS = 1_024
LONGEST_WORDS = 2_000  # characters of words; a program that says more says something else each time


@dataclass(frozen=True, slots=True)
class Kind:
    """The classification of a span by its words; shared by all spans that repeat them."""

    is_request: bool | None  # None: if it counts its input
    application_id: int | None = None
    captures: bool = False
    provider: str = ""
    model: str = ""
    deployment_id: int | None = None
    streamed: bool = False
    http_status: int | None = None
    error_type: str | None = None
    outcome: str = "ok"  # of a stream that did not break off
    without_output: bool = False
    tier: str | None = None
    words: Attributes = field(default_factory=dict)  # the words themselves, to be kept raw
    suspect: bool = False  # whether they, or the names of the others, may hold what must not be kept


OTHER = Kind(False)


def kind_of(span: Span, caller: Caller, tables: LookupTables) -> Kind:
    """The span's classification, cached with the lookup tables that it depends on, which are read every few seconds."""
    if span.events and any(name == "exception" for name, _at, _attributes in span.events):
        return classify(span, caller, tables)
    shape = names.shape(span)
    if not shape.is_cached:
        return classify(span, caller, tables)
    words, service = shape.words(span.attributes), span.resource.get("service.name")
    key = (
        shape,
        words,
        (*map(type, words), type(service)),  # Python takes 1, 1.0 and True for the same
        span.name if names.names_its_kind(span.name) else "",
        span.status,
        service,
        caller.application_id,
        caller.capture_bodies,
    )
    try:
        cached: Kind | None = tables.kinds.get(key)
    except TypeError:  # a list where a word should be
        return classify(span, caller, tables)
    return cache_kind(key, classify(span, caller, tables), tables) if cached is None else cached


def cache_kind(key: tuple[Hashable, ...], kind: Kind, tables: LookupTables) -> Kind:
    if len(str(key[1:])) <= LONGEST_WORDS:
        if len(tables.kinds) >= MOST_KINDS:
            tables.kinds.clear()
        tables.kinds[key] = kind
    return kind


def classify(span: Span, caller: Caller, tables: LookupTables) -> Kind:
    is_request = names.is_request(span)
    if is_request is False:
        return OTHER
    service = service_of(span)
    deployment = tables.endpoints.get(names.endpoint_of(span)) or tables.services.get(service)
    application_id, captures = application_of(span, caller, tables)
    shape = names.shape(span)
    words = names.short_attributes(span.attributes, shape.word_names)
    return Kind(
        is_request=is_request,
        application_id=application_id,
        captures=captures,
        provider=deployment.provider if deployment else names.provider_of(span),
        model=names.model_of(span) or (deployment.model if deployment else "unknown"),
        deployment_id=deployment.id if deployment else None,
        streamed=bool(names.flag(span, names.STREAMED)),
        http_status=status_of(span),
        error_type=error_of(span),
        outcome=outcome_of(span),
        without_output=span.status == 2 or names.operation(span).startswith("embedding"),
        tier=tier_of(words),
        words=words,
        suspect=may_hold(words) or may_hold(shape.rest),
    )


def service_of(span: Span) -> str:
    return str(span.resource.get("service.name") or "")


def application_of(span: Span, caller: Caller, tables: LookupTables) -> tuple[int | None, bool]:
    """The key's application; with a collector's key the one whose slug is the service's name. And whether it keeps
    prompts and answers."""
    if caller.application_id is not None:
        return caller.application_id, caller.capture_bodies
    return tables.applications.get(service_of(span), (None, False))


def status_of(span: Span) -> int | None:
    status = names.count(span, names.STATUS)
    return status if status is not None and 100 <= status <= 599 else None


def error_of(span: Span) -> str | None:
    error = span.attributes.get(names.ERROR)
    for name, _at, attributes in span.events:
        if name == "exception" and error is None:
            error = attributes.get("exception.type")
    return str(error).replace("\0", "")[:200] if error else None


def outcome_of(span: Span) -> str:
    error = (error_of(span) or "").lower()
    if span.status != 2 and not error:
        return "ok"
    if "timeout" in error:
        return "timeout"
    return "cancelled" if "cancel" in error else "error"
