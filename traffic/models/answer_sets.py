"""Versioned sets of prompts with a judged answer, to send to other deployments."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from providers.models import Deployment
from traffic.models.applications import Application
from traffic.models.choices import Task


class AnswerSet(models.Model):
    """One version of a set; its items do not change, a change is a new version of the name.

    Items that are copies of stored texts are deleted with the bodies of their day.
    """

    name = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    rejected = models.PositiveIntegerField(default=0)  # lines of its file that are no item
    rejected_lines = models.JSONField(default=list)  # [line, sentence] of the first of them

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="one_set_of_a_version")]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class SetItem(models.Model):
    """A prompt with the answer that was judged. `acceptable` is what most of its raters found; NULL: not rated.

    `application` is the one whose stored texts it is a copy of, and `request_id` the answer's row: its people alone
    read it, and deletions reach it. `prompt_request` is the request whose prompt it is: of an answer of a trial
    another one. `own_machines`: the prompt must not go to a vendor, as it may have been private.
    """

    answer_set = models.ForeignKey(AnswerSet, on_delete=models.CASCADE, related_name="items")
    number = models.PositiveIntegerField()
    task = models.CharField(max_length=20, choices=Task.choices)
    prompt = models.TextField()
    answer = models.TextField(blank=True)
    acceptable = models.BooleanField(null=True)
    own_machines = models.BooleanField(default=False)
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.SET_NULL, related_name="+")
    application = models.ForeignKey(Application, null=True, on_delete=models.CASCADE, related_name="+")
    request_id = models.UUIDField(null=True, db_index=True)
    prompt_request = models.UUIDField(null=True, db_index=True)

    class Meta:
        ordering = ["answer_set", "number"]
        constraints = [models.UniqueConstraint(fields=["answer_set", "number"], name="one_item_of_a_number")]
