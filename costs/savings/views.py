"""The savings page, and the decisions about its findings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs import savings as advisor
from costs.savings.forms import DismissForm
from costs.savings.page import finding_of, page, title
from lib.http import form_view, get_view, post_view, undoable
from providers.audit import log as audit_log


@get_view("costs.view_charge")
def savings(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "costs/savings/savings.html",
        {"page": page(request.GET.get("sort", "")), "json_url": reverse("api:get_savings")},
    )


@post_view("costs.add_charge")
def saving_accept(request: HttpRequest, pk: int) -> HttpResponse:
    finding = finding_of(pk)
    try:
        advisor.accept(pk=pk, user=request.user, now=timezone.now())
    except advisor.NotThere:
        return _too_late(request)
    message = _("Accepted: %(title)s, %(sum)s USD a month")
    message %= {"title": title(finding), "sum": f"{finding.monthly:,.2f}"}
    audit_log.log(request, finding, message)
    undoable(request, f"{message}.", "costs:saving-undo", pk)
    return redirect("costs:savings")


@form_view("costs.add_charge")
def saving_dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    """Dismiss a finding; the reason is required, so that the next reader knows why."""
    finding = finding_of(pk)
    form = DismissForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            advisor.dismiss(pk=pk, user=request.user, now=timezone.now(), reason=reason)
        except advisor.NotThere:
            return _too_late(request)
        message = _("Dismissed: %(title)s. %(reason)s") % {"title": title(finding), "reason": reason}
        audit_log.log(request, finding, message)
        undoable(request, message, "costs:saving-undo", pk)
        return redirect("costs:savings")
    context = {"form": form, "title": title(finding), "finding": finding}
    return render(request, "costs/savings/saving_dismiss.html", context, status=422 if form.errors else 200)


@post_view("costs.add_charge")
def saving_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Open a finding again that was accepted or dismissed."""
    finding = finding_of(pk)
    try:
        advisor.reopen(pk=pk)
    except advisor.NotThere:
        return _too_late(request)
    message = _("Reopened: %(title)s") % {"title": title(finding)}
    audit_log.log(request, finding, message)
    messages.success(request, f"{message}.")
    return redirect("costs:savings")


def _too_late(request: HttpRequest) -> HttpResponse:
    messages.warning(request, _("Another person has decided about this suggestion. This is its current state."))
    return redirect("costs:savings")
