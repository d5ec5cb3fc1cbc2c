"""Reads of the traffic tables, by noun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractBaseUser
from django.db import models

if TYPE_CHECKING:
    from traffic.models import Application, Key, Rating, Request, Route, UsageDay, UsageHour  # noqa: F401


class ApplicationQuerySet(models.QuerySet["Application"]):
    def of_person(self, user: AbstractBaseUser) -> ApplicationQuerySet:
        """Applications whose requests this person may open: owned or a member of."""
        return self.filter(models.Q(owner=user.pk) | models.Q(members=user.pk)).distinct()


class KeyQuerySet(models.QuerySet["Key"]):
    def live(self) -> KeyQuerySet:
        """Not revoked; expiry is judged by the clock of the reader."""
        return self.filter(revoked_at=None)


class RequestQuerySet(models.QuerySet["Request"]):
    pass


class UsageQuerySet(models.QuerySet["UsageHour | UsageDay"]):  # type: ignore[type-var]  # one class reads both tables
    pass


class RouteQuerySet(models.QuerySet["Route"]):
    def enabled(self) -> RouteQuerySet:
        return self.filter(enabled=True)


class RatingQuerySet(models.QuerySet["Rating"]):
    pass
