"""What people decided about self-hosting."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.querysets import JustificationQuerySet, NoGoQuerySet


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
