"""What the advisor found at the company: one saving accepted when it was made and measured since, one turned down."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User

from costs import savings
from costs.models import Finding, FindingKind
from demo import company
from demo.story import Story, moment

MORNING = 10 * 3_600_000
WAITED_FOR = "A lawyer waits for each scan: a batch may take a day."


def advise(story: Story, now: datetime) -> None:
    """Look as the advisor would have on the day of the first decision, decide, then look again as of now.

    What a person decided in the demo stays, at a later start too.
    """
    if not Finding.objects.exclude(state=Finding.State.OPEN).exists():
        decide_then(moment(story.cache_mended_on, MORNING))
    savings.search(now)
    scans = Finding.objects.open().filter(kind=FindingKind.BATCH, application__slug="analyst", task="vision")
    for saving in scans.filter(decided_at=None):
        savings.dismiss(pk=saving.pk, user=user("manager"), now=now - timedelta(days=1), reason=WAITED_FOR)


def decide_then(then: datetime) -> None:
    savings.search(then, machines_too=False)
    found = Finding.objects.open().filter(kind=FindingKind.UNREAD, application__slug="analyst").first()
    if found is not None:
        savings.accept(pk=found.pk, user=user("manager"), now=then)


def user(role: str) -> User | None:
    return User.objects.filter(username=company.BY_ROLE[role].username).first()
