"""The scoreboard: shares with their intervals to the contract; the rating queue; who may see and rate what."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.test import Client

from providers.models import Deployment
from providers.rest.periods import Period
from tests.traffic.people import application, arrive
from tests.traffic.test_store import NOON, price  # noqa: F401  # a fixture
from traffic import quality, ratings
from traffic.keys import callers, create_key
from traffic.models import Application, Request
from traffic.quality import QualityGroup
from traffic.ratings import Judgement

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


def judge(request: Request, by: str = "ann", **judgement: Any) -> None:
    ratings.rate(request=request, judgement=Judgement(by, **judgement))


SHARES = [
    ({"score": 1}, 1), ({"score": 0}, 1), ({"score": -1}, 0), ({"stars": 5}, 1), ({"stars": 4}, 1), ({"stars": 3}, 0),
    ({"score": 0, "stars": 1}, 1), ({"score": -1, "stars": 4}, 1), ({"score": -1, "stars": 3}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("judgement", "accepted"), SHARES)
def test_acceptable_is_a_score_from_0_or_stars_from_4(
    shop: Application, conn: psycopg.Connection, judgement: dict[str, int], accepted: int
) -> None:
    judge(arrive(conn, {"application_id": shop.pk})[0], **judgement)
    assert [g.acceptable for g in quality.quality(PERIOD)] == [accepted]


@pytest.mark.usefixtures("price")
def test_the_contracts_figures_by_every_group(get: Any, shop: Application, conn: psycopg.Connection) -> None:
    claude = Deployment.objects.create(
        slug="claude", name="Claude", provider="anthropic", engine="anthropic", model="x"
    )
    given = {"application_id": shop.pk, "deployment_id": claude.pk}
    first, second, third = arrive(conn, given, given, {"application_id": shop.pk, "task": "qa"})
    judge(first, "ann", score=1, stars=5)
    judge(first, "bob", stars=2)
    judge(second, "ann", score=0, stars=3)
    judge(third, "cat", score=-1)
    answer = get(f"{URL}&group_by=deployment")
    assert answer.status_code == 200, answer.content
    top, rest = answer.json()["groups"]
    assert (top["key"], top["ratings"], top["raters"]) == ("claude", 3, 2)
    assert top["acceptable_share"] == pytest.approx(2 / 3)
    assert top["interval"] == pytest.approx(quality.wilson(2, 3))
    assert top["mean_stars"] == pytest.approx(10 / 3)
    # 100 tokens at 3, 400 at 0.3, 200 at 15 dollars per million, over two thirds.
    assert Decimal(top["cost_per_accepted_answer"]) == pytest.approx(Decimal("0.00342") * 3 / 2)
    assert (rest["key"], rest["acceptable_share"], rest["mean_stars"]) == (None, 0, None)
    assert rest["cost_per_accepted_answer"] is None
    for group_by, keys in (("model", ["claude-test"]), ("task", ["rag", "qa"])):
        groups = get(f"{URL}&group_by={group_by}").json()["groups"]
        assert [one["key"] for one in groups] == keys
        assert sum(one["ratings"] for one in groups) == 4


def test_an_answer_of_an_own_lease_has_no_known_cost(get: Any, shop: Application, conn: psycopg.Connection) -> None:
    own = Deployment.objects.create(slug="own", name="Own", provider="self", engine="vllm", model="m")
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
    ratings.wait(identifier="msg_unknown", judgement=Judgement("ann", score=1), application_id=shop.pk)
    assert get(URL).json() == {"groups": []}


@pytest.mark.parametrize("query", ["group_by=hour", "from=x", "group_by="])
def test_a_wrong_parameter_is_422(get: Any, query: str) -> None:
    assert get(f"/api/v1/quality?{query}").status_code == 422
