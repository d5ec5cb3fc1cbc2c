"""The menu as each role meets it: every page of use is in it and opens, and none is further than two clicks."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from dashboard.access import ACCESS
from dashboard.menu.page import Menu, menu_of, permission_of
from dashboard.menu.tree import PLACE_OF, SECTIONS, Page, pages
from tests.dashboard.logins import ROLES, logged_in, with_role
from tests.pages import html_of
from tests.traffic.people import application

pytestmark = pytest.mark.django_db

NAMES = [page.name for _section, _entry, page in pages()]

# Addresses that people open and that are no page of the menu, with the reason.
NO_PAGE = {
    "login": "stands before the product",
    "logout": "an act",
    "theme": "an act",
    "find": "the palette, linked from the bar on top",
    "forgotten": "stands before the product",
    "new-password": "stands before the product",
    "healthz": "for machines",
    "readyz": "for machines",
    "providers:maintenance": "leads to the form of silences",
    "providers:status": "for strangers, at an address of its own",
    "traffic:feedback-link": "for strangers, at an address of its own",
    "providers:status-badge": "a picture",
    "providers:status-json": "a file",
    "providers:ping": "for machines",
    "providers:ping-signal": "for machines",
    "api:openapi-json": "a file",
    "alerts:unsubscribe": "opened from a mail",
    "alerts:mail-html": "the inner frame of a mail",
    "alerts:mail-file": "a file",
    "alerts:digest-html": "the inner frame of a digest",
    "audit-export": "a file",
    "traffic:requests-export": "a file",
    "traffic:import-errors": "a file",
    "traffic:my-ratings-export": "a file",
    "traffic:person-ratings": "a file",
    "costs:receipt": "a file",
    "costs:break-even-json": "a file",
    "costs:statements-csv": "a file",
    "costs:statements-pdf": "a file",
    "costs:statement-csv": "a file",
    "costs:statement-pdf": "a file",
    "costs:trial-pdf": "a file",
    "traffic:set-file": "a file",
}


class Links(HTMLParser):
    """The addresses of the links inside every `nav` of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.depth = 0
        self.urls: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "nav":
            self.depth += 1
        url = dict(attrs).get("href") or ""
        if tag == "a" and self.depth and url.startswith("/"):
            self.urls.append(urlsplit(url).path)

    def handle_endtag(self, tag: str) -> None:
        if tag == "nav":
            self.depth -= 1


def crawl(client: Client, start: str = "/") -> tuple[dict[str, int], dict[str, int]]:
    """How many clicks each page of the menu is away from `start`, and which answered with another status than 200."""
    depths, refused, queue = {start: 0}, {}, [start]
    while queue:
        url = queue.pop(0)
        response: Any = client.get(url, follow=True)
        if response.status_code != 200:
            refused[url] = response.status_code
            continue
        for other in Links(html_of(response)).urls:
            if other not in depths:
                depths[other] = depths[url] + 1
                queue.append(other)
    return depths, refused


def seen_by(role: str) -> set[str]:
    """The addresses of the tree that a shipped role may read, by the table of access and not by the views."""
    hidden = {page.name for _section, _entry, page in pages() if page.reference}
    hidden |= {"overview", "costs:statements"} if role == "staff" else set()
    return {reverse(name) for name in NAMES if role in (ACCESS[name].reads or ()) and name not in hidden}


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_reached_by_the_roles_that_may_open_it(role: str, tmp_path: Path, settings: Any) -> None:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    depths, refused = crawl(logged_in(with_role(role)))
    assert refused == {}, "a link of the menu that this role may not open"
    assert seen_by(role) - set(depths) == set(), "pages that the menu does not lead to"
    assert {url: depth for url, depth in depths.items() if depth > 2} == {}


def test_every_page_of_use_is_in_the_tree_or_has_a_reason() -> None:
    opened = {
        name for name, access in ACCESS.items() if access.reads and not access.scope and not name.startswith("api:")
    }
    assert opened - set(PLACE_OF) - set(NO_PAGE) == set(), "put these into dashboard/menu/tree.py"
    assert set(PLACE_OF) & set(NO_PAGE) == set()


def test_a_page_stands_in_one_place_and_each_key_leads_to_one() -> None:
    below = [name for _section, _entry, page in pages() for name in (page.name, *page.below)]
    assert sorted(below) == sorted(set(below))
    keys = [page.key for _section, _entry, page in pages() if page.key]
    assert sorted(keys) == sorted("spbvurqadeo")


@pytest.mark.parametrize("name", NAMES)
def test_the_permission_of_a_page_is_read_from_its_view(name: str) -> None:
    everybody = ACCESS[name].reads == ACCESS["overview"].reads
    assert permission_of(name) or everybody


def menu(url: str, client: Client) -> Menu:
    response: Any = client.get(url)
    shown: Menu = response.context["menu"]
    return shown


def test_the_bar_of_a_section_is_the_same_on_each_of_its_pages() -> None:
    client = logged_in(with_role("admin"))
    for section in SECTIONS[1:]:
        bars = []
        for page in section.pages:
            if page.demo:
                continue
            shown = menu(reverse(page.name), client)
            marked = [link.label for group in shown.groups for link in group.links if link.current]
            assert marked == [page.label] and [link.label for link in shown.sections if link.current] == [section.label]
            bars.append([[link.url.split("?")[0] for link in group.links] for group in shown.groups])
        assert all(bar == bars[0] for bar in bars)


def test_the_month_goes_along_from_page_to_page() -> None:
    bar = menu("/spend/?month=2026-10&by=model", logged_in(with_role("manager"))).groups[0]
    urls = {str(link.label): link.url for link in bar.links}
    assert urls["Statements"] == "/spend/statements/?month=2026-10" and urls["Savings"] == "/spend/savings/"


@pytest.mark.parametrize(
    "page", [page for _s, _e, page in pages() if page.table or page.keeps], ids=lambda page: page.name
)
def test_period_filters_and_what_to_do_with_the_page_stand_in_one_bar(page: Page) -> None:
    html = html_of(logged_in(with_role("admin")).get(reverse(page.name)))
    bar = html[html.index('<div class="asof">') : html.index("</header>", html.index('<div class="asof">'))]
    assert 'class="context"' in bar and "data-copy-link" in bar and ("data-csv" in bar) == page.table
    rest = html[html.index("</header>", html.index('<div class="asof">')) :]
    assert not re.search(r'<form class="inline-form[^>]* method="get"[^>]*(data-auto|role="search")', rest)


def test_a_page_below_leads_back_to_each_page_above_it() -> None:
    client = logged_in(with_role("admin"))
    shown = menu("/spend/charges/add/", client)
    assert [(str(link.label), link.url) for link in shown.crumbs] == [
        ("Spend", "/spend/"), ("Ledger", "/spend/ledger/"), ("One-off costs", "/spend/charges/"),
    ]  # fmt: skip
    page = html_of(client.get("/spend/charges/add/"))
    assert 'aria-label="Breadcrumb"' in page and page.count('aria-current="page"') == 0
    assert html_of(client.get("/spend/charges/")).count('aria-current="page"') == 1


def test_staff_see_their_pages_and_owners_their_statements() -> None:
    staff = with_role("staff")
    labels = [str(link.label) for link in menu("/quality/", logged_in(staff)).sections]
    assert labels == ["Monitoring", "Quality", "Set up"]
    application("shop", staff, owner=staff)
    shown = menu("/spend/statements/", logged_in(staff))
    assert [str(link.label) for link in shown.sections] == ["Spend", "Monitoring", "Quality", "Set up"]
    assert shown.groups == [] and shown.tabs == []


def test_the_reference_case_is_in_the_menu_of_who_shows_it_and_answers_to_all() -> None:
    client = logged_in(with_role("manager"))
    scenarios = "/break-even/scenarios/"
    assert menu("/break-even/kept/", client).tabs == [] and client.get(scenarios).status_code == 200
    assert 'name="show" value="on"' in html_of(client.get("/settings/"))
    response = client.post("/settings/reference/", {"show": "on"})
    assert (response.status_code, response["location"]) == (303, "/settings/")
    assert [tab.url for tab in menu("/break-even/kept/", client).tabs][1:] == [scenarios, "/break-even/research/"]
    assert "Vendors by use" in html_of(client.get("/decide/sizing/"))
    client.post("/settings/reference/", {"show": ""})
    assert menu("/break-even/kept/", client).tabs == []
    assert "Vendors by use" not in html_of(client.get("/decide/sizing/"))


def test_a_stranger_and_a_page_that_is_not_there_have_a_menu_without_a_section() -> None:
    response: Any = Client().get("/login/")
    assert response.status_code == 200
    request = RequestFactory().get("/nothing/")
    request.user, request.resolver_match = with_role("ops"), None
    shown = menu_of(request)
    assert shown.groups == [] and len(shown.sections) == 7
