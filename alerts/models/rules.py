"""What to watch."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alerts.models.channels import Channel
from alerts.models.querysets import RuleQuerySet
from lib.formats import duration, state


class Severity(models.TextChoices):
    INFO = "info", _("information")
    WARNING = "warning", _("warning")
    CRITICAL = "critical", _("critical")


class Rule(models.Model):
    """What to watch. `kind` names an evaluator of `alerts.kinds`; `thresholds` hold its numbers."""

    slug = models.SlugField(unique=True, max_length=80)
    kind = models.CharField(max_length=30)
    name = models.CharField(max_length=200)
    severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.WARNING)
    thresholds = models.JSONField(default=dict, blank=True)
    for_s = models.PositiveIntegerField(default=0)  # how long a state must last before it opens
    clear_for_s = models.PositiveIntegerField(default=0)  # and how long it must be over before it is resolved
    escalate_s = models.PositiveIntegerField(null=True, blank=True)  # unacknowledged for so long: others are told too
    escalate_groups = ArrayField(models.CharField(max_length=150), default=list, blank=True)  # they; empty: admins
    remind_s = models.PositiveIntegerField(null=True, blank=True)  # said again while it is open; NULL: once is enough
    enabled = models.BooleanField(default=True)
    recipients = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True)  # nobody named: the groups of its kind
    groups = ArrayField(models.CharField(max_length=150), default=list, blank=True)  # told besides its people
    channels = models.ManyToManyField(Channel, blank=True, related_name="rules")  # told besides the people
    deleted_at = models.DateTimeField(null=True)  # kept, so that its alerts keep their rule and it can come back
    evaluated_at = models.DateTimeField(null=True)
    took_us = models.PositiveIntegerField(null=True)  # microseconds of its last evaluation, as its share of its kind's
    last_error = models.TextField(blank=True)

    objects = RuleQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    def state_mark(self) -> str:
        """Whether it watches, as pages mark it."""
        if not self.enabled:
            return state("unknown", gettext("off"))
        return state("bad", gettext("cannot be evaluated")) if self.last_error else state("ok", gettext("on"))

    def took(self) -> str:
        """How long its last evaluation took: `263 ms`."""
        return "" if self.took_us is None else str(duration(self.took_us / 1000))
