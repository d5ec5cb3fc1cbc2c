"""What differs from its own history, why, and what people say of it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs import anomalies as findings
from costs.anomalies import reads
from costs.anomalies.page import AnomaliesPage
from lib.http import get_view, post_view, undoable
from providers.audit import log as audit_log


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        label=gettext_lazy("Why it is expected"),
        error_messages={"required": gettext_lazy("Write in a few words why it is expected. Others will read it.")},
    )


@get_view("costs.view_charge")
def anomalies(request: HttpRequest) -> HttpResponse:
    return shown(request)


def shown(request: HttpRequest, failed: ReasonForm | None = None, pk: int | None = None) -> HttpResponse:
    """The page; with the form that was refused at its finding."""
    page = AnomaliesPage(timezone.now())
    forms_of = {row.it.pk: ReasonForm(auto_id=f"expected-{row.it.pk}-%s") for row in page.open}
    if failed and pk is not None:
        forms_of[pk] = failed
    context = {
        "page": page,
        "look": page.look,
        "open": [(row, forms_of[row.it.pk]) for row in page.open],
        "json_url": "/api/v1/anomalies",
    }
    return render(request, "costs/anomalies/anomalies.html", context, status=422 if failed else 200)


@post_view("costs.dismiss_anomaly")
def anomaly_dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    """It is expected: alerts stop, the page keeps it; the toast takes it back."""
    anomaly = reads.anomaly(pk)
    form = ReasonForm(request.POST, auto_id=f"expected-{pk}-%s")
    if not form.is_valid():
        return shown(request, form, pk)
    reason = form.cleaned_data["reason"]
    if findings.dismiss(anomaly=anomaly, reason=reason, by=request.user, now=timezone.now()):
        audit_log.log(request, anomaly, _("expected: %(reason)s") % {"reason": reason})
        undoable(request, _("Marked as expected. Alerts leave it out."), "costs:anomaly-restore", pk)
    return redirect("costs:anomalies")


@post_view("costs.dismiss_anomaly")
def anomaly_restore(request: HttpRequest, pk: int) -> HttpResponse:
    anomaly = reads.anomaly(pk)
    if findings.restore(anomaly=anomaly):
        audit_log.log(request, anomaly, _("no longer expected"))
        messages.success(request, _("No longer expected. Alerts include it while it lasts."))
    return redirect("costs:anomalies")
