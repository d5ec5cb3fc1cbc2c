"""What the demo sends so that the page of applications has something to count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
from django.utils import timezone

from demo.telemetry import CALLS, SAID, SLUG, send_texts
from tests.traffic.otlp_exports import key
from tests.traffic.otlp_logs import logs, post
from traffic.models import Unread

__all__ = ["key"]  # a fixture


def test_texts_of_an_application_that_keeps_none_are_sent_once_and_counted(key: str, conn: psycopg.Connection) -> None:
    sent: list[Any] = []
    client: Any = SimpleNamespace(send_logs=lambda records, key: sent.append(post(key, "/v1/logs", logs(*records))))
    for _ in range(2):
        send_texts(client, {f"ingest/{SLUG}": key}, timezone.now())
    assert [answer.json() for answer in sent] == [{}]
    assert Unread.objects.values_list("signal", "unread", "rejected").get() == ("texts", CALLS * len(SAID), 0)
