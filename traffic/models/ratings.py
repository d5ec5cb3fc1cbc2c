"""People's judgements of answers."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from providers.models import Deployment
from traffic.models.applications import Application
from traffic.models.choices import RaterKind
from traffic.models.queues import number_of_person, shown_name
from traffic.models.rubrics import Rubric


class RatingQuerySet(models.QuerySet["Rating"]):
    def in_days(self, first: date, end: date) -> RatingQuerySet:
        """Ratings of requests of these days, the last one exclusive; those that wait for theirs have no day.

        Those of gold answers are left out: how good answers are does not depend on what checks the raters.
        """
        return self.filter(day__gte=first, day__lt=end, gold=False)

    def of_person(self, user: AbstractBaseUser | AnonymousUser) -> RatingQuerySet:
        """What this person said here, whatever they were called then."""
        return self.filter(rater_kind="person", by=number_of_person(user.pk))

    def waiting(self) -> RatingQuerySet:
        """Sent for a request that has not arrived."""
        return self.filter(request_id=None)


class Rating(models.Model):
    """One person's judgement of one answer; of a person or end user only the latest counts.

    A rater is a kind and a name: what an application calls its user is no user of ours, whatever the name.
    """

    PASSING_STARS = 4  # of 5, from which on an answer is acceptable

    day = models.DateField(null=True)  # of the request; NULL while the request has not arrived
    request_id = models.UUIDField(null=True)
    response_id = models.CharField(max_length=200, blank=True)  # what a waiting rating was sent for
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    rater_kind = models.CharField(max_length=12, choices=RaterKind.choices, default=RaterKind.APPLICATION)
    by = models.CharField(max_length=200)  # `number_of_person`, or what the program said
    score = models.SmallIntegerField(null=True)  # 1, 0, -1
    stars = models.PositiveSmallIntegerField(null=True)  # 1..5
    comment = models.TextField(blank=True)
    # The version whose criteria `marks` are of: {key: 1 to 5, 1 or 0 for yes or no, or a list of tags}.
    rubric = models.ForeignKey(Rubric, null=True, on_delete=models.PROTECT, related_name="+")
    marks = models.JSONField(default=dict, db_default={})
    gold = models.BooleanField(default=False, db_default=False)  # of a gold answer: counted nowhere as quality
    created_at = models.DateTimeField(auto_now_add=True)
    look_at = models.DateTimeField(db_default=Now())  # while it waits: when its request is looked for again
    # Copied from the request, so that the scoreboard reads this table alone.
    application = models.ForeignKey(Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    model = models.TextField(blank=True)
    task = models.TextField(blank=True)

    objects = RatingQuerySet.as_manager()

    class Meta:
        permissions = [("view_quality", "Can see ratings and the scoreboard")]
        constraints = [
            models.UniqueConstraint(
                fields=["request_id", "rater_kind", "by"],
                condition=models.Q(request_id__isnull=False),
                name="one_rating_of_a_rater",
            ),
            models.UniqueConstraint(
                fields=["request_id"], condition=models.Q(rater_kind="gold"), name="one_gold_of_an_answer"
            ),
            models.CheckConstraint(
                condition=models.Q(score__isnull=False) | models.Q(stars__isnull=False), name="a_rating_judges"
            ),
        ]
        indexes = [
            models.Index(fields=["day", "deployment"]),
            models.Index(fields=["response_id"], condition=models.Q(request_id=None), name="rating_waiting"),
            models.Index(fields=["application", "look_at"], condition=models.Q(request_id=None), name="rating_look"),
            models.Index(fields=["day"], condition=models.Q(rubric__isnull=False), name="rating_marked"),
            models.Index(fields=["day"], condition=~models.Q(comment=""), name="rating_commented"),
            models.Index(fields=["day"], condition=models.Q(gold=True), name="rating_gold"),
            models.Index(
                fields=["rater", "created_at"], condition=models.Q(rater__isnull=False), name="rating_day_of_person"
            ),
            models.Index(fields=["rater", "-id"], condition=models.Q(rater__isnull=False), name="rating_of_person"),
        ]

    @property
    def rater_words(self) -> str:
        """Who really said it, for people: `Ada Lovelace`, `Website chat: end-user`; not a name that its rater hides."""
        if self.rater_kind == RaterKind.PERSON:
            return shown_name(self.rater)
        if self.rater_kind == RaterKind.GOLD:
            return str(RaterKind.GOLD.label).capitalize()
        if self.rater_kind == RaterKind.APPLICATION and self.application:
            return f"{self.application.name}: {self.by}"
        return _("%(kind)s: %(name)s") % {"kind": RaterKind(self.rater_kind).label, "name": self.by}


class Abstention(models.Model):
    """A person said of an answer that they cannot judge it: it is not offered to them again. It is no rating."""

    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    day = models.DateField()  # of the request; old ones go with the days of which answers are offered
    request_id = models.UUIDField()
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rater", "request_id"], name="one_abstention_of_a_rater")]


class RatingDay(models.Model):
    """Ratings of the requests of one day added up, kept exact by triggers of the table of ratings.

    0 and empty text are unknown. `starred` have stars, whose sum and sum of squares give a mean with its interval.
    """

    day = models.DateField()
    application_id = models.BigIntegerField()
    deployment_id = models.BigIntegerField()
    model = models.TextField()
    task = models.TextField()
    # Not positive by a check: a row that takes away is checked before it is added to the one that is there.
    ratings = models.IntegerField()
    acceptable = models.IntegerField()
    starred = models.IntegerField()
    stars_sum = models.IntegerField()
    stars_squares = models.IntegerField()
    # How far raters agree, which `traffic.quality.shared_answers` adds up; the triggers only say that it is due.
    agreement_due = models.BooleanField(default=True, db_default=True)
    agreed = ArrayField(models.FloatField(), default=list, db_default=[])
    raters = ArrayField(models.BigIntegerField(), default=list, db_default=[])  # hashes of those who rated with others
    biases = models.JSONField(default=dict, db_default={})  # by our people: answers, sum and squares of differences

    class Meta:
        db_table = "traffic_rating_day"
        indexes = [models.Index(fields=["day"], condition=models.Q(agreement_due=True), name="rating_day_due")]
        constraints = [
            models.UniqueConstraint(
                fields=["day", "application_id", "deployment_id", "model", "task"], name="one_rating_day_of_a_key"
            )
        ]


class FeedbackLink(models.Model):
    """A link to judge one answer. It stops at `expires_at`, or when it is used."""

    day = models.DateField()  # of the request
    request_id = models.UUIDField()
    application = models.ForeignKey(Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return _("feedback link %(number)s") % {"number": self.pk}


class StoredScoreboard(models.Model):
    """The scoreboard of the last `days` days as a task calculated it, where live figures would take too long."""

    days = models.PositiveSmallIntegerField(unique=True)
    calculated_at = models.DateTimeField()
    figures = models.BinaryField()  # JSON, as `traffic.quality.scoreboard` reads it
