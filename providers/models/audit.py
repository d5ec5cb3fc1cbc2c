"""The audit log: who did what, when, from where. Rows are added and never changed; the database refuses the rest."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.encryption import EncryptedTextField


class ActorKind(models.TextChoices):
    PERSON = "person", gettext_lazy("person")
    KEY = "key", gettext_lazy("key")
    COMMAND = "command", gettext_lazy("command line")
    MAIL = "mail", gettext_lazy("link of a mail")
    SYSTEM = "system", gettext_lazy("Breakeven itself")
    STRANGER = "stranger", gettext_lazy("unknown user")


class Action(models.TextChoices):
    ADDED = "added", gettext_lazy("added")
    CHANGED = "changed", gettext_lazy("changed")
    DELETED = "deleted", gettext_lazy("deleted")
    LOGIN = "login", gettext_lazy("signed in")
    LOGIN_FAILED = "login-failed", gettext_lazy("failed to sign in")
    LOGOUT = "logout", gettext_lazy("signed out")
    PASSWORD = "password", gettext_lazy("set a password")
    SESSION = "session", gettext_lazy("ended a session")
    REFUSED = "refused", gettext_lazy("was refused")
    REVOKED_KEY = "revoked-key", gettext_lazy("used an invalid key")
    READ = "read", gettext_lazy("read texts")
    EXPORT = "export", gettext_lazy("exported")
    COMMAND = "command", gettext_lazy("ran a command")


# What was kept from somebody, which strangers can cause as often as they like; the rest are acts.
REFUSALS = (Action.LOGIN_FAILED, Action.REFUSED, Action.REVOKED_KEY)
HIDDEN = "changed"  # what stands for a secret's values

# A field's label with its values before and after; or, of a secret, only that it was changed.
Changes = dict[str, list[str | None] | str]


# The words of a thing's name, as the index has them.
NAME_WORDS = SearchVector("object_name", config="simple")


class AuditEntry(models.Model):
    """One act. It names people and things by copies, so that it still says who and what when they are gone."""

    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    # No foreign key: an entry outlives its person, and deleting a person changes no entry.
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=200)
    address = models.CharField(max_length=45)  # of the client; empty for what came over no network
    action = models.CharField(max_length=20, choices=Action.choices)
    object_type = models.CharField(max_length=100)  # `app.model`, or empty
    object_id = models.CharField(max_length=100)
    object_name = models.CharField(max_length=200)
    message = models.TextField()
    changes = models.JSONField(default=dict)
    count = models.PositiveIntegerField(default=1)  # how often, where a minute's events are one entry
    key = models.PositiveIntegerField()  # the AuditKey of `mac`
    mac = models.BinaryField(max_length=32)  # keyed digest of everything above

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["actor", "at"], name="audit_actor"),
            models.Index(fields=["action", "at"], name="audit_action"),
            models.Index(fields=["object_type", "object_id", "at"], name="audit_object"),
            models.Index(fields=["address", "at"], name="audit_address"),
            models.Index(fields=["object_name", "at"], name="audit_name"),
            GinIndex(NAME_WORDS, name="audit_words"),
            # Few acts among a million refusals, or the other way round, are found without reading the others.
            models.Index(fields=["at"], condition=~models.Q(action__in=REFUSALS), name="audit_acts"),
            models.Index(fields=["at"], condition=models.Q(action__in=REFUSALS), name="audit_refusals"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.get_action_display()} {self.object_name}".strip()

    @property
    def type_name(self) -> str:
        """The kind of thing in words."""
        try:
            return str(apps.get_model(self.object_type)._meta.verbose_name)
        except (LookupError, ValueError):  # of an earlier version, or no model
            return self.object_type

    @property
    def words(self) -> str:
        """What happened in one line, values before and after included."""
        return " ".join(part for part in (self.message, "; ".join(self.lines)) if part)

    @property
    def lines(self) -> list[str]:
        """`Idle after: 3 → 5`, a line for each field."""
        return [
            f"{label}: {values}" if isinstance(values, str) else f"{label}: {_shown(values[0])} → {_shown(values[1])}"
            for label, values in self.changes.items()
        ]


def _shown(value: Any) -> str:
    return _("none") if value in (None, "") else str(value)


class AuditSeal(models.Model):
    """The place of an entry in the chain: each digest is made over the one before, with the installation's key."""

    number = models.BigIntegerField(primary_key=True)  # 1, 2, 3 without a gap
    entry = models.BigIntegerField(unique=True)
    key = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)


class AuditKey(models.Model):
    """A random key of the audit log, encrypted with BREAKEVEN_KEY like vendors' keys, and as those encrypted anew when
    that key is replaced: entries of before can still be verified."""

    secret = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)
