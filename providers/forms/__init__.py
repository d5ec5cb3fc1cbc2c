"""Forms of the providers' pages, by noun."""

from __future__ import annotations

from providers.forms.accounts import AccountForm
from providers.forms.deployments import DeploymentForm, MaintenanceForm
from providers.forms.discounts import DiscountForm
from providers.forms.heartbeats import HeartbeatForm
from providers.forms.offers import OfferForm, OfferWatchForm
from providers.forms.outages import OutageForm
from providers.forms.prices import PriceForm
from providers.forms.status_pages import StatusPageForm
from providers.forms.unit_prices import UnitPriceForm

__all__ = [
    "AccountForm",
    "DeploymentForm",
    "DiscountForm",
    "HeartbeatForm",
    "MaintenanceForm",
    "OfferForm",
    "OfferWatchForm",
    "OutageForm",
    "PriceForm",
    "StatusPageForm",
    "UnitPriceForm",
]
