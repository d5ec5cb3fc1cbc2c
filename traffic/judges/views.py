"""Quality: deployments that judge answers, held against people."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from lib.http import form_data, form_view
from providers.audit.log import log_form
from traffic.judges import queries, services
from traffic.judges.forms import JudgeForm
from traffic.judges.page import JudgeRow, headline


@form_view("traffic.view_trial")
def judge_list(request: HttpRequest) -> HttpResponse:
    """Every judge with its scores; whoever may start trials sets one up, or changes that of `?task=`."""
    may_change = request.user.has_perm("traffic.add_trial")
    if request.method == "POST" and not may_change:
        raise PermissionDenied
    instance = queries.judge_of(request.POST.get("task", "") or request.GET.get("task", ""))
    added = instance is None
    form = JudgeForm(form_data(request), instance=instance)
    if request.method == "POST" and form.is_valid():
        return _saved(request, form, added=added)
    results = queries.results()
    context = {
        "rows": [JudgeRow(result) for result in results],
        "headline": headline(results),
        "form": form if may_change else None,
    }
    return render(request, "traffic/judges/judges.html", context, status=422 if form.errors else 200)


def _saved(request: HttpRequest, form: JudgeForm, *, added: bool) -> HttpResponse:
    """Store the judge, with its entry in the audit log."""
    judge = services.save(form.instance)
    log_form(request, judge, form, added=added)
    messages.success(request, _("The judge of %(task)s is saved.") % {"task": judge})
    return redirect("traffic:judges")
