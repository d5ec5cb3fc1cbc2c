"""Saved views: whose they are, who sees them, which addresses they may have, and where they are shown."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from alerts.digests import mail, saved
from alerts.digests.periods import newest
from alerts.models import ReportKind, SavedView
from dashboard.menu.saved import MOST, MOST_PARAMETERS, SavedViewForm, page_of, saved_path
from providers.audit.log import AuditEntry
from tests.costs.people import client_of
from tests.pages import html_of
from tests.query_ceilings import ceiling

URL = "/views/"
DEAR = "/requests/?sort=-cost"


def text(client: Client, url: str = URL, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status, (url, response.status_code)
    return html_of(response)


def save(client: Client, name: str = "Dear requests", path: str = DEAR, **more: Any) -> Any:
    return client.post(URL, {"name": name, "path": path, **more})


def manager() -> Client:
    return client_of("manager")


def owner_of(role: str) -> User:
    return User.objects.get(username=f"a-{role}")


# Addresses.


@pytest.mark.parametrize(
    "address",
    [
        "", "/", "//evil.example/requests/", "///evil.example", "https://evil.example/requests/", "javascript:alert(1)",
        "/\\evil.example", "\\\\evil.example", "requests/", "/requests", "/nowhere/", "/login/", "/logout/", "/views/",
        "/settings/keys/", "/alerts/1/", "/api/v1/requests", "/requests/\n", "/requests/?a=\x00", "/requests/\u202e",
        "/requests/?words=" + "x" * 10_000, "/requests/" + "x" * 10_000, "/%2F/evil.example",
        "http://[/requests/", "/requests/?" + "&".join(f"a{n}=1" for n in range(MOST_PARAMETERS + 1)),
    ],
)  # fmt: skip
def test_no_other_host_and_no_page_without_a_list_can_be_saved(address: str) -> None:
    if address != "/requests/\n":  # an end of line around an address is of no meaning
        assert saved_path(address) is None


def test_an_address_is_saved_without_what_is_empty_or_a_place_in_the_list() -> None:
    address = "/requests/?provider=&model=a%20b&cursor=abc&page=2&before=3&live=0&as=csv&explore=x&sort=-cost#row"
    assert saved_path(f" {address} ") == "/requests/?model=a+b&sort=-cost"
    assert saved_path("/spend/ledger/?month=2026-11") == "/spend/ledger/?month=2026-11"


@given(st.text())
def test_what_is_saved_is_always_a_path_of_ours(text: str) -> None:
    for address in (text, f"/requests/?{text}", f"//{text}", f"/{text}"):
        path = saved_path(address)
        assert path is None or (path.startswith("/") and path[1:2] != "/" and page_of(path) is not None)
        assert path is None or saved_path(path) == path


# Saving, changing, deleting.


def test_a_view_is_saved_renamed_deleted_and_brought_back_with_entries_in_the_audit_log(db: None) -> None:
    client = manager()
    page_of_requests = text(client, "/requests/?sort=-cost")
    [link] = re.findall(r'href="(/views/\?address=[^"]+)" data-save', page_of_requests)
    assert f'value="{DEAR}"' in text(client, link)
    assert save(client).status_code == 302
    view = SavedView.objects.get()
    assert (view.owner, view.path, view.shared, view.pinned, view.weekly) == (
        owner_of("manager"), DEAR, False, False, False,
    )  # fmt: skip
    assert f'<a href="{DEAR}">Dear requests</a>' in text(client)
    client.post(f"{URL}{view.pk}/", {"name": "Dearest", "path": DEAR, "pinned": "on"})
    view.refresh_from_db()
    assert (view.name, view.pinned) == ("Dearest", True)
    client.post(f"{URL}{view.pk}/delete/")
    after = text(client)
    assert "“Dearest” is deleted." in after and "No saved views yet" in after
    client.post(f"{URL}{view.pk}/undo/")
    assert f'<a href="{DEAR}">Dearest</a>' in text(client)
    entries = AuditEntry.objects.filter(object_type="alerts.savedview").order_by("pk")
    assert [entry.action for entry in entries] == ["added", "changed", "deleted", "changed"]


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\x00b"])
def test_a_name_that_cannot_be_is_refused_with_a_sentence(db: None, name: str) -> None:
    assert save(manager(), name=name).status_code in (400, 422)
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("path", ["//evil.example/", "javascript:alert(1)", "/requests/?q=" + "x" * 10_000, ""])
def test_an_address_that_cannot_be_is_refused_with_a_sentence(db: None, path: str) -> None:
    response = save(manager(), path=path)
    assert response.status_code == 422
    assert not SavedView.objects.exists()


def test_names_are_only_text(db: None) -> None:
    client = manager()
    save(client, name="<script>alert(1)</script>", pinned="on")
    for url in (URL, "/", "/find/?q=script"):
        html = text(client, url)
        assert "<script>alert(1)" not in html and "&lt;script&gt;alert(1)" in html, url


def test_a_person_has_at_most_fifty_and_deleted_ones_do_not_count(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.menu.saved.MOST", 2)
    client = manager()
    first, second = (save(client, name=f"v{n}") for n in range(2))
    assert (first.status_code, second.status_code) == (302, 302)
    refused = save(client, name="v2")
    assert refused.status_code == 422 and "Delete one first." in html_of(refused)
    gone = SavedView.objects.get(name="v0")
    client.post(f"{URL}{gone.pk}/delete/")
    assert save(client, name="v2").status_code == 302
    client.post(f"{URL}{gone.pk}/undo/")
    assert SavedView.objects.of(owner_of("manager")).count() == 2
    SavedView.objects.filter(pk=gone.pk).update(deleted_at=timezone.now() - timedelta(days=2))
    client.post(f"{URL}{SavedView.objects.get(name='v1').pk}/delete/")
    save(client, name="v3")
    assert not SavedView.objects.filter(pk=gone.pk).exists()


# Who sees them.


def test_of_two_people_each_sees_their_own_and_what_the_other_shares(db: None) -> None:
    one, other = manager(), client_of("ops")
    save(one, name="private", pinned="on")
    save(one, name="for all", shared="on", pinned="on", weekly="on")
    save(other, name="of ops")
    assert {"private", "for all"} == set(re.findall(r'<a href="/requests/[?][^>]*>([^<]+)</a>', text(one)))
    html = text(other)
    assert "for all" in html and "of ops" in html and "private" not in html
    assert "2 views, 1 of them yours." in html
    assert "weekly digest" not in re.findall(r"<tbody>.*</tbody>", html)[0], "whose digest it is in is the owner's"
    shared = SavedView.objects.get(name="for all")
    for action in ("", "delete/", "undo/"):
        assert other.post(f"{URL}{shared.pk}/{action}", {"name": "x", "path": DEAR}).status_code == 404
    assert f"{URL}{shared.pk}/" not in html
    overview = text(other, "/")
    assert "for all" in overview and "private" not in overview
    User.objects.filter(username="a-manager").update(is_active=False)
    assert "for all" not in text(other)


def test_a_shared_view_of_a_page_that_the_other_may_not_open_is_not_shown(db: None) -> None:
    sharing = manager()
    save(sharing, name="money", path="/spend/ledger/", shared="on")
    save(sharing, name="log", shared="on")
    staff = client_of("staff")
    html = text(staff)
    assert "log" in html and "money" not in html
    assert "/spend/ledger/" not in text(staff, "/find/?q=money")
    assert staff.get("/spend/ledger/").status_code == 403


def test_a_view_whose_page_is_gone_is_not_shown(db: None) -> None:
    client = manager()
    SavedView.objects.create(owner=owner_of("manager"), name="old", path="/gone/?a=1", pinned=True)
    assert "old</a>" not in text(client) and "old</a>" not in text(client, "/")


# Where they are shown.


def test_pinned_views_are_on_the_overview_eight_at_most_ones_own_first(db: None) -> None:
    one, other = manager(), client_of("ops")
    for n in range(9):
        save(other, name=f"shared {n}", shared="on", pinned="on")
    save(one, name="zz own", pinned="on")
    save(one, name="not pinned")
    [nav] = re.findall(r'<nav class="tabs pinned".*?</nav>', text(one, "/"))
    assert re.findall(r">([^<>]+)</a>", nav) == ["zz own", *(f"shared {n}" for n in range(7))]


def test_the_palette_finds_a_view_by_words_of_its_name(db: None) -> None:
    client = manager()
    save(client, name="Dear requests of November")
    assert f'href="{DEAR}"' in text(client, "/find/?q=november+dear")
    assert f'href="{DEAR}"' not in text(client, "/find/?q=december+dear")


def test_the_list_takes_as_many_statements_for_many(db: None, django_assert_max_num_queries: Any) -> None:
    client = manager()
    for n in range(12):
        save(client, name=f"v{n:02}", path=f"/spend/ledger/?month=2026-{n + 1:02}", shared="on" if n % 2 else "")
    with django_assert_max_num_queries(ceiling(URL)):
        text(client)


# The weekly digest.


def words_of(person: User) -> tuple[str, str]:
    now = timezone.now()
    words = mail.words_of("weekly", newest("weekly", now.date()), now)
    words["views"] = saved.views_in(ReportKind.WEEKLY, person)
    return mail.bodies(mail.context_of("weekly", words, now, "chart"))


def test_the_weekly_digest_of_its_owner_lists_a_view_with_the_finding_of_its_page(db: None) -> None:
    client = manager()
    save(client, name="Dear & few", weekly="on")
    save(client, name="not weekly")
    person = owner_of("manager")
    [[name, finding, path]] = saved.views_in(ReportKind.WEEKLY, person)
    assert (name, path) == ("Dear & few", DEAR)
    shown = re.findall(r'<p class="finding">(.*?)</p>', text(client, DEAR))[0]
    assert finding and finding in " ".join(re.sub(r"<[^>]+>", "", shown).split())
    plain, html = words_of(person)
    assert "* Dear & few" in plain and finding in plain and f"{DEAR}\n" in plain
    assert "Dear &amp; few</a>" in html and "not weekly" not in html
    for kind in (ReportKind.DAILY, ReportKind.MONTHLY, ReportKind.STATEMENT):
        assert saved.views_in(kind, person) == []
    assert "Dear &amp; few" in text(client, reverse("alerts:digest", args=["weekly"]))


def test_a_digest_has_no_view_whose_page_its_owner_may_not_open_any_more(db: None) -> None:
    client_of("staff")
    staff = owner_of("staff")
    SavedView.objects.create(owner=staff, name="money", path="/spend/ledger/", weekly=True)
    SavedView.objects.create(owner=staff, name="gone", path="/gone/", weekly=True)
    SavedView.objects.create(owner=staff, name="log", path="/requests/", weekly=True)
    assert [name for name, _finding, _path in saved.views_in(ReportKind.WEEKLY, staff)] == ["log"]


def test_a_page_that_fails_leaves_the_digest_with_its_link(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client_of("staff")
    view = SavedView(owner=owner_of("staff"), name="log", path="/requests/", pk=7)

    def failing(*_arguments: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("alerts.digests.saved.resolve", failing)
    assert saved.finding_of(view.owner, view) == ""
    assert [record.__dict__.get("event") for record in caplog.records] == ["saved_view_failed"]


def test_the_form_takes_the_fields_of_the_page_alone(db: None) -> None:
    client = manager()
    client_of("ops")
    save(client, owner=str(owner_of("ops").pk), deleted_at="2026-01-01")
    view = SavedView.objects.get()
    assert view.owner == owner_of("manager") and view.deleted_at is None
    assert set(SavedViewForm().fields) == {"name", "path", "shared", "pinned", "weekly"}
    assert MOST == 50
