"""Which tier and region a request was served in, as its vendor says: what makes its tokens cost other than standard.

Pure. A tier is a few words joined by `+`: `priority`, `flex`, `speed:fast`, `geo:us`; None is standard, or not said.
"""

from __future__ import annotations

from typing import Any

# What vendors say for the price in the list; a batch is a flag of its own.
STANDARD = frozenset(
    {"", "standard", "standard_only", "default", "auto", "on_demand", "batch", "not_available", "global"}
)
# Where it stands: the answer's own word first, then what was asked for.
SERVICE = (
    "service_tier",
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "openai.request.service_tier",
    "gen_ai.openai.request.service_tier",
)
GEO, SPEED = ("inference_geo",), ("speed",)
SAID = frozenset((*SERVICE, *GEO, *SPEED))
PLACES = ("usage", "attributes", "model_parameters")
LONGEST = 60


def tier_of(raw: Any) -> str | None:
    """From what is kept of a request's own record."""
    if not isinstance(raw, dict):
        return None
    within = (raw, *[raw.get(name) for name in PLACES])
    places = [place for place in within if isinstance(place, dict) and not SAID.isdisjoint(place)]
    if not places:
        return None
    parts = [
        word(places, SERVICE, ""),
        word(places, GEO, "geo:"),
        word(places, SPEED, "speed:"),
    ]
    return "+".join(part for part in parts if part) or None


def word(places: list[dict[str, Any]], names: tuple[str, ...], prefix: str) -> str:
    """The first that is said of these, unless it is the standard."""
    for place in places:
        for name in names:
            value = place.get(name)
            if isinstance(value, str) and value:
                plain = value.strip().lower().replace("+", "_").replace("\0", "")[:LONGEST]
                return "" if plain in STANDARD else prefix + plain
    return ""


def is_batch(raw: Any) -> bool:
    """Whether the vendor says that it was served as a batch."""
    usage = raw.get("usage") if isinstance(raw, dict) else None
    return isinstance(usage, dict) and usage.get("service_tier") == "batch"
