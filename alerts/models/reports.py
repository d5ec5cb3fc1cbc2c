"""Mails that come by the calendar: digests, and the monthly statement."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ReportKind(models.TextChoices):
    DAILY = "daily", _("Each morning: costs of yesterday and items to check")
    WEEKLY = "weekly", _("Each Monday: the same for the week")
    MONTHLY = "monthly", _("On the first: the same for the month")
    STATEMENT = "statement", _("The month’s statement of costs, as a PDF, by the third")


class Report(models.Model):
    """One of them, to one person, about the UTC days from `starts_on` to the day before `ends_on`.

    Its row is the idempotency key: whoever makes it writes the one message, everybody after finds that it is made.
    `words` are what it says, in the person's language and as of that moment, so that each attempt says the same.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reports")
    kind = models.CharField(max_length=10, choices=ReportKind.choices)
    starts_on = models.DateField()
    ends_on = models.DateField()
    words = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "kind", "starts_on"], name="one_report_of_a_period")]

    def __str__(self) -> str:
        return str(self.words.get("subject", self.kind))
