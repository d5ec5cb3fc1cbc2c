"""Signed decisions: what is frozen, its digest, and whether a record still says what was signed.

A record holds the figures as canonical JSON. Its digest covers them, who signed, when, what was chosen and why. The
audit log's entry of the signature has the digest too, and its keyed chain shows where an entry was changed or left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.utils import timezone

from costs.breakeven import answered
from costs.models import Decision
from costs.readiness import scorecard
from costs.readiness.inputs import Report
from costs.readiness.queries import audited_digests
from costs.readiness.scorecard import Scorecard

LOCK = 7_203_021  # advisory: numbers follow one another


def frozen(report: Report, card: Scorecard) -> dict[str, Any]:
    """Everything that the verdict was judged by: scorecard, thresholds, break-even, tasks, burden."""
    money = {name: value for name, value in answered(report.inputs, report.spread).items() if name != "curve"}
    return {
        "scorecard": scorecard.as_json(card),
        "break_even": money,
        "tasks": [
            {"task": row.task, "requests": row.requests, "ratings": row.recent[0], "acceptable": row.recent[1]}
            for row in report.rated
        ],
        "first_token_ms": timing(report.first_token),
        "whole_answer_ms": timing(report.whole_answer),
        "deployments": [
            {"slug": row.slug, "uptime": row.uptime, "checks": row.checks, "outages": len(row.outages)}
            for row in report.uptimes
        ],
    }


def timing(quantiles: Any) -> dict[str, Any]:
    shown = {name: getattr(quantiles, name) for name in ("p50", "p95", "p99")}
    return {"count": quantiles.count, **{name: None if ms is None else float(ms) for name, ms in shown.items()}}


def canonical(value: Any) -> str:
    """One text for one value: sorted keys, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(record: Decision) -> str:
    """SHA-256 of all that a record says, hexadecimal."""
    content = {
        "number": record.number,
        "signed_at": record.signed_at.astimezone(UTC).isoformat(),
        "signed_by": record.signed_by,
        "signed_name": record.signed_name,
        "choice": record.choice,
        "statement": record.statement,
        "figures": record.figures,
        "previous": record.previous,
    }
    return sha256(canonical(content).encode()).hexdigest()


@transaction.atomic
def sign(
    *, choice: str, statement: str, figures: dict[str, Any], by: AbstractUser, at: datetime | None = None
) -> Decision:
    """The next record; it supersedes the one before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    before = Decision.objects.standing()
    record = Decision(
        number=before.number + 1 if before else 1,
        signed_at=at or timezone.now(),
        signed_by=by.get_username(),
        signed_name=by.get_full_name(),
        choice=choice,
        statement=statement,
        figures=canonical(figures),
        previous=before.digest if before else "",
    )
    record.digest = digest_of(record)
    record.save(force_insert=True)
    return record


def changed(records: Iterable[Decision]) -> list[int]:
    """Return the numbers of records whose digest does not fit what they say, or is another one in the audit log."""
    audited = audited_digests()
    return [
        record.number
        for record in records
        if record.digest != digest_of(record) or audited.get(str(record.pk), record.digest) != record.digest
    ]


def as_json(record: Decision, standing: Decision | None, *, intact: bool) -> dict[str, Any]:
    return {
        "number": record.number,
        "choice": record.choice,
        "statement": record.statement,
        "signed_at": record.signed_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "signed_by": record.signed_by,
        "signed_name": record.signed_name,
        "superseded": standing is not None and standing.number != record.number,
        "previous": record.previous or None,
        "digest": record.digest,
        "intact": intact,
        "figures": json.loads(record.figures),
    }
