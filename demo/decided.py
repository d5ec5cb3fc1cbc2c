"""What the company decided about its own GPU: limits of operations, hours that people gave, scenarios, a signature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User

from costs.breakeven import what_ifs
from costs.models import Decision, Effort, OpsWorkloadLimit, WhatIf
from costs.models.decisions import Choice
from costs.readiness import ops_workload, records, scorecard
from costs.readiness.inputs import read_report
from demo.company import PEOPLE

# Days ago, hours, what was done.
HOURS = (
    (3, "0.75", "Looked into slow answers: three long prompts at once"),
    (9, "1.50", "New driver and a restart in the evening"),
    (17, "2.00", "Host rebooted by the vendor: restart policy, checks"),
    (24, "1.25", "Monthly update of the engine and of its prompts"),
)
KEPT = (
    ("Phase 3: 500,000 a month", "requests=500000", "what the staircase asks at the top of phase 2"),
    ("Everything routed", "routable=100", "if code and reasoning could go to our own GPU as well"),
    ("Twice the GPU's price", "price=0.68", ""),
)
STATEMENT = "We keep the hybrid: retrieval, simple questions and batches on our own GPU, the rest at the API."
UNDECIDED = f"{STATEMENT} Judged again next month, with more ratings."


def decide(now: datetime) -> None:
    """Once; whatever a person has entered or signed since stays."""
    manager = _of_role("manager")
    if not OpsWorkloadLimit.objects.exists():
        ops_workload.set_limits(incidents=4, hours=Decimal(12), pages=8, by=manager)
    if not Effort.objects.exists():
        today = now.astimezone(UTC).date()
        for days_ago, hours, what in HOURS:
            ops_workload.enter_hours(
                day=today - timedelta(days=days_ago), hours=Decimal(hours), what=what, by=_of_role("ops")
            )
    if not WhatIf.objects.exists():
        for name, query, note in KEPT:
            what_ifs.save_what_if(name=name, query=query, note=note, by=manager)
    if not Decision.objects.exists():
        report = read_report(now)
        if report.traffic.requests:
            card = scorecard.judge(report.evidence)
            choice = scorecard.CHOICES.get(card.state, Choice.NOT_YET)  # the company follows the verdict
            statement = STATEMENT if choice == Choice.GO else UNDECIDED
            records.sign(choice=choice, statement=statement, figures=records.frozen(report, card), by=manager, at=now)


def _of_role(role: str) -> User:
    username = next(person.username for person in PEOPLE if person.role == role)
    return User.objects.get(username=username)
