"""Pages of the export targets, with the result of each one's last run."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from costs.dates import month_asked, months_since, today
from costs.focus import page, queries, schedule, services
from costs.focus.forms import ExportForm
from costs.focus.stores import StoreError, try_out
from costs.ledger.queries import first_known_day
from costs.models import ExportTarget
from lib.http import form_view, get_view, post_view, render_tested, undoable
from providers.audit.log import changes, log, log_form

MAY = "costs.change_exporttarget"


class ExportTestResult(NamedTuple):
    good: bool
    answer: str


@get_view("costs.view_charge")
def exports(request: HttpRequest) -> HttpResponse:
    rows = queries.export_targets()
    now = today()
    context = {
        "month": month_asked(request),
        "months": months_since(first_known_day(now), now),
        "rows": rows,
        "answer": page.list_headline(rows),
        "may_edit": request.user.has_perm(MAY),
    }
    return render(request, "costs/focus/exports.html", context)


@sensitive_post_parameters()
@form_view(MAY)
def export_add(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in ExportTarget.Kind.values:
        raise Http404(_("There is no export of this kind."))
    return edited(request, ExportTarget(kind=kind, created_by_id=request.user.pk))


@sensitive_post_parameters()
@form_view(MAY)
def export(request: HttpRequest, pk: int) -> HttpResponse:
    return edited(request, queries.export_target(pk))


def edited(request: HttpRequest, target: ExportTarget) -> HttpResponse:
    """Handle a sent form: test the target, save it, or show the form again with its errors."""
    form = ExportForm(request.POST if request.method == "POST" else None, instance=target, person=request.user)
    if request.method != "POST":
        return shown(request, target, form)
    if not form.is_valid():
        return shown(request, target, form, status=422)
    added, filled = target.pk is None, form.filled()
    if request.POST.get("action") == "test":
        return shown(request, target, form, tested(filled))
    services.save_target(filled)
    log_form(request, filled, form, added=added)
    messages.success(request, _("%(name)s is saved. Its first run starts soon.") % {"name": filled.name})
    return redirect("costs:exports")


def tested(target: ExportTarget) -> ExportTestResult:
    try:
        return ExportTestResult(True, try_out(target))
    except StoreError as error:
        return ExportTestResult(False, str(error))


def shown(
    request: HttpRequest,
    target: ExportTarget,
    form: ExportForm,
    tried: ExportTestResult | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "target": target if target.pk else None,
        "kind": ExportTarget.Kind(target.kind),
        "answer": page.headline(target),
        "form_heading": page.form_heading(target),
        "form": form,
        "tried": tried,
        "log": changes(target) if target.pk else [],
    }
    return render_tested(request, "costs/focus/export.html", "costs/focus/_export_test.html", context, status)


@post_view(MAY)
def export_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Write now, independent of the schedule; files of the same names are replaced."""
    target = queries.export_target(pk)
    good = schedule.run(target, timezone.now())
    target = queries.export_target(pk)
    log(request, target, _("run manually"))
    if good:
        messages.success(request, _("%(name)s: %(n)d files written.") % {"name": target.name, "n": target.files})
    else:
        messages.error(request, _("%(name)s failed: %(why)s") % {"name": target.name, "why": target.error})
    return redirect("costs:exports")


@post_view(MAY)
def export_switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Turn a target on or off, as the form says; sending it twice changes nothing."""
    target = queries.export_target(pk)
    enabled = request.POST.get("enabled") == "1"
    if services.switch(pk, enabled=enabled):
        log(request, target, _("Switched on.") if enabled else _("Switched off."))
    message = (
        _("%(name)s is on. The months that it missed are written now.")
        if enabled
        else _("%(name)s is off: nothing is written.")
    )
    messages.success(request, message % {"name": target.name})
    return redirect("costs:exports")


@post_view(MAY)
def export_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a target; its files stay. The message on the page has an undo."""
    target = queries.export_target(pk)
    services.delete_target(pk)
    log(request, target, _("Deleted."), deleted=True)
    undoable(request, _("%(name)s is deleted.") % {"name": target.name}, "costs:export-undo", pk)
    return redirect("costs:exports")


@post_view(MAY)
def export_undo(request: HttpRequest, pk: int) -> HttpResponse:
    target = queries.any_export_target(pk)
    if services.restore_target(pk):
        log(request, target, _("Deletion undone."))
        messages.success(request, _("%(name)s is restored.") % {"name": target.name})
    return redirect("costs:exports")
