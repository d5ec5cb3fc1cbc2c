"""Whether the memory of a worker stays flat: polls of which every other fails, and evaluations, in ten threads."""

from __future__ import annotations

import json

from benchmarks.figures import Figure
from benchmarks.stack import running
from sandbox.testing import SECRETS, running_sandbox

ROUNDS, POLLS, EVALUATIONS = 3, 1000, 40
PROGRAM = """
import json, os
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from django.utils import timezone
from alerts.evaluation import services
from dashboard.health import worker_memory
from lib.encryption import encrypt
from providers.models import Account, Feed
from providers.polling import due
from providers.polling.services import poll

ACCOUNTS = []
for kind, secret in {secrets!r}.items():
    made = Account(slug=kind, name=kind, kind=kind, base_url="{url}/" + kind, local=True, enabled=False)
    made.secret = encrypt(secret)
    made.save()
    made.refresh_from_db()
    due.ensure_feeds(made, timezone.now())
    ACCOUNTS.append(made.pk)
FEEDS = list(Feed.objects.filter(account__in=ACCOUNTS).select_related("account"))

def one(number):
    if number % {every} == 0:
        services.evaluate()
    feed = FEEDS[number % len(FEEDS)]
    poll(feed)
    if number % 50 == 0:
        connection.close()

def resident():
    worker_memory.give_back()
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

with ThreadPoolExecutor(10) as pool:
    sizes = []
    for _round in range({rounds}):
        list(pool.map(one, range({polls})))
        sizes.append(resident())
print(json.dumps(sizes))
"""


def measure() -> list[Figure]:
    with running_sandbox() as sandbox, running() as stack:
        for vendor in ("anthropic", "vast"):
            sandbox.fault(vendor, "garbage", for_s=3600)
        program = PROGRAM.format(
            secrets=SECRETS, url=sandbox.url, every=POLLS // EVALUATIONS, rounds=ROUNDS, polls=POLLS
        )
        first, second, third = json.loads(stack.python(program).splitlines()[-1])
    return [
        Figure(
            f"memory of a worker after the third {POLLS:,} polls, of which some fail, and {EVALUATIONS} evaluations",
            third, "MiB", second, f"after the second; {first:.0f} MiB after the first", "<= 1.02",
        )
    ]  # fmt: skip
