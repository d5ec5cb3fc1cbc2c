"""The pairs that wait for one rater's choice: of their applications, with both answers still stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

from lib.dates import midnight
from traffic.authentication.keys import Caller
from traffic.comparisons.rater import Rater, candidate_is_first, installation_salt
from traffic.conversation import turns
from traffic.models import Pair, PairAssignment, PairChoice, RequestBody
from traffic.request_ids import day_of
from traffic.visibility import Person, rateable

CONSIDERED = 200  # pairs that are looked at for the next one
COUNTED = 1_000  # pairs that a rater is told at most that they have left


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair as one rater sees it: `first` is answer A. Nothing here names a deployment."""

    pair: Pair
    prompt: str
    first: str
    second: str
    candidate_first: bool

    @property
    def prompt_text(self) -> str:
        """The prompt as one text: that of its only turn, else each turn after who spoke."""
        spoken = turns(self.prompt)
        if len(spoken) == 1:
            return spoken[0].text
        return "\n\n".join(f"{turn.label}: {turn.text}" for turn in spoken)


def waiting(rater: Rater, within: list[int] | None) -> QuerySet[Pair]:
    """Pairs that this rater has neither chosen from nor skipped; of these applications, or of all for None."""
    chosen = PairChoice.objects.filter(rater.rows(), pair=OuterRef("pk"))
    skipped = PairAssignment.objects.filter(rater.rows(), pair=OuterRef("pk"), skipped_at__isnull=False)
    pairs = Pair.objects.filter(~Exists(chosen), ~Exists(skipped), answers_deleted=False)
    return pairs if within is None else pairs.filter(of_applications(within))


def of_applications(within: list[int]) -> Q:
    """Pairs of these applications whose prompt is nobody's, or of one of these: a trial sends stored prompts again."""
    prompts = Q(prompt_application=None) | Q(prompt_application__in=within)
    return Q(application__in=within) & prompts


def left(rater: Rater, within: list[int] | None) -> int:
    """How many pairs wait for this rater, at most `COUNTED`."""
    return waiting(rater, within).order_by()[:COUNTED].count()


def next_pair(rater: Rater, within: list[int] | None, now: datetime) -> Shown | None:
    """The pair that this rater has reserved last, else the one that needs a choice most; None where none waits.

    First those whose raters disagree, then those with the fewest choices, in an order of this rater's own. Pairs that
    others have on their screens come last.
    """
    for pair in _by_need(rater, within, now):
        shown = show(pair, rater)
        if shown is not None:
            return shown
        # Both bodies are stored with the request or shortly after it, so what is missing an hour later stays missing.
        if (now - pair.created_at).total_seconds() > 3_600:
            Pair.objects.filter(pk=pair.pk).update(answers_deleted=True)
    return None


def _by_need(rater: Rater, within: list[int] | None, now: datetime) -> Iterator[Pair]:
    open_pairs = waiting(rater, within)
    reserved = PairAssignment.objects.filter(reserved_until__gt=now, skipped_at=None)
    mine = (
        open_pairs.filter(assignments__in=reserved.filter(rater.rows()))
        .order_by("-assignments__reserved_until")
        .first()
    )
    if mine is not None:
        yield mine
    others = reserved.filter(~rater.rows(), pair=OuterRef("pk"))
    disputed = list(open_pairs.filter(disputed=True).order_by("-id")[:CONSIDERED])
    fewest = list(open_pairs.filter(disputed=False).order_by("votes", "-id")[:CONSIDERED])
    near = [*disputed, *fewest]
    on_screen = set(open_pairs.filter(Exists(others), pk__in=[pair.pk for pair in near]).values_list("pk", flat=True))
    salt = installation_salt()
    yield from sorted(
        near, key=lambda pair: (pair.pk in on_screen, not pair.disputed, pair.votes, rater.digest(pair.pk, salt))
    )


class Texts(NamedTuple):
    """The prompt of a pair, the candidate's answer and the baseline's."""

    prompt: str
    first: str
    second: str


def show(pair: Pair, rater: Rater) -> Shown | None:
    """The pair with its texts, the sides in this rater's order; None where a body is not stored (any more)."""
    stored = texts(pair)
    if stored is None:
        return None
    candidate_first = candidate_is_first(pair, rater, installation_salt())
    answers = (stored.first, stored.second) if candidate_first else (stored.second, stored.first)
    return Shown(pair, stored.prompt, *answers, candidate_first)


def texts(pair: Pair) -> Texts | None:
    """What is stored of a pair; None where an answer is not stored (any more)."""
    bodies = _bodies((pair.candidate_request, pair.baseline_request))
    candidate, baseline = bodies.get(pair.candidate_request), bodies.get(pair.baseline_request)
    if candidate is None or baseline is None or not candidate.answer or not baseline.answer:
        return None
    return Texts(candidate.prompt or baseline.prompt or "", candidate.answer, baseline.answer)


def _bodies(identifiers: tuple[uuid.UUID, uuid.UUID]) -> dict[uuid.UUID, RequestBody]:
    days = {day_of(identifier) for identifier in identifiers}
    rows = RequestBody.objects.filter(day__in=days, request_id__in=identifiers)
    return {row.request_id: row for row in rows}


def pair_of(identifier: int, within: list[int] | None) -> Pair | None:
    """A pair by its number; None where it is not of these applications. None for `within` is all of them."""
    pairs = Pair.objects.select_related("candidate", "baseline", "application").filter(pk=identifier)
    return (pairs if within is None else pairs.filter(of_applications(within))).first()


def of_caller(caller: Caller) -> list[int] | None:
    """Applications whose pairs a program may rate: its key's; None is all of them."""
    return None if caller.application_id is None else [caller.application_id]


def of_person(user: Person) -> list[int]:
    """Applications whose pairs this person may rate: the same whose answers they may rate."""
    return rateable(user)


def chosen_today(rater: Rater, now: datetime) -> int:
    """How many pairs this rater has chosen from since midnight, UTC."""
    return PairChoice.objects.filter(rater.rows(), created_at__gte=midnight(now.astimezone(UTC).date())).count()


def own_choice(rater: Rater, pk: int) -> PairChoice | None:
    """A choice by its number, if this rater made it."""
    return PairChoice.objects.filter(rater.rows(), pk=pk).first()


def own_skip(rater: Rater, pk: int) -> PairAssignment | None:
    """A skipped pair by the number of its note, if this rater skipped it."""
    skipped = PairAssignment.objects.filter(rater.rows(), pk=pk, skipped_at__isnull=False)
    return skipped.select_related("pair").first()


def choices_for(pair: Pair) -> list[PairChoice]:
    """What raters chose of a pair, the first choice first."""
    return list(pair.choices.select_related("rater__rater_preference").order_by("pk"))


def choice_of(rater: Rater, pair: Pair) -> PairChoice | None:
    """What this rater chose of this pair."""
    return pair.choices.filter(rater.rows()).first()


def choices_of(rater: Rater, limit: int) -> list[PairChoice]:
    """What this rater chose last, the newest first, with the names of both sides."""
    rows = PairChoice.objects.filter(rater.rows()).select_related("pair__candidate", "pair__baseline")
    return list(rows.order_by("-id")[:limit])
