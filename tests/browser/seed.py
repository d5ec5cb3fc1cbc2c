"""What the browser's stack starts from: the demo company's people, models and vendors, without its months of traffic.

`begin` runs inside the stack, as any command that joins it; `send_requests` goes in by the front door.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.factories import AccountFactory, LeaseSpanFactory, TrialFactory

DAYS = 45
A_DAY = 300  # with long prompts, so that our own GPUs pay from half of it
KEPT_DAYS = 2  # whose prompts and answers are kept to be rated
BATCH = 2_000
TASKS = ("rag", "qa", "chat", "code")


def begin(directory: str, sandbox_url: str) -> None:
    """Print what the ready file of the demo would hold."""
    from django.utils import timezone

    from costs.models import Phase
    from demo import setup
    from demo.files import Credentials
    from demo.story import Story
    from lib.encryption import encrypt
    from providers.polling.due import ensure_feeds

    now = timezone.now()
    credentials = Credentials.kept_in(Path(directory))
    setup.set_up(Story(now.date()), credentials, sandbox_url, now)
    Phase.objects.filter(slug="scale-up").update(budget_high=5_000)
    vendor = next(vendor for vendor in setup.VENDORS if vendor.slug == "runpod")
    account = AccountFactory.create(
        slug=vendor.slug, name=vendor.name, kind=vendor.kind, base_url=f"{sandbox_url}/{vendor.path}",
        secret=encrypt(vendor.secret), local=True,
    )  # fmt: skip
    ensure_feeds(account, now)
    keys = {"ingest_key": credentials.keys["ingest/"], "rate_key": credentials.keys["rate/support-rag"]}
    sys.stdout.write(json.dumps({**credentials.ready(), **keys}))


def send_requests(url: str, key: str) -> int:
    """Weeks of traffic through the API; the number of rows that landed."""
    rows = list(requests(datetime.now(UTC)))
    landed = 0
    for start in range(0, len(rows), BATCH):
        answer = httpx.post(
            f"{url}/api/v1/requests",
            json={"requests": rows[start : start + BATCH]},
            headers={"authorization": f"Bearer {key}"},
            timeout=60,
        )
        answer.raise_for_status()
        assert answer.json()["rejected"] == [], answer.text[:500]
        landed += answer.json()["accepted"]
    return landed


def requests(now: datetime) -> Iterator[dict[str, Any]]:
    """The same at every run but for the time: long prompts to Claude, some of them to our own model."""
    draw = random.Random(4)
    for n in range(DAYS * A_DAY):
        at = now - timedelta(minutes=n * 24 * 60 / A_DAY + 1)
        ours = n % 3 == 0
        row: dict[str, Any] = {
            "id": f"seed-{n}",
            "started_at": at.isoformat(),
            "provider": "self" if ours else "anthropic",
            "model": "mistral-7b" if ours else "claude-sonnet-4-5",
            "deployment": "mistral-7b" if ours else "claude-sonnet-4-5",
            "application": "support-rag" if n % 2 else "docs-qa",
            "task": TASKS[n % len(TASKS)],
            "outcome": "error" if n % 97 == 0 else "ok",
            "latency_ms": draw.lognormvariate(7.6, 0.4),
            "ttft_ms": draw.lognormvariate(5.8, 0.3),
            "streamed": True,
            "response_id": response_id(n),
            "tokens": {
                "uncached_input": draw.randint(15_000, 25_000),
                "cache_read": draw.randint(0, 4_000),
                "output": draw.randint(1_500, 2_500),
            },
        }
        if n < KEPT_DAYS * A_DAY and n % 2:
            row |= {"prompt": f"May order {n} still be returned?", "answer": f"Yes, order {n} can, for 14 days."}
        yield row


def pairs(url: str, key: str) -> None:
    """Two sides' answers to the same prompts, most of them compared by three people."""
    from django.utils import timezone

    from demo import comparisons
    from demo.client import Client

    client = Client(url, "", threading.Event())
    comparisons.compare(client, key, timezone.now())
    client.close()


def rating_work() -> None:
    """A queue of answers to rate and a set of answers, so that their pages have an address."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from traffic.models import AnswerSet, RatingQueue, SetItem
    from traffic.queues.services import fill, make

    admin = User.objects.get(username="admin")
    queue = RatingQueue(name="Returns", question="Is the answer right?", size=20)
    fill(make(queue, by=admin, raters=[]), timezone.now())
    answers = AnswerSet.objects.create(name="Returns", version=1, by=admin)
    SetItem.objects.create(answer_set=answers, number=1, prompt="May it be returned?", answer="Yes.", acceptable=True)


def records() -> None:
    """An object for every page that is about one and that neither traffic nor vendors bring."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from alerts.models import SavedView
    from costs import savings
    from costs.bill_imports import services as bills
    from costs.models import Closing, Finding
    from demo import contracts, decided, imports, jobs, offers
    from providers.models import Deployment
    from traffic.models import Erasure, Repricing

    now, admin = timezone.now(), User.objects.get(username="admin")
    today, ours = now.date(), Deployment.objects.get(slug="mistral-7b")
    jobs.add_job(jobs.INDEX, "Documentation index", now - timedelta(days=1), now, jobs.DAY, 41.0)
    jobs.open_page()
    offers.add_watches()
    imports.leave_a_draft(now, admin.username)
    decided.decide(now)
    content = contracts.focus_bill(today + timedelta(days=1))
    looked = bills.preview_bill(name=contracts.BILL, content=content, today=today)
    bill, _new = bills.store_bill(name=contracts.BILL, content=content, looked=looked, by=admin)
    assert bills.enter_bill(pk=bill.pk, today=today, user=admin), looked.errors
    invoice = {"amount": 1, "original_amount": 1, "lines": 1, "places": []}
    Closing.objects.create(provider="mistral", month=today.replace(day=1), closed_by=admin, **invoice)
    rented = AccountFactory.create(slug="rented", name="Rented", kind="vast", may_stop=True)
    LeaseSpanFactory.create(
        lease__account=rented, lease__name="bge-m3", lease__state="running", ends_at=now, updated_at=now
    )
    TrialFactory.create(candidate=ours, state="stopped", started_at=now, finished_at=now)
    tomorrow = today + timedelta(days=1)
    Repricing.objects.create(since=today, until=tomorrow, state="done", started_at=now, finished_at=now, by=admin)
    savings.search(now)  # the day's own search would remove what it does not find
    Finding.objects.create(
        key="seed", kind="batch", monthly=9, provider="anthropic", model="claude-sonnet-4-5", task="rag", since=today,
        until=tomorrow, found_at=now, seen_at=now, evidence={"live": 9, "sample": 9, "factor": 0.5},
    )  # fmt: skip
    SavedView.objects.create(owner=admin, name="Dearest first", path="/requests/?sort=-cost")
    Erasure.objects.create(kind="user", by=admin, created_at=now, finished_at=now)


def send_ratings(url: str, key: str, most: int = 80) -> None:
    """Opinions of the users of one application, as it sends them: as good of our answers as of the API's."""
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        for n in range(1, 2 * most, 2):
            judged = {"request_id": response_id(n), "stars": 2 if n % 7 == 0 else 5, "by": f"customer-{n}"}
            client.post("/api/v1/feedback", json=judged).raise_for_status()


def response_id(n: int) -> str:
    return f"msg_01seed{n:016d}"
