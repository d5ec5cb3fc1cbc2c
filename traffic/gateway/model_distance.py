"""How near a deployment's model is to the one a caller asked for, by their names alone. Pure.

Whoever asks for a large model must not get a small one unawares while a larger one could answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches

SIZES = {"haiku": 1, "sonnet": 2, "opus": 3}
# claude-sonnet-4-5-20250929, claude-sonnet-4-5@20250929, gpt-4o-2024-08-06, claude-3-5-haiku-latest
DATE = re.compile(r"[-@](?:(20\d{6}|20\d\d-\d\d-\d\d)|latest)$")
NUMBER = re.compile(r"(?<![\w.])\d{1,2}(?![\w])")  # of a version; a longer one is a date or a size
# Families of vendors' models, which a route may answer with another model, and the words that leave it to the routes.
FAMILY = re.compile(r"(?<![a-z])(?:claude|chatgpt|gpt|codex|gemini|haiku|sonnet|opus)(?![a-z])|^o\d|^(?:auto|default)$")
MOST_NAMES, NEAREST = 200, 3  # that are compared with one that nobody knows, and that are named
MOST_LETTERS = 200  # of a name that is looked at
# Said of a model whose name has no day: nobody tells us its age, and some clients take 0 for a fault.
MADE_UNKNOWN = datetime(2024, 1, 1, tzinfo=UTC)

Shortfall = tuple[bool, int]
Distance = tuple[bool, Shortfall, Shortfall]


def undated(model: str) -> str:
    """A model's name without the day that pins it."""
    return DATE.sub("", model[-MOST_LETTERS:])


def made_at(model: str) -> datetime:
    """When a model was made, as far as its name says: always the same answer, MADE_UNKNOWN where it says nothing."""
    match = DATE.search(model[-MOST_LETTERS:])
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC) if match and match[1] else MADE_UNKNOWN
    except ValueError:  # 20259999 is no day
        return MADE_UNKNOWN


def match_rank(model: str, requested: str) -> int:
    """0 for the model asked for, 1 for a dated or undated name of it, 2 for another model."""
    if model == requested:
        return 0
    return 1 if undated(model) == undated(requested) else 2


def distance(model: str, requested: str) -> Distance:
    """Nearest first: of the family asked for, then larger ones, then smaller ones, then those of no known size.

    Inside a family the same holds for the version. All are alike where what is asked for has no known size.
    """
    wanted = size(requested)
    if wanted is None:
        return False, (False, 0), (False, 0)
    has = size(model)
    if has is None:
        return True, (False, 0), (False, 0)
    return False, shortfall(has, wanted), shortfall(version(model), version(requested))


def has_family(model: str) -> bool:
    """Whether a name is that of a vendor's model; one that is not may be a mistake of the caller."""
    return FAMILY.search(model[:MOST_LETTERS].lower()) is not None


def nearest(model: str, names: Iterable[str]) -> list[str]:
    """The names that look most like a model's, the nearest first; at most NEAREST, none where none looks like it."""
    by_lower = {name.lower()[:MOST_LETTERS]: name for name in sorted(set(names))[:MOST_NAMES]}
    return [by_lower[name] for name in get_close_matches(model.lower()[:MOST_LETTERS], by_lower, NEAREST, 0.5)]


def size(model: str) -> int | None:
    return next((rank for family, rank in SIZES.items() if family in model[:MOST_LETTERS].lower()), None)


def version(model: str) -> int:
    """4-5 as 405 and 4 as 400; 0 where the name has none."""
    major, minor = (*(int(digits) for digits in NUMBER.findall(undated(model))), 0, 0)[:2]
    return major * 100 + minor


def shortfall(has: int, wanted: int) -> Shortfall:
    """Sorts what is enough before what is too little, and the near before the far."""
    return has < wanted, abs(has - wanted)
