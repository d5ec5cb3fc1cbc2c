"""The scoreboard: shares with their intervals to the contract; the rating queue; who may see and rate what."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lib.periods import Period
from tests.factories import DeploymentFactory
from tests.query_ceilings import ceiling
from tests.traffic.people import PROMPT, application, arrive, logged_in, person, text
from tests.traffic.request_rows import NOON
from traffic.authentication.keys import callers, create_key
from traffic.models import Application, Rating, Request, StoredScoreboard
from traffic.quality import queries as quality
from traffic.quality import scoreboard
from traffic.quality.queries import QualityGroup
from traffic.ratings import services as ratings
from traffic.ratings import waiting as waiting_ratings
from traffic.ratings.judgement import Judgement
from traffic.ratings.queue import waiting
from traffic.tasks import store_scoreboards
from traffic.visibility import rateable

DAY = NOON.replace(hour=0)
PERIOD = Period(DAY, DAY + timedelta(days=1))
URL = f"/api/v1/quality?from={DAY:%Y-%m-%d}&to={DAY + timedelta(days=1):%Y-%m-%d}"


def group(acceptable: int, total: int, key: str = "a") -> QualityGroup:
    return QualityGroup(key, total, acceptable, 1, None, None)


# Intervals. Pure.


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilsons_interval_is_as_newcombe_prints_it(successes: int, total: int, low: float, high: float) -> None:
    assert quality.wilson(successes, total) == pytest.approx((low, high), abs=5e-5)


def test_two_shares_differ_only_when_chance_would_not_do_it() -> None:
    # Newcombe's own example: 56 of 70 against 48 of 80 differ by 0.2, between 0.0524 and 0.3339.
    assert quality.difference(group(56, 70), group(48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-4)
    assert quality.differ(group(56, 70), group(48, 80))
    assert not quality.differ(group(17, 20), group(18, 20))


def test_a_group_passes_by_the_low_end_of_its_interval_and_not_before_thirty_ratings() -> None:
    assert group(50, 56).passes
    assert not group(20, 20).passes
    assert not group(40, 52).passes


# The report.


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    callers.clear()
    return application("shop")


@pytest.fixture
def get(shop: Application) -> Any:
    secret = create_key(name="reader", scopes=["read"])[1]
    return lambda url: Client().get(url, headers={"Authorization": f"Bearer {secret}"})


def judge(request: Request, by: str = "ann", rater: User | None = None, **judgement: Any) -> None:
    ratings.rate(request=request, judgement=Judgement(by, **judgement), rater=rater)


SHARES = [
    ({"score": 1}, 1), ({"score": 0}, 1), ({"score": -1}, 0), ({"stars": 5}, 1), ({"stars": 4}, 1), ({"stars": 3}, 0),
    ({"score": 0, "stars": 3}, 0), ({"score": 1, "stars": 3}, 0), ({"score": -1, "stars": 4}, 1),
    ({"score": -1, "stars": 3}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("judgement", "accepted"), SHARES)
def test_acceptable_is_4_stars_or_without_stars_a_score_of_0(
    shop: Application, conn: psycopg.Connection, judgement: dict[str, Any], accepted: int
) -> None:
    judge(arrive(conn, {"application_id": shop.pk})[0], **judgement)
    assert [g.acceptable for g in quality.quality(PERIOD)] == [accepted]


@pytest.mark.usefixtures("price")
def test_the_contracts_figures_by_every_group(get: Any, shop: Application, conn: psycopg.Connection) -> None:
    claude = DeploymentFactory.create(slug="claude", name="Claude", provider="anthropic", engine="anthropic", model="x")
    given = {"application_id": shop.pk, "deployment_id": claude.pk}
    first, second, third = arrive(conn, given, given, {"application_id": shop.pk, "task": "qa"})
    judge(first, "ann", score=1, stars=5)
    judge(first, "bob", stars=2)
    judge(second, "ann", score=0, stars=4)
    judge(third, "cat", score=-1)
    answer = get(f"{URL}&group_by=deployment")
    assert answer.status_code == 200, answer.content
    top, rest = answer.json()["groups"]
    assert (top["key"], top["ratings"], top["raters"]) == ("claude", 3, 2)
    assert top["acceptable_share"] == pytest.approx(2 / 3)
    assert top["interval"] == pytest.approx(quality.wilson(2, 3))
    assert top["mean_stars"] == pytest.approx(11 / 3)
    # 100 tokens at 3, 400 at 0.3, 200 at 15 dollars per million, over two thirds.
    assert Decimal(top["cost_per_accepted_answer"]) == pytest.approx(Decimal("0.00342") * 3 / 2)
    assert (rest["key"], rest["acceptable_share"], rest["mean_stars"]) == (None, 0, None)
    assert rest["cost_per_accepted_answer"] is None
    for group_by, keys in (("model", ["claude-test"]), ("task", ["rag", "qa"])):
        groups = get(f"{URL}&group_by={group_by}").json()["groups"]
        assert [one["key"] for one in groups] == keys
        assert sum(one["ratings"] for one in groups) == 4


def test_agreement_is_of_answers_that_several_people_rated(
    get: Any, shop: Application, conn: psycopg.Connection
) -> None:
    """The stars of Krippendorff's example of four observers (2011), whose ordinal alpha is 0.815."""
    own = DeploymentFactory.create(slug="own", name="Own", model="m")
    observers = {
        "ann": "1 2 3 3 2 1 4 1 2 . . .", "bob": "1 2 3 3 2 2 4 1 2 5 . 3", "cat": ". 3 3 3 2 3 4 2 2 5 1 .",
        "dan": "1 2 3 3 2 4 4 1 2 5 1 .",
    }  # fmt: skip
    requests = arrive(conn, *[{"application_id": shop.pk, "deployment_id": own.pk}] * 12, {"application_id": shop.pk})
    for by, values in observers.items():
        for request, stars in zip(requests, values.split(), strict=False):
            if stars != ".":
                judge(request, by, stars=int(stars))
    judge(requests[12], "ann", score=1)
    for group_by in ("deployment", "model", "task"):
        top = get(f"{URL}&group_by={group_by}").json()["groups"][0]
        assert top["agreement"]["alpha"] == pytest.approx(0.815, abs=0.0005), group_by
        assert (top["agreement"]["metric"], top["agreement"]["raters"], top["agreement"]["items"]) == ("ordinal", 4, 11)
    rest = get(URL).json()["groups"][1]
    assert rest["key"] is None and rest["agreement"] == {"alpha": None, "metric": "ordinal", "raters": 0, "items": 0}


def test_raters_who_do_not_agree_are_named_where_the_share_is_shown(
    viewer: Client, shop: Application, conn: psycopg.Connection
) -> None:
    requests = arrive(conn, *[{"application_id": shop.pk}] * 20)
    for n, request in enumerate(requests):
        judge(request, "ann", stars=5 if n % 2 else 1)
        judge(request, "bob", stars=5)
    page = text(viewer, "/quality/")
    assert "raters do not agree enough: alpha" in page and "over 20 answers" in page
    assert page.count("raters do not agree enough") > 1  # at the groups too
    Rating.objects.filter(by="bob").delete()
    assert "raters do not agree" not in text(viewer, "/quality/")


def test_an_answer_of_an_own_lease_has_no_known_cost(get: Any, shop: Application, conn: psycopg.Connection) -> None:
    own = DeploymentFactory.create(slug="own", name="Own", model="m")
    judge(arrive(conn, {"application_id": shop.pk, "deployment_id": own.pk})[0], score=1)
    (one,) = get(URL).json()["groups"]
    assert (one["key"], one["cost_per_accepted_answer"]) == ("own", None)


def test_filters_and_the_period_hold_for_ratings(get: Any, shop: Application, conn: psycopg.Connection) -> None:
    other = application("other")
    for request in arrive(
        conn,
        {"application_id": shop.pk},
        {"application_id": other.pk, "provider": "openai", "model": "gpt"},
        {"application_id": shop.pk, "started_at": NOON - timedelta(days=3)},
    ):
        judge(request, stars=5)
    assert sum(one["ratings"] for one in get(URL).json()["groups"]) == 2
    for query in ("provider=openai", "model=gpt", "application=other", "provider=openai&provider=none"):
        assert [one["ratings"] for one in get(f"{URL}&{query}").json()["groups"]] == [1], query
    assert get(f"{URL}&provider=nobody").json() == {"groups": []}


def test_a_rating_that_waits_does_not_count(get: Any, shop: Application) -> None:
    waiting_ratings.wait(identifier="msg_unknown", judgement=Judgement("ann", score=1), application_id=shop.pk)
    assert get(URL).json() == {"groups": []}


@pytest.mark.parametrize("query", ["group_by=hour", "from=x", "group_by="])
def test_a_wrong_parameter_is_422(get: Any, query: str) -> None:
    assert get(f"/api/v1/quality?{query}").status_code == 422


# The Quality page.


@pytest.fixture
def viewer(db: None) -> Client:
    return logged_in(person("mirela", "traffic.view_quality", "traffic.add_rating"))


def rated(conn: psycopg.Connection, shop: Application, good: int, bad: int, **given: Any) -> None:
    """Answers of today with one rating each."""
    start = timezone.now() - timedelta(hours=1)
    values = [
        {"application_id": shop.pk, "started_at": start, "external_id": f"{given}{n}", **given}
        for n in range(good + bad)
    ]
    for number, request in enumerate(arrive(conn, *values)):
        judge(request, f"r{number % 3}", stars=5 if number < good else 1)


def test_the_page_says_that_nothing_is_known_and_what_to_do(viewer: Client, shop: Application) -> None:
    page = text(viewer, "/quality/")
    assert "No ratings in the last 30 days" in page
    assert 'href="/quality/rate/"' in page


def test_a_small_sample_is_said_to_be_small(viewer: Client, shop: Application, conn: psycopg.Connection) -> None:
    rated(conn, shop, good=4, bad=1)
    page = text(viewer, "/quality/")
    assert "Only <b>5 ratings</b> in 30 days: too few to judge a model." in page
    assert "5 ratings: too few to call, 30 are needed" in page
    assert "No task has enough ratings to be judged" in page


def test_two_deployments_are_compared_and_chance_is_called_chance(
    viewer: Client, shop: Application, conn: psycopg.Connection
) -> None:
    one = DeploymentFactory.create(slug="one", name="One", provider="anthropic", engine="anthropic", model="x")
    two = DeploymentFactory.create(slug="two", name="Two", provider="anthropic", engine="anthropic", model="y")
    rated(conn, shop, good=36, bad=4, deployment_id=one.pk)
    rated(conn, shop, good=34, bad=6, deployment_id=two.pk)
    page = text(viewer, "/quality/")
    assert "<b>88 %</b> (78 %–93 %) of <b>80</b> ratings find the answer acceptable" in page
    assert ". For RAG in the last 90 days: One <b>90 %</b> (77 %–96 %), Two <b>85 %</b> (71 %–93 %)," in page
    assert "too close to call." in page
    rated(conn, shop, good=0, bad=40, deployment_id=two.pk, task="qa")
    assert "too close to call." in text(viewer, "/quality/"), "ratings of another task change nothing"
    rated(conn, shop, good=0, bad=41, deployment_id=two.pk)
    assert "a real difference." in text(viewer, "/quality/")


def test_deployments_with_different_tasks_are_not_compared(
    viewer: Client, shop: Application, conn: psycopg.Connection
) -> None:
    for slug, task, good in (("one", "rag", 40), ("two", "code", 20)):
        made = DeploymentFactory.create(slug=slug, name=slug, provider="anthropic", engine="anthropic", model=slug)
        rated(conn, shop, good=good, bad=40 - good, deployment_id=made.pk, task=task)
    page = text(viewer, "/quality/")
    assert "Deployments are not compared: no task has enough ratings of two of them in the last 90 days." in page
    assert "a real difference" not in page


def test_the_period_lives_in_the_url(viewer: Client, shop: Application, conn: psycopg.Connection) -> None:
    judge(arrive(conn, {"application_id": shop.pk, "started_at": NOON - timedelta(days=20)})[0], stars=5)
    assert "No ratings in the last 7 days" in text(viewer, "/quality/", days=7)
    assert "Only <b>1 rating</b> in 90 days" in text(viewer, "/quality/", days=90)
    assert "Only <b>1 rating</b> in 30 days" in text(viewer, "/quality/", days="x")


def test_comments_are_shown_only_of_requests_that_one_may_open(
    viewer: Client, shop: Application, conn: psycopg.Connection
) -> None:
    judge(arrive(conn, {"application_id": shop.pk})[0], stars=1, comment="It named a customer.")
    assert "It named a customer." not in text(viewer, "/quality/")
    shop.members.add(User.objects.get(username="mirela"))
    assert "It named a customer." in text(viewer, "/quality/")
    assert "It named a customer." in text(
        logged_in(person("tilda", "traffic.view_quality", "traffic.view_request")), "/quality/"
    )


@pytest.mark.usefixtures("price")
def test_only_who_may_see_figures_sees_what_an_accepted_answer_costs(
    viewer: Client, shop: Application, conn: psycopg.Connection
) -> None:
    rated(conn, shop, good=36, bad=4)
    manager = logged_in(person("mara", "traffic.view_quality", "costs.view_charge"))
    page, figures = text(viewer, "/quality/"), text(manager, "/quality/")
    for money in ("USD per accepted answer", "0.0038", "has their share of the lease", "API (JSON)"):
        assert money in figures
        assert money not in page
    assert "of <b>40</b> ratings find the answer acceptable" in page
    (link,) = re.findall(r'href="(/api/v1/quality[^"]+)"', figures)
    assert manager.get(link.replace("&amp;", "&")).status_code == 200
    assert viewer.get(link.replace("&amp;", "&")).status_code == 403


def test_the_page_takes_a_fixed_number_of_statements(
    viewer: Client, shop: Application, conn: psycopg.Connection
) -> None:
    shop.members.add(User.objects.get(username="mirela"))
    rated(conn, shop, good=1, bad=0)
    with CaptureQueriesContext(connection) as few:
        text(viewer, "/quality/")
    for task in ("qa", "code", "chat"):
        rated(conn, shop, good=3, bad=2, task=task, model=f"m-{task}")
    with CaptureQueriesContext(connection) as many:
        text(viewer, "/quality/")
    assert len(many) == len(few) <= ceiling("/quality/")


def test_of_many_ratings_a_task_calculates_the_scoreboard(
    viewer: Client, shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = timezone.now() - timedelta(hours=1)
    values = [{"application_id": shop.pk, "started_at": start, "external_id": f"s{n}"} for n in range(12)]
    for number, request in enumerate(arrive(conn, *values)):
        judge(request, "ann", stars=1 + number % 5)
        judge(request, rater=User.objects.get(username="mirela"), stars=min(5, 2 + number % 5))
    assert store_scoreboards() == 0, "few are read by the page itself"
    before = text(viewer, "/quality/")
    monkeypatch.setattr(scoreboard, "LARGE", 20)
    assert store_scoreboards() == 3
    with CaptureQueriesContext(connection) as taken:
        after = text(viewer, "/quality/")
    assert not any("GROUP BY" in entry["sql"] and "traffic_rating" in entry["sql"] for entry in taken.captured_queries)
    cells = re.compile(r"<td.*?</td>|<h2.*?</h2>")
    assert "as of" in after and cells.findall(after) == cells.findall(before)
    assert "mirela" in after and "stars milder" in after
    judge(arrive(conn, values[0] | {"external_id": "new"})[0], "ann", stars=5)
    assert "<b>24 ratings</b>" in text(viewer, "/quality/")
    StoredScoreboard.objects.update(calculated_at=timezone.now() - timedelta(hours=1))
    assert "<b>25 ratings</b>" in text(viewer, "/quality/"), "figures of a task that does not run are not shown"


def test_figures_that_another_version_stored_are_calculated_again(
    viewer: Client, shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoreboard, "LARGE", 1)
    judge(arrive(conn, {"application_id": shop.pk})[0], "ann", stars=5)
    StoredScoreboard.objects.create(days=30, calculated_at=timezone.now(), figures=b'{"groups": 3}')
    assert "<b>1 rating</b>" in text(viewer, "/quality/")


def test_a_raters_bias_is_shown_with_its_interval(viewer: Client, shop: Application, conn: psycopg.Connection) -> None:
    start = timezone.now() - timedelta(hours=1)
    values = [{"application_id": shop.pk, "started_at": start, "external_id": f"b{n}"} for n in range(12)]
    strict, seldom = person("strict"), person("seldom")
    for number, request in enumerate(arrive(conn, *values)):
        judge(request, "end-user", stars=4 + number % 2)
        judge(request, rater=strict, stars=2 + number % 2)
        if number < 5:
            judge(request, rater=seldom, stars=1)
    page = text(viewer, "/quality/")
    line = page[page.index(">strict<") :]
    assert "stars stricter (" in line and "seldom" not in page, "five shared answers show nothing of a rater"


def test_a_name_that_its_rater_hides_stays_hidden_after_a_change_of_it(
    viewer: Client, shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoreboard, "LARGE", 1)
    start, ada = timezone.now() - timedelta(hours=1), person("ada")
    values = [{"application_id": shop.pk, "started_at": start, "external_id": f"h{n}"} for n in range(12)]
    for number, request in enumerate(arrive(conn, *values)):
        judge(request, "end-user", stars=4)
        ratings.rate(request=request, judgement=Judgement(ada.username, stars=2), rater=ada)
        if number == 5:
            ada.username = "lovelace"
            ada.save()
    store_scoreboards()
    assert ">lovelace<" in text(viewer, "/quality/"), "both names are one rater, who has enough ratings"
    ratings.set_name_hidden(ada, True)
    ada.username = "countess"
    ada.save()
    page = text(viewer, "/quality/")
    assert "name hidden" in page and not any(name in page for name in (">ada<", "lovelace", "countess"))


@pytest.mark.parametrize("url", ["/quality/", "/quality/rate/"])
def test_who_may_see_the_pages(shop: Application, url: str) -> None:
    assert Client().get(url)["Location"].startswith("/login/")
    assert logged_in(person("nobody")).get(url).status_code == 403


# The rating queue.


def kept(shop: Application, conn: psycopg.Connection, count: int = 1, **given: Any) -> list[Request]:
    """Answers that can be rated, the newest last."""
    start = timezone.now() - timedelta(hours=2)
    return arrive(
        conn,
        *(
            {
                "application_id": shop.pk, "started_at": start + timedelta(minutes=n), "external_id": f"k{n}{given}",
                "prompt": PROMPT, "answer": f"Answer {n}.", **given,
            }
            for n in range(count)
        ),
    )  # fmt: skip


@pytest.fixture
def member(viewer: Client, shop: Application) -> Client:
    shop.members.add(User.objects.get(username="mirela"))
    return viewer


def test_an_unrated_answer_is_shown_blind(member: Client, shop: Application, conn: psycopg.Connection) -> None:
    kept(shop, conn, 3)
    page = text(member, "/quality/rate/")
    assert "<b>0 of 3</b> answers rated today." in page
    assert re.search(r"Answer [012]\.", page) and "May I return it?" in page
    for hidden in ("claude-test", "anthropic", "800 ms"):
        assert hidden not in page


def test_a_rating_leads_to_the_next_answer_which_stays_blind(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    first, second = reversed(kept(shop, conn, 2))
    form = {"request": str(first.id), "next": str(second.id), "stars": "2", "comment": "Made up."}
    response = member.post("/quality/rate/", form)
    assert (response.status_code, response["Location"]) == (302, f"/quality/rate/?at={second.id}")
    rating = Rating.objects.get()
    assert (rating.request_id, rating.stars, rating.comment) == (first.id, 2, "Made up.")
    assert rating.rater == User.objects.get(username="mirela")
    page = text(member, response["Location"])
    assert "Rated 2, Poor." in page and "claude-test" not in page
    assert "<b>1 of 2</b> answers rated today." in page
    assert "Answer 0." in page


def test_undo_takes_the_rating_back_and_shows_the_answer_again(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    answer = kept(shop, conn)[0]
    member.post("/quality/rate/", {"request": str(answer.id), "next": "", "stars": "1"})
    assert "All done: 1 answer rated today." in text(member, "/quality/rate/")
    response = member.post(f"/quality/ratings/{Rating.objects.get().pk}/undo/")
    assert response["Location"] == f"/quality/rate/?at={answer.id}"
    assert not Rating.objects.exists()
    assert "Answer 0." in text(member, response["Location"])
    assert member.post("/quality/ratings/1/undo/").status_code == 404


def test_undo_of_a_second_thought_brings_back_the_first(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    answer = kept(shop, conn)[0]
    for stars in ("5", "1"):
        member.post("/quality/rate/", {"request": str(answer.id), "stars": stars})
    member.post(f"/quality/ratings/{Rating.objects.get().pk}/undo/")
    assert Rating.objects.get().stars == 5


def test_undo_locks_the_rating_before_the_queues_as_rating_does(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    member.post("/quality/rate/", {"request": str(kept(shop, conn)[0].id), "stars": "1"})
    rating = Rating.objects.get()
    with CaptureQueriesContext(connection) as taken:
        ratings.undo(rating=rating, before=None)
    begin, *statements = [entry["sql"] for entry in taken.captured_queries]
    changes = [sql.split('"')[1] for sql in statements if sql.startswith(("DELETE", "UPDATE"))]
    assert begin.startswith(("BEGIN", "SAVEPOINT")) and changes == ["traffic_rating", "traffic_queueentry"]


def test_nobody_undoes_the_rating_of_another(member: Client, shop: Application, conn: psycopg.Connection) -> None:
    answer = kept(shop, conn)[0]
    member.post("/quality/rate/", {"request": str(answer.id), "stars": "5"})
    other = logged_in(person("noor", "traffic.add_rating"))
    assert other.post(f"/quality/ratings/{Rating.objects.get().pk}/undo/").status_code == 404
    assert Rating.objects.count() == 1


def test_skipping_moves_on_without_a_rating_and_back(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    kept(shop, conn, 3)
    user = User.objects.get(username="mirela")
    first, middle, last = waiting(user, rateable(user))
    page = text(member, "/quality/rate/")
    assert f'href="/quality/rate/?at={middle}" data-key="s"' in page
    assert 'data-key="k"' not in page
    page = text(member, f"/quality/rate/?at={middle}")
    assert f'href="/quality/rate/?at={last}" data-key="s"' in page
    assert f'href="/quality/rate/?at={first}" data-key="k"' in page
    assert 'data-key="s"' not in text(member, f"/quality/rate/?at={last}")
    assert "<b>0 of 3</b> answers" in text(member, "/quality/rate/?at=nonsense")


def test_only_kept_answers_of_ones_own_applications_wait(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    other, closed = application("other"), application("closed", captures=False)
    closed.members.add(User.objects.get(username="mirela"))
    theirs = kept(other, conn, external_id="theirs")[0]
    kept(closed, conn, external_id="closed")
    kept(shop, conn, external_id="failed", outcome="error")
    kept(shop, conn, external_id="empty", answer="", prompt="x")
    arrive(conn, {"application_id": shop.pk, "external_id": "no-body"})
    page = text(member, "/quality/rate/")
    assert "No answers to rate." in page
    assert "You have rated all answers of your applications" in page
    assert member.post("/quality/rate/", {"request": str(theirs.id), "stars": "5"}).status_code == 404
    assert "Answer 0." not in text(member, f"/quality/rate/?at={theirs.id}")
    assert not Rating.objects.exists()


def test_a_member_of_nothing_is_told_what_to_do(viewer: Client, shop: Application) -> None:
    assert "Your applications do not keep answers" in text(viewer, "/quality/rate/")


def test_a_rating_without_stars_is_refused_and_keeps_the_comment(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    answer = kept(shop, conn)[0]
    response = member.post("/quality/rate/", {"request": str(answer.id), "comment": "typed"})
    assert response.status_code == 422
    assert "Choose 1 to 5." in response.content.decode() and 'value="typed"' in response.content.decode()
    assert member.post("/quality/rate/", {"request": "x", "stars": "5"}).status_code == 404


def test_the_queue_takes_a_fixed_number_of_statements(
    member: Client, shop: Application, conn: psycopg.Connection
) -> None:
    kept(shop, conn, 1)
    text(member, "/quality/rate/")  # what is read once for a process is not counted
    with CaptureQueriesContext(connection) as few:
        text(member, "/quality/rate/")
    kept(shop, conn, 60, model="another")
    with CaptureQueriesContext(connection) as many:
        text(member, "/quality/rate/")
    assert len(many) == len(few) <= ceiling("/quality/rate/")
    assert "<b>0 of 40</b> answers" in text(member, "/quality/rate/")
