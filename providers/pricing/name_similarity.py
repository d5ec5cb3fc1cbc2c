"""Which known model a name is nearest to, so that its price can be a start for one that nobody knows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from lib.model_names import DATED

WORDS = re.compile(r"[a-z]+|\d+")
# Words that say in which state or build a model is, whatever family it is of.
STATES = frozenset({"preview", "latest", "beta", "exp", "experimental", "turbo", "fast", "instruct", "chat"})
ALIKE = 0.5  # below it two names have nothing to do with each other


def most_similar_model(provider: str, model: str, models: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The (provider, model) most like this one, its own provider's before others; None where nothing is alike."""
    plain = comparable_name(model)
    names = family(plain)
    scored = [
        (similarity(plain, other), slug == provider, slug, name)
        for slug, name in models
        if (other := comparable_name(name)) == plain or names & family(other)
    ]
    # Another vendor's twin of the same name is a better start than a relative at home.
    best = max(scored, key=lambda score: (score[0] + (0.15 if score[1] else 0.0), score[3]), default=None)
    return (best[2], best[3]) if best and best[0] >= ALIKE else None


def comparable_name(model: str) -> str:
    """Without vendor and date: `us.anthropic.claude-sonnet-5-5-20261007` is claude-sonnet-5-5."""
    name = DATED.sub("", model.lower().rsplit("/", 1)[-1])
    return re.sub(r"^(?:[a-z]{2}\.)?[a-z]+\.(?=[a-z])", "", name)


def family(plain: str) -> set[str]:
    """The words of a name by which two models can be related."""
    return {word for word in WORDS.findall(plain) if word.isalpha()} - STATES


def similarity(name: str, other: str) -> float:
    """0..1 by the words and numbers in their order; a shared family weighs more than a shared number."""
    left, right = WORDS.findall(name), WORDS.findall(other)
    return (SequenceMatcher(None, left, right).ratio() * 2 + SequenceMatcher(None, name, other).ratio()) / 3
