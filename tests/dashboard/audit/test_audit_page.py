"""Settings: the audit log as a page and as files, by person, act, thing, address and day."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from dashboard.access import ACCESS
from dashboard.audit.page import audit_filter, beginnings, entries
from dashboard.audit.place_words import place_in_words
from providers.audit.counts import counts
from providers.audit.log import Action, Actor, ActorKind, AuditEntry, record
from providers.models.audit import NAME_WORDS
from tests.dashboard.logins import logged_in, with_role, words

pytestmark = pytest.mark.django_db
URL = "/settings/audit/"
ANN = Actor(ActorKind.PERSON, "ann", 1, "203.0.113.7")
BOB = Actor(ActorKind.PERSON, "bob", 2, "2001:db8::1")


@pytest.fixture
def client() -> Client:
    return logged_in(with_role("admin"))


def shown(client: Client, query: str) -> list[str]:
    return [row["it"].object_name for row in client.get(URL + query).context["rows"]]


def test_the_log_is_read_page_by_page(client: Client) -> None:
    for number in range(60):
        record(Action.CHANGED, actor=ANN, object_name=f"thing {number}")
    first = client.get(URL)
    assert len(first.context["rows"]) == 50 and "60 entries" in first.context["answer"]
    second = client.get(first.context["next_url"])
    assert [row["it"].object_name for row in second.context["rows"]] == [f"thing {n}" for n in reversed(range(10))]
    assert second.context["next_url"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?by=bob", ["price"]),
        ("?action=deleted", ["price"]),
        ("?what=PRI", ["price"]),
        ("?what=providers.account", ["Claude"]),
        ("?address=203.0.113.7", ["Claude"]),
        ("?address=2001:db8:0::1", ["price"]),
        ("?by=ann&action=deleted", []),
        (f"?since={timezone.now() + timedelta(days=2):%Y-%m-%d}", []),
        (f"?until={timezone.now() - timedelta(days=2):%Y-%m-%d}", []),
        (f"?since={timezone.now() - timedelta(days=1):%Y-%m-%d}", ["price", "Claude"]),
    ],
)
def test_each_filter_leaves_what_was_asked_for(client: Client, query: str, expected: list[str]) -> None:
    record(Action.CHANGED, actor=ANN, object_type="providers.account", object_id=1, object_name="Claude")
    record(Action.DELETED, actor=BOB, object_type="providers.tokenprice", object_id=1, object_name="price")
    assert shown(client, query) == expected


@pytest.mark.parametrize(
    "query", ["?by=%00", "?before=-1", "?before=99999999999999999999", "?action=x&address=x&since=x", "?what=%00'"]
)
def test_an_invalid_query_of_the_audit_page_is_no_server_error(client: Client, query: str) -> None:
    record(Action.CHANGED, actor=ANN, object_name="thing")
    assert client.get(URL + query).status_code in (200, 400)


def test_the_page_shows_values_before_and_after_and_where_from(client: Client) -> None:
    record(Action.CHANGED, actor=ANN, object_name="Claude", changes={"Name": ["old", "new"], "Key": "changed"})
    text = words(client, URL)
    assert "Name: old → new" in text and "Key: changed" in text and "203.0.113.7" in text


def test_the_files_hold_what_the_page_shows_and_asking_for_them_is_on_record(client: Client) -> None:
    record(Action.CHANGED, actor=Actor(ActorKind.STRANGER, "=1+1"), object_name="thing", changes={"Name": ["a", "b"]})
    answer = client.get(f"{URL}export/?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert rows[-1]["actor"] == "'=1+1" and rows[-1]["object_name"] == "thing"
    assert 'filename="audit-log.csv"' in answer["Content-Disposition"]
    answer = client.get(f"{URL}export/?format=jsonl&what=thing")
    lines = [json.loads(line) for line in answer.getvalue().splitlines()]
    assert [line["changes"] for line in lines] == [{"Name": ["a", "b"]}]
    exports = AuditEntry.objects.filter(action="export").order_by("pk")
    assert [(entry.actor, entry.message) for entry in exports] == [
        ("admin", f"{URL}export/?format=csv"), ("admin", f"{URL}export/?format=jsonl&what=thing"),
    ]  # fmt: skip


def test_an_entry_of_a_person_who_is_gone_still_says_who(client: Client) -> None:
    gone = with_role("admin", "poc-victim")
    logged_in(gone).post(
        "/settings/people/add/",
        {"username": "backdoor", "email": "b@example.com", "role": "admin", "password": "correct horse battery"},
    )
    before = AuditEntry.objects.count()
    gone.delete()
    assert AuditEntry.objects.count() == before
    assert AuditEntry.objects.filter(actor="poc-victim", object_name="backdoor").exists()


def test_the_page_of_a_large_log_reads_by_index(client: Client) -> None:
    """No plan may sort or scan the whole table for one page; on a handful of rows the planner may take any index."""
    record(Action.CHANGED, actor=ANN, object_name="Claude")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO providers_auditentry SELECT (jsonb_populate_record(NULL::providers_auditentry,"
            " to_jsonb(entry) || jsonb_build_object('id', entry.id + number))).*"
            " FROM (SELECT * FROM providers_auditentry ORDER BY id DESC LIMIT 1) AS entry,"
            " generate_series(1, 5000) AS number"
        )
        cursor.execute("ANALYZE providers_auditentry")
        for column in ("actor", "action", "address"):
            cursor.execute(
                f"EXPLAIN SELECT * FROM providers_auditentry WHERE {column} = 'x' ORDER BY at DESC, id DESC LIMIT 51"
            )
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert f"audit_{column}" in plan and "Seq Scan" not in plan, plan


def explained(query: str) -> str:
    """The plan of the page's query, on a table that the planner may not read whole."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = on")
    return str(entries(audit_filter(QueryDict(query), show="acts"))[:51].explain())


@pytest.mark.parametrize(
    ("query", "index"),
    [("", "audit_acts"), ("show=refused", "audit_refusals"), ("show=all", "audit_at")],
)
def test_each_kind_of_entry_has_an_index(client: Client, query: str, index: str) -> None:
    plan = explained(query)
    assert index in plan and "Seq Scan" not in plan, plan


def test_words_of_names_have_an_index(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    named = AuditEntry.objects.alias(name_words=NAME_WORDS).filter(name_words=beginnings("team 17"))
    plan = named.order_by().explain()
    assert "audit_words" in plan, plan


# What was done, and what was refused.


KINDS = {"What was done": "acts", "What was refused": "refused", "All": "all"}


def a_crowd_of_refusals() -> None:
    record(Action.CHANGED, actor=ANN, object_name="Claude")
    for action in (Action.REFUSED, Action.LOGIN_FAILED, Action.REVOKED_KEY):
        for number in range(20):
            record(action, actor=Actor(ActorKind.STRANGER, "", None, "198.51.100.1"), object_name=f"{action} {number}")


def test_refusals_do_not_crowd_out_what_was_done_and_are_one_click_away(client: Client) -> None:
    a_crowd_of_refusals()
    first = client.get(URL)
    assert [row["it"].object_name for row in first.context["rows"]] == ["Claude"]
    tabs = {str(label): url for _show, label, url in first.context["shows"]}
    assert tabs == {kind: f"{URL}?show={show}" for kind, show in KINDS.items()}
    assert len(shown(client, "?show=refused")) == 50 and "Claude" not in shown(client, "?show=refused")
    everything = client.get(URL + "?show=all")
    assert "61 entries" in everything.context["answer"]
    assert "show=all" in everything.context["next_url"]
    assert shown(client, "?action=revoked-key") and shown(client, "?show=acts&action=revoked-key")


def test_a_file_holds_the_kind_of_entries_that_the_page_showed_and_by_itself_all(client: Client) -> None:
    a_crowd_of_refusals()
    page = client.get(URL)
    ((_kind, csv_url), _jsonl) = page.context["files"]
    assert client.get(csv_url).getvalue().decode().count("Claude") == 1
    assert b"refused 3" not in client.get(csv_url).getvalue()
    assert b"refused 3" in client.get(f"{URL}export/?format=csv").getvalue()


def test_pages_and_addresses_stand_there_as_people_call_them(client: Client) -> None:
    with_role("staff", "nadia")
    logged_in(User.objects.get(username="nadia")).get("/settings/keys/add/")
    counts.flush()
    record(Action.EXPORT, actor=ANN, object_type="file", object_name="traffic:requests-export", message="/requests/")
    page = words(client, URL + "?show=all")
    assert "<b>Key: add</b>" in page and "<b>Requests: as a file</b>" in page
    assert "traffic:key-add" not in page and "traffic:requests-export" not in page
    assert shown(client, "?show=all&what=key%3A+add") == ["traffic:key-add"]


def test_every_address_has_a_name_in_words() -> None:
    for name in ACCESS:
        name_in_words = place_in_words(name)
        assert name_in_words[0].isupper() and not re.search(r"\w[_:]\w|\b(get|post) ", name_in_words), name


def test_an_address_of_an_earlier_version_still_reads_as_words() -> None:
    assert place_in_words("costs:old-thing-of-before") == "old thing of before"


def test_few_entries_that_are_named_so_are_found_before_they_are_put_in_order(client: Client) -> None:
    """However many entries there are: a walk from the newest on would read all of them for a word that nobody wrote."""
    a_crowd_of_refusals()
    claude = AuditEntry.objects.get(object_name="Claude")
    rows = entries(audit_filter(QueryDict("what=Claude"), show="acts"))
    assert list(rows) == [claude]
    assert "to_tsvector" not in str(rows.query)
    assert shown(client, "?what=nobody") == [] and shown(client, "?what=Claude") == ["Claude"]
