"""The API model that a person chose for a task, for the comparison with our own GPUs."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from traffic.models import Task


class TaskModel(models.Model):
    """The model that would serve a task on the API, in place of the one that the log names."""

    task = models.CharField(max_length=12, choices=Task.choices, unique=True)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    chosen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.get_task_display()}: {self.model}"
