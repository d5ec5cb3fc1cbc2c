"""Each permission that a page requires, described in the product's words and in the order of the menu."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = dict[str, Promise]  # by the permission's label, `app.codename`

GROUPS: dict[str, tuple[Promise, Words]] = {
    "costs": (
        _("Money, plan and decisions"),
        {
            "costs.view_charge": _("See what is spent, the ledger, bills, statements and the break-even"),
            "costs.add_charge": _("Enter charges, rates and bills, close months, accept savings"),
            "costs.dismiss_anomaly": _("Mark an anomaly as expected"),
            "costs.change_exporttarget": _("Set up where costs are exported to"),
            "costs.view_phase": _("See the plan"),
            "costs.change_phase": _("Change the plan: phases, stages and budgets"),
            "costs.decide": _("Decide about self-hosting"),
        },
    ),
    "providers": (
        _("Providers and GPUs"),
        {
            "providers.view_offer": _("See which GPUs can be rented, and at what price"),
            "providers.view_lease": _("See rented GPUs"),
            "providers.view_offerwatch": _("See watches of offers"),
            "providers.add_offerwatch": _("Add a watch of an offer"),
            "providers.change_offerwatch": _("Change and delete watches of offers"),
            "providers.view_account": _("See accounts with vendors, and the size of the database"),
            "providers.add_account": _("Add accounts with vendors"),
            "providers.change_account": _("Change, poll and disable accounts, stop GPUs"),
        },
    ),
    "uptime": (
        _("Deployments and uptime"),
        {
            "providers.view_outage": _("See uptime and outages"),
            "providers.change_outage": _("Write what an outage was about"),
            "providers.view_deployment": _("See deployments"),
            "providers.add_deployment": _("Add deployments"),
            "providers.change_deployment": _("Change and disable deployments, plan maintenance"),
            "providers.view_heartbeat": _("See heartbeats of batch jobs"),
            "providers.add_heartbeat": _("Add heartbeats"),
            "providers.change_heartbeat": _("Change, pause and delete heartbeats"),
            "providers.view_statuspage": _("See the list of status pages"),
            "providers.add_statuspage": _("Publish status pages"),
            "providers.change_statuspage": _("Change and delete status pages"),
        },
    ),
    "traffic": (
        _("Requests and quality"),
        {
            "traffic.view_request": _("See the requests of all applications"),
            "traffic.view_bodies": _("Read prompts and answers"),
            "traffic.view_quality": _("See ratings and the scoreboard"),
            "traffic.add_rating": _("Rate answers"),
            "traffic.adjudicate": _("Decide pairs whose raters disagree"),
            "traffic.change_rubric": _("Add, change and delete rubrics"),
            "traffic.change_ratingqueue": _("Add, fill and close rating queues"),
            "traffic.view_trial": _("See trials and their reports"),
            "traffic.add_trial": _("Start and stop trials"),
            "traffic.use_playground": _("Send prompts from the playground"),
            "traffic.view_import": _("See imports"),
            "traffic.add_import": _("Import requests from files"),
            "traffic.change_import": _("Stop and undo imports"),
        },
    ),
    "applications": (
        _("Applications, routes and prices"),
        {
            "traffic.view_application": _("See applications"),
            "traffic.add_application": _("Add applications"),
            "traffic.change_application": _("Change applications, their members and whether texts are kept"),
            "traffic.view_route": _("See routes"),
            "traffic.add_route": _("Add routes"),
            "traffic.change_route": _("Change, move and delete routes"),
            "providers.view_tokenprice": _("See prices"),
            "providers.add_tokenprice": _("Enter prices"),
            "providers.view_discount": _("See discounts"),
            "providers.add_discount": _("Enter and end discounts"),
            "traffic.view_repricing": _("See re-pricings"),
            "traffic.add_repricing": _("Re-price requests at today’s prices and undo it"),
        },
    ),
    "alerts": (
        _("Alerts"),
        {
            "alerts.view_alert": _("See alerts, rules, channels and mails"),
            "alerts.change_alert": _("Act on alerts: acknowledge, snooze, assign, resolve"),
            "alerts.add_silence": _("Silence kinds of alerts"),
            "alerts.change_rule": _("Add, change and delete rules"),
            "alerts.add_channel": _("Add channels"),
            "alerts.change_channel": _("Change and disable channels"),
            "alerts.delete_channel": _("Delete channels"),
        },
    ),
    "records": (_("Records"), {"providers.view_auditentry": _("Read the audit log")}),
}
