"""What differs in a database of before version 0.1.0: see `lib.upgrade`."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from lib.upgrade import has_column, refuse_half

SQUASHED = (
    "0002_posting",
    "0003_justification",
    "0004_posted_watermarks",
    "0005_ledger_of_a_month",
    "0006_budgets",
    "0007_closings",
    "0008_decisions",
    "0009_savings",
    "0010_anomalies",
    "0011_bills_and_exports",
    "0012_what_is_new",
    "0013_forecast_looks",
    "0014_wide_sums",
)

# The subject of a budget was a text: a slug, a user name or a task, by its scope.
SUBJECTS = """
UPDATE costs_budget AS b SET
    provider = CASE WHEN scope = 'provider' THEN subject ELSE '' END,
    task = CASE WHEN scope = 'task' THEN subject ELSE '' END,
    application_id = (SELECT a.id FROM traffic_application AS a WHERE b.scope = 'application' AND a.slug = b.subject),
    owner_id = (SELECT u.id FROM auth_user AS u WHERE b.scope = 'owner' AND u.username = b.subject);
-- Nothing was held against the budget of an application or a person who is gone.
DELETE FROM costs_budget
WHERE scope = 'application' AND application_id IS NULL OR scope = 'owner' AND owner_id IS NULL;
"""


def rename_limits(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.costs_burdenlimit') IS NOT NULL")
        (there,) = cursor.fetchone()
    if there:
        model = apps.get_model("costs", "OpsWorkloadLimit")
        schema_editor.alter_db_table(model, "costs_burdenlimit", "costs_opsworkloadlimit")


def link_subjects(apps: Any, schema_editor: Any) -> None:
    if not has_column(schema_editor, "costs_budget", "subject"):
        return
    budget = apps.get_model("costs", "Budget")
    for name in ("provider", "application", "owner", "task"):
        schema_editor.add_field(budget, budget._meta.get_field(name))
    schema_editor.execute(SUBJECTS)
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks to come cannot be altered
    schema_editor.execute("ALTER TABLE costs_budget DROP COLUMN subject")
    for constraint in budget._meta.constraints:
        schema_editor.add_constraint(budget, constraint)


class Migration(migrations.Migration):
    dependencies = [("costs", "0001_initial")]
    squashed = SQUASHED  # a backup of before names them: `dashboard.backup.archive`

    operations = [
        refuse_half("costs", SQUASHED),
        migrations.RunPython(rename_limits, migrations.RunPython.noop),
        migrations.RunPython(link_subjects, migrations.RunPython.noop),
    ]
