"""The Uptime page: who may see it, and what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from lib.time_spans import Span
from providers.models import CheckHour, Deployment
from providers.uptime import page as uptime_page
from providers.uptime.report import DeploymentUptime, OutageSpan, UptimeDay
from tests.factories import DeploymentFactory, LeaseFactory, OutageFactory
from tests.pages import html_of

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


# The cells of a strip. Pure.


def entry(*days: UptimeDay, outages: list[OutageSpan] | None = None) -> DeploymentUptime:
    return DeploymentUptime("llama", "Llama", "llamacpp", "up", None, 0, 0, outages or [], days)


def day(n: int, latency_ms: float = 10.0, down_s: float = 0.0, observed_s: float = 86400.0) -> UptimeDay:
    return UptimeDay(date(2026, 11, n), 100, 0, latency_ms * 100, observed_s, down_s)


def cells(figures: DeploymentUptime, *windows: Span) -> list[dict[str, Any]]:
    return uptime_page.cells(figures, [date(2026, 11, n) for n in (8, 9, 10)], windows, NOON)


def test_a_day_without_checks_is_unknown_and_never_up() -> None:
    assert [cell["state"] for cell in cells(entry(day(9), day(10, observed_s=0.0)))] == ["unknown", "up", "unknown"]


def test_a_day_with_an_outage_shows_its_share_and_cause() -> None:
    broke = OutageSpan(NOON - DAY, NOON - DAY + timedelta(minutes=190), "Host reboot.")
    cell = cells(entry(day(9, down_s=11400.0), outages=[broke]))[1]
    assert (cell["state"], cell["cause"]) == ("down", "190 min: Host reboot.")
    assert cell["lost"] == pytest.approx(11400 / 86400)


def test_a_day_far_slower_than_usual_is_slow() -> None:
    assert [c["state"] for c in cells(entry(day(8), day(9, latency_ms=900.0), day(10)))] == ["up", "slow", "up"]
    # Three times almost nothing is still almost nothing.
    assert [c["state"] for c in cells(entry(day(8), day(9, latency_ms=90.0), day(10)))] == ["up", "up", "up"]


def test_a_day_wholly_in_maintenance_says_so() -> None:
    window = Span(NOON - 1.5 * DAY, NOON - 0.5 * DAY)
    assert [cell["state"] for cell in cells(entry(day(8), day(10)), window)] == ["up", "maintenance", "up"]


def test_the_record_counts_outages_of_the_period_only() -> None:
    old = OutageSpan(NOON - 20 * DAY, NOON - 20 * DAY + timedelta(hours=1), "old")
    new = OutageSpan(NOON - DAY, NOON - DAY + timedelta(hours=2), "new")
    record = uptime_page.record([entry(day(9, down_s=7200.0), day(10), outages=[new, old])], NOON - 7 * DAY, NOON)
    assert [one.outage.cause for one in record.outages] == ["new"]
    assert (record.down, record.repair) == (timedelta(hours=2), timedelta(hours=2))
    assert record.longest is not None
    assert record.longest.outage is new
    assert record.uptime == pytest.approx(1 - 7200 / 172800)


# The page.


@pytest.fixture
def url(db: None) -> str:
    return reverse("providers:uptime")


@pytest.fixture
def viewer(db: None) -> Client:
    user = User.objects.create_user("ann")
    user.user_permissions.add(Permission.objects.get(codename="view_outage", content_type__app_label="providers"))
    client = Client()
    client.force_login(user)
    return client


def deployment(slug: str, state: str = "up", **more: Any) -> Deployment:
    now = timezone.now()
    given: dict[str, Any] = {
        "name": slug.title(),
        "provider": "self",
        "engine": "llamacpp",
        "url": "http://127.0.0.1:1",
        "state": state,
        "state_since": now - timedelta(hours=1),
        "last_check_at": now - timedelta(seconds=5),
        "last_latency_ms": 12.0,
    }
    return DeploymentFactory.create(slug=slug, **given | more)


def watch(deployment: Deployment, days: int = 3) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    CheckHour.objects.bulk_create(
        CheckHour(
            deployment=deployment,
            hour=hour - timedelta(hours=n),
            checks=120,
            failed=1,
            observed_s=3600,
            latency_sum_ms=1190.0,
        )
        for n in range(1, days * 24)
    )


def text(client: Client, url: str, **query: Any) -> str:
    response = client.get(url, query)
    assert response.status_code == 200
    return html_of(response)


def test_a_stranger_is_sent_to_the_login(url: str) -> None:
    response = Client().get(url)
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_someone_without_the_permission_is_refused(url: str) -> None:
    client = Client()
    client.force_login(User.objects.create_user("staff"))
    assert client.get(url).status_code == 403


def test_without_deployments_the_page_says_what_to_do(viewer: Client, url: str) -> None:
    assert "there is no uptime data" in text(viewer, url)


def test_the_answer_names_the_slowest_when_all_is_up(viewer: Client, url: str) -> None:
    deployment("quick", last_latency_ms=2.0)
    deployment("slow", last_latency_ms=840.0)
    assert "All 2 deployments are up. Slowest check: Slow, 840 ms." in text(viewer, url)


def test_the_answer_names_what_is_down_and_why(viewer: Client, url: str) -> None:
    deployment("fine")
    broken = deployment("broken", "down", last_cause="127.0.0.1:1 refuses the connection: nothing listens there.")
    watch(broken)
    since = timezone.now() - timedelta(hours=1)
    OutageFactory.create(deployment=broken, started_at=since, confirmed_at=since, cause=broken.last_cause)
    page = text(viewer, url)
    assert "<b>Broken</b> has been down since" in page
    assert "1 of 2 are up." in page
    assert page.count("nothing listens there") >= 3
    assert "1 outage in 90 days, " in page


def test_a_state_that_nobody_confirmed_lately_is_unknown(viewer: Client, url: str) -> None:
    deployment("old", last_check_at=timezone.now() - timedelta(hours=2))
    page = text(viewer, url)
    assert "no check has run since" in page
    assert "was up" in page


def test_a_deployment_never_checked_is_not_up(viewer: Client, url: str) -> None:
    deployment("new", "unknown", last_check_at=None, state_since=None, last_latency_ms=None)
    assert "1 deployment, not checked yet." in text(viewer, url)


def test_period_and_deployment_live_in_the_url(viewer: Client, url: str) -> None:
    watch(deployment("one"))
    watch(deployment("two"))
    page = text(viewer, url, days=7, deployment="one")
    assert page.count('class="strip"') == 1
    assert 'href="/uptime/?deployment=one&amp;days=30"' in page
    assert text(viewer, url, days="x", page="-1").count('class="strip"') == 2


def test_the_page_takes_as_many_statements_for_twelve_deployments_as_for_two(viewer: Client, url: str) -> None:
    for n in range(2):
        watch(deployment(f"d{n}"))
    with CaptureQueriesContext(connection) as two:
        text(viewer, url)
    for n in range(2, 12):
        watch(deployment(f"d{n}"))
    with CaptureQueriesContext(connection) as twelve:
        text(viewer, url)
    assert len(twelve) == len(two)


def test_more_deployments_than_fit_are_turned_page_by_page(viewer: Client, url: str) -> None:
    for n in range(60):
        deployment(f"d{n:02}")
    deployment("zz-broken", "down")
    first, second = text(viewer, url), text(viewer, url, page=2)
    assert (first.count('class="strip"'), second.count('class="strip"')) == (50, 11)
    assert "Zz-Broken" in first


def test_a_deployment_whose_machine_was_stopped_is_not_up_on_any_page(db: Any, client: Client) -> None:
    """What the vendor says of the machine and what Uptime says of the deployment agree."""
    client.force_login(User.objects.create_superuser("root", "root@example.com", "x"))
    lease = LeaseFactory.create(state="stopped")
    deployment = DeploymentFactory.create(
        slug="own", name="Own", engine="vllm", url="http://x", state="up", last_check_at=timezone.now(), lease=lease
    )
    assert uptime_page.with_machine(deployment, timezone.now()).state == "stopped"
    text = html_of(client.get(reverse("providers:uptime")))
    assert "0 of 1 are up, 1 is on a stopped GPU" in text
    assert "0 of 1 deployment" in html_of(client.get(reverse("providers:deployments"))).replace("<b>", "")
    summary = client.get("/").context["up"].summary
    assert (summary.up, list(summary.by_state)) == (0, ["stopped"])
    deployment.state = "down"
    assert uptime_page.with_machine(deployment, timezone.now()).state == "down", "that may be why"
    lease.state = "running"
    deployment.state = "up"
    assert uptime_page.with_machine(deployment, timezone.now()).state == "up"


@pytest.mark.django_db
def test_the_sentence_counts_the_deployments_that_the_page_is_filtered_to(client: Client) -> None:
    reader = User.objects.create_user("reader")
    reader.user_permissions.add(Permission.objects.get(codename="view_outage"))
    client.force_login(reader)
    now = timezone.now()
    for slug, ms in (("quick", 10.0), ("slow", 900.0)):
        DeploymentFactory.create(
            slug=slug, name=slug.title(), state="up", last_check_at=now, last_latency_ms=ms, state_since=now
        )
    assert "Slowest check: Slow, 900 ms" in html_of(client.get("/uptime/"))
    filtered = html_of(client.get("/uptime/?deployment=quick"))
    assert "Quick is up. Its last check took 10 ms." in filtered
    assert "Slowest check: Slow" not in filtered
