"""Which phase are we in, what is left, when does the money run out? And the forms that change the plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.allocation import committed
from costs.breakeven.measured_inputs import Traffic, live_inputs, measure
from costs.models import Budget, Phase, Stage
from costs.plan import budgets, budgets_page, steps, volume_page
from costs.plan import changes as plan_changes
from costs.plan import page as plan_page
from costs.plan import services as planning
from costs.plan.forecast_record import recorded_forecasts
from costs.plan.forms import BudgetForm, Named, PhaseForm, StageForm
from costs.plan.month import sides
from costs.plan.queries import Plan, hours_ahead
from costs.plan.queries import plan as plan_of
from costs.plan.verdict import shown_plan
from costs.price_sheets import sheets
from costs.research.switch import shows_reference
from lib.http import form_view, get_view, post_view, undoable

SPLIT_DAYS = timedelta(days=60)


@get_view("costs.view_phase")
def plan(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    today = now.astimezone(UTC).date()
    traffic = measure(now)
    plan_data = shown_plan(plan_of(now, traffic), today)
    forecasts = recorded_forecasts(min(plan_data.month.history, default=today))
    history = plan_changes.history()
    context = {
        "page": plan_page.PlanPage(plan_data, today),
        "plan": plan_data,
        "month": plan_data.month,
        "pace": plan_page.pace(plan_data.month, plan_data.status, now),
        "phases": plan_page.phase_rows(plan_data, today),
        "stages": plan_page.stages(plan_data.stages, today),
        "research": plan_page.research(sheets.load()),
        "record": plan_page.record(plan_data.month.history, forecasts),
        "sides": sides(plan_data.month),
        "commitments": committed.commitments(plan_data.committed, hours_ahead(now, plan_data.month.last)),
        "volume": volume_page.volume(plan_data.usage, [state.phase for state in plan_data.phases], today),
        "budgets": budgets_page.rows(budgets.budget_positions(now, beside=plan_data)),
        "history": history,
        "history_headline": plan_changes.headline(history),
        "may_change": request.user.has_perm("costs.change_phase"),
        "split": _split(now, traffic),
        "reach": _reach(now, plan_data, traffic, shows_reference(request)),
    }
    return render(request, "costs/plan/plan.html", context)


def _split(now: datetime, traffic: Traffic) -> volume_page.Split:
    today = now.astimezone(UTC).date()
    days = volume_page.shares_by_day(steps.days_by_side(today - SPLIT_DAYS, today))
    return volume_page.Split(traffic.own_requests, traffic.requests, volume_page.splits(traffic.groups), days)


def _reach(now: datetime, plan_data: Plan, traffic: Traffic, reference: bool) -> volume_page.BudgetReach | None:
    """How far the budget of the phase goes in which we are, or of the one that the volume belongs to."""
    phase = plan_data.current or plan_data.volume_phase
    if phase is None:
        return None
    sheet = sheets.load() if reference else None
    return volume_page.reach(phase, live_inputs(now, traffic), plan_data.run_rate, sheet)


@form_view("costs.change_phase")
def edit_phase(request: HttpRequest, slug: str | None = None) -> HttpResponse:
    """Change a phase, or add one."""
    phase = steps.phase(slug) if slug else None
    form = PhaseForm(request.POST or None, instance=phase)
    title = _("Change the phase “%(name)s”") % {"name": phase.name} if phase else _("Add a phase to the plan")
    return _edited(request, form, title, reverse("costs:remove-phase", args=[slug]) if slug else "")


@form_view("costs.change_phase")
def edit_stage(request: HttpRequest, slug: str | None = None) -> HttpResponse:
    """Change a stage, or add one."""
    stage = steps.stage(slug) if slug else None
    form = StageForm(request.POST or None, instance=stage)
    title = _("Change the stage “%(name)s”") % {"name": stage.name} if stage else _("Add a stage to the plan")
    return _edited(request, form, title, reverse("costs:remove-stage", args=[slug]) if slug else "")


@form_view("costs.change_phase")
def edit_budget(request: HttpRequest, slug: str | None = None) -> HttpResponse:
    """Change a budget, or add one."""
    budget = steps.budget(slug) if slug else None
    form = BudgetForm(request.POST or None, instance=budget, initial={} if budget else {"key": request.GET.get("for")})
    title = _("Change the budget “%(name)s”") % {"name": budget.name} if budget else _("Add a budget to the plan")
    return _edited(request, form, title, reverse("costs:remove-budget", args=[slug]) if slug else "")


@get_view("costs.view_phase")
def application_budgets(request: HttpRequest, slug: str) -> HttpResponse:
    """The part of an application's page that tells its budgets, and those of all that its owner has."""
    application = steps.application_with_owner(slug)
    now = timezone.now()
    running = steps.budgets_of(application, now)
    context = {
        "application": application,
        "budgets": budgets_page.rows(budgets.budget_positions(now, running)),
        "may_change": request.user.has_perm("costs.change_phase"),
    }
    return render(request, "costs/plan/_application_budgets.html", context)


def _edited(request: HttpRequest, form: Named, title: str, remove_url: str) -> HttpResponse:
    """The form, or back to the plan once it is saved; 422 with what is wrong."""
    if request.method == "POST" and form.is_valid():
        with plan_changes.step(request):
            planning.save_step(form)
        return done(request, _("Saved: %(name)s.") % {"name": form.instance.name})
    context = {"form": form, "title": title, "remove_url": remove_url}
    return render(request, "costs/plan/plan_form.html", context, status=422 if form.is_bound else 200)


@post_view("costs.change_phase")
def start_phase(request: HttpRequest, slug: str) -> HttpResponseRedirect:
    """Plan a phase from today on."""
    phase = steps.phase(slug)
    with plan_changes.step(request):
        planning.start_phase(phase=phase, day=timezone.now().astimezone(UTC).date())
    return done(request, _("The plan is now in %(name)s, from today on.") % {"name": phase.name})


@post_view("costs.change_phase")
def remove_phase(request: HttpRequest, slug: str) -> HttpResponseRedirect:
    return _removed(request, steps.phase(slug))


@post_view("costs.change_phase")
def remove_stage(request: HttpRequest, slug: str) -> HttpResponseRedirect:
    return _removed(request, steps.stage(slug))


@post_view("costs.change_phase")
def remove_budget(request: HttpRequest, slug: str) -> HttpResponseRedirect:
    return _removed(request, steps.budget(slug))


def _removed(request: HttpRequest, step: Phase | Stage | Budget) -> HttpResponseRedirect:
    with plan_changes.step(request):
        planning.remove_step(step)
    return done(request, _("Removed from the plan: %(name)s.") % {"name": step.name})


@post_view("costs.change_phase")
def undo_change(request: HttpRequest) -> HttpResponseRedirect:
    """Take back this person's last change of the plan, unless someone has changed it since."""
    if plan_changes.undo(request):
        budgets.update_budget_states(timezone.now())
        messages.success(request, _("Change undone."))
    else:
        messages.warning(request, _("The plan was changed since, so this step can no longer be undone here."))
    return redirect("costs:plan")


def done(request: HttpRequest, message: str) -> HttpResponseRedirect:
    """Back to the plan, which says what was done and offers the way back."""
    budgets.update_budget_states(timezone.now())
    undoable(request, message, "costs:undo-plan")
    return redirect("costs:plan")
