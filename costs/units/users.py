"""What one user of an application costs: from its requests themselves, as many of the newest days as may be read.

No rollup knows users, so that nothing is kept of a user besides the requests: when these go, by retention or because
somebody's data is deleted, so does what is said here. What is read is bounded by the days' sums before it is read.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse

from costs.units.queries import ratio
from costs.verdicts.on_plan import FEWEST_DAYS
from lib.dates import DAY
from lib.money import ZERO
from lib.tokens import TOKEN_CLASSES
from traffic.models import Application, CostReason, Request, UsageDay

MOST_READ = 500_000  # requests of all applications in the days that are read
MOST_USERS = 20


@dataclass(frozen=True, slots=True)
class UserUnit:
    """One user's requests; `amount` is USD of the priced ones, measured: those on our own GPUs have no price each."""

    user: uuid.UUID
    requests: int
    leased: int
    unpriced: int
    tokens: int
    amount: Decimal
    by_day: tuple[Decimal, ...]  # USD, every day of the window
    first: date
    until: date
    application: str

    @property
    def short(self) -> str:
        return self.user.hex[:8]

    @property
    def priced(self) -> int:
        return self.requests - self.leased - self.unpriced

    @property
    def per_request(self) -> Decimal | None:
        return ratio(self.amount, self.priced)

    @property
    def change(self) -> Decimal | None:
        """Share by which the later half of the days costs more than the earlier one, a day in the middle left out."""
        half = len(self.by_day) // 2
        before, after = sum(self.by_day[:half], ZERO), sum(self.by_day[len(self.by_day) - half :], ZERO)
        return after / before - 1 if before else None

    @property
    def change_shown(self) -> Decimal | None:
        """`change`; None in a month with too few whole days behind it."""
        return self.change if len(self.by_day) > FEWEST_DAYS else None

    @property
    def requests_url(self) -> str:
        days = f"from={self.first:%Y-%m-%d}&to={self.until:%Y-%m-%d}"
        return f"{reverse('traffic:requests')}?application={self.application}&user={self.user}&{days}"


@dataclass(frozen=True, slots=True)
class UserUnits:
    """The dearest users of an application in the days from `first` to before `until`."""

    application: Application
    first: date
    until: date
    whole: bool  # whether that is all that was asked for
    users: int  # of whom there is a hash
    requests: int
    without: int  # requests that name no user
    rows: list[UserUnit]


def find_application(slug: str) -> Application | None:
    return Application.objects.filter(slug=slug).first()


def application_of(slug: str) -> Application:
    """Raises Http404."""
    return get_object_or_404(Application, slug=slug)


def user_units(application: Application, since: date, until: date) -> UserUnits:
    """Three statements, each over the days that may be read."""
    first = readable_since(since, until)
    read = Request.objects.filter(day__gte=first, day__lt=until, application_id=application.pk)
    totals: Mapping[str, Any] = read.aggregate(
        requests=Count("id"), without=Count("id", filter=Q(user_hash=None)), users=Count("user_hash", distinct=True)
    )
    sums = {
        "n": Count("id"),
        "leased": Count("id", filter=Q(cost_reason=CostReason.LEASED)),
        "missing": Count("id", filter=Q(cost=None) & ~Q(cost_reason=CostReason.LEASED)),
        "tokens": Sum(sum((F(name) for name in TOKEN_CLASSES[1:]), F(TOKEN_CLASSES[0])), default=0),
        "amount": Sum("cost", default=ZERO),
    }
    by_user: Any = read.exclude(user_hash=None).values("user_hash").order_by()
    top = list(by_user.annotate(**sums).order_by("-amount", "-n", "user_hash")[:MOST_USERS])
    days: dict[uuid.UUID, dict[date, Decimal]] = defaultdict(dict)
    most_expensive = by_user.filter(user_hash__in=[row["user_hash"] for row in top])
    for row in most_expensive.values("user_hash", "day").annotate(amount=Sum("cost", default=ZERO)):
        days[row["user_hash"]][row["day"]] = row["amount"]
    window = [first + n * DAY for n in range((until - first).days)]
    rows = [
        UserUnit(
            row["user_hash"], row["n"], row["leased"], row["missing"], int(row["tokens"]), row["amount"],
            tuple(days[row["user_hash"]].get(day, ZERO) for day in window), first, until, application.slug,
        )
        for row in top
    ]  # fmt: skip
    return UserUnits(
        application, first, until, first == since, totals["users"], totals["requests"], totals["without"], rows
    )


def readable_since(since: date, until: date) -> date:
    """The first day of the newest ones that may be read together; at least the last day."""
    counted = UsageDay.objects.filter(day__gte=since, day__lt=until).values("day").annotate(n=Sum("requests"))
    read = 0
    for row in counted.order_by("-day"):
        read += row["n"]
        if read > MOST_READ:
            day: date = row["day"]
            return min(day + DAY, until - DAY)
    return since
