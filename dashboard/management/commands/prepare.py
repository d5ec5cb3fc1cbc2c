"""`manage.py prepare`: bring the database up to date and fill in what every installation starts with."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction

APPS = ("providers", "traffic", "costs", "alerts", "dashboard")


class Command(BaseCommand):
    help = "Migrate, then add prices, the reference sheet, routes, rules and roles that are not there yet."
    requires_system_checks: list[str] = []  # of the code alone; they load every page, for a second

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=1)
        for app in APPS:
            with transaction.atomic():
                import_module(f"{app}.defaults").ensure_defaults()
