"""The offers explorer over twenty thousand offers with 90 days of history: storing a poll of them, and the page."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from benchmarks.figures import Figure
from benchmarks.otlp import cpu_of_web
from benchmarks.pages import USER, VISITS, signed_in, slowest
from benchmarks.stack import Stack, running

FEW, MANY, DAYS = 500, 20_000, 90
PROVIDERS = ("vast", "runpod", "lambda", "google", "digitalocean")
KINDS = ("on_demand", "spot", "committed_1y", "serverless")
GPUS = ("RTX 3090", "RTX 4090", "RTX 5090", "RTX A6000", "L4", "L40S", "A10", "A40", "A100 40GB", "A100 80GB", "H100",
        "H200", "B200", "MI300X", "T4", "V100", "RTX 6000 Ada", "RTX A5000", "RTX 4080", "GH200")  # fmt: skip
PAGE = "/providers/offers/"
# The page as it is opened, and as it is asked for with what no index holds.
ASKED = {"as it opens": PAGE, "filtered and sorted": f"{PAGE}?region=region-1&sort=-reliability&model=mistral-7b"}


def measure() -> list[Figure]:
    with running() as stack:
        stack.python(USER)
        stack.python(f"from benchmarks.offers import fill; fill({FEW})")
        few = {what: visited(stack, url) for what, url in ASKED.items()}
        told = stack.python(f"from benchmarks.offers import fill; fill({MANY})")
        many = {what: visited(stack, url) for what, url in ASKED.items()}
    new, again, copied = json.loads(told.splitlines()[-1])
    return [
        Figure(f"{MANY:,} new offers of one poll stored", new, "s", copied, "bare COPY of the same rows", "<= 3 s"),
        Figure(f"{MANY:,} known offers of one poll stored", again, "s", copied, "as above", "<= 3 s"),
        *(
            Figure(
                f"offers page {what}, {measured} over {MANY:,} offers and {DAYS} days", many[what][n], "ms",
                few[what][n], f"over {FEW}", target,
            )
            for what in ASKED
            for n, (measured, target) in enumerate((("p95", "<= 50 ms"), ("processor of the web process", "")))
        ),
    ]  # fmt: skip


def visited(stack: Stack, url: str) -> tuple[float, float]:
    """Milliseconds of a visit at p95, and of the web process's processor at the mean, which other work on the machine
    changes little."""
    with signed_in(stack) as client:  # whose password takes longer to check than many pages
        before = cpu_of_web(stack)
        return slowest(client, url), (cpu_of_web(stack) - before) * 1000 / VISITS


def fill(count: int) -> None:
    """Offers of one account in place of what was there, other vendors' history, a lease; prints the seconds."""
    from providers.models import Account, Lease, Offer
    from providers.polling.due import ensure_feeds

    now = timezone.now()
    # Not enabled: nothing of it is to be asked for while it is measured.
    account, _made = Account.objects.get_or_create(
        slug="bench", defaults={"name": "Bench", "kind": "vast", "enabled": False}
    )
    ensure_feeds(account, now)
    account.feeds.update(last_success_at=now, due_at=now + timedelta(days=1), rows=count)
    Lease.objects.get_or_create(
        account=account, external_id="1",
        defaults={"name": "bench", "gpu": "RTX 4090", "price_per_hour": Decimal("0.9"), "state": "running",
                  "started_at": now, "seen_at": now},
    )  # fmt: skip
    Offer.objects.all().delete()
    add_history(now)
    print(json.dumps([*stored(account, count, now), copied(count)]))  # noqa: T201  # the bench reads it


def add_history(now: datetime) -> None:
    from providers.models import OfferDay

    if OfferDay.objects.filter(day__lt=now.date()).exists():
        return  # from the first time: 36,000 rows take longer than the polls that are measured
    generator, days = random.Random(1), [now.date() - timedelta(days=n) for n in range(DAYS)]
    OfferDay.objects.bulk_create(
        (
            OfferDay(
                provider=provider, gpu=gpu, kind=kind, day=day, low=price, median=price * 2, high=price * 3, offers=9
            )
            for provider in PROVIDERS
            for gpu in GPUS
            for kind in KINDS
            for day in days
            for price in (Decimal(generator.randrange(10, 400)) / 100,)
        ),
        batch_size=2000,
        ignore_conflicts=True,
    )  # fmt: skip


def stored(account: object, count: int, now: datetime) -> Iterator[float]:
    """Seconds of a poll whose offers are new, and of the next one, whose prices have moved."""
    from django.db import transaction

    from providers.polling.store import store_offers

    for seed in (1, 2):
        rows = list(offers(count, seed))
        started = time.perf_counter()
        with transaction.atomic():
            store_offers(account, rows, now + timedelta(minutes=seed))  # type: ignore[arg-type]
        yield time.perf_counter() - started


def offers(count: int, seed: int) -> Iterator[object]:
    from providers.connectors.base import OfferRow

    generator = random.Random(seed)
    for n in range(count):
        yield OfferRow(
            provider=PROVIDERS[n % len(PROVIDERS)],
            external_id=f"o{n}",
            kind=KINDS[n // 7 % len(KINDS)],
            region=f"region-{n % 40}",
            gpu=GPUS[n // 3 % len(GPUS)],
            gpu_count=1 + n % 4,
            memory_gb=24 + n // 3 % len(GPUS),
            price_per_gpu_hour=Decimal(generator.randrange(1_000, 40_000)) / 10_000,
            reliability=generator.random(),
            available=n % 10 != 0,
        )


def copied(count: int) -> float:
    """Seconds of a bare COPY of the same rows."""
    from django.db import connection

    text = io.StringIO()
    for row in offers(count, 3):
        print(*(getattr(row, name) for name in COPIED), sep="\t", file=text)
    names = ", ".join(COPIED)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE bare AS SELECT {names} FROM providers_offer LIMIT 0")
        started = time.perf_counter()
        with cursor.copy(f"COPY bare ({names}) FROM STDIN") as copy:
            copy.write(text.getvalue())
        return time.perf_counter() - started


COPIED = ("provider", "external_id", "kind", "region", "gpu", "gpu_count", "memory_gb", "price_per_gpu_hour",
          "reliability", "available")  # fmt: skip
