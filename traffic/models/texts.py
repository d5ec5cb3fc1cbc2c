"""What log records said of calls, until they are bodies of requests."""

from __future__ import annotations

from django.db import models

from traffic.models.applications import Application


class WaitingText(models.Model):
    """A piece of a prompt or an answer, redacted; it is kept for an hour, whether or not its call came.

    Logs and spans are exported apart and cut anywhere: a body is put together from the pieces that are here, again
    with each that comes. Of applications that keep prompts and answers alone.
    """

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+")
    call = models.TextField()  # trace id and span id, the external id of its request
    at_ns = models.BigIntegerField()  # when it was said, since 1970
    digest = models.UUIDField()  # of what it holds: the same record again is no second piece
    whole = models.BooleanField()  # all of the call in one record
    prompt = models.TextField(null=True)
    answer = models.TextField(null=True)
    arrived_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)  # when its call is looked for again; null once it is in a body

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["application", "call", "at_ns", "digest"], name="waiting_text_once")
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="waiting_text_due"),
            models.Index(fields=["arrived_at"], name="waiting_text_arrived"),
        ]
