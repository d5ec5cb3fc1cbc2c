"""What people do with rules as a whole: switch them off and on, delete them and take that back."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from alerts.models import Rule

AFRESH = ("evaluated_at", "last_error")


def switch(*, rule: Rule, on: bool) -> None:
    """On or off; what it has open is resolved at the next evaluation once it is off."""
    rule.enabled = on
    _afresh(rule)
    rule.save(update_fields=["enabled", *AFRESH])


def delete(*, rule: Rule, now: datetime | None = None) -> None:
    """Out of sight and never evaluated again; its alerts keep it. Raises ValueError for a rule that came with us."""
    if rule.kind != "figure":
        raise ValueError("a rule that came with the installation is switched off, not deleted")
    rule.deleted_at = now or timezone.now()
    rule.save(update_fields=["deleted_at"])


def restore(*, rule: Rule) -> None:
    """Take `delete` back."""
    rule.deleted_at = None
    _afresh(rule)
    rule.save(update_fields=["deleted_at", *AFRESH])


def _afresh(rule: Rule) -> None:
    """As if it had never run: while it did not count it was not late."""
    rule.evaluated_at, rule.last_error = None, ""
