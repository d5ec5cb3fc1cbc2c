"""Models of the project: sessions, counts of failed sign-ins, and permissions that were given to roles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone

from lib import sql

# Keys of a session's data.
BEGAN, SEEN, CONFIRMED, ADDRESS, AGENT = "began_at", "seen_at", "confirmed_at", "address", "agent"


class Session(AbstractBaseSession):
    """A person's session, with columns by which its owner can tell it from others."""

    user_id = models.BigIntegerField(null=True, db_index=True)
    address = models.CharField(max_length=45, default="")
    agent = models.CharField(max_length=200, default="")  # as the browser calls itself
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["expire_date"], name="session_expires")]

    @classmethod
    def get_session_store_class(cls) -> type:
        return SessionStore


LIVE = "SELECT session_data FROM dashboard_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(DatabaseStore):
    """Django's own, with the columns that tell sessions apart."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        """What a session holds; Django's own read starts anew where there is none of this key."""
        for (data,) in sql.rows(LIVE, [self.session_key, timezone.now()]):
            held: dict[str, Any] = self.decode(data)
            return held
        missing: dict[str, Any] = super().load()
        return missing

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row: Session = super().create_model_instance(data)  # type: ignore[assignment]  # of the class above
        row.user_id = int(data["_auth_user_id"]) if data.get("_auth_user_id") else None
        row.address, row.agent = data.get(ADDRESS, ""), data.get(AGENT, "")
        row.began_at, row.seen_at = moment(data.get(BEGAN)), moment(data.get(SEEN))
        return row


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class Attempts(models.Model):
    """Recent failed sign-ins of one account, device or address; `bucket` is a digest of its name."""

    bucket = models.CharField(max_length=48, primary_key=True)
    failures = models.PositiveIntegerField()
    last_at = models.DateTimeField(db_index=True)


class GivenPermission(models.Model):
    """A permission that Breakeven gave to a role once. It is not given again after an admin took it away."""

    role = models.CharField(max_length=150)
    permission = models.CharField(max_length=150)  # `app.codename`

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "permission"], name="given_once")]
