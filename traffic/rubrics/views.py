"""The rubrics in use, and a form for each."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from lib.http import form_data, form_view, get_view, post_view, undoable
from providers.audit.log import log, log_form
from traffic.models import Rubric
from traffic.rubrics import queries, services
from traffic.rubrics.forms import RubricForm
from traffic.rubrics.page import RubricRow, headline

CHANGE = "traffic.change_rubric"


@get_view("traffic.view_quality")
def rubric_list(request: HttpRequest) -> HttpResponse:
    rubrics = queries.current()
    context = {"rows": [RubricRow(rubric) for rubric in rubrics], "headline": headline(rubrics)}
    return render(request, "traffic/rubrics/rubrics.html", context)


@form_view(CHANGE)
def rubric_add(request: HttpRequest) -> HttpResponse:
    return _form(request, RubricForm(form_data(request)), None)


@form_view(CHANGE)
def rubric_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """A change makes the next version."""
    rubric = queries.current_rubric(pk)
    if rubric is None:
        raise Http404(_("This version of the rubric is not in use any more."))
    return _form(request, RubricForm(form_data(request), rubric), rubric)


def _form(request: HttpRequest, form: RubricForm, rubric: Rubric | None) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            made = services.save(**form.values(), by=request.user, replaces=rubric)
        except ValueError as error:
            form.add_error(None, str(error))
        else:
            log_form(request, made, form, added=rubric is None)
            messages.success(request, _("Version %(n)s saved. Older ratings keep their version.") % {"n": made.version})
            return redirect("traffic:rubrics")
    context: dict[str, Any] = {"form": form, "rubric": rubric}
    return render(request, "traffic/rubrics/rubric.html", context, status=422 if form.errors else 200)


@post_view(CHANGE)
def rubric_delete(request: HttpRequest, pk: int) -> HttpResponse:
    rubric = queries.current_rubric(pk)
    if rubric is None:
        raise Http404(_("This version of the rubric is not in use any more."))
    services.retire(rubric)
    log(request, rubric, _("Deleted. Its ratings stay."))
    undoable(request, _("Rubric deleted. Its ratings stay."), "traffic:rubric-undo", rubric.pk)
    return redirect("traffic:rubrics")


@post_view(CHANGE)
def rubric_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring a deleted rubric back as its next version."""
    rubric = queries.deleted_rubric(pk)
    if rubric is None:
        raise Http404(_("This rubric is not deleted."))
    try:
        made = services.restore(rubric)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        log(request, made, _("Restored."))
        messages.info(request, _("Rubric restored."))
    return redirect("traffic:rubrics")
