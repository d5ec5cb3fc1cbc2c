"""A copy of a period's plan, and the research's plan: looked at first, then added in one step with a way back."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from costs.plan import changes as plan_changes
from costs.plan import drafts as plan_drafts
from costs.plan import page as plan_page
from costs.plan.drafts import Draft, Period
from costs.plan.forms import day_input
from costs.plan.views import done
from costs.price_sheets import sheets
from lib.http import form_view


class PeriodField(forms.CharField):
    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return Period.of(text) if text else None


class CopyForm(forms.Form):
    """From which period to which."""

    source = PeriodField(
        label=gettext_lazy("From"), help_text=gettext_lazy("A year like 2026 or a month like 2026-09.")
    )
    target = PeriodField(label=gettext_lazy("To"), help_text=gettext_lazy("Another one of the same length."))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        source, target = data.get("source"), data.get("target")
        if source and target:
            if source.months != target.months:
                self.add_error("target", _("Copy a year to a year or a month to a month."))
            elif source == target:
                self.add_error("target", _("This is the source period. Choose another one."))
        return data

    def drafts(self) -> list[Draft]:
        return plan_drafts.copies(self.cleaned_data["source"], self.cleaned_data["target"])


class ResearchForm(forms.Form):
    """From which day on."""

    starts_on = forms.DateField(label=gettext_lazy("Starts on"), widget=day_input())

    def drafts(self) -> list[Draft]:
        return plan_drafts.research_plan(sheets.load(), self.cleaned_data["starts_on"])


@form_view("costs.change_phase")
def copy_plan(request: HttpRequest) -> HttpResponse:
    return _drafted(request, CopyForm(_given(request, "source")), {"title": _("Copy a plan")})


@form_view("costs.change_phase")
def research_plan(request: HttpRequest) -> HttpResponse:
    today = timezone.now().astimezone(UTC).date()
    form = ResearchForm(_given(request, "starts_on") or {"starts_on": plan_drafts.moved(today.replace(day=1), 1)})
    words = {"title": _("Example plan of six months"), "research": plan_page.research(sheets.load())}
    return _drafted(request, form, words)


def _given(request: HttpRequest, name: str) -> Any:
    """What was asked for, by either method; None while nothing was."""
    params = request.POST if request.method == "POST" else request.GET
    return params if name in params else None


def _drafted(request: HttpRequest, form: CopyForm | ResearchForm, words: dict[str, Any]) -> HttpResponse:
    """The preview, or the plan once it was added; 422 with what is wrong."""
    drafts = form.drafts() if form.is_valid() else None
    fits = [draft for draft in drafts or () if not draft.problem]
    if request.method == "POST" and fits:
        with plan_changes.step(request):
            added = plan_drafts.apply(fits)
        message = ngettext("Added %(n)s step to the plan.", "Added %(n)s steps to the plan.", added) % {"n": added}
        return done(request, message)
    refused = form.is_bound and (not form.is_valid() or (request.method == "POST" and not fits))
    context = {"form": form, "drafts": drafts, "fits": len(fits), "answer": plan_drafts.answer(drafts), **words}
    return render(request, "costs/plan/plan_drafts.html", context, status=422 if refused else 200)
