"""Settings: history from other tools' files. Upload, look at what it becomes, start, watch, take back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django_htmx.http import HttpResponseClientRedirect

from lib.http import asks_for_part, form_view, get_view, post_view
from providers.audit.log import changes, log
from traffic.imports import FORMATS, queries, services
from traffic.imports.files import Streamed, ToDisk
from traffic.imports.forms import OptionsForm, UploadForm
from traffic.imports.page import Draft, Progress, list_headline, mark_of
from traffic.imports.readers import Unreadable
from traffic.models import Import
from traffic.models.imports import ImportState
from traffic.requests.export import KINDS, as_file


@csrf_exempt  # the upload handler must be set before the token is read; `upload` checks it
@form_view("traffic.view_import")
def import_list(request: HttpRequest) -> HttpResponse:
    """All files, and the form for one more; the upload is streamed to disk."""
    if request.method == "POST":
        if not request.user.has_perm("traffic.add_import"):
            return render(request, "403.html", status=403)
        request.upload_handlers = [ToDisk()]
        return upload(request)
    return list_page(request, UploadForm())


@csrf_protect
def upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    upload_file = request.FILES.get("file")
    if not form.is_valid() or not isinstance(upload_file, Streamed):
        if isinstance(upload_file, Streamed):
            upload_file.path.unlink(missing_ok=True)
        return list_page(request, form, status=422)
    try:
        made, new = services.bring_in(
            path=upload_file.path,
            name=upload_file.name or "",
            size=upload_file.size or 0,
            sha256=upload_file.sha256,
            by=request.user,
        )
    except Unreadable as error:
        form.add_error("file", str(error))
        return list_page(request, form, status=422)
    if new:
        log(request, made, added=True)
    else:
        messages.info(request, duplicate_message(made))
    url = reverse("traffic:import", args=[made.pk])
    return HttpResponseClientRedirect(url) if asks_for_part(request) else redirect(url)


def duplicate_message(imported: Import) -> str:
    """The message about a file that somebody brought before."""
    if imported.state == ImportState.DRAFT:
        return _("This file was uploaded before and was not started yet.")
    if services.may_go_on(imported):
        return _("This file was uploaded before and not read to its end. Continue to read the rest.")
    return _("This file was imported before. A second import changes nothing.")


def list_page(request: HttpRequest, form: UploadForm, status: int = 200) -> HttpResponse:
    rows, totals = queries.latest_imports(), queries.totals()
    context = {
        "rows": [{"it": row, "format": FORMATS[row.format].label, "mark": mark_of(row)} for row in rows],
        "headline": list_headline(totals, any_file=bool(rows)),
        "form": form,
        "formats": FORMATS.values(),
        "may_add": request.user.has_perm("traffic.add_import"),
    }
    return render(request, "traffic/imports/imports.html", context, status=status)


@form_view("traffic.view_import")
def import_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft with what it becomes, or one that is under way or over; htmx asks for the progress alone."""
    imported = queries.get_import(pk)
    may_change = request.user.has_perm("traffic.change_import")
    if request.method == "POST" and not may_change:
        return render(request, "403.html", status=403)
    context: dict[str, Any] = {"it": imported, "format": FORMATS[imported.format], "may_change": may_change}
    if imported.state == ImportState.DRAFT:
        return draft(request, imported, context)
    if request.method == "POST":
        return redirect("traffic:import", pk)
    page = Progress(imported, timezone.now(), imported.errors)
    context["page"] = page
    if asks_for_part(request, "progress"):
        context |= {"polled": True, "aloud": request.GET.get("said") != page.said}
        return render(request, "traffic/imports/_import_progress.html", context)
    return render(request, "traffic/imports/import.html", {**context, "log": changes(imported)})


@get_view("traffic.view_import")
def import_errors(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Every line that was set aside, as a file."""
    imported = queries.get_import(pk)
    lines = queries.lines_set_aside(imported)
    return as_file(KINDS["csv"].write(("line", "what is wrong"), lines), KINDS["csv"], f"import-{pk}-errors")


def draft(request: HttpRequest, imported: Import, context: dict[str, Any]) -> HttpResponse:
    """Its options, and the first rows as they would land."""
    form = OptionsForm(imported, request.POST if request.method == "POST" else None, examples_for(request, imported))
    if request.method == "POST" and form.is_valid():
        services.describe_draft(imported, format=form.cleaned_data["format"], options=form.options())
        return redirect("traffic:import", imported.pk)
    try:
        rows, problem = services.preview(imported), ""
    except (Unreadable, OSError) as error:
        rows, problem = [], str(error)
    context |= {"form": form, "page": Draft(imported, rows, problem)}
    return render(request, "traffic/imports/import_draft.html", context, status=422 if form.errors else 200)


def examples_for(request: HttpRequest, imported: Import) -> dict[str, str]:
    """Values of the file beside the names of its columns: for who brought it, and who may read prompts and answers."""
    if imported.by != request.user and not request.user.has_perm("traffic.view_bodies"):
        return {}
    try:
        return services.examples(imported)
    except (Unreadable, OSError):
        return {}  # the page says why


ACTS = {
    "start": (services.start, gettext_lazy("Started.")),
    "cancel": (services.cancel, gettext_lazy("Cancelled. Rows that were read before stay until you undo the import.")),
    "take-back": (services.take_back, gettext_lazy("The import is being undone.")),
    "discard": (services.discard, gettext_lazy("Discarded.")),
}


@post_view("traffic.change_import")
def import_do(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Start or go on, cancel, take back, discard; what is over already says so."""
    if act not in ACTS:
        raise Http404
    imported = queries.get_import(pk)
    service, words = ACTS[act]
    if service(imported=imported):
        if act != "discard":
            log(request, imported, str(words))
        messages.success(request, words)
    else:
        messages.info(request, _("Nothing was changed: its state has changed meanwhile."))
    return redirect("traffic:imports") if act == "discard" else redirect("traffic:import", pk)
