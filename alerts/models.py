"""Who must know: rules, the states that someone must know, and the messages sent about them."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from alerts.querysets import AlertQuerySet, DeliveryQuerySet, RuleQuerySet, SilenceQuerySet
from alerts.states import Cause


class Severity(models.TextChoices):
    INFO = "info", _("information")
    WARNING = "warning", _("warning")
    CRITICAL = "critical", _("critical")


def cause_choices() -> list[tuple[str, str]]:
    """A callable, so that a new cause needs no migration."""
    return [(cause.value, cause.value) for cause in Cause]


REASONS = {
    Cause.BEGAN: _("the line is crossed; it must last"),
    Cause.CROSSED: _("the line is crossed"),
    Cause.PASSED: _("over before it opened"),
    Cause.CLEARED: _("clear of the line again"),
    Cause.GONE: _("no longer there"),
    Cause.RAISED: _("a higher level takes over"),
    Cause.LOWERED: _("back at a lower level"),
    Cause.UNSILENCED: _("still open after the silence"),
    Cause.ESCALATED: _("nobody acknowledged it"),
    Cause.REMINDED: _("still open"),
    Cause.ACKNOWLEDGED: _("somebody has it"),
    Cause.CLOSED: _("resolved by hand"),
    Cause.UNDONE: _("taken back"),
}


class Rule(models.Model):
    """What to watch. `kind` names an evaluator of `alerts.kinds`; `thresholds` hold its numbers."""

    slug = models.SlugField(unique=True, max_length=80)
    kind = models.CharField(max_length=30)
    name = models.CharField(max_length=200)
    severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.WARNING)
    thresholds = models.JSONField(default=dict, blank=True)
    for_s = models.PositiveIntegerField(default=0)  # how long a state must last before it opens
    clear_for_s = models.PositiveIntegerField(default=0)  # and how long it must be over before it is resolved
    escalate_s = models.PositiveIntegerField(null=True, blank=True)  # unacknowledged for so long: admins are told
    remind_s = models.PositiveIntegerField(null=True, blank=True)  # said again while it is open; NULL: once is enough
    enabled = models.BooleanField(default=True)
    recipients = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True)  # nobody named: the groups of its kind
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
    clear_since = models.DateTimeField(null=True)  # the line is no longer crossed since
    resolved_at = models.DateTimeField(null=True)
    announced = models.BooleanField(default=False)  # someone was told that it is open, so that its end is told as well
    notified_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    awaits_clear = models.BooleanField(default=False)  # resolved by a person while it was so: quiet until it was not
    covered_by = models.CharField(max_length=200, blank=True)  # the larger alert's subject that speaks for this one

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


class Silence(models.Model):
    """Alerts that nobody wants mail about for a while."""

    kind = models.CharField(max_length=40, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    until = models.DateTimeField()
    reason = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SilenceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind or '*'} {self.subject or '*'}"


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    SENDING = "sending", _("sending")
    ACCEPTED = "accepted", _("accepted")
    FAILED = "failed", _("failed, tried again")
    DEAD = "dead", _("given up")
    FOLDED = "folded", _("said in another mail")


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
    message_id = models.CharField(
        max_length=200, blank=True
    )  # derived from the delivery, so that twins are one in a mailbox
    folded_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="folded")
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["transition", "channel", "recipient"], name="one_message_of_a_transition")
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=models.Q(state__in=["waiting", "sending", "failed"]), name="delivery_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.recipient}"


class Address(models.Model):
    """How an e-mail address fares; one that the servers refuse again and again gets nothing until someone says so."""

    address = models.EmailField(unique=True, max_length=254)
    refusals = models.PositiveIntegerField(default=0)  # in a row
    refused_at = models.DateTimeField(null=True)
    answer = models.TextField(blank=True)
    disabled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.address


class OptOut(models.Model):
    """Someone who unsubscribed from the mails of a rule."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="opt_outs")
    address = models.EmailField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "address"], name="one_opt_out_of_a_rule")]

    def __str__(self) -> str:
        return f"{self.address} from {self.rule_id}"


class UsedLink(models.Model):
    """A link of a mail that acted once and must not act again; only the hash of its token."""

    digest = models.BinaryField(max_length=32, unique=True)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"used {self.at:%Y-%m-%d %H:%M}"
