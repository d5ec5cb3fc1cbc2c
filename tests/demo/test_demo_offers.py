"""What the demo tells of prices before it began."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from demo import offers
from providers.models import OfferDay, OfferWatch

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)


def today(provider: str, gpu: str) -> None:
    OfferDay.objects.create(
        provider=provider,
        gpu=gpu,
        kind="spot",
        day=NOW.date(),
        low=Decimal(1),
        median=Decimal(2),
        high=Decimal(3),
        offers=4,
    )


def test_each_vendor_gets_ninety_days_once() -> None:
    today("runpod", "H100")
    assert offers.add_price_history(NOW) == 89
    assert offers.add_price_history(NOW) == 0
    today("vast", "H100")
    assert offers.add_price_history(NOW + timedelta(minutes=5)) == 89
    days = OfferDay.objects.filter(provider="vast").order_by("day")
    assert (days[0].day, len(days)) == (NOW.date() - timedelta(days=89), 90)
    assert all(Decimal("0.9") < one.low < Decimal("1.5") and one.low < one.median < one.high for one in days)
    assert len({one.low for one in days}) > 20, "prices that never move are no history"


def test_a_watch_that_a_person_removed_does_not_come_back() -> None:
    offers.add_watches()
    OfferWatch.objects.first().delete()  # type: ignore[union-attr]
    offers.add_watches()
    assert OfferWatch.objects.count() == len(offers.WATCHED) - 1
