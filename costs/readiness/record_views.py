"""Signed decisions and the burden of operations: what the Decide page sends, and the record that is printed."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.people import person
from costs.readiness import ops_workload, queries, records, scorecard
from costs.readiness.forms import EffortForm, LimitsForm, SignForm
from costs.readiness.inputs import read_report
from costs.readiness.page import (
    WORKLOAD_LABELS,
    RecordedCriterion,
    RecordedMoney,
    record_answer,
    recorded_go,
    seal_headline,
)
from costs.readiness.views import show
from lib.http import get_view, post_view
from providers.audit.log import log
from traffic.models import Task


@post_view("costs.decide")
def sign(request: HttpRequest) -> HttpResponse:
    """Freeze the figures of this moment under a person's name."""
    report = read_report(timezone.now())
    card = scorecard.judge(report.evidence)
    form = SignForm(request.POST, verdict=card.verdict)
    if not form.is_valid():
        return show(request, 422, sign_form=form)
    record = records.sign(
        choice=form.cleaned_data["choice"],
        statement=form.cleaned_data["statement"],
        figures=records.frozen(report, card),
        by=person(request),
    )
    log(request, record, record.statement, added=True, changes={queries.DIGEST: [None, record.digest]})
    messages.success(request, _("Signed. A later decision can supersede it, nothing can change it."))
    return redirect("costs:decision", number=record.number)


@get_view("costs.view_charge")
def decision(request: HttpRequest, number: int) -> HttpResponse:
    """One record as it was signed; nothing on it is worked out anew but whether it is intact."""
    record = queries.decision(number)
    figures = json.loads(record.figures)
    intact = not records.changed([record])
    later = queries.decision_after(number)
    context = {
        "record": record,
        "figures": figures,
        "card": figures["scorecard"],
        "go": recorded_go(figures["scorecard"], number),
        "money": RecordedMoney(figures["break_even"], number),
        "answer": record_answer(record, later),
        "criteria": [RecordedCriterion(row, number) for row in figures["scorecard"]["criteria"]],
        "burden": [(WORKLOAD_LABELS[name], row) for name, row in figures["scorecard"]["burden"].items()],
        "tasks": [(str(dict(Task.choices).get(row["task"], row["task"])), row) for row in figures["tasks"]],
        "later": later,
        "earlier": number > 1,
        "intact": intact,
        "seal_headline": seal_headline(intact),
        "agrees": record.choice == figures["scorecard"]["verdict"],
    }
    return render(request, "costs/readiness/decision.html", context)


@post_view("costs.decide")
def enter_effort(request: HttpRequest) -> HttpResponse:
    form = EffortForm(request.POST, today=timezone.now().astimezone(UTC).date())
    if not form.is_valid():
        return show(request, 422, effort_form=form)
    data: dict[str, Any] = form.cleaned_data
    effort = ops_workload.enter_hours(day=data["day"], hours=data["hours"], what=data["what"], by=person(request))
    log(request, effort, effort.what, added=True)
    messages.success(request, _("Saved. The hours count for 30 days."))
    return _to_ops_workload()


@post_view("costs.decide")
def withdraw_effort(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    effort = queries.effort(pk)
    if ops_workload.withdraw_hours(effort):
        log(request, effort, "Withdrawn.")
        messages.success(request, _("Withdrawn. These hours no longer count."))
    return _to_ops_workload()


@post_view("costs.decide")
def set_limits(request: HttpRequest) -> HttpResponse:
    form = LimitsForm(request.POST)
    if not form.is_valid():
        return show(request, 422, limits_form=form)
    limits = ops_workload.set_limits(**form.cleaned_data, by=person(request))
    log(request, limits, str(limits), added=True)
    messages.success(request, _("Saved. A value above its limit now leads to no-go."))
    return _to_ops_workload()


def _to_ops_workload() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("costs:decide") + "#burden")
