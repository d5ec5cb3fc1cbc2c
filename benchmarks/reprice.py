"""Requests a second that are costed anew and taken back, with and without ingest going on beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.figures import Figure
from benchmarks.ingest import post
from benchmarks.rows import bodies
from benchmarks.stack import Stack, running

DAYS = 4
BATCHES, SIZE = 240, 1_000
BESIDE = 400  # batches of 250 at most, sent one after the other while it runs
WHOLE = 10_000_000

# Every request of the bench costs something else from now on.
DEARER = """
from datetime import datetime, UTC
from providers.models import TokenPrice
for price in TokenPrice.objects.in_force(datetime(2026, 1, 1, tzinfo=UTC)).filter(provider='anthropic'):
    TokenPrice.objects.filter(provider='anthropic', model=price.model).exclude(pk=price.pk).delete()
    price.pk = None
    price.starts_at = datetime(2025, 12, 31, tzinfo=UTC)
    price.uncached_input, price.output = price.uncached_input * 2, price.output * 2
    price.save()
"""


@dataclass
class Sent:
    rows: int = 0


def measure() -> list[Figure]:
    now = datetime.now(UTC)
    since = now - timedelta(days=DAYS)
    count = BATCHES * SIZE
    with running() as stack:
        key = stack.manage("create_key", "ingest", "--application", "bench")
        post(stack.ready["url"], key, bodies(BATCHES, SIZE, seed=1, since=since, span=timedelta(days=DAYS - 0.5)))
        stack.python(DEARER)
        start_up = timed(lambda: stack.manage("reprice", "--from", "2020-01-01", "--to", "2020-01-02"))
        period = ("--from", f"{since.date()}", "--to", f"{now.date() + timedelta(days=1)}")
        with ingest_beside(stack, key) as sent:
            seconds = timed(lambda: stack.manage("reprice", *period)) - start_up
        beside = sent.rows / (seconds + start_up)
        changed = int(stack.python("from traffic.models import *; print(Repricing.objects.latest('pk').changed)"))
        number = stack.python("from traffic.models import *; print(Repricing.objects.latest('pk').pk)")
        back = timed(lambda: stack.manage("reprice", "--undo", number)) - start_up
        alone = timed(lambda: stack.manage("reprice", *period)) - start_up
    rate = changed / seconds
    return [
        Figure(
            f"repricing {count:,} requests, all of them changing, beside ingest of {beside:,.0f}/s: "
            f"10M would take {WHOLE / rate / 60:.1f} minutes",
            rate, "requests/s", changed / alone, "without ingest", f">= {WHOLE / 600:,.0f}/s (10M in 10 minutes)",
        ),
        Figure(f"taking the same repricing back: 10M would take {WHOLE / (changed / back) / 60:.1f} minutes",
               changed / back, "requests/s"),
    ]  # fmt: skip


def timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


@contextmanager
def ingest_beside(stack: Stack, key: str) -> Iterator[Sent]:
    """One client that sends batch after batch until the block ends."""
    sent, over = Sent(), threading.Event()
    since = datetime.now(UTC) - timedelta(hours=6)
    waiting = bodies(BESIDE, 250, seed=2, since=since, span=timedelta(hours=5))

    def send() -> None:
        for body in waiting:
            if over.is_set():
                return
            post(stack.ready["url"], key, [body])
            sent.rows += 250
            over.wait(0.1)  # 100M a month are 38 a second; this is many times that

    client = threading.Thread(target=send)
    client.start()
    try:
        yield sent
    finally:
        over.set()
        client.join()
