"""Reads whose SQL is written once give the rows of their query, whatever they are asked for, and at every time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate
from django.db.models.sql.compiler import SQLCompiler

from providers.models import Account, Deployment, Feed, Lease, TokenPrice
from providers.prepared import prepared

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@prepared
def leases(since: datetime, until: datetime, *, gpus: tuple[str, ...] = ()) -> QuerySet[Lease]:
    wanted = {"gpu__in": gpus} if gpus else {}
    return Lease.objects.filter(started_at__gte=since, started_at__lt=until, **wanted).select_related("account")


@prepared
def by_day(since: date, least: int, name: str) -> QuerySet[Any]:
    rows = Lease.objects.annotate(day=TruncDate("started_at", tzinfo=UTC)).filter(day__gte=since, account__slug=name)
    return rows.filter(gpu_count__gte=least).values("day").annotate(n=Sum("gpu_count")).order_by("day")


@prepared
def accounts() -> QuerySet[Account]:
    return Account.objects.with_feeds()


def lease(day: int, **more: Any) -> Lease:
    account, _made = Account.objects.get_or_create(slug="pods", name="Pods", kind="runpod")
    at = NOON + timedelta(days=day)
    return Lease.objects.create(account=account, external_id=f"{day}", started_at=at, seen_at=at,
                                **{"gpu": "RTX 4090", "price_per_hour": 1} | more)  # fmt: skip


def test_the_rows_are_those_of_the_values_of_each_time() -> None:
    first, second = lease(0), lease(1, gpu="H100")
    assert leases(NOON, NOON + timedelta(days=1)) == [first]
    assert set(leases(NOON, NOON + timedelta(days=2))) == {first, second}
    assert leases(NOON, NOON + timedelta(days=2), gpus=("H100",)) == [second]
    assert leases(NOON, NOON) == []


def test_what_was_written_since_is_in_the_next_answer() -> None:
    assert leases(NOON, NOON + timedelta(days=9)) == []
    made = lease(0)
    assert leases(NOON, NOON + timedelta(days=9)) == [made]
    Lease.objects.update(gpu="A100")
    assert leases(NOON, NOON + timedelta(days=9))[0].gpu == "A100"


def test_dates_numbers_and_texts_are_values_too(django_assert_num_queries: Any) -> None:
    lease(0, gpu_count=2), lease(1, gpu_count=8)
    with django_assert_num_queries(3):
        assert by_day(NOON.date(), 1, "pods") == [
            {"day": date(2026, 3, 1), "n": 2}, {"day": date(2026, 3, 2), "n": 8}
        ]  # fmt: skip
        assert by_day(NOON.date(), 3, "pods") == [{"day": date(2026, 3, 2), "n": 8}]
        assert by_day(NOON.date(), 1, "others") == []


def test_related_rows_come_along(django_assert_num_queries: Any) -> None:
    Feed.objects.create(account=lease(0).account, kind="costs", every_s=60, due_at=NOON)
    with django_assert_num_queries(1):
        assert [one.account.name for one in leases(NOON, NOON + timedelta(days=1))] == ["Pods"]
    with django_assert_num_queries(2):
        assert [[feed.kind for feed in one.feeds.all()] for one in accounts()] == [["costs"]]


def test_the_text_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    @prepared
    def prices(now: datetime) -> QuerySet[TokenPrice]:
        return TokenPrice.objects.filter(starts_at__lte=now)

    prices(NOON)
    monkeypatch.setattr(SQLCompiler, "as_sql", None)
    assert prices(NOON + timedelta(days=1)) is not None


def test_a_value_that_does_not_reach_the_query_as_it_is_is_refused() -> None:
    @prepared
    def a_day_later(now: datetime) -> QuerySet[Deployment]:
        return Deployment.objects.filter(state_since__lt=now + timedelta(days=1))

    @prepared
    def of_many(names: list[str]) -> QuerySet[Deployment]:
        return Deployment.objects.filter(slug__in=names)

    with pytest.raises(ValueError, match="does not reach"):
        a_day_later(NOON)
    with pytest.raises(TypeError, match="takes no list"):
        of_many(["a"])
