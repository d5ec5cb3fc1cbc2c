"""Reads of the traffic tables, by noun."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from traffic.request_ids import day_of

if TYPE_CHECKING:
    from traffic.models import Application, Import, Key, Rating, Repricing, Request, Route, UsageDay, UsageHour  # noqa: F401


# As the index `traffic_request_odd` has it.
ODD = (
    ~models.Q(outcome="ok")
    | models.Q(uncached_input=None)
    | models.Q(cost=None, cost_reason__in=("unknown_model", "unknown_rate"))
)


class NaiveTime(models.Field[datetime, datetime]):
    """A timestamp without a zone, in UTC: the key of an index, which Django's own field would give a zone."""

    def db_type(self, connection: object) -> str:
        return "timestamp"


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


class ApplicationQuerySet(models.QuerySet["Application"]):
    def of_person(self, user: AbstractBaseUser | AnonymousUser) -> ApplicationQuerySet:
        """Applications whose requests this person may open: owned or a member of."""
        if user.pk is None:
            return self.none()
        return self.filter(models.Q(owner=user.pk) | models.Q(members=user.pk)).distinct()


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


class ImportQuerySet(models.QuerySet["Import"]):
    def due(self, now: datetime) -> ImportQuerySet:
        """Those that someone should be at and nobody is."""
        free = models.Q(claimed_until=None) | models.Q(claimed_until__lt=now)
        return self.filter(free, state__in=("running", "undoing"))

    def claim(self, pk: int, now: datetime, until: datetime) -> Import | None:
        """Take one that is due; None where another worker has it."""
        taken = self.due(now).filter(pk=pk).update(claimed_until=until)
        return self.get(pk=pk) if taken else None

    def of_file(self, sha256: str) -> Import | None:
        """The import that holds what this file says."""
        return self.exclude(state="undone").filter(sha256=sha256).first()


class RepricingQuerySet(models.QuerySet["Repricing"]):
    def at_work(self) -> RepricingQuerySet:
        return self.filter(state__in=("previewing", "running", "undoing"))

    def due(self, now: datetime) -> RepricingQuerySet:
        """Those that someone should be at and nobody is."""
        return self.at_work().filter(models.Q(claimed_until=None) | models.Q(claimed_until__lt=now))

    def claim(self, pk: int, now: datetime, until: datetime) -> Repricing | None:
        """Take one that is due; None where another worker has it."""
        taken = self.due(now).filter(pk=pk).update(claimed_until=until)
        return self.get(pk=pk) if taken else None

    def later_than(self, repricing: Repricing) -> RepricingQuerySet:
        """Those that wrote after this one over days of the same period and were not taken back."""
        later = self.filter(started_at__gt=repricing.started_at, changed__gt=0).exclude(pk=repricing.pk)
        later = later.filter(since__lt=repricing.until, until__gt=repricing.since)
        return later.exclude(state__in=("previewing", "previewed", "undone"))


class RequestQuerySet(models.QuerySet["Request"]):
    """The table is partitioned by day: every read starts with `in_days` or `by_id`."""

    def in_days(self, first: date, end: date) -> RequestQuerySet:
        """Requests of these UTC days, the last one exclusive."""
        return self.filter(day__gte=first, day__lt=end)

    def between(self, start: datetime, end: datetime, *, odd: bool) -> RequestQuerySet:
        """Those that began in a span of time, `end` exclusive, the newest first, by the index of all requests, or by
        that of those out of the ordinary: its key is the moment in UTC."""
        if not odd:
            return self.filter(started_at__gte=start, started_at__lt=end).newest_first()
        utc = models.Func(models.F("started_at"), template="(%(expressions)s AT TIME ZONE 'UTC')",
                          output_field=NaiveTime())  # fmt: skip
        within = {"utc__gte": naive(start), "utc__lt": naive(end)}
        return self.filter(ODD).alias(utc=utc).filter(**within).order_by("-utc", "-id")

    def by_id(self, identifier: uuid.UUID) -> Request | None:
        """The request of an id, found on the day that the id carries; None when there is none."""
        return self.filter(day=day_of(identifier), id=identifier).first()

    def newest_first(self) -> RequestQuerySet:
        return self.order_by("-started_at", "-id")


class UsageQuerySet(models.QuerySet["UsageHour | UsageDay"]):  # one class reads both tables
    pass


class RouteQuerySet(models.QuerySet["Route"]):
    def enabled(self) -> RouteQuerySet:
        return self.filter(enabled=True)


class RatingQuerySet(models.QuerySet["Rating"]):
    def in_days(self, first: date, end: date) -> RatingQuerySet:
        """Ratings of requests of these days, the last one exclusive; those that wait for theirs have no day."""
        return self.filter(day__gte=first, day__lt=end)

    def of_person(self, user: AbstractBaseUser | AnonymousUser) -> RatingQuerySet:
        """What this person said here; a program that uses the same name is somebody else."""
        return self.filter(rater_kind="person", by=user.get_username())

    def waiting(self) -> RatingQuerySet:
        """Sent for a request that has not arrived."""
        return self.filter(request_id=None)
