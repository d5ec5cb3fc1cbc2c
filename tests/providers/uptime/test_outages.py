"""An outage's page, what it cost, and uptime with planned windows counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from lib.time_spans import Span
from providers.audit.log import AuditEntry
from providers.engines import CheckResult
from providers.models import Check, CheckHour, Deployment, LeaseSpan, Outage
from providers.uptime import due_checks
from providers.uptime import page as uptime_page
from providers.uptime.outage_cost import NO_COST, OutageCost, cost_of, paid_in
from providers.uptime.report import report
from providers.uptime.store import need_partition
from tests.factories import MaintenanceFactory, OutageFactory
from tests.providers.people import account, deployment, in_role, lease, text
from tests.query_ceilings import ceiling

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def broke(of: Deployment, start: datetime, minutes: int | None = 60, **more: Any) -> Outage:
    end = None if minutes is None else start + minutes * MINUTE
    given: dict[str, Any] = {"started_at": start, "confirmed_at": start + MINUTE, "ended_at": end, "cause": "refused"}
    return OutageFactory.create(deployment=of, **given | more)


# Cost.


def test_money_is_the_leases_observed_time_in_the_outage_at_the_price_of_that_time() -> None:
    spans = [
        LeaseSpan(starts_at=NOON - 5 * HOUR, ends_at=NOON + HOUR / 2, price_per_hour=Decimal("0.40")),
        LeaseSpan(starts_at=NOON + HOUR / 2, ends_at=NOON + HOUR, price_per_hour=Decimal("0.10")),
    ]
    assert paid_in(spans, Span(NOON, NOON + 2 * HOUR)) == Decimal("0.25")
    assert paid_in(spans, Span(NOON + HOUR, NOON + 2 * HOUR)) is None
    assert paid_in([], Span(NOON, NOON + HOUR)) is None


def test_what_is_not_known_of_one_outage_hides_nothing_of_another() -> None:
    one = OutageCost(3, 4, Decimal("0.5"))
    assert one + NO_COST == one
    assert NO_COST + NO_COST == NO_COST
    assert one + one == OutageCost(6, 8, Decimal(1))


@pytest.mark.django_db
def test_the_uptime_page_tells_what_outages_cost_in_few_statements() -> None:
    now = timezone.now()
    own = deployment(lease=lease(account(), hours=30))
    other = deployment("claude", provider="anthropic")
    for of in (own, other):
        CheckHour.objects.create(deployment=of, hour=now.replace(minute=0, second=0, microsecond=0), observed_s=60)
    for n in range(1, 4):
        broke(own, now - n * 5 * HOUR, requests_failed=n, requests_rerouted=10)
    hit = broke(other, now - 3 * HOUR)
    viewer = in_role("manager")
    with CaptureQueriesContext(connection) as queries:
        page = text(viewer, reverse("providers:uptime"))
    assert "1 request failed, 10 rerouted · $0.40 of rent while down" in page
    assert "requests not counted yet" in page
    assert "<dt>Rent paid while down</dt><dd>$1.20</dd>" in page
    assert f'<a href="{reverse("providers:outage", args=[hit.pk])}">Claude</a>' in page
    assert len(queries) <= ceiling("/uptime/")
    assert cost_of([], now) == {}


# Planned windows.


def result(*, ok: bool) -> CheckResult:
    return CheckResult(
        ok=ok, state="up" if ok else "down", step="connect", latency_ms=5.0, cause="" if ok else "refused"
    )


@pytest.mark.django_db
def test_time_in_a_planned_window_is_kept_apart_and_what_failed_in_it_too() -> None:
    llama = deployment(check_every_s=60, last_check_at=NOON - MINUTE, check_due_at=None)
    MaintenanceFactory.create(deployment=llama, starts_at=NOON, ends_at=NOON + 10 * MINUTE, reason="driver")
    for n, ok in enumerate((True, False, False, True)):
        batch = due_checks.claim(now=NOON + n * MINUTE)
        due_checks.record(batch, [(batch.deployments[0], result(ok=ok))])
        Deployment.objects.update(check_due_at=None)
    hours = {row.hour: row for row in CheckHour.objects.all()}
    assert hours[NOON - HOUR].observed_s == 60
    assert (hours[NOON].observed_s, hours[NOON].maintenance_s, hours[NOON].maintenance_down_s) == (0, 180, 120)


@pytest.mark.django_db
def test_uptime_is_told_with_planned_windows_counted_where_there_were_any() -> None:
    now = timezone.now()
    llama, hour = deployment(), now.replace(minute=0, second=0, microsecond=0)
    CheckHour.objects.create(
        deployment=llama, hour=hour - DAY, checks=60, observed_s=1800, maintenance_s=1800, maintenance_down_s=900
    )
    CheckHour.objects.create(deployment=llama, hour=hour - HOUR, checks=1, observed_s=30)
    [entry] = report(Deployment.objects.all(), now - 3 * DAY, now)
    since = (now - 3 * DAY).date()
    assert entry.uptime_since(since) == 1.0
    assert entry.uptime_with_maintenance(since) == pytest.approx(1 - 900 / 3630)
    assert "with maintenance" in text(in_role("manager"), reverse("providers:uptime"))


# The page.


@pytest.fixture
def outage(db: None) -> Outage:
    """An hour of yesterday, with a check each minute around both its ends."""
    start = timezone.now().replace(microsecond=0) - DAY
    made = broke(deployment(), start, requests_failed=12, requests_rerouted=240)
    for day in {start.date(), (start + 2 * HOUR).date(), (start - HOUR).date()}:
        need_partition(datetime.combine(day, datetime.min.time(), UTC))
    for n in range(-30, 91):
        down = 0 <= n < 60
        Check.objects.create(
            day=(start + n * MINUTE).date(), deployment=made.deployment, at=start + n * MINUTE, ok=not down,
            step="connect", latency_ms=4.0, cause=f"refused {n}" if down else "",
        )  # fmt: skip
    return made


def test_an_outages_page_tells_times_cause_cost_and_the_checks_around_its_ends(outage: Outage) -> None:
    page = text(in_role("manager"), reverse("providers:outage", args=[outage.pk]))
    assert "12 requests failed and 240 were rerouted." in page
    assert "no lease" in page
    assert [f"refused {n}<" in page for n in (0, 7, 30, 59)] == [True, True, False, True]
    assert page.count('class="now"') == 2
    assert "<textarea" not in page


def test_notes_are_written_by_those_who_run_the_machines_and_logged_with_their_words(outage: Outage) -> None:
    url, ops = reverse("providers:outage", args=[outage.pk]), in_role("ops")
    words = {"note": "Vendor told.", "public_note": "A machine was replaced.", "post_mortem": "Why?\n\nThe fan."}
    assert ops.post(url, words).status_code == 302
    outage.refresh_from_db()
    assert (outage.note, outage.public_note, outage.post_mortem.split()[-1]) == (
        "Vendor told.", "A machine was replaced.", "fan.",
    )  # fmt: skip
    assert AuditEntry.objects.get().changes["Note"] == [None, "Vendor told."]
    assert in_role("manager").post(url, words).status_code == 403
    assert ops.post(url, words | {"public_note": "x" * 501}).status_code == 422


def test_one_that_lasts_says_so_and_needs_no_checks(db: None) -> None:
    made = broke(deployment(state="down"), timezone.now() - 40 * DAY, None)
    page = text(in_role("manager"), reverse("providers:outage", args=[made.pk]))
    assert "has been down for" in page
    assert "still down" in page
    assert "Hourly totals remain" in page
    assert uptime_page.minutes(60.0) == "1 min"
