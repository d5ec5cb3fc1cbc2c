"""Help: the documents of the installed version as pages."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.help.documents import FOLDERS, body_of, documents, find
from lib.http import get_view

QUERY_MAX = 100  # characters


@get_view()
def help_index(request: HttpRequest) -> HttpResponse:
    """All documents by kind, or those that match a search."""
    query = request.GET.get("q", "")[:QUERY_MAX].strip()
    hits = find(query)
    groups = [(label, [page for page in hits if page.folder == folder]) for folder, label in FOLDERS.items()]
    context = {
        "query": query,
        "groups": [group for group in groups if group[1]],
        "headline": headline(query, len(hits)),
    }
    return render(request, "dashboard/help/index.html", context)


def headline(query: str, hits: int) -> str:
    """How many pages there are, or match the search."""
    if not query:
        return _("Search the documentation of this version, or choose a page.")
    if not hits:
        return _("No page contains these words.")
    return ngettext("%(n)s page contains these words.", "%(n)s pages contain these words.", hits) % {"n": hits}


@get_view()
def help_page(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        document = documents()[slug]
    except KeyError:
        raise Http404(_("There is no help page of this name.")) from None
    return render(request, "dashboard/help/page.html", {"document": document, "body": body_of(slug)})
