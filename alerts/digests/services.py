"""Writes digests and statements into the outbox when their morning has come: each once, whoever tries how often."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation

from alerts.digests.mail import stated, words_of
from alerts.digests.periods import LAST_DAY, MAY_SEE, Period, chosen, due, due_at
from alerts.digests.saved import views_in
from alerts.mail import links
from alerts.models import Address, Delivery, Preference, Report, ReportKind
from costs.models import Charge
from lib.events import log_event
from traffic.imports.loading import loading_until
from traffic.models import UsageDay
from traffic.queues.page import waiting_words
from traffic.queues.queries import left_for, names_of

logger = logging.getLogger(__name__)


def write_due(now: datetime) -> int:
    """Everything that is due and not written yet; gives back how many were. An installation without any figure yet
    has nothing to say, and neither has one whose history is being loaded: its periods are not whole yet."""
    reports_due = [
        (person, wishes, kind, period)
        for person, wishes in readers()
        for kind, period in due_reports(person, wishes, now)
    ]
    if not reports_due or loading_until(now) or not (UsageDay.objects.exists() or Charge.objects.exists()):
        return 0
    made = set(
        Report.objects.filter(created_at__gt=now - timedelta(days=40)).values_list("person", "kind", "starts_on")
    )
    final: dict[Period, bool] = {}
    written = 0
    for person, wishes, kind, period in reports_due:
        if (person.pk, kind, period.since) in made or waits(kind, period, wishes, now, final):
            continue
        written += write(person, wishes, kind, period, now)
    return written


def readers() -> list[tuple[Any, Preference]]:
    """Everybody who may see figures and can be written to, with their wishes."""
    refused = {
        address.lower()
        for address in Address.objects.filter(disabled_at__isnull=False).values_list("address", flat=True)
    }
    people = get_user_model().objects.filter(is_active=True).exclude(email="").prefetch_related("groups")
    wishes = {row.person_id: row for row in Preference.objects.all()}
    return [
        (person, wishes.get(person.pk) or Preference(person=person))
        for person in people.order_by("pk")
        if person.email.lower() not in refused and person.has_perm(MAY_SEE)
    ]


def due_reports(person: Any, wishes: Preference, now: datetime) -> list[tuple[str, Period]]:
    """The kinds that a person gets and whose morning has come. Nobody is told of the time before they were here."""
    due_periods = ((kind, due(kind, wishes, now)) for kind in chosen(person, wishes))
    return [(kind, period) for kind, period in due_periods if period and due_at(period, wishes) > person.date_joined]


def waits(kind: str, period: Period, wishes: Preference, now: datetime, final: dict[Period, bool]) -> bool:
    """A statement goes out as soon as nothing may change any more, and on the third in any case."""
    if kind != ReportKind.STATEMENT:
        return False
    third = Period(period.since, period.until + timedelta(days=LAST_DAY - 1))
    if due_at(third, wishes) <= now:
        return False
    if period not in final:
        final[period] = stated(period, now).final
    return not final[period]


def write(person: Any, wishes: Preference, kind: str, period: Period, now: datetime) -> int:
    """One report and its message; 0 where somebody else wrote it meanwhile."""
    with translation.override(wishes.language), timezone.override(ZoneInfo(wishes.timezone)):
        words = words_of(kind, period, now) | {"views": views_in(kind, person), "ratings": rating_work(kind, person)}
    with transaction.atomic():
        report, made = Report.objects.get_or_create(
            person=person, kind=kind, starts_on=period.since,
            defaults={"ends_on": period.until, "words": words, "created_at": now},
        )  # fmt: skip
        if not made:
            return 0
        delivery = Delivery.objects.create(
            report=report, recipient=person.email, due_at=now, message_id=message_id(kind, period, person.email)
        )
    log_event(
        logger,
        logging.INFO,
        "report_written",
        report_id=report.pk,
        delivery_id=delivery.pk,
        kind=kind,
        since=period.since.isoformat(),
    )
    return 1


def rating_work(kind: str, person: Any) -> list[list[str]]:
    """The queues in which answers wait for this person: name, how many, path; a statement has none."""
    left = left_for(person) if kind != ReportKind.STATEMENT and person.has_perm("traffic.add_rating") else {}
    return [[name, waiting_words(left[pk]), f"{reverse('traffic:rate')}?queue={pk}"] for pk, name in names_of(left)]


def message_id(kind: str, period: Period, recipient: str) -> str:
    """The same for every attempt: of the kind, its period and the reader."""
    digest = hashlib.sha256(f"{kind} {period.since} {recipient.lower()}".encode()).hexdigest()[:20]
    return f"<{kind}.{period.since:%Y%m%d}.{digest}@{links.host()}>"
