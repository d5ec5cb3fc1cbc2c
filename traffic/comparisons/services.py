"""Pairs are made, reserved, chosen from, skipped and taken back."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from lib import sql
from lib.events import log_event
from providers.models import Deployment
from traffic.comparisons.rater import Rater, candidate_is_first, installation_salt, outcome_of
from traffic.comparisons.statistics import decide
from traffic.models import Application, Pair, PairAssignment, PairChoice, Task

logger = logging.getLogger(__name__)

RESERVED = timedelta(minutes=10)  # how long a pair is kept for the rater who has it on screen


class AlreadyChosen(Exception):
    """This rater has chosen of this pair before."""


class Revealed(Exception):
    """This rater was shown who answered, so that their choice is not blind any more."""


class NotDisputed(Exception):
    """The pair has a majority or a decision already."""


def add_pair(
    *,
    candidate: Deployment,
    baseline: Deployment,
    candidate_request: uuid.UUID,
    baseline_request: uuid.UUID,
    task: str = Task.OTHER,
    application: Application | None = None,
    trial_id: int | None = None,
    prompt: str = "",
    prompt_application_id: int | None = None,
) -> Pair:
    """Make a pair of two requests of the log that answered the same prompt; the same two again are the same pair.

    The requests' own ids, which hold their days; their rows and bodies may arrive later. Pairs of one `prompt` count
    once. `prompt_application_id` is the application whose stored prompt it is: the pair is for its raters alone. Raises
    ValueError where both are of one deployment, or one request is on both sides.
    """
    if candidate.pk == baseline.pk or candidate_request == baseline_request:
        raise ValueError("A pair needs two deployments and two requests.")
    pair, _made = Pair.objects.get_or_create(
        candidate_request=candidate_request,
        baseline_request=baseline_request,
        defaults={
            "candidate": candidate, "baseline": baseline, "task": task, "application": application,
            "trial_id": trial_id, "prompt_application_id": prompt_application_id, "prompt_digest": digest_of(prompt),
        },
    )  # fmt: skip
    return pair


def digest_of(prompt: str) -> str:
    """A keyed hash of a prompt in hexadecimal, the same within the installation; blank for one that is not known."""
    if not prompt:
        return ""
    # Of a SHA-256, so that what was stored without a key could be given one.
    plain = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()
    return hashlib.blake2b(plain.encode(), key=installation_salt()[:64], digest_size=32).hexdigest()


def reserve(*, pair: Pair, rater: Rater, now: datetime) -> PairAssignment:
    """Keep a pair for a rater for `RESERVED`; a pair that they skipped is theirs again."""
    assignment, _made = PairAssignment.objects.update_or_create(
        pair=pair,
        **rater.columns(),
        defaults={"rater_id": rater.user_id, "reserved_until": now + RESERVED, "skipped_at": None, "reason": ""},
    )
    return assignment


def skip(*, pair: Pair, rater: Rater, reason: str = "") -> PairAssignment:
    """The pair is not offered to this rater any more, until `reserve`."""
    assignment, _made = PairAssignment.objects.update_or_create(
        pair=pair,
        **rater.columns(),
        defaults={
            "rater_id": rater.user_id, "reserved_until": None, "skipped_at": timezone.now(), "reason": reason[:200]
        },
    )  # fmt: skip
    return assignment


@transaction.atomic
def choose(*, pair: Pair, rater: Rater, side: str, comment: str = "", revealed: bool = False) -> PairChoice:
    """Store what a rater chose: `a`, `b`, `tie` or `both_bad`, as this rater saw the sides.

    `revealed`: the caller names who answered at once. Raises AlreadyChosen for a second choice of the same rater,
    ValueError for another word.
    """
    candidate_first = candidate_is_first(pair, rater, installation_salt())
    outcome = outcome_of(side, candidate_first)
    Pair.objects.select_for_update().get(pk=pair.pk)  # so that two raters at once are both counted
    try:
        with transaction.atomic():
            choice = PairChoice.objects.create(
                pair=pair,
                **rater.columns(),
                rater_id=rater.user_id,
                outcome=outcome,
                candidate_first=candidate_first,
                comment=comment,
                revealed_at=timezone.now() if revealed else None,
            )
    except IntegrityError:
        raise AlreadyChosen from None
    pair.assignments.filter(rater.rows()).delete()
    settle(pair)
    log_event(logger, logging.INFO, "pair_chosen", pair_id=pair.pk, trial_id=pair.trial_id, votes=pair.votes,
              disputed=pair.disputed)  # fmt: skip
    return choice


@transaction.atomic
def adjudicate(*, pair: Pair, side: str, by: AbstractBaseUser | AnonymousUser, comment: str, gold: bool) -> PairChoice:
    """Decide a disputed pair, whatever its raters chose: `a`, `b`, `tie` or `both_bad`, as this person saw the sides.

    `gold`: the decision is right for certain, so that raters are held to it. The page names who answered from then on,
    so the decision stands. Raises NotDisputed, Revealed where this person was shown who answered, ValueError for
    another word.
    """
    rater = Rater.of_user(by)
    first = candidate_is_first(pair, rater, installation_salt())
    outcome = outcome_of(side, first)
    if not Pair.objects.select_for_update().get(pk=pair.pk).disputed:
        raise NotDisputed
    if pair.choices.filter(rater.rows(), revealed_at__isnull=False).exists():
        raise Revealed
    decision = {"rater_id": rater.user_id, "outcome": outcome, "adjudicates": True, "comment": comment,
                "revealed_at": timezone.now()}  # fmt: skip
    choice, _made = pair.choices.update_or_create(
        **rater.columns(), defaults=decision, create_defaults=decision | {"candidate_first": first}
    )
    pair.gold = outcome if gold else ""
    pair.save(update_fields=["gold"])
    settle(pair)
    return choice


def reveal(choices: Sequence[PairChoice]) -> None:
    """Mark these choices before their rater is shown who answered."""
    hidden = [choice.pk for choice in choices if choice.revealed_at is None]
    if hidden:
        PairChoice.objects.filter(pk__in=hidden, revealed_at=None).update(revealed_at=timezone.now())


@transaction.atomic
def withdraw(choice: PairChoice) -> None:
    """Take a choice back; the pair is reserved again for who made it. Raises Revealed."""
    pair = Pair.objects.select_for_update().get(pk=choice.pair_id)
    if not PairChoice.objects.select_for_update().filter(pk=choice.pk, revealed_at=None).exists():
        raise Revealed
    rater = Rater(choice.rater_kind, choice.by, choice.rater_id)
    choice.delete()
    settle(pair)
    reserve(pair=pair, rater=rater, now=timezone.now())


def erase_choices(names: Sequence[str]) -> None:
    """Delete what programs sent under these names, and settle their pairs again."""
    sent = PairChoice.objects.filter(rater=None, by__in=names)
    for pair_id in set(sent.values_list("pair_id", flat=True)):
        with transaction.atomic():
            pair = Pair.objects.select_for_update().get(pk=pair_id)
            pair.choices.filter(rater=None, by__in=names).delete()
            settle(pair)
    PairAssignment.objects.filter(rater=None, by__in=names).delete()


# Plain SQL, as a deletion runs in a transaction of psycopg's own.
ERASE_WORDS = """
WITH pair AS (
    UPDATE traffic_pair SET prompt_digest = ''
    WHERE candidate_request = ANY(%(ids)s) OR baseline_request = ANY(%(ids)s) RETURNING id
), skipped AS (
    UPDATE traffic_pairassignment AS a SET reason = '' FROM pair WHERE a.pair_id = pair.id AND a.reason <> ''
)
UPDATE traffic_pairchoice AS c SET comment = '' FROM pair WHERE c.pair_id = pair.id AND c.comment <> '' RETURNING 1
"""


def erase_words(requests: Sequence[uuid.UUID]) -> None:
    """What raters wrote about pairs of these requests may quote them, and a digest shows the prompt to who guesses it.

    Their choices stay.
    """
    sql.rows(ERASE_WORDS, {"ids": list(requests)})


def forget_words(before: datetime) -> None:
    """What raters wrote about pairs may quote texts, so it goes with the bodies of these days; the choices stay."""
    PairChoice.objects.filter(pair__created_at__lt=before).exclude(comment="").update(comment="")
    PairAssignment.objects.filter(pair__created_at__lt=before).exclude(reason="").update(reason="")


def settle(pair: Pair) -> None:
    """Bring a pair's outcome up to date with its choices; the caller holds its lock."""
    choices = list(pair.choices.values_list("outcome", "adjudicates"))
    adjudicated = next((outcome for outcome, adjudicates in choices if adjudicates), "")
    decided = decide([outcome for outcome, _adjudicates in choices], adjudicated)
    pair.outcome, pair.disputed, pair.votes = decided.outcome, decided.disputed, len(choices)
    pair.save(update_fields=["outcome", "disputed", "votes"])
