"""Pages of costs."""

from __future__ import annotations

from django.urls import path

from costs.views import breakeven, decide, plan, plan_drafts, scenarios
from costs.views.charges import charge_add, charge_delete, charge_edit, charge_undo, charges
from costs.views.leases import lease
from costs.views.spend import spend

app_name = "costs"

urlpatterns = [
    path("spend/", spend, name="spend"),
    path("spend/charges/", charges, name="charges"),
    path("spend/charges/add/", charge_add, name="charge-add"),
    path("spend/charges/<int:pk>/", charge_edit, name="charge"),
    path("spend/charges/<int:pk>/delete/", charge_delete, name="charge-delete"),
    path("spend/charges/<int:pk>/undo/", charge_undo, name="charge-undo"),
    path("providers/leases/<int:pk>/", lease, name="lease"),
    path("plan/", plan.plan, name="plan"),
    path("plan/phases/add/", plan.edit_phase, name="add-phase"),
    path("plan/phases/<slug:slug>/", plan.edit_phase, name="phase"),
    path("plan/phases/<slug:slug>/start/", plan.start_phase, name="start-phase"),
    path("plan/phases/<slug:slug>/remove/", plan.remove_phase, name="remove-phase"),
    path("plan/stages/add/", plan.edit_stage, name="add-stage"),
    path("plan/stages/<slug:slug>/", plan.edit_stage, name="stage"),
    path("plan/stages/<slug:slug>/remove/", plan.remove_stage, name="remove-stage"),
    path("plan/budgets/add/", plan.edit_budget, name="add-budget"),
    path("plan/budgets/<slug:slug>/", plan.edit_budget, name="budget"),
    path("plan/budgets/<slug:slug>/remove/", plan.remove_budget, name="remove-budget"),
    path("plan/copy/", plan_drafts.copy_plan, name="copy-plan"),
    path("plan/research/", plan_drafts.research_plan, name="research-plan"),
    path("plan/undo/", plan.undo_change, name="undo-plan"),
    path("break-even/", breakeven.break_even, name="break-even"),
    path("break-even/break-even.json", breakeven.break_even_json, name="break-even-json"),
    path("break-even/scenarios/", scenarios.scenario_list, name="scenarios"),
    path("decide/", decide.decide, name="decide"),
    path("decide/no-go/", decide.forbid, name="forbid"),
    path("decide/no-go/withdraw/", decide.withdraw, name="withdraw-no-go"),
    path("decide/switches/", decide.justify, name="justify"),
    path("decide/switches/<slug:kind>/withdraw/", decide.withdraw_switch, name="withdraw-switch"),
    path("decide/sizing/", decide.size, name="sizing"),
]
