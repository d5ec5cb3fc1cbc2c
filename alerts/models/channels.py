"""Where alerts go besides people's mailboxes, and how each fares."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from alerts.models.querysets import ChannelQuerySet
from lib.encryption import EncryptedTextField


class ChannelKind(models.TextChoices):
    WEBHOOK = "webhook", _("webhook")
    APPRISE = "apprise", _("chat or pager")
    MONITOR = "monitor", _("outside monitor")


class Channel(models.Model):
    """A program, a chat room or a pager that rules may tell; its address is a secret, for most of them hold a token.

    An outside monitor is asked for after each evaluation and told nothing: it speaks when it hears nothing.
    """

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=ChannelKind.choices)
    address = EncryptedTextField(blank=True)  # a webhook's URL, or an address as apprise writes it
    shown = models.CharField(max_length=200, blank=True)  # what everybody may know of it: its host, or its service
    secret = EncryptedTextField(blank=True)  # signs what a webhook is sent
    local = models.BooleanField(default=False)  # may be on a private or loopback address
    enabled = models.BooleanField(default=True)
    disabled_reason = models.TextField(blank=True)  # why we stopped by ourselves, in a sentence
    answer = models.TextField(blank=True)  # what it said last
    answered_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # in a row
    failing_since = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)  # kept for as long as a deletion can be taken back
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("alerts:channel", args=[self.slug])

    @property
    def mark(self) -> str:
        """How it fares, as pages mark it: ok, warn, bad, unknown."""
        if not self.enabled:
            return "bad" if self.disabled_reason else "unknown"
        if self.failing_since:
            return "bad" if self.failures >= ChannelQuerySet.DEAD_FAILURES else "warn"
        return "ok" if self.answered_at else "unknown"

    @property
    def word(self) -> str:
        """The same in a word or two."""
        if not self.enabled:
            return str(_("disabled automatically") if self.disabled_reason else _("off"))
        words = {"ok": _("working"), "warn": _("failing"), "bad": _("failed"), "unknown": _("not used yet")}
        return str(words[self.mark])
