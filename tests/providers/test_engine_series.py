"""Scrapes kept as minutes, hours and days: added up, compared, thinned out, and shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from providers import engine_series, uptime
from providers.engine_series import Scraped, series
from providers.engines import EngineSample, Scrape
from providers.engines.growth import quantile
from providers.models import Deployment, EngineBucket, EngineReading, Resolution
from tests.providers import engine_stubs as stubs
from tests.providers.engine_stubs import Stub, as_json, as_text, serving
from tests.providers.test_uptime import deployment

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 10, 9, 58, tzinfo=UTC)
EVERY = timedelta(seconds=30)
GAP = timedelta(seconds=120)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(stubs.vllm("qwen")) as running:
        yield running


@pytest.fixture
def one() -> Deployment:
    return deployment("qwen", "http://127.0.0.1:1")


def keep(one: Deployment, *samples: EngineSample, first: datetime = START, every: timedelta = EVERY) -> None:
    """One scrape after the other, each compared with the one before it, as checks do."""
    for n, sample in enumerate(samples):
        before = engine_series.last_readings([one.pk]).get(one.pk)
        engine_series.add([Scraped(one.pk, first + n * every, Scrape(sample), before, GAP)])


def minute(at: datetime = START) -> EngineBucket:
    return EngineBucket.objects.get(resolution=Resolution.MINUTE, start=at)


def check_at(at: datetime) -> None:
    Deployment.objects.update(check_due_at=START)
    assert uptime.check_due(now=at) == 1


def test_a_check_of_an_engine_with_metrics_keeps_what_it_scraped(stub: Stub) -> None:
    one = deployment("served", stub.url)
    check_at(START)
    more = stubs.VLLM_METRICS.replace("} 88.0", "} 688.0").replace("} 1.0\nvllm:request_s", "} 4.0\nvllm:request_s")
    stub.routes["GET /metrics"] = as_text(more)
    check_at(START + EVERY)
    rows = {row.resolution: row for row in EngineBucket.objects.all()}
    assert sorted(rows) == [60, 3600, 86400]
    for row in rows.values():
        assert (row.samples, row.counted_s, row.output_tokens, row.preemptions) == (2, 30.0, 600.0, 3.0)
        assert (row.running_min, row.running_max, row.waiting_max, row.kv_cache_max) == (5.0, 5.0, 4.0, 0.75)
    one.refresh_from_db()
    assert (one.state, one.served_model) == ("up", "qwen")


def test_an_engine_without_its_metrics_is_up_and_the_reason_is_kept(stub: Stub) -> None:
    one = deployment("served", stub.url)
    stub.routes["GET /metrics"] = as_json({}, 501)
    check_at(START)
    reading = EngineReading.objects.get()
    assert (reading.at, reading.tried_at, "start it with --metrics" in reading.cause) == (None, START, True)
    assert not EngineBucket.objects.exists()
    one.refresh_from_db()
    assert one.state == "up"


def test_gauges_are_kept_as_least_mean_and_most(one: Deployment) -> None:
    keep(one, EngineSample(running=1, kv_cache=0.2), EngineSample(running=4, kv_cache=0.6), every=timedelta(seconds=20))
    row = minute()
    assert (row.running_min, row.running_sum, row.running_max, row.running_n, row.busy) == (1, 5, 4, 2, 2)
    assert (row.waiting_n, row.waiting_sum, row.output_tokens) == (0, None, None)
    [point] = series(one.pk, Resolution.MINUTE, START, START + EVERY, timedelta(minutes=5))
    assert point.gauges == {"running": (1, 2.5, 4), "waiting": None, "kv_cache": (0.2, pytest.approx(0.4), 0.6)}


def test_what_a_restarted_server_counted_since_is_all_that_is_added(one: Deployment) -> None:
    keep(one, *(EngineSample(output_tokens_total=n) for n in (100, 160, 40)), every=timedelta(seconds=15))
    assert (minute().output_tokens, minute().counted_s, minute().restarts) == (100, 30, 1)


def test_time_that_nobody_watched_is_no_growth_and_no_second(one: Deployment) -> None:
    keep(one, EngineSample(output_tokens_total=100), EngineSample(output_tokens_total=900), every=timedelta(minutes=3))
    assert minute(START + timedelta(minutes=3)).counted_s == 0
    assert minute(START + timedelta(minutes=3)).output_tokens is None
    points = series(one.pk, Resolution.MINUTE, START, START + timedelta(minutes=5), timedelta(minutes=1))
    assert [point.start for point in points] == [START, START + timedelta(minutes=3)]
    assert [point.rate("output_tokens") for point in points] == [None, None]


def test_times_to_first_token_are_added_bucket_by_bucket(one: Deployment) -> None:
    told = [((0.1, a), (0.5, a + b), (inf, a + b)) for a, b in ((0.0, 0.0), (4.0, 0.0), (4.0, 6.0))]
    keep(one, *(EngineSample(ttft_buckets=buckets) for buckets in told), every=timedelta(seconds=10))
    [point] = series(one.pk, Resolution.DAY, START.replace(hour=0, minute=0), START + EVERY, timedelta(days=1))
    assert point.ttft == {0.1: 4.0, 0.5: 6.0}
    assert quantile(point.ttft, 0.4) == pytest.approx(0.1)


def test_minutes_are_kept_a_day_hours_a_month_and_days_a_year(one: Deployment) -> None:
    keep(one, EngineSample(running=1))
    left = []
    for later in (timedelta(hours=23), timedelta(hours=25), timedelta(days=31), timedelta(days=368)):
        engine_series.prune(START + later)
        left.append(sorted(EngineBucket.objects.values_list("resolution", flat=True)))
    assert left == [[60, 3600, 86400], [3600, 86400], [86400], []]


def test_the_share_of_time_in_use_is_of_the_scrapes_that_tell(one: Deployment) -> None:
    keep(one, *(EngineSample(running=n) for n in (0, 2, 0, 0)))
    other = deployment("silent", "http://127.0.0.1:1")
    keep(other, EngineSample(output_tokens_total=5))
    assert engine_series.busy_shares([one.pk, other.pk], START + timedelta(minutes=5)) == {one.pk: 0.25}
    assert engine_series.busy_shares([one.pk], START + timedelta(hours=3)) == {}
