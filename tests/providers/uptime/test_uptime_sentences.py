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
        (uptime(), "No deployment is set up yet, so nothing is known about uptime."),
        (
            uptime(deployment("unknown", last_check_at=None)),
            "1 deployment is set up, but it has not been checked yet.",
        ),
        (uptime(UNKNOWN), "No check has run since 2 h ago, so whether anything is up is unknown."),
        (uptime(UP), "The one deployment, mistral, is up and answered its last check in 84 ms."),
        (uptime(UP, UP), "All 2 deployments are up; the slowest, mistral, answered its last check in 84 ms."),
        (
            uptime(UP, DOWN, STARTING, PLANNED, UNKNOWN),
            "llama has been down since WHEN; 1 of 5 are up, 1 is starting, 1 is in maintenance, 1 is unknown.",
        ),
        (uptime(DOWN, DOWN), "2 of 2 deployments are down; 0 of 2 are up."),
        (uptime(UP, STARTING, STARTING), "Nothing is down; 1 of 3 are up, 2 are starting."),
    ],
)
def test_the_uptime_page_says_what_is_up_and_what_the_others_are(summary: UptimeSummary, sentence: str) -> None:
    since = re.sub(r"since \d+ \w+(?: \d{4})?, \d\d:\d\d", "since WHEN", words(summary.answer()))
    assert since == sentence


@pytest.mark.parametrize(
    ("rows", "off", "sentence"),
    [
        ([], 1, "Every deployment is switched off, so no request can be sent."),
        ([], 0, "No deployment is set up yet, so no request can be sent."),
        ([DOWN], 0, "0 of 1 deployment is up; llama is down."),
        ([DOWN, UP], 0, "1 of 2 deployments are up; llama is down."),
        ([UP], 0, "The one deployment is up and may get requests."),
        ([UP, UP], 0, "All 2 deployments are up and may get requests."),
        ([UP, UNKNOWN], 0, "1 of 2 deployments are up; of the others it is not known."),
    ],
)
def test_the_deployments_page_says_how_many_answer(rows: list[DeploymentNow], off: int, sentence: str) -> None:
    assert words(DeploymentsPage(rows, [Deployment()] * off).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (deployment(enabled=False), "mistral is switched off: no request goes there and nothing is checked."),
        (UP, "mistral is up: vLLM answered 2 h ago in 84 ms."),
        (
            deployment("down", last_cause="HTTP 500."),
            "mistral is down: it stopped answering 2 h ago. HTTP 500.",
        ),
        (UNKNOWN, "Whether mistral is up is not known at this moment."),
    ],
)
def test_a_deployment_says_whether_it_is_up(row: DeploymentNow, sentence: str) -> None:
    page = DeploymentPage(row.deployment, row)
    assert words(page.answer()) == sentence
    assert (page.title(), page.form_headline()) == ("mistral", "Change the deployment")
    assert page.use_headline() == ("Requests may go there" if row.deployment.enabled else "No request goes there")


def test_a_deployment_says_what_the_latest_check_saw() -> None:
    rows = (
        deployment(model="m", served_model="m"),
        deployment(model="m", served_model="other"),
        deployment(model="m"),
        deployment(last_check_at=None),
    )
    assert [DeploymentPage(row.deployment, row).check_headline() for row in rows] == [
        "It serves the model that is expected",
        "It serves other",
        "The model that is expected was not seen",
        "Not checked yet",
    ]
    certificates = (UP, deployment(url="https://a"), deployment(tls_expires_at=NOON))
    assert [words(DeploymentPage(row.deployment, row).certificate()) for row in certificates] == [
        "none, it is plain HTTP",
        "not seen yet",
        "18 Jun 2025, 12:00",
    ]
    planned = DeploymentPage(UP.deployment, UP, [(Maintenance(), Span(NOON, NOON))])
    assert words(planned.maintenance_headline()) == "Maintenance from 18 Jun 2025, 12:00"
    new = DeploymentPage(Deployment(), None)
    assert new.maintenance_headline() == "No maintenance is planned"
    assert (new.title(), new.question()) == ("Add a deployment", "Which model, behind which URL?")
    assert new.answer() == "A new deployment is one model behind one URL, checked from then on."


@pytest.mark.parametrize(
    ("result", "headline", "mark"),
    [
        (CheckResult(ok=True, step="models", state="up", latency_ms=84.0), "It answers, in 84 ms", "ok"),
        (CheckResult(ok=False, step="liveness", state="starting", latency_ms=1.0), "It is starting", "warn"),
        (CheckResult(ok=False, step="connect", state="down", latency_ms=1.0), "It does not answer as it should", "bad"),
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
    assert uptime(UP).speed_headline() == "mistral is the slowest to answer a check: 84 ms"
    assert uptime(DOWN).speed_headline() == "Nothing that is up can be timed"


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
            "1 outage in 30 days took 2 h; it was of mistral, on 18 Jun 2025, 12:00",
            "What broke and why",
        ),
        (
            record(broke(), broke()),
            "2 outages in 30 days took 2 h; the longest was of mistral, on 18 Jun 2025, 12:00",
            "What broke and why",
        ),
        (record(share=None), "Nothing was checked in 30 days", "Nothing broke in 30 days"),
        (record(), "No outage in 30 days", "Nothing broke in 30 days"),
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
        (True, NO_COST, "was down for 1 h from 18 Jun 2025, 12:00; the requests that it hit are not counted yet."),
        (
            False,
            OutageCost(1, 2),
            "is down, for 1 h so far, since 18 Jun 2025, 12:00; 1 request failed and 2 went elsewhere.",
        ),
        (True, OutageCost(3, 0), "was down for 1 h from 18 Jun 2025, 12:00; 3 requests failed and 0 went elsewhere."),
    ],
)
def test_the_page_of_an_outage_says_what_it_did(ended: bool, cost: OutageCost, sentence: str) -> None:
    end = NOON + timedelta(hours=1) if ended else None
    row = Outage(deployment=UP.deployment, started_at=NOON, ended_at=end, post_mortem="")
    page = OutagePage(row, timedelta(hours=1), cost)
    assert words(page.answer()) == f"mistral {sentence}"
    assert page.rent() == "nothing is rented for it"
    assert page.lesson_headline() == "Nobody has written down what was learnt"


def test_the_rent_of_an_outage_is_unknown_until_it_is_observed() -> None:
    row = Outage(deployment=deployment(lease_id=1).deployment, started_at=NOON, post_mortem="Learnt.")
    assert words(OutagePage(row, timedelta(hours=1), NO_COST).rent()) == "–"
    page = OutagePage(row, timedelta(hours=1), OutageCost(money=Decimal(2)))
    assert (page.rent(), page.lesson_headline()) == ("$2.00", "What was learnt")


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
            "this engine has none",
        ),
        (engine(reading=FAILED), "No route.", "not told No route."),
        (engine(reading=READ), "Nothing was read in this time; a longer one may show more.", "2 h ago"),
        (engine(reading=READ, old=True), "Nothing was read in this time", "old 2 h ago"),
        (engine(), "The next check that goes well reads them; the lines begin there.", "not read yet"),
    ],
)
def test_an_engine_without_charts_says_why(row: EngineNow, why: str, counters: str) -> None:
    assert row.why_empty().startswith(why)
    assert words(f"{row.counters_mark()} {row.counters()}") == counters


def test_an_engine_says_what_its_lines_lack() -> None:
    chart = Chart("Requests", "", "count", ())
    assert engine(charts=[chart]).headline() == "What vLLM told of itself in 24 hours"
    assert engine().headline() == "vLLM told nothing of itself in 24 hours"
    assert engine(scrapes=False).headline() == "vLLM tells nothing of itself"
    assert words(engine(begins=NOON, watched=0.5, restarts=2).note()) == (
        "They were first read at 18 Jun 2025, 12:00; the lines begin there. They were read in 50 % of the time since"
        " the first reading shown; where they were not, the lines are broken. It restarted 2 times; what it counted"
        " before each is kept."
    )
    assert engine().note() == ""
    assert engine(restarts=1).note() == "It restarted once; what it counted before that is kept."


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
        ([], "No batch job tells us yet when it ran."),
        ([beat("down"), beat()], "nightly has been missing since 18 Jun 2025, 12:00."),
        ([beat("down"), beat("down")], "2 of 2 batch jobs missed their time or failed."),
        ([beat()], "The one batch job ran on time."),
        ([beat(), beat()], "All 2 batch jobs ran on time."),
        ([beat(), beat("unknown")], "1 of 2 batch jobs ran on time; nothing is known to be missing."),
    ],
)
def test_the_page_of_batch_jobs_says_which_ran(beats: list[HeartbeatNow], sentence: str) -> None:
    assert words(HeartbeatsPage(beats).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (beat(paused=True, state_since=TWO_HOURS_AGO), "nightly was paused 2 h ago: nobody waits for its pings."),
        (beat("down", last_signal="fail"), "nightly said 2 h ago that it failed."),
        (beat("down"), "nightly did not ping in time: it was due by 18 Jun 2025, 12:00."),
        (beat("unknown", last_ping_at=None), "nightly has not pinged yet; from its first ping on it is expected."),
        (
            beat(running_since=TWO_HOURS_AGO),
            "nightly started 2 h ago and must end by 18 Jun 2025, 12:00.",
        ),
        (beat(), "nightly last pinged 2 h ago; it is late after 18 Jun 2025, 12:00."),
        (None, "A new batch job gets an address of its own; whoever asks it says that the job ran."),
    ],
)
def test_a_batch_job_says_when_it_ran(row: HeartbeatNow | None, sentence: str) -> None:
    page = HeartbeatPage(row, (), ())
    assert words(page.answer()) == sentence
    assert page.title() == ("nightly" if row else "Add a batch job")


def test_headings_of_a_batch_job_follow_its_pings() -> None:
    assert [HeartbeatPage(None, (), [HeartbeatPing()] * n).pings_headline() for n in (0, 1, 2)] == [
        "No ping yet",
        "The last ping",
        "The last 2 pings",
    ]
    assert [HeartbeatPage(beat(paused=paused), (), ()).watched_headline() for paused in (True, False)] == [
        "Paused",
        "Watched",
    ]
    assert HeartbeatPage(None, (), ()).missed_headline() == "Nothing was missed in 90 days"
    assert HeartbeatPage(None, [HeartbeatSpan()], ()).missed_headline() == "What was missed in 90 days"
    assert [missed(n) for n in (0, 1, 2)] == ["missed 0 times", "missed once", "missed 2 times"]
    assert [HeartbeatPing(signal=signal).mark for signal in ("fail", "start", "success")] == ["bad", "info", "ok"]


def status_page(access: str) -> StatusPage:
    return StatusPage(title="Our API", access=access)


@pytest.mark.parametrize(
    ("pages", "sentence"),
    [
        ([], "Nobody outside sees our uptime: there is no status page."),
        (["off"], "Nobody outside sees our uptime: the one status page is a draft."),
        (["off", "off"], "Nobody outside sees our uptime: all 2 status pages are drafts."),
        (["public", "off"], "1 of 2 status pages is open without a login."),
        (["public", "unlisted"], "2 of 2 status pages are open without a login."),
    ],
)
def test_the_list_of_status_pages_says_how_many_are_open(pages: list[str], sentence: str) -> None:
    assert words(StatusPagesPage([status_page(access) for access in pages]).answer()) == sentence


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (None, "A new status page shows a choice of deployments and batch jobs to whom you choose."),
        (status_page("public"), "Our API is open to everybody, without a login."),
        (status_page("unlisted"), "Our API is open to whoever has its secret link."),
        (status_page("off"), "Our API is a draft that only people who are logged in can look at."),
    ],
)
def test_the_settings_of_a_status_page_say_who_sees_it(page: StatusPage | None, sentence: str) -> None:
    settings = SettingsPage(page)
    assert words(settings.answer()) == sentence
    assert settings.title() == ("Our API" if page else "Add a status page")


def test_an_outage_of_a_status_page_says_how_long_it_took() -> None:
    assert Incident("API", NOON, NOON + timedelta(hours=1), "").length() == "1 h"
    assert Incident("API", NOON, None, "").length() == "not over yet"


def test_no_mean_time_between_outages_is_longer_than_what_was_watched() -> None:
    """Six deployments of 45 days are 270 days; two outages in them are no mean of 135 days."""
    plain = record()
    assert plain.time_between() == missing("dash")
    assert replace(plain, between=timedelta(days=15)).time_between() == "15 d"
    assert replace(plain, between=timedelta(days=135)).time_between() == "0 outages in 30 days, too few for a mean"
