"""Criteria by which people rate answers, in versions."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from traffic.models.choices import Task


class RubricQuerySet(models.QuerySet["Rubric"]):
    def current(self) -> RubricQuerySet:
        """Those that are in use, one of each name."""
        return self.filter(retired_at=None)


class Rubric(models.Model):
    """One version of a rubric. A row never changes except that it is retired: ratings name the row they used.

    `criteria` is a list of at most five objects, as `traffic.rubrics.criteria.Criterion` reads them.
    """

    name = models.CharField(max_length=80)
    version = models.PositiveSmallIntegerField(default=1)
    task = models.CharField(max_length=20, choices=Task.choices, blank=True)  # blank: only for queues that name it
    criteria = models.JSONField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)  # replaced by the next version, or deleted

    objects = RubricQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="one_rubric_of_a_version"),
            models.UniqueConstraint(
                fields=["task"],
                condition=models.Q(retired_at=None) & ~models.Q(task=""),
                name="one_current_rubric_of_a_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
