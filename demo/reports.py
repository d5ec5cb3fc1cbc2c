"""The digests and the statement that the company's people find in their mail, without waiting for the next morning."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User

from alerts.digests import services as reporting
from alerts.digests.periods import newest
from alerts.models import Preference, ReportKind
from costs.ledger import posting as ledger
from demo import company

OF_ROLE = {
    "ops": (ReportKind.DAILY,),
    "manager": (ReportKind.WEEKLY, ReportKind.MONTHLY, ReportKind.STATEMENT),
}


def write_reports(now: datetime) -> None:
    """The newest of each that their roles get; those that are written stay as they are."""
    ledger.post()
    for role, kinds in OF_ROLE.items():
        person = User.objects.get(username=company.BY_ROLE[role].username)
        wishes = Preference.objects.filter(person=person).first() or Preference(person=person)
        for kind in kinds:
            reporting.write(person, wishes, kind, newest(kind, now.date()), now)
