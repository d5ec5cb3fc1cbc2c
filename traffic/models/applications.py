"""Our programs that send requests, and their keys."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from traffic.models.words import BudgetState, Scope
from traffic.querysets import ApplicationQuerySet, KeyQuerySet


class Installation(models.Model):
    """One row: the salt of this installation's hashes (request ids, users); it goes with the data, not the machine."""

    salt = models.BinaryField(max_length=32)


class Application(models.Model):
    """One of our programs that sends requests."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="owned_applications"
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="applications")
    capture_bodies = models.BooleanField(default=False)
    budget_state = models.CharField(max_length=10, choices=BudgetState.choices, default=BudgetState.UNKNOWN)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Key(models.Model):
    """A bearer key; only its SHA-256 is kept. Without an application it may speak for all (a collector's)."""

    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    hint = models.CharField(max_length=12)  # its first characters, so that people can tell keys apart
    hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = KeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @property
    def scope_words(self) -> list[str]:
        """What it may, for people."""
        return [str(label) for value, label in Scope.choices if value in self.scopes]
