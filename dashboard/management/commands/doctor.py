"""`manage.py doctor`: checks that all that Breakeven needs exists and answers. Exits 1 if something is wrong."""

from __future__ import annotations

import logging
import platform
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu import Connection
from kombu.exceptions import OperationalError

from alerts.context.restarts import lately
from alerts.kinds.processes import restarted
from alerts.mail.server import has_mail_server
from dashboard.backup.database_roles import powers
from dashboard.celery import app
from dashboard.checklist.page import steps
from dashboard.checklist.queries import progress
from dashboard.front.proxies import sighting
from dashboard.settings import env
from dashboard.static_files import collect as static_files
from lib.disk import disk_of

LEAST_POSTGRES = 180_000
LEAST_FREE = 1024**3  # bytes


class Ill(Exception):
    """A check failed; the text says what is wrong and what to do."""


class Risk(Exception):
    """A check found something that works but should be changed; the text is a sentence."""


class Command(BaseCommand):
    help = "Checks the installation and, where it runs, every part of it."
    # Django's own checks would end the command in a broken installation, which is what it has to report on.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # each attempt would be a warning of two lines
        ill = 0
        for name, check in CHECKS:
            try:
                self.stdout.write(f"{self.style.SUCCESS('ok  ')} {name}: {check()}")
            except Risk as error:
                self.stdout.write(f"{self.style.WARNING('risk')} {name}: {error}")
            except Ill as error:
                ill += 1
                self.stdout.write(f"{self.style.ERROR('FAIL')} {name}: {error}")
        if ill and not env.joined:
            self.stdout.write(
                _("Nothing runs with %(path)s. Start everything: manage.py up") % {"path": settings.DATA_DIR}
            )
        if ill:
            sys.exit(1)


def python() -> str:
    """The version of Python."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise Ill(_("%(version)s. Breakeven needs 3.11 to 3.13") % {"version": platform.python_version()})
    return platform.python_version()


def data_directory() -> str:
    """Only the owner may read the data directory, because it holds keys and databases."""
    path = settings.DATA_DIR
    if not path.exists():
        raise Ill(_("%(path)s does not exist. `manage.py up` creates it") % {"path": path})
    open_to = [file for file in secrets() if stat.S_IMODE(file.stat().st_mode) & 0o077]
    if open_to:
        raise Ill(_("%(file)s can be read by others. Run: chmod 600 %(file)s") % {"file": open_to[0]})
    disk = disk_of(path)
    assert disk is not None, "it was there a moment ago"
    values = {"free": disk.free // 1024**2, "floor": disk.floor // 1024**2, "path": path}
    if disk.low:
        raise Ill(_("only %(free)d MB free on the disk of %(path)s: below %(floor)d MB nothing is taken in") % values)
    if disk.free < LEAST_FREE:
        raise Ill(_("only %(free)d MB free on the disk of %(path)s") % values)
    return _("%(path)s, %(free)d GB free") % {"path": path, "free": disk.free // 1024**3}


def secrets() -> Iterator[Any]:
    """The files with secrets."""
    for name in ("secret.key", "credentials.key", "run.json"):
        path = settings.DATA_DIR / name
        if path.exists():
            yield path


def database() -> str:
    """PostgreSQL answers and is new enough."""
    try:
        connection.ensure_connection()
        version: int = connection.connection.info.server_version
    except DatabaseError as error:
        raise Ill(str(error).strip()) from error
    if version < LEAST_POSTGRES:
        raise Ill(_("PostgreSQL %(version)d. Breakeven needs 18 or newer") % {"version": version // 10_000})
    return f"PostgreSQL {version // 10_000}.{version % 10_000}"


def database_role() -> str:
    """The application's role reads and writes rows and can do nothing else."""
    try:
        role, words = powers()
    except DatabaseError as error:
        raise Ill(_("cannot be checked: %(error)s") % {"error": str(error).strip()}) from error
    if words:
        can = ", ".join(POWERS[word]() for word in words)
        advice = _("give it a role of its own, see docs/how-to/database-roles.md")
        raise Risk(_("%(role)s %(can)s: %(advice)s") % {"role": role, "can": can, "advice": advice})
    return _("%(role)s reads and writes rows and can do nothing else") % {"role": role}


POWERS: dict[str, Callable[[], str]] = {
    "superuser": lambda: _("is a superuser, who runs programs on the database's machine"),
    "createrole": lambda: _("makes other roles"),
    "createdb": lambda: _("makes other databases"),
    "bypassrls": lambda: _("passes over row security"),
    "owner": lambda: _("owns the tables, the audit log included"),
    "create": lambda: _("makes tables and functions"),
}


def migrations() -> str:
    """The tables are those that the code expects."""
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise Ill(_("cannot be checked: %(error)s") % {"error": str(error).strip()}) from error
    if plan:
        raise Ill(_("%(count)d to apply. Run: manage.py prepare") % {"count": len(plan)})
    return _("all applied")


@contextmanager
def connected_queue() -> Iterator[Connection]:
    """A connection to the queue, tried for once: a queue that is away is waited for by each task, not here."""
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            yield broker
    except OperationalError as error:
        raise Ill(str(error)) from error


def queue() -> str:
    """Redis or Valkey answers."""
    with connected_queue():
        return _("answers")


def worker() -> str:
    """A worker takes tasks from the queue."""
    with connected_queue() as broker:
        answers = app.control.ping(timeout=2, connection=broker)
    if not answers:
        raise Ill(_("no worker answers. Start one with: celery -A dashboard worker, or everything with manage.py up"))
    return _("%(count)d answering") % {"count": len(answers)}


def web() -> str:
    """The pages answer, with the database and the queue behind them."""
    return answer(f"{settings.BASE_URL}/readyz")


def gateway() -> str:
    """The gateway answers."""
    return answer(f"{settings.GATEWAY_URL}/healthz")


def mail() -> str:
    """A mail server is set up."""
    if not has_mail_server():
        raise Ill(_("no mail server is set up, so no alert reaches a mailbox. Set EMAIL_URL"))
    return f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"


def set_up() -> str:
    """What the checklist of the set-up still names, whether or not a person hid it."""
    try:
        left = [step.title for step in steps(progress()) if not step.done]
    except DatabaseError as error:
        raise Ill(_("cannot be checked: %(error)s") % {"error": str(error).strip()}) from error
    if left:
        raise Risk(_("not done yet: %(steps)s") % {"steps": ", ".join(left)})
    return _("complete")


def restarts() -> str:
    """Processes that were restarted recently. They answer now, so this alone is no failure."""
    rows = lately(settings.DATA_DIR, timezone.now())
    return " ".join(restarted(some) for some in rows.values()) or _("none in the last hour")


def proxies() -> str:
    """Whether a proxy is in front, and whether the client addresses that it sends are used."""
    seen = sighting()
    if seen is not None:
        raise Risk(str(seen))
    named = ", ".join(map(str, settings.TRUSTED_PROXIES))
    return _("trusted: %(named)s") % {"named": named} if named else _("none was seen")


def answer(url: str) -> str:
    """`url` if it answers 200. Raises Ill with its answer otherwise."""
    try:
        response = httpx.get(url, timeout=5)
    except httpx.HTTPError as error:
        raise Ill(f"{url}: {error}") from error
    if response.status_code != 200:
        raise Ill(f"{url}: {response.status_code} {response.text[:200]}")
    return url


def static() -> str:
    """The style sheets and scripts that pages ask for are those of this version."""
    if static_files.changed():
        raise Ill(_("older than the sources. Run: python -m dashboard.static_files.collect"))
    return _("collected")


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Python", python),
    ("data directory", data_directory),
    ("static files", static),
    ("database", database),
    ("database role", database_role),
    ("migrations", migrations),
    ("queue", queue),
    ("worker", worker),
    ("web", web),
    ("gateway", gateway),
    ("proxies", proxies),
    ("mail", mail),
    ("restarts", restarts),
    ("set-up", set_up),
)
