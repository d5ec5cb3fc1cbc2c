"""The plan that costs are held against."""

from __future__ import annotations

from django.db import models

from costs.models.terms import Term
from costs.querysets import PhaseQuerySet, StageQuerySet


class Phase(models.Model):
    """A band of monthly volume with a shape and a budget per month; `ends_on` is the day after its last."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    shape = models.TextField(blank=True)
    budget_low = models.DecimalField(max_digits=12, decimal_places=2)
    budget_high = models.DecimalField(max_digits=12, decimal_places=2)
    volume_from = models.PositiveBigIntegerField()
    volume_to = models.PositiveBigIntegerField(null=True, blank=True)  # NULL: no upper end
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True)
    carries = models.BooleanField(default=False)  # what last month's budget left is added to this month's

    objects = PhaseQuerySet.as_manager()

    class Meta:
        ordering = ["volume_from"]

    def __str__(self) -> str:
        return self.name

    @property
    def term(self) -> Term | None:
        """Its budget as a stretch of time; None while it has no date."""
        if self.starts_on is None:
            return None
        return Term(self.name, self.budget_low, self.budget_high, self.starts_on, self.ends_on, self.carries)

    def holds(self, requests_per_month: int) -> bool:
        """Whether a run rate lies in this phase's band."""
        return self.volume_from <= requests_per_month < (self.volume_to or requests_per_month + 1)


class Stage(models.Model):
    """A dated step of the plan with a total."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    starts_on = models.DateField()
    ends_on = models.DateField()
    budget = models.DecimalField(max_digits=12, decimal_places=2)

    objects = StageQuerySet.as_manager()

    class Meta:
        ordering = ["starts_on"]

    def __str__(self) -> str:
        return self.name
