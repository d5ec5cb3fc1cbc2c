"""What the pages of deployments, outages, jobs and status pages say in words, each branch, from plain objects."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lib.formats import missing
from lib.time_spans import Span
from providers.deployments.page import DeploymentPage, DeploymentsPage, Trial
from providers.engine_metrics.page import Chart, EngineNow
from providers.engines import CheckResult
from providers.heartbeats.page import HeartbeatPage, HeartbeatsPage, missed
from providers.heartbeats.report import HeartbeatNow
from providers.models import (
    Deployment,
    EngineReading,
    Heartbeat,
    HeartbeatPing,
    HeartbeatSpan,
    Maintenance,
    Outage,
    StatusPage,
)
from providers.status_pages.page import Incident, SettingsPage, StatusPagesPage
from providers.uptime.outage_cost import NO_COST, OutageCost
from providers.uptime.page import Broke, DeploymentNow, OutagePage, Record, UptimeSummary, answer
from providers.uptime.report import OutageSpan
from tests.pages import words
from tests.providers.plain import (
    NOON,
    TWO_HOURS_AGO,
)
from tests.providers.plain import (
    NOW as NOW,
)

pytestmark = pytest.mark.usefixtures("stopped_clock")

# Deployments and their uptime.


def deployment(state: str = "up", **more: Any) -> DeploymentNow:
    fields: dict[str, Any] = {
        "name": "mistral",
        "slug": "mistral",
        "engine": "vllm",
        "state": state,
        "state_since": TWO_HOURS_AGO,
        "last_check_at": TWO_HOURS_AGO,
        "last_latency_ms": 84.0,
        "enabled": True,
        "url": "http://10.0.0.1",
        "served_model": "",
        "last_cause": "",
    }
    row = Deployment(**(fields | more))
    return DeploymentNow(row, row.state)


def uptime(*rows: DeploymentNow) -> UptimeSummary:
    return answer(rows)


UP, DOWN, UNKNOWN = deployment(), deployment("down", name="llama"), deployment("unknown")
STARTING, PLANNED = deployment("starting"), deployment("maintenance")


@pytest.mark.parametrize(
    ("summary", "sentence"),
    [
        (uptime(), "No deployments yet, so there is no uptime data."),
        (
            uptime(deployment("unknown", last_check_at=None)),
            "1 deployment, not checked yet.",
        ),
        (uptime(UNKNOWN), "Uptime is unknown: no check has run since 2 h ago."),
        (uptime(UP), "mistral is up. Its last check took 84 ms."),
        (uptime(UP, UP), "All 2 deployments are up. Slowest check: mistral, 84 ms."),
        (
            uptime(UP, DOWN, STARTING, PLANNED, UNKNOWN),
            "llama has been down since WHEN, 1 of 5 are up, 1 is starting, 1 is in maintenance, 1 is unknown.",
        ),
        (uptime(DOWN, DOWN), "2 of 2 deployments are down, 0 of 2 are up."),
        (uptime(UP, STARTING, STARTING), "No deployment is down, 1 of 3 are up, 2 are starting."),
    ],
)
def test_the_uptime_page_says_what_is_up_and_what_the_others_are(summary: UptimeSummary, sentence: str) -> None:
    since = re.sub(r"since \d+ \w+(?: \d{4})?, \d\d:\d\d", "since WHEN", words(summary.answer()))
    assert since == sentence


@pytest.mark.parametrize(
    ("rows", "off", "sentence"),
    [
        ([], 1, "All deployments are disabled, so no requests can be sent."),
        ([], 0, "No deployments yet, so no requests can be sent."),
        ([DOWN], 0, "0 of 1 deployment is up. llama is down."),
        ([DOWN, UP], 0, "1 of 2 deployments are up. llama is down."),
        ([UP], 0, "The only deployment is up and can receive requests."),
        ([UP, UP], 0, "All 2 deployments are up and can receive requests."),
        ([UP, UNKNOWN], 0, "1 of 2 deployments are up. The others are unknown."),
    ],
)
def test_the_deployments_page_says_how_many_answer(rows: list[DeploymentNow], off: int, sentence: str) -> None:
    assert words(DeploymentsPage(rows, [Deployment()] * off).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (deployment(enabled=False), "mistral is disabled: no requests and no checks."),
        (UP, "mistral is up. Last check 2 h ago in 84 ms (vLLM)."),
        (
            deployment("down", last_cause="HTTP 500."),
            "mistral is down since 2 h ago. HTTP 500.",
        ),
        (UNKNOWN, "The state of mistral is currently unknown."),
    ],
)
def test_a_deployment_says_whether_it_is_up(row: DeploymentNow, sentence: str) -> None:
    page = DeploymentPage(row.deployment, row)
    assert words(page.answer()) == sentence
    assert (page.title(), page.form_headline()) == ("mistral", "Settings")
    assert page.use_headline() == ("Receiving traffic" if row.deployment.enabled else "Disabled")


def test_a_deployment_says_what_the_latest_check_saw() -> None:
    rows = (
        deployment(model="m", served_model="m"),
        deployment(model="m", served_model="other"),
        deployment(model="m"),
        deployment(last_check_at=None),
    )
    assert [DeploymentPage(row.deployment, row).check_headline() for row in rows] == [
        "It serves the expected model",
        "It serves other",
        "The expected model was not found",
        "Not checked yet",
    ]
    certificates = (UP, deployment(url="https://a"), deployment(tls_expires_at=NOON))
    assert [words(DeploymentPage(row.deployment, row).certificate()) for row in certificates] == [
        "none, it is plain HTTP",
        "not read yet",
        "18 Jun 2025, 12:00",
    ]
    planned = DeploymentPage(UP.deployment, UP, [(Maintenance(), Span(NOON, NOON))])
    assert words(planned.maintenance_headline()) == "Maintenance from 18 Jun 2025, 12:00"
    new = DeploymentPage(Deployment(), None)
    assert new.maintenance_headline() == "No planned maintenance"
    assert new.title() == "Add a deployment"
    assert new.answer() == "A deployment is one model at one URL. It is checked from now on."


@pytest.mark.parametrize(
    ("result", "headline", "mark"),
    [
        (CheckResult(ok=True, step="models", state="up", latency_ms=84.0), "Check succeeded in 84 ms", "ok"),
        (CheckResult(ok=False, step="liveness", state="starting", latency_ms=1.0), "It is starting", "warn"),
        (CheckResult(ok=False, step="connect", state="down", latency_ms=1.0), "Check failed", "bad"),
    ],
)
def test_a_trial_says_how_it_went(result: CheckResult, headline: str, mark: str) -> None:
    trial = Trial(UP.deployment, result)
    assert (trial.headline(), trial.mark) == (headline, mark)


def test_a_deployment_says_since_when_or_what_it_was() -> None:
    assert words(UP.note()).startswith("since ")
    assert words(DeploymentNow(UP.deployment, "unknown").note()) == "was up"
    assert DeploymentNow(Deployment(state="up"), "up").note() == ""
    assert words(DOWN.down_notice()) == "llama went down 2 h ago"
    assert uptime(UP).speed_headline() == "Slowest check: mistral, 84 ms"
    assert uptime(DOWN).speed_headline() == "No check times"


def broke(*, ended: bool = True) -> Broke:
    outage = OutageSpan(NOON, NOON + timedelta(hours=1) if ended else None, "HTTP 500")
    return Broke("mistral", "mistral", outage, timedelta(hours=1))


def record(*outages: Broke, share: float | None = 0.99) -> Record:
    first = outages[0] if outages else None
    return Record(30, outages, timedelta(hours=2), first, None, None, share)


@pytest.mark.parametrize(
    ("row", "finding", "headline"),
    [
        (
            record(broke()),
            "1 outage in 30 days, 2 h down: mistral, 18 Jun 2025, 12:00",
            "Outages",
        ),
        (
            record(broke(), broke()),
            "2 outages in 30 days, 2 h down. Longest: mistral, 18 Jun 2025, 12:00",
            "Outages",
        ),
        (record(share=None), "No checks in 30 days", "No outages in 30 days"),
        (record(), "No outages in 30 days", "No outages in 30 days"),
    ],
)
def test_a_record_says_what_broke(row: Record, finding: str, headline: str) -> None:
    assert words(row.finding()) == finding
    assert row.headline() == headline


def test_an_outage_says_how_long_it_took_and_what_it_hit() -> None:
    assert broke().length() == "1 h"
    assert broke(ended=False).length() == "1 h so far"
    assert NO_COST.words() == "requests not counted yet"
    assert OutageCost(1, 2).words() == "1 request failed, 2 rerouted"
    assert OutageCost(3, 0, Decimal("1.5")).words() == "3 requests failed, 0 rerouted · $1.50 of rent while down"


@pytest.mark.parametrize(
    ("ended", "cost", "sentence"),
    [
        (True, NO_COST, "was down for 1 h from 18 Jun 2025, 12:00. Affected requests are not counted yet."),
        (
            False,
            OutageCost(1, 2),
            "has been down for 1 h, since 18 Jun 2025, 12:00. 1 request failed and 2 were rerouted.",
        ),
        (True, OutageCost(3, 0), "was down for 1 h from 18 Jun 2025, 12:00. 3 requests failed and 0 were rerouted."),
    ],
)
def test_the_page_of_an_outage_says_what_it_did(ended: bool, cost: OutageCost, sentence: str) -> None:
    end = NOON + timedelta(hours=1) if ended else None
    row = Outage(deployment=UP.deployment, started_at=NOON, ended_at=end, post_mortem="")
    page = OutagePage(row, timedelta(hours=1), cost)
    assert words(page.answer()) == f"mistral {sentence}"
    assert page.rent() == "no lease"
    assert page.lesson_headline() == "No post-mortem yet"


def test_the_rent_of_an_outage_is_unknown_until_it_is_observed() -> None:
    row = Outage(deployment=deployment(lease_id=1).deployment, started_at=NOON, post_mortem="Learnt.")
    assert words(OutagePage(row, timedelta(hours=1), NO_COST).rent()) == "–"
    page = OutagePage(row, timedelta(hours=1), OutageCost(money=Decimal(2)))
    assert (page.rent(), page.lesson_headline()) == ("$2.00", "Post-mortem")


# Engines.


def engine(**more: Any) -> EngineNow:
    parts: dict[str, Any] = {
        "label": "vLLM",
        "range_label": "24 hours",
        "scrapes": True,
        "reading": None,
        "old": False,
        "charts": (),
        "silent": (),
        "watched": 1.0,
        "restarts": 0,
        "marks": (),
        "first": NOON,
        "end": NOON,
        "begins": None,
    }
    return EngineNow(**(parts | more))


READ, FAILED = EngineReading(at=TWO_HOURS_AGO), EngineReading(at=TWO_HOURS_AGO, cause="No route.")


@pytest.mark.parametrize(
    ("row", "why", "counters"),
    [
        (
            engine(scrapes=False),
            "vLLM, SGLang, LMDeploy, Text Generation Inference and llama.cpp",
            "not available for this engine",
        ),
        (engine(reading=FAILED), "No route.", "not reported No route."),
        (engine(reading=READ), "No readings in this period. Choose a longer one.", "2 h ago"),
        (engine(reading=READ, old=True), "No readings in this period", "old 2 h ago"),
        (engine(), "The next successful check reads them.", "not read yet"),
    ],
)
def test_an_engine_without_charts_says_why(row: EngineNow, why: str, counters: str) -> None:
    assert row.why_empty().startswith(why)
    assert words(f"{row.counters_mark()} {row.counters()}") == counters


def test_an_engine_says_what_its_lines_lack() -> None:
    chart = Chart("Requests", "", "count", ())
    assert engine(charts=[chart]).headline() == "vLLM metrics, last 24 hours"
    assert engine().headline() == "No vLLM metrics in the last 24 hours"
    assert engine(scrapes=False).headline() == "vLLM reports no metrics"
    assert words(engine(begins=NOON, watched=0.5, restarts=2).note()) == (
        "First read at 18 Jun 2025, 12:00. Read in 50 % of the time since the first reading."
        " Gaps show missing readings. 2 restarts. Earlier counts are included."
    )
    assert engine().note() == ""
    assert engine(restarts=1).note() == "1 restart. Earlier counts are included."


# Batch jobs and status pages.


def beat(state: str = "up", **more: Any) -> HeartbeatNow:
    fields: dict[str, Any] = {
        "name": "nightly",
        "state_since": NOON,
        "last_ping_at": TWO_HOURS_AGO,
        "due_at": NOON,
        "last_signal": "success",
    }
    return HeartbeatNow(Heartbeat(**(fields | more)), state, "ok", "on time")


@pytest.mark.parametrize(
    ("beats", "sentence"),
    [
        ([], "No batch job sends pings yet."),
        ([beat("down"), beat()], "nightly has been missing since 18 Jun 2025, 12:00."),
        ([beat("down"), beat("down")], "2 of 2 batch jobs are late or failed."),
        ([beat()], "The one batch job ran on time."),
        ([beat(), beat()], "2 of 2 batch jobs ran on time."),
        ([beat(), beat("unknown")], "1 of 2 batch jobs ran on time. No other is late."),
    ],
)
def test_the_page_of_batch_jobs_says_which_ran(beats: list[HeartbeatNow], sentence: str) -> None:
    assert words(HeartbeatsPage(beats).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (beat(paused=True, state_since=TWO_HOURS_AGO), "nightly is paused since 2 h ago. No pings are expected."),
        (beat("down", last_signal="fail"), "nightly reported a failure 2 h ago."),
        (beat("down"), "nightly is late: its ping was due by 18 Jun 2025, 12:00."),
        (beat("unknown", last_ping_at=None), "nightly is waiting for its first ping."),
        (
            beat(running_since=TWO_HOURS_AGO),
            "nightly started 2 h ago and must end by 18 Jun 2025, 12:00.",
        ),
        (beat(), "nightly is on time. Last ping 2 h ago, next due by 18 Jun 2025, 12:00."),
        (None, "A batch job has its own address. It sends a ping there after each run."),
    ],
)
def test_a_batch_job_says_when_it_ran(row: HeartbeatNow | None, sentence: str) -> None:
    page = HeartbeatPage(row, (), ())
    assert words(page.answer()) == sentence
    assert page.title() == ("nightly" if row else "Add a batch job")


def test_headings_of_a_batch_job_follow_its_pings() -> None:
    assert [HeartbeatPage(None, (), [HeartbeatPing()] * n).pings_headline() for n in (0, 1, 2)] == [
        "No pings yet",
        "Last ping",
        "Last 2 pings",
    ]
    assert [HeartbeatPage(beat(paused=paused), (), ()).watched_headline() for paused in (True, False)] == [
        "Paused",
        "Watched",
    ]
    assert HeartbeatPage(None, (), ()).missed_headline() == "No missed pings in 90 days"
    assert HeartbeatPage(None, [HeartbeatSpan()], ()).missed_headline() == "Missed pings in 90 days"
    assert [missed(n) for n in (0, 1, 2)] == ["0 missed", "1 missed", "2 missed"]
    assert [HeartbeatPing(signal=signal).mark for signal in ("fail", "start", "success")] == ["bad", "info", "ok"]


def status_page(access: str) -> StatusPage:
    return StatusPage(title="Our API", access=access)


@pytest.mark.parametrize(
    ("pages", "sentence"),
    [
        ([], "No status pages yet."),
        (["off"], "The only status page is a draft."),
        (["off", "off"], "All 2 status pages are drafts."),
        (["public", "off"], "1 of 2 status pages is public."),
        (["public", "unlisted"], "2 of 2 status pages are public."),
    ],
)
def test_the_list_of_status_pages_says_how_many_are_open(pages: list[str], sentence: str) -> None:
    assert words(StatusPagesPage([status_page(access) for access in pages]).answer()) == sentence


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (None, "A status page shows selected deployments and batch jobs."),
        (status_page("public"), "Our API is public, without a login."),
        (status_page("unlisted"), "Our API is open to people with its secret link."),
        (status_page("off"), "Our API is a draft. Only signed-in people can open it."),
    ],
)
def test_the_settings_of_a_status_page_say_who_sees_it(page: StatusPage | None, sentence: str) -> None:
    settings = SettingsPage(page)
    assert words(settings.answer()) == sentence
    assert settings.title() == ("Our API" if page else "Add a status page")


def test_an_outage_of_a_status_page_says_how_long_it_took() -> None:
    assert Incident("API", NOON, NOON + timedelta(hours=1), "").length() == "1 h"
    assert Incident("API", NOON, None, "").length() == "ongoing"


def test_no_mean_time_between_outages_is_longer_than_what_was_watched() -> None:
    """Six deployments of 45 days are 270 days; two outages in them are no mean of 135 days."""
    plain = record()
    assert plain.time_between() == missing("dash")
    assert replace(plain, between=timedelta(days=15)).time_between() == "15 d"
    assert replace(plain, between=timedelta(days=135)).time_between() == "0 outages in 30 days, too few for a mean"
