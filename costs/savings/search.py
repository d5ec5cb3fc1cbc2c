"""The daily search for savings: finds and prices them, and updates rows without losing what people decided."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from costs.models import Finding, Search
from costs.savings.base import SavingFound, Window, behind, ended_before, worth_saying
from costs.savings.calls import batches, long_answers, smaller_models
from costs.savings.cells import cells, known_days
from costs.savings.machines import cheaper_rent, idle_hours, machines
from costs.savings.prompts import uncached_repeats, unread_writes
from costs.savings.verify import keep_verified
from lib.events import log_event, ms_since
from lib.money import COST_STEP
from traffic.models import Application

logger = logging.getLogger(__name__)

# A dismissed finding opens again if its saving is at least this many times what it was, and this many USD a month more.
GROWN = Decimal("1.5")
GROWN_USD = Decimal(5)


def search(now: datetime, *, machines_too: bool = True) -> int:
    """Search the last two weeks and store the findings; returns how many. Repeating it on a day changes nothing.

    `machines_too` must be False if `now` lies in the past, because past prices of offers are not kept.
    """
    started = perf_counter()
    since, until = ended_before(now.astimezone(UTC).date())
    window = Window(since, until, known_days(since, until))
    unjudged: dict[str, Decimal] = {}
    findings = worth_saying(find(window, now, unjudged, machines_too)) if window.enough else []
    with transaction.atomic():
        store(findings, window, now, machines_too)
        Search.objects.update_or_create(pk=1, defaults={"at": now, "unjudged": as_json_values(unjudged)})
    keep_verified(now)
    log_event(logger, logging.INFO, "savings_searched", days=window.days, findings=len(findings), ms=ms_since(started))
    return len(findings)


def find(window: Window, now: datetime, unjudged: dict[str, Decimal], machines_too: bool) -> Iterable[SavingFound]:
    usage_cells = cells(window)
    keeping = frozenset(Application.objects.filter(capture_bodies=True).values_list("pk", flat=True))
    yield from uncached_repeats(usage_cells, window, keeping, unjudged)
    yield from unread_writes(usage_cells, window)
    yield from batches(usage_cells, window)
    yield from smaller_models(usage_cells, window)
    yield from long_answers(usage_cells, window)
    if machines_too:
        rented = machines(window, now)
        yield from idle_hours(rented, window, now)
        yield from cheaper_rent(rented, window, now)


def store(findings: list[SavingFound], window: Window, now: datetime, machines_too: bool) -> None:
    """Add new findings, update the figures of known ones, and mark open ones that were not found again as gone."""
    standing = {row.key: row for row in Finding.objects.select_for_update()}
    accepted = {key for key, row in standing.items() if row.state == Finding.State.ACCEPTED}
    dismissed = {
        finding.key
        for finding in findings
        if (row := standing.get(finding.key))
        and row.state == Finding.State.DISMISSED
        and not grown(row, finding.monthly)
    }
    counted = behind(findings, accepted, dismissed)
    for finding in findings:
        row = standing.get(finding.key)
        facts = facts_of(finding, counted[finding.key], window, now)
        if row is None:
            Finding.objects.create(key=finding.key, found_at=now, **facts)
            continue
        if row.state == Finding.State.DISMISSED and finding.key not in dismissed:
            facts |= {"state": Finding.State.OPEN}
        for name, value in facts.items():
            setattr(row, name, value)
        row.save(update_fields=list(facts))
    gone = Finding.objects.open().exclude(key__in=[finding.key for finding in findings])
    (gone if machines_too else gone.filter(lease=None)).delete()


def facts_of(finding: SavingFound, counted_by: str, window: Window, now: datetime) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "application_id": finding.application_id,
        "provider": finding.provider,
        "model": finding.model,
        "task": finding.task,
        "lease_id": finding.lease_id,
        "monthly": finding.monthly.quantize(COST_STEP),
        "behind": counted_by,
        "evidence": as_json_values(finding.evidence),
        "since": window.since,
        "until": window.until,
        "seen_at": now,
    }


def grown(row: Finding, monthly: Decimal) -> bool:
    """Whether a dismissed finding has grown so much that a person should decide again."""
    before: Decimal = row.decided_monthly or row.monthly
    return monthly >= before * GROWN and monthly >= before + GROWN_USD


def as_json_values(values: dict[str, Any]) -> dict[str, Any]:
    """The values as JSON types."""
    as_stored: dict[str, Any] = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    return as_stored
