"""A state that someone must know, and each of its changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from alerts.lifecycle.silences import Matcher, Silenceable
from alerts.lifecycle.states import Cause
from alerts.models.querysets import AlertQuerySet, SilenceQuerySet
from alerts.models.rules import Rule, Severity
from alerts.wording import localised
from lib.formats import state, when
from lib.time_spans import Span
from providers.models import Recurring

BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


def cause_choices() -> list[tuple[str, str]]:
    """A callable, so that a new cause needs no migration."""
    return [(cause.value, cause.value) for cause in Cause]


REASONS = {
    Cause.BEGAN: _("limit exceeded, waiting for the delay"),
    Cause.CROSSED: _("limit exceeded"),
    Cause.PASSED: _("ended before it opened"),
    Cause.CLEARED: _("back within the limit"),
    Cause.GONE: _("no longer there"),
    Cause.RAISED: _("replaced by a higher level"),
    Cause.LOWERED: _("back at a lower level"),
    Cause.UNSILENCED: _("still open after the silence"),
    Cause.ESCALATED: _("escalated, not acknowledged"),
    Cause.REMINDED: _("still open"),
    Cause.ACKNOWLEDGED: _("acknowledged"),
    Cause.CLOSED: _("resolved manually"),
    Cause.UNDONE: _("undone"),
    Cause.SNOOZED: _("snoozed"),
    Cause.WOKEN: _("still open after the snooze"),
    Cause.ASSIGNED: _("assigned"),
    Cause.NOTED: _("note"),
}


class AlertState(models.TextChoices):
    PENDING = "pending", _("pending")
    OPEN = "open", _("open")
    ACKNOWLEDGED = "acknowledged", _("acknowledged")
    RESOLVED = "resolved", _("resolved")


class Alert(models.Model):
    """A state of one subject that someone must know; of a rule and subject at most one is not resolved."""

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="alerts")
    kind = models.CharField(max_length=40)  # begins with the rule's kind
    subject = models.CharField(max_length=200)  # stable key: `phase:scale-up`, `deployment:mistral-7b`
    title = models.CharField(max_length=300)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    state = models.CharField(max_length=12, choices=AlertState.choices, default=AlertState.PENDING)
    level = models.IntegerField(default=0)  # of a budget: the threshold in per cent
    value = models.CharField(max_length=60, blank=True)  # decimal text, in the rule's unit
    threshold = models.CharField(max_length=60, blank=True)
    words = models.JSONField(default=dict, blank=True)  # what pages and mails say now: `alerts.kinds.finding.Words`
    pending_since = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="assigned_alerts"
    )
    snoozed_until = models.DateTimeField(null=True)  # it stays once it is past
    clear_since = models.DateTimeField(null=True)  # the line is no longer crossed since
    resolved_at = models.DateTimeField(null=True)
    announced = models.BooleanField(default=False)  # someone was told that it is open, so that its end is told as well
    notified_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    awaits_clear = models.BooleanField(default=False)  # resolved by a person while it was so: quiet until it was not
    covered_by = models.CharField(max_length=200, blank=True)  # the larger alert's subject that speaks for this one
    labels = models.JSONField(default=dict, blank=True)  # what silences match besides the subject: `alerts.labels`
    sampled_at = models.DateTimeField(null=True)  # when its value was last kept for the chart

    waits: bool  # whether it needs someone, where `AlertQuerySet.marked` read that

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-pending_since"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=~models.Q(state="resolved"), name="one_live_alert_of_a_subject"
            )
        ]
        indexes = [
            models.Index(fields=["rule", "subject"], condition=models.Q(awaits_clear=True), name="alert_awaits_clear"),
            models.Index(fields=["state", "-pending_since", "-id"], name="alert_listed"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("alerts:detail", args=[self.pk])

    def state_mark(self) -> str:
        """Its state, and of an open one how urgent it is, as pages mark it."""
        if self.state == AlertState.RESOLVED:
            return state("ok", gettext("resolved"))
        if self.state == AlertState.ACKNOWLEDGED:
            return state("info", gettext("acknowledged"))
        if self.state == AlertState.PENDING:
            return state("unknown", gettext("pending"))
        marks = {
            Severity.CRITICAL: ("bad", gettext("open, critical")),
            Severity.WARNING: ("warn", gettext("open, warning")),
            Severity.INFO: ("info", gettext("open, information")),
        }
        return state(*marks[Severity(self.severity)])

    @cached_property
    def shown_words(self) -> Any:
        """Its words with their moments in the active zone, as its mails have them."""
        return localised(self.words)

    def grouped_under(self) -> str:
        """The larger alert that it is a part of, by its title; empty where it stands alone."""
        if not self.covered_by:
            return ""
        larger = self.words.get("grouped")
        return gettext("Grouped under “%(title)s”") % {"title": larger} if larger else gettext("Part of a larger alert")

    def told(self) -> str:
        """How many messages about it are sent or on their way; needs its deliveries read along."""
        states = [row.state for row in self.deliveries.all()]
        unsent = states.count("unsent")
        if n := len(states) - unsent:
            return ngettext("%(n)s notification", "%(n)s notifications", n) % {"n": n}
        if unsent:
            return state("bad", gettext("not sent"))
        return format_html('<span class="none">{}</span>', gettext("unassigned"))

    @property
    def is_shown(self) -> bool:
        """Whether it needs someone, or someone has it."""
        return self.state in (AlertState.OPEN, AlertState.ACKNOWLEDGED)

    @property
    def lasted(self) -> timedelta | None:
        """How long it was open; None while it is, or where it never was."""
        return self.resolved_at - self.opened_at if self.resolved_at and self.opened_at else None


class Transition(models.Model):
    """One change of an alert's state, and why."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="transitions")
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12, choices=AlertState.choices)
    at = models.DateTimeField()
    cause = models.CharField(max_length=20, choices=cause_choices)
    note = models.TextField(blank=True)  # a person's reason
    value = models.CharField(max_length=60, blank=True)
    title = models.CharField(max_length=300, blank=True)
    words = models.JSONField(default=dict, blank=True)  # as of this moment, so that a late mail says what was so
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.before or 'new'} → {self.after}"

    @property
    def reason(self) -> str:
        """The cause as people say it."""
        return str(REASONS[Cause(self.cause)]) if self.cause in REASONS else self.cause


class Sample(models.Model):
    """The value of an alert at a moment, for the chart of its timeline; kept ever more seldom the longer it lasts."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField()
    value = models.CharField(max_length=60)  # decimal text, as in the alert
    threshold = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["alert", "at"], name="sample_of_an_alert")]

    def __str__(self) -> str:
        return f"{self.value} at {self.at:%Y-%m-%d %H:%M}"


class Silence(Recurring):
    """Alerts that nobody wants mail about for a while; what is left empty matches everything.

    One may begin later, and may come again.
    """

    kind = models.CharField(max_length=40, blank=True)
    subject = models.CharField(max_length=200, blank=True)  # `*` stands for anything
    severity = models.CharField(max_length=10, choices=Severity.choices, blank=True)
    labels = models.JSONField(default=dict, blank=True)  # each of them must be so
    starts_at = models.DateTimeField(null=True)  # NULL: at once
    until = models.DateTimeField()  # of one that comes again the end of the first
    reason = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SilenceQuerySet.as_manager()
    pattern = ""  # what it matches in words, where `alerts.inbox.patterns` has set it

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind or '*'} {self.subject or '*'}"

    @property
    def first(self) -> Span:
        return Span(self.starts_at or BEFORE_ALL, self.until)

    @property
    def matcher(self) -> Matcher:
        return Matcher(self.kind, self.subject, self.severity, self.labels)

    def ends(self) -> str:
        """How it comes again, or from when until when it is."""
        if self.repeats:
            return self.rhythm
        if self.starts_at is None:
            return format_html(gettext("until {until}"), until=when(self.until))
        return format_html(gettext("from {since} until {until}"), since=when(self.starts_at), until=when(self.until))

    def covers(self, what: Silenceable) -> bool:
        return self.matcher.matches(what)
