"""Writes of the plan: its phases, stages and budgets."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import Q
from django.forms import ModelForm

from costs.models import Budget, Phase, Stage


def save_step(form: ModelForm[Phase] | ModelForm[Stage] | ModelForm[Budget]) -> None:
    """Save a phase, a stage or a budget as its valid form fills it in."""
    form.save()


def remove_step(step: Phase | Stage | Budget) -> None:
    step.delete()


@transaction.atomic
def start_phase(*, phase: Phase, day: date) -> None:
    """Plan a phase from a day on: what is planned for that day ends there, what begins later stays."""
    others = Phase.objects.select_for_update().exclude(pk=phase.pk)
    others.filter(starts_on=day).update(starts_on=None, ends_on=None)
    running = others.filter(Q(ends_on=None) | Q(ends_on__gt=day), starts_on__lt=day)
    running.update(ends_on=day)
    later = others.filter(starts_on__gt=day).order_by("starts_on").first()
    phase.starts_on = day
    phase.ends_on = later.starts_on if later else None
    phase.save(update_fields=["starts_on", "ends_on"])
