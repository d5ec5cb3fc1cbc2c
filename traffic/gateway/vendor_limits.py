"""How near a vendor's rate limits are, as its answers report them; written to Postgres every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traffic.gateway.routes import SELF, Target

# Anthropic's and OpenAI's names, with the words under which a limit is stored.
NAMES = (
    ("requests", "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"),
    ("tokens", "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining"),
    ("input_tokens", "anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining"),
    ("output_tokens", "anthropic-ratelimit-output-tokens-limit", "anthropic-ratelimit-output-tokens-remaining"),
    ("requests", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
    ("tokens", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens"),
)
WRITE_EVERY_S = 5.0
MOST_DIGITS = 15

Limits = dict[str, dict[str, int]]


def read_limits(headers: Mapping[str, str]) -> Limits:
    """By what is limited: `limit` and `remaining`. Empty where an answer reports none that makes sense."""
    limits: Limits = {}
    for name, limit_header, remaining_header in NAMES:
        limit, remaining = _whole(headers.get(limit_header)), _whole(headers.get(remaining_header))
        if limit and remaining is not None:
            limits[name] = {"limit": limit, "remaining": min(remaining, limit)}
    return limits


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and len(text) <= MOST_DIGITS and text.isascii() and text.isdigit() else None


class VendorLimits:
    """The limits of the last answer of each deployment since they were last taken."""

    def __init__(self) -> None:
        self._latest: dict[int, Limits] = {}

    def note(self, target: Target, headers: Mapping[str, Any]) -> None:
        """What an answer reports. On the event loop, so it waits for nothing."""
        if target.provider != SELF and (limits := read_limits(headers)):
            self._latest[target.id] = limits

    def take(self) -> dict[int, Limits]:
        """All that is new, by deployment; for the thread that writes it."""
        latest, self._latest = self._latest, {}
        return latest
