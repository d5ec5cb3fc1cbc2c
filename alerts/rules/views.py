"""What is watched, with which numbers, and who is told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.delivery.queries import failing_recipients, troubles
from alerts.delivery.recipients import Recipients
from alerts.evaluation.services import policy_of
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold
from alerts.kinds.sentences import sentence
from alerts.mail.server import has_mail_server, mail_problem
from alerts.metrics.scopes import Names
from alerts.metrics.watch import Watch
from alerts.models import Delivery, Rule
from alerts.rules import queries, services
from alerts.rules.forms import RuleForm
from alerts.rules.page import RulePage, RuleRow, RulesPage
from alerts.rules.preview import Preview, preview
from alerts.rules.sentence_form import RuleSentence
from alerts.rules.tryout import Tryout, tryout
from lib.http import form_view, get_view, post_view, undoable
from providers.audit.log import log, log_form


@get_view("alerts.view_alert")
def rules(request: HttpRequest) -> HttpResponse:
    """Every shipped rule, and a page of those that people made."""
    now = timezone.now()
    recipients, names, unreached = Recipients(), Names(), failing_recipients(now)
    failing = troubles(now, unreached)
    search = request.GET.get("q", "").strip()
    page = queries.made_rules(search, request.GET.get("page", ""))
    rows = [row_of(rule, names, recipients, failing.get(rule.pk), unreached) for rule in queries.shipped_rules()]
    made = [row_of(rule, names, recipients, failing.get(rule.pk), unreached) for rule in page]
    context = {
        "page": RulesPage(queries.rule_counts(), [*made, *rows], page.paginator.count, search),
        "rows": rows,
        "made": made,
        "made_page": page,
        "asked": search,
        "mail_problem": mail_problem(),
        "may_edit": request.user.has_perm("alerts.change_rule"),
    }
    return render(request, "alerts/rules/rules.html", context)


def row_of(
    rule: Rule, names: Names, recipients: Recipients, trouble: Delivery | None, failing: Collection[str]
) -> RuleRow:
    addresses = recipients.of_rule(rule, KINDS[rule.kind].groups)
    return RuleRow(rule, sentence(rule, names), addresses, trouble, failing, has_mail_server())


@form_view("alerts.change_rule")
def rule_new(request: HttpRequest) -> HttpResponse:
    """A rule by sentence; `?from=SLUG` begins as a copy of another."""
    sent = request.POST if request.method == "POST" else None
    source = queries.made_rule_to_copy(request.GET.get("from", ""))
    form = RuleSentence(sent, model_of=source, prefilled=filled_in(request, "model"))
    return _sentence(request, form, None)


@form_view("alerts.view_alert")
def rule(request: HttpRequest, slug: str) -> HttpResponse:
    """One rule; whoever may change rules gets the form, the others its sentence."""
    row = queries.rule_by_slug(slug)
    may_edit = request.user.has_perm("alerts.change_rule")
    if request.method == "POST" and not may_edit:
        return render(request, "403.html", status=403)
    sent = request.POST if request.method == "POST" else None
    if row.kind == "figure":
        prefilled = filled_in(request, "line", "model")
        return _sentence(request, RuleSentence(sent, rule=row, prefilled=prefilled) if may_edit else None, row)
    wait = request.GET.get("for_s", "")  # filled in by the noise report
    patience = {"for_s": int(wait)} if wait.isdecimal() and len(wait) < 7 else {}
    form = RuleForm(sent, instance=row, initial=patience) if may_edit else None
    if form and "sentence" in request.POST:
        return render(request, "alerts/rules/_sentence.html", {"form": form})
    now, delay_s, seen = timezone.now(), row.for_s, None
    if form and "preview" in request.POST and form.is_valid():
        seen = tryout(row, form.thresholds, now, delay_s)
    elif form and sent is not None and form.is_valid():
        services.save(form=form)
        log_form(request, row, form)
        messages.success(request, _("Saved. It applies within 15 seconds."))
        return redirect("alerts:rules")
    elif "preview" in request.GET:
        defaults = {name: threshold.default for name, threshold in KINDS[row.kind].thresholds.items()}
        seen = tryout(row, defaults | row.thresholds, now, delay_s)
    context = {**_of_rule(row, bool(form), seen), "form": form, "seen": seen}
    return render(request, "alerts/rules/rule.html", context, status=422 if form and form.errors else 200)


def _of_rule(row: Rule, may_edit: bool, seen: Preview | Tryout | None = None) -> dict[str, Any]:
    now = timezone.now()
    addresses, channels = Recipients().of_rule(row, KINDS[row.kind].groups), queries.channels_of(row)
    return {
        "page": RulePage(row, addresses, channels, may_edit, seen),
        "rule": row,
        "channels": channels,
        "trouble": troubles(now, failing_recipients(now)).get(row.pk),
        "alerts": queries.newest_alerts(row),
    }


def filled_in(request: HttpRequest, *names: str) -> dict[str, str]:
    """Fields of the form that the address fills in."""
    return {name: request.GET[name].replace("\x00", "") for name in names if name in request.GET}


def _sentence(request: HttpRequest, form: RuleSentence | None, row: Rule | None) -> HttpResponse:
    """The page of a rule by sentence: the form, its preview, and on `save` the rule itself."""
    if form and "sentence" in request.POST:
        return render(request, "alerts/rules/_sentence.html", {"form": form})
    sent = form is not None and form.is_bound and form.is_valid()
    if form and sent and "preview" not in request.POST:
        saved = services.save_sentence(form=form)
        log_form(request, saved, form, added=row is None)
        messages.success(request, _("Saved. It applies within 15 seconds."))
        return redirect("alerts:rule", slug=saved.slug)
    seen: Preview | None = None
    if form and sent and form.watch:
        seen = preview(form.watch, form.policy, timezone.now())
    elif row and not (form and form.is_bound) and "preview" in request.GET:
        seen = preview_of(row)
    about = _of_rule(row, bool(form), seen) if row else {"page": RulePage(None, (), (), bool(form), seen)}
    context = {"form": form, "seen": seen, **about}
    return render(request, "alerts/rules/rule_sentence.html", context, status=422 if form and form.errors else 200)


def preview_of(row: Rule) -> Preview | None:
    """What a saved rule would have done; None where it watches nothing any more, which the page says already."""
    try:
        return preview(Watch.of(row.thresholds), policy_of(row), timezone.now())
    except BadThreshold:
        return None


@post_view("alerts.change_rule")
def rule_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """Off where it is on, and on where it is off."""
    row = queries.rule_by_slug(slug)
    services.switch(rule=row, on=not row.enabled)
    text = _("Enabled: %(name)s.") if row.enabled else _("Disabled: %(name)s.")
    log(request, row, text % {"name": row.name})
    undoable(request, text % {"name": row.name}, "alerts:rule-switch", row.slug)
    return redirect("alerts:rules")


@post_view("alerts.change_rule")
def rule_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """A rule that somebody made; shipped ones are only switched off."""
    row = queries.made_rule_by_slug(slug)
    services.delete(rule=row)
    text = _("Deleted: %(name)s.") % {"name": row.name}
    log(request, row, text)
    undoable(request, text, "alerts:rule-restore", row.slug)
    return redirect("alerts:rules")


@post_view("alerts.change_rule")
def rule_restore(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a deletion back; of a rule that is there nothing changes."""
    row = queries.any_made_rule_by_slug(slug)
    if row.deleted_at is not None:
        services.restore(rule=row)
        text = _("Restored: %(name)s.") % {"name": row.name}
        log(request, row, text)
        messages.success(request, text)
    return redirect("alerts:rules")
