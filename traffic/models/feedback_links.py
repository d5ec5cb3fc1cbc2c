"""Public links with which somebody without a login judges one answer, once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext as _

from traffic.models.applications import Application


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
