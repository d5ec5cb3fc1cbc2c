"""What a mail's unsubscribe link ends: the mails of its rule, or of every rule that it lists."""

from __future__ import annotations

from dataclasses import dataclass

from alerts import links
from alerts.models import Delivery, OptOut, Rule
from alerts.wording import listed


@dataclass(frozen=True)
class Rules:
    """Mails about some rules to one address."""

    rules: list[Rule]
    address: str

    @property
    def what(self) -> str:
        return listed([rule.name for rule in self.rules], 12)

    @property
    def out(self) -> bool:
        kept = OptOut.objects.filter(rule__in=self.rules, address__iexact=self.address).values_list("rule", flat=True)
        return set(kept) == {rule.pk for rule in self.rules}

    def switch(self, *, out: bool) -> None:
        """Leave, or come back; twice is once."""
        for rule in self.rules:
            if out:
                OptOut.objects.get_or_create(rule=rule, address=self.address)
            else:
                OptOut.objects.filter(rule=rule, address__iexact=self.address).delete()


def subscription(token: str) -> Rules:
    """Links of old mails go on working. Raises links.BadLink, also where what it was about is gone."""
    action = links.action_of(token)
    if action == "unsubscribe-several":
        pk, address = links.read(token, action, lasts=None)
        rows = Delivery.objects.filter(pk=pk) | Delivery.objects.filter(folded_into=pk)
        rules = Rule.objects.filter(pk__in=rows.values_list("alert__rule_id", flat=True))
    else:
        pk, address = links.read(token, "unsubscribe", lasts=None)
        rules = Rule.objects.filter(pk=pk)
    if not rules:
        raise links.BadLink("unknown")
    return Rules(list(rules), address)
