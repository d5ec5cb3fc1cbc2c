"""Writes of the rules: what their forms say, switching on and off, deleting and taking that back."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils import timezone

from alerts.models import Rule
from alerts.rules.forms import RuleForm
from alerts.rules.sentence_form import RuleSentence
from lib.events import log_event

logger = logging.getLogger(__name__)

AFRESH = ("evaluated_at", "last_error")


def save(*, form: RuleForm) -> Rule:
    """Write a rule as its valid form has it."""
    return form.save()


def save_sentence(*, form: RuleSentence) -> Rule:
    """Write a rule by sentence as its valid form has it; a new one unless the form has a rule."""
    return form.save()


def switch(*, rule: Rule, on: bool) -> None:
    """On or off; what it has open is resolved at the next evaluation once it is off."""
    rule.enabled = on
    _afresh(rule)
    rule.save(update_fields=["enabled", *AFRESH])
    log_event(logger, logging.INFO, "rule_switched", rule_id=rule.pk, kind=rule.kind, enabled=on)


def delete(*, rule: Rule, now: datetime | None = None) -> None:
    """Soft-delete a rule; it is not evaluated, its alerts keep it. Raises ValueError for a rule of the installation."""
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
    """Clear when it ran last, so that a rule that was off does not count as late."""
    rule.evaluated_at, rule.last_error = None, ""
