"""How far the set-up of this installation is, in one statement."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from alerts.mail.server import has_mail_server

# Of people those count who are active and have a role. One row, whatever is there.
PROGRESS = """
    SELECT EXISTS (SELECT FROM providers_account) AS account,
        EXISTS (SELECT FROM providers_deployment) AS deployment,
        EXISTS (SELECT FROM traffic_key WHERE revoked_at IS NULL) AS key,
        EXISTS (SELECT FROM traffic_usage_day) AS request,
        EXISTS (SELECT FROM costs_phase) AS plan,
        EXISTS (SELECT FROM auth_user JOIN auth_user_groups ON user_id = auth_user.id WHERE is_active) AS people,
        EXISTS (SELECT FROM alerts_channel WHERE kind = 'monitor' AND enabled AND deleted_at IS NULL) AS monitor,
        EXISTS (SELECT FROM traffic_installation WHERE checklist_hidden_at IS NOT NULL) AS hidden
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """What of the set-up is done; `hidden` where a person took the list off the Overview."""

    account: bool = False
    deployment: bool = False
    key: bool = False
    request: bool = False
    plan: bool = False
    people: bool = False
    mail: bool = False
    monitor: bool = False
    hidden: bool = False


def progress() -> Progress:
    """What exists by now."""
    with connection.cursor() as cursor:
        cursor.execute(PROGRESS)
        names, row = [column.name for column in cursor.description], cursor.fetchone()
    return Progress(mail=has_mail_server(), **dict(zip(names, row, strict=True)))
