"""Pages of costs."""

from __future__ import annotations

from django.urls import path

from costs.account_removal import views as account_removal
from costs.anomalies.views import anomalies, anomaly_dismiss, anomaly_restore
from costs.bill_imports.views import bill, bill_enter, bill_list, bill_undo
from costs.breakeven import task_model_views, what_if_views
from costs.charges.rate_views import rates
from costs.charges.recurrence_views import (
    recurrence_edit,
    recurrence_resume,
    recurrence_stop,
    recurrence_undo,
    recurrences,
)
from costs.charges.views import charge_add, charge_correct, charge_delete, charge_edit, charge_undo, charges, receipt
from costs.focus.views import export, export_add, export_delete, export_run, export_switch, export_undo, exports
from costs.ledger.sharing_views import sharing
from costs.ledger.views import ledger
from costs.plan import draft_views
from costs.plan import views as plan
from costs.readiness import breakeven_views as breakeven
from costs.readiness import record_views
from costs.readiness import views as decide
from costs.reconciliation.views import (
    reconciliation,
    reconciliation_close,
    reconciliation_correct,
    reconciliation_key,
    reconciliation_reopen,
    reconciliation_tolerance,
)
from costs.research import views as scenarios
from costs.savings.views import saving_accept, saving_dismiss, saving_undo, savings
from costs.scoreboard.views import scoreboard
from costs.spend.changes_views import changes
from costs.spend.lease_views import lease
from costs.spend.views import spend
from costs.statements.views import (
    statement,
    statement_csv,
    statement_list,
    statement_pdf,
    statements_csv,
    statements_pdf,
)
from costs.trials.views import trial, trial_pdf
from costs.units.views import unit_users, units

app_name = "costs"

urlpatterns = [
    path("spend/", spend, name="spend"),
    path("spend/changes/", changes, name="changes"),
    path("quality/cost/", scoreboard, name="scoreboard"),
    path("quality/trials/<int:pk>/", trial, name="trial"),
    path("quality/trials/<int:pk>/trial.pdf", trial_pdf, name="trial-pdf"),
    path("spend/units/", units, name="units"),
    path("spend/units/<slug:slug>/users/", unit_users, name="unit-users"),
    path("spend/anomalies/", anomalies, name="anomalies"),
    path("spend/anomalies/<int:pk>/dismiss/", anomaly_dismiss, name="anomaly-dismiss"),
    path("spend/anomalies/<int:pk>/restore/", anomaly_restore, name="anomaly-restore"),
    path("spend/charges/", charges, name="charges"),
    path("spend/charges/add/", charge_add, name="charge-add"),
    path("spend/charges/<int:pk>/", charge_edit, name="charge"),
    path("spend/charges/<int:pk>/delete/", charge_delete, name="charge-delete"),
    path("spend/charges/<int:pk>/undo/", charge_undo, name="charge-undo"),
    path("settings/accounts/<slug:slug>/remove/", account_removal.remove, name="account-remove"),
    path("settings/accounts/removed/<int:pk>/restore/", account_removal.restore, name="account-restore"),
    path("providers/leases/<int:pk>/", lease, name="lease"),
    path("spend/charges/<int:pk>/correct/", charge_correct, name="charge-correct"),
    path("spend/charges/repeating/", recurrences, name="recurrences"),
    path("spend/charges/repeating/<int:pk>/", recurrence_edit, name="recurrence"),
    path("spend/charges/repeating/<int:pk>/undo/", recurrence_undo, name="recurrence-undo"),
    path("spend/charges/repeating/<int:pk>/stop/", recurrence_stop, name="recurrence-stop"),
    path("spend/charges/repeating/<int:pk>/resume/", recurrence_resume, name="recurrence-resume"),
    path("spend/receipts/<int:pk>/", receipt, name="receipt"),
    path("spend/ledger/", ledger, name="ledger"),
    path("spend/reconciliation/", reconciliation, name="reconciliation"),
    path("spend/reconciliation/close/", reconciliation_close, name="reconciliation-close"),
    path("spend/reconciliation/keys/", reconciliation_key, name="reconciliation-key"),
    path("spend/reconciliation/<int:pk>/reopen/", reconciliation_reopen, name="reconciliation-reopen"),
    path("spend/reconciliation/<int:pk>/correct/", reconciliation_correct, name="reconciliation-correct"),
    path("spend/reconciliation/tolerance/<slug:provider>/", reconciliation_tolerance, name="reconciliation-tolerance"),
    path("spend/bills/", bill_list, name="bills"),
    path("spend/bills/<int:pk>/", bill, name="bill"),
    path("spend/bills/<int:pk>/enter/", bill_enter, name="bill-enter"),
    path("spend/bills/<int:pk>/undo/", bill_undo, name="bill-undo"),
    path("spend/exports/", exports, name="exports"),
    path("spend/exports/add/<slug:kind>/", export_add, name="export-add"),
    path("spend/exports/<int:pk>/", export, name="export"),
    path("spend/exports/<int:pk>/run/", export_run, name="export-run"),
    path("spend/exports/<int:pk>/switch/", export_switch, name="export-switch"),
    path("spend/exports/<int:pk>/delete/", export_delete, name="export-delete"),
    path("spend/exports/<int:pk>/undo/", export_undo, name="export-undo"),
    path("spend/rates/", rates, name="rates"),
    path("spend/savings/", savings, name="savings"),
    path("spend/savings/<int:pk>/accept/", saving_accept, name="saving-accept"),
    path("spend/savings/<int:pk>/dismiss/", saving_dismiss, name="saving-dismiss"),
    path("spend/savings/<int:pk>/undo/", saving_undo, name="saving-undo"),
    path("spend/sharing/", sharing, name="sharing"),
    path("spend/statements/", statement_list, name="statements"),
    path("spend/statements/statements.csv", statements_csv, name="statements-csv"),
    path("spend/statements/statements.pdf", statements_pdf, name="statements-pdf"),
    path("spend/statements/<str:month>/<str:by>/<str:key>/statement.pdf", statement_pdf, name="statement-pdf"),
    path("spend/statements/<str:month>/<str:by>/<str:key>/", statement, name="statement"),
    path("spend/statements/<str:month>/<str:by>/<str:key>/statement.csv", statement_csv, name="statement-csv"),
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
    path("plan/applications/<slug:slug>/budgets/", plan.application_budgets, name="application-budgets"),
    path("plan/copy/", draft_views.copy_plan, name="copy-plan"),
    path("plan/research/", draft_views.research_plan, name="research-plan"),
    path("plan/undo/", plan.undo_change, name="undo-plan"),
    path("break-even/", breakeven.break_even, name="break-even"),
    path("break-even/break-even.json", breakeven.break_even_json, name="break-even-json"),
    path("break-even/scenarios/", scenarios.scenario_list, name="scenarios"),
    path("break-even/research/", scenarios.research_tables, name="research"),
    path("break-even/kept/", what_if_views.saved_scenarios, name="kept"),
    path("break-even/tasks/<slug:task>/", task_model_views.choose, name="task-model"),
    path("break-even/tasks/<slug:task>/log/", task_model_views.follow_log, name="task-model-log"),
    path("break-even/keep/", what_if_views.keep, name="keep"),
    path("break-even/kept/<int:pk>/remove/", what_if_views.remove, name="kept-remove"),
    path("break-even/kept/<int:pk>/undo/", what_if_views.undo, name="kept-undo"),
    path("decide/", decide.decide, name="decide"),
    path("decide/no-go/", decide.forbid, name="forbid"),
    path("decide/no-go/withdraw/", decide.withdraw, name="withdraw-no-go"),
    path("decide/switches/", decide.justify, name="justify"),
    path("decide/switches/<slug:kind>/withdraw/", decide.withdraw_switch, name="withdraw-switch"),
    path("decide/sign/", record_views.sign, name="sign-decision"),
    path("decide/records/<int:number>/", record_views.decision, name="decision"),
    path("decide/hours/", record_views.enter_effort, name="enter-effort"),
    path("decide/hours/<int:pk>/withdraw/", record_views.withdraw_effort, name="withdraw-effort"),
    path("decide/limits/", record_views.set_limits, name="burden-limits"),
    path("decide/sizing/", decide.size, name="sizing"),
]
