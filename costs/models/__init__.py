"""What it costs: the ledger and the plan it is held against; one file for each noun."""

from __future__ import annotations

from costs.models.budgets import Budget, BudgetScope
from costs.models.closings import Closing, KeyOwner, Tolerance
from costs.models.decisions import Justification, NoGo
from costs.models.ledger import Category, Charge, Posting, Provenance
from costs.models.plan import Phase, Stage
from costs.models.rates import ExchangeRate
from costs.models.receipts import Receipt
from costs.models.recurrences import Recurrence
from costs.models.sharing import Sharing
from costs.models.sheets import PriceSheet

__all__ = [
    "Budget",
    "BudgetScope",
    "Category",
    "Charge",
    "Closing",
    "ExchangeRate",
    "Justification",
    "KeyOwner",
    "NoGo",
    "Phase",
    "Posting",
    "PriceSheet",
    "Provenance",
    "Receipt",
    "Recurrence",
    "Sharing",
    "Stage",
    "Tolerance",
]
