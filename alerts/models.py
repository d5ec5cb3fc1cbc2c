"""Who must know: rules, the states that someone must know, and the messages sent about them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from alerts.querysets import AlertQuerySet, DeliveryQuerySet, RuleQuerySet


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
    enabled = models.BooleanField(default=True)
    recipients = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True)  # nobody named: the group `ops`
    evaluated_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)

    objects = RuleQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


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
    detail = models.TextField(blank=True)  # sentences: how much, why, what to do
    severity = models.CharField(max_length=10, choices=Severity.choices)
    state = models.CharField(max_length=12, choices=AlertState.choices, default=AlertState.PENDING)
    level = models.IntegerField(default=0)  # of a budget: the threshold in per cent
    value = models.CharField(max_length=60, blank=True)  # decimal text, in the rule's unit
    threshold = models.CharField(max_length=60, blank=True)
    facts = models.JSONField(default=dict, blank=True)  # label -> text, shown in pages and mails
    pending_since = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    clear_since = models.DateTimeField(null=True)  # the line is no longer crossed since
    resolved_at = models.DateTimeField(null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-pending_since"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=~models.Q(state="resolved"), name="one_live_alert_of_a_subject"
            )
        ]

    def __str__(self) -> str:
        return self.title


class Transition(models.Model):
    """One change of an alert's state, and why."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="transitions")
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12, choices=AlertState.choices)
    at = models.DateTimeField()
    cause = models.TextField()
    value = models.CharField(max_length=60, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Meta:
        ordering = ["at", "id"]


class Silence(models.Model):
    """Alerts that nobody wants mail about for a while."""

    kind = models.CharField(max_length=40, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    until = models.DateTimeField()
    reason = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    SENDING = "sending", _("sending")
    ACCEPTED = "accepted", _("accepted")
    FAILED = "failed", _("failed, tried again")
    DEAD = "dead", _("given up")


class Delivery(models.Model):
    """One message about one transition to one recipient: the outbox, written with the transition itself."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    transition = models.ForeignKey(Transition, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=20, default="email")
    recipient = models.CharField(max_length=254)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    answer = models.TextField(blank=True)  # what the server said last
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["transition", "channel", "recipient"], name="one_message_of_a_transition")
        ]
        indexes = [models.Index(fields=["due_at"], condition=~models.Q(state="accepted"), name="delivery_due")]
