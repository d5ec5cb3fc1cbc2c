"""What the usage objects of vendors count, in the five classes of tokens. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from traffic.gateway.protocols import ANTHROPIC, CONVERSE, EMBEDDINGS, MEDIA, RESPONSES, Protocol

MOST_TOKENS = 2**53  # past this a count is a mistake, and would not fit where sums of them are kept


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one call in the five disjoint classes; `reasoning` is a part of `output`. None is unknown, not zero."""

    uncached_input: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    reasoning: int | None = None


UNKNOWN = Tokens()


def count(usage: dict[str, Any], *path: str) -> int | None:
    """The count at a path of a vendor's usage object; anything but a whole number >= 0 is unknown."""
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < MOST_TOKENS else None


def anthropic_tokens(usage: dict[str, Any]) -> Tokens:
    """Anthropic's usage: input excludes the cache; writes without a split are five-minute ones."""
    uncached = count(usage, "input_tokens")
    if uncached is None:
        return Tokens(output=count(usage, "output_tokens"))
    written_1h = count(usage, "cache_creation", "ephemeral_1h_input_tokens") or 0
    written = count(usage, "cache_creation_input_tokens")
    written_5m = count(usage, "cache_creation", "ephemeral_5m_input_tokens") or 0
    return Tokens(
        uncached_input=uncached,
        cache_read=count(usage, "cache_read_input_tokens") or 0,
        cache_write_5m=written_5m if written is None else max(written - written_1h, 0),
        cache_write_1h=written_1h,
        output=count(usage, "output_tokens"),
        reasoning=count(usage, "output_tokens_details", "thinking_tokens"),
    )


def openai_tokens(usage: dict[str, Any]) -> Tokens:
    """OpenAI's usage: cached and written tokens are parts of the prompt's."""
    prompt, output = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    if prompt is None:
        return Tokens(output=output)
    read = count(usage, "prompt_tokens_details", "cached_tokens") or 0
    written = count(usage, "prompt_tokens_details", "cache_write_tokens") or 0
    reasoning = count(usage, "completion_tokens_details", "reasoning_tokens")
    # Gemini counts thoughts in the total alone.
    beside = (count(usage, "total_tokens") or 0) - prompt - (output or 0)
    if output is not None and beside > 0 and prompt >= read + written:
        output, reasoning = output + beside, max(beside, reasoning or 0)
    # A server that reports more cached than prompt tokens counts the prompt without its cache.
    uncached = prompt - read - written if prompt >= read + written else prompt
    return Tokens(
        uncached_input=uncached,
        cache_read=read,
        cache_write_5m=written,
        cache_write_1h=0,
        output=output,
        reasoning=reasoning,
    )


def responses_tokens(usage: dict[str, Any]) -> Tokens:
    """The usage of OpenAI's Responses: cached and written tokens are parts of the input's."""
    details = {"cached_tokens": count(usage, "input_tokens_details", "cached_tokens"),
               "cache_write_tokens": count(usage, "input_tokens_details", "cache_write_tokens")}  # fmt: skip
    return openai_tokens(
        {
            "prompt_tokens": usage.get("input_tokens"),
            "prompt_tokens_details": details,
            "completion_tokens": usage.get("output_tokens"),
            "completion_tokens_details": usage.get("output_tokens_details"),
        }
    )


def converse_tokens(usage: dict[str, Any]) -> Tokens:
    """The usage of Bedrock's Converse: input excludes the cache; what was written for an hour stands in the details."""
    details = usage.get("cacheDetails")
    hours = (
        [item for item in details if isinstance(item, dict) and item.get("ttl") == "1h"]
        if isinstance(details, list)
        else []
    )
    return anthropic_tokens(
        {
            "input_tokens": usage.get("inputTokens"),
            "output_tokens": usage.get("outputTokens"),
            "cache_read_input_tokens": usage.get("cacheReadInputTokens"),
            "cache_creation_input_tokens": usage.get("cacheWriteInputTokens"),
            "cache_creation": {"ephemeral_1h_input_tokens": sum(count(item, "inputTokens") or 0 for item in hours)},
        }
    )


def embeddings_tokens(usage: dict[str, Any]) -> Tokens:
    """The usage of embeddings, which have no output."""
    prompt = count(usage, "prompt_tokens")
    return UNKNOWN if prompt is None else Tokens(prompt, 0, 0, 0, 0)


def media_tokens(usage: dict[str, Any]) -> Tokens:
    """The usage of audio and images, told as that of Responses; what is billed by the second has none."""
    return responses_tokens(usage) if "input_tokens" in usage else openai_tokens(usage)


def timings_tokens(timings: dict[str, Any]) -> Tokens:
    """llama.cpp's timings, which its streams carry even where no usage was asked for."""
    prompt = count(timings, "prompt_n")
    return Tokens(
        uncached_input=prompt,
        cache_read=None if prompt is None else count(timings, "cache_n") or 0,
        cache_write_5m=None if prompt is None else 0,
        cache_write_1h=None if prompt is None else 0,
        output=count(timings, "predicted_n"),
    )


_READERS = {ANTHROPIC: anthropic_tokens, RESPONSES: responses_tokens, EMBEDDINGS: embeddings_tokens,
            MEDIA: media_tokens, CONVERSE: converse_tokens}  # fmt: skip


def tokens_of(protocol: Protocol, usage: dict[str, Any]) -> Tokens:
    """The tokens of a usage object of a protocol."""
    return _READERS.get(protocol, openai_tokens)(usage)
