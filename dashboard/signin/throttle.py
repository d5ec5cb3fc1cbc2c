"""Back-off of sign-ins, counted in Postgres before anything is hashed: all processes share it, and a restart keeps it.

Each attempt counts as failed when it begins and is taken back when it was right, so that many at once count too. An
account's back-off never ends by a lock: the longest wait is five minutes, whatever a stranger does. A browser that the
person signed in with before has a count of its own, so that a stranger who keeps an account in its back-off does not
keep its owner out.

Postgres and not Valkey: without Postgres nobody can sign in anyway, so there is no second way to fail, and nothing that
opens the door when it is away.
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

FORGET_S = 3_600  # after an hour without an attempt a count begins anew


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures cost nothing; each further one doubles the wait, from two seconds to the longest."""

    free: int
    longest_s: int


ACCOUNT = Limit(free=5, longest_s=300)
DEVICE = Limit(free=5, longest_s=900)
ADDRESS = Limit(free=20, longest_s=900)

# The wait is counted from the last attempt that was let through: who knocks during it makes it no longer.
COUNT = """
INSERT INTO dashboard_attempts AS a (bucket, failures, last_at) VALUES (%(bucket)s, 1, %(now)s)
ON CONFLICT (bucket) DO UPDATE SET last_at = %(now)s,
    failures = CASE WHEN a.last_at < %(forget)s THEN 1 ELSE least(a.failures, 1000) + 1 END
WHERE a.last_at < %(forget)s OR a.failures < %(free)s
    OR a.last_at + make_interval(secs => least(%(longest)s, 2 ^ least(a.failures - %(free)s + 1, 20))) <= %(now)s
RETURNING a.failures
"""


class Throttled(Exception):
    """Too many attempts; nothing was hashed. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many attempts; the next one is heard in {retry_after} s.")
        self.retry_after = retry_after


def bucket(kind: str, name: str) -> str:
    """The name of a count; names as people typed them are not stored."""
    return f"{kind}:{sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def buckets(username: str, address: str, device: str) -> list[tuple[str, Limit]]:
    """What an attempt counts for. A device that its owner has signed in with counts for itself alone."""
    name = username.casefold()
    if device:
        return [(bucket("device", f"{name}\0{device}"), DEVICE)]
    client = [(bucket("address", network(address)), ADDRESS)] if address else []
    return [*client, (bucket("account", name), ACCOUNT)]


def begin(counted: list[tuple[str, Limit]]) -> None:
    """Count an attempt as failed. Raises Throttled where one of its counts is in its back-off."""
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
    """Whole seconds until the next attempt is heard, at least one."""
    row = Attempts.objects.filter(bucket=name).first()
    if row is None:
        return 1
    pause = min(limit.longest_s, 1 << min(row.failures - limit.free + 1, 20))
    return max(1, math.ceil((row.last_at - now).total_seconds() + pause))


def succeed(counted: list[tuple[str, Limit]]) -> None:
    """The attempt was right: its account and device begin anew. The address does not, or one account that a stranger
    holds would let them try all others without a pause; its own attempt is taken back."""
    Attempts.objects.filter(bucket__in=[name for name, limit in counted if limit is not ADDRESS]).delete()
    take_back([(name, limit) for name, limit in counted if limit is ADDRESS])


def take_back(counted: list[tuple[str, Limit]]) -> None:
    """An attempt that came to nothing, right or wrong, counts no more."""
    names = [name for name, _limit in counted]
    Attempts.objects.filter(bucket__in=names, failures__gt=0).update(failures=F("failures") - 1)


def purge(now: datetime) -> int:
    """Counts that are over; returns how many."""
    return Attempts.objects.filter(last_at__lt=now - timedelta(seconds=FORGET_S)).delete()[0]
