"""What the address of the list asks for: ranges, words in kept texts, and what is refused with a sentence."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.traffic.people import ANSWER, PROMPT, application, arrive, logged_in, person, text
from tests.traffic.request_rows import NOON, row
from traffic.ingest import data_quality
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Application, Request
from traffic.requests import prompt_search

URL = "/requests/"
DAY = timedelta(days=1)


@pytest.fixture
def viewer(db: None) -> Client:
    return logged_in(person("jorun", "traffic.view_request", "costs.view_charge"))


def rows(page: str) -> int:
    return page.count("<tr data-row")


def test_a_filter_that_is_set_calls_every_vendor_by_its_name(viewer: Client) -> None:
    for slug, name in (("digitalocean", "DigitalOcean"), ("self", "Self-hosted"), ("aurora", "aurora")):
        assert name in text(viewer, URL, provider=slug)


@pytest.mark.usefixtures("price")
def test_ranges_of_cost_and_time_are_in_the_address(viewer: Client, conn: psycopg.Connection) -> None:
    arrive(
        conn, {"latency_ms": 900.0}, {"latency_ms": 9_000.0, "ttft_ms": 5_000.0}, {"latency_ms": None, "ttft_ms": None}
    )
    assert rows(text(viewer, URL, latency_from="1000")) == 1
    assert rows(text(viewer, URL, latency_from="900", latency_to="9000")) == 2
    assert rows(text(viewer, URL, ttft_to="200")) == 1
    assert rows(text(viewer, URL, cost_from="0.0034", cost_to="0.01")) == 3
    page = text(viewer, URL, latency_from="1000", ttft_to="")
    assert 'name="latency_from" inputmode="decimal" autocomplete="off" maxlength="20" value="1000"' in page
    assert 'href="/requests/export.csv?latency_from=1000"' in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"latency_from": "fast"}, "Whole answer, ms: “fast” is not a number."),
        ({"ttft_to": "nan"}, "First token, ms: “nan” is not a number."),
        ({"cost_to": "1e400"}, "Cost, USD: “1e400” is not a number."),
        ({"cost_from": "5", "cost_to": "2"}, "Cost, USD: 5 is above 2."),
        ({"from": "soon"}, "“soon” is not a day"),
        ({"from": "2026-11-02", "to": "2026-11-02"}, "There is no day from 2026-11-02 to before 2026-11-02."),
        ({"outcome": "nonsense"}, "Outcome: “nonsense” does not exist."),
        ({"task": "poetry"}, "Task: “poetry” does not exist."),
        ({"application": "nobodys"}, "Application: “nobodys” does not exist."),
        ({"deployment": "nowhere"}, "Deployment: “nowhere” does not exist."),
        ({"words": "return"}, "Only people who may read the texts of an application can search them."),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(
    viewer: Client, conn: psycopg.Connection, asked: dict[str, str], said: str
) -> None:
    arrive(conn, {})
    page = text(viewer, URL, **asked)
    assert said in page and rows(page) == 0 and "hx-trigger" not in page


def test_the_sentence_says_what_is_listed_of_what(viewer: Client, conn: psycopg.Connection) -> None:
    now = timezone.now() - timedelta(minutes=5)
    arrive(
        conn, {"started_at": now}, {"started_at": now, "outcome": "error", "latency_ms": 2_000.0}, {"started_at": now}
    )
    page = text(viewer, URL, outcome="error", latency_from="1000", task="rag")
    said = "Filtered: Outcome <b>error</b>, Whole answer <b>from 1000 ms</b>."
    assert f"{said} Without filters: <b>3 requests</b> in the last 24 hours." in page and rows(page) == 1
    none = text(viewer, URL, outcome="timeout", rated="1")
    assert "No matches: Outcome <b>timeout</b>, rated." in none and rows(none) == 0
    assert "in 24 hours" not in page  # the sum is of more than is listed
    assert 'Task: <b>RAG</b> <a href="/requests/?outcome=error&amp;latency_from=1000"' in page
    counted = text(viewer, URL, task="rag")
    assert "<b>3 requests</b> in the last 24 hours, <b>1</b> failed" in counted


def test_what_is_no_filter_is_said_to_take_nothing_out(viewer: Client, conn: psycopg.Connection) -> None:
    arrive(conn, {})
    page = text(viewer, URL, colour="blue")
    assert "“colour” is not a filter here and has no effect." in page
    assert rows(page) == 1 and "Newest first" in page


def test_an_application_out_of_reach_is_as_one_that_is_not_there(shop: Application, conn: psycopg.Connection) -> None:
    application("secret", captures=False)
    noor = person("noor")
    shop.members.add(noor)
    client = logged_in(noor)
    assert "Application: “secret” does not exist." in text(client, URL, application="secret")
    assert "there is none called" not in text(client, URL, application="shop")


def test_days_are_fields_and_the_sentence_is_about_them(viewer: Client, conn: psycopg.Connection) -> None:
    today = NOON
    for number, days in enumerate((1, 3, 3, 5)):
        arrive(conn, {"external_id": f"of-{number}", "started_at": today - timedelta(days=days)})
    first, end = f"{today - timedelta(days=4):%Y-%m-%d}", f"{today - timedelta(days=2):%Y-%m-%d}"
    page = text(viewer, URL, **{"from": first, "to": end})
    assert rows(page) == 2 and "<b>2 requests</b> on these days, none failed" in page
    assert f'type="date" name="from" value="{first}"' in page and f'type="date" name="to" value="{end}"' in page
    assert "<b>3 requests</b> on these days" in text(viewer, URL, to=end)
    nothing = text(viewer, URL, **{"from": end, "model": "none"})
    assert "No requests on these days match these filters" in nothing


def test_a_page_says_how_far_back_it_has_looked(
    viewer: Client, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(conn, *({"started_at": NOON - timedelta(hours=n)} for n in range(4)))
    monkeypatch.setattr("traffic.requests.queries.READ_MOST", 2)
    monkeypatch.setattr("traffic.requests.hour_reads.READ_MOST", 2)
    page = text(viewer, URL, latency_from="1000")
    assert "None back to" in page and "Next page" in page


# Words in kept texts.


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    return application("shop")


def stored(conn: psycopg.Connection, shop: Application, *bodies: tuple[int, str]) -> list[Request]:
    given = ({"started_at": NOON - DAY * back, "prompt": PROMPT, "answer": answer} for back, answer in bodies)
    return arrive(conn, *({"application_id": shop.pk, **one} for one in given))


def test_words_find_the_requests_whose_texts_hold_them(shop: Application, conn: psycopg.Connection) -> None:
    first, second, _other = stored(conn, shop, (0, ANSWER), (3, "Not after 14 days"), (1, "No"))
    reader = logged_in(person("root", "traffic.view_request", "traffic.view_bodies"))
    page = text(reader, URL, words="14 days")
    assert rows(page) == 2
    assert page.index(f"r-{first.id}") < page.index(f"r-{second.id}")
    assert rows(text(reader, URL, words='"after 14"')) == 1
    assert rows(text(reader, URL, words="days -within")) == 1
    assert rows(text(reader, URL, words="14 days", outcome="error")) == 0
    assert "export.csv?words=" in page
    assert "Only the page searches words" in reader.get("/requests/export.csv?words=x", follow=True).content.decode()


def test_words_go_back_a_week_at_a_time(shop: Application, conn: psycopg.Connection) -> None:
    stored(conn, shop, (0, "apple"), (10, "apple"), (20, "pear"))
    reader = logged_in(person("root", "traffic.view_request", "traffic.view_bodies"))
    page = text(reader, URL, words="apple")
    assert rows(page) == 1 and "Searched back to" in page
    further = re.search(r'href="(/requests/\?[^"]*cursor=[^"]+)"', page)
    assert further is not None
    assert rows(text(reader, further[1].replace("&amp;", "&"))) == 1
    until = f"{NOON - 8 * DAY:%Y-%m-%d}"
    assert rows(text(reader, URL, words="apple", to=until)) == 1


def test_a_member_finds_words_of_their_own_applications_alone(shop: Application, conn: psycopg.Connection) -> None:
    stored(conn, shop, (0, "apple"))
    noor = person("noor")
    application("lab", noor)
    assert rows(text(logged_in(noor), URL, words="apple")) == 0
    manager = person("max", "traffic.view_request")
    application("docs", manager)
    assert rows(text(logged_in(manager), URL, words="apple")) == 0
    shop.members.add(noor)
    assert rows(text(logged_in(noor), URL, words="apple")) == 1


def test_words_of_too_many_texts_are_refused(
    shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_search, "MATCHES_MOST", 1)
    stored(conn, shop, (0, "apple"), (0, "apple"))
    reader = logged_in(person("root", "traffic.view_request", "traffic.view_bodies"))
    assert "More than 1 texts of" in text(reader, URL, words="apple")


def test_how_many_texts_of_others_hold_a_word_is_not_told(
    shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_search, "MATCHES_MOST", 2)
    stored(conn, application("lab"), (0, "apple"), (0, "apple"), (0, "apple"))
    noor = person("noor")
    shop.members.add(noor)
    assert rows(text(logged_in(noor), URL, words="apple")) == 0
    for number in range(2):
        arrive(conn, {"external_id": f"own {number}", "application_id": shop.pk, "answer": "apple", "prompt": "which"})
    assert rows(text(logged_in(noor), URL, words="apple")) == 2
    arrive(conn, {"external_id": "own 2", "application_id": shop.pk, "answer": "apple", "prompt": "which"})
    assert "More than 2 texts of" in text(logged_in(noor), URL, words="apple")


def test_words_are_found_by_their_index(shop: Application, conn: psycopg.Connection) -> None:
    given = (
        {"external_id": f"w{n}", "prompt": f"word{n}", "answer": "pear", "application_id": shop.pk} for n in range(400)
    )
    ingest(conn, [row(n, **one) for n, one in enumerate(given)], PricingContext.load(conn))
    conn.execute("ANALYZE traffic_request_body")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {prompt_search.MATCHES.format(among='')}", [NOON.date(), "word7", 10])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f"Bitmap Index Scan on traffic_request_body_{NOON:%Y%m%d}_to_tsvector_idx" in plan, plan


# One request.


@pytest.mark.parametrize(("word", "said"), [(word, str(said)) for word, said in data_quality.MEANINGS.items()])
def test_every_doubt_of_ingest_is_a_sentence(viewer: Client, conn: psycopg.Connection, word: str, said: str) -> None:
    raw: dict[str, Any] = {"doubts": [word, "one_of_later", 3]}
    page = text(viewer, f"{URL}{arrive(conn, {'raw': raw})[0].id}/")
    assert said.replace("'", "&#x27;") in page and "one_of_later" in page
    assert "with 2 warnings" in page
