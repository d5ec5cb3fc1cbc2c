"""What is watched, with which numbers, and who is told."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from alerts.forms import RuleForm
from alerts.kinds import KINDS
from alerts.models import Rule
from alerts.recipients import Directory
from alerts.sentences import sentence


@dataclass(frozen=True, slots=True)
class Row:
    """A rule as the list shows it: in words, and the addresses that it tells."""

    rule: Rule
    sentence: str
    told: list[str]


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    directory = Directory()
    rows = [
        Row(rule, sentence(rule), directory.of_rule(rule, KINDS[rule.kind].groups))
        for rule in Rule.objects.listed()
        if rule.kind in KINDS
    ]
    context = {
        "rows": rows,
        "on": sum(row.rule.enabled for row in rows),
        "broken": [row for row in rows if row.rule.last_error],
        "untold": [row for row in rows if row.rule.enabled and not row.told],
        "may_edit": request.user.has_perm("alerts.change_rule"),
    }
    return render(request, "alerts/rules.html", context)


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, slug: str) -> HttpResponse:
    """One rule; whoever may change rules gets the form, the others its sentence."""
    found = get_object_or_404(Rule, slug=slug, kind__in=KINDS)
    may_edit = request.user.has_perm("alerts.change_rule")
    if request.method == "POST" and not may_edit:
        return render(request, "403.html", status=403)
    form = RuleForm(request.POST if request.method == "POST" else None, instance=found) if may_edit else None
    if form and request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved; it holds from the next evaluation on, within 15 seconds."))
        return redirect("alerts:rules")
    context = {
        "rule": found,
        "sentence": sentence(found),
        "form": form,
        "told": Directory().of_rule(found, KINDS[found.kind].groups),
        "alerts": list(found.alerts.order_by("-id")[:20]),
    }
    return render(request, "alerts/rule.html", context, status=422 if form and form.errors else 200)
