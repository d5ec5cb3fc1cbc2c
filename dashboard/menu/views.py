"""The front page of Set up, and the page that lists all pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.menu.page import Link, LinkGroup, Reader, groups_of
from dashboard.menu.tree import SECTIONS, SET_UP, Page
from dashboard.storage.queries import storage
from lib.http import get_view


@get_view()
def settings_index(request: HttpRequest) -> HttpResponse:
    """The pages of Set up that this person may open, as cards."""
    size = storage() if request.user.has_perm("providers.view_account") else None
    return render(request, "dashboard/menu/settings.html", {"cards": cards(request), "size": size})


@get_view()
def find(request: HttpRequest) -> HttpResponse:
    """All pages by section."""
    return render(request, "dashboard/menu/find.html", {"groups": all_pages(request)})


def all_pages(request: HttpRequest) -> list[LinkGroup]:
    """Every page that a person may open, by section; a tab is named after its page."""
    reader = Reader(request)
    return [
        LinkGroup(section.label, [_named(reader, entry, tab) for _group, entry, tabs in rows for tab in tabs])
        for section in SECTIONS
        if (rows := reader.entries(section))
    ]


def _named(reader: Reader, entry: Page, tab: Page) -> Link:
    return reader.link(tab, entry.label if tab.label == entry.label else f"{entry.label}: {tab.label}")


def cards(request: HttpRequest) -> list[LinkGroup]:
    """The cards of the page Set up: each group with its pages."""
    reader = Reader(request)
    return [group for group in groups_of(reader, reader.entries(SET_UP), None) if group.label]
