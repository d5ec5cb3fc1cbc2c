"""Pages of the alerts, by noun."""

from __future__ import annotations

from alerts.views.acting import acknowledge, again, lift, reopen, resolve, silence, unacknowledge, unsubscribe
from alerts.views.listing import alert, alerts, history
from alerts.views.mailbox import mail, mail_html, mailbox
from alerts.views.rules import rule, rule_delete, rule_new, rule_restore, rule_switch, rules

__all__ = [
    "acknowledge",
    "again",
    "alert",
    "alerts",
    "history",
    "lift",
    "mail",
    "mail_html",
    "mailbox",
    "reopen",
    "resolve",
    "rule",
    "rule_delete",
    "rule_new",
    "rule_restore",
    "rule_switch",
    "rules",
    "silence",
    "unacknowledge",
    "unsubscribe",
]
