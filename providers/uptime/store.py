"""Writes of uptime: outcomes of checks, few statements for many deployments, and what people write of an outage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from lib.dates import HOUR
from lib.partitions import make_partitions, partition_name
from lib.time_spans import Span
from providers.engines import CheckResult
from providers.models import Check, Deployment, Outage
from providers.uptime.checks import Event, Health
from providers.uptime.report import hour_of

# A row is ours as long as it carries the end of our claim: whoever claimed it since has written another one there.
SAVE_DEPLOYMENTS = """
UPDATE providers_deployment AS d SET
    state = v.state, state_since = v.state_since,
    streak_ok = v.streak_ok, streak = v.streak, streak_since = v.streak_since,
    last_check_at = v.last_check_at, last_latency_ms = v.latency_ms, last_cause = v.cause,
    tls_expires_at = COALESCE(v.tls_expires_at, CASE WHEN d.url LIKE 'https:%%' THEN d.tls_expires_at END),
    served_model = COALESCE(v.served, d.served_model), engine_slots = COALESCE(v.slots, d.engine_slots),
    takes_media = COALESCE(v.takes_media, d.takes_media),
    check_due_at = v.due_at, check_claimed_until = NULL
FROM unnest(
    %s::bigint[], %s::text[], %s::timestamptz[], %s::boolean[], %s::int[], %s::timestamptz[],
    %s::timestamptz[], %s::float8[], %s::text[], %s::timestamptz[], %s::text[], %s::int[], %s::boolean[],
    %s::timestamptz[]
) AS v(
    id, state, state_since, streak_ok, streak, streak_since, last_check_at, latency_ms, cause, tls_expires_at, served,
    slots, takes_media, due_at
)
WHERE d.id = v.id AND d.check_claimed_until = %s
RETURNING d.id
"""

RELEASE = """
UPDATE providers_deployment SET check_claimed_until = NULL WHERE id = ANY(%s) AND check_claimed_until = %s
"""

ADD_HOURS = """
INSERT INTO providers_checkhour AS h (
    deployment_id, hour, checks, failed, observed_s, latency_sum_ms, maintenance_s, maintenance_down_s
)
SELECT * FROM unnest(
    %s::bigint[], %s::timestamptz[], %s::int[], %s::int[], %s::float8[], %s::float8[], %s::float8[], %s::float8[]
)
ON CONFLICT (deployment_id, hour) DO UPDATE SET
    checks = h.checks + EXCLUDED.checks, failed = h.failed + EXCLUDED.failed,
    observed_s = h.observed_s + EXCLUDED.observed_s, latency_sum_ms = h.latency_sum_ms + EXCLUDED.latency_sum_ms,
    maintenance_s = h.maintenance_s + EXCLUDED.maintenance_s,
    maintenance_down_s = h.maintenance_down_s + EXCLUDED.maintenance_down_s
"""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check of a claimed deployment and what it amounts to."""

    deployment: Deployment
    at: datetime
    result: CheckResult
    health: Health
    event: Event | None
    watched: Sequence[Span]
    planned: Sequence[Span] = ()  # what else of the time since the last check lies in maintenance

    @property
    def in_maintenance(self) -> bool:
        return self.health.state == "maintenance"


def need_partition(at: datetime) -> None:
    """Make the day's partition of checks when beat has not."""
    day, table = at.astimezone(UTC).date(), Check._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [partition_name(table, day)])
        if not cursor.fetchone()[0]:
            make_partitions(connection.connection, table, [day])


def save_deployments(claimed_until: datetime, outcomes: Sequence[CheckOutcome]) -> set[int]:
    """Write the new health of each deployment that is still ours; returns their ids."""
    rows = sorted((_deployment_row(outcome) for outcome in outcomes), key=lambda row: int(row[0]))
    with connection.cursor() as cursor:
        cursor.execute(SAVE_DEPLOYMENTS, [*_columns(rows), claimed_until])
        return {row[0] for row in cursor.fetchall()}


def _deployment_row(outcome: CheckOutcome) -> tuple[Any, ...]:
    health, result = outcome.health, outcome.result
    return (
        outcome.deployment.pk,
        health.state,
        health.state_since,
        health.streak_ok,
        health.streak,
        health.streak_since,
        outcome.at,
        result.latency_ms,
        result.cause,
        result.tls_expires_at,
        result.served,
        result.slots,
        result.takes_media,
        next_due(outcome),
    )


def next_due(outcome: CheckOutcome) -> datetime:
    """One interval after this one was due, or after now where that has passed too: late checks are not made up for.

    The first interval is shortened by a share that differs from one deployment to the next, so that a thousand that
    were added at once do not stay in step.
    """
    deployment, every = outcome.deployment, timedelta(seconds=outcome.deployment.check_every_s)
    if deployment.check_due_at is None:
        return outcome.at + every * (1 - deployment.pk * 0.618 % 1)
    due = deployment.check_due_at + every
    return due if due > outcome.at else outcome.at + every


def release(claimed_until: datetime, ids: Sequence[int]) -> None:
    """Give back what this run claimed and did not get to."""
    with connection.cursor() as cursor:
        cursor.execute(RELEASE, [list(ids), claimed_until])


def save_checks(outcomes: Iterable[CheckOutcome]) -> None:
    Check.objects.bulk_create(
        Check(
            day=outcome.at.astimezone(UTC).date(),
            deployment_id=outcome.deployment.pk,
            at=outcome.at,
            ok=outcome.result.ok,
            step=outcome.result.step,
            latency_ms=outcome.result.latency_ms,
            ttft_ms=outcome.result.ttft_ms,
            cause=outcome.result.cause,
        )
        for outcome in outcomes
    )


def add_hours(outcomes: Iterable[CheckOutcome]) -> None:
    """Add the outcomes to their hours; sorted, so that two workers never wait for each other in a circle."""
    added: dict[tuple[int, datetime], list[float]] = defaultdict(lambda: [0, 0, 0.0, 0.0, 0.0, 0.0])
    for outcome in outcomes:
        for span in outcome.watched:
            for hour, seconds in by_hour(span):
                added[outcome.deployment.pk, hour][2] += seconds
        for span in outcome.planned:
            for hour, seconds in by_hour(span):
                # The time belongs to the check that ended it: in a window nothing is confirmed.
                added[outcome.deployment.pk, hour][4] += seconds
                added[outcome.deployment.pk, hour][5] += 0.0 if outcome.result.ok else seconds
        if not outcome.in_maintenance:
            _count(added[outcome.deployment.pk, hour_of(outcome.at)], outcome)
    rows = [(*key, int(sums[0]), int(sums[1]), *sums[2:]) for key, sums in sorted(added.items())]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(ADD_HOURS, _columns(rows))


def _count(sums: list[float], outcome: CheckOutcome) -> None:
    sums[0] += 1
    sums[1] += not outcome.result.ok
    # The time that a refusal took says nothing about speed.
    sums[3] += outcome.result.latency_ms if outcome.result.ok else 0.0


def by_hour(span: Span) -> list[tuple[datetime, float]]:
    """A span's seconds in each hour that it touches."""
    parts, hour = [], hour_of(span.start)
    while hour < span.end:
        parts.append((hour, span.within(Span(hour, hour + HOUR)).seconds))
        hour += HOUR
    return parts


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def save_notes(*, outage: Outage) -> None:
    """Store what a person wrote about an outage: its note, its public note and its post-mortem."""
    outage.save(update_fields=["note", "public_note", "post_mortem"])
