"""The outbox: at least once, and never again after the server said yes.

A message is claimed by one sender for `CLAIM`, handed over within less than that, and marked in a statement of its own.
A sender that dies leaves its claim behind to expire; what the next one then sends has the same Message-ID.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.channels import deliver_to
from alerts.delivery.compose import compose
from alerts.delivery.grouping import is_throttled, merge_due, split
from alerts.mail.readers import Readers
from alerts.mail.server import has_mail_server
from alerts.mail.smtp import Courier, NotSent, status_of_answer
from alerts.models import Address, Delivery
from lib.events import log_event, ms_since

logger = logging.getLogger(__name__)

CLAIM = timedelta(seconds=45)
# Retried at least every minute for ten minutes: the delay, a tick and a message's deadline together stay below that.
EAGER_FOR = timedelta(minutes=10)
EAGER_DELAY_S = 30
LONGEST_DELAY = timedelta(hours=2)
GIVE_UP_AFTER = timedelta(days=4)
# A server may refuse an address by mistake or by policy once or twice. That there is no such mailbox (RFC 3463: 5.1.x),
# or that it is closed (5.2.1), is meant once and for all.
REFUSALS_TO_DISABLE = 3
NO_SUCH_MAILBOX = re.compile(r"\d{3} 5\.(1\.\d|2\.1\b)")
MARK_FOR_S = 300.0

_running = threading.Lock()
_requested = threading.Event()


@dataclass
class Delivered:
    """What one run of the outbox came to."""

    accepted: int = 0
    failed: int = 0
    dead: int = 0


def deliver(*, seconds: float = 50.0, clock: Callable[[], datetime] = timezone.now) -> Delivered:
    """Send what is due, until nothing is or the time is over. A mail server or channel that does not answer at all is
    left alone until the next run; it keeps nothing from the others.

    In one process one run at a time: a server that hangs must not take the worker's other threads with it. A run that
    another asked for meanwhile looks once more, because it may have looked before the other's message was there.
    """
    done, until, silent = Delivered(), time.monotonic() + seconds, set[str]()
    _requested.set()
    while _requested.is_set() and time.monotonic() < until and _running.acquire(blocking=False):
        try:
            _requested.clear()
            mind_server(clock())
            readers = Readers()
            with Courier() as courier:
                while time.monotonic() < until and (delivery := claim(clock(), silent)):
                    if not _send(delivery, courier, readers, done, clock):
                        silent.add(delivery.route)  # it does not answer at all: the next would only wait as long
        finally:
            _running.release()
    return done


def mind_server(now: datetime) -> None:
    """Set mails that are due apart where no mail server is set up. Once there is one, what was set apart about alerts
    that are still open goes out, as one mail to each person; what is over, and reports, are not sent any more."""
    if not has_mail_server():
        unsent = Delivery.objects.without_server(now).update(state="unsent", answer="")
        if unsent:
            log_event(logger, logging.ERROR, "deliveries_without_server", messages=unsent)
        return
    late = Delivery.objects.unsent_of_open().values_list("pk", flat=True)
    sent = Delivery.objects.filter(pk__in=list(late), state="unsent").update(
        state="waiting", due_at=now, created_at=now, attempts=0, deferred_by="server"
    )
    if sent:
        log_event(logger, logging.INFO, "deliveries_resumed", messages=sent)


def claim(now: datetime, silent: Collection[str] = ()) -> Delivery | None:
    """Take one due message, that nobody else will touch before the claim ends; committed when this returns.

    It is due again at the end of the claim, unless its attempt has come to an end by then.
    """
    with transaction.atomic():
        due = Delivery.objects.due(now).not_by(silent).select_for_update(skip_locked=True, of=("self",))
        marks = {"doubted": Exists(Address.objects.filter(address=OuterRef("recipient"), refusals__gt=0))}
        due = due.select_related("alert__rule", "transition__by", "report").annotate(**marks)
        throttled: list[int] = []
        while (row := due.all().first()) and is_throttled(row, now):
            throttled.append(row.pk)  # it is due later now
        merged = 0
        if row is not None:
            merged = merge_due(row, now)
            row.state, row.attempts = "sending", row.attempts + 1
            Delivery.objects.filter(pk=row.pk).update(state=row.state, due_at=now + CLAIM, attempts=row.attempts)
    for pk in throttled:
        log_event(logger, logging.INFO, "delivery_throttled", delivery_id=pk)
    if row is not None and merged:
        log_event(logger, logging.INFO, "deliveries_merged", delivery_id=row.pk, merged=merged)
    return row


def _send(
    delivery: Delivery, courier: Courier, readers: Readers, done: Delivered, clock: Callable[[], datetime]
) -> bool:
    """One message; False where the server could not be talked to, so that the next would only wait as long."""
    by_mail, started = delivery.channel == "email", time.perf_counter()
    try:
        answer = courier.send(compose(delivery, readers)) if by_mail else deliver_to(delivery, clock())
    except NotSent as error:
        return _not_sent(delivery, error, done, clock(), ms_since(started))
    except Exception as error:  # one message that cannot be written must not hold up the others
        log_event(logger, logging.ERROR, "delivery_crashed", **fields_of(delivery), exc_info=error)
        done.failed += 1
        _mark(delivery, **postponed(delivery, f"could not be written: {error}", clock()))
        return True
    done.accepted += 1
    _mark(delivery, state="accepted", accepted_at=clock(), answer=answer)
    log_event(logger, logging.INFO, "delivery_accepted", **fields_of(delivery), ms=ms_since(started))
    if delivery.doubted:
        Address.objects.filter(address=delivery.recipient, refusals__gt=0).update(refusals=0)
    return True


def _not_sent(delivery: Delivery, error: NotSent, done: Delivered, now: datetime, ms: int) -> bool:
    answer = str(error)
    if error.permanent:
        done.dead += 1
        columns: dict[str, Any] = {"state": "dead", "answer": answer}
    else:
        done.failed += 1
        columns = postponed(delivery, answer, now)
    _mark(delivery, refused=error.refused, **columns)
    event = "delivery_given_up" if columns["state"] == "dead" else "delivery_failed"
    log_event(
        logger,
        logging.WARNING,
        event,
        **fields_of(delivery),
        status=status_of_answer(answer),
        retry_at=columns.get("due_at"),
        ms=ms,
    )
    if error.refused:
        refused(delivery.recipient, answer, now)
    return error.permanent or (answer[:3].isdigit() and not answer.startswith("421"))


def fields_of(delivery: Delivery) -> dict[str, Any]:
    """What a line of the log says of a message: not to whom it goes, nor what it says."""
    return {
        "delivery_id": delivery.pk,
        "alert_id": delivery.alert_id,
        "report_id": delivery.report_id,
        "channel": delivery.channel,
        "attempt": delivery.attempts,
    }


def postponed(delivery: Delivery, answer: str, now: datetime) -> dict[str, Any]:
    """The columns of a failed attempt: when to try again, or that it is given up."""
    if now - delivery.created_at >= GIVE_UP_AFTER:
        days = {"days": GIVE_UP_AFTER.days, "answer": answer}
        text = _("given up after %(days)s days: %(answer)s") % days
        return {"state": "dead", "answer": text}
    due = now + delay(delivery.attempts, now - delivery.created_at)
    return {"state": "failed", "answer": answer, "due_at": due}


def delay(attempts: int, age: timedelta) -> timedelta:
    """How long to wait after the attempt of this number (1 for the first) at a message of this age."""
    if age < EAGER_FOR:
        return timedelta(seconds=min(EAGER_DELAY_S, 5 * 2 ** min(attempts - 1, 8)))
    # Half its age again, at last hours; spread, so that a thousand do not come at once.
    return min(age / 2, LONGEST_DELAY) * random.uniform(0.8, 1.0)


def refused(address: str, answer: str, now: datetime) -> None:
    """Count a permanent refusal. An address that is not there, or is refused again and again, is disabled, and admins
    are told by a rule."""
    row, _made = Address.objects.get_or_create(address=address)
    Address.objects.filter(pk=row.pk).update(refusals=F("refusals") + 1, refused_at=now, answer=answer)
    most = 1 if NO_SUCH_MAILBOX.match(answer) else REFUSALS_TO_DISABLE
    disabled = Address.objects.filter(pk=row.pk, refusals__gte=most, disabled_at=None).update(disabled_at=now)
    log_event(
        logger,
        logging.WARNING,
        "address_refused",
        address_id=row.pk,
        status=status_of_answer(answer),
        disabled=bool(disabled),
    )


def _mark(delivery: Delivery, *, refused: bool = False, **columns: Any) -> None:
    """Write how an attempt ended, also when the database is away for a while: a yes must not be forgotten.

    Only for the attempt that was claimed; one that came too late changes nothing, except that a yes always counts.
    """
    rows = Delivery.objects.filter(pk=delivery.pk)
    if columns["state"] != "accepted":
        rows = rows.filter(state="sending", attempts=delivery.attempts)
    until = time.monotonic() + MARK_FOR_S
    while True:
        try:
            if columns["state"] != "dead":
                rows.update(**columns)
                return
            with transaction.atomic():
                parts = split(delivery, columns["answer"], refused) if rows.update(**columns) else 0
            if parts:
                log_event(logger, logging.INFO, "deliveries_split", delivery_id=delivery.pk, parts=parts)
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > until:
                raise
            connection.close()
            time.sleep(0.5)
