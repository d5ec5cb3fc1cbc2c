"""`manage.py poll`: ask every enabled account now; exit 0 when each has answered."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from providers.models import Account, Feed
from providers.polling import due
from providers.polling.services import poll


class Command(BaseCommand):
    help = "Poll every enabled account now. One that is being polled right now is skipped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", metavar="SLUG", help="only this account")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = Account.objects.enabled()
        if options["account"]:
            accounts = accounts.filter(slug=options["account"])
            if not accounts:
                raise CommandError(f"No enabled account is called {options['account']!r}.")
        feeds = [feed for account in accounts for feed in claimed(account)]
        if not feeds:
            self.stdout.write("Nothing to poll: no enabled account, or all are being polled right now.")
            return
        with ThreadPoolExecutor(max_workers=8) as pool:
            good = list(pool.map(poll_and_close, feeds))
        for feed in feeds:
            self.report(feed)
        if not all(good):
            sys.exit(1)

    def report(self, feed: Feed) -> None:
        name = f"{feed.account.slug}/{feed.kind}"
        feed.refresh_from_db()
        if feed.last_error:
            self.stderr.write(f"{name}: {feed.last_error}")
        else:
            self.stdout.write(f"{name}: {feed.rows} rows")


def claimed(account: Account) -> list[Feed]:
    due.ensure_feeds(account, timezone.now())
    return due.claim(timezone.now(), account=account)


def poll_and_close(feed: Feed) -> bool:
    """A thread of its own has a connection of its own, which goes back to the pool."""
    try:
        return poll(feed)
    finally:
        connection.close()
