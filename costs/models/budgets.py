"""Budgets beside the phases': for a provider, an application, an owner, a task, or everything."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.models.terms import Term
from costs.querysets import BudgetQuerySet


class BudgetScope(models.TextChoices):
    """What a budget is held against."""

    EVERYTHING = "everything", _("everything")
    PROVIDER = "provider", _("provider")
    APPLICATION = "application", _("application")
    OWNER = "owner", _("owner")  # all applications of a person
    TASK = "task", _("task")


class Budget(models.Model):
    """What a month of something may cost, USD; `ends_on` is the day after its last."""

    slug = models.SlugField(unique=True, max_length=100)
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=12, choices=BudgetScope.choices)
    subject = models.CharField(max_length=150, blank=True)  # a slug, a username or a task; empty for everything
    low = models.DecimalField(max_digits=12, decimal_places=2)
    high = models.DecimalField(max_digits=12, decimal_places=2)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    carries = models.BooleanField(default=False)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering = ["scope", "subject", "starts_on"]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """Scope and subject as one word, as forms and lists name it."""
        return f"{self.scope}:{self.subject}"

    @property
    def term(self) -> Term:
        return Term(self.name, self.low, self.high, self.starts_on, self.ends_on, self.carries)
