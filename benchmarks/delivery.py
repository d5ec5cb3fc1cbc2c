"""Mail: a thousand messages from the outbox, beside the bare server; and from a crossing to the server's yes, by the
worker and beat of a stack as people run it."""

from __future__ import annotations

import asyncio
import json
import random
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from benchmarks.figures import Figure
from benchmarks.stack import running
from dashboard.embedded.servers import free_port

MANY = 1_000
READERS = 10  # of each alert
CROSSINGS = 20
EVALUATED_EVERY_S = 15
SERVER = "from benchmarks.delivery import serve; serve({port})"


def measure() -> list[Figure]:
    with serving() as port, running(EMAIL_URL=f"smtp://127.0.0.1:{port}") as stack:
        stack.python("from benchmarks.delivery import people; people()")
        waits = json.loads(stack.python("from benchmarks.delivery import cross; cross()").splitlines()[-1])
        took, bare = json.loads(stack.python(f"from benchmarks.delivery import drain; drain({port})").splitlines()[-1])
    waits.sort()
    p95 = waits[round(0.95 * (len(waits) - 1))]
    return [
        Figure(f"{MANY:,} messages of the outbox accepted", took, "s", bare, "bare smtplib, one connection", "<= 60 s"),
        Figure("from a crossing to the server's yes, p95", p95, "s", float(EVALUATED_EVERY_S),
               "between two evaluations", f"<= {EVALUATED_EVERY_S + 5} s"),
    ]  # fmt: skip


def people() -> None:
    """Somebody in ops who is also an admin."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    person = get_user_model().objects.create_user("bench", "bench@example.com")
    person.groups.add(*Group.objects.filter(name__in=("ops", "admin")))


def cross() -> None:
    """Print the seconds from each of some crossings at random moments to the acceptance of its mail, as JSON.

    Of two kinds, ten each: more of one within ten minutes would be told in one mail.
    """
    from alerts.models import Address, Delivery

    wait_for_rules()
    chance = random.Random(1)
    crossed = {}
    for n in range(CROSSINGS):
        time.sleep(chance.uniform(1, 5))
        subject = missed_job(n) if n % 2 else refused_address(n)
        crossed[subject] = time.time()
    until = time.monotonic() + 120
    told: dict[str, float] = {}
    while len(told) < CROSSINGS and time.monotonic() < until:
        time.sleep(1)
        rows = Delivery.objects.filter(state="accepted", alert__subject__in=crossed, transition__after="open")
        told = {
            row.alert.subject: row.accepted_at.timestamp() for row in rows.select_related("alert") if row.accepted_at
        }
    if len(told) < CROSSINGS:
        raise RuntimeError(f"{len(told)} of {CROSSINGS} were told: {Delivery.objects.by_state()}")
    Address.objects.all().delete()
    print(json.dumps([told[subject] - at for subject, at in crossed.items()]))  # noqa: T201  # the bench reads it


def wait_for_rules() -> None:
    from django.utils import timezone

    from alerts.evaluation import queries

    until = time.monotonic() + 60
    while queries.is_late(timezone.now()) and time.monotonic() < until:
        time.sleep(0.5)


def missed_job(n: int) -> str:
    from django.utils import timezone

    from providers.models import Heartbeat, HeartbeatState

    Heartbeat.objects.create(
        slug=f"bench-{n}", name=f"bench {n}", state=HeartbeatState.DOWN, state_since=timezone.now()
    )
    return f"heartbeat:bench-{n}"


def refused_address(n: int) -> str:
    from django.utils import timezone

    from alerts.models import Address

    now = timezone.now()
    Address.objects.create(address=f"bench-{n}@example.org", refusals=1, refused_at=now, disabled_at=now)
    return f"address:bench-{n}@example.org"


def drain(port: int) -> None:
    """Print how long this process takes for a thousand messages that wait, and for as many bare ones, as JSON."""
    from alerts.delivery import outbox
    from alerts.models import Delivery

    fill()
    left = Delivery.objects.filter(alert__subject__startswith="bench-").exclude(state="accepted")
    started = time.perf_counter()
    while left.exists():
        outbox.deliver()  # the stack's own worker takes its share
        if time.perf_counter() - started > 300:
            raise RuntimeError(f"{left.count()} messages were not accepted: {Delivery.objects.by_state()}")
        time.sleep(0.05)
    took = time.perf_counter() - started
    print(json.dumps([took, bare(port)]))  # noqa: T201  # the bench reads it


def now() -> Any:
    from django.utils import timezone

    return timezone.now()


def fill() -> None:
    """Alerts that tell ten people each, everybody once: nobody's flood."""
    from alerts.models import Alert, Delivery, Rule, Transition

    at = now()
    rule = Rule.objects.get(slug="price")
    for n in range(MANY // READERS):
        alert = Alert.objects.create(
            rule=rule, kind="price", subject=f"bench-{n}", title="Price changed: bench, $3", state="open",
            severity="info", value="3", threshold="2", pending_since=at, opened_at=at,
            words={"todo": "Nothing to do.", "facts": [["A", "$3", "b"]]},
        )  # fmt: skip
        opened = Transition.objects.create(
            alert=alert, before="", after="open", at=at, cause="crossed", title=alert.title
        )
        Delivery.objects.bulk_create(
            Delivery(
                alert=alert, transition=opened, recipient=f"bench-{n}-{who}@example.com",
                due_at=at - timedelta(seconds=1), message_id=f"<{alert.pk}.{who}@example.com>",
            )
            for who in range(READERS)
        )  # fmt: skip


def bare(port: int) -> float:
    """Seconds of as many messages of such a size over one connection."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "bench"
    message.set_content("x" * 70 + "\n")
    message.add_alternative("y" * 20_000, subtype="html")
    started = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for _ in range(MANY):
            server.send_message(message)
    return time.perf_counter() - started


# The server, in a process of its own.


@contextmanager
def serving() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVER.format(port=port)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield port
    finally:
        process.terminate()
        process.wait(10)


def serve(port: int) -> None:
    """Takes all mail and keeps none, until it is ended; says a line when it listens."""
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_session, "127.0.0.1", port)
    print("listening", flush=True)  # noqa: T201  # the bench waits for it
    async with server:
        await server.serve_forever()


async def _session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 bench\r\n")
    while line := await reader.readline():
        word = line[:4].upper().strip()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            while await reader.readline() not in (b".\r\n", b""):
                pass
        writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 2.0.0 taken\r\n")
        if word == b"QUIT":
            break
    writer.close()
