"""Which models can we send requests to, and does each answer?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from lib.http import form_data, form_view, get_view, post_view, render_tested, undoable
from providers.audit.log import changes, log, log_form
from providers.deployments import queries, services
from providers.deployments.forms import DeploymentForm
from providers.deployments.page import DeploymentPage, DeploymentsPage, Trial
from providers.engine_metrics import page as engine_page
from providers.engines import CheckResult
from providers.models import Deployment, provider_names
from providers.models.deployments import TLS_WARNS
from providers.uptime import page as uptime_page
from providers.uptime.due_checks import check_now

LONGEST_TRY_S = 20.0  # a person waits for the answer
WINDOWS_SHOWN = 10


@get_view("providers.view_deployment")
def deployments(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    rows = queries.all_deployments()
    on = [uptime_page.with_machine(row, now) for row in rows if row.enabled]
    page = DeploymentsPage(uptime_page.worst_first(on), [row for row in rows if not row.enabled])
    context = {"page": page, "rows": page.rows, "off": page.off}
    return render(request, "providers/deployments/deployments.html", context)


@sensitive_post_parameters()
@form_view("providers.add_deployment")
def add(request: HttpRequest) -> HttpResponse:
    deployment = Deployment()
    return edited(request, deployment, DeploymentForm(form_data(request), instance=deployment, person=request.user))


@sensitive_post_parameters()
@form_view("providers.view_deployment")
def deployment(request: HttpRequest, slug: str) -> HttpResponse:
    """One deployment; whoever may change deployments gets the form, the others how its checks go."""
    row = queries.deployment_or_404(slug)
    may_edit = request.user.has_perm("providers.change_deployment")
    if request.method == "POST" and not may_edit:
        return render(request, "403.html", status=403)
    if not may_edit:
        return shown(request, row, None)
    return edited(request, row, DeploymentForm(form_data(request), instance=row, person=request.user))


def edited(request: HttpRequest, deployment: Deployment, form: DeploymentForm) -> HttpResponse:
    """The form as it was sent: tried, saved, or shown again. A key is never in what goes back."""
    if request.method != "POST":
        return shown(request, deployment, form)
    added, was_checked = deployment.pk is None, deployment.checked
    if not form.is_valid():
        return shown(request, deployment, form, status=422)
    filled = form.filled()
    if request.POST.get("action") == "test":
        filled.timeout_s = min(filled.timeout_s, LONGEST_TRY_S)
        return shown(request, filled, form, check_now(deployment=filled))
    services.save_deployment(deployment=filled, moved=form.moved, was_checked=was_checked, now=timezone.now())
    log_form(request, filled, form, added=added)
    messages.success(request, _("%(name)s is saved.") % {"name": filled.name})
    return redirect("providers:deployment", slug=filled.slug)


def shown(
    request: HttpRequest,
    deployment: Deployment,
    form: DeploymentForm | None,
    result: CheckResult | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of one deployment, or of one that is being added."""
    may_edit, now = request.user.has_perm("providers.change_deployment"), timezone.now()
    state = uptime_page.now_of(deployment, now) if not deployment._state.adding else None
    maintenance = windows(deployment, now)
    context = {
        "page": DeploymentPage(deployment, state, maintenance["planned"]),
        "deployment": deployment,
        "now": state,
        "form": form,
        "trial": Trial(deployment, result) if result else None,
        "providers": provider_names().items(),
        "log": changes(deployment) if not deployment._state.adding and may_edit else [],
        "may_edit": may_edit,
        **maintenance,
        **engine(request, deployment, now),
    }
    whole, part = "providers/deployments/deployment.html", "providers/deployments/_deployment_test.html"
    return render_tested(request, whole, part, context, status)


def engine(request: HttpRequest, deployment: Deployment, now: datetime) -> dict[str, Any]:
    """What its engine tells of itself, over the range that is asked for; nothing of one that is being added."""
    if deployment._state.adding:
        return {}
    name = request.GET.get("range", "")
    name = name if name in engine_page.RANGES else engine_page.DEFAULT
    expires = deployment.tls_expires_at
    return {
        "engine": engine_page.engine_now(deployment, name, now),
        "range": name,
        "ranges": {key: entry.label for key, entry in engine_page.RANGES.items()},
        "tls_warns": expires is not None and expires - now < TLS_WARNS,
    }


def windows(deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Maintenance of now and later, and what has been."""
    if deployment._state.adding:
        return {"planned": [], "past": []}
    return {
        "planned": queries.planned_windows(deployment, now),
        "past": queries.past_windows(deployment, now, WINDOWS_SHOWN),
    }


@post_view("providers.change_deployment")
def disable(request: HttpRequest, slug: str) -> HttpResponse:
    row = queries.deployment_or_404(slug)
    services.disable_deployment(deployment=row)
    log(request, row, _("Disabled."))
    undoable(request, _("%(name)s receives no requests now.") % {"name": row.name}, "providers:deployment-enable", slug)
    return redirect("providers:deployment", slug=slug)


@post_view("providers.change_deployment")
def enable(request: HttpRequest, slug: str) -> HttpResponse:
    row = queries.deployment_or_404(slug)
    services.enable_deployment(deployment=row, now=timezone.now())
    log(request, row, _("Enabled."))
    messages.success(request, _("%(name)s can receive requests again.") % {"name": row.name})
    return redirect("providers:deployment", slug=slug)


@get_view("alerts.view_alert")
def plan_maintenance(request: HttpRequest, slug: str) -> HttpResponse:
    """The form stands with the silences."""
    return redirect(f"{reverse('alerts:silences')}?deployment={slug}#add")


@post_view("providers.change_deployment")
def end_maintenance(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """End a window that is under way, or take back one that has not begun; what has been stays as it was."""
    row = queries.deployment_or_404(slug)
    window = queries.window_or_404(row, pk)
    services.end_maintenance(window=window, now=timezone.now())
    log(request, row, _("Maintenance ended: %(reason)s.") % {"reason": window.reason})
    messages.success(request, _("The window has ended."))
    return redirect("providers:deployment", slug=slug)
