"""Go or no-go: the four criteria with their evidence, what people decided, sizing and recipes."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.people import person
from costs.price_sheets import sheets
from costs.readiness import queries, scorecard
from costs.readiness import services as decisions
from costs.readiness.evidence import Thresholds
from costs.readiness.forms import PRECISIONS, EffortForm, LimitsForm, ReasonForm, SignForm, SizingForm, SwitchForm
from costs.readiness.inputs import read_report
from costs.readiness.page import DecidePage, signed_headline
from costs.readiness.sizing_page import SizingPage, matrix, purpose
from costs.research.offers import cheapest_offers
from costs.sizing import memory as sizing
from costs.sizing import offers as sizing_offers
from costs.sizing import recipes
from costs.sizing.recipe_words import RecipeSetup
from lib.http import get_view, post_view
from providers.audit.log import log


@get_view("costs.view_charge")
def decide(request: HttpRequest) -> HttpResponse:
    return show(request)


def show(request: HttpRequest, status: int = 200, **forms: Any) -> HttpResponse:
    """The page, with forms that were not saved in the place of empty ones."""
    now = timezone.now()
    report = read_report(now)
    card = scorecard.judge(report.evidence)
    records = queries.signed_decisions()
    context = {
        "page": DecidePage(report, card, now),
        "card": card,
        "report": report,
        "evidence": report.evidence,
        "pass_label": _("70 % to pass"),
        "standing": report.no_go,
        "past": queries.past_decisions(),
        "no_go_form": ReasonForm(),
        "switch_form": SwitchForm(),
        "sign_form": SignForm(verdict=card.verdict),
        "effort_form": EffortForm(today=now.astimezone(UTC).date()),
        "limits_form": LimitsForm(initial={name: most for name, _value, most in card.ops_workload.rows}),
        "efforts": queries.recent_efforts(now) if card.ops_workload.hours else (),
        "records": records,
        "signed_headline": signed_headline(records),
        "may_decide": request.user.has_perm("costs.decide"),
        "thresholds": Thresholds(),
        **forms,
    }
    return render(request, "costs/readiness/decide.html", context, status=status)


@post_view("costs.decide")
def forbid(request: HttpRequest) -> HttpResponse:
    """A person's tick: operations are too complex, whatever the figures say."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return show(request, 422, no_go_form=form)
    no_go = decisions.forbid(reason=form.cleaned_data["reason"], by=person(request))
    log(request, no_go, no_go.reason, added=True)
    messages.success(request, _("The no-go stands until it is withdrawn."))
    return redirect("costs:decide")


@post_view("costs.decide")
def withdraw(request: HttpRequest) -> HttpResponseRedirect:
    standing = queries.standing_no_go()
    if standing and decisions.withdraw_no_go():
        log(request, standing, "Withdrawn.")
        messages.success(request, _("The veto is withdrawn. The figures decide again."))
    return redirect("costs:decide")


@post_view("costs.decide")
def justify(request: HttpRequest) -> HttpResponse:
    """A switch that sets the money aside."""
    form = SwitchForm(request.POST)
    if not form.is_valid():
        return show(request, 422, switch_form=form)
    switch = decisions.justify(**form.cleaned_data, by=person(request))
    log(request, switch, switch.reason, added=True)
    messages.success(request, _("The saving and the volume do not count until this is withdrawn."))
    return redirect("costs:decide")


@post_view("costs.decide")
def withdraw_switch(request: HttpRequest, kind: str) -> HttpResponseRedirect:
    standing = queries.standing_switch(kind)
    if standing and decisions.withdraw_justification(kind=kind):
        log(request, standing, "Withdrawn.")
        messages.success(request, _("Withdrawn. The saving counts again."))
    return redirect("costs:decide")


# --- sizing and recipes --------------------------------------------------------------------------------------------


@get_view("costs.view_charge")
def size(request: HttpRequest) -> HttpResponse:
    """How much memory a model needs, which GPUs hold it, and the commands that start it."""
    sheet = sheets.load()
    today = cheapest_offers()
    form = SizingForm(request.GET, sheet)
    params = form.asked
    model = sheet.model(params["model"])
    fits = sizing.fits(
        sheet, model, params["precision"], context_tokens=params["context"], concurrent=params["concurrent"]
    )
    need = sizing.memory(model, params["precision"], context_tokens=params["context"], concurrency=params["concurrent"])
    gpus = min((fit.count for fit in fits), default=1)
    offers = sizing_offers.rentable(
        model, params["precision"], need, context_tokens=params["context"], now=timezone.now()
    )
    wanted = RecipeSetup(
        model.slug, params["precision"], params["context"], params["concurrent"], gpus, params["checkpoint"], need
    )
    precision = str(dict(PRECISIONS)[params["precision"]])
    context = {
        "form": form,
        "asked": params,
        "page": SizingPage(
            model, precision, need, params["context"], params["concurrent"], fits, today.whole, today.seen_at, offers
        ),
        "model": model,
        "need": need,
        "matrix": matrix(sheet),
        "quantisations": sheet.quantisations,
        "purposes": sheet.engine_purposes,
        "provider_purposes": [purpose(row, sheet) for row in sheet.provider_purposes],
        "recipes": recipes.recipes(wanted),
        "checked": recipes.CHECKED,
    }
    return render(request, "costs/readiness/sizing.html", context, status=200 if form.is_valid() else 422)
