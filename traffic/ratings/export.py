"""All that one person judged, as JSON lines: ratings, choices between two answers, and what they did not judge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import orjson
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from traffic.models import Abstention, PairChoice, Rating

# Applications and deployments by their slugs, since a number means nothing outside.
RATING = ("request_id", "created_at", "application__slug", "deployment__slug", "model", "task", "score", "stars",
          "comment", "rubric__name", "rubric__version", "marks")  # fmt: skip
CHOICE = ("pair_id", "created_at", "outcome", "candidate_first", "adjudicates", "comment")
ABSTENTION = ("request_id", "created_at", "reason")
ANSWERED_BY = ("deployment", "model")
CHUNK = 2_000


def judged_by(person: AbstractBaseUser | AnonymousUser, blind_since: datetime | None = None) -> Iterator[bytes]:
    """One line for each row, the oldest of each kind first; `kind` is `rating`, `choice` or `abstention`.

    The texts of prompts and answers are not part of it, and who answered is null in ratings from `blind_since` on.
    """
    ratings = Rating.objects.of_person(person).filter(rater=person.pk)
    blind = ratings.filter(created_at__gte=blind_since) if blind_since else ratings.none()
    choices = PairChoice.objects.filter(rater=person.pk)
    abstentions = Abstention.objects.filter(rater=person.pk)
    return chain(
        _lines("rating", RATING, ratings.filter(created_at__lt=blind_since) if blind_since else ratings),
        _lines("rating", RATING, blind, ANSWERED_BY),
        _lines("choice", CHOICE, choices),
        _lines("abstention", ABSTENTION, abstentions),
    )


def _lines(kind: str, columns: tuple[str, ...], rows: Any, hidden: tuple[str, ...] = ()) -> Iterator[bytes]:
    names = [column.replace("__slug", "").replace("__", "_") for column in columns]
    for values in rows.order_by("pk").values_list(*columns).iterator(CHUNK):
        yield orjson.dumps({"kind": kind, **dict(zip(names, values, strict=True)), **dict.fromkeys(hidden)}) + b"\n"
