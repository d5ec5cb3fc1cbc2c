"""The Overview: the four verdicts, what the page says of them, and what it costs to make."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.defaults import ensure_defaults as alert_rules
from alerts.models import Alert, Rule
from costs.allocation.queries import spend
from costs.breakeven import compute
from costs.models import Phase
from costs.readiness.inputs import RatedTask, quality_gap
from costs.readiness.scorecard import judge
from costs.verdicts.verdict import State
from dashboard.http.demo_progress import PROGRESS
from dashboard.overview.money import Money, months_between
from dashboard.overview.reads import Facts, read
from dashboard.overview.selfhost import SelfHosting, selfhosting
from dashboard.overview.up import serving
from dashboard.overview.worth import worth
from demo.files import write_json
from lib.confidence_intervals import Interval
from tests.dashboard.logins import logged_in, with_role, words
from tests.dashboard.overview_rows import deployment, money
from tests.factories import ApplicationFactory, OutageFactory, PhaseFactory, TokenPriceFactory
from tests.query_ceilings import ceiling
from tests.traffic.people import arrive
from traffic.ingest.rows import Tokens

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return logged_in(with_role("admin"))


def traffic(count: int, **given: Any) -> None:
    """Requests of the last hours, through ingest."""
    now = timezone.now()
    connection.ensure_connection()
    rows = [
        {
            "external_id": f"{given.get('model', '')}{n}",
            "started_at": now - timedelta(minutes=7 * n + 1),
            "tokens": Tokens(1000, 4000, 0, 0, 300, 0),
            **given,
        }
        for n in range(count)
    ]
    arrive(connection.connection, *rows)


def price(model: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    TokenPriceFactory.create(
        model=model, starts_at=moment, uncached_input=3, cache_read=Decimal("0.3"),
        cache_write_5m=Decimal("3.75"), cache_write_1h=6, output=15, seen_at=moment,
    )  # fmt: skip


def phase(**more: Any) -> Phase:
    today = timezone.now().date()
    values: dict[str, Any] = {
        "budget_low": 300,
        "budget_high": 400,
        "volume_from": 0,
        "starts_on": today.replace(day=1),
    }
    return PhaseFactory.create(slug="scale-up", name="Scale-up", **values | more)


# --- what the page says ---


def test_an_empty_installation_says_what_to_do_first(client: Client) -> None:
    text = words(client, "/")
    assert "These steps lead to the first figures" in text
    for address in ("accounts/add/", "deployments/add/", "keys/add/", "send-requests/"):
        assert f'href="/settings/{address}"' in text
    assert 'class="answer-row"' not in text


def test_the_four_answers_stand_in_one_sentence_with_their_numbers(client: Client) -> None:
    price("claude-test")
    deployment("claude")
    phase()
    traffic(30)
    headline = re.sub(r"<[^>]+>", "", re.findall(r"<h1>(.*?)</h1>", words(client, "/"))[0])
    assert "of $400" in headline and "everything up" in headline
    assert "quality unknown" in headline and "self-hosting undecided" in headline
    assert len(headline.split()) <= 15


def test_break_even_is_not_judged_before_a_week_of_traffic(client: Client) -> None:
    price("claude-test")
    traffic(3)
    text = words(client, "/")
    assert "Required: 7 days with traffic and known cost." in text
    assert "break-even<" not in text and "cheaper above" not in text and 'data-explore="curve"' not in text


def test_the_months_row_leads_to_the_spend_of_that_month(client: Client) -> None:
    traffic(1)
    assert f'href="/spend/?month={datetime.now(UTC):%Y-%m}"' in words(client, "/")


def test_the_month_is_the_spend_pages_and_the_apis(client: Client) -> None:
    price("claude-test")
    traffic(30)
    today = timezone.now().date()
    total = spend(today.replace(day=1), today + timedelta(days=1)).total
    shown = client.get("/").context["money"].month.spent
    assert shown == total > 0
    assert f"{total:,.2f}" in words(client, f"/spend/?month={today:%Y-%m}")


def test_what_has_no_price_makes_the_month_at_least(client: Client) -> None:
    price("claude-test")
    traffic(3)
    assert "At least" not in words(client, "/")
    traffic(1, model="nobody-knows")
    assert "At least" in words(client, "/")


def test_an_alert_is_acknowledged_from_here_by_those_who_may(client: Client) -> None:
    alert_rules()
    traffic(1)
    rule, now = Rule.objects.all()[0], timezone.now()
    Alert.objects.create(
        rule=rule, kind=rule.kind, subject="x", title="The sky is falling", severity="critical", state="open",
        pending_since=now, opened_at=now,
    )  # fmt: skip
    ops, manager = logged_in(with_role("ops")), logged_in(with_role("manager"))
    assert "The sky is falling" in words(manager, "/") and "Acknowledge: The sky" not in words(manager, "/")
    assert "Acknowledge: The sky is falling" in words(ops, "/")


def test_an_outage_now_is_the_first_thing_said_of_uptime(client: Client) -> None:
    now = timezone.now()
    down = deployment("mistral", "self", state="down", state_since=now - timedelta(minutes=12))
    OutageFactory.create(deployment=down, started_at=now - timedelta(minutes=12), confirmed_at=now, cause="refused")
    deployment("claude")
    text = words(client, "/")
    assert "<b>Mistral down</b>" in text and "1 of 2 are up" in text and "12 min ago" in text


def test_the_answers_read_themselves_anew_without_the_frame(client: Client) -> None:
    traffic(1)
    part = client.get("/", headers={"hx-request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="overview"') and "<html" not in part
    assert 'hx-trigger="every 30s"' in part and "data-poll" in part


def test_the_demos_loading_is_told_with_its_numbers_and_is_gone_when_done(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    traffic(1)
    write_json(tmp_path / PROGRESS, {"done_rows": 338_158, "total_rows": 449_334, "month": "2026-08"})
    text = words(client, "/")
    assert "Older months are being loaded: 338,158 of 449,334 requests" in text and 'hx-trigger="every 10s"' in text
    write_json(tmp_path / PROGRESS, {"done_rows": 449_334, "total_rows": 449_334, "month": None})
    text = words(client, "/")
    assert "being loaded" not in text and 'hx-trigger="every 30s"' in text


def test_staff_start_at_quality_and_who_has_no_role_is_told_so() -> None:
    assert logged_in(with_role("staff")).get("/")["Location"] == "/quality/"
    assert logged_in(User.objects.create_user("nobody")).get("/").status_code == 403


# --- what it costs ---


def queries(client: Client) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get("/").status_code == 200
    return len(seen)


def test_the_number_of_queries_does_not_grow_with_what_is_stored(client: Client) -> None:
    alert_rules()
    price("claude-test")
    phase()
    now = timezone.now()
    outage: dict[str, Any] = {"started_at": now, "confirmed_at": now, "ended_at": now, "cause": "refused"}
    OutageFactory.create(deployment=deployment("claude"), **outage)
    traffic(20)

    def self_hosted(n: int) -> None:
        made = deployment(f"own-{n}", "self")
        OutageFactory.create(deployment=made, **outage)
        traffic(20, model=f"own-{n}", provider="self", deployment_id=made.pk)
        ApplicationFactory.create(slug=f"a{n}", name="A")

    self_hosted(0)
    few = queries(client)
    for n in range(1, 7):
        self_hosted(n)
    assert queries(client) == few <= ceiling("/")


# --- the verdicts ---


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (money(401, (401, 420, 440)), State.NOT_MET),
        (money(300, (401, 410, 440)), State.NOT_MET),
        (money(300, (380, 410, 440)), State.TOO_CLOSE),
        (money(300, (380, 395, 410)), State.TOO_CLOSE),
        (money(200, (350, 360, 370)), State.MET),
        (money(200, None), State.NOT_ENOUGH),
        (money(200, (350, 360, 370), None), State.NOT_ENOUGH),
    ],
)
def test_the_month_is_judged_by_its_forecast_against_the_limit(given: Money, state: State) -> None:
    assert given.verdict.state == state


def test_the_pace_tells_how_much_more_is_spent_than_an_even_month_would() -> None:
    assert money(231, (380, 390, 400)).ahead == 31
    assert money(231, (380, 390, 400)).to_spare == 10
    assert months_between(date(2026, 5, 31), date(2026, 6, 1)) == 1


def rated(task: str, ours: tuple[int, int], theirs: tuple[int, int] = (0, 0), requests: int = 1000) -> RatedTask:
    return RatedTask(task, requests, ours, ours, theirs)


@pytest.fixture
def judged() -> Callable[..., Facts]:
    """The page's facts with these ratings instead."""
    facts = read(timezone.now())

    def with_ratings(*rows: RatedTask) -> Facts:
        tasks = tuple(row.quality for row in rows)
        evidence = replace(facts.report.evidence, tasks=tasks, quality_gap=quality_gap(rows))
        report = replace(facts.report, rated=list(rows), evidence=evidence)
        return replace(facts, report=report, card=judge(evidence))

    return with_ratings


def test_answers_are_good_enough_when_the_whole_interval_of_each_task_is(judged: Callable[..., Facts]) -> None:
    def state(*rows: RatedTask) -> State:
        return worth(judged(*rows)).verdict.state

    assert state() == state(rated("rag", (5, 5))) == State.NOT_ENOUGH
    assert state(rated("rag", (100, 90)), rated("qa", (60, 55))) == State.MET
    assert state(rated("rag", (100, 90)), rated("chat", (32, 20))) == State.TOO_CLOSE
    assert state(rated("rag", (100, 90)), rated("chat", (32, 12))) == State.NOT_MET
    assert state(rated("chat", (32, 12))) == State.NOT_MET


def test_answers_that_are_significantly_worse_than_the_apis_are_not_good_enough(judged: Callable[..., Facts]) -> None:
    facts = judged(rated("rag", (400, 340), (400, 390)))
    worse = worth(facts)
    assert worse.refuses and "answers <b>worse</b>" in worse.headline()
    assert "percentage points worse" in worse.comparison() and facts.card.verdict == "no_go"


def test_where_our_own_were_not_rated_the_apis_answers_are_shown_and_named(judged: Callable[..., Facts]) -> None:
    only_api = worth(judged(rated("rag", (0, 0), (50, 48))))
    assert not only_api.own and only_api.ratings == 50 and only_api.gap is None
    assert only_api.verdict.state == State.NOT_ENOUGH and "the API’s rated answers" in only_api.answer()


def test_self_hosting_is_judged_by_saving_and_refused_where_quality_is_worse(judged: Callable[..., Facts]) -> None:
    good = rated("rag", (100, 90))

    def at(volume: int, *rows: RatedTask) -> SelfHosting:
        """At this volume, which does not differ from day to day."""
        facts = judged(*rows or (good,))
        inputs = replace(facts.inputs, requests_per_month=volume)
        result = compute(inputs)
        money: dict[str, Any] = {
            "saving_monthly": result.saving,
            "saving_interval": Interval(result.saving, result.saving),
        }
        evidence = replace(facts.report.evidence, **money, requests_per_month=volume, cheaper=result.cheaper)
        facts = replace(facts, report=replace(facts.report, inputs=inputs, result=result), card=judge(evidence))
        return selfhosting(facts, worth(facts))

    crossing = at(1000).crossing
    assert crossing is not None and at(1000).saving_verdict.state == State.NOT_MET
    assert at(1000).verdict.state == State.NOT_MET and at(1000).distance == 1000 - crossing
    assert at(crossing + 1).saving_verdict.state == State.NOT_MET and at(crossing + 1).distance == 1
    needed = at(1000).needed_at
    assert needed is not None and at(needed + 1000).saving_verdict.state == State.MET
    assert at(needed + 1000).verdict.state == State.NOT_ENOUGH  # neither latency nor uptime is measured
    worse = at(needed + 1000, rated("rag", (400, 300), (400, 390)))
    assert worse.worse and worse.verdict.state == State.NOT_MET


def test_a_deployment_of_ours_is_slow_when_its_first_tokens_come_after_the_limit() -> None:
    own, api = deployment("mistral", "self"), deployment("claude")
    now = timezone.now()
    now -= timedelta(minutes=now.minute == 0)  # all in one hour, which is judged by itself
    for made, provider in ((own, "self"), (api, "anthropic")):
        rows = [
            {
                "external_id": f"{made.slug}{n}", "started_at": now - timedelta(seconds=n), "provider": provider,
                "model": made.slug, "deployment_id": made.pk, "ttft_ms": 900.0,
            }
            for n in range(40)
        ]  # fmt: skip
        arrive(connection.connection, *rows)
    found = serving(read(now + timedelta(seconds=1)))
    assert found.slow is not None and found.slow.name == "Mistral"
    assert found.slow.first_token_ms == pytest.approx(900, rel=0.02)


def test_of_many_deployments_that_are_up_the_one_with_the_longest_outage_is_shown_first() -> None:
    now = timezone.now()
    for name in ("a", "b", "c", "d", "e", "f"):
        made = deployment(name)
    OutageFactory.create(
        deployment=made, started_at=now - timedelta(hours=5), confirmed_at=now - timedelta(hours=5),
        ended_at=now - timedelta(hours=3), cause="refused",
    )  # fmt: skip
    found = serving(read(now))
    assert found.verdict.state == State.MET and found.rows[0].now.deployment == made


def test_old_checks_make_uptime_unknown_whatever_was_last_written() -> None:
    deployment("claude", last_check_at=timezone.now() - timedelta(days=1))
    assert serving(read(timezone.now())).verdict.state == State.NOT_ENOUGH


def test_the_json_behind_the_page_is_open_to_who_sees_it(client: Client) -> None:
    address = client.get("/").context["json_url"]
    assert json.loads(client.get(address).content)["phases"] == []
