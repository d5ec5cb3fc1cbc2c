"""What nobody is mailed about for a while: silences, to see, to add, to end early."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.evaluation import services
from alerts.inbox import queries
from alerts.inbox.acting_views import went_back
from alerts.inbox.forms import MatcherForm
from alerts.inbox.page import Coverage, SilencesPage
from alerts.inbox.patterns import name_patterns, pattern_of
from lib.http import asks_for_part, form_view, post_view
from providers.audit.log import log
from providers.deployments.services import plan_maintenance
from providers.models import Deployment, Maintenance
from providers.uptime.queries import planned_maintenance

PREFILLED = ("deployment", "kind", "subject", "severity", "labels", "reason")


@form_view("alerts.view_alert")
def silences(request: HttpRequest) -> HttpResponse:
    """In force, planned and over; the form may be filled by the address, as an alert's page does."""
    now = timezone.now()
    may_silence = request.user.has_perm("alerts.add_silence")
    if request.method == "POST" and not may_silence:
        return render(request, "403.html", status=403)
    prefilled = {name: request.GET[name] for name in PREFILLED if name in request.GET}
    may_plan = request.user.has_perm("providers.change_deployment")
    sent = request.POST if request.method == "POST" else None
    form = MatcherForm(sent, initial=prefilled, may_plan=may_plan)
    coverage: Coverage | None = None
    if request.method == "POST" and "preview" in request.POST:
        coverage = coverage_of(form, now)
        if asks_for_part(request):
            return render(request, "alerts/inbox/_covers.html", {"coverage": coverage})
        form = MatcherForm(initial=request.POST.dict(), may_plan=may_plan)
    if form.is_bound and form.is_valid():
        if form.deployment_chosen:
            return plan(request, form, form.deployment_chosen)
        data = form.cleaned_data
        later = data["starts_at"] or data["repeats"]
        made = services.silence(
            matcher=form.matcher,
            starts_at=data["span"].start if later else None,
            until=data["span"].end,
            repeats=data["repeats"],
            zone=data["zone"],
            repeats_until=data["last"],
            reason=data["reason"],
            by=request.user,  # type: ignore[arg-type]  # logged in
        )
        text = _("Silenced: %(what)s.") % {"what": pattern_of(made)}
        log(request, made, text, added=True)
        messages.success(request, text)
        return redirect("alerts:silences")
    page = SilencesPage(queries.silences_in_force_with_counts(now), queries.planned_silences(now))
    over = queries.past_silences(now)
    name_patterns([*(row for row, _count in page.in_force), *(row for row, _span in page.planned), *over])
    context = {
        "page": page,
        "planned": planned_maintenance(now),
        "over": over,
        "form": form if may_silence else None,
        "coverage": coverage,
    }
    return render(request, "alerts/inbox/silences.html", context, status=422 if form.errors else 200)


def plan(request: HttpRequest, form: MatcherForm, deployment: Deployment) -> HttpResponse:
    """Store planned maintenance in the place of a silence."""
    data = form.cleaned_data
    window = Maintenance(
        deployment=deployment,
        starts_at=data["span"].start,
        ends_at=data["span"].end,
        zone=data["zone"],
        repeats=data["repeats"],
        repeats_until=data["last"],
        reason=data["reason"],
    )
    plan_maintenance(window=window)
    log(request, deployment, _("Maintenance planned: %(reason)s.") % {"reason": window.reason})
    messages.success(request, _("Maintenance planned. Failures in it do not count as downtime."))
    return redirect("alerts:silences")


def coverage_of(form: MatcherForm, now: datetime) -> Coverage:
    """What a sent form would silence, or what is missing for that."""
    if form.matcher_errors:
        return Coverage(problems=form.matcher_errors)
    return Coverage(*queries.covered_by(form.matcher, now), ends=form.ends)


@post_view("alerts.add_silence")
def end_silence(request: HttpRequest, pk: int) -> HttpResponse:
    """End a silence now."""
    row = queries.silence_by_key(pk)
    services.end_silence(silence_id=row.pk)
    log(request, row, _("Ended: the silence of %(what)s.") % {"what": pattern_of(row)})
    messages.success(request, _("The silence has ended. Recipients of open alerts are notified now."))
    return went_back(request, "silences")
