"""Which applications' requests a person may open, and of which of them they may read and rate the answers."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, OuterRef

from traffic.models import Application, TrialCall

Person = User | AnonymousUser


def applications_of(user: Person) -> list[int] | None:
    """Applications whose requests this person may open; None is all, those of no application included."""
    if user.has_perm("traffic.view_request"):
        return None
    return list(Application.objects.of_person(user).values_list("pk", flat=True))


def rateable(user: Person) -> list[int]:
    """Applications whose answers this person may read and rate."""
    captured = Application.objects.filter(capture_bodies=True)
    theirs = captured if user.has_perm("traffic.view_bodies") else captured.of_person(user)
    return list(theirs.values_list("pk", flat=True))


def copies_of_others(within: Sequence[int], request_id: str) -> Exists:
    """Whether the request in this column is a trial's, and its prompt a stored one of an application not `within`.

    A trial sends stored prompts again as the application `trials`, whose members are not members of theirs.
    """
    calls = TrialCall.objects.filter(request_id=OuterRef(request_id), prompt__application__isnull=False)
    return Exists(calls.exclude(prompt__application__in=list(within)))


# The same in a plain statement, of the column `{id}` and the applications `within`.
COPY_OF_OTHERS = """EXISTS (
    SELECT 1 FROM traffic_trialcall AS call JOIN traffic_trialprompt AS sent ON sent.id = call.prompt_id
    WHERE call.request_id = {id} AND sent.application_id <> ALL(%(within)s::bigint[]))"""
