"""Classifies a span by its words alone. A program repeats them in each of its spans, so the result is cached.

Words are whose model it is and which, where it was called, how that ended. Ids, times and counts are each span's own.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from traffic.authentication.keys import Caller
from traffic.ingest.lookup_tables import LookupTables
from traffic.ingest.otlp import names
from traffic.ingest.otlp.spans import Attributes, Span
from traffic.ingest.tiers import tier_of
from traffic.redaction.rules import may_hold

MOST_KEPT = 1_024
LONGEST_KEPT = 2_000  # characters of words; a program that says more says something else each time


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
    if len(str(key[1:])) <= LONGEST_KEPT:
        if len(tables.kinds) >= MOST_KEPT:
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
