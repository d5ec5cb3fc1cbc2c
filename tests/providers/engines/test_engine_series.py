"""Scrapes kept as minutes, hours and days: added up, compared, thinned out, and shown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from django.test import Client
from django.utils import timezone

from providers.engine_metrics import page as engine_page
from providers.engine_metrics import series as engine_series
from providers.engine_metrics.series import Scraped, series
from providers.engines import EngineSample, Scrape
from providers.engines.growth import quantile
from providers.leases.queries import lease_figures
from providers.models import Deployment, EngineBucket, EngineReading, Lease, Resolution
from providers.uptime import due_checks
from tests.providers import engine_stubs as stubs
from tests.providers.engine_stubs import Stub, as_json, as_text, serving
from tests.providers.people import account, in_role, lease, text
from tests.providers.people import deployment as served
from tests.providers.rows import deployment
from traffic.authentication.keys import create_key

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
    assert due_checks.check_due(now=at) == 1


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


# Shown.


def now_on_the_minute() -> datetime:
    return timezone.now().replace(second=0, microsecond=0)


def with_story(slug: str = "llama") -> Deployment:
    """Two hours of scrapes every 30 s with an hour between them in which nobody scraped, up to now."""
    shown = served(slug=slug, engine="vllm", model="qwen", served_model="qwen", state="up")
    now = now_on_the_minute()
    now, tokens = now - timedelta(minutes=now.minute % 5), 0  # the hour without is then whole steps
    for n in range(0, 360, 4):
        if 120 <= n < 240:
            continue
        at = now - timedelta(hours=3) + n * EVERY
        tokens += 2400
        sample = EngineSample(running=n % 3, waiting=0, output_tokens_total=tokens)
        before = engine_series.last_readings([shown.pk]).get(shown.pk)
        engine_series.add([Scraped(shown.pk, at, Scrape(sample), before, timedelta(minutes=3))])
    return shown


def test_the_page_says_in_words_what_the_engine_told_and_breaks_its_lines() -> None:
    with_story()
    page = text(in_role("manager"), "/settings/deployments/llama/")
    assert "vLLM metrics, last 24 hours" in page
    assert "Answers: mean 20, peak 20." in page
    assert "vLLM does not report: KV cache, Time to first token, Preemptions." in page
    assert "It serves the expected model" in page
    assert re.search(r"Read in 6\d.% of the time", page)
    chart = page[page.index("<h3>Tokens a second") :]
    chart = chart[: chart.index("</figure>")]
    assert chart.count("<polyline") == 2  # answers, before the gap and after it
    assert "prompts" not in chart


@pytest.mark.parametrize(("asked", "step"), [("24h", 60), ("30d", 3600), ("1y", 86400)])
def test_a_short_history_is_drawn_bucket_by_bucket_in_each_range(asked: str, step: int) -> None:
    new = served(slug="llama", engine="vllm", model="qwen")
    now = now_on_the_minute()
    keep(new, EngineSample(running=1), EngineSample(running=3), first=now - EVERY * 24, every=EVERY * 20)
    shown = engine_page.shown_of(new, engine_page.RANGES[asked], now)
    assert (sum(point.samples for point in shown.points), shown.step.total_seconds()) == (2, step)
    page = text(in_role("ops"), "/settings/deployments/llama/", range=asked)
    assert f'aria-current="true">{engine_page.RANGES[asked].label}' in page
    assert "First read at" in page


def test_a_long_history_is_drawn_in_steps_from_the_start_of_the_range(one: Deployment) -> None:
    now = START + timedelta(hours=30)
    keep(one, *(EngineSample(running=n) for n in range(60)), every=timedelta(minutes=30))
    shown = engine_page.shown_of(one, engine_page.RANGES["24h"], now)
    assert (shown.first, shown.step) == (now - timedelta(hours=24) + timedelta(minutes=2), timedelta(minutes=5))
    assert len(shown.points) == 47  # 16:28 to 15:28


def test_a_range_that_there_is_not_is_the_default() -> None:
    with_story()
    assert "metrics, last 24 hours" in text(in_role("ops"), "/settings/deployments/llama/", range="century")


@pytest.mark.parametrize(
    ("engine", "cause", "said"),
    [
        ("ollama", "", "Ollama reports no metrics"),
        ("llamacpp", "", "The next successful check reads them"),
        ("llamacpp", "The server's metrics are switched off: start it with --metrics.", "start it with --metrics"),
    ],
)
def test_without_a_series_the_page_says_why(engine: str, cause: str, said: str) -> None:
    shown = served(engine=engine)
    if cause:
        EngineReading.objects.create(deployment=shown, tried_at=timezone.now(), cause=cause)
    page = html.unescape(text(in_role("ops"), "/settings/deployments/llama/"))
    assert said in page


def test_a_certificate_warns_three_weeks_before_its_end() -> None:
    now = timezone.now()
    served(slug="llama", url="https://a.test", tls_expires_at=now + timedelta(days=20))
    served(slug="later", url="https://b.test", tls_expires_at=now + timedelta(days=22))
    manager = in_role("manager")
    assert "expires soon" in text(manager, "/settings/deployments/llama/")
    assert "expires soon" not in text(manager, "/settings/deployments/later/")


def test_a_lease_is_as_used_as_its_busiest_engine_unless_the_vendor_tells() -> None:
    rented = lease(account(), utilisation=None)
    shown = served(lease=rented)
    first = now_on_the_minute() - timedelta(minutes=10)
    keep(shown, *(EngineSample(running=n) for n in (1, 0, 0, 0)), first=first)
    [row] = lease_figures(Lease.objects.all(), timezone.now())
    assert (row.utilisation, row.busy_name) == (0.25, "Last hour with a request, as the engine reports it")
    Lease.objects.update(utilisation=0.9)
    [row] = lease_figures(Lease.objects.all(), timezone.now())
    assert (row.utilisation, row.busy_name) == (0.9, "GPU busy, as RunPod reports it")


def test_the_api_gives_the_points_of_the_page(client: Client) -> None:
    with_story()
    Deployment.objects.update(engine_slots=4)
    _key, secret = create_key(name="reader", scopes=["read"])
    answer = client.get("/api/v1/deployments/llama/engine?range=24h", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["slug"], told["served_model"], told["step_s"]) == ("llama", "qwen", 300)
    assert (told["max_concurrency"], told["engine_slots"]) == (None, 4)
    rates = {point["output_tokens_per_s"] for point in told["points"]}
    assert rates <= {20.0, None} and 20.0 in rates
    assert told["points"][-1]["running"]["most"] <= 2
    assert told["points"][-1]["kv_cache"] is None
    missing = client.get("/api/v1/deployments/nobody/engine", headers={"Authorization": f"Bearer {secret}"})
    assert missing.status_code == 404


def test_what_is_nothing_but_zeros_is_said_without_a_chart() -> None:
    shown = served(slug="llama", engine="vllm", model="qwen")
    first = now_on_the_minute() - timedelta(minutes=10)
    keep(shown, *(EngineSample(running=1, preemptions_total=4) for _ in range(4)), first=first)
    page = text(in_role("ops"), "/settings/deployments/llama/")
    after = page[page.index("<h3>Preemptions") :]
    assert after.startswith("<h3>Preemptions</h3> <p>No preemptions.</p> </div>")
