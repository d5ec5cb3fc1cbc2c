"""Our programs that send requests, and their keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext as _

from lib.forms import free_slug
from providers.models import usd_sum
from traffic.models.choices import BudgetState, QuotaPeriod, QuotaUnit, RedactKind, Scope
from traffic.redaction.rules import KINDS, Redaction, redaction_of


class Installation(models.Model):
    """One row: the salt of this installation's hashes (request ids, users), which goes with the data and not with the
    machine; and for how many days requests and bodies are kept, where somebody has said so
    (`traffic.retention_settings`)."""

    salt = models.BinaryField(max_length=32)
    request_days = models.PositiveIntegerField(null=True)
    body_days = models.PositiveIntegerField(null=True)
    history_until = models.DateTimeField(null=True)  # history is being loaded until then: `traffic.imports.loading`
    checklist_hidden_at = models.DateTimeField(null=True)  # when a person took the set-up's list off the Overview
    cap_zone = models.CharField(max_length=50, default="UTC", db_default="UTC")  # in which days of caps begin
    # What becomes of calls with caps while Valkey is away: refused, else let through, and counted here for an alert.
    caps_refuse = models.BooleanField(default=False, db_default=False)
    cap_gap_since = models.DateTimeField(null=True)
    cap_gap_at = models.DateTimeField(null=True)  # the last of them
    cap_gap_calls = models.PositiveBigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return "Storage"


def all_kinds() -> list[str]:
    return list(KINDS)


PLAYGROUND, TRIALS, JUDGE = "playground", "trials", "judge"
MADE_FOR = (PLAYGROUND, TRIALS, JUDGE)


class ApplicationQuerySet(models.QuerySet["Application"]):
    def own(self, purpose: str, **defaults: Any) -> tuple[Application, bool]:
        """The application that the product makes for its own calls, which never count in Break-even; whether it is new.

        It has the short name of its purpose unless a team's application has it.
        """
        defaults |= {"slug": lambda: free_slug(purpose, purpose, Application), "test_only": True}
        return self.get_or_create(made_for=purpose, defaults=defaults)

    def of_person(self, user: AbstractBaseUser | AnonymousUser) -> ApplicationQuerySet:
        """Applications whose requests this person may open: owned or a member of."""
        if user.pk is None:
            return self.none()
        return self.filter(models.Q(owner=user.pk) | models.Q(members=user.pk)).distinct()


class Application(models.Model):
    """One of our programs that sends requests."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="owned_applications"
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="applications")
    capture_bodies = models.BooleanField(default=False)
    # Its requests do not count when our own GPUs are compared with the API.
    test_only = models.BooleanField(default=False, db_default=False)
    # The product made it for its own calls (one of MADE_FOR); a team's application may have the same short name.
    made_for = models.CharField(max_length=10, default="", db_default="", blank=True, editable=False)
    # What is taken out of its texts before they are stored, as `traffic.redaction.rules` calls it; and patterns of
    # its own.
    redact = ArrayField(models.CharField(max_length=10, choices=RedactKind.choices), default=all_kinds, blank=True)
    redact_patterns = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    # Models by the names under which its programs request them, for the gateway: {"gpt-4o": "claude-sonnet-5-5"}.
    model_aliases = models.JSONField(default=dict, blank=True)
    # The gateway answers identical calls from its cache for so long; None: never. `cache_varied`: also where the model
    # may answer otherwise each time, since the temperature is above 0 or not set.
    cache_minutes = models.PositiveIntegerField(null=True, blank=True)
    cache_varied = models.BooleanField(default=False, db_default=False)
    # The gateway guesses the task of a call that names none (`traffic.gateway.tasks`).
    guess_task = models.BooleanField(default=False, db_default=False)
    budget_state = models.CharField(max_length=10, choices=BudgetState.choices, default=BudgetState.UNKNOWN)
    # What its keys may store in a UTC day; None: as the settings say for all.
    daily_requests = models.PositiveBigIntegerField(null=True, blank=True)
    daily_gb = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        permissions = [("use_playground", "Can send prompts from the playground")]
        constraints = [
            models.UniqueConstraint(fields=["made_for"], condition=~models.Q(made_for=""), name="one_made_for_each")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def redaction(self) -> Redaction:
        return redaction_of(tuple(self.redact), tuple(self.redact_patterns))


class KeyQuerySet(models.QuerySet["Key"]):
    def live(self) -> KeyQuerySet:
        """Not revoked; expiry is judged by the clock of the reader."""
        return self.filter(revoked_at=None)

    def made_by(self, person: AbstractBaseUser) -> KeyQuerySet:
        """Those of a person that are not revoked."""
        return self.live().filter(created_by=person.pk).select_related("application", "created_by")

    def expiring(self, now: datetime, within: timedelta) -> KeyQuerySet:
        """Those that work now and stop within that time, the next first; one with a live successor is meant to."""
        soon = self.live().filter(expires_at__gt=now, expires_at__lte=now + within)
        return soon.exclude(replaced_by__revoked_at=None, replaced_by__isnull=False).order_by("expires_at", "pk")


class Key(models.Model):
    """A bearer key; only its SHA-256 is kept. Without an application it is for the whole installation, a collector's or
    a dashboard's; an admin makes it."""

    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    hint = models.CharField(max_length=12)  # its first characters, so that people can tell keys apart
    hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    is_playground = models.BooleanField(default=False, db_default=False, editable=False)  # the playground made it
    last_used_at = models.DateTimeField(null=True, blank=True)
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaced_by")
    # The first of the keys that replaced each other up to this one, None for itself: they share a quota.
    first = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="later")
    per_minute = models.PositiveIntegerField(null=True, blank=True)  # calls; None: as many as come
    quota = models.DecimalField(max_digits=20, decimal_places=2, null=True, blank=True)  # None: none
    quota_unit = models.CharField(max_length=10, choices=QuotaUnit.choices, default=QuotaUnit.REQUESTS)
    quota_period = models.CharField(max_length=10, choices=QuotaPeriod.choices, default=QuotaPeriod.MONTH)

    objects = KeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [("add_key_for_all", "Can make keys for the whole installation")]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @property
    def line(self) -> int:
        """The first of the keys that replaced each other."""
        return self.first_id or self.pk

    @property
    def scope_words(self) -> list[str]:
        """What it may, for people."""
        return [str(label) for value, label in Scope.choices if value in self.scopes]

    @property
    def quota_words(self) -> str:
        """Its quota, for people; empty where it has none."""
        if self.quota is None:
            return ""
        figure = f"{self.quota:,.2f}" if self.quota_unit == QuotaUnit.USD else f"{self.quota:,.0f}"
        words = {"amount": figure, "unit": self.get_quota_unit_display(), "period": self.get_quota_period_display()}
        return _("%(amount)s %(unit)s a %(period)s") % words


class KeyUse(models.Model):
    """What came in with a key on a UTC day, counted in the transaction that stores it; quotas are held against it,
    and against what came with the keys that it replaced or that replaced it.

    A request that turns out later to be another's twin is not given back, and repricing changes nothing here.
    """

    key = models.ForeignKey(Key, on_delete=models.CASCADE, related_name="use")
    day = models.DateField()  # of the arrival, not of `started_at`
    requests = models.BigIntegerField()
    tokens = models.BigIntegerField()  # all five classes
    cost = usd_sum()  # measured; what is unpriced adds nothing
    # On top: of calls whose usage nobody tells, as the gateway estimates it. No figure but the quota's contains them.
    estimated_tokens = models.BigIntegerField(default=0, db_default=0)
    estimated_cost = models.DecimalField(max_digits=30, decimal_places=12, default=0, db_default=0)
    # Of rows and texts as they were sent to the database, also of a batch that comes again.
    stored_bytes = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "day"], name="one_use_of_a_key_and_day")]
