"""Forms of the providers' pages, by noun."""

from __future__ import annotations

from providers.forms.accounts import AccountForm
from providers.forms.deployments import DeploymentForm, MaintenanceForm
from providers.forms.offers import OfferForm
from providers.forms.prices import PriceForm

__all__ = ["AccountForm", "DeploymentForm", "MaintenanceForm", "OfferForm", "PriceForm"]
