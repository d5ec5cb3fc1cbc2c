"""Roles as Django groups: what each may, by the apps' own permissions. Pages ask permissions, never roles."""

from __future__ import annotations

# staff rate and see Quality and their applications' requests; manager sees all figures, plans and decides, but no keys
# and no bodies; ops sees what a manager sees and runs the machines; admin is Django's superuser.
STAFF = ("traffic.view_quality", "traffic.add_rating")
FIGURES = (
    "costs.view_charge",
    "costs.view_phase",
    "costs.view_pricesheet",
    "providers.view_account",
    "providers.view_deployment",
    "providers.view_offer",
    "providers.view_offerwatch",
    "providers.view_lease",
    "providers.view_outage",
    "providers.view_heartbeat",
    "providers.view_statuspage",
    "providers.view_tokenprice",
    "providers.view_discount",
    "traffic.view_request",
    "traffic.view_quality",
    "traffic.view_application",
    "traffic.view_route",
    "traffic.view_import",
    "traffic.view_repricing",
    "alerts.view_alert",
)
ROLES: dict[str, tuple[str, ...]] = {
    "staff": STAFF,
    "manager": (*FIGURES, "costs.add_charge", "costs.change_phase", "costs.decide", "traffic.add_rating"),
    "ops": (
        *FIGURES,
        "providers.add_account",
        "providers.change_account",
        "providers.add_deployment",
        "providers.change_deployment",
        "providers.add_tokenprice",
        "providers.add_discount",
        "providers.change_outage",
        "providers.add_offerwatch",
        "providers.change_offerwatch",
        "providers.add_heartbeat",
        "providers.change_heartbeat",
        "providers.add_statuspage",
        "providers.change_statuspage",
        "traffic.add_route",
        "traffic.add_import",
        "traffic.change_import",
        "traffic.add_repricing",
        "traffic.change_route",
        "alerts.add_rule",
        "alerts.change_rule",
        "alerts.change_alert",
        "alerts.add_silence",
        "alerts.add_channel",
        "alerts.change_channel",
        "alerts.delete_channel",
        "traffic.add_rating",
    ),
}
