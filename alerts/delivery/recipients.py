"""Who is told: a rule's people and groups, else those of its kind; minus who opted out and whom servers refuse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from django.contrib.auth import get_user_model
from django.db.models import Q

from alerts.models import Address, Channel, OptOut, Preference, Rule

ADMINS = "admin"
OPS = "ops"  # who is told where a rule would reach nobody


@dataclass
class Recipients:
    """Addresses by rule and group, read at most once each."""

    groups: dict[str, list[str]] = field(default_factory=dict)
    excluded: set[str] | None = None
    opted_out: dict[int, set[str]] | None = None
    _wishes: dict[str, Preference] | None = None

    def of_rule(self, rule: Rule, groups: Iterable[str]) -> list[str]:
        """E-mail addresses for a rule's alerts, each once, in a stable order."""
        people = rule.recipients.all() if rule.pk else []  # read along by lists
        own = [person.email for person in people if person.is_active and person.email]
        own += [address for group in rule.groups for address in self.of_group(group)]
        addresses = own or [address for group in groups for address in self.of_group(group)] or self.of_group(OPS)
        return self.without(rule, addresses)

    def of_group(self, name: str) -> list[str]:
        """Addresses of a role; admins are superusers as well."""
        if name not in self.groups:
            of_role = Q(groups__name=name) | Q(is_superuser=True) if name == ADMINS else Q(groups__name=name)
            people = get_user_model().objects.filter(of_role, is_active=True).exclude(email="").distinct()
            self.groups[name] = list(people.order_by("pk").values_list("email", flat=True))
        return self.groups[name]

    def without(self, rule: Rule, addresses: Iterable[str]) -> list[str]:
        """Each mailbox once, case ignored, without opt-outs and disabled addresses."""
        if self.excluded is None:
            disabled = Address.objects.filter(disabled_at__isnull=False)
            self.excluded = {address.lower() for address in disabled.values_list("address", flat=True)}
        if self.opted_out is None:
            self.opted_out = defaultdict(set)
            for rule_id, address in OptOut.objects.values_list("rule_id", "address"):
                self.opted_out[rule_id].add(address.lower())
        out = self.opted_out.get(rule.pk, set())
        unique = {address.lower(): address for address in reversed(list(addresses))}
        return [address for low, address in reversed(unique.items()) if low not in out | self.excluded]

    def wishes(self, address: str) -> Preference | None:
        """How the person of a mailbox wants to be told; of several, whoever was there first."""
        if self._wishes is None:
            rows = Preference.objects.filter(person__is_active=True).exclude(person__email="").select_related("person")
            self._wishes = {row.person.email.lower(): row for row in rows.order_by("-person")}
        return self._wishes.get(address.lower())

    @cached_property
    def channels(self) -> list[Channel]:
        """Every channel that is switched on."""
        return list(Channel.objects.usable())
