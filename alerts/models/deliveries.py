"""Messages sent, and how their addresses fare."""

from __future__ import annotations

from django.db import models
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from alerts.models.querysets import UNSENT, DeliveryQuerySet
from alerts.models.reports import Report
from alerts.models.rules import Rule
from alerts.models.states import Alert, Transition
from lib.formats import ago, state, when


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    SENDING = "sending", _("sending")
    ACCEPTED = "accepted", _("accepted")
    FAILED = "failed", _("failed, will be retried")
    DEAD = "dead", _("failed")
    FOLDED = "folded", _("included in another mail")
    UNSENT = "unsent", _("not sent: no mail server is set up")


class DeferredBy(models.TextChoices):
    QUIET = "quiet", _("quiet hours")
    DIGEST = "digest", _("the day's digest")
    SERVER = "server", _("no mail server was set up")


class Delivery(models.Model):
    """One message to one recipient, about a transition, with which it was written, or a report: the outbox.

    `channel` is `email`, with an address as the recipient, or the kind of a channel, with its slug.
    """

    # Both are NULL where it is about a report, and only there; who asks for them has looked at `report_id`.
    alert: models.ForeignKey[Alert, Alert] = models.ForeignKey(  # type: ignore[misc]
        Alert, null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    transition: models.ForeignKey[Transition, Transition] = models.ForeignKey(  # type: ignore[misc]
        Transition, null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    report = models.OneToOneField(Report, null=True, on_delete=models.CASCADE, related_name="delivery")
    channel = models.CharField(max_length=20, default="email")
    recipient = models.CharField(max_length=254)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()  # while it is being sent: when somebody else may take it over
    group = models.CharField(max_length=200, blank=True)  # messages of one group that wait together are one mail
    deferred_by = models.CharField(
        max_length=10, choices=DeferredBy.choices, blank=True
    )  # then it leaves with others like it
    answer = models.TextField(blank=True)  # what the server said last
    message_id = models.CharField(
        max_length=200, blank=True
    )  # derived from the delivery, so that twins are one in a mailbox
    folded_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="folded")
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True)

    doubted: bool  # whether servers refused its address lately, where `outbox.claim` read that

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["transition", "channel", "recipient"], name="one_message_of_a_transition"),
            models.CheckConstraint(
                condition=models.Q(alert__isnull=False, transition__isnull=False, report__isnull=True)
                | models.Q(alert__isnull=True, transition__isnull=True, report__isnull=False),
                name="delivery_about_one_thing",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=models.Q(state__in=UNSENT), name="delivery_by_due"),
            models.Index(
                fields=["alert", "recipient", "channel", "id"],
                condition=models.Q(state__in=[*UNSENT, "folded"]),
                name="delivery_before",
            ),
            models.Index(fields=["recipient", "accepted_at"], name="delivery_to"),
            models.Index(fields=["alert"], condition=models.Q(state="unsent"), name="delivery_unsent"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.recipient}"

    def state_mark(self) -> str:
        """Whether it arrived, as pages mark it."""
        marks = {
            DeliveryState.ACCEPTED: ("ok", gettext("accepted")),
            DeliveryState.DEAD: ("bad", gettext("failed")),
            DeliveryState.FOLDED: ("info", gettext("included in another mail")),
            DeliveryState.FAILED: ("warn", gettext("will be retried")),
            DeliveryState.UNSENT: ("bad", gettext("not sent: no mail server is set up")),
        }
        return state(*marks.get(DeliveryState(self.state), ("unknown", gettext("being sent"))))

    def log_mark(self) -> str:
        """The same with when it is tried again, or when and why it leaves later."""
        if self.state == DeliveryState.FAILED:
            return format_html('{}<span class="secondary">{}</span>', self.state_mark(), ago(self.due_at))
        if self.deferred_by and self.state in (DeliveryState.WAITING, DeliveryState.SENDING):
            leaves = format_html(gettext("sends {at}"), at=when(self.due_at))
            return format_html(
                '{}<span class="secondary">{}</span>', state("unknown", self.get_deferred_by_display()), leaves
            )
        return self.state_mark()

    def attempts_note(self) -> str:
        """How often it was tried, what the server said, and when it is tried again."""
        attempts = ngettext("%(n)s attempt", "%(n)s attempts", self.attempts) % {"n": self.attempts}
        failed = self.state == DeliveryState.FAILED
        again = format_html(gettext("retry {ago}"), ago=ago(self.due_at)) if failed else ""
        return format_html_join(" · ", "{}", ((part,) for part in (attempts, self.answer, again) if part))

    @property
    def route(self) -> str:
        """What it goes over: all mail goes over one server, each channel is on its own."""
        return "email" if self.channel == "email" else self.recipient


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
