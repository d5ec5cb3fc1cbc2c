"""Two answers side by side: blind before the choice, by keys, with undo and skip; who answered is named at the end."""

from __future__ import annotations

import re

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client

from providers.models import AuditEntry
from tests.factories import PairFactory
from tests.query_ceilings import ceiling
from tests.traffic.comparisons.rows import pairs_of
from tests.traffic.people import application, logged_in, person, text
from traffic.models import Application, Pair, PairAssignment, PairChoice, RequestBody
from traffic.rendering import COMPARED, LONGEST, marked_differences, rendered

COMPARE, RESULTS = "/quality/compare/", "/quality/comparisons/"


@pytest.fixture
def ada(transactional_db: None) -> User:
    return person("ada", "traffic.add_rating", "traffic.view_quality")


@pytest.fixture
def shop(ada: User) -> Application:
    return application("shop", ada)


def on_screen(client: Client, **query: str) -> tuple[str, str]:
    """The page, and the number of its pair."""
    page = text(client, COMPARE, **query)
    found = re.search(r'name="pair" value="(\d+)"', page)
    return page, found[1] if found else ""


def test_the_page_does_not_show_who_answered_before_the_end(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    pairs_of(conn, shop, 3)
    client = logged_in(ada)
    for done in range(3):
        page, number = on_screen(client)
        assert "Ours" in page and "Theirs" in page and f"<b>{done} pair" in page
        assert not re.search(r"Own model|API model|deployment-\d|claude-test|>own<|>api<", page)
        assert "May I return it?" in page and "the deployments are named at the end" in page
        assert client.post(COMPARE, {"pair": number, "choice": "a"}).status_code == 302
    page, number = on_screen(client)
    assert number == "" and "Who answered" in page and "Own model" in page and "API model" in page
    assert "<b>3 pairs</b> compared today, none left." in page
    assert AuditEntry.objects.filter(action="read", object_type="traffic.pair").count() == 3


def test_the_keys_are_arrows_and_each_stands_on_its_side(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    pairs_of(conn, shop, 1)
    page, _number = on_screen(logged_in(ada))
    for key, value in (("←", "a"), ("→", "b"), ("↑", "tie"), ("↓", "both_bad")):
        assert re.search(rf'value="{value}" data-key="{key}"', page), key
    assert 'name="skip" value="1" data-key="s"' in page and 'data-key="d"' in page


def test_a_reload_shows_the_same_pair_and_an_undo_shows_it_again(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    pairs_of(conn, shop, 5)
    client = logged_in(ada)
    _page, first = on_screen(client)
    assert on_screen(client)[1] == first
    client.post(COMPARE, {"pair": first, "choice": "b"})
    page, second = on_screen(client)
    assert second != first and "Saved: B is better." in page
    choice = PairChoice.objects.get()
    assert client.post(f"{COMPARE}choices/{choice.pk}/undo/")["Location"] == COMPARE
    assert not PairChoice.objects.exists() and Pair.objects.get(pk=first).votes == 0
    assert on_screen(client)[1] == first
    assert client.post(f"{COMPARE}choices/{choice.pk}/undo/").status_code == 404


def test_a_choice_whose_deployments_were_shown_cannot_be_undone(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    pairs_of(conn, shop, 3)
    client = logged_in(ada)
    client.post(COMPARE, {"pair": on_screen(client)[1], "choice": "b"})
    shown = PairChoice.objects.get()
    assert shown.revealed_at is None
    assert "Own model" in text(client, COMPARE, end="1")
    undone = client.post(f"{COMPARE}choices/{shown.pk}/undo/", follow=True).content.decode()
    assert "This choice stays, because you have seen who answered." in undone
    # A choice made after the reveal is blind, and can be undone until the next one.
    client.post(COMPARE, {"pair": on_screen(client)[1], "choice": "a"})
    later = PairChoice.objects.latest("pk")
    client.post(f"{COMPARE}choices/{later.pk}/undo/")
    assert [choice.pk for choice in PairChoice.objects.all()] == [shown.pk]


def test_the_last_choice_has_no_undo_because_the_next_page_names_the_deployments(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    pairs_of(conn, shop, 2)
    client = logged_in(ada)
    pages = [
        client.post(COMPARE, {"pair": on_screen(client)[1], "choice": "a"}, follow=True).content.decode()
        for _n in range(2)
    ]
    assert all("Saved: A is better." in page for page in pages)
    assert ["/undo/" in page for page in pages] == [True, False] and "Own model" in pages[1]


def test_prompts_of_an_application_are_for_its_own_raters_in_a_trial_too(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    other = application("other")
    [replayed] = pairs_of(conn, shop, 1)
    Pair.objects.update(prompt_application=other)
    client = logged_in(ada)
    assert on_screen(client)[1] == ""
    assert client.post(COMPARE, {"pair": str(replayed.pk), "choice": "a"}).status_code == 404
    other.members.add(ada)
    assert on_screen(client)[1] == str(replayed.pk)
    other.members.clear()
    Pair.objects.update(prompt_application=None)  # uploaded with the trial
    assert on_screen(client)[1] == str(replayed.pk)
    Pair.objects.update(prompt_application=2**40)  # deleted since
    assert on_screen(client)[1] == ""


def test_a_skipped_pair_is_gone_until_it_is_asked_for_again(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    pairs_of(conn, shop, 1)
    client = logged_in(ada)
    _page, number = on_screen(client)
    client.post(COMPARE, {"pair": number, "skip": "1", "reason": "Not my language"})
    page, none = on_screen(client)
    assert none == "" and "Pair skipped." in page
    note = PairAssignment.objects.get()
    assert note.reason == "Not my language"
    stranger = logged_in(person("eve", "traffic.add_rating"))
    assert stranger.post(f"{COMPARE}skips/{note.pk}/undo/").status_code == 404
    client.post(f"{COMPARE}skips/{note.pk}/undo/")
    assert on_screen(client)[1] == number


def test_two_tabs_make_one_choice(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    pairs_of(conn, shop, 1)
    client = logged_in(ada)
    _page, number = on_screen(client)
    client.post(COMPARE, {"pair": number, "choice": "a"})
    page = client.post(COMPARE, {"pair": number, "choice": "b"}, follow=True).content.decode()
    assert "You have already compared this pair. Your first choice counts." in page
    assert PairChoice.objects.count() == 1


def test_what_is_no_choice_and_no_pair_of_ones_own(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    pairs_of(conn, shop, 1)
    client = logged_in(ada)
    _page, number = on_screen(client)
    answer = client.post(COMPARE, {"pair": number, "choice": "left"})
    assert answer.status_code == 422 and "Choose A, B, a tie, or that both are bad." in answer.content.decode()
    other = PairFactory.create(application=application("other"))
    for odd in ("", "x", "9" * 40, "٣", str(other.pk), str(2**62)):
        assert client.post(COMPARE, {"pair": odd, "choice": "a"}).status_code == 404, odd
    assert not PairChoice.objects.exists()


def test_a_body_deleted_while_it_is_read_loses_no_choice(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    pairs_of(conn, shop, 1)
    client = logged_in(ada)
    _page, number = on_screen(client)
    RequestBody.objects.all().delete()
    client.post(COMPARE, {"pair": number, "choice": "tie"})
    assert PairChoice.objects.get().outcome == "tie"


def test_without_pairs_the_page_shows_where_they_come_from(shop: Application, ada: User) -> None:
    page = text(logged_in(ada), COMPARE)
    assert "New pairs come from trials" in page and "A trial sends the same prompts to two deployments." in page
    alone = text(logged_in(person("eve", "traffic.add_rating")), COMPARE)
    assert "You compare answers of applications that you own or are a member of." in alone


def test_statements_do_not_grow_with_the_pairs(
    conn: psycopg.Connection, shop: Application, ada: User, django_assert_max_num_queries: object
) -> None:
    client = logged_in(ada)
    pairs_of(conn, shop, 20)
    client.get(COMPARE)
    with django_assert_max_num_queries(ceiling(COMPARE)):  # type: ignore[operator]
        client.get(COMPARE)
    with django_assert_max_num_queries(ceiling(RESULTS)):  # type: ignore[operator]
        client.get(RESULTS)


# --- answers as HTML -----------------------------------------------------------------------------------------------


def test_an_answer_is_safe_markdown() -> None:
    html = rendered(
        "# Title\n<script>alert(1)</script> **bold** [x](javascript:alert(1)) ![p](http://e.example/p.png)\n\n"
        "```python\nif a < b: pass\n```\n\n|a|b|\n|:-|-:|\n|1|2|\n\n<img src=x onerror=alert(1)>"
    ).html
    assert "<strong>bold</strong>" in html and '<p class="strong">Title</p>' in html and "&lt;" in html
    assert "<table>" in html and "<code" in html
    for dangerous in ("<script", "<img", "<a ", "href", "<h1", "style="):
        assert dangerous not in html, dangerous


def test_a_long_answer_is_folded() -> None:
    long = rendered("<b>word</b> " * 100_000)
    assert long.folded == "<b>word</b> " * 100_000 and len(long.html) < LONGEST and "<b>" not in long.html
    assert rendered("# short").folded == ""


def test_words_that_differ_are_marked_on_both_sides() -> None:
    marked = marked_differences("Within 14 days <b>.", "Within 30 days <b>.")
    assert marked is not None
    assert marked[0].html == "Within <mark>14</mark> days &lt;b&gt;."
    assert marked[1].html == "Within <mark>30</mark> days &lt;b&gt;."
    assert marked_differences("a " * (COMPARED + 1), "b") is None


def test_differences_are_shown_where_they_are_asked_for(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    pairs_of(conn, shop, 1)
    client = logged_in(ada)
    page, _number = on_screen(client, diff="1")
    assert "<mark>Ours</mark>" in page and "<mark>Theirs</mark>" in page and "Show as text" in page
    assert "<mark>" not in on_screen(client)[0]
    answer = client.post(f"{COMPARE}?diff=1", {"pair": _number, "choice": "a"})
    assert answer["Location"] == f"{COMPARE}?diff=1"


def test_a_rater_is_led_past_a_pair_on_anothers_screen(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    pairs_of(conn, shop, 2)
    bea = person("bea", "traffic.add_rating")
    shop.members.add(bea)
    assert on_screen(logged_in(ada))[1] != on_screen(logged_in(bea))[1]
