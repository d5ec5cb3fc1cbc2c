"""Deployments that judge the answers of a task, apart from people."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from providers.models import Deployment, usd
from traffic.models.choices import Task


class Judge(models.Model):
    """Who judges a share of a task's answers. Off until a person enables it; no call passes the cap.

    Its scores are shown with how far they agree with people's ratings of the same answers, and are not trusted below
    `least_alpha`.
    """

    task = models.CharField(max_length=20, choices=Task.choices, unique=True)
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="+")
    percent = models.PositiveSmallIntegerField()  # of the answers with stored texts
    rubric = models.TextField()
    cap_usd = usd()
    least_alpha = models.FloatField(default=0.667)
    enabled = models.BooleanField(default=False)

    def __str__(self) -> str:
        return str(Task(self.task).label)


class JudgeState(models.TextChoices):
    SENT = "sent", _("sent")
    OK = "ok", _("judged")
    FAILED = "failed", _("failed")


class JudgeScore(models.Model):
    """One answer that a judge was asked about. The row is there before the call, so that nothing is paid for twice.

    `charged` counts toward the cap: the worst case until the cost is known, and where it stays unknown.
    """

    judge = models.ForeignKey(Judge, on_delete=models.CASCADE, related_name="scores")
    day = models.DateField()
    request_id = models.UUIDField()  # of the answer
    state = models.CharField(max_length=10, choices=JudgeState.choices, default=JudgeState.SENT)
    charged = usd(default=Decimal(0))
    stars = models.PositiveSmallIntegerField(null=True)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["judge", "request_id"], name="one_score_of_a_judge")]
        indexes = [models.Index(fields=["request_id"])]
