"""Reads of the ledger and the plan, by noun."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from costs.models import (  # noqa: F401
        Anomaly,
        Budget,
        Charge,
        Decision,
        ExchangeRate,
        ExportTarget,
        Finding,
        Justification,
        NoGo,
        Phase,
        Recurrence,
        Sharing,
        Stage,
        WhatIf,
    )


class AnomalyQuerySet(models.QuerySet["Anomaly"]):
    def open(self) -> AnomalyQuerySet:
        """Those that still differ, dismissed ones included, each with its application's name."""
        return self.named().filter(ended_at=None)

    def named(self) -> AnomalyQuerySet:
        """Each with `application_name`, None where that is gone."""
        from traffic.models import Application

        names = Application.objects.filter(pk=models.OuterRef("application_id")).values("name")
        return self.annotate(application_name=models.Subquery(names))

    def lately(self, since: date) -> AnomalyQuerySet:
        """Those that were so at some time since a day, each with its application's name."""
        return self.named().filter(models.Q(ended_at=None) | models.Q(ended_at__date__gte=since))


class ChargeQuerySet(models.QuerySet["Charge"]):
    def between(self, since: date, until: date) -> ChargeQuerySet:
        """Charges of the days from `since` to the day before `until`."""
        return self.filter(day__gte=since, day__lt=until)


class ExchangeRateQuerySet(models.QuerySet["ExchangeRate"]):
    def at(self, currency: str, day: date) -> ExchangeRate | None:
        """The rate of the day: the newest that is not younger and at most `LONGEST` old (banks have holidays)."""
        rates = self.filter(currency=currency, day__lte=day, day__gt=day - self.LONGEST)
        return rates.order_by("-day").first()

    LONGEST = timedelta(days=31)


class ExportTargetQuerySet(models.QuerySet["ExportTarget"]):
    def there(self) -> ExportTargetQuerySet:
        """Not deleted."""
        return self.filter(deleted_at=None)


class RecurrenceQuerySet(models.QuerySet["Recurrence"]):
    def going_on(self, day: date) -> RecurrenceQuerySet:
        """Not stopped and not over."""
        return self.filter(stopped_at=None).exclude(until__lt=day)


class SharingQuerySet(models.QuerySet["Sharing"]):
    def spans(self) -> list[tuple[date, str]]:
        """From which day on each choice holds, newest first."""
        return list(self.order_by("-starts_on").values_list("starts_on", "by"))


class PhaseQuerySet(models.QuerySet["Phase"]):
    def planned_for(self, day: date) -> Phase | None:
        """The phase whose dates hold this day."""
        phases = self.filter(starts_on__lte=day).filter(models.Q(ends_on=None) | models.Q(ends_on__gt=day))
        return phases.order_by("-starts_on").first()


# Where the subject of a budget of each scope stands, as people name it.
SUBJECT_COLUMNS = {
    "provider": "provider",
    "application": "application__slug",
    "owner": "owner__username",
    "task": "task",
}


class BudgetQuerySet(models.QuerySet["Budget"]):
    def reaching(self, since: date, until: date) -> BudgetQuerySet:
        """Those with a day from `since` to the day before `until`."""
        return self.filter(models.Q(ends_on=None) | models.Q(ends_on__gt=since), starts_on__lt=until)

    def about(self, scope: str, subject: str = "") -> BudgetQuerySet:
        """Those for a provider or application (its slug), an owner (the user name), a task, or for everything."""
        return self.filter(scope=scope, **({SUBJECT_COLUMNS[scope]: subject} if scope in SUBJECT_COLUMNS else {}))


class BudgetManager(models.Manager.from_queryset(BudgetQuerySet)):  # type: ignore[misc]  # made at run time
    def get_queryset(self) -> BudgetQuerySet:
        """Budgets with what they are for, which every reader of one names."""
        queryset: BudgetQuerySet = super().get_queryset()
        return queryset.select_related("application", "owner")


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


class DecisionQuerySet(models.QuerySet["Decision"]):
    def standing(self) -> Decision | None:
        """The newest: it supersedes all before it."""
        return self.order_by("-number").first()


class WhatIfQuerySet(models.QuerySet["WhatIf"]):
    def kept(self) -> WhatIfQuerySet:
        """Not removed."""
        return self.filter(removed_at=None)


class FindingQuerySet(models.QuerySet["Finding"]):
    def open(self) -> FindingQuerySet:
        return self.filter(state="open")
