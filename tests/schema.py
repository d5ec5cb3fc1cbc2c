"""Writes `dashboard/schema.sql`, from which an empty database gets its tables: what all migrations of today make.

    python -m tests.schema

Not needed for each new migration, for those that the file does not contain run after it; only when there are so many
that a new database takes long.
"""

from __future__ import annotations

import os
import re
import subprocess

from tests.servers import servers

DAY = "*_[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]"
# Of a session, not of the schema; and what only psql reads.
LEFT_OUT = re.compile(r"^(SET |SELECT pg_catalog\.set_config|--|\\).*\n", re.MULTILINE)


def dumped(conninfo: str) -> str:
    """The statements that make a database's tables, without owners, rights and the partitions of single days."""
    from dashboard.backup.archive import tool

    command = [tool("pg_dump"), "--schema-only", "--no-owner", "--no-privileges", f"--exclude-table={DAY}", conninfo]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"\n{2,}", "\n", LEFT_OUT.sub("", text)).replace("CREATE SCHEMA public;\n", "").lstrip()


def main() -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    from dashboard.management.commands.migrate import CONTAINS, SCHEMA
    from tests.database import conninfo

    call_command("migrate", each=True, verbosity=0)
    applied = MigrationRecorder(connection).applied_migrations()
    contained = [f"{CONTAINS}{app}.{name}" for app, name in applied]
    SCHEMA.write_text("\n".join([*contained, dumped(conninfo())]))


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    try:
        django.setup()
        main()
    finally:
        servers.stop()
