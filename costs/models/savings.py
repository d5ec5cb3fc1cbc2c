"""What could be saved: one row for each finding of the advisor, and what people decided about it."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.querysets import FindingQuerySet
from providers.models import Lease, usd_sum
from traffic.models import Application


class FindingKind(models.TextChoices):
    """What is paid without need."""

    CACHE = "cache", _("repeated prompts without caching")
    UNREAD = "unread", _("cache writes that are never read")
    BATCH = "batch", _("batchable work sent live")
    SMALLER = "smaller", _("a smaller model is good enough")
    OUTPUT = "output", _("answers longer than needed")
    IDLE = "idle", _("GPU running without requests")
    RENT = "rent", _("a cheaper contract fits")
    OFFER = "offer", _("the same GPU for less")


class Finding(models.Model):
    """One way to save, priced from our own traffic; made and priced anew once a day by `costs.savings`.

    `key` says what it is about, so that the same thing is one row however often it is found. USD are by the month of
    730 hours. `evidence` holds the figures it was reckoned from: numbers as text, days as YYYY-MM-DD.
    """

    class State(models.TextChoices):
        OPEN = "open", _("open")
        ACCEPTED = "accepted", _("accepted")
        DISMISSED = "dismissed", _("dismissed")

    key = models.CharField(max_length=500, unique=True)
    kind = models.CharField(max_length=10, choices=FindingKind.choices)
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE)
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=200, blank=True)
    task = models.CharField(max_length=20, blank=True)
    lease = models.ForeignKey(Lease, null=True, blank=True, on_delete=models.CASCADE)
    monthly = usd_sum()  # by itself
    behind = models.CharField(max_length=500, blank=True)  # key of the finding that counts the same tokens or hours
    evidence = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    since = models.DateField()  # the days it was reckoned from, the last one exclusive
    until = models.DateField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()  # the last time it was found
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    reason = models.CharField(max_length=500, blank=True)  # of a dismissal; stays when it has grown and is open again
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    decided_monthly = usd_sum(null=True)  # what it was when somebody decided
    # What a unit of the work cost before it was accepted, and since; see `costs.savings.verify`.
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ["-monthly", "key"]

    def __str__(self) -> str:
        return self.key

    @property
    def counts(self) -> bool:
        """Whether the total has it: open, and nobody else counts the same tokens."""
        return self.state == self.State.OPEN and not self.behind


class Search(models.Model):
    """One row: when findings were last looked for, and what could not be judged then, by reason, in USD a month."""

    at = models.DateTimeField()
    unjudged = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
