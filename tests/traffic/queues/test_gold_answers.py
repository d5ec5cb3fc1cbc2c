"""Gold answers: what is right of them is known, queues mix them in, and raters are held to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from lib.periods import Period
from tests.traffic.people import application, logged_in, person, text
from tests.traffic.queues.test_queues import answers, queue, rate, rater
from traffic.ingest.context import clear_cache
from traffic.models import Application, QueueEntry, Rating, RatingDay, Request, RequestBody
from traffic.quality.queries import quality
from traffic.quality.shared_answers import gold_right
from traffic.queues import queries
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement
from traffic.usage.filters import Filters


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    clear_cache()
    return application("shop")


@pytest.fixture
def decider(shop: Application) -> User:
    user = person("olga", "traffic.add_rating", "traffic.view_quality", "traffic.adjudicate")
    shop.members.add(user)
    return user


def recent() -> Period:
    now = timezone.now()
    return Period(now - timedelta(days=30), now + timedelta(days=1))


def rated_in_turn(client: Any, made: Any, n: int) -> list[Any]:
    return [rate(client, made) for _ in range(n)]


def test_a_queue_mixes_one_gold_answer_in_with_each_ten_for_each_rater(
    conn: psycopg.Connection, shop: Application, decider: User
) -> None:
    good, bad, other = gold = answers(conn, shop, 3, task="chat")
    answers(conn, shop, 60)
    for row, right in ((good, True), (bad, False), (other, True)):
        ratings.make_gold(request=row, right=right, by=decider)
    made = queue(size=60)
    names = {row.id for row in gold}
    assert not names & set(made.entries.values_list("request_id", flat=True)), "a queue does not ask for one"
    places = []
    for name in ("ada", "ben"):
        client = logged_in(rater(name, shop))
        order = rated_in_turn(client, made, 22)
        places.append([place for place, request in enumerate(order) if request in names])
        assert len(places[-1]) == 2 and 2 <= places[-1][0] < 11 <= places[-1][1] < 22
    assert places[0] != places[1], "each rater has places of their own"
    assert rate(logged_in(decider), made) not in names
    # What is rated of them counts for its rater, not for the queue's need.
    mine = queries.progress_of(made, User.objects.get(username="ada"))
    assert (mine.needed, mine.rated, mine.mine) == (60 + 4, 22 + 22 + 1, 22)


def test_a_gold_answer_on_screen_changes_no_count_and_is_given_to_no_other(
    conn: psycopg.Connection, shop: Application, decider: User
) -> None:
    answers(conn, shop, 12)
    (gold,) = answers(conn, shop, 1, task="chat")
    ratings.make_gold(request=gold, right=True, by=decider)
    made, ada = queue(size=12), rater("ada", shop)
    client = logged_in(ada)
    while (shown := client.get("/quality/rate/", {"queue": made.pk}).context["page"]).answer.request.id != gold.id:
        client.post("/quality/rate/", {"queue": made.pk, "request": str(shown.answer.request.id), "stars": 4})
    assert shown.work.needed == 12 and queries.left_for(ada)[made.pk] == 12 - shown.work.rated
    QueueEntry.objects.filter(gold=True).update(reserved_until=timezone.now() - timedelta(hours=1))
    ratings.rate(request=gold, judgement=Judgement("", stars=2), rater=rater("ben", shop))
    entry = QueueEntry.objects.get(gold=True)
    assert (entry.rater_id, entry.rated_at) == (ada.pk, None), "another rater's judgement does not take it"
    RequestBody.objects.filter(request_id=gold.id).delete()
    assert client.get("/quality/rate/", {"queue": made.pk}).context["page"].answer.request.id != gold.id


@pytest.mark.parametrize("scope", [{"task": "code"}, {"application": "other"}])
def test_a_queue_of_other_answers_mixes_none_in(
    conn: psycopg.Connection, shop: Application, decider: User, scope: dict[str, Any]
) -> None:
    ada, other = rater("ada", shop), application("other")
    other.members.add(ada)
    (gold,) = answers(conn, shop, 1, task="chat")
    answers(conn, other, 12, task="code")
    ratings.make_gold(request=gold, right=True, by=decider)
    made = queue(size=12, **{**scope, **({"application": other} if "application" in scope else {})})
    assert gold.id not in rated_in_turn(logged_in(ada), made, 12) and not made.entries.filter(gold=True).exists()


def test_ratings_of_a_gold_answer_count_in_no_share_until_it_is_none_any_more(
    conn: psycopg.Connection, shop: Application, decider: User
) -> None:
    gold, plain = answers(conn, shop, 2)
    ada, ben = rater("ada", shop), rater("ben", shop)
    made = queue(size=1, sampling="newest", ratings_per_answer=3, overlap_percent=100)
    assert made.entries.get(number=2).request_id == plain.id
    ratings.rate(request=gold, judgement=Judgement("", stars=1), rater=ada)
    ratings.rate(request=plain, judgement=Judgement("", stars=5), rater=ada)

    def counted() -> list[int]:
        ((group,), days) = quality(recent()), RatingDay.objects.all()
        return [group.ratings, group.acceptable, sum(day.ratings for day in days), sum(day.acceptable for day in days)]

    assert counted() == [2, 1, 2, 1]
    ratings.make_gold(request=gold, right=False, by=decider)
    ratings.make_gold(request=gold, right=True, by=decider)
    ratings.rate(request=gold, judgement=Judgement("", stars=4), rater=ben)
    ratings.rate(request=gold, judgement=Judgement("", stars=5), rater=decider)
    ratings.rate(request=gold, judgement=Judgement("u", score=-1))
    assert counted() == [1, 1, 1, 1]
    period = recent()
    assert gold_right(period, Filters()) == {f"#{ada.pk}": (0, 1), f"#{ben.pk}": (1, 1)}, "not who decided"
    ratings.make_gold(request=plain, right=True, by=decider)
    assert made.entries.filter(rated_at=None).count() == 0, "an answer that a queue had is not asked for any more"
    ratings.end_gold(plain)
    ratings.end_gold(gold)
    assert counted() == [5, 3, 5, 3] and gold_right(period, Filters()) == {}


def test_the_page_of_a_request_makes_it_one_and_the_scoreboard_says_who_is_right(
    conn: psycopg.Connection, shop: Application, decider: User
) -> None:
    (gold, plain) = answers(conn, shop, 2)
    ada = rater("ada", shop)
    client, url = logged_in(decider), f"/requests/{gold.id}/"
    assert "It is acceptable" in text(client, url)
    assert "cannot be a gold answer" in client.post(f"{url}gold/", {"right": "2"}, follow=True).content.decode()
    page = client.post(f"{url}gold/", {"right": "0"}, follow=True).content.decode()
    assert "This is a gold answer now. Its ratings do not count as quality." in page
    assert "Gold answer: not acceptable." in page and "No ratings" in page, "the decision is no rating"
    assert Rating.objects.get().rater is None and "Gold answer" not in text(logged_in(ada), url)
    assert logged_in(ada).post(f"{url}gold/", {"right": "1"}).status_code == 403
    ratings.rate(request=gold, judgement=Judgement("", stars=2), rater=ada)
    ratings.rate(request=plain, judgement=Judgement("", stars=5), rater=ada)
    board = text(client, "/quality/")
    assert "Gold answers right" in board and "1 of 1" in board and "<b>1 rating</b>" in board
    client.post(f"{url}gold/", {"right": ""})
    assert "<b>2 ratings</b>" in text(client, "/quality/") and "1 of 1" not in text(client, "/quality/")
    RequestBody.objects.all().delete()
    page = client.post(f"{url}gold/", {"right": "1"}, follow=True).content.decode()
    assert "raters cannot read its text" in page and "This is a gold answer now" not in page
    assert Request.objects.count() == 2
