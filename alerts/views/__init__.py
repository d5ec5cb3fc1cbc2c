"""Pages of the alerts, by noun."""

from __future__ import annotations

from alerts.views.acting import (
    acknowledge,
    again,
    assign,
    bulk,
    erase_note,
    note,
    reassign,
    reopen,
    resolve,
    silence,
    snooze,
    unacknowledge,
    unsnooze,
    unsubscribe,
)
from alerts.views.channels import (
    channel,
    channel_add,
    channel_delete,
    channel_switch,
    channel_undo,
    channels,
)
from alerts.views.deliveries import address_again, deliveries
from alerts.views.digests import digest, digest_html
from alerts.views.history import history
from alerts.views.listing import alert, alerts
from alerts.views.mailbox import mail, mail_file, mail_html, mailbox
from alerts.views.preferences import preferences
from alerts.views.rules import rule, rule_delete, rule_new, rule_restore, rule_switch, rules
from alerts.views.silences import lift, silences

__all__ = [
    "acknowledge",
    "address_again",
    "again",
    "alert",
    "alerts",
    "assign",
    "bulk",
    "channel",
    "channel_add",
    "channel_delete",
    "channel_switch",
    "channel_undo",
    "channels",
    "deliveries",
    "digest",
    "digest_html",
    "erase_note",
    "history",
    "lift",
    "mail",
    "mail_file",
    "mail_html",
    "mailbox",
    "note",
    "preferences",
    "reassign",
    "reopen",
    "resolve",
    "rule",
    "rule_delete",
    "rule_new",
    "rule_restore",
    "rule_switch",
    "rules",
    "silence",
    "silences",
    "snooze",
    "unacknowledge",
    "unsnooze",
    "unsubscribe",
]
