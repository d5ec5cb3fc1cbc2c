"""Ratings are added up by day as they come, change and go, and eight weeks of them are scores."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from tests.factories import ApplicationFactory, DeploymentFactory
from traffic.models import Rating, RatingDay
from traffic.quality.scores import WEEKS, Score, days_of, scores
from traffic.usage.filters import Filters

TODAY = date(2026, 11, 20)
SUMS = ("ratings", "acceptable", "starred", "stars_sum", "stars_squares")


def rating(by: str = "ann", **given: Any) -> Rating:
    values = {"day": TODAY, "request_id": uuid.uuid4(), "rater_kind": "application", "model": "m", "task": "rag"}
    return Rating.objects.create(**{**values, "by": by, "stars": 5, **given})


def sums() -> dict[tuple[Any, ...], tuple[int, ...]]:
    rows = RatingDay.objects.filter(ratings__gt=0).values_list("day", "deployment_id", "model", "task", *SUMS)
    return {row[:4]: row[4:] for row in rows}


@pytest.mark.django_db
def test_sums_follow_ratings_that_come_change_and_go() -> None:
    first, second = rating(), rating(stars=None, score=-1)
    key = (TODAY, 0, "m", "rag")
    assert sums() == {key: (2, 1, 1, 5, 25)}
    second.stars = 4
    second.save()
    assert sums() == {key: (2, 2, 2, 9, 41)}
    Rating.objects.filter(pk=first.pk).update(task="qa")
    assert sums() == {key: (1, 1, 1, 4, 16), (TODAY, 0, "m", "qa"): (1, 1, 1, 5, 25)}
    Rating.objects.all().delete()
    assert sums() == {}


@pytest.mark.django_db
def test_a_rating_that_waits_counts_once_it_has_its_request() -> None:
    waiting = rating(day=None, request_id=None, response_id="msg_1")
    assert sums() == {}
    Rating.objects.filter(pk=waiting.pk).update(day=TODAY, request_id=uuid.uuid4())
    assert sums() == {(TODAY, 0, "m", "rag"): (1, 1, 1, 5, 25)}


@pytest.mark.django_db
def test_sums_of_many_at_once_are_those_of_each() -> None:
    Rating.objects.bulk_create(
        Rating(day=TODAY - timedelta(days=n % 3), request_id=uuid.uuid4(), by=f"r{n}", stars=1 + n % 5, model="m")
        for n in range(60)
    )
    Rating.objects.filter(stars__gt=1).update(stars=F("stars") - 1)
    whole = [sum(row[index] for row in sums().values()) for index in range(len(SUMS))]
    stars = [n for n in Rating.objects.values_list("stars", flat=True) if n]
    assert whole == [60, sum(n >= 4 for n in stars), 60, sum(stars), sum(n * n for n in stars)]


@pytest.mark.django_db
def test_scores_have_eight_weeks_and_pass_by_filters() -> None:
    own, shop = DeploymentFactory.create(slug="own"), ApplicationFactory.create(slug="shop")
    first, end = days_of(TODAY)
    assert (end - first).days == 7 * WEEKS
    rating(deployment=own, application=shop)
    rating(deployment=own, day=first, stars=2)
    rating(deployment=own, day=first - timedelta(days=1))
    rating(stars=1)
    by_key = {score.key: score for score in scores(TODAY, "deployment", Filters())}
    assert by_key["own"].weeks == [(1, 0), *[(0, 0)] * (WEEKS - 2), (1, 1)]
    assert by_key["own"].trend == [0.0, *[None] * (WEEKS - 2), 1.0]
    assert (by_key["own"].ratings, by_key["own"].mean, by_key[None].acceptable) == (2, 3.5, 0)
    filtered = Filters(application=[shop.pk], provider=["self"])
    assert [(score.key, score.ratings) for score in scores(TODAY, "task", filtered)] == [("rag", 1)]


def test_the_mean_has_an_interval_from_thirty_ratings_on() -> None:
    def score(fives: int, threes: int) -> Score:
        n = fives + threes
        return Score("a", n, fives, n, 5 * fives + 3 * threes, 25 * fives + 9 * threes)

    assert score(10, 10).mean_interval is None
    # 25 fives and 25 threes: mean 4, standard deviation 1.0102, half the interval 0.28.
    assert score(25, 25).mean_interval == pytest.approx((3.72, 4.28), abs=0.005)
    assert score(40, 0).mean_interval == (5.0, 5.0)


def test_a_day_is_of_utc() -> None:
    assert days_of(datetime(2026, 3, 28, 23, tzinfo=UTC).date())[1] == date(2026, 3, 29)
