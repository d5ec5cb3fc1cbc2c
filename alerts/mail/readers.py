"""Whose mailbox an address is: how they want to be told, and what they may do by a link."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from alerts.models import Preference


@dataclass(frozen=True, slots=True)
class Reader:
    """The person of a mailbox, None where nobody has it; whoever wished nothing reads English and UTC."""

    person: AbstractUser | None = None
    wishes: Preference = field(default_factory=Preference)

    def may(self, permission: str) -> bool:
        return self.person is not None and self.person.has_perm(permission)


@dataclass
class Readers:
    """Readers by address, each read once; of several people with one address whoever was there first."""

    by_address: dict[str, Reader] = field(default_factory=dict)

    def of(self, address: str) -> Reader:
        key = address.lower()
        if key not in self.by_address:
            self.by_address[key] = self._read(address)
        return self.by_address[key]

    def _read(self, address: str) -> Reader:
        active: QuerySet[AbstractUser] = get_user_model()._default_manager.filter(is_active=True)
        people = active.filter(email__iexact=address).order_by("pk")
        persons = list(people.select_related("alert_preference"))  # type: ignore[misc]  # the user model is a setting
        wished = (getattr(person, "alert_preference", None) for person in persons)
        return Reader(persons[0] if persons else None, next(filter(None, wished), None) or Preference())
