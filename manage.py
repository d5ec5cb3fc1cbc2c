#!/usr/bin/env python
"""Breakeven's command line; `manage.py help` lists what it can do."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    if len(sys.argv) > 1:  # commands are modules, whose names have no hyphen: `rotate-key` is what people write
        sys.argv[1] = sys.argv[1].replace("-", "_") if not sys.argv[1].startswith("-") else sys.argv[1]
    if sys.argv[1:2] == ["up"]:
        # Before Django: it makes what the settings read, and stays in memory beside everything that it starts.
        from dashboard.up import main as up

        sys.exit(up(sys.argv[2:]))
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    from dashboard.audit.command_log import recorded

    try:
        with recorded(sys.argv):
            execute_from_command_line(sys.argv)
    except OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        sys.exit(
            f"The database does not answer ({reason}).\n"
            "Start Breakeven by `manage.py up`, or name its data directory in BREAKEVEN_DATA or a DATABASE_URL."
        )


if __name__ == "__main__":
    main()
