"""What people decide about self-hosting: a no-go with its reason, switches that set the money aside; all is kept."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from costs.models import Justification, NoGo


@transaction.atomic
def forbid(*, reason: str, by: AbstractBaseUser) -> NoGo:
    """Tick the no-go; an earlier one that stands is withdrawn, so that one reason holds."""
    withdraw_no_go()
    return NoGo.objects.create(reason=reason, by_id=by.pk)


def withdraw_no_go() -> int:
    """Returns how many ticks were withdrawn."""
    return NoGo.objects.standing().update(withdrawn_at=timezone.now())


@transaction.atomic
def justify(*, kind: str, reason: str, by: AbstractBaseUser) -> Justification:
    """Turn a switch on; on already, its reason is replaced."""
    withdraw_justification(kind=kind)
    return Justification.objects.create(kind=kind, reason=reason, by_id=by.pk)


def withdraw_justification(*, kind: str) -> int:
    """Turn a switch off; returns 0 where it was not on."""
    return Justification.objects.standing().filter(kind=kind).update(withdrawn_at=timezone.now())
