"""Who rates a pair, and on which side they see the candidate's answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from traffic.authentication.keys import Caller
from traffic.models import Installation, Pair, PairOutcome, RaterKind
from traffic.models.queues import number_of_person

SIDES = ("a", "b", "tie", "both_bad")  # what a rater chooses from


@dataclass(frozen=True, slots=True)
class Rater:
    """A kind and a name, as in ratings; `user_id` is set for our own people, whose name is their number."""

    kind: str
    by: str
    user_id: int | None = None

    @classmethod
    def of_user(cls, user: AbstractBaseUser | AnonymousUser) -> Rater:
        return cls(RaterKind.PERSON, number_of_person(user.pk), user.pk)

    @classmethod
    def of_caller(cls, caller: Caller, by: str) -> Rater:
        """The person that a program names; people of two programs are different raters."""
        return cls(RaterKind.INSTALLATION if caller.application_id is None else RaterKind.APPLICATION, by)

    def columns(self) -> dict[str, Any]:
        """What identifies this rater's rows."""
        return {"rater_kind": self.kind, "by": self.by}

    def rows(self, prefix: str = "") -> models.Q:
        return models.Q(**{f"{prefix}{name}": value for name, value in self.columns().items()})

    def digest(self, pair_id: int, salt: bytes) -> bytes:
        """A keyed hash of this rater and a pair: without the installation's salt it cannot be calculated."""
        text = f"{self.kind}/{self.by}/{pair_id}"
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=salt[:64], digest_size=8).digest()


def installation_salt() -> bytes:
    """The key of the digests. It never leaves the server."""
    return bytes(Installation.objects.values_list("salt", flat=True).first() or b"")


def candidate_is_first(pair: Pair, rater: Rater, salt: bytes) -> bool:
    """Whether this rater sees the candidate's answer as A."""
    return bool(rater.digest(pair.pk, salt)[-1] & 1)


def outcome_of(side: str, candidate_first: bool) -> PairOutcome:
    """What a choice of `a`, `b`, `tie` or `both_bad` means. Raises ValueError for another word."""
    if side in ("tie", "both_bad"):
        return PairOutcome(side)
    if side not in SIDES:
        raise ValueError(f"not a choice: {side!r}")
    return PairOutcome.CANDIDATE if (side == "a") == candidate_first else PairOutcome.BASELINE


def side_of(outcome: str, candidate_first: bool) -> str:
    """The inverse of `outcome_of`."""
    if outcome in (PairOutcome.TIE, PairOutcome.BOTH_BAD):
        return str(outcome)
    return "a" if (outcome == PairOutcome.CANDIDATE) == candidate_first else "b"
