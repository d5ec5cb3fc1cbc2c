"""What it costs: the ledger and the plan it is held against; one file for each noun."""

from __future__ import annotations

from costs.models.anomalies import Anomaly, AnomalyLook, Driver
from costs.models.bill_imports import BillImport
from costs.models.budgets import Budget, BudgetScope, subject_fields
from costs.models.closings import BillStatus, Closing, KeyOwner, Tolerance
from costs.models.decisions import Choice, Decision, Effort, Justification, NoGo, OpsWorkloadLimit, PageDay
from costs.models.exports import ExportTarget
from costs.models.forecasts import ForecastLook
from costs.models.ledger import Category, Charge, Posting, Provenance
from costs.models.plan import Phase, Stage
from costs.models.rates import ExchangeRate
from costs.models.receipts import Receipt
from costs.models.recurrences import Recurrence
from costs.models.savings import Finding, FindingKind, Search
from costs.models.sharing import Sharing
from costs.models.sheets import PriceSheet
from costs.models.task_models import TaskModel
from costs.models.what_ifs import WhatIf

__all__ = [
    "Anomaly",
    "AnomalyLook",
    "BillImport",
    "BillStatus",
    "Budget",
    "BudgetScope",
    "Category",
    "Charge",
    "Choice",
    "Closing",
    "Decision",
    "Driver",
    "Effort",
    "ExchangeRate",
    "ExportTarget",
    "Finding",
    "FindingKind",
    "ForecastLook",
    "Justification",
    "KeyOwner",
    "NoGo",
    "OpsWorkloadLimit",
    "PageDay",
    "Phase",
    "Posting",
    "PriceSheet",
    "Provenance",
    "Receipt",
    "Recurrence",
    "Search",
    "Sharing",
    "Stage",
    "TaskModel",
    "Tolerance",
    "WhatIf",
    "subject_fields",
]
