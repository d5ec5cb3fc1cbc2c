"""`manage.py up`: start everything on this machine. The work is in `dashboard.up`; here is what `help` shows of it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from dashboard.up.command import add_arguments, run


class Command(BaseCommand):
    help = "Starts everything Breakeven needs, an embedded PostgreSQL and Valkey included, until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(run(argparse.Namespace(**options)))
