"""What hours and outages add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from providers.models import CheckHour, Deployment, Outage
from providers.uptime.report import OutageSpan, longest, mean_time_to_repair, report
from tests.factories import DeploymentFactory, MaintenanceFactory, OutageFactory
from tests.query_ceilings import ceiling

DAY = datetime(2026, 11, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def llama(db: None) -> Deployment:
    return DeploymentFactory.create(slug="llama", name="Llama", engine="llamacpp", state="up")


def watch(deployment: Deployment, first: int, last: int, observed_s: float = 3600.0, failed: int = 0) -> None:
    """Hours since DAY, the last one left out."""
    CheckHour.objects.bulk_create(
        CheckHour(
            deployment=deployment,
            hour=DAY + n * HOUR,
            checks=120,
            failed=failed,
            observed_s=observed_s,
            latency_sum_ms=(120 - failed) * 10.0,
        )
        for n in range(first, last)
    )


def outage(deployment: Deployment, start_h: float, end_h: float | None, cause: str = "It broke.") -> Outage:
    started = DAY + start_h * HOUR
    ended = None if end_h is None else DAY + end_h * HOUR
    return OutageFactory.create(
        deployment=deployment, started_at=started, confirmed_at=started, ended_at=ended, cause=cause
    )


def test_uptime_is_one_less_the_share_of_outage(llama: Deployment) -> None:
    watch(llama, 0, 48, failed=2)
    outage(llama, 10.5, 12.9)
    [entry] = report(Deployment.objects.all(), DAY, DAY + 48 * HOUR)
    assert (entry.slug, entry.engine, entry.state) == ("llama", "llamacpp", "up")
    assert entry.uptime == pytest.approx(1 - 2.4 / 48)
    assert (entry.checks, entry.failed) == (48 * 120, 96)
    assert [(one.started_at, one.cause) for one in entry.outages] == [(DAY + 10.5 * HOUR, "It broke.")]
    assert [round(day.down_s) for day in entry.days] == [8640, 0]
    assert entry.days[0].latency_ms == pytest.approx(10.0)
    assert entry.uptime_since(DAY.date() + timedelta(days=1)) == 1.0


def test_a_period_that_cuts_hours_and_outages_counts_what_lies_inside(llama: Deployment) -> None:
    watch(llama, 0, 24)
    outage(llama, 0, 10.5)
    [entry] = report(Deployment.objects.all(), DAY + 9.75 * HOUR, DAY + 11.25 * HOUR)
    assert entry.uptime == pytest.approx(0.5)
    assert entry.observed_s == pytest.approx(1.5 * 3600)


def test_an_outage_that_lasts_counts_until_nobody_watches(llama: Deployment) -> None:
    watch(llama, 0, 4)
    outage(llama, 3, None)
    [entry] = report(Deployment.objects.all(), DAY, DAY + 240 * HOUR)
    assert entry.uptime == pytest.approx(0.75)
    assert entry.outages[0].ended_at is None


def test_an_outage_while_half_of_the_hour_was_watched_counts_for_that_half(llama: Deployment) -> None:
    watch(llama, 0, 1)
    watch(llama, 1, 2, observed_s=1800)
    outage(llama, 1, 2)
    [entry] = report(Deployment.objects.all(), DAY, DAY + 24 * HOUR)
    assert entry.uptime == pytest.approx(2 / 3)


def test_maintenance_inside_an_outage_is_left_out(llama: Deployment) -> None:
    watch(llama, 0, 2)
    watch(llama, 2, 3, observed_s=0)
    outage(llama, 1, 3)
    MaintenanceFactory.create(deployment=llama, starts_at=DAY + 2 * HOUR, ends_at=DAY + 3 * HOUR)
    [entry] = report(Deployment.objects.all(), DAY, DAY + 24 * HOUR)
    assert entry.uptime == pytest.approx(0.5)


def test_a_window_that_comes_each_day_takes_its_hours_out_of_the_share(llama: Deployment) -> None:
    watch(llama, 0, 72)
    for day in range(3):
        outage(llama, 24 * day + 1, 24 * day + 3)
    [entry] = report(Deployment.objects.all(), DAY, DAY + 72 * HOUR)
    assert entry.uptime == pytest.approx(1 - 6 / 72)
    window = {"starts_at": DAY + 2 * HOUR, "ends_at": DAY + 3 * HOUR, "repeats": "day"}
    MaintenanceFactory.create(deployment=llama, reason="new models", **window)
    CheckHour.objects.filter(hour__hour=2).update(observed_s=0)  # checks in a window watch nothing
    [entry] = report(Deployment.objects.all(), DAY, DAY + 72 * HOUR)
    assert entry.uptime == pytest.approx(1 - 3 / 69)
    assert [round(day.down_s) for day in entry.days] == [3600] * 3


def test_nothing_observed_is_unknown_and_not_up(llama: Deployment) -> None:
    [entry] = report(Deployment.objects.all(), DAY, DAY + HOUR)
    assert (entry.uptime, entry.checks, list(entry.days)) == (None, 0, [])


def test_outages_of_other_times_and_deployments_are_not_ours(llama: Deployment) -> None:
    other = DeploymentFactory.create(
        slug="other",
        name="Other",
    )
    watch(llama, 0, 24)
    watch(other, 0, 24)
    outage(other, 1, 2)
    outage(llama, -5, 0)
    outage(llama, 24, 30)
    entries = {entry.slug: entry for entry in report(Deployment.objects.all(), DAY, DAY + 24 * HOUR)}
    assert (entries["llama"].uptime, list(entries["llama"].outages)) == (1.0, [])
    assert entries["other"].uptime == pytest.approx(23 / 24)


def test_the_report_takes_as_many_statements_for_ten_deployments_as_for_one(llama: Deployment) -> None:
    watch(llama, 0, 24)
    outage(llama, 1, 2)
    with CaptureQueriesContext(connection) as one:
        report(Deployment.objects.all(), DAY, DAY + 24 * HOUR)
    for n in range(9):
        more = DeploymentFactory.create(
            slug=f"d{n}",
            name="D",
        )
        watch(more, 0, 24)
        outage(more, 3, 4)
    with CaptureQueriesContext(connection) as ten:
        assert len(report(Deployment.objects.all(), DAY, DAY + 24 * HOUR)) == 10
    assert len(ten) == len(one) == ceiling("report of uptime")


def test_figures_over_outages() -> None:
    short = OutageSpan(DAY, DAY + HOUR, "a")
    long = OutageSpan(DAY + 5 * HOUR, DAY + 8 * HOUR, "b")
    lasting = OutageSpan(DAY + 20 * HOUR, None, "c")
    assert mean_time_to_repair([short, long, lasting]) == 2 * HOUR
    assert mean_time_to_repair([lasting]) is None
    assert longest([short, long, lasting], DAY + 21 * HOUR) is long
    assert longest([short, long, lasting], DAY + 30 * HOUR) is lasting
    assert longest([], DAY) is None
