"""Pairs of answers to the same prompt, who rates them, and which side each rater chose."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from providers.models import Deployment
from traffic.models.applications import Application
from traffic.models.choices import RaterKind, Task
from traffic.models.queues import shown_name


class PairOutcome(models.TextChoices):
    """Which answer of a pair is better."""

    CANDIDATE = "candidate", _("candidate better")
    BASELINE = "baseline", _("baseline better")
    TIE = "tie", _("tie")
    BOTH_BAD = "both_bad", _("both bad")


class Pair(models.Model):
    """Two rows of the request log that answered the same prompt.

    A request id holds its day, so a pair needs no other key of the partitioned log. `outcome` and `votes` follow from
    the choices (`traffic.comparisons.services`), so that results read this table alone. `prompt_application` is the
    application whose stored prompt was sent again: only its own people may read the pair.
    """

    candidate = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    baseline = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    candidate_request = models.UUIDField()
    baseline_request = models.UUIDField()
    application = models.ForeignKey(Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    # The number stays when that application is deleted, so that the pair does not become everybody's.
    prompt_application = models.ForeignKey(
        Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    prompt_digest = models.CharField(max_length=64, blank=True, default="", db_default="")  # keyed; blank: not known
    task = models.TextField(choices=Task.choices)
    trial_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    gold = models.CharField(max_length=10, choices=PairOutcome.choices, blank=True)  # the right choice, if it is known
    outcome = models.CharField(max_length=10, choices=PairOutcome.choices, blank=True)  # blank: no choice yet
    votes = models.PositiveSmallIntegerField(default=0)
    disputed = models.BooleanField(default=False)  # its raters chose differently, and nobody has adjudicated
    answers_deleted = models.BooleanField(default=False)  # retention or an erasure took a body: not offered any more

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["candidate_request", "baseline_request"], name="pair_once"),
            models.CheckConstraint(condition=~models.Q(candidate=models.F("baseline")), name="pair_of_two_deployments"),
        ]
        indexes = [
            models.Index(fields=["candidate", "baseline", "task", "outcome"], name="pair_results"),
            models.Index(fields=["votes", "-id"], condition=models.Q(answers_deleted=False), name="pair_queue"),
            models.Index(fields=["trial_id"], condition=models.Q(trial_id__isnull=False), name="pair_trial"),
        ]


class PairChoice(models.Model):
    """What one rater chose of one pair. A rater is a kind and a name, as in ratings."""

    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="choices")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    rater_kind = models.CharField(max_length=12, choices=RaterKind.choices)
    by = models.CharField(max_length=200)
    outcome = models.CharField(max_length=10, choices=PairOutcome.choices)
    candidate_first = models.BooleanField()  # the candidate's answer was A: whether raters prefer a side
    adjudicates = models.BooleanField(default=False)  # decides the pair, whatever others chose
    comment = models.TextField(blank=True)
    revealed_at = models.DateTimeField(null=True)  # its rater was shown who answered: it stands from then on
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        permissions = [("adjudicate", "Can decide pairs whose raters disagree")]
        constraints = [
            models.UniqueConstraint(fields=["pair", "rater_kind", "by"], name="one_choice_of_a_rater"),
            models.UniqueConstraint(
                fields=["pair"], condition=models.Q(adjudicates=True), name="one_adjudication_of_a_pair"
            ),
        ]
        indexes = [models.Index(fields=["rater_kind", "by", "-id"], name="pair_choice_of_rater")]

    @property
    def rater_words(self) -> str:
        """Who chose, for people; not a name that its rater hides."""
        return shown_name(self.rater) if self.rater_kind == RaterKind.PERSON else self.by


class PairAssignment(models.Model):
    """A pair that one rater has before them: reserved until a moment, or skipped."""

    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="assignments")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE)
    rater_kind = models.CharField(max_length=12, choices=RaterKind.choices)
    by = models.CharField(max_length=200)
    reserved_until = models.DateTimeField(null=True)
    skipped_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)  # why it was skipped

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pair", "rater_kind", "by"], name="one_assignment_of_a_rater")]
        indexes = [
            models.Index(
                fields=["reserved_until"], condition=models.Q(skipped_at=None), name="pair_assignment_reserved"
            )
        ]
