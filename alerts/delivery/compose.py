"""One delivery as an e-mail: about one alert, about several that were merged, or a report."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone, translation

from alerts.charts.chart import chart_of
from alerts.delivery import grouping
from alerts.digests import mail as report_mail
from alerts.mail.alert_mail import bodies, headers_of
from alerts.mail.readers import Reader, Readers
from alerts.models import Delivery


def compose(delivery: Delivery, readers: Readers | None = None) -> EmailMultiAlternatives:
    """The message of a delivery, in its reader's language and zone; the same words for every attempt at it.

    Who writes many gives the readers that it knows already.
    """
    reader = (readers or Readers()).of(delivery.recipient)
    with translation.override(reader.wishes.language), timezone.override(ZoneInfo(reader.wishes.timezone)):
        return _written(delivery, reader)


def _written(delivery: Delivery, reader: Reader) -> EmailMultiAlternatives:
    if delivery.report_id:
        return report_mail.message(delivery)
    chart = None
    if delivery.deferred_by and delivery.folded.exists():
        title, text, html = grouping.bodies(delivery)
    else:
        chart = chart_of(delivery)
        title, text, html = bodies(delivery, reader, chart)
    message = EmailMultiAlternatives(
        subject=title,
        body=text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[delivery.recipient],
        headers=headers_of(delivery),
    )
    message.attach_alternative(html, "text/html")
    if chart:
        message.mixed_subtype = "related"  # type: ignore[attr-defined]  # no stub knows it; the picture belongs to the text and is no file beside it
        message.attach(chart.part)
    return message
