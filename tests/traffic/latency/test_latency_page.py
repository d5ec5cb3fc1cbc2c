"""Latency and errors over time: from the rollups, by group, beside another period, with what may explain a change."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lib.periods import Period
from providers.models import Deployment
from tests.factories import DeploymentFactory, TokenPriceFactory
from tests.query_ceilings import ceiling
from tests.traffic.people import application, arrive, logged_in, person, text
from tests.traffic.request_rows import NOON
from traffic.authentication.keys import create_key
from traffic.latency import queries as latency_reports
from traffic.latency.page import band_names, noted, page
from traffic.usage.filters import Filters

URL = "/requests/latency/"
DAY = timedelta(days=1)
MIDNIGHT = NOON.replace(hour=0)
PERIOD = Period(MIDNIGHT - DAY, MIDNIGHT + DAY)
BEFORE = Period(MIDNIGHT - 3 * DAY, MIDNIGHT - DAY)


@pytest.fixture
def viewer(db: None) -> Client:
    return logged_in(person("jorun", "traffic.view_request"))


@pytest.fixture
def own(db: None) -> Deployment:
    return DeploymentFactory.create(slug="own", name="Own", model="m")


@pytest.fixture
def some(conn: psycopg.Connection, own: Deployment) -> None:
    arrive(
        conn,
        {"deployment_id": own.pk, "latency_ms": 400.0, "ttft_ms": 90.0},
        {"deployment_id": own.pk, "latency_ms": 3_000.0, "ttft_ms": 900.0, "started_at": NOON - DAY},
        {"outcome": "error", "error_type": "overloaded_error", "latency_ms": None, "ttft_ms": None},
        {"outcome": "timeout", "latency_ms": 70_000.0, "ttft_ms": None},
        {"started_at": NOON - 3 * DAY, "latency_ms": 800.0},
    )


@pytest.mark.usefixtures("some")
def test_groups_stand_beside_the_period_before(own: Deployment) -> None:
    found = page(PERIOD, BEFORE, "deployment", Filters(), {"own": "Own"})
    by_key = {group.key: group for group in found.groups}
    assert (by_key["own"].requests, by_key["own"].before) == (2, None)
    other = by_key[None]
    assert (by_key["own"].name, other.name) == ("Own", "")
    assert (other.requests, other.now.errors, other.error_share) == (2, 2, 1.0)
    assert other.before is not None and other.before.latency.p95_ms == pytest.approx(800, rel=0.01)
    assert other.change == pytest.approx(70_000 / 800 - 1, rel=0.02)
    assert found.errors == {"overloaded_error": 1, "timeout": 1}
    assert sum(found.errors.values()) == found.total.now.errors if found.total else False


@pytest.mark.usefixtures("some")
def test_the_heat_map_says_where_the_answers_of_an_hour_lay() -> None:
    heat = latency_reports.heat(PERIOD, "hour", Filters())
    names = band_names()
    told = {at: {names[band]: n for band, n in enumerate(counts) if n} for at, counts in heat.items()}
    assert told == {
        f"{NOON:%Y-%m-%dT%H:00:00Z}": {"200 ms – 500 ms": 1, "over 60 s": 1},
        f"{NOON - DAY:%Y-%m-%dT%H:00:00Z}": {"2 s – 5 s": 1},
    }
    assert latency_reports.heat(PERIOD, "hour", Filters(model=["nothing"])) == {}


@pytest.mark.parametrize(("ms", "band"), [(49, 0), (51, 1), (999, 4), (1_015, 5), (59_900, 9), (61_000, 10), (0, 0)])
def test_a_band_holds_what_its_name_says(conn: psycopg.Connection, ms: float, band: int) -> None:
    arrive(conn, {"latency_ms": float(ms)})
    (counts,) = latency_reports.heat(PERIOD, "day", Filters()).values()
    assert counts[band] == 1 == sum(counts)


@pytest.mark.usefixtures("some")
def test_new_deployments_and_prices_are_marked() -> None:
    for model, at in (("claude-test", NOON), ("claude-test", NOON - 9 * DAY), ("unused", NOON)):
        TokenPriceFactory.create(model=model, starts_at=at, uncached_input=1, output=1, source="t", seen_at=NOON)
    marks = latency_reports.marks(PERIOD, Filters())
    assert [(mark.kind, mark.name, mark.at) for mark in marks] == [
        ("deployment", "Own", MIDNIGHT - DAY), ("price", "claude-test", NOON),
    ]  # fmt: skip
    assert [one["label"] for one in noted(marks)] == ["new: Own", "1 price"]
    assert latency_reports.marks(PERIOD, Filters(model=["nothing"])) == []


def figure(viewer: Client, name: str, **asked: str) -> Any:
    """What Plotly draws of a chart; asking for it is the same read as the page."""
    panel = text(viewer, URL, **asked, explore=name)
    data = re.search(r'<script type="application/json">(.*?)</script>', panel)
    assert data is not None and "<html" not in panel
    return json.loads(data[1])


@pytest.mark.usefixtures("some")
def test_the_page_says_it_in_words_and_charts_with_tables(viewer: Client) -> None:
    asked = {"from": f"{MIDNIGHT - DAY:%Y-%m-%d}", "to": f"{MIDNIGHT + DAY:%Y-%m-%d}"}
    content = text(viewer, URL, **asked, by="model")
    assert "95 % of answers were complete within" in content and "slower than in the period compared" in content
    assert "<b>50.0" in content and "mostly overloaded_error" in content
    assert content.count("Show as table") == content.count("data-explore=") == 6
    assert "application/json" not in content, "figures are read only when they are explored"
    heat = figure(viewer, "latency-heat", **asked)["data"][0]
    assert heat["type"] == "heatmap" and heat["y"] == band_names()[3:]
    failures = figure(viewer, "errors-over-time", **asked)["data"]
    assert {trace["name"]: sum(trace["y"]) for trace in failures} == {"overloaded_error": 1, "timeout": 1}
    (grouped,) = figure(viewer, "latency-by-group", **asked, by="model")["data"]
    assert grouped["meta"] == {"model": "claude-test"}
    assert viewer.get(URL, {**asked, "explore": "nothing"}).status_code == 404
    assert Client().get(URL, {**asked, "explore": "latency-heat"}).status_code == 302
    days = f"from={asked['from']}&to={asked['to']}"
    listed = f"/requests/?{days}&model=claude-test".replace("&", "&amp;")
    assert f'href="{listed}"' in content and f'href="{listed}&amp;outcome=error&amp;outcome=timeout"' in content
    failed = text(viewer, f"/requests/?{days}&model=claude-test&outcome=error&outcome=timeout")
    assert failed.count("<tr data-row") == 2 and "is not a filter here" not in failed
    assert "<script>" not in content and " style=" not in content[content.index("<main") :]


@pytest.mark.parametrize(("by", "slug", "name"), [("deployment", "own", "Own"), ("task", "rag", "RAG")])
def test_groups_have_the_names_that_people_gave_them(
    viewer: Client, conn: psycopg.Connection, own: Deployment, by: str, slug: str, name: str
) -> None:
    failed = {"outcome": "error", "error_type": "overloaded_error"}
    arrive(conn, {"deployment_id": own.pk, "task": "rag"}, {"deployment_id": own.pk, "task": "rag", **failed})
    asked = {"from": f"{MIDNIGHT:%Y-%m-%d}", "to": f"{MIDNIGHT + DAY:%Y-%m-%d}", "by": by}
    content = text(viewer, URL, **asked)
    links = re.findall(
        rf'<a href="[^"]*&amp;{by}={slug}(?:&amp;outcome=error&amp;outcome=timeout)?">([^<]*)</a>', content
    )
    assert links == [name, name], "once with its latency and once with its errors"
    (line,) = figure(viewer, "latency-by-group", **asked)["data"]
    assert (line["name"], line["meta"]) == (name, {by: slug})


@pytest.mark.usefixtures("some")
def test_the_heat_map_and_what_went_wrong_are_in_the_json_api(client: Client) -> None:
    _key, secret = create_key(name="reader", scopes=["read"])
    asked = {"from": f"{MIDNIGHT - DAY:%Y-%m-%dT00:00:00Z}", "to": f"{MIDNIGHT + DAY:%Y-%m-%dT00:00:00Z}"}

    def got(path: str, **more: str) -> Any:
        answer = client.get(f"/api/v1/{path}", {**asked, **more}, headers={"authorization": f"Bearer {secret}"})
        assert answer.status_code == 200, answer.content
        return answer.json()

    heat = got("latency/heat")
    assert heat["upper_ms"][3:5] == [500, 1_000] and len(heat["times"][0]["counts"]) == len(heat["upper_ms"]) + 1
    assert {one["at"]: sum(one["counts"]) for one in heat["times"]} == {
        f"{MIDNIGHT - DAY:%Y-%m-%d}": 1,
        f"{MIDNIGHT:%Y-%m-%d}": 2,
    }
    assert got("latency/heat", step="hour")["times"][0]["at"] == f"{NOON - DAY:%Y-%m-%dT%H:00:00Z}"
    assert got("errors", group_by="model")["groups"] == [
        {"key": "claude-test", "kind": "overloaded_error", "errors": 1},
        {"key": "claude-test", "kind": "timeout", "errors": 1},
    ]
    assert {one["key"] for one in got("errors", group_by="day")["groups"]} == {f"{MIDNIGHT:%Y-%m-%d}"}
    assert got("errors", task="code")["groups"] == []


@pytest.mark.usefixtures("some")
def test_a_period_to_compare_with_is_in_the_address(viewer: Client) -> None:
    asked = {"from": f"{MIDNIGHT:%Y-%m-%d}", "to": f"{MIDNIGHT + DAY:%Y-%m-%d}", "task": "rag"}
    content = text(viewer, URL, **asked, against=f"{MIDNIGHT - DAY:%Y-%m-%d}")
    assert "slower than in the period compared" in content
    assert f'value="{MIDNIGHT - DAY:%Y-%m-%d}"' in content
    assert 'name="from" value=' in content
    assert "No requests match these filters" in text(viewer, URL, **asked, model="nothing")


def test_an_empty_page_says_what_to_do(viewer: Client, conn: psycopg.Connection) -> None:
    content = text(viewer, URL)
    assert "No requests in this period" in content and "data-explore" not in content
    assert "and you have none yet" in text(logged_in(person("new")), URL)
    nonsense = {"from": "x", "to": "2026-99-99", "days": "-1", "by": "nothing", "against": "0001-01-01"}
    assert "No requests in this period" in text(viewer, URL, **nonsense)
    page = text(viewer, URL, days="5", by="colour", against="soon", outcome="error", application="nobodys")
    for said in (
        "“5” is not a period", "“colour” is not a grouping", "“soon” is not a day", "“outcome” is not a filter here",
        "Application: “nobodys” does not exist.",
    ):  # fmt: skip
        assert said in page


def test_the_tabs_keep_the_filters_that_both_pages_have(viewer: Client, conn: psycopg.Connection) -> None:
    asked = {"model": "claude-test", "from": "2026-11-01", "to": "2026-11-03"}
    query = "?model=claude-test&amp;from=2026-11-01&amp;to=2026-11-03"
    assert f'href="{URL}{query}"' in text(viewer, "/requests/", **asked, outcome="error")
    assert f'href="/requests/{query}"' in text(viewer, URL, **asked, by="task")


@pytest.mark.usefixtures("some")
def test_people_see_the_speed_of_their_own_applications_alone(conn: psycopg.Connection) -> None:
    noor = person("noor")
    shop = application("shop", noor)
    arrive(conn, {"external_id": "s", "application_id": shop.pk, "model": "theirs"})
    content = text(logged_in(noor), URL, by="model")
    assert "theirs" in content and "claude-test" not in content
    assert Client().get(URL).status_code == 302


def test_the_page_takes_a_fixed_number_of_statements(viewer: Client, conn: psycopg.Connection) -> None:
    now = datetime.now(UTC) - timedelta(minutes=5)
    arrive(conn, {"started_at": now})
    with CaptureQueriesContext(connection) as few:
        text(viewer, URL)
    arrive(conn, *({"external_id": f"m{n}", "model": f"m{n}", "started_at": now - n * DAY / 5} for n in range(30)))
    for days in ("1", "7", "30", "90"):
        with CaptureQueriesContext(connection) as many:
            text(viewer, URL, days=days, by="model")
        assert len(many) == len(few) <= ceiling(URL)
    raw = [query["sql"] for query in many if '"traffic_request"' in query["sql"] or "traffic_request " in query["sql"]]
    assert raw == []


def test_requests_of_which_none_tells_its_latency_are_shown(viewer: Client, conn: psycopg.Connection) -> None:
    arrive(conn, *({"latency_ms": None, "ttft_ms": None} for _ in range(3)))
    assert viewer.get("/requests/latency/", {"days": "30"}).status_code == 200
