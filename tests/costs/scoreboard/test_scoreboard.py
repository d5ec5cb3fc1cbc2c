"""Quality beside what an accepted answer costs, also on our own lease, and how fast it begins."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from costs.scoreboard.page import ScoreboardPage
from costs.scoreboard.queries import Place, Scoreboard, frontier, places
from lib.formats import percent
from providers.models import Deployment
from tests.costs.people import client_of
from tests.costs.usage_rows import usage
from tests.factories import ChargeFactory, DeploymentFactory, LeaseFactory
from tests.query_ceilings import ceiling
from tests.traffic.comparisons.rows import two_sides
from traffic.models import Pair, Rating, UsageDay, UsageHour
from traffic.quality.queries import PASS
from traffic.usage.filters import Filters

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()

pytestmark = pytest.mark.usefixtures("stopped_clock")


def rate(deployment: Deployment, acceptable: int, ratings: int, task: str = "rag") -> None:
    Rating.objects.bulk_create(
        Rating(day=TODAY, request_id=uuid.uuid4(), by=f"r{n}", stars=5 if n < acceptable else 2,
               deployment=deployment, model=deployment.model, task=task)
        for n in range(ratings)
    )  # fmt: skip


@pytest.fixture
def sides(db: None) -> tuple[Deployment, Deployment]:
    """Our own on a lease of 3 USD that day, and an API of 2 USD for 100 requests, each rated 40 times."""
    own, api = two_sides()
    lease = LeaseFactory.create(started_at=NOW - timedelta(days=1))
    own.lease = lease
    own.save()
    key = {"provider": "self", "model": own.model, "deployment_id": own.pk, "uncached_input": 100, "output": 100}
    usage(day=TODAY, requests=60, leased=60, **key)
    usage(UsageHour, hour=NOW.replace(hour=10), requests=60, leased=60, **key)
    usage(day=TODAY, requests=100, cost=2, deployment_id=api.pk, model=api.model)
    ChargeFactory.create(
        key="lease", provider="runpod", day=TODAY, starts_at=NOW.replace(hour=10), ends_at=NOW.replace(hour=11),
        category="gpu", provenance="estimated", amount=3, original_amount=3, lease=lease,
    )  # fmt: skip
    rate(own, 30, 40)
    rate(api, 40, 40)
    return own, api


def test_an_accepted_answer_costs_its_share_of_the_lease_too(sides: tuple[Deployment, Deployment]) -> None:
    rows = {row.score.key: row for row in Scoreboard(TODAY, Filters()).rows("deployment")}
    # 3 USD of 60 answers of which three quarters are accepted; 2 USD of 100, all accepted.
    assert rows["own"].cost_per_accepted_answer == pytest.approx(Decimal("0.066666666667"))
    assert rows["api"].cost_per_accepted_answer == Decimal("0.02")


def test_a_cost_that_is_not_known_is_none(sides: tuple[Deployment, Deployment]) -> None:
    other = DeploymentFactory.create(slug="other")
    rate(other, 40, 40)
    UsageDay.objects.filter(deployment_id=sides[1].pk).update(unpriced=100, cost=0)
    rows = {row.score.key: row for row in Scoreboard(TODAY, Filters()).rows("deployment")}
    assert rows["other"].cost_per_accepted_answer is None and rows["api"].cost_per_accepted_answer is None
    assert [place.key for place in places(list(rows.values()))] == ["own"]


def test_the_front_has_those_of_which_no_cheaper_one_is_better() -> None:
    placed = [Place(key, Decimal(cost), share, 0, 1) for key, cost, share in
              (("a", 1, 0.7), ("b", 2, 0.6), ("c", 3, 0.9), ("d", 3, 0.8), ("e", 9, 0.9))]  # fmt: skip
    assert [place.key for place in frontier(placed)] == ["a", "c"]


def test_the_headline_names_the_cheapest_that_meets_the_target(sides: tuple[Deployment, Deployment]) -> None:
    page = ScoreboardPage(Scoreboard(TODAY, Filters()), {"deployment": {"api": "API model"}}, frozenset({"own"}))
    # 30 of 40 is 75 %, but the interval reaches below the target.
    assert page.headline() == f"API model is the only deployment that meets the {percent(PASS)} target."
    chart = page.chart
    assert [series["style"] for series in chart["series"]] == [1, "us"]
    assert [point[1] for point in chart["series"][0]["points"]][-1] == 1.0


def test_deployments_that_serve_different_tasks_are_not_compared_by_cost(sides: tuple[Deployment, Deployment]) -> None:
    rate(sides[0], 400, 400)  # both meet the target now
    usage(day=TODAY, requests=100, cost=2, deployment_id=sides[1].pk, model=sides[1].model, task="code")
    rate(sides[1], 40, 40, task="code")
    [every, rag] = [ScoreboardPage(Scoreboard(TODAY, Filters(task=task)), {}, frozenset()) for task in ([], ["rag"])]
    target = percent(PASS)
    assert every.headline() == (
        f"2 deployments meet the {target} target. Choose a task to compare what its answers cost."
    )
    assert rag.headline() == f"api has the cheapest accepted answers of 2 deployments that meet the {target} target."
    assert (every.is_alike, rag.is_alike) == (False, True)
    page = client_of("manager").get("/quality/cost/").content.decode()
    assert "Choose a task" in page and "cheapest" not in page and "No cheaper one is better" not in page


def test_the_page_shows_scores_costs_and_the_pairs_of_the_same_prompts(
    sides: tuple[Deployment, Deployment], django_assert_max_num_queries: object
) -> None:
    own, api = sides
    Pair.objects.bulk_create(
        Pair(candidate=own, baseline=api, candidate_request=uuid.uuid4(), baseline_request=uuid.uuid4(), task="rag",
             outcome="candidate", votes=1)
        for _n in range(5)
    )  # fmt: skip
    client = client_of("manager")
    with django_assert_max_num_queries(ceiling("/quality/cost/")):  # type: ignore[operator]
        page = client.get("/quality/cost/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "data-x=" in text and "Own model against API model" in text and "0.0667" in text
    assert "by USD per 10,000 accepted answers<" in text, "what the axis counts"
    assert "No ratings in the last 8 weeks" in client.get("/quality/cost/?task=qa").content.decode()


def test_who_sees_no_figures_does_not_see_the_page(db: None) -> None:
    assert client_of("staff").get("/quality/cost/").status_code == 403


def test_the_api_has_the_same_figures(sides: tuple[Deployment, Deployment]) -> None:
    client = client_of("manager")
    answer = client.get("/api/v1/scoreboard?group_by=deployment").json()
    assert answer["target"] == 0.7
    group = next(group for group in answer["groups"] if group["key"] == "api")
    assert (group["ratings"], group["acceptable_share"], group["passes"]) == (40, 1.0, True)
    assert Decimal(group["cost_per_accepted_answer"]) == Decimal("0.02")
    assert len(group["weeks"]) == 8 and group["weeks"][-1] == {"ratings": 40, "acceptable": 40}
