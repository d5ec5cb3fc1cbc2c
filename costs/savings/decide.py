"""Decisions of people about a finding. The caller writes the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from costs.models import Finding
from costs.savings.verify import measure_before


class NotThere(LookupError):
    """The finding is not in the state that the decision needs, as when another person decided before."""


def accept(*, pk: int, user: Any, now: datetime) -> Finding:
    """Accept a finding and store what its work cost until today, to compare it later. Raises `NotThere`."""
    with transaction.atomic():
        row = _in_state(pk, Finding.State.OPEN)
        before = measure_before(row, now.astimezone(UTC).date())
        return _decided(row, Finding.State.ACCEPTED, user, now, before=before, reason="")


def dismiss(*, pk: int, user: Any, now: datetime, reason: str) -> Finding:
    """Dismiss a finding; it opens again only when its saving has grown (`search.grown`). Raises `NotThere`."""
    with transaction.atomic():
        return _decided(_in_state(pk, Finding.State.OPEN), Finding.State.DISMISSED, user, now, reason=reason)


def reopen(*, pk: int) -> Finding:
    """Take a decision back. Raises `NotThere`."""
    with transaction.atomic():
        row = _in_state(pk, Finding.State.ACCEPTED, Finding.State.DISMISSED)
        cleared = {"reason": "", "decided_at": None, "decided_by": None, "decided_monthly": None}
        return _set(row, state=Finding.State.OPEN, before=None, after=None, **cleared)


def _in_state(pk: int, *states: str) -> Finding:
    row = Finding.objects.select_for_update(of=("self",)).filter(pk=pk, state__in=states).first()
    if row is None:
        raise NotThere(pk)
    return row


def _decided(row: Finding, state: str, user: Any, now: datetime, **facts: Any) -> Finding:
    who = {"decided_at": now, "decided_by": user, "decided_monthly": row.monthly}
    return _set(row, state=state, **who, **facts)


def _set(row: Finding, **facts: Any) -> Finding:
    for name, value in facts.items():
        setattr(row, name, value)
    row.save(update_fields=list(facts))
    return row
