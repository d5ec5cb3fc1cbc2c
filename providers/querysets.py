"""Reads of the providers' tables, by noun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from django.db import models
from django.db.models import Count, F, Func, Q, Sum, Value
from django.db.models.functions import Coalesce, Concat, Greatest

from lib.time_spans import Span
from providers.pricing.book import plain_name
from providers.uptime import report as uptime_report
from providers.uptime.report import DeploymentUptime

if TYPE_CHECKING:
    from providers.models import (  # noqa: F401  # names in the generic bases below
        Account,
        CheckHour,
        Deployment,
        Discount,
        Feed,
        Heartbeat,
        Lease,
        Maintenance,
        Offer,
        OfferWatch,
        Outage,
        StatusPage,
        TokenPrice,
        UnitPrice,
    )


PLANNED_SHOWN = 10


class AccountQuerySet(models.QuerySet["Account"]):
    def enabled(self) -> AccountQuerySet:
        return self.filter(enabled=True)

    def with_feeds(self) -> AccountQuerySet:
        """With how each of their polls goes; two statements in all."""
        return self.prefetch_related("feeds")


class FeedQuerySet(models.QuerySet["Feed"]):
    def due_now(self, now: datetime) -> int:
        """Make feeds due that nobody polls right now; returns how many."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lt=now)).update(due_at=now)

    def telling(self) -> FeedQuerySet:
        """Feeds whose watermark says what is whole at a provider: of accounts that are polled, and of those that were
        switched off where no other has one. What a vendor billed before stays billed."""
        polled = self.model._default_manager.filter(
            account__enabled=True, account__kind=models.OuterRef("account__kind"), kind=models.OuterRef("kind")
        ).exclude(complete_until=None)
        return self.filter(Q(account__enabled=True) | ~models.Exists(polled)).exclude(complete_until=None)


class OfferQuerySet(models.QuerySet["Offer"]):
    def available(self) -> OfferQuerySet:
        return self.filter(available=True)

    def cheapest(self) -> models.query.RawQuerySet[Offer]:
        """Of each GPU and kind the available offer with the lowest price, whatever else was filtered."""
        return self.model._default_manager.raw(CHEAPEST)

    def like(self, watch: OfferWatch) -> OfferQuerySet:
        """Those to be had that somebody waits for, whatever they cost."""
        found = self.filter(available=True, gpu=watch.gpu)
        for column, value in (
            ("kind", watch.kind),
            ("provider", watch.provider),
            ("region__icontains", watch.region),
            ("reliability__gte", watch.min_reliability),
        ):
            if value not in ("", None):
                found = found.filter(**{column: value})
        return found


class OfferWatchQuerySet(models.QuerySet["OfferWatch"]):
    def kept(self) -> OfferWatchQuerySet:
        """Those that nobody deleted."""
        return self.filter(deleted_at=None)


# A sort of all offers costs ten times the lowest prices and one look at the index for each of them.
CHEAPEST = """
SELECT offer.* FROM (
    SELECT gpu, kind, min(whole_per_gpu_hour) AS low FROM providers_offer WHERE available GROUP BY gpu, kind
) AS lowest
CROSS JOIN LATERAL (
    SELECT * FROM providers_offer AS o
    WHERE o.available AND o.gpu = lowest.gpu AND o.kind = lowest.kind AND o.whole_per_gpu_hour = lowest.low
    ORDER BY o.id LIMIT 1
) AS offer
ORDER BY offer.gpu, offer.kind
"""


class Seconds(Func):
    """Length of an interval in seconds, exact to the microsecond."""

    template = "EXTRACT(EPOCH FROM %(expressions)s)"
    output_field = models.DecimalField(max_digits=30, decimal_places=6)


class LeaseQuerySet(models.QuerySet["Lease"]):
    def active(self) -> LeaseQuerySet:
        return self.filter(ended_at=None)

    def with_spans(self, month_start: datetime) -> LeaseQuerySet:
        """Annotated with what their spans add up to: `observed_s` (seconds), `spent` and `spent_this_month` (USD
        seconds an hour: divide by 3600)."""
        whole = Seconds(F("spans__ends_at") - F("spans__starts_at"))
        inside = Seconds(F("spans__ends_at") - Greatest(F("spans__starts_at"), month_start))
        return self.annotate(
            observed_s=Coalesce(Sum(whole), Decimal(0)),
            spent=_added(whole * F("spans__price_per_hour")),
            spent_this_month=_added(Greatest(inside, Decimal(0)) * F("spans__price_per_hour")),
        )

    def newest_first(self) -> LeaseQuerySet:
        return self.order_by("-started_at", "-pk")

    def before(self, started_at: datetime, pk: int) -> LeaseQuerySet:
        """What stands behind a lease in that order."""
        return self.filter(Q(started_at__lt=started_at) | Q(started_at=started_at, pk__lt=pk))


def _added(amounts: Any) -> Coalesce:
    field: models.DecimalField[Any, Any] = models.DecimalField(max_digits=40, decimal_places=20)
    return Coalesce(Sum(amounts, output_field=field), Decimal(0), output_field=field)


# Before a certificate ends; authorities renew theirs a month ahead, so by then a renewal has failed.
TLS_WARNS = timedelta(days=21)


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def enabled(self) -> DeploymentQuerySet:
        return self.filter(enabled=True)

    def due(self, now: datetime) -> DeploymentQuerySet:
        """Deployments whose check is due and under way nowhere, the longest due first."""
        unclaimed = Q(check_claimed_until=None) | Q(check_claimed_until__lte=now)
        due = Q(check_due_at=None) | Q(check_due_at__lte=now)
        return self.filter(due, unclaimed, enabled=True, checked=True).order_by(F("check_due_at").asc(nulls_first=True))

    def tls_expiring(self, now: datetime) -> DeploymentQuerySet:
        """Those in use whose certificate ends within three weeks or has ended, the soonest first."""
        soon = self.filter(enabled=True, checked=True, tls_expires_at__lt=now + TLS_WARNS)
        return soon.order_by("tls_expires_at", "slug")

    def uptime_report(self, start: datetime, end: datetime) -> list[DeploymentUptime]:
        """Uptime, outages and days of each deployment between two moments, end exclusive."""
        return uptime_report.report(self, start, end)


class CheckHourQuerySet(models.QuerySet["CheckHour"]):
    def latency_by_hour(self, ids: Sequence[int], start: datetime, end: datetime) -> dict[int, list[float | None]]:
        """Mean milliseconds of the checks that went well, by deployment and hour; None where there was none."""
        first = uptime_report.hour_of(start)
        hours = [first + n * uptime_report.HOUR for n in range((end - first) // uptime_report.HOUR + 1)]
        known = {
            (row.deployment_id, row.hour): row.latency_sum_ms / (row.checks - row.failed)
            for row in self.filter(deployment__in=ids, hour__gte=first, hour__lt=end, checks__gt=F("failed"))
        }
        return {pk: [known.get((pk, hour)) for hour in hours] for pk in ids}


class OutageQuerySet(models.QuerySet["Outage"]):
    def open(self) -> OutageQuerySet:
        return self.filter(ended_at=None)

    def touching(self, start: datetime, end: datetime) -> OutageQuerySet:
        """Outages of which any part lies between two moments; one that lasts is still there at the end."""
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=start), started_at__lt=end)


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def spans(self, ids: Iterable[int], start: datetime, end: datetime) -> dict[int, list[Span]]:
        """Windows that touch the time between two moments, by deployment."""
        found: dict[int, list[Span]] = {}
        for row in self.filter(self._may_hold(start), deployment__in=list(ids), starts_at__lt=end):
            if spans := list(row.course.spans(start, end)):
                found.setdefault(row.deployment_id, []).extend(spans)
        return found

    def planned(self, ids: Iterable[int], now: datetime) -> list[tuple[Maintenance, Span]]:
        """With their deployments, each with the window of now or its next, those under way first."""
        rows = self.filter(self._may_hold(now), deployment__in=list(ids)).select_related("deployment")
        ahead = [(row, span) for row in rows if (span := row.course.ahead(now))]
        return sorted(ahead, key=lambda one: one[1].start)[:PLANNED_SHOWN]

    def over(self, now: datetime) -> MaintenanceQuerySet:
        """Those of which nothing comes any more, the last first."""
        return self.exclude(self._may_hold(now)).order_by("-starts_at")

    def _may_hold(self, since: datetime) -> Q:
        from providers.models.recurring import may_hold

        return may_hold("ends_at", since)


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def kept(self) -> HeartbeatQuerySet:
        """Those that nobody deleted."""
        return self.filter(deleted_at=None)

    def overdue(self, now: datetime) -> HeartbeatQuerySet:
        """Those whose time, grace included, has passed and that are not yet known to be down."""
        return self.kept().filter(paused=False, due_at__lte=now).exclude(state="down")


class StatusPageQuerySet(models.QuerySet["StatusPage"]):
    def kept(self) -> StatusPageQuerySet:
        """Those that nobody deleted."""
        return self.filter(deleted_at=None)

    def at(self, address: str) -> StatusPage | None:
        """The page that strangers find at an address: the name of a public one, the token of an unlisted one."""
        public = Q(access="public", slug=address)
        return self.kept().filter(public | Q(access="unlisted", token=address)).first()


class TokenPriceQuerySet(models.QuerySet["TokenPrice"]):
    def in_force(self, now: datetime) -> TokenPriceQuerySet:
        """Of each model the version that holds now, in the order of the book."""
        newest = self.filter(starts_at__lte=now).order_by("provider", "model", "-starts_at")
        return newest.distinct("provider", "model")

    def matching(self, text: str) -> TokenPriceQuerySet:
        """Whose provider and model hold every word of a text."""
        found = self
        for word in text.split():
            found = found.filter(Q(model__icontains=word) | Q(provider__icontains=word))
        return found

    def behind(self, provider: str, model: str) -> TokenPriceQuerySet:
        """What comes after a model in the order of the book."""
        return self.filter(Q(provider__gt=provider) | Q(provider=provider, model__gt=model))

    def of(self, provider: str, model: str) -> TokenPriceQuerySet:
        """Every version of one model, the newest first."""
        return self.filter(provider=provider, model=model).order_by("-starts_at")

    def counts(self) -> dict[str, int]:
        """Models, versions, and versions that a person entered."""
        return self.order_by().aggregate(
            models=Count(Concat("provider", Value("/"), "model"), distinct=True),
            versions=Count("pk"),
            entered=Count("pk", filter=Q(entered_by__isnull=False)),
        )


class Tiered(Protocol):
    """A request as far as its tier goes."""

    provider: str
    model: str
    started_at: datetime
    tier: str | None


class UnitPriceQuerySet(models.QuerySet["UnitPrice"]):
    def in_force(self, now: datetime) -> UnitPriceQuerySet:
        """Of each thing the version that holds now."""
        newest = self.filter(starts_at__lte=now).order_by("kind", "provider", "name", "variant", "-starts_at")
        return newest.distinct("kind", "provider", "name", "variant")

    def of(self, price: UnitPrice) -> UnitPriceQuerySet:
        """Every version of the same thing, the newest first."""
        same = {name: getattr(price, name) for name in ("kind", "provider", "name", "variant")}
        return self.filter(**same).order_by("-starts_at")

    def tier_factor(self, request: Tiered) -> Decimal | None:
        """By what the tier of a request changed its price, as the book says today; None without one, or unknown."""
        if not request.tier:
            return None
        total = Decimal(1)
        for tier in request.tier.split("+"):
            names = ("", request.model, plain_name(request.model))
            known = self.filter(kind="tier", provider=request.provider, name=tier, variant__in=names)
            found = known.filter(starts_at__lte=request.started_at).order_by("-variant", "-starts_at").first()
            if found is None:
                return None
            total *= found.amount
        return total

    def matching(self, text: str) -> UnitPriceQuerySet:
        """Whose provider, name and variant hold every word of a text."""
        found = self
        for word in text.split():
            found = found.filter(Q(name__icontains=word) | Q(provider__icontains=word) | Q(variant__icontains=word))
        return found


class DiscountQuerySet(models.QuerySet["Discount"]):
    def standing(self) -> DiscountQuerySet:
        """Those that nobody has taken back."""
        return self.filter(withdrawn_at=None)

    def overlapping(self, provider: str, model: str, starts_on: date, ends_on: date | None) -> DiscountQuerySet:
        """Standing ones of the same provider and model that hold on a day of this period; no end is for ever."""
        found = self.standing().filter(account__kind=provider, model=model)
        found = found.filter(Q(ends_on=None) | Q(ends_on__gte=starts_on))
        return found if ends_on is None else found.filter(starts_on__lte=ends_on)
