"""Every page that links lead to, as one person sees them at one frozen moment."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from html import unescape
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone

OF_ONE_VIEW = 8  # pages with different parameters
MOST_PAGES = 600
LINK = re.compile(r'\b(?:href|src)="([^"#]*)[^"]*"(?! download)')  # no file; a digest is a page inside a frame
# They end the session or sign in, or are mails that were sent at another moment.
SKIPPED = ("/logout/", "/login/", "/static/", "/metrics", "/readyz", "/healthz", "/api/", "/mail/")
FILES = re.compile(r"\.(csv|pdf|json|jsonl|png|ics|txt|xml)\b|/json/|/export/|/download/")
# A page whose parameters change a figure's inputs answers another question.
WHAT_IF = ("/break-even/", "/decide/sizing/")


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Within, the clock stands at `at` and the database shows one moment; nothing that is written stays.

    Leases cost money with every second, so two pages of one running installation could never be compared to the cent.
    Entries of the audit log are undone with the rest, so no line of them is logged.
    """
    real_now = timezone.now
    audit_lines = logging.getLogger("breakeven.audit")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        timezone.now = lambda: at
        audit_lines.disabled = True
        try:
            yield
        finally:
            timezone.now = real_now
            audit_lines.disabled = False
            transaction.set_rollback(True)


def pages(user: User, of_one_view: int = OF_ONE_VIEW) -> Iterator[tuple[str, int, str]]:
    """Address, status and HTML of each page from the Overview on, at most so many of one view."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    waiting, seen, of_view = deque(["/"]), {"/"}, dict[str, int]()
    while waiting and sum(of_view.values()) < MOST_PAGES:
        address = waiting.popleft()
        view = view_of(address)
        if view is None or of_view.get(view, 0) >= of_one_view:
            continue
        of_view[view] = of_view.get(view, 0) + 1
        response = client.get(address, headers={"host": "localhost"})
        if response.streaming or not response.get("Content-Type", "").startswith("text/html"):
            continue  # a file; to close it would close the connection to the database, and the moment with it
        html = response.content.decode("utf-8", "replace")
        yield address, response.status_code, html
        for target in links(html, address):
            if target not in seen:
                seen.add(target)
                waiting.append(target)


def view_of(address: str) -> str | None:
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return None


def links(html: str, base: str) -> Iterator[str]:
    """Addresses of this installation's pages that a page links to."""
    for link in LINK.findall(html):
        target = unescape(link)
        target = urlsplit(base).path + target if target.startswith("?") else target
        if not target.startswith("/") or target.startswith(("//", *SKIPPED)) or FILES.search(target):
            continue
        if "?" in target and target.startswith(WHAT_IF):
            continue
        yield target
