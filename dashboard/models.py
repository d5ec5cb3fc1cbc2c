"""What the project itself stores: sessions of people, back-off of sign-ins, and which permissions roles were given."""

from __future__ import annotations

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class Session(AbstractBaseSession):
    """A person's session, with what its owner needs to tell it apart from the others."""

    user_id = models.BigIntegerField(null=True, db_index=True)
    address = models.CharField(max_length=45, default="")
    agent = models.CharField(max_length=200, default="")  # as the browser calls itself
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["expire_date"], name="session_expires")]

    @classmethod
    def get_session_store_class(cls) -> type:
        from dashboard.signin.sessions import SessionStore  # it imports this module

        return SessionStore


class Attempts(models.Model):
    """Sign-ins that failed lately for one account, one device or one address; `bucket` is a digest of which."""

    bucket = models.CharField(max_length=48, primary_key=True)
    failures = models.PositiveIntegerField()
    last_at = models.DateTimeField(db_index=True)


class GivenPermission(models.Model):
    """A permission that Breakeven gave to a role once: what an admin takes away is not given again."""

    role = models.CharField(max_length=150)
    permission = models.CharField(max_length=150)  # `app.codename`

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "permission"], name="given_once")]
