"""What happened in this outage, what did it cost, and what was learnt?"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_data, form_view
from providers.audit.log import changes, log_form
from providers.uptime.forms import OutageForm
from providers.uptime.outage_cost import cost_of
from providers.uptime.page import OutagePage
from providers.uptime.queries import checks_around, outage_or_404
from providers.uptime.store import save_notes


@form_view("providers.view_outage")
def outage(request: HttpRequest, pk: int) -> HttpResponse:
    """One outage; whoever runs the machines writes its note, its public note and its post-mortem here."""
    row = outage_or_404(pk)
    may_edit = request.user.has_perm("providers.change_outage")
    if request.method == "POST" and not may_edit:
        return render(request, "403.html", status=403)
    form = OutageForm(form_data(request), instance=row) if may_edit else None
    if request.method == "POST" and form is not None and form.is_valid():
        save_notes(outage=row)
        log_form(request, row, form)
        messages.success(request, _("Saved."))
        return redirect("providers:outage", pk=pk)
    now = timezone.now()
    first, last = checks_around(row, now)
    context = {
        "page": OutagePage(row, row.lasted(now), cost_of([row], now)[row.pk]),
        "outage": row,
        "deployment": row.deployment,
        "to_confirm": row.confirmed_at - row.started_at,
        "first": first,
        "last": last,
        "form": form,
        "log": changes(row) if may_edit else [],
    }
    return render(
        request, "providers/uptime/outage.html", context, status=422 if form is not None and form.errors else 200
    )
