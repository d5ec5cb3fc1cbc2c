"""What a mail's unsubscribe link ends: the mails of its rule, of every rule that it lists, or of its kind."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.digests.periods import chosen
from alerts.mail import links
from alerts.models import Delivery, OptOut, Preference, Report, Rule
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
        rules_opted_out = OptOut.objects.filter(rule__in=self.rules, address__iexact=self.address).values_list(
            "rule", flat=True
        )
        return set(rules_opted_out) == {rule.pk for rule in self.rules}

    def switch(self, *, out: bool) -> None:
        """Leave, or come back; twice is once."""
        for rule in self.rules:
            if out:
                OptOut.objects.get_or_create(rule=rule, address=self.address)
            else:
                OptOut.objects.filter(rule=rule, address__iexact=self.address).delete()


@dataclass(frozen=True)
class Reports:
    """Mails of one kind that come by the calendar, to one person."""

    report: Report
    address: str

    @property
    def what(self) -> str:
        return str(self.report.get_kind_display())

    @property
    def wishes(self) -> Preference:
        person = self.report.person_id
        return Preference.objects.filter(person=person).first() or Preference(person_id=person)

    @property
    def out(self) -> bool:
        return self.report.kind not in chosen(self.report.person, self.wishes)

    def switch(self, *, out: bool) -> None:
        wishes = self.wishes
        others = [kind for kind in chosen(self.report.person, wishes) if kind != self.report.kind]
        wishes.reports = others if out else [*others, self.report.kind]
        wishes.save()


def subscription(token: str) -> Rules | Reports:
    """Links of old mails go on working. Raises links.BadLink, also where what it was about is gone."""
    action = links.action_of(token)
    if action == "unsubscribe-report":
        pk, address = links.read(token, action, lasts=None)
        report = Report.objects.select_related("person").filter(pk=pk).first()
        if report is None:
            raise links.BadLink("unknown")
        return Reports(report, address)
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
