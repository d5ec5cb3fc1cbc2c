"""Back-off of sign-ins, counted in Postgres before a password is hashed: all processes share it, a restart keeps it.

Each attempt counts as failed when it begins and is taken back if it was right, so that simultaneous attempts count too.
An account is never locked: the longest wait is five minutes. A browser in which the person has signed in before has a
count of its own, so that a stranger who keeps an account in its back-off does not lock its owner out.

Postgres and not Valkey: without Postgres nobody can sign in anyway, so a failing Valkey can neither stop sign-ins nor
leave them without a limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import connection
from django.db.models import F
from django.utils import timezone

from dashboard.models import Attempts
from lib.client_address import network

FORGET_S = 3_600  # seconds without an attempt after which a count starts again at 0


@dataclass(frozen=True, slots=True)
class Limit:
    """`free` failures have no wait; each further one doubles the wait, from 2 s to `longest_s`."""

    free: int
    longest_s: int


ACCOUNT = Limit(free=5, longest_s=300)
DEVICE = Limit(free=5, longest_s=900)
ADDRESS = Limit(free=20, longest_s=900)

# The wait counts from the last attempt that was allowed, so attempts during the wait do not make it longer.
COUNT = """
INSERT INTO dashboard_attempts AS a (bucket, failures, last_at) VALUES (%(bucket)s, 1, %(now)s)
ON CONFLICT (bucket) DO UPDATE SET last_at = %(now)s,
    failures = CASE WHEN a.last_at < %(forget)s THEN 1 ELSE least(a.failures, 1000) + 1 END
WHERE a.last_at < %(forget)s OR a.failures < %(free)s
    OR a.last_at + make_interval(secs => least(%(longest)s, 2 ^ least(a.failures - %(free)s + 1, 20))) <= %(now)s
RETURNING a.failures
"""


class Throttled(Exception):
    """Too many attempts, so the password was not checked. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many attempts. The next one is accepted in {retry_after} s.")
        self.retry_after = retry_after


def bucket(kind: str, name: str) -> str:
    """The key of a count: a hash, so that names are not stored as people typed them."""
    return f"{kind}:{sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def buckets(username: str, address: str, device: str) -> list[tuple[str, Limit]]:
    """The counts that an attempt adds to, with limits: address and account, or only a device that the account knows."""
    name = username.casefold()
    if device:
        return [(bucket("device", f"{name}\0{device}"), DEVICE)]
    client = [(bucket("address", network(address)), ADDRESS)] if address else []
    return [*client, (bucket("account", name), ACCOUNT)]


def begin(counted: list[tuple[str, Limit]]) -> None:
    """Count an attempt as failed. Raises Throttled if one of its counts is in its back-off."""
    for name, limit in counted:
        now = timezone.now()
        values: dict[str, str | int | datetime] = {
            "bucket": name,
            "now": now,
            "forget": now - timedelta(seconds=FORGET_S),
            "free": limit.free,
            "longest": limit.longest_s,
        }
        with connection.cursor() as cursor:
            cursor.execute(COUNT, values)
            if cursor.fetchone() is None:
                raise Throttled(wait(name, limit, now))


def wait(name: str, limit: Limit, now: datetime) -> int:
    """Whole seconds until the next attempt is allowed, at least 1."""
    row = Attempts.objects.filter(bucket=name).first()
    if row is None:
        return 1
    pause = min(limit.longest_s, 1 << min(row.failures - limit.free + 1, 20))
    return max(1, math.ceil((row.last_at - now).total_seconds() + pause))


def succeed(counted: list[tuple[str, Limit]]) -> None:
    """Reset the counts of account and device after a right password. The address only gets this attempt back: otherwise
    a stranger with an account of their own could reset it and try other accounts without a wait."""
    Attempts.objects.filter(bucket__in=[name for name, limit in counted if limit is not ADDRESS]).delete()
    take_back([(name, limit) for name, limit in counted if limit is ADDRESS])


def take_back(counted: list[tuple[str, Limit]]) -> None:
    """Uncount an attempt: it was right, or its password was not checked."""
    names = [name for name, _limit in counted]
    Attempts.objects.filter(bucket__in=names, failures__gt=0).update(failures=F("failures") - 1)


def purge(now: datetime) -> int:
    """Delete counts that have expired; returns how many."""
    return Attempts.objects.filter(last_at__lt=now - timedelta(seconds=FORGET_S)).delete()[0]
