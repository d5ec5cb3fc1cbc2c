"""Budgets beside the phases': for a provider, an application, an owner, a task, or everything."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from costs.models.terms import Term
from costs.querysets import BudgetManager
from providers.models import provider_name
from traffic.models import Application, Task


class BudgetScope(models.TextChoices):
    """What a budget is held against."""

    EVERYTHING = "everything", _("everything")
    PROVIDER = "provider", _("provider")
    APPLICATION = "application", _("application")
    OWNER = "owner", _("owner")  # all applications of a person
    TASK = "task", _("task")


def subject_of_scope() -> Q:
    """A condition: the column of the scope names what the budget is for, and every other such column is empty."""
    empty: dict[str, Any] = {"provider": "", "application": None, "owner": None, "task": ""}
    condition = Q(scope=BudgetScope.EVERYTHING, **empty)
    for column, value in empty.items():
        others = {name: empty[name] for name in empty if name != column}
        condition |= Q(scope=column, **others) & ~Q(**{column: value})
    return condition


class Budget(models.Model):
    """What a month of something may cost, USD; `ends_on` is the day after its last."""

    slug = models.SlugField(unique=True, max_length=100)
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=12, choices=BudgetScope.choices)
    provider = models.CharField(max_length=40, blank=True)
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE)
    task = models.CharField(max_length=20, blank=True)
    low = models.DecimalField(max_digits=12, decimal_places=2)
    high = models.DecimalField(max_digits=12, decimal_places=2)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    carries = models.BooleanField(default=False)

    objects = BudgetManager()

    class Meta:
        ordering = ["scope", "provider", "application__slug", "owner__username", "task", "starts_on"]
        constraints = [models.CheckConstraint(condition=subject_of_scope(), name="budget_has_the_subject_of_its_scope")]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """A provider's or an application's slug, a user name or a task; empty for everything."""
        if self.application:
            return self.application.slug
        return self.owner.get_username() if self.owner else self.provider or self.task

    @property
    def title(self) -> str:
        """Its name with what it is of: a budget "Site chat" can be of a task or of an application."""
        what = self.what
        return f"{self.name} ({what})" if what else self.name

    @property
    def what(self) -> str:
        """What it is of, where its name is not that already: `task chat`; empty for everything."""
        scope = BudgetScope(self.scope)
        if scope == BudgetScope.EVERYTHING:
            return ""
        labels = {BudgetScope.TASK: dict(Task.choices).get(self.task, self.task),
                  BudgetScope.PROVIDER: provider_name(self.provider)}  # fmt: skip
        subject = str(self.application.name if self.application else labels.get(scope, self.subject))
        if subject.casefold() == self.name.casefold():
            return str(scope.label)
        return gettext("%(scope)s %(what)s") % {"scope": scope.label, "what": subject}

    @property
    def key(self) -> str:
        """Scope and subject as one word, as forms and lists name it."""
        return f"{self.scope}:{self.subject}"

    @property
    def term(self) -> Term:
        return Term(self.name, self.low, self.high, self.starts_on, self.ends_on, self.carries)


def subject_fields(scope: str, subject: str = "") -> dict[str, Any]:
    """The fields of a budget for `subject` of `scope`: a provider's or application's slug, a user name, a task.

    Raises DoesNotExist of an application or a user who is not there.
    """
    fields: dict[str, Any] = {"scope": scope, "provider": "", "application": None, "owner": None, "task": ""}
    if scope == BudgetScope.APPLICATION:
        fields["application"] = Application.objects.get(slug=subject)
    elif scope == BudgetScope.OWNER:
        fields["owner"] = get_user_model().objects.get_by_natural_key(subject)
    elif scope != BudgetScope.EVERYTHING:
        fields[scope] = subject
    return fields
