"""The front page of Set up, the palette, and saved views."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.models import SavedView
from dashboard.menu import saved
from dashboard.menu.page import Reader, cards
from dashboard.menu.palette import LONGEST, groups
from dashboard.menu.queries import MOST
from dashboard.menu.tree import PLACE_OF
from dashboard.storage.queries import storage
from lib.http import form_data, form_view, get_view, post_view, undoable
from lib.soft_delete import soft_delete, undelete
from providers.audit.log import log, log_form

VISITED = "visited"  # the session's list of URL names, the newest first


@get_view()
def settings_index(request: HttpRequest) -> HttpResponse:
    """The pages of Set up that this person may open, as cards."""
    size = storage() if request.user.has_perm("providers.view_account") else None
    return render(request, "dashboard/menu/settings.html", {"cards": cards(request), "size": size})


@get_view()
def find(request: HttpRequest) -> HttpResponse:
    """The palette: what matches `q`. `opened_on` is the URL name of the page it was opened on."""
    visited = _remember(request, request.GET.get("opened_on", ""))
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


# Saved views.


@form_view()
def saved_views(request: HttpRequest) -> HttpResponse:
    """The views that this person sees, and the form of a new one with the address that `address` names."""
    path = saved.saved_path(request.GET.get("address", ""))
    view = SavedView(owner=request.user, path=path or "")  # type: ignore[misc]  # whoever is signed in
    return _saved_views(request, view, has_form=path is not None or request.method == "POST")


@form_view()
def saved_view(request: HttpRequest, pk: int) -> HttpResponse:
    """The same with the form of one's own view."""
    return _saved_views(request, saved.view_of(request.user, pk), has_form=True)


def _saved_views(request: HttpRequest, view: SavedView, *, has_form: bool) -> HttpResponse:
    added = view.pk is None
    form = saved.SavedViewForm(form_data(request), instance=view)
    if request.method == "POST" and form.is_valid():
        saved.store(view)
        log_form(request, view, form, added=added)
        messages.success(request, _("“%(name)s” is saved.") % {"name": view.name})
        return redirect("saved-views")
    views = saved.visible_views(Reader(request))
    context = {
        "answer": saved.answer(views, request.user),
        "views": views,
        "form": form if has_form else None,
        "most": saved.MOST,
    }
    return render(request, "dashboard/menu/saved_views.html", context, status=422 if form.errors else 200)


@post_view()
def saved_view_delete(request: HttpRequest, pk: int) -> HttpResponse:
    view = saved.view_of(request.user, pk)
    soft_delete(row=view, now=timezone.now())
    log(request, view, _("Deleted."), deleted=True)
    undoable(request, _("“%(name)s” is deleted.") % {"name": view.name}, "saved-view-undo", view.pk)
    return redirect("saved-views")


@post_view()
def saved_view_undo(request: HttpRequest, pk: int) -> HttpResponse:
    view = saved.view_of(request.user, pk, deleted=True)
    if saved.has_place(request.user) and undelete(row=view):
        log(request, view, _("Restored."))
        messages.success(request, _("“%(name)s” is restored.") % {"name": view.name})
    else:
        messages.warning(request, _("You have saved %(n)s views. Delete one first.") % {"n": saved.MOST})
    return redirect("saved-views")
