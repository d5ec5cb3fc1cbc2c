"""The five token classes, which share no token: what each request, price and bill is counted in."""

from __future__ import annotations

PROMPT_CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h")
TOKEN_CLASSES = (*PROMPT_CLASSES, "output")
