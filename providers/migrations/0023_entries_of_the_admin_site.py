"""The entries of before, which Django's admin site kept; its table goes, so that nothing refers to people any more."""

import json
from typing import Any

from django.db import migrations

from lib.encryption import SecretUnreadable
from providers.audit.chain import CONTENT, mac_of

OLD = """
SELECT l.action_time, l.user_id, u.username, l.action_flag, concat_ws('.', t.app_label, t.model), l.object_id,
    l.object_repr, l.change_message
FROM django_admin_log l LEFT JOIN auth_user u ON u.id = l.user_id LEFT JOIN django_content_type t
    ON t.id = l.content_type_id ORDER BY l.id
"""
ACTIONS = {1: "added", 2: "changed", 3: "deleted"}
ARROW = " → "
BATCH = 2_000


def move(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_admin_log')")
        if cursor.fetchone() == (None,):
            return
        cursor.execute(OLD)
        rows = cursor.fetchall()
        entry, key = apps.get_model("providers", "AuditEntry"), a_key(apps)
        for start in range(0, len(rows), BATCH):
            entry.objects.bulk_create([moved(entry, key, *row) for row in rows[start : start + BATCH]])
        cursor.execute("DROP TABLE django_admin_log")
        cursor.execute("DELETE FROM auth_group_permissions WHERE permission_id IN (SELECT p.id FROM auth_permission p"
                       " JOIN django_content_type t ON t.id = p.content_type_id WHERE t.app_label = 'admin')")  # fmt: skip
        cursor.execute("DELETE FROM auth_user_user_permissions WHERE permission_id IN (SELECT p.id FROM auth_permission"
                       " p JOIN django_content_type t ON t.id = p.content_type_id WHERE t.app_label = 'admin')")  # fmt: skip
        cursor.execute("DELETE FROM auth_permission WHERE content_type_id IN"
                       " (SELECT id FROM django_content_type WHERE app_label = 'admin')")  # fmt: skip
        cursor.execute("DELETE FROM django_content_type WHERE app_label = 'admin'")


def a_key(apps: Any) -> Any:
    """The key that the migration before made, and its bytes."""
    row = apps.get_model("providers", "AuditKey").objects.order_by("-pk").first()
    try:
        return row.pk, bytes.fromhex(row.secret.reveal())
    except SecretUnreadable as error:
        raise RuntimeError(f"Run this with the BREAKEVEN_KEY of the migration before: {error}") from None


def moved(
    entry: Any, key: Any, at: Any, user: Any, name: Any, flag: int, kind: str, pk: Any, shown: str, said: str
) -> Any:
    message, changes = split(said)
    row = entry(
        at=at, actor_kind="person", actor_id=user, actor=(name or "")[:200], address="", action=ACTIONS[flag],
        object_type=kind or "", object_id=(pk or "")[:100], object_name=shown[:200], message=message,
        changes=changes, count=1, key=key[0],
    )  # fmt: skip
    row.mac = mac_of({field: getattr(row, field) for field in CONTENT}, key[1])
    return row


def split(said: str) -> tuple[str, dict[str, Any]]:
    """A sentence, and the values before and after that some entries had; others named the fields alone."""
    try:
        parts = json.loads(said)
        fields = [field for part in parts for change in part.values() for field in change.get("fields", ())]
    except (ValueError, AttributeError, TypeError):
        return said[:2_000], {}
    changes: dict[str, Any] = {}
    named = []
    for field in fields:
        label, _, values = str(field).partition(": ")
        before, arrow, after = values.partition(ARROW)
        if arrow:
            changes[label[:200]] = [before, after]
        else:
            named.append(str(field))
    return ", ".join(named)[:2_000], changes


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0022_audit_log"),
    ]

    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
