"""What emitters call the same thing: for each fact the attribute names, the first that is present wins."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any
from urllib.parse import urlsplit

from traffic.ingest.bounds import MOST_TOKENS
from traffic.ingest.otlp.spans import Attributes, Span
from traffic.ingest.tiers import SAID

OPERATION = ("gen_ai.operation.name", "llm.request.type", "openinference.span.kind")
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
MODEL = (
    "gen_ai.response.model", "llm.response.model_name", "litellm.provider.model", "gen_ai.request.model",
    "llm.request.model_name", "llm.model_name", "embedding.model_name", "litellm.model_group", "model",
)  # fmt: skip
INPUT = (
    "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt",
    "llm.token.counts.prompt",
)  # fmt: skip
OUTPUT = (
    "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens",
    "llm.token_count.completion", "llm.token.counts.completion",
)  # fmt: skip
CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached", "gen_ai.usage.cached_tokens", "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
)  # fmt: skip
CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.input_tokens.cache_write",
    "llm.token_count.prompt_details.cache_write",
)  # fmt: skip
TOTAL = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")
CACHE_WRITE_1H = ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",)
REASONING = (
    "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)  # fmt: skip
RESPONSE_ID = ("gen_ai.response.id", "gen_ai.response_id", "gen_ai.request.id", "litellm.call_id")
TTFT_S = (
    "gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.latency.time_to_first_token",
)  # fmt: skip
FIRST_TOKEN = ("gen_ai.content.completion.chunk", "First Token Stream Event", "llm.content.completion.chunk")
TTFT_MS = (*((name, 1000.0) for name in TTFT_S), ("ttft_ms", 1.0))
STREAMED = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming", "litellm.request.streaming")
COST = ("gen_ai.usage.cost", "gen_ai.cost.total_cost", "litellm.cost.total", "llm.cost.total")
FINISH = (
    "gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason",
    "llm.response.finish_reason", "anthropic.message.stop_reason", "gen_ai.completion.0.finish_reason",
)  # fmt: skip
ENDPOINT = ("gen_ai.openai.api_base", "url.full", "server.address")
STATUS = ("http.response.status_code",)
PORT = ("server.port",)
# Claude Code's spans say the same without a prefix, and their input excludes what was cached.
FLAT_INPUT, FLAT_OUTPUT = (*INPUT, "input_tokens"), (*OUTPUT, "output_tokens")
FLAT_CACHE_READ, FLAT_CACHE_WRITE = (*CACHE_READ, "cache_read_tokens"), (*CACHE_WRITE, "cache_creation_tokens")
USER = ("gen_ai.user", "llm.user", "user.id", "enduser.id", "litellm.end_user.id")

OPERATIONS = {
    "chat", "text_completion", "generate_content", "completion", "embeddings", "embedding", "llm", "response",
    # LiteLLM's own names of the same.
    "acompletion", "atext_completion", "aembedding", "responses", "aresponses", "anthropic_messages",
    "agenerate_content", "generate_content_stream", "agenerate_content_stream",
}  # fmt: skip
# Spans that are requests by their name, because they say nothing else.
CLAUDE_CODE = "claude_code."
REQUEST_NAMES = {"llm_request", f"{CLAUDE_CODE}llm_request"}
# Slugs of providers where conventions spell them otherwise, or spelt them otherwise before.
PROVIDERS = {
    "aws.bedrock": "bedrock", "aws_bedrock": "bedrock", "azure.ai.openai": "azure", "az.ai.openai": "azure",
    "azure.ai.inference": "azure", "az.ai.inference": "azure", "gcp.gemini": "google", "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google", "vertex_ai": "google", "gemini": "google", "google_genai": "google", "x_ai": "xai",
    "mistral_ai": "mistral", "hosted_vllm": "self", "vllm": "self",
}  # fmt: skip
# Model names that tell whose they are, where nothing else does.
FAMILIES = (("claude", "anthropic"), ("gpt-", "openai"), ("chatgpt", "openai"), ("o1", "openai"), ("o3", "openai"),
            ("o4", "openai"), ("text-embedding-", "openai"), ("gemini", "google"), ("mistral", "mistral"))  # fmt: skip
# What a person wrote or read: never kept in the raw attributes.
CONTENT = (
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions",
    "gen_ai.prompt", "gen_ai.completion", "input.value", "output.value", "llm.input_messages", "llm.output_messages",
    "llm.prompts", "llm.request.functions", "traceloop.entity.input", "traceloop.entity.output", "gen_ai.tool.call",
    "pydantic_ai.all_messages", "final_result", "model_request_parameters", "langfuse.observation.input",
    "langfuse.observation.output", "langfuse.trace.input", "langfuse.trace.output", "ai.prompt", "ai.response.text",
    "ai.response.object", "ai.response.toolCalls", "ai.response.reasoning", "ai.toolCall", "ai.value", "ai.embedding",
    # Who asked: the user is kept as a hash, the rest not at all.
    *USER, "ai.telemetry.metadata.userId", "metadata.user_api_key_user_email", "metadata.requester_ip_address",
)  # fmt: skip

LONGEST = 2_000  # characters of one attribute that is kept raw
LONGEST_NAME = 500  # and of its name
MOST_KEPT = 256  # attributes of one span that are kept raw


# By these words a span is judged; see `rows.py`.
ERROR = "error.type"
WORDS = frozenset((*OPERATION, *PROVIDER, *MODEL, *STREAMED, *ENDPOINT, *PORT, *STATUS, *SAID, ERROR))
# What is counted, in the order of `usage.Counted`; and as Claude Code's spans name it.
COUNTS = (INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, CACHE_WRITE_1H, REASONING, TOTAL)
FLAT_COUNTS = (FLAT_INPUT, FLAT_OUTPUT, FLAT_CACHE_READ, FLAT_CACHE_WRITE, CACHE_WRITE_1H, REASONING, TOTAL)

Names = tuple[str, ...]
Counts = tuple[tuple[int, Names], ...]  # places in COUNTS, of what is there


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What follows from the names of a span's attributes alone; a program's spans carry the same again and again.

    Of each fact's names those that are there.
    """

    word_names: Names  # of WORDS
    rest: Names  # of what else is kept raw: no content, and not what a column of its own is for
    words: Callable[[Attributes], tuple[Any, ...]]  # takes the values of WORDS out
    counts: Counts
    flat_counts: Counts
    response_id: Names
    user: Names
    cost: Names
    ttft: tuple[tuple[str, float], ...]  # with what makes it milliseconds
    present: dict[Names, Names]  # of other facts; filled as asked
    is_cached: bool  # whether the next span of the same names finds it


def shape(span: Span) -> Shape:
    cached: Shape | None = span.shape
    if cached is None:
        names = tuple(span.attributes)
        cached = span.shape = _shapes.get(names) or new_shape(names)
    return cached


FEW, SHORT = 64, 4_000  # names, and characters of all of them; a span with more has others each time
MOST_SHAPES = 512
_shapes: dict[Names, Shape] = {}


def new_shape(names: Names) -> Shape:
    """The shape of a set of attribute names, cached if it is small."""
    keep = len(names) <= FEW and sum(map(len, names)) <= SHORT
    made = shape_of(names, keep=keep)
    if keep:
        if len(_shapes) >= MOST_SHAPES:
            _shapes.clear()
        _shapes[names] = made
    return made


def shape_of(names: Names, *, keep: bool) -> Shape:
    there = set(names)

    def those(fact: Names) -> Names:
        return tuple(name for name in fact if name in there)

    words = [name for name in names if name in WORDS]
    response_id = those(RESPONSE_ID)
    return Shape(
        word_names=tuple(words),
        rest=tuple(
            name
            for name in names
            if name not in WORDS and len(name) <= LONGEST_NAME and not is_content(name) and name not in response_id[:1]
        ),
        words=itemgetter(*words) if len(words) > 1 else lambda attributes: tuple([attributes[name] for name in words]),
        counts=tuple((place, those(fact)) for place, fact in enumerate(COUNTS) if those(fact)),
        flat_counts=tuple((place, those(fact)) for place, fact in enumerate(FLAT_COUNTS) if those(fact)),
        response_id=response_id,
        user=those(USER),
        cost=those(COST),
        ttft=tuple((name, factor) for name, factor in TTFT_MS if name in there),
        present={},
        is_cached=keep,
    )


def first(span: Span, names: Names) -> Any:
    """The value of the first of these attributes that is there; None where none is."""
    cache = shape(span).present
    present = cache.get(names)
    if present is None:
        present = cache[names] = tuple(name for name in names if name in span.attributes)
    return value_of(span.attributes, present)


def value_of(attributes: Attributes, present: Names) -> Any:
    for name in present:
        value = attributes[name]
        if value is not None:
            return value
    return None


def text(span: Span, names: Names, limit: int = 200) -> str | None:
    """The first that is present, as text without NUL bytes; None where empty."""
    return text_of(first(span, names), limit)


def text_of(value: Any, limit: int = 200) -> str | None:
    return None if value is None else written(value, limit) or None


def written(value: Any, limit: int = 200) -> str:
    """A value as text that can be stored."""
    string = str(value)
    return (string.replace("\0", "") if "\0" in string else string)[:limit]


def count(span: Span, names: Names) -> int | None:
    """A count that may have come as text or float; None where there is none, or it is none (`NoCount` tells)."""
    try:
        return whole(first(span, names))
    except NoCount:
        return None


class NoCount(ValueError):
    """Something stands where a count should be: negative, a fraction, absurdly large, or no number."""


def whole(value: Any) -> int | None:
    """A count; None for None. Raises NoCount."""
    if value is None:
        return None
    number = value if type(value) is int else number_of(value)
    if not 0 <= number <= MOST_TOKENS or number != int(number):
        raise NoCount
    return int(number)


def number_of(value: Any) -> float:
    """A number that may have come as text; NaN for what is none, so that no comparison holds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def flag(span: Span, names: Names) -> bool | None:
    value = first(span, names)
    if value is None:
        return None
    return value.lower() == "true" if isinstance(value, str) else bool(value)


def operation(span: Span) -> str:
    value = text(span, OPERATION)
    return value.lower() if value else ""


def is_request(span: Span) -> bool | None:
    """Whether a span is a call to a model; agents, tools, retrievals and servers' other spans are not.

    None where it is one if it counts its input (see `counts_input`).
    """
    if span.name in REQUEST_NAMES:
        return True
    value = operation(span)
    if value:
        return value in OPERATIONS
    # Spans that name a provider and a model but no operation are old or odd ways to say the same.
    return None if text(span, PROVIDER) is not None and text(span, MODEL) is not None else False


def counts_input(span: Span) -> bool:
    return count(span, INPUT) is not None


def names_its_kind(name: str) -> bool:
    """Whether a span's name says what it is."""
    return name in REQUEST_NAMES or name.startswith(CLAUDE_CODE)


def model_of(span: Span) -> str | None:
    return text(span, MODEL)


def provider_of(span: Span) -> str:
    name = (text(span, PROVIDER, 40) or "").lower()
    if not name and span.name.startswith(CLAUDE_CODE):
        return "anthropic"
    return PROVIDERS.get(name, name) or provider_by(model_of(span)) or "unknown"


def provider_by(model: str | None) -> str | None:
    """Whose model it is by its name, as `claude-opus-5-5` or `vendor/gpt-x`; None for a name that does not tell."""
    name = (model or "").rpartition("/")[2]
    return next((provider for start, provider in FAMILIES if name.startswith(start)), None)


def endpoint_of(span: Span) -> str:
    """`host:port` that the call went to; empty where the emitter does not say."""
    value = text(span, ENDPOINT, 500)
    return host_of(value, count(span, PORT)) if value else ""


@lru_cache(1024)
def host_of(value: str, port: int | None) -> str:
    """`host:port` of an address, or of a host whose port is told apart; empty for what is no address."""
    if "://" not in value:
        return f"{value.lower()}:{port or 443}"
    try:
        parts = urlsplit(value)
        return f"{(parts.hostname or '').lower()}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    except ValueError:
        return ""


def response_id_of(span: Span) -> str | None:
    """The vendor's id of the answer; OpenInference has it only inside the answer's JSON."""
    attributes = span.attributes
    identifier = text_of(value_of(attributes, shape(span).response_id))
    if identifier:
        return identifier
    answer = attributes.get("output.value")
    if isinstance(answer, str) and answer.startswith("{"):
        try:
            inside = json.loads(answer).get("id")
        except (ValueError, RecursionError, AttributeError):
            return None
        # JSON can spell half of a pair of surrogates, which no encoding takes.
        return written(inside.encode("utf-8", "replace").decode()) or None if isinstance(inside, str) else None
    return None


def short_attributes(attributes: Attributes, names: Names) -> Attributes:
    """Of these attributes those that are no longer than a fact is."""
    return {
        name: value
        for name in names
        if (value := attributes[name]) is None or type(value) in NUMBERS or is_short(value)
    }


@lru_cache(4096)  # a program has few names of attributes, and uses them in every span
def is_content(name: str) -> bool:
    return name.startswith(CONTENT) or name in USER or PERSON.search(name) is not None


# Who the end user is: hashed as `user`, and never kept in clear.
PERSON = re.compile(r"(?:^|[._])(?:user|enduser|end_user|customer)(?:[._](?:id|name|email|full_name|ip)|_?id)$")


def is_short(value: Any) -> bool:
    return len(str(value)) <= LONGEST


NUMBERS = frozenset((int, float, bool, type(None)))
