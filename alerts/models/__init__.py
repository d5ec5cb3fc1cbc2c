"""Who must know: rules, the states that someone must know, and the messages sent about them; one file for each noun."""

from __future__ import annotations

from alerts.models.channels import Channel, ChannelKind
from alerts.models.deliveries import Address, DeferredBy, Delivery, DeliveryState, OptOut, UsedLink
from alerts.models.preferences import Digest, Preference
from alerts.models.reports import Report, ReportKind
from alerts.models.rules import Rule, Severity
from alerts.models.saved import SavedView
from alerts.models.states import REASONS, Alert, AlertState, Sample, Silence, Transition, cause_choices

__all__ = [
    "REASONS",
    "Address",
    "Alert",
    "AlertState",
    "Channel",
    "ChannelKind",
    "DeferredBy",
    "Delivery",
    "DeliveryState",
    "Digest",
    "OptOut",
    "Preference",
    "Report",
    "ReportKind",
    "Rule",
    "Sample",
    "SavedView",
    "Severity",
    "Silence",
    "Transition",
    "UsedLink",
    "cause_choices",
]
