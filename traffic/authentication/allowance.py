"""How much the keys of an application may store in a UTC day, so that none of them can fill the disk.

Held against `KeyUse` as a quota is, and looked at when a key is; a key that belongs to no application has none. Calls
through the gateway count, and are never refused for it: they were paid for.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext as _

from lib.events import log_event
from traffic.models import Application, KeyUse

logger = logging.getLogger(__name__)

GB = 10**9


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be stored in a day, and what was today; `bytes` of rows and texts as they were sent to the database."""

    application: Application
    requests: int
    bytes: int
    used_requests: int
    used_bytes: int

    @property
    def used_up(self) -> bool:
        return self.used_requests >= self.requests or self.used_bytes >= self.bytes

    @property
    def percent(self) -> int:
        """How much is used of the part that is used most, in whole percent, 100 at most."""
        shares = (self.used_requests / max(self.requests, 1), self.used_bytes / max(self.bytes, 1))
        return int(100 * min(max(shares), 1))

    @property
    def words(self) -> str:
        values = {"requests": f"{self.requests:,}", "gb": f"{self.bytes // GB:,}"}
        return _("%(requests)s requests and %(gb)s GB a day") % values

    @property
    def refusal(self) -> str:
        """The sentence for who sends more."""
        return (
            f"The keys of {self.application.slug} have stored as much as they may in a day ({self.words}, by UTC); "
            "an admin can allow more."
        )


def allowance_of(application: Application, now: datetime) -> Allowance:
    """What an application may store today, by its own page or else by the settings, and what it has stored."""
    today = now.astimezone(UTC).date()
    used: dict[str, Any] = KeyUse.objects.filter(day=today, key__application=application).aggregate(
        requests=Sum("requests"), bytes=Sum("stored_bytes")
    )
    return Allowance(
        application,
        application.daily_requests or settings.DAILY_REQUESTS,
        (application.daily_gb or settings.DAILY_GB) * GB,
        int(used["requests"] or 0),
        int(used["bytes"] or 0),
    )


_logged: dict[int, date] = {}  # by application: the day for which it was


def log_used_up(allowance: Allowance, now: datetime) -> None:
    """Write `allowance_used_up`, once for each application and day."""
    today = now.astimezone(UTC).date()
    if _logged.get(allowance.application.pk) != today:
        _logged[allowance.application.pk] = today
        log_event(
            logger, logging.WARNING, "allowance_used_up", application=allowance.application.slug,
            requests=allowance.used_requests, bytes=allowance.used_bytes,
        )  # fmt: skip
