"""The scoreboard in the JSON API."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from costs.scoreboard.queries import Scoreboard
from lib.shapes import READ_ERRORS, Usd
from traffic.authentication.access import needs
from traffic.quality.queries import PASS, GroupBy
from traffic.requests.query_params import FilterQuery
from traffic.schemas import AgreementOut
from traffic.usage.filters import Filters

router = Router(tags=["costs"])


class WeekOut(Schema):
    ratings: int
    acceptable: int


class ScoreOut(Schema):
    """Intervals are of 95 %. Null is not known. `weeks` are the last eight, the oldest first."""

    key: str | None
    ratings: int
    acceptable_share: float
    interval: tuple[float, float]
    passes: bool
    mean_stars: float | None
    mean_interval: tuple[float, float] | None
    agreement: AgreementOut
    cost_per_accepted_answer: Usd | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    weeks: list[WeekOut]


class ScoreboardOut(Schema):
    """`target` is the acceptable share whose whole interval has to lie above it."""

    target: float
    groups: list[ScoreOut]


@router.get(
    "/scoreboard",
    auth=needs("read"),
    response={200: ScoreboardOut, **READ_ERRORS},
    summary="Quality of the last eight weeks beside what an accepted answer costs and the first token",
    description="On rented GPUs an answer costs its share of the lease. Hours without a request belong to no answer.",
)
def get_scoreboard(request: HttpRequest, filters: Query[FilterQuery], group_by: GroupBy = "deployment") -> Any:
    wanted: Filters = filters.parsed()
    rows = Scoreboard(timezone.now().date(), wanted).rows(group_by)
    return {
        "target": PASS,
        "groups": [
            {
                "key": row.score.key,
                "ratings": row.score.ratings,
                "acceptable_share": row.score.share,
                "interval": row.score.interval,
                "passes": row.score.passes,
                "mean_stars": row.score.mean,
                "mean_interval": row.score.mean_interval,
                "agreement": row.agreement,
                "cost_per_accepted_answer": row.cost_per_accepted_answer,
                "ttft_p50_ms": row.ttft.p50_ms,
                "ttft_p95_ms": row.ttft.p95_ms,
                "weeks": [{"ratings": n, "acceptable": good} for n, good in row.score.weeks],
            }
            for row in rows
        ],
    }
