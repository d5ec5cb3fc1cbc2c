"""Queues: what they are drawn from, who gets which answer, and how far they are."""

from __future__ import annotations

import re
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lib import sql
from tests.factories import DeploymentFactory, TrialFactory
from tests.query_ceilings import ceiling
from tests.traffic.gateway_stack import until
from tests.traffic.people import application, arrive, logged_in, person, text
from traffic.ingest.context import clear_cache
from traffic.models import (
    Abstention,
    Application,
    QueueEntry,
    Rating,
    RatingQueue,
    Request,
    RequestBody,
    TrialCall,
    TrialPrompt,
    TrialStep,
)
from traffic.queues import queries, services
from traffic.queues.sampling import ratings_needed
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement

RATE = "/quality/rate/"


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    clear_cache()
    return application("shop")


@pytest.fixture
def ada(shop: Application) -> User:
    return rater("ada", shop)


def rater(name: str, shop: Application) -> User:
    user = person(name, "traffic.add_rating")
    shop.members.add(user)
    return user


def answers(conn: psycopg.Connection, shop: Application, n: int = 1, **values: Any) -> list[Request]:
    """Answers of the last hour, the newest last."""
    start = timezone.now() - timedelta(hours=1)
    return arrive(
        conn,
        *(
            {"application_id": shop.pk, "started_at": start + timedelta(minutes=k), "external_id": f"q{k}{values}",
             "prompt": "Why?", "answer": f"Answer {k}.", **values}
            for k in range(n)
        ),
    )  # fmt: skip


def queue(**values: Any) -> RatingQueue:
    """A queue that is drawn."""
    made = RatingQueue.objects.create(
        **{"name": "First look", "question": "Is it right?", "overlap_percent": 0, **values}
    )
    services.fill(made, timezone.now())
    return made


def requests_of(made: RatingQueue) -> list[Any]:
    return list(made.entries.filter(number=0).order_by("position").values_list("request_id", flat=True))


def rate(client: Client, made: RatingQueue, stars: int = 4) -> Any:
    """Rate what the queue shows; the request that was rated, None where it shows none."""
    response = client.get(RATE, {"queue": made.pk})
    answer = response.context["page"].answer
    if answer is None:
        return None
    client.post(RATE, {"queue": made.pk, "request": str(answer.request.id), "stars": stars})
    return answer.request.id


# What a queue is drawn from.


def test_the_newest_answers_come_first_and_no_others(
    conn: psycopg.Connection, shop: Application, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="breakeven")
    kept = answers(conn, shop, 4)
    answers(conn, shop, 1, task="code")
    answers(conn, shop, 1, answer="")
    answers(conn, application("closed", captures=False), 1)
    made = queue(sampling="newest", task="rag", size=3)
    assert requests_of(made) == [row.id for row in reversed(kept)][:3]
    assert f"rating_queue_filled queue_id={made.pk} answers=3" in caplog.text
    assert services.fill(made, timezone.now()) == 1, "the one that is left"
    assert services.fill(made, timezone.now()) == 0


def test_a_random_queue_has_an_order_of_its_own(conn: psycopg.Connection, shop: Application) -> None:
    answers(conn, shop, 12)
    first, second = queue(size=12), queue(size=12)
    assert set(requests_of(first)) == set(requests_of(second)) and requests_of(first) != requests_of(second)


def test_strata_have_equal_shares(conn: psycopg.Connection, shop: Application) -> None:
    own, vendor = DeploymentFactory.create(), DeploymentFactory.create(provider="anthropic")
    answers(conn, shop, 9, deployment_id=own.pk)
    answers(conn, shop, 2, deployment_id=vendor.pk)
    answers(conn, shop, 2, deployment_id=vendor.pk, task="code")
    made = queue(sampling="stratified", size=6)
    rows = Request.objects.filter(id__in=requests_of(made)).values_list("deployment", "task")
    assert sorted(Counter(rows).values()) == [2, 2, 2]


def test_flagged_are_those_that_end_users_rated_badly(conn: psycopg.Connection, shop: Application) -> None:
    good, bad, poor, ours = answers(conn, shop, 4)
    ratings.rate(request=good, judgement=Judgement("u", stars=5))
    ratings.rate(request=bad, judgement=Judgement("u", score=-1))
    ratings.rate(request=poor, judgement=Judgement("u", stars=2))
    ratings.rate(request=ours, judgement=Judgement("ada", stars=1), rater=rater("ada", shop))
    assert requests_of(queue(sampling="flagged")) == [poor.id, bad.id]


def test_disagreements_come_with_the_widest_first(conn: psycopg.Connection, shop: Application) -> None:
    _same, near, wide, _single = rows = answers(conn, shop, 4)
    for request, stars in zip(rows, ((4, 4), (3, 4), (1, 5), (1,)), strict=True):
        for number, given in enumerate(stars):
            ratings.rate(request=request, judgement=Judgement(f"u{number}", stars=given))
    assert requests_of(queue(sampling="disputed")) == [wide.id, near.id], "3 and 4 disagree on what is acceptable"


@pytest.mark.parametrize(("percent", "several"), [(0, 0), (20, 20), (33, 33), (100, 100)])
def test_the_overlap_lies_evenly_over_the_set(percent: int, several: int) -> None:
    made = RatingQueue(overlap_percent=percent, ratings_per_answer=3)
    needed = [ratings_needed(made, place) for place in range(100)]
    assert needed.count(3) == several and needed.count(1) == 100 - several
    assert all(needed[first : first + 10].count(3) <= -(-percent // 10) for first in range(0, 100, 10))


# Who gets which answer.


def test_two_raters_get_different_answers_and_the_overlap_twice(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 4)
    made = queue(overlap_percent=50, ratings_per_answer=2)
    clients = [logged_in(ada), logged_in(rater("bea", shop))]
    rated = Counter(request for _n in range(4) for client in clients if (request := rate(client, made)))
    assert sorted(rated.values()) == [1, 1, 2, 2]
    assert Rating.objects.count() == 6 and not made.entries.filter(rated_at=None).exists()
    progress = queries.progress_of(made, ada)
    assert (progress.needed, progress.rated, progress.mine, progress.done) == (6, 6, 3, True)
    assert "Nothing is left for you in this queue" in text(clients[0], f"{RATE}?queue={made.pk}")


def test_the_end_of_a_queue_names_no_model_while_other_answers_wait(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 1)
    made, client = queue(), logged_in(ada)
    first = rate(client, made)
    end = text(client, f"{RATE}?queue={made.pk}")
    assert "claude-test" in end, "nothing waits any more"
    answers(conn, shop, 1, model="claude-other")
    end = text(client, f"{RATE}?queue={made.pk}")
    assert "Nothing is left for you" in end and "after today’s batch" in end and "claude-test" not in end
    assert f"/requests/{first}/" not in end


def test_an_answer_on_screen_is_reserved_until_its_time_is_out(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 1)
    made, bea, now = queue(), rater("bea", shop), timezone.now()
    mine = services.reserve_next(queue=made, rater=ada, within=[shop.pk], now=now)
    again = services.reserve_next(queue=made, rater=ada, within=[shop.pk], now=now)
    assert mine is not None and mine == again, "another tab shows the same answer"
    soon, late = now + services.RESERVED / 2, now + services.RESERVED
    assert services.reserve_next(queue=made, rater=bea, within=[shop.pk], now=soon) is None
    services.extend(ada, mine.request_id, soon)
    assert services.reserve_next(queue=made, rater=bea, within=[shop.pk], now=late) is None, "she still types"
    assert services.reserve_next(queue=made, rater=bea, within=[shop.pk], now=late + services.RESERVED) == mine
    ratings.rate(request=Request.objects.get(id=mine.request_id), judgement=Judgement("ada", stars=2), rater=ada)
    assert Rating.objects.count() == 1, "her rating is stored all the same"


@pytest.mark.django_db(transaction=True)
def test_raters_who_come_at_once_get_different_answers(shop: Application, conn: psycopg.Connection) -> None:
    answers(conn, shop, 8)
    made = queue(overlap_percent=100, ratings_per_answer=2)
    raters = [rater(f"r{n}", shop) for n in range(4)]
    got: list[tuple[int, Any, int]] = []
    begin = threading.Barrier(4)

    def take(user: User, most: int) -> None:
        for _n in range(most):
            entry = services.reserve_next(queue=made, rater=user, within=[shop.pk], now=timezone.now())
            if entry is None:
                return
            got.append((user.pk, entry.request_id, entry.number))
            QueueEntry.objects.filter(pk=entry.pk).update(rated_at=timezone.now())

    def work(user: User) -> None:
        begin.wait()
        try:
            take(user, 4)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[user]) for user in raters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A rater whose last free answers are locked or rated already gets none; others are given those afterwards.
    for user in raters:
        take(user, 16)
    assert len(got) == 16 and len({(request, number) for _user, request, number in got}) == 16
    assert len({(user, request) for user, request, _number in got}) == 16, "no rater has an answer twice"


def test_a_reservation_that_expired_and_went_to_another_rater_is_theirs(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 1)
    made, bea, later = queue(), rater("bea", shop), timezone.now() + timedelta(minutes=20)
    services.reserve_next(queue=made, rater=ada, within=[shop.pk], now=timezone.now())
    got: list[QueueEntry | None] = []

    def reload() -> None:
        try:
            got.append(services.reserve_next(queue=made, rater=ada, within=[shop.pk], now=later))
        finally:
            connection.close()

    thread = threading.Thread(target=reload)
    with transaction.atomic():
        assert services.reserve_next(queue=made, rater=bea, within=[shop.pk], now=later) is not None
        thread.start()
        waits = "FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        until(lambda: sql.rows(f"SELECT 1 {waits}", {}))
    thread.join()
    assert got == [None] and QueueEntry.objects.get().rater == bea


def test_the_answer_loaded_ahead_is_reserved_beside_the_one_on_screen_and_two_at_most(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 4)
    made, bea, now = queue(), rater("bea", shop), timezone.now()
    whose: dict[str, Any] = {"queue": made, "within": [shop.pk], "now": now}
    first = services.reserve_next(rater=ada, **whose)
    assert first is not None
    ahead = services.reserve_next(rater=ada, **whose, beside=first.request_id)
    assert ahead is not None and ahead != first
    assert services.reserve_next(rater=ada, **whose, beside=first.request_id) == ahead
    assert services.reserve_next(rater=ada, **whose, beside=ahead.request_id) == first
    assert services.reserve_next(rater=ada, **whose) == first, "a reload shows the one on screen"
    theirs = services.reserve_next(rater=bea, **whose)
    assert theirs is not None and theirs not in (first, ahead)
    late = whose | {"now": now + services.RESERVED}
    assert services.reserve_next(rater=bea, **late, beside=theirs.request_id) == first


def test_a_rating_confirms_the_answer_loaded_ahead_or_says_why_not(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 7)
    made, bea, client = queue(), rater("bea", shop), logged_in(ada)
    other = logged_in(bea)
    first = shown(client, f"{RATE}?queue={made.pk}")

    def ahead_of(request: str) -> str:
        return shown(client, f"{RATE}?queue={made.pk}&ahead=1&after={request}")

    def rated(request: str, ahead: str) -> Any:
        return client.post(RATE, {"queue": made.pk, "request": request, "stars": "4", "ahead": ahead}, follow=True)

    ahead = ahead_of(first)
    page = text(client, f"{RATE}?queue={made.pk}&ahead=1&after={first}")
    assert "1 of 7 ratings done, 1 by you" in page and f"at={first}" in page, "as it is when the first is rated"
    QueueEntry.objects.filter(request_id=ahead).update(reserved_until=timezone.now())
    response = rated(first, ahead)
    assert not response.redirect_chain and "Rated 4, Good." in response.content.decode()
    entry = QueueEntry.objects.get(request_id=ahead)
    assert entry.reserved_until is not None and entry.reserved_until > timezone.now(), "it is on screen now"

    following = ahead_of(ahead)
    QueueEntry.objects.filter(request_id=following).update(reserved_until=timezone.now())
    assert shown(other, f"{RATE}?queue={made.pk}") == following
    response = rated(ahead, following)
    assert response.redirect_chain and "Another rater has the next answer now." in response.content.decode()
    second = identifier(response)
    assert second not in (first, ahead, following)

    following = ahead_of(second)
    rated(following, "")
    response = rated(second, following)
    assert "You judged the next answer in another tab." in response.content.decode()
    third = identifier(response)

    following = ahead_of(third)
    RequestBody.objects.filter(request_id=following).delete()
    response = rated(third, following)
    assert "The text of the next answer was deleted." in response.content.decode()
    assert "Nothing is left for you in this queue" in response.content.decode()
    assert Rating.objects.count() == 5


def test_nothing_is_ahead_of_a_closed_queue_or_the_last_answer(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 2)
    made, client = queue(), logged_in(ada)
    first = shown(client, f"{RATE}?queue={made.pk}")
    ahead = shown(client, f"{RATE}?queue={made.pk}&ahead=1&after={first}")
    services.switch(made)
    for query in (f"queue={made.pk}&after={first}", "after=x", "", f"after={made.pk}", f"queue=x&after={first}"):
        assert client.get(f"{RATE}?ahead=1&{query}").status_code == 204
    response = client.post(
        RATE, {"queue": made.pk, "request": first, "stars": "4", "ahead": ahead}, follow=True
    )  # fmt: skip
    assert response.redirect_chain == [(RATE, 302)] and Rating.objects.count() == 1
    assert "This queue is closed, or you are not one of its raters." in response.content.decode()
    last = identifier(response)
    assert client.get(f"{RATE}?ahead=1&after={last}").status_code == 204


def test_a_rating_and_the_answer_after_it_take_few_statements(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 4)
    client, address = logged_in(ada), f"{RATE}?queue={queue().pk}"
    client.get(address)
    with CaptureQueriesContext(connection) as page:
        first = shown(client, address)
    with CaptureQueriesContext(connection) as ahead:
        following = shown(client, f"{address}&ahead=1&after={first}")
    with CaptureQueriesContext(connection) as rating:
        form = {"queue": address.partition("=")[2], "request": first, "stars": "4", "ahead": following}
        assert client.post(RATE, form).status_code == 200
    assert len(page) <= ceiling("/quality/rate/ of a queue")
    assert len(ahead) <= ceiling("/quality/rate/ of a queue, the next answer loaded ahead")
    assert len(rating) <= ceiling("a rating in a queue with the next answer loaded ahead")


def test_the_next_of_the_newest_answers_lies_ahead_too(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    answers(conn, shop, 3)
    client = logged_in(ada)
    first = shown(client, RATE)
    ahead = shown(client, f"{RATE}?ahead=1&after={first}")
    assert ahead != first and "Answer 2 of 3" in text(client, f"{RATE}?ahead=1&after={first}")
    response = client.post(RATE, {"request": first, "next": ahead, "stars": "4", "ahead": ahead})
    assert response.status_code == 200 and "Undo" in response.content.decode()
    assert shown(client, f"{RATE}?at={ahead}") == ahead
    last = shown(client, f"{RATE}?ahead=1&after={ahead}")
    client.post(RATE, {"request": last, "stars": "2"})
    response = client.post(RATE, {"request": first, "next": last, "stars": "4", "ahead": last}, follow=True)
    assert "You judged the next answer in another tab." in response.content.decode() and identifier(response) == ahead
    stranger = logged_in(person("sid", "traffic.add_rating"))
    assert stranger.get(f"{RATE}?ahead=1&after={first}").status_code == 204


def shown(client: Client, address: str) -> str:
    return identifier(client.get(address))


def identifier(response: Any) -> str:
    match = re.search(r'name="request" value="([^"]+)"', response.content.decode())
    assert match, response.content.decode()
    return match[1]


def test_only_named_raters_of_the_application_get_answers(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    answers(conn, shop, 1)
    made, bea, stranger = queue(), rater("bea", shop), person("sid", "traffic.add_rating")
    made.raters.set([ada, stranger])
    assert queries.left_for(ada) == {made.pk: 1} and queries.left_for(bea) == {} == queries.left_for(stranger)
    response = logged_in(bea).get(RATE, {"queue": made.pk}, follow=True)
    assert "This queue is closed, or you are not one of its raters." in response.content.decode()
    assert "Nothing is left for you in this queue" in text(logged_in(stranger), f"{RATE}?queue={made.pk}")
    assert "Answer 0." in text(logged_in(ada), f"{RATE}?queue={made.pk}")
    assert logged_in(ada).get(RATE, {"queue": "9" * 30}).status_code == 302


def test_what_cannot_be_judged_goes_to_another_rater_with_its_reason(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    (row,) = answers(conn, shop, 1)
    made, client = queue(), logged_in(ada)
    assert "Is it right?" in text(client, f"{RATE}?queue={made.pk}")
    client.post(RATE, {"queue": made.pk, "request": str(row.id), "cannot": "1", "comment": "I do not speak Italian."})
    assert Abstention.objects.get().reason == "I do not speak Italian."
    assert "Nothing is left" in text(client, f"{RATE}?queue={made.pk}")
    assert rate(logged_in(rater("bea", shop)), made) == row.id
    manager = logged_in(person("mara", "traffic.change_ratingqueue", "traffic.add_rating"))
    page = text(manager, f"/quality/queues/{made.pk}/")
    assert "I do not speak Italian." in page and "1 of 1 ratings are done." in page and "bea" in page


def test_undo_brings_the_answer_back_to_its_rater(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    answers(conn, shop, 1)
    made, client = queue(), logged_in(ada)
    request = rate(client, made)
    response = client.post(f"/quality/ratings/{Rating.objects.get().pk}/undo/")
    assert response["Location"] == f"{RATE}?queue={made.pk}&at={request}"
    assert "Answer 0." in text(client, response["Location"]) and queries.progress_of(made, ada).rated == 0
    assert services.reserve_next(
        queue=made, rater=rater("bea", shop), within=[shop.pk], now=timezone.now()
    ) is None  # fmt: skip


def test_a_rating_made_elsewhere_counts_in_the_queue(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    (row,) = answers(conn, shop, 1)
    made, private = queue(), queue(name="Of others")
    private.raters.set([rater("bea", shop)])
    logged_in(ada).post(RATE, {"request": str(row.id), "stars": "4"})
    assert queries.progress_of(made, ada).rated == 1 and queries.progress_of(private, ada).rated == 0
    logged_in(ada).post(RATE, {"request": str(row.id), "stars": "1"})
    assert queries.progress_of(made, ada).rated == 1


def test_a_text_that_was_deleted_is_passed_over(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    answers(conn, shop, 2)
    made = queue(sampling="newest")
    gone, stays = requests_of(made)
    RequestBody.objects.filter(request_id=gone).update(answer="")
    assert rate(logged_in(ada), made) == stays
    progress = queries.progress_of(made, ada)
    assert (progress.needed, progress.rated) == (1, 1)


def test_a_text_that_is_deleted_while_it_is_read_loses_no_rating(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    (row,) = answers(conn, shop, 1)
    made, client = queue(), logged_in(ada)
    form = {"queue": made.pk, "request": shown(client, f"{RATE}?queue={made.pk}"), "comment": "Too late."}
    RequestBody.objects.filter(request_id=row.id).delete()
    assert "Choose 1 to 5." in client.post(RATE, form).content.decode()
    page = client.post(RATE, form | {"stars": "2"}, follow=True).content.decode()
    assert "Rated 2, Poor." in page and "Nothing is left for you in this queue" in page
    assert Rating.objects.get().comment == "Too late." and queries.progress_of(made, ada).rated == 1


def test_a_queue_that_closes_keeps_the_rating_in_progress(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    (row,) = answers(conn, shop, 1)
    made, client = queue(), logged_in(ada)
    text(client, f"{RATE}?queue={made.pk}")
    services.switch(made)
    assert client.post(RATE, {"queue": made.pk, "request": str(row.id), "stars": "5"}).status_code == 302
    assert Rating.objects.count() == 1
    assert client.get(RATE, {"queue": made.pk})["Location"] == "/quality/queues/"


def test_open_queues_stand_first_and_then_those_that_closed_last(shop: Application, ada: User) -> None:
    for name in ("closed first", "closed last"):
        services.switch(queue(name=name))
    queue(name="open")
    names = [progress.queue.name for progress in queries.listed(ada, every=True)]
    assert names == ["open", "closed last", "closed first"]


def test_the_rubric_of_the_queue_is_shown_instead_of_the_tasks(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    from traffic.rubrics.services import save

    answers(conn, shop, 1)
    save(name="Of the task", task="rag", criteria=[{"key": "a", "name": "A", "kind": "yes_no", "anchors": []}])
    own = save(name="Own", task="", criteria=[{"key": "b", "name": "B", "kind": "yes_no", "anchors": []}])
    page = text(logged_in(ada), f"{RATE}?queue={queue(rubric=own).pk}")
    assert 'name="mark-b"' in page and 'name="mark-a"' not in page


# Prompts of other applications that a trial sent again.


def copied(conn: psycopg.Connection, shop: Application, trials: Application) -> Request:
    """An answer of the application `trials` to a stored prompt of `shop`."""
    (row,) = answers(conn, trials, 1, prompt="A secret of the shop.")
    trial = TrialFactory.create()
    step = TrialStep.objects.create(trial=trial, number=1, deployment=trial.candidate, concurrency=1)
    prompt = TrialPrompt.objects.create(trial=trial, number=1, task="rag", text="x", application=shop)
    TrialCall.objects.create(step=step, prompt=prompt, charged=0, request_id=row.id)
    return row


def test_members_of_trials_do_not_read_prompts_of_other_applications(
    conn: psycopg.Connection, shop: Application
) -> None:
    trials = application("trials")
    row, member = copied(conn, shop, trials), rater("tom", trials)
    made, client = queue(), logged_in(member)
    for address in (RATE, f"{RATE}?at={row.id}", f"{RATE}?queue={made.pk}", f"/requests/{row.id}/"):
        assert "A secret of the shop." not in text(client, address), address
    assert client.post(RATE, {"request": str(row.id), "stars": "4"}).status_code == 404
    assert queries.left_for(member) == {}
    assert str(row.id) not in text(client, "/requests/", words="secret"), "no word of the prompt can be tried"
    shop.members.add(member)
    assert str(row.id) in text(client, "/requests/", words="secret")
    assert "A secret of the shop." in text(client, f"/requests/{row.id}/")
    assert "A secret of the shop." in text(client, f"{RATE}?queue={made.pk}")


# Pages.


def test_a_manager_makes_a_queue_and_sees_its_progress(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    answers(conn, shop, 3)
    manager = logged_in(person("mara", "traffic.change_ratingqueue", "traffic.add_rating"))
    form = {"name": "Launch", "question": "Would you send it?", "sampling": "random", "size": "2",
            "overlap_percent": "50", "ratings_per_answer": "2", "raters": [ada.pk]}  # fmt: skip
    for words in ("every task", "every application", "every deployment"):
        assert f'<option value="" selected>{words}</option>' in text(manager, "/quality/queues/add/")
    for wrong in ({"size": "0"}, {"size": "2001"}, {"overlap_percent": "101"}, {"ratings_per_answer": "0"}):
        assert manager.post("/quality/queues/add/", form | wrong).status_code == 422, wrong
    made_at = manager.post("/quality/queues/add/", form)["Location"]
    assert "2 answers added to the queue." in text(manager, made_at)
    made = RatingQueue.objects.get()
    assert made.entries.count() == 3 and list(made.raters.all()) == [ada]
    assert "2 answers wait for your rating." in text(logged_in(ada), "/quality/queues/")
    figures = logged_in(person("fay", "costs.view_charge")).get("/api/v1/rating-queues").json()["queues"]
    assert [(row["name"], row["needed"], row["rated"], row["closed"]) for row in figures] == [("Launch", 3, 0, False)]
    manager.post(f"{made_at}fill/")
    assert made.entries.count() == 4
    assert "Queue closed. Its ratings stay." in text(manager, manager.post(f"{made_at}switch/")["Location"])
    assert "Launch" not in text(logged_in(ada), "/quality/queues/")
    assert logged_in(ada).get(made_at).status_code == 403 == logged_in(ada).post(f"{made_at}fill/").status_code
