"""Reads of the ledger and the plan, by noun."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from costs.models import Charge, Justification, NoGo, Phase, Stage  # noqa: F401


class ChargeQuerySet(models.QuerySet["Charge"]):
    def between(self, since: date, until: date) -> ChargeQuerySet:
        """Charges of the days from `since` to the day before `until`."""
        return self.filter(day__gte=since, day__lt=until)


class PhaseQuerySet(models.QuerySet["Phase"]):
    def planned_for(self, day: date) -> Phase | None:
        """The phase whose dates hold this day."""
        held = self.filter(starts_on__lte=day).filter(models.Q(ends_on=None) | models.Q(ends_on__gt=day))
        return held.order_by("-starts_on").first()


class StageQuerySet(models.QuerySet["Stage"]):
    pass


class NoGoQuerySet(models.QuerySet["NoGo"]):
    def standing(self) -> NoGoQuerySet:
        """Not withdrawn."""
        return self.filter(withdrawn_at=None)


class JustificationQuerySet(models.QuerySet["Justification"]):
    def standing(self) -> JustificationQuerySet:
        """Not withdrawn."""
        return self.filter(withdrawn_at=None)
