"""Who can serve us, at what list price, and are they up: one file for each noun."""

from __future__ import annotations

from providers.models.accounts import Account, Balance, Feed, RemovedAccount, connector_choices
from providers.models.audit import Action, ActorKind, AuditEntry, AuditKey, AuditSeal
from providers.models.bills import VendorCost, VendorName, VendorPayment, VendorUsage
from providers.models.deployments import (
    Check,
    CheckHour,
    Deployment,
    DeploymentState,
    Maintenance,
    Outage,
    engine_choices,
)
from providers.models.discounts import Discount
from providers.models.engine_series import EngineBucket, EngineReading, Resolution
from providers.models.fields import OfferKind, usd, usd_sum
from providers.models.heartbeats import Heartbeat, HeartbeatPing, HeartbeatSpan, HeartbeatState, Signal
from providers.models.leases import Lease, LeaseSpan, LeaseState
from providers.models.names import provider_name, provider_names
from providers.models.offers import Offer, OfferDay, OfferWatch, Throughput
from providers.models.prices import Model, TokenPrice
from providers.models.recurring import Recurring, Repeats, may_hold
from providers.models.status_pages import StatusPage
from providers.models.unit_prices import Priced, UnitPrice

__all__ = [
    "Account",
    "Action",
    "ActorKind",
    "AuditEntry",
    "AuditKey",
    "AuditSeal",
    "Balance",
    "Check",
    "CheckHour",
    "Deployment",
    "DeploymentState",
    "Discount",
    "EngineBucket",
    "EngineReading",
    "Feed",
    "Heartbeat",
    "HeartbeatPing",
    "HeartbeatSpan",
    "HeartbeatState",
    "Lease",
    "LeaseSpan",
    "LeaseState",
    "Maintenance",
    "Model",
    "Offer",
    "OfferDay",
    "OfferKind",
    "OfferWatch",
    "Outage",
    "Priced",
    "Recurring",
    "RemovedAccount",
    "Repeats",
    "Resolution",
    "Signal",
    "StatusPage",
    "Throughput",
    "TokenPrice",
    "UnitPrice",
    "VendorCost",
    "VendorName",
    "VendorPayment",
    "VendorUsage",
    "connector_choices",
    "engine_choices",
    "may_hold",
    "provider_name",
    "provider_names",
    "usd",
    "usd_sum",
]
