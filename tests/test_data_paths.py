"""The three data paths are what `architecture.md` says: which modules, and how many of them hand on the data."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from alerts.delivery import outbox
from costs.models import BillStatus, Charge
from costs.tasks import post_ledger
from providers import tasks
from providers.models import Feed
from providers.polling import due
from tests.alerts.conftest import Scene, mailbox, ops, scene, smtp
from tests.alerts.outbox import deliver
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.providers.polling.test_polling import sandbox, vendors
from tests.providers.rows import account
from tests.traffic.otlp_exports import USAGE, body, key, protobuf, rows, send, span

__all__ = ["key", "mailbox", "ops", "sandbox", "scene", "smtp", "vendors"]
ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("providers/", "traffic/", "costs/", "alerts/", "dashboard/")
# The document says so: what every path goes through, and is no part of any.
LEFT_OUT = re.compile(r"dashboard/|\w+/models/|\w+/defaults\.py|traffic/ingest/statement_timeout\.py")


def described(heading: str) -> tuple[list[str], set[str]]:
    """The modules that hand the data on, in order, and those that they ask, as the document lists them."""
    text = (ROOT / "docs/explanation/architecture.md").read_text()
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    items = re.findall(r"^\d+\. (.*?)(?=^\d+\. |^$|\Z)", section, re.MULTILINE | re.DOTALL)
    paths = [re.findall(r"`([\w/]+(?:\.py|/))`", item) for item in items]
    assert paths and all(paths)
    return [first for first, *_asked in paths], {path for _first, *asked in paths for path in asked}


@contextmanager
def entered(modules: set[str]) -> Iterator[None]:
    """Note each module of the product of which a function is called meanwhile, in any thread."""

    def note(frame: FrameType, event: str, _value: Any) -> None:
        name = frame.f_code.co_filename
        # The body of a class or module runs at its import, whoever is the first to need it.
        if event == "call" and name.startswith(f"{ROOT}/") and frame.f_code.co_flags & 2:
            path = name.removeprefix(f"{ROOT}/")
            if path.startswith(PRODUCT) and not LEFT_OUT.match(path):
                modules.add(path)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def assert_described(heading: str, modules: set[str], most: int) -> None:
    stations, asked = described(heading)
    listed = {*stations, *asked}
    folders = tuple(path for path in listed if path.endswith("/"))
    assert {path for path in modules if path not in listed and not path.startswith(folders)} == set()
    assert [path for path in sorted(listed) if not (ROOT / path).exists()] == []
    statements = [path for path in stations if "/sql/" in path]  # text, of which nothing is called
    assert [path for path in stations if not any(module.startswith(path) for module in (*modules, *statements))] == []
    assert len(stations) <= most


def test_a_batch_of_spans_to_the_commit(key: str, conn: psycopg.Connection) -> None:
    def export(first: int) -> bytes:
        named = (USAGE | {"gen_ai.response.id": f"r{n}", "user.id": "u"} for n in range(first, first + 3))
        return protobuf(body(*(span(first + n, attributes=attributes) for n, attributes in enumerate(named))))

    send(key, export(1), "application/x-protobuf")
    modules: set[str] = set()
    with entered(modules):
        answer = send(key, export(10), "application/x-protobuf")
    assert answer.status_code == 200 and len(rows(conn, "id")) == 6
    assert_described("A batch of spans, from POST /v1/traces to the commit", modules, 10)


def test_an_alert_from_rule_to_accepted_mail(scene: Scene, ops: Any, smtp: Smtp, mailbox: Mailbox) -> None:
    scene.set("first", True)
    scene.look()
    deliver(scene)
    modules = {"alerts/tasks.py"}  # the test has a clock of its own, and calls what the tasks call
    with entered(modules):
        scene.set("a", True)
        scene.look()
        assert deliver(scene) == outbox.Delivered(accepted=1)
    assert_described("An alert, from rule to accepted mail", modules, 12)


@pytest.mark.usefixtures("db")
def test_a_vendors_bill_from_poll_to_reconciliation(sandbox: Any) -> None:
    account(sandbox, "anthropic")
    Feed.objects.exclude(kind="costs").update(due_at=timezone.now() + timedelta(days=1))
    (feed,) = due.claim(timezone.now())
    assert feed.claimed_until is not None
    modules: set[str] = set()
    with entered(modules):
        tasks.poll_feed(feed.pk, feed.claimed_until.isoformat())
        post_ledger()
    assert Charge.objects.filter(provenance="billed").exists() and BillStatus.objects.exists()
    assert_described("A vendor's bill, from poll to reconciliation", modules, 12)
