"""The front page of Set up, and the palette."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.menu.page import cards
from dashboard.menu.palette import LONGEST, groups
from dashboard.menu.queries import MOST
from dashboard.menu.tree import PLACE_OF
from dashboard.storage.queries import storage
from lib.http import get_view

VISITED = "visited"  # the session's list of URL names, the newest first


@get_view()
def settings_index(request: HttpRequest) -> HttpResponse:
    """The pages of Set up that this person may open, as cards."""
    size = storage() if request.user.has_perm("providers.view_account") else None
    return render(request, "dashboard/menu/settings.html", {"cards": cards(request), "size": size})


@get_view()
def find(request: HttpRequest) -> HttpResponse:
    """The palette: what matches `q`. `from` is the URL name of the page on which it was opened."""
    visited = _remember(request, request.GET.get("from", ""))
    text = request.GET.get("q", "").replace("\0", "")[:LONGEST]
    return render(request, "dashboard/menu/find.html", {"groups": groups(request, text, visited), "text": text})


def _remember(request: HttpRequest, name: str) -> list[str]:
    """The pages visited last, with this one first; a name that is no page of the menu changes nothing."""
    before: list[str] = request.session.get(VISITED, [])
    place = PLACE_OF.get(name)
    if place is None:
        return before
    after = [place[2].name, *(other for other in before if other != place[2].name)][:MOST]
    if after != before:
        request.session[VISITED] = after
    return after
