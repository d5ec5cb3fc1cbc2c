"""Reads of the outbox: the delivery log, refused addresses, and what waits for a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count, Min, Q
from django.db.models.functions import Lower
from django.shortcuts import get_object_or_404

from alerts.models import Address, Delivery, Preference

# Beat sends every 5 s; messages that wait for longer than this are sent by nobody.
STUCK_AFTER = timedelta(seconds=180)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A page of the delivery log, newest first. `next_before` is the key that the next page begins below."""

    rows: list[Delivery]
    total: int  # of all pages
    next_before: int | None


def delivery_page(*, state: str, recipient: str, before: int | None, size: int) -> DeliveryPage:
    """Messages in one state and to one recipient; an empty text does not narrow it."""
    conditions = {"state": state, "recipient": recipient}
    matching = Delivery.objects.filter(**{name: value for name, value in conditions.items() if value})
    older = matching if before is None else matching.filter(pk__lt=before)
    rows = list(older.select_related("alert", "transition", "report").order_by("-pk")[: size + 1])
    return DeliveryPage(rows[:size], matching.count(), rows[size - 1].pk if len(rows) > size else None)


def waiting_since(now: datetime) -> tuple[int, datetime | None]:
    """How many messages are due and not sent, and when the first of them was due."""
    due = Delivery.objects.due(now).order_by().aggregate(n=Count("pk"), oldest=Min("due_at"))
    return due["n"], due["oldest"]


def counts_by_state() -> dict[str, int]:
    return Delivery.objects.by_state()


def refused_addresses() -> list[Address]:
    """Addresses that get no more mail because servers refused them, the last first."""
    return list(Address.objects.filter(disabled_at__isnull=False).order_by("-disabled_at"))


def address_by_key(pk: int) -> Address:
    """Raises Http404."""
    return get_object_or_404(Address, pk=pk)


def refused_address(email: str) -> Address | None:
    """The address if it is refused, whatever its case."""
    return Address.objects.filter(address__iexact=email, disabled_at__isnull=False).first()


def preference_of(person: AbstractBaseUser) -> Preference:
    """How a person wants to be told; a new, unsaved row where they never said."""
    stored = Preference.objects.filter(person=person.pk).first()
    return stored or Preference(person=person)  # type: ignore[misc]  # the user model is a setting


def deferred_count(email: str) -> int:
    """How many messages wait for the end of a person's quiet hours or for their digest."""
    return Delivery.objects.deferred_for(email).count() if email else 0


def is_stuck(now: datetime) -> bool:
    """Whether messages are due that nobody tries to send."""
    return Delivery.objects.due(now - STUCK_AFTER).exists()


def undelivered() -> list[Delivery]:
    """Messages that were given up or are being tried again, newest first."""
    rows = Delivery.objects.filter(state__in=("failed", "dead")).select_related("alert", "transition", "report")
    return list(rows.order_by("-id")[:20])


def failing_recipients(now: datetime) -> set[str]:
    """Addresses and channels, in lower case, whose newest finished message of this week was not delivered."""
    tried = Delivery.objects.filter(created_at__gte=now - timedelta(days=7), state__in=("accepted", "failed", "dead"))
    newest = tried.order_by("recipient", "-id").distinct("recipient").values_list("recipient", "state")
    return {recipient.lower() for recipient, state in newest if state != "accepted"}


def troubles(now: datetime, failing: Collection[str]) -> dict[int, Delivery]:
    """By rule, the newest of its messages that is tried again or was given up this week, with the answer to it. One to
    a recipient whom a later message reached is over."""
    lately = Q(state="failed") | Q(state="dead", created_at__gte=now - timedelta(days=7))
    sent = Delivery.objects.annotate(address=Lower("recipient")).filter(lately, report=None, address__in=failing)
    rows = sent.select_related("alert").order_by("alert__rule_id", "-id")
    return {row.alert.rule_id: row for row in rows.distinct("alert__rule_id")}
