"""The front page of Set up, and the page that lists all pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.menu.page import all_pages, cards
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
