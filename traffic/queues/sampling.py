"""Which stored answers a queue takes, in which order, and how many ratings each of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from lib import sql
from traffic.models import Rating, RatingQueue, Sampling

DAYS = 14  # of which answers are taken; older texts may be deleted before they are rated
CONSIDERED = 50_000  # newest answers that a queue is drawn from

# Ids are hashes, and a queue's number in the seed makes its order its own.
SHUFFLED = "hashtextextended(id::text, %(queue)s)"
SPREAD = """(SELECT max(stars) - min(stars) FROM traffic_rating AS t WHERE t.request_id = answers.id)"""
ORDERS = {
    Sampling.RANDOM: SHUFFLED,
    Sampling.STRATIFIED: f"row_number() OVER (PARTITION BY task, deployment_id ORDER BY {SHUFFLED}), {SHUFFLED}",
    Sampling.NEWEST: "started_at DESC",
    Sampling.FLAGGED: "started_at DESC",
    Sampling.DISPUTED: f"{SPREAD} DESC NULLS LAST, started_at DESC",
}
ACCEPTABLE = f"coalesce(t.stars >= {Rating.PASSING_STARS}, t.score >= 0)"
CONDITIONS = {
    Sampling.FLAGGED: f"""AND EXISTS (SELECT 1 FROM traffic_rating AS t
        WHERE t.request_id = r.id AND t.rater_kind <> 'person' AND NOT {ACCEPTABLE})""",
    Sampling.DISPUTED: f"""AND (
        SELECT max(t.stars) - min(t.stars) >= 2 OR bool_or({ACCEPTABLE}) <> bool_and({ACCEPTABLE})
        FROM traffic_rating AS t WHERE t.request_id = r.id)""",
}
DRAW = """
WITH answers AS MATERIALIZED (
    SELECT r.id, r.day, r.started_at, r.application_id, r.task, r.deployment_id
    FROM traffic_request AS r
    JOIN traffic_request_body AS b ON b.day = r.day AND b.request_id = r.id
    JOIN traffic_application AS a ON a.id = r.application_id
    WHERE r.day >= %(first)s AND r.day < %(end)s AND b.day >= %(first)s AND b.day < %(end)s
      AND r.outcome = 'ok' AND b.answer > '' AND a.capture_bodies
      AND (%(application)s::bigint IS NULL OR r.application_id = %(application)s)
      AND (%(deployment)s::bigint IS NULL OR r.deployment_id = %(deployment)s)
      AND (%(task)s = '' OR r.task = %(task)s)
      AND NOT EXISTS (SELECT 1 FROM traffic_queueentry AS e WHERE e.queue_id = %(queue)s AND e.request_id = r.id)
      AND NOT EXISTS (SELECT 1 FROM traffic_rating AS g WHERE g.request_id = r.id AND g.rater_kind = 'gold')
      {condition}
    ORDER BY r.started_at DESC LIMIT %(considered)s
)
SELECT id, day, application_id FROM answers ORDER BY {order}, id LIMIT %(most)s
"""


def draw(queue: RatingQueue, today: date, most: int) -> Sequence[tuple[UUID, date, int]]:
    """At most so many answers that the queue does not have yet: their requests, days and applications."""
    sampling = Sampling(queue.sampling)
    statement = DRAW.replace("{condition}", CONDITIONS.get(sampling, "")).replace("{order}", ORDERS[sampling])
    values = {
        "first": today - timedelta(days=DAYS), "end": today + timedelta(days=2), "queue": queue.pk, "task": queue.task,
        "application": queue.application_id, "deployment": queue.deployment_id, "considered": CONSIDERED, "most": most,
    }  # fmt: skip
    return sql.rows(statement, values)


def ratings_needed(queue: RatingQueue, position: int) -> int:
    """How many ratings the answer at a position (0, 1, ...) needs: the overlap lies evenly over the set."""
    share = queue.overlap_percent
    overlaps = (position + 1) * share // 100 > position * share // 100
    return queue.ratings_per_answer if overlaps else 1
