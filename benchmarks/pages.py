"""Server time of pages over ten thousand and over a million requests: rollups make it the same."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx
import psycopg

from benchmarks.figures import Figure
from benchmarks.ingest import post
from benchmarks.rows import bodies
from benchmarks.stack import Stack, running

PAGES = (
    "/", "/spend/", "/spend/ledger/", "/spend/reconciliation/", "/spend/statements/", "/spend/units/",
    "/spend/changes/", "/spend/sharing/", "/spend/savings/", "/spend/anomalies/", "/break-even/", "/plan/", "/decide/",
    "/requests/", "/uptime/",
)  # fmt: skip
VISITS = 40
FEW, MANY = 10, 1000  # batches of a thousand
SPAN = timedelta(days=60)
USER = "from django.contrib.auth.models import User; User.objects.create_superuser('bench', '', 'bench-of-its-own')"


def measure() -> list[Figure]:
    with running() as stack:
        stack.python(USER)
        key = stack.manage("create_key", "ingest", "--application", "bench")
        load(stack, key, FEW, seed=2)
        few = p95_of(stack, PAGES)
        for part in range(10):
            load(stack, key, (MANY - FEW) // 10, seed=10 + part)
        settle(stack)
        many = p95_of(stack, PAGES)
        asked, bare = what_ifs(stack)
    figures = [
        Figure(f"{page} p95 over 1M requests", many[page], "ms", few[page], "over 10,000", "<= 50 ms") for page in PAGES
    ]
    words = "GET /healthz: server and HTTP"
    return [*figures, Figure("POST /api/v1/break-even median over 1M requests", asked, "ms", bare, words, "<= 5 ms")]


def load(stack: Stack, key: str, count: int, *, seed: int) -> None:
    sent = bodies(count, 1000, seed=seed, since=datetime.now(UTC) - SPAN, span=SPAN - timedelta(hours=1))
    post(stack.ready["url"], key, sent)


def what_ifs(stack: Stack) -> tuple[float, float]:
    """Milliseconds at the median of one what-if after another, and of an answer that takes no work."""
    key = stack.manage("create_key", "read")
    url = stack.ready["url"]
    with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=60) as client:

        def taken(method: str, path: str, **body: Any) -> float:
            started = time.perf_counter()
            client.request(method, f"{url}{path}", **body).raise_for_status()
            return (time.perf_counter() - started) * 1000

        asked = [
            taken("POST", "/api/v1/break-even", json={"requests_per_month": 1000 * (n + 1)}) for n in range(VISITS * 5)
        ]
        bare = [taken("GET", "/healthz") for _ in range(VISITS * 5)]
    return median(asked), median(bare)


def settle(stack: Stack) -> None:
    """Wait until PostgreSQL has vacuumed and analysed what was loaded, as it does after a load: that is no page's time.

    At most three minutes; it is seen as done when no worker was there for ten seconds, looked at every second.
    """
    with psycopg.connect(stack.owner_url, autocommit=True) as conn:
        quiet = 0
        for _ in range(180):
            (workers,) = conn.execute(WORKERS).fetchone() or (0,)
            quiet = 0 if workers else quiet + 1
            if quiet == 10:
                return
            time.sleep(1)


WORKERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"


def p95(stack: Stack, page: str) -> float:
    """Milliseconds from the request to the last byte on loopback, as a logged-in person."""
    return p95_of(stack, [page])[page]


def p95_of(stack: Stack, pages: Sequence[str]) -> dict[str, float]:
    """The same of several pages, visited in turns: what else the machine does for a second meets all of them alike."""
    with signed_in(stack) as client:
        for page in pages:
            client.get(page).raise_for_status()  # compiles its templates
        times: dict[str, list[float]] = {page: [] for page in pages}
        for _ in range(VISITS):
            for page, taken in times.items():
                taken.append(duration(client, page))
    return {page: percentile(taken) for page, taken in times.items()}


def slowest(client: httpx.Client, page: str) -> float:
    """The same of somebody who is logged in already."""
    return percentile([duration(client, page) for _ in range(VISITS)])


def duration(client: httpx.Client, page: str) -> float:
    """Milliseconds of one visit."""
    started = time.perf_counter()
    client.get(page).raise_for_status()
    return (time.perf_counter() - started) * 1000


def percentile(times: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(times)[int(len(times) * 0.95) - 1]


@contextmanager
def signed_in(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.ready["url"], follow_redirects=True, timeout=60) as client:
        form = client.get("/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token is not None, "the login page has a form"
        fields = {"username": "bench", "password": "bench-of-its-own", "csrfmiddlewaretoken": token[1]}
        client.post("/login/", data=fields).raise_for_status()
        yield client
