"""The page of kept what-ifs, side by side with the live answer."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.breakeven import what_ifs
from costs.breakeven.forms import KeepForm
from costs.breakeven.measured_inputs import live_inputs, spread
from costs.people import person
from lib.http import get_view, post_view, undoable
from providers.audit.log import log


@get_view("costs.view_charge")
def saved_scenarios(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, form: KeepForm | None = None) -> HttpResponse:
    now = timezone.now()
    read = what_ifs.WhatIfs(now, live_inputs(now))
    rows = what_ifs.saved_what_ifs()
    columns = what_ifs.compared(_("Live"), read, rows, spread(now))
    context = {
        "columns": columns,
        "answer": what_ifs.answer(columns),
        "cheapest": what_ifs.cheapest(columns),
        "form": form,
        "may_keep": request.user.has_perm("costs.change_phase"),
    }
    return render(request, "costs/breakeven/kept.html", context, status=422 if form else 200)


@post_view("costs.change_phase")
def keep(request: HttpRequest) -> HttpResponse:
    """Save a what-if, given by its query string, under a name."""
    now = timezone.now()
    form = KeepForm(request.POST, read=what_ifs.WhatIfs(now, live_inputs(now)))
    if not form.is_valid():
        return _page(request, form)
    what_if = what_ifs.save_what_if(**form.cleaned_data, by=person(request))
    log(request, what_if, what_if.query, added=True)
    messages.success(request, _("Saved: %(name)s.") % {"name": what_if.name})
    return redirect("costs:kept")


@post_view("costs.change_phase")
def remove(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    what_if = what_ifs.saved_what_if(pk)
    if what_ifs.remove_what_if(what_if):
        log(request, what_if, "Removed.")
        undoable(request, _("Deleted: %(name)s.") % {"name": what_if.name}, "costs:kept-undo", pk)
    return redirect("costs:kept")


@post_view("costs.change_phase")
def undo(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    what_if = what_ifs.saved_what_if(pk)
    if what_ifs.restore_what_if(what_if):
        log(request, what_if, "Restored.")
        messages.success(request, _("Restored: %(name)s.") % {"name": what_if.name})
    else:
        messages.error(request, _("Another scenario is called “%(name)s” now.") % {"name": what_if.name})
    return redirect("costs:kept")
