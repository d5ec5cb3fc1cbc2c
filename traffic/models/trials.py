"""Trials: one prompt set sent to a candidate and a baseline at stated concurrencies, and what was measured."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from providers.models import Deployment, usd
from traffic.models.answer_sets import SetItem
from traffic.models.applications import Application
from traffic.models.choices import Task


class TrialState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    STOPPED = "stopped", _("stopped")
    FAILED = "failed", _("failed")


class PromptSource(models.TextChoices):
    BUILTIN = "builtin", _("built-in set")
    TASK = "task", _("stored prompts of a task")
    FILE = "file", _("uploaded file")
    API = "api", _("sent by the API")
    SET = "set", _("set of answers")


ACTIVE = (TrialState.QUEUED, TrialState.RUNNING)


class TrialQuerySet(models.QuerySet["Trial"]):
    def due(self, now: datetime) -> TrialQuerySet:
        """Those that a worker should run and none runs."""
        free = models.Q(claimed_until=None) | models.Q(claimed_until__lt=now)
        return self.filter(free, state__in=ACTIVE)

    def claim(self, pk: int, now: datetime, until: datetime) -> Trial | None:
        """Take one that is due; None where another worker has it."""
        taken = self.due(now).filter(pk=pk).update(claimed_until=until)
        return self.select_related("candidate__lease", "baseline__lease").get(pk=pk) if taken else None


class Trial(models.Model):
    """One trial. A worker that runs it moves `claimed_until` on; past that moment the worker is taken for dead.

    `spent` counts toward `cap_usd`: the cost of each call, or its worst case where its cost is unknown.
    """

    name = models.CharField(max_length=100)
    candidate = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="trials")
    baseline = models.ForeignKey(
        Deployment, null=True, blank=True, on_delete=models.PROTECT, related_name="trials_as_baseline"
    )
    concurrency = ArrayField(models.PositiveSmallIntegerField())  # calls at once, one number for each step
    seconds_per_step = models.PositiveIntegerField()
    answer_tokens = models.PositiveIntegerField()  # the longest answer that is asked for
    cap_usd = usd()
    spent = usd(default=Decimal(0))
    prompt_source = models.CharField(max_length=10, choices=PromptSource.choices)
    source_name = models.CharField(max_length=200, blank=True)  # of the file, or the task
    rejected = models.PositiveIntegerField(default=0)  # lines of the file that are no prompt
    rejected_lines = models.JSONField(default=list)  # [line, sentence] of the first of them
    used_in_break_even = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=TrialState.choices, default=TrialState.QUEUED)
    problem = models.TextField(blank=True)  # why it ended early, in a sentence
    stop_requested_at = models.DateTimeField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    # Of the candidate, written at the end; NULL: not measured.
    capacity_tokens_per_second = models.FloatField(null=True)  # output of one GPU over all its calls
    capacity_concurrency = models.PositiveSmallIntegerField(null=True)
    pairs = models.PositiveIntegerField(default=0)  # prompts that both sides answered

    objects = TrialQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def deployments(self) -> list[Deployment]:
        """The candidate first."""
        return [self.candidate, *([self.baseline] if self.baseline else [])]


class TrialPrompt(models.Model):
    """One prompt of a trial's set: a text, or a JSON array of messages as stored bodies have it.

    `application` names the application whose stored body it is a copy of, so that a deletion reaches it.
    `answered_request` is that body's request, so that the deletion of a user reaches it. `answered_by` is the
    deployment of the stored answer, with which the candidate's is paired where there is no baseline. Where that answer
    was a trial's too, `prompt_request` is the request whose prompt it had.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="prompts")
    number = models.PositiveIntegerField()
    task = models.CharField(max_length=20, choices=Task.choices)
    text = models.TextField()  # empty once the bodies of its day were deleted
    application = models.ForeignKey(Application, null=True, on_delete=models.SET_NULL, related_name="+")
    answered_by = models.ForeignKey(Deployment, null=True, on_delete=models.SET_NULL, related_name="+")
    answered_request = models.UUIDField(null=True)
    prompt_request = models.UUIDField(null=True)
    set_item = models.ForeignKey(SetItem, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["trial", "number"]
        constraints = [models.UniqueConstraint(fields=["trial", "number"], name="one_prompt_of_a_number")]
        indexes = [
            models.Index(
                fields=["answered_request"], condition=models.Q(answered_request__isnull=False), name="prompt_answered"
            ),
            models.Index(
                fields=["prompt_request"], condition=models.Q(prompt_request__isnull=False), name="prompt_source"
            ),
        ]


class TrialStep(models.Model):
    """One deployment at one concurrency. `timed` False: each prompt once, for the pairs and to warm the engine up.

    The results are written when the step has ended; times are milliseconds, nearest rank.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="+")
    concurrency = models.PositiveSmallIntegerField()
    timed = models.BooleanField(default=True)
    seconds = models.FloatField(default=0)  # measured so far, the time without a worker left out
    ended_at = models.DateTimeField(null=True)
    requests = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    tokens_per_second = models.FloatField(null=True)  # output of all calls together
    stream_tokens_per_second = models.FloatField(null=True)  # median of one call, after its first token
    ttft_p50_ms = models.FloatField(null=True)
    ttft_p95_ms = models.FloatField(null=True)
    latency_p50_ms = models.FloatField(null=True)
    latency_p95_ms = models.FloatField(null=True)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost = usd(null=True)  # of its calls, or of the leased GPU's time; NULL: unknown

    class Meta:
        ordering = ["trial", "number"]
        constraints = [models.UniqueConstraint(fields=["trial", "number"], name="one_step_of_a_number")]


class CallState(models.TextChoices):
    SENT = "sent", _("sent")
    OK = "ok", _("answered")
    ERROR = "error", _("error")
    CANCELLED = "cancelled", _("cancelled")
    LOST = "lost", _("lost with its worker")


class TrialCall(models.Model):
    """One call of a step. The row is there before the call is sent, so that no answer is paid for and forgotten.

    `charged` counts toward the cap: the worst case until the cost is known, and where it stays unknown.
    """

    step = models.ForeignKey(TrialStep, on_delete=models.CASCADE, related_name="calls")
    prompt = models.ForeignKey(TrialPrompt, on_delete=models.CASCADE, related_name="calls")
    state = models.CharField(max_length=10, choices=CallState.choices, default=CallState.SENT)
    charged = usd()
    cost = usd(null=True)
    request_id = models.UUIDField(null=True)  # of its row in the request log
    offset_ms = models.FloatField(null=True)  # from the start of the step to the moment when it was sent
    ttft_ms = models.FloatField(null=True)
    latency_ms = models.FloatField(null=True)
    output_tokens = models.PositiveBigIntegerField(null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["step", "state"]),
            models.Index(
                fields=["request_id"], condition=models.Q(request_id__isnull=False), name="trial_call_request"
            ),
        ]
