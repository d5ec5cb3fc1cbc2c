"""Applications that are silent against their own usual rhythm: what the same hours of the weeks before brought."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Max, Sum

from traffic.models import Application, UsageHour

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
WEEKS = 4
LEAST_WEEKS = 2  # of history, before anything is usual
LONGEST = timedelta(hours=24)  # what is compared of a longer silence
FORGOTTEN = timedelta(days=14)  # who has been silent for so long has ended


@dataclass(frozen=True, slots=True)
class Silence:
    """An application without a request since `last`; `usual` is what the same hours brought in each week before."""

    application: str
    name: str
    last: datetime  # the end of the last hour with a request
    usual: tuple[int, ...]

    @property
    def expected(self) -> int:
        return int(median(self.usual))


def silences(now: datetime, least: timedelta) -> list[Silence]:
    """Applications silent for at least `least` and at most 14 days, that have two weeks of history. Three queries at
    most, whatever the number of applications."""
    hours = UsageHour.objects.filter(hour__gt=now - FORGOTTEN, hour__lte=now, requests__gt=0, application__gt=0)
    last = {pk: hour + HOUR for pk, hour in hours.values_list("application_id").annotate(last=Max("hour")).order_by()}
    quiet = {pk: end for pk, end in last.items() if now - end >= least}
    if not quiet:
        return []
    by_hour = _before(now, set(quiet))
    names = Application.objects.in_bulk(list(quiet))
    silent = []
    for pk, end in sorted(quiet.items()):
        usual = _usual(by_hour[pk], end, min(now, end + LONGEST))
        if pk in names and len(usual) >= LEAST_WEEKS:
            silent.append(Silence(names[pk].slug, names[pk].name, end, usual))
    return silent


def _before(now: datetime, applications: set[int]) -> dict[int, dict[datetime, int]]:
    """Requests of some applications by hour, of the weeks that are compared."""
    since = now - FORGOTTEN - WEEK * WEEKS
    rows = UsageHour.objects.filter(hour__gt=since, hour__lte=now, application__in=applications)
    by_application: dict[int, dict[datetime, int]] = defaultdict(dict)
    for pk, hour, n in rows.values_list("application_id", "hour").annotate(n=Sum("requests")).order_by():
        by_application[pk][hour] = n
    return by_application


def _usual(by_hour: dict[datetime, int], begin: datetime, end: datetime) -> tuple[int, ...]:
    """Requests between the two moments in each week before that has history; whole hours only."""
    first = min(by_hour, default=end)
    weeks = [WEEK * n for n in range(1, WEEKS + 1) if begin - WEEK * n >= first]
    last = end.replace(minute=0, second=0, microsecond=0)  # an hour that has only begun proves nothing
    return tuple(sum(n for at, n in by_hour.items() if begin <= at + week < last) for week in weeks)
