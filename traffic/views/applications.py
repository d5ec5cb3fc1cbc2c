"""Settings: the programs that send requests."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from providers.audit_log import log_form
from traffic.forms import ApplicationForm
from traffic.keys import callers
from traffic.models import Application, UsageDay
from traffic.services import forget

DAYS = 30


@login_required
@permission_required("traffic.view_application", raise_exception=True)
@require_safe
def application_list(request: HttpRequest) -> HttpResponse:
    applications = list(
        Application.objects.select_related("owner").annotate(
            people=Count("members", distinct=True), live_keys=Count("keys", Q(keys__revoked_at=None), distinct=True)
        )
    )
    first = timezone.now().date() - timedelta(days=DAYS - 1)
    used = dict(
        UsageDay.objects.filter(day__gte=first, application_id__gt=0)
        .values_list("application_id")
        .annotate(n=Sum("requests"))
    )
    rows = [{"it": application, "requests": used.get(application.pk, 0)} for application in applications]
    context = {
        "rows": rows,
        "sending": sum(1 for row in rows if row["requests"]),
        "requests": sum(used.values()),
        "capturing": sum(application.capture_bodies for application in applications),
        "days": DAYS,
    }
    return render(request, "traffic/applications.html", context)


@login_required
@permission_required("traffic.add_application", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def application_add(request: HttpRequest) -> HttpResponse:
    form = ApplicationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        application = form.save()
        log_form(request, form.instance, form, added=True)
        forget()
        messages.success(request, _("%(name)s is there; it needs a key to send requests.") % {"name": application.name})
        return redirect("traffic:application", application.slug)
    return render(request, "traffic/application_add.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@permission_required("traffic.view_application", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def application_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """One application: shown to whoever may see it, changed by who may change it."""
    application = get_object_or_404(Application.objects.select_related("owner"), slug=slug)
    may_change = request.user.has_perm("traffic.change_application")
    if request.method == "POST" and not may_change:
        return render(request, "403.html", status=403)
    form = ApplicationForm(request.POST if request.method == "POST" else None, instance=application)
    if request.method == "POST" and form.is_valid():
        form.save()
        log_form(request, form.instance, form)
        forget()
        callers.clear()
        messages.success(request, _("Saved."))
        return redirect("traffic:application", slug)
    keys = application.keys.all() if request.user.has_perm("traffic.view_key") else None
    context = {"it": application, "form": form, "may_change": may_change, "keys": keys, "now": timezone.now()}
    return render(request, "traffic/application.html", context, status=422 if form.errors else 200)
