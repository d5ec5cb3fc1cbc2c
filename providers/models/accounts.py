"""Our credentials at vendors, and what is polled there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from lib.encryption import EncryptedTextField
from lib.validators import web_address
from providers.models.fields import usd
from providers.models.names import provider_name


def connector_choices() -> list[tuple[str, str]]:
    """Kinds of the registry; a callable so that a new vendor needs no migration."""
    from providers.connectors import CONNECTORS

    return [(kind, provider_name(kind)) for kind in CONNECTORS]


class AccountQuerySet(models.QuerySet["Account"]):
    def enabled(self) -> AccountQuerySet:
        return self.filter(enabled=True)

    def sharing(self, identity: Sequence[str], kind: str) -> AccountQuerySet:
        """Accounts of a kind that report at least one of these ids, the oldest first."""
        return self.filter(kind=kind, identity__overlap=list(identity)).order_by("pk")

    def with_feeds(self) -> AccountQuerySet:
        """With how each of their polls goes; two statements in all."""
        return self.prefetch_related("feeds")


class Account(models.Model):
    """Our credentials at a provider; what is polled there, and how it goes, stands in its feeds."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=30, choices=connector_choices)  # the connector, and the provider's slug
    base_url = models.CharField(max_length=200, blank=True, validators=[web_address])  # empty: the vendor's own
    local = models.BooleanField(default=False)  # may be on a private or loopback address
    secret = EncryptedTextField(blank=True)  # write-only in the UI
    settings = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.TextField(blank=True)  # why we stopped by ourselves, in a sentence
    may_stop = models.BooleanField(default=False)  # whether people may stop its leases from here
    # What the vendor reports of itself: ids, no secrets. Empty: not asked yet, or the vendor reports none.
    identity = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    # What it reports now, where that is another account than before; nothing is stored until a person decides.
    new_identity = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    # Where the vendor did not report whose the key is: a sentence, `why`. Where another account reads the same: its
    # slug, `account`, and its `name`. Empty: verified, or not asked.
    unverified = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def provider(self) -> str:
        return self.kind

    @property
    def provider_name(self) -> str:
        return provider_name(self.kind)


class RemovedAccount(models.Model):
    """An account that a person removed with all that it brought; kept for a day so that it can be brought back."""

    slug = models.SlugField()
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=30)
    removed_at = models.DateTimeField()
    content = models.BinaryField()  # its rows as compressed JSON, see `providers.accounts.removal`; keys stay encrypted

    class Meta:
        ordering = ["-removed_at"]

    def __str__(self) -> str:
        return self.name


class FeedQuerySet(models.QuerySet["Feed"]):
    def due_now(self, now: datetime) -> int:
        """Make feeds due that nobody polls right now; returns how many."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lt=now)).update(due_at=now)


class Feed(models.Model):
    """One thing that is polled at an account (offers, leases, usage, costs, balance) and how it goes."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="feeds")
    kind = models.CharField(max_length=20)
    every_s = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)  # a poll under way; past this it is taken for dead
    last_started_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # since the last success
    failing_since = models.DateTimeField(null=True)  # the first of those failures
    capped_until = models.DateTimeField(null=True)  # the vendor's own spend limit is reached; None: it is not
    disabled_reason = models.TextField(blank=True)  # why we ask for this no more; the other feeds go on
    rows = models.PositiveIntegerField(default=0)  # of the last success
    # Rows of the last answer that another account had brought: how many, whose, some of them; see `polling.refusals`.
    refused = models.JSONField(default=dict, blank=True)
    complete_until = models.DateTimeField(null=True)  # the vendor's watermark: before it the figures are whole

    objects = FeedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind"], name="one_feed_of_a_kind")]
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.kind}"


class Balance(models.Model):
    """Prepaid money at a vendor that stops machines at zero."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE)
    amount = usd()
    spend_per_hour = usd(null=True)
    at = models.DateTimeField()
