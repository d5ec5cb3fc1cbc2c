"""What is watched, with which numbers, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.delivery.recipients import Recipients
from alerts.evaluation.services import policy_of
from alerts.inbox import reports
from alerts.inbox.forms import RuleForm
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold
from alerts.metrics.watch import Watch
from alerts.models import Channel, Delivery, Rule
from alerts.rules import services as rule_changes
from alerts.rules.preview import Preview, preview
from alerts.rules.sentence_form import RuleSentence
from alerts.rules.sentences import sentence
from providers.audit.log import log, log_form

A_PAGE = 50  # of the rules that people made


@dataclass(frozen=True, slots=True)
class Row:
    """A rule as the list shows it: in words, and the addresses that it tells."""

    rule: Rule
    sentence: str
    told: list[str]
    trouble: Delivery | None = None


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """Every shipped rule, and a page of those that people made."""
    recipients, troubles = Recipients(), reports.troubles(timezone.now())
    known = Rule.objects.listed().filter(kind__in=KINDS).prefetch_related("recipients")
    asked = request.GET.get("q", "").strip()
    page = made_page(known.filter(kind="figure"), asked, request.GET.get("page", ""))
    rows = [row_of(rule, recipients, troubles.get(rule.pk)) for rule in known.exclude(kind="figure")]
    made = [row_of(rule, recipients, troubles.get(rule.pk)) for rule in page]
    counted = Rule.objects.not_deleted().filter(kind__in=KINDS)
    context = {
        "rows": rows,
        "made": made,
        "made_page": page,
        "asked": asked,
        "all": counted.count(),
        "on": counted.filter(enabled=True).count(),
        "broken": counted.filter(enabled=True).exclude(last_error="").count(),
        "untold": [row for row in [*made, *rows] if row.rule.enabled and not row.told and not row.rule.channels.all()],
        "may_edit": request.user.has_perm("alerts.change_rule"),
    }
    return render(request, "alerts/rules/rules.html", context)


def made_page(made: Any, asked: str, number: str) -> Page[Rule]:
    """Those whose name or scope holds a word, newest first."""
    if asked:
        made = made.filter(Q(name__icontains=asked) | Q(slug__icontains=asked) | Q(thresholds__icontains=asked))
    return Paginator(made.order_by("-id"), A_PAGE).get_page(number)


def row_of(rule: Rule, recipients: Recipients, trouble: Delivery | None) -> Row:
    return Row(rule, sentence(rule), recipients.of_rule(rule, KINDS[rule.kind].groups), trouble)


@login_required
@permission_required("alerts.change_rule", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def rule_new(request: HttpRequest) -> HttpResponse:
    """A rule by sentence; `?from=SLUG` begins as a copy of another."""
    sent = request.POST if request.method == "POST" else None
    source = Rule.objects.not_deleted().filter(slug=request.GET.get("from", ""), kind="figure").first()
    form = RuleSentence(sent, model_of=source, given=filled_in(request, "model"))
    return _sentence(request, form, None)


@login_required
@permission_required("alerts.view_alert", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, slug: str) -> HttpResponse:
    """One rule; whoever may change rules gets the form, the others its sentence."""
    found = get_object_or_404(Rule.objects.not_deleted(), slug=slug, kind__in=KINDS)
    may_edit = request.user.has_perm("alerts.change_rule")
    if request.method == "POST" and not may_edit:
        return render(request, "403.html", status=403)
    sent = request.POST if request.method == "POST" else None
    if found.kind == "figure":
        given = filled_in(request, "line", "model")
        return _sentence(request, RuleSentence(sent, rule=found, given=given) if may_edit else None, found)
    wait = request.GET.get("for_s", "")  # filled in by the noise report
    patience = {"for_s": int(wait)} if wait.isdecimal() and len(wait) < 7 else {}
    form = RuleForm(sent, instance=found, initial=patience) if may_edit else None
    if form and sent is not None and form.is_valid():
        form.save()
        log_form(request, found, form)
        messages.success(request, _("Saved; it holds from the next evaluation on, within 15 seconds."))
        return redirect("alerts:rules")
    context = {**_of_rule(found), "form": form}
    return render(request, "alerts/rules/rule.html", context, status=422 if form and form.errors else 200)


def _of_rule(found: Rule) -> dict[str, Any]:
    return {
        "rule": found,
        "sentence": sentence(found),
        "told": Recipients().of_rule(found, KINDS[found.kind].groups),
        "channels": list(Channel.objects.not_deleted().filter(rules=found)),
        "trouble": reports.troubles(timezone.now()).get(found.pk),
        "alerts": list(found.alerts.order_by("-id")[:20]),
    }


def filled_in(request: HttpRequest, *names: str) -> dict[str, str]:
    """Fields of the form that the address fills in."""
    return {name: request.GET[name].replace("\x00", "") for name in names if name in request.GET}


def _sentence(request: HttpRequest, form: RuleSentence | None, found: Rule | None) -> HttpResponse:
    """The page of a rule by sentence: the form, its preview, and on `save` the rule itself."""
    sent = form is not None and form.is_bound and form.is_valid()
    if form and sent and "preview" not in request.POST:
        saved = form.save()
        log_form(request, saved, form, added=found is None)
        messages.success(request, _("Saved; it holds from the next evaluation on, within 15 seconds."))
        return redirect("alerts:rule", slug=saved.slug)
    seen: Preview | None = None
    if form and sent and form.watch:
        seen = preview(form.watch, form.policy, timezone.now())
    elif found and not (form and form.is_bound) and "preview" in request.GET:
        seen = preview_of(found)
    context = {"form": form, "seen": seen, **(_of_rule(found) if found else {})}
    return render(request, "alerts/rules/rule_sentence.html", context, status=422 if form and form.errors else 200)


def preview_of(found: Rule) -> Preview | None:
    """What a saved rule would have done; None where it watches nothing any more, which the page says already."""
    try:
        return preview(Watch.of(found.thresholds), policy_of(found), timezone.now())
    except BadThreshold:
        return None


@login_required
@permission_required("alerts.change_rule", raise_exception=True)
@require_POST
def rule_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """Off where it is on, and on where it is off."""
    found = get_object_or_404(Rule.objects.not_deleted(), slug=slug, kind__in=KINDS)
    rule_changes.switch(rule=found, on=not found.enabled)
    said = _("Switched on: %(name)s.") if found.enabled else _("Switched off: %(name)s.")
    log(request, found, said % {"name": found.name})
    messages.success(request, said % {"name": found.name}, extra_tags=_undo("alerts:rule-switch", found))
    return redirect("alerts:rules")


@login_required
@permission_required("alerts.change_rule", raise_exception=True)
@require_POST
def rule_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """A rule that somebody made; shipped ones are only switched off."""
    found = get_object_or_404(Rule.objects.not_deleted(), slug=slug, kind="figure")
    rule_changes.delete(rule=found)
    said = _("Deleted: %(name)s.") % {"name": found.name}
    log(request, found, said)
    messages.success(request, said, extra_tags=_undo("alerts:rule-restore", found))
    return redirect("alerts:rules")


@login_required
@permission_required("alerts.change_rule", raise_exception=True)
@require_POST
def rule_restore(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a deletion back; of a rule that is there nothing changes."""
    found = Rule.objects.filter(slug=slug, kind="figure").first()
    if found is None:
        raise Http404
    if found.deleted_at is not None:
        rule_changes.restore(rule=found)
        said = _("Back again: %(name)s.") % {"name": found.name}
        log(request, found, said)
        messages.success(request, said)
    return redirect("alerts:rules")


def _undo(name: str, found: Rule) -> str:
    return f"undo:{reverse(name, args=[found.slug])}"
