"""How far raters agree is added up by day, and is always that of the ratings as they are."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from datetime import date, timedelta
from statistics import fmean
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from lib.dates import midnight
from lib.periods import Period
from tests.factories import ApplicationFactory, DeploymentFactory
from tests.traffic.people import person
from traffic.models import Rating, RatingDay
from traffic.quality.agreement import krippendorff_alpha
from traffic.quality.shared_answers import Shared, add_up, shared
from traffic.tasks import attach_ratings
from traffic.usage.filters import Filters

TODAY = date(2026, 11, 20)
PERIOD = Period(midnight(TODAY - timedelta(days=6)), midnight(TODAY + timedelta(days=1)))


def answer(*stars: int | None, day: date = TODAY, **more: Any) -> list[Rating]:
    """Ratings of one answer, each by another user of an application."""
    values = {"day": day, "request_id": uuid.uuid4(), "rater_kind": "application", "model": "m", "task": "rag", **more}
    return Rating.objects.bulk_create(Rating(**values, by=f"r{n}", stars=star, score=1) for n, star in enumerate(stars))


def read(**filters: Any) -> Shared:
    return shared(PERIOD, Filters(**filters))


class AgreementOfAnyRatings(TestCase):
    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(1, 5), max_size=4)), max_size=12))
    def test_is_what_the_ratings_themselves_give_before_and_after_it_is_added_up(
        self, answers: list[tuple[str, list[int]]]
    ) -> None:
        Rating.objects.all().delete()
        for place, (task, stars) in enumerate(answers):
            answer(*stars, task=task, day=TODAY - timedelta(days=place % 3))
        units: dict[str, list[list[int]]] = defaultdict(list)
        for task, stars in answers:
            if len(stars) > 1:
                units[task].append(stars)
                units[""].append(stars)
        for _time in range(2):
            agreed = read().agreed
            for task, several in units.items():
                of_task = agreed["task"][task] if task else agreed[""][""]
                alpha = krippendorff_alpha([(Counter(stars), 1) for stars in several], "ordinal")
                assert of_task.alpha == (alpha if alpha is None else pytest.approx(alpha))
                assert (of_task.items, of_task.raters) == (len(several), max(map(len, several)))
            assert agreed["task"].keys() == units.keys() - {""}
            add_up()
            assert not RatingDay.objects.filter(agreement_due=True).exists()


@pytest.mark.django_db
def test_what_is_added_up_is_read_without_the_ratings() -> None:
    answer(1, 2)
    answer(5, 5, 4, day=TODAY - timedelta(days=3))
    attach_ratings()
    Rating.objects.all().delete()
    RatingDay.objects.update(agreement_due=False)  # as if no trigger had run
    assert (read().agreed[""][""].items, read().agreed[""][""].raters) == (2, 3)


@pytest.mark.django_db
def test_ratings_that_change_and_go_are_added_up_again() -> None:
    first, second = answer(1, 5), answer(3, 3)
    add_up()
    Rating.objects.filter(pk=first[0].pk).update(stars=5)
    Rating.objects.filter(pk=second[0].pk).delete()
    for _time in range(2):
        assert (read().agreed[""][""].items, read().agreed[""][""].alpha) == (1, None), "all values are the same"
        add_up()
    Rating.objects.filter(pk__in=[first[0].pk, second[1].pk]).delete()
    assert read().agreed[""] == {}, "one rating is left, which the old sums are not of"


@pytest.mark.django_db
def test_filters_choose_the_days_by_what_they_are_of() -> None:
    own, shop = DeploymentFactory.create(slug="own"), ApplicationFactory.create(slug="shop")
    answer(1, 2, deployment=own, application=shop)
    answer(4, 4, 5, task="qa")
    answer(4, 4, 5, day=TODAY - timedelta(days=7))
    for _time in range(2):
        assert {name: it.items for name, it in read().agreed["deployment"].items()} == {"own": 1, None: 1}
        assert read(application=[shop.pk], provider=["self"]).agreed["task"].keys() == {"rag"}
        assert read(task=["qa"]).agreed["model"]["m"].raters == 3
        add_up()


@pytest.mark.django_db
def test_a_rating_without_stars_is_no_part_of_it() -> None:
    answer(4, None, 2)
    answer(None, None)
    assert (read().agreed[""][""].items, read().agreed[""][""].raters) == (1, 2)


@pytest.mark.django_db
def test_the_bias_of_one_of_our_people_is_of_all_their_days() -> None:
    ada = person("ada")
    apart = []
    for number in range(12):
        others = [4, 2 + number % 4]
        Rating.objects.create(
            request_id=answer(*others, day=TODAY - timedelta(days=number % 4))[0].request_id, stars=2 + number % 2,
            day=TODAY - timedelta(days=number % 4), rater_kind="person", rater=ada, by=f"#{ada.pk}", model="m",
            task="rag",
        )  # fmt: skip
        apart.append(2 + number % 2 - fmean(others))
    for _time in range(2):
        ((name, bias),) = read().biases
        assert (name, bias.units) == (f"#{ada.pk}", 12) and bias.middle == pytest.approx(fmean(apart))
        add_up()


@pytest.mark.django_db
def test_many_days_are_added_up_by_a_fixed_number_of_statements_each() -> None:
    for day in range(25):
        answer(1, 2, day=TODAY - timedelta(days=day))
    with CaptureQueriesContext(connection) as taken:
        assert add_up() == 25
    stored = [entry for entry in taken.captured_queries if "UPDATE traffic_rating_day" in entry["sql"]]
    assert len(stored) == 3 and add_up() == 0
