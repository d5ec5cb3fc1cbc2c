"""What people decided about self-hosting, and what running it asks of them."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.querysets import DecisionQuerySet, JustificationQuerySet, NoGoQuerySet


class NoGo(models.Model):
    """A person's tick, with a reason, that forbids self-hosting whatever the figures say."""

    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = NoGoQuerySet.as_manager()

    class Meta:
        permissions = [("decide", "Can decide about self-hosting")]

    def __str__(self) -> str:
        return self.reason


class Justification(models.Model):
    """A person's switch that justifies self-hosting against the money; a withdrawn one is kept."""

    class Kind(models.TextChoices):
        PRIVATE = "private", _("privacy or compliance")
        FINE_TUNED = "fine_tuned", _("a fine-tuned model")

    kind = models.CharField(max_length=10, choices=Kind.choices)
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = JustificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(withdrawn_at=None), name="one_standing_justification_of_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


class Choice(models.TextChoices):
    """What a person signs; the words are the verdict's."""

    GO = "go", _("GO")
    NO_GO = "no_go", _("NO-GO")
    NOT_YET = "not_yet", _("NOT YET")


class Decision(models.Model):
    """A signed go, no-go or not yet with the figures that it was made on.

    The database refuses to change or delete one (a trigger of its migration); a later one supersedes it. Who signed is
    kept as text, so that the record outlives the account.
    """

    number = models.PositiveIntegerField(unique=True)
    signed_at = models.DateTimeField()
    signed_by = models.CharField(max_length=150)  # user name
    signed_name = models.CharField(max_length=310, blank=True)  # as the person is called
    choice = models.CharField(max_length=10, choices=Choice.choices)
    statement = models.TextField()
    figures = models.TextField()  # canonical JSON, the very text that the digest is of: `costs.readiness.records`
    previous = models.CharField(max_length=64, blank=True)  # the digest of the one before, printed with this one
    digest = models.CharField(max_length=64)  # SHA-256, hexadecimal

    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.number}: {self.get_choice_display()}"


class Effort(models.Model):
    """Hours that a person spent on running our own deployments."""

    day = models.DateField()
    hours = models.DecimalField(max_digits=5, decimal_places=2, validators=[MinValueValidator(0)])
    what = models.CharField(max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["day"])]

    def __str__(self) -> str:
        return f"{self.day} {self.hours} h"


class OpsWorkloadLimit(models.Model):
    """How much operations the team bears in 30 days; NULL is not limited, the newest row holds."""

    incidents = models.PositiveIntegerField(null=True, blank=True)
    hours = models.DecimalField(
        max_digits=6, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    pages = models.PositiveIntegerField(null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.incidents} incidents, {self.hours} h, {self.pages} pages"


class PageDay(models.Model):
    """Alerts about our own deployments that called someone, by UTC day; `alerts` writes them here."""

    day = models.DateField(primary_key=True)
    pages = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.day}: {self.pages}"
