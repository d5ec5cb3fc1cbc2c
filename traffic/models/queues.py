"""Sets of answers that people are asked to rate, and what one rater has before them."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from providers.models import Deployment
from traffic.models.applications import Application
from traffic.models.choices import Task
from traffic.models.rubrics import Rubric


class Sampling(models.TextChoices):
    """Which answers a queue takes."""

    RANDOM = "random", _("random")
    STRATIFIED = "stratified", _("equal shares of each task and deployment")
    NEWEST = "newest", _("newest first")
    FLAGGED = "flagged", _("rated badly by end users")
    DISPUTED = "disputed", _("raters disagree")


class RatingQueue(models.Model):
    """A set of answers with a question, drawn once; `traffic.queues.services` draws more."""

    name = models.CharField(max_length=80)
    question = models.CharField(max_length=300)
    task = models.CharField(max_length=20, choices=Task.choices, blank=True)  # blank: every task
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    deployment = models.ForeignKey(Deployment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    sampling = models.CharField(max_length=10, choices=Sampling.choices, default=Sampling.RANDOM)
    size = models.PositiveIntegerField(default=100, validators=[MinValueValidator(1), MaxValueValidator(2_000)])
    # Ratings that an answer of the overlap needs; each other answer needs one.
    ratings_per_answer = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(9)]
    )
    overlap_percent = models.PositiveSmallIntegerField(default=20, validators=[MaxValueValidator(100)])
    rubric = models.ForeignKey(Rubric, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # Empty: everybody who may rate.
    raters = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class QueueEntry(models.Model):
    """One rating that a queue needs: an answer that needs three has three entries, numbered from 0.

    `rater` has the answer on screen until `reserved_until`, or has rated it. Both stand in one row, so that two raters
    at once never get the same entry.
    """

    queue = models.ForeignKey(RatingQueue, on_delete=models.CASCADE, related_name="entries")
    position = models.PositiveIntegerField()
    number = models.PositiveSmallIntegerField(default=0)
    day = models.DateField()
    request_id = models.UUIDField()
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reserved_until = models.DateTimeField(null=True)
    rated_at = models.DateTimeField(null=True)
    gold = models.BooleanField(default=False, db_default=False)  # mixed in for `rater` alone, who is held to it
    text_deleted = models.BooleanField(default=False)  # retention or an erasure took the answer: nothing to rate

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "request_id", "number"], name="one_entry_of_a_number"),
            models.UniqueConstraint(
                fields=["queue", "request_id", "rater"],
                condition=models.Q(rater__isnull=False),
                name="one_entry_of_a_rater",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "position", "number"],
                condition=models.Q(rated_at=None, text_deleted=False),
                name="queue_entry_open",
            ),
            models.Index(fields=["request_id"], name="queue_entry_request"),
        ]


class RatingDraft(models.Model):
    """What a rater typed about an answer and has not sent. It goes with the rating, and with the offered days."""

    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()  # of the request
    request_id = models.UUIDField()
    typed = models.JSONField(default=dict)  # comment and marks, as `traffic.ratings.drafts` reads them
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rater", "request_id"], name="one_draft_of_a_rater")]


def hidden_name() -> str:
    """What stands where a rater hides their name."""
    return gettext("name hidden")


def number_of_person(pk: int | None) -> str:
    """What `by` of ratings and choices holds of one of our people: a name could change, or be hidden."""
    return f"#{pk}"


def shown_name(person: AbstractBaseUser | None) -> str:
    """What one of our people is called as a rater, as far as they show it; None was deleted."""
    if person is None:
        return gettext("deleted person")
    preference = getattr(person, "rater_preference", None)
    if preference is not None and preference.hide_name:
        return hidden_name()
    return str(getattr(person, "get_full_name", str)()) or person.get_username()


class RaterPreference(models.Model):
    """A rater's own choice; without a row their name is shown with their ratings."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rater_preference")
    hide_name = models.BooleanField(default=False)
