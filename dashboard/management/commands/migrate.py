"""`manage.py migrate`: Django's own, as the role that owns the tables; then the application's rights are granted."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from dashboard.backup.database_roles import as_owner, grant


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != DEFAULT_DB_ALIAS:
            super().handle(*args, **options)
            return
        with as_owner() as application:
            super().handle(*args, **options)
            if application:
                grant(application)
