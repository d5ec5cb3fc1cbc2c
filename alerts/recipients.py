"""Who is told: a rule's own people, else the groups of its kind; minus who opted out and whom the servers refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.db.models import Q

from alerts.models import Address, OptOut, Rule

ADMINS = "admin"
OPS = "ops"  # who is told where a rule would reach nobody


@dataclass
class Directory:
    """Addresses by rule and group, read at most once each."""

    groups: dict[str, list[str]] = field(default_factory=dict)
    excluded: set[str] | None = None

    def of_rule(self, rule: Rule, groups: Iterable[str]) -> list[str]:
        """E-mail addresses for a rule's alerts, each once, in a stable order."""
        own = list(rule.recipients.filter(is_active=True).exclude(email="").values_list("email", flat=True))
        found = own or [address for group in groups for address in self.of_group(group)] or self.of_group(OPS)
        return self.without(rule, found)

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
        out = {address.lower() for address in OptOut.objects.filter(rule=rule).values_list("address", flat=True)}
        unique = {address.lower(): address for address in reversed(list(addresses))}
        return [address for low, address in reversed(unique.items()) if low not in out | self.excluded]
