"""Look, remember what was found, and forget it when it is over; and what people say of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from costs.allocation.queries import spend
from costs.anomalies.find import AnomalyFound, Cause, New, find, news, too_little
from costs.anomalies.history import begun
from costs.anomalies.reads import full_hour, hourly, rates, windows
from costs.anomalies.sums import METRICS, Sums
from costs.models import Anomaly, AnomalyLook, Driver, Phase, Stage
from lib.dates import DAY, HOUR
from lib.events import log_event, ms_since
from traffic.models import Application

logger = logging.getLogger(__name__)

KEPT = timedelta(days=730)  # after its end; what people said is expected stays as long
WEEK = timedelta(days=7)
FIRST_LOOK = 45  # days that the very first look goes back, so that a history that was imported has its findings
PLANNED = frozenset({Driver.SIZE, Driver.VOLUME, Driver.MIX, Driver.REST})  # what a new phase is expected to change
LOOKING = 0x616E6F6D  # of the advisory lock: one look at a time


def look(now: datetime) -> int:
    """Compare with the history as of now; returns how many causes are open. The first look goes back some weeks."""
    if not AnomalyLook.objects.exists():
        return look_back(now, FIRST_LOOK)
    return _look(now)


def look_back(now: datetime, days: int) -> int:
    """One look at the end of each of the last days, then now; what is known of those days is found anew."""
    with transaction.atomic():
        _lock()
        Anomaly.objects.filter(dismissed_by=None).delete()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for n in range(days, -1, -1):
            if midnight - n * DAY < now:
                _look(midnight - n * DAY)
        return _look(now)


@transaction.atomic
def _look(now: datetime) -> int:
    started = perf_counter()
    _lock()
    seen = windows(now)
    open_rows = {cause_of(row): row for row in Anomaly.objects.open()}
    findings = {
        finding.cause: finding
        for finding in find(seen, rates(now, {model for _a, model in seen.days}), open_rows.keys())
    }
    applications = dict(Application.objects.values_list("pk", "slug"))
    _follow(findings, open_rows, applications, now)
    for cause in open_rows.keys() - findings.keys():
        row = open_rows[cause]
        row.ended_at = now
        row.save(update_fields=["ended_at"])
        log_event(logger, logging.INFO, "anomaly_ended", anomaly=row.pk, driver=row.driver)
    looked = {application for application, _m in seen.days if application in applications}
    little = [[applications[pk], days] for pk, days in sorted(too_little(seen).items()) if pk in applications]
    new = [finding for finding in news(seen) if finding.application in applications]
    spent = in_ledger(now) if new else {}
    came = [new_json(finding, applications[finding.application], now, spent) for finding in new]
    outcome = {"at": now, "applications": len(looked), "too_little": little, "new": came}
    AnomalyLook.objects.update_or_create(pk=1, defaults=outcome)
    log_event(
        logger, logging.INFO, "anomalies_evaluated",
        applications=len(looked), open=len(findings), ms=ms_since(started),
    )  # fmt: skip
    return len(findings)


def purge(now: datetime) -> int:
    """Remove what ended long ago; returns how many."""
    gone, _by = Anomaly.objects.filter(ended_at__lt=now - KEPT).delete()
    return gone


def _lock() -> None:
    """One look at a time, until its transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOOKING])


def cause_of(row: Anomaly) -> Cause:
    return row.application_id, row.model, row.driver


def _follow(
    findings: dict[Cause, AnomalyFound], open_rows: dict[Cause, Anomaly], slugs: dict[int, str], now: datetime
) -> None:
    """Write down what is new and how the rest stands now."""
    open_rows = _came_back(findings.keys() - open_rows.keys(), now) | open_rows
    new = [finding for cause, finding in findings.items() if cause not in open_rows]
    hours = (
        hourly(
            now,
            {finding.application for finding in new if not finding.model},
            {finding.model for finding in new if finding.model},
        )
        if new
        else {}
    )
    for cause, finding in findings.items():
        row = open_rows.get(cause)
        values = {
            "before": finding.before, "after": finding.after, "costs": finding.costs,
            "models_shown": list(finding.models),
            "applications_shown": [slugs.get(pk, "") for pk in finding.applications],
            "effects": effects_json(finding), "seen_at": now,
        }  # fmt: skip
        if row is None:
            since = since_of(finding, hours.get((finding.application, finding.model), {}), now)
            row = Anomaly.objects.create(
                application_id=finding.application, application=slugs.get(finding.application, ""), model=finding.model,
                driver=finding.driver, since=since, found_at=now, **values, **planned(finding, since, now),
            )  # fmt: skip
            log_event(
                logger, logging.INFO if row.dismissed_at else logging.WARNING, "anomaly_began",
                anomaly=row.pk, application=row.application or None, model=row.model or None, driver=row.driver,
                expected=row.dismissed_at is not None,
            )  # fmt: skip
        else:
            for name, value in values.items():
                setattr(row, name, value)
            row.ended_at = None
            row.save(update_fields=[*values, "ended_at"])


def planned(finding: AnomalyFound, since: datetime, now: datetime) -> dict[str, Any]:
    """The plan's own word, where more is spent since the day on which a phase or stage of it began."""
    if finding.driver not in PLANNED:
        return {}
    day = since.astimezone(UTC).date()
    begun = Phase.objects.filter(starts_on=day).first() or Stage.objects.filter(starts_on=day).first()
    if begun is None:
        return {}
    return {"dismissed_at": now, "reason": _("%(name)s of the plan began that day.") % {"name": begun.name}}


def _came_back(causes: Set[Cause], now: datetime) -> dict[Cause, Anomaly]:
    """Of new causes, those that ended a few days ago: they go on, and what was said of them holds."""
    lately = Anomaly.objects.filter(ended_at__gte=now - WEEK, ended_at__lte=now).order_by("ended_at") if causes else ()
    return {cause_of(row): row for row in lately if cause_of(row) in causes}


def effects_json(finding: AnomalyFound) -> dict[str, str]:
    amounts: dict[str, Decimal] = {
        name: getattr(finding.effects, name) for name in ("cache", "size", "volume", "mix", "rest")
    }
    return {name: f"{amount:.12f}" for name, amount in amounts.items()}


def in_ledger(now: datetime) -> dict[str | None, Decimal]:
    """USD by application, as Spend has them, of the UTC days that the last 24 full hours touch."""
    end = full_hour(now)
    spent = spend((end - DAY).astimezone(UTC).date(), end.astimezone(UTC).date() + DAY, "application")
    return {group.key: group.amount for group in spent.groups}


def new_json(new_use: New, slug: str, now: datetime, spent: Mapping[str | None, Decimal]) -> list[str]:
    """Its cost is of requests at list price, and never more than what Spend says of its application."""
    first = full_hour(now) - new_use.days * DAY - HOUR
    costs = min(new_use.costs, spent.get(slug, new_use.costs))
    return [slug, new_use.model, first.date().isoformat(), f"{costs:.12f}"]


def since_of(finding: AnomalyFound, by_hour: dict[datetime, Sums], now: datetime) -> datetime:
    """The hour in which it began; a day before now where the hours do not tell."""
    end = full_hour(now)
    metric = METRICS.get(finding.driver)
    if metric is None or metric.whole is None:  # an amount: each hour against the same hour of the week before
        spent = {at: float(sums.cost) for at, sums in by_hour.items()}
        parts = [(spent.get(at, 0.0), spent.get(at - WEEK, 0.0)) for at in hours_until(end, 7)]
        effects, usual = finding.effects, max(sum(part for _p, part in parts[-24:]), 1e-12)
        middle = 1 + float(effects.total) / usual / 2
        return hours_until(end, 7)[begun(parts, middle, 1)]
    moments = hours_until(end, 14)
    parts = [
        (float(metric.part(by_hour[at])), float(metric.whole(by_hour[at]))) if at in by_hour else (0.0, 0.0)
        for at in moments
    ]
    start = begun(parts, (finding.before + finding.after) / 2, metric.worse)
    while start < len(moments) - 1 and moments[start] not in by_hour:  # a night without requests changed nothing
        start += 1
    return moments[start]


def hours_until(end: datetime, days: int) -> list[datetime]:
    return [end - n * HOUR for n in range(days * 24, 0, -1)]


def dismiss(*, anomaly: Anomaly, reason: str, by: Any, now: datetime) -> bool:
    """A person says that it is expected: no alert speaks of it any more. False where one did so before."""
    rows = Anomaly.objects.filter(pk=anomaly.pk, dismissed_at=None)
    return bool(rows.update(dismissed_at=now, dismissed_by=by, reason=reason))


def restore(*, anomaly: Anomaly) -> bool:
    """Take `dismiss` back."""
    rows = Anomaly.objects.filter(pk=anomaly.pk).exclude(dismissed_at=None)
    return bool(rows.update(dismissed_at=None, dismissed_by=None, reason=""))
