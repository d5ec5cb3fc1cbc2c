"""History from other tools' files: one module for each format, one reader, the same ingest path as every way in."""

from __future__ import annotations

from traffic.imports import anthropic_console, generic, helicone, langfuse, litellm_logs, openai_usage
from traffic.imports.base import Format

# In the order in which a header is tried; the generic one takes what is left.
FORMATS: dict[str, Format] = {
    format.slug: format
    for format in (
        anthropic_console.FORMAT,
        openai_usage.FORMAT,
        litellm_logs.FORMAT,
        helicone.FORMAT,
        langfuse.FORMAT,
        generic.FORMAT,
    )
}


def recognise(names: set[str]) -> str:
    """The slug of the format whose columns these are."""
    return next(slug for slug, format in FORMATS.items() if any(needs <= names for needs in format.needs))
