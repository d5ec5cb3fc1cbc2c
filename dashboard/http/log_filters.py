"""What Django itself writes about requests: a line for each, which a stranger can send as often as they like."""

from __future__ import annotations

import logging
import traceback

from django.http import HttpRequest

from lib.client_address import client_address, network
from lib.repeated_events import log_repeated, repeated

logger = logging.getLogger(__name__)

SECURITY = "django.security."


class RefusalsSummed(logging.Filter):
    """Refusals of Django's own (a form without its token, a wrong host) and its answers of 503 become summed events.

    Their lines would name the path, which may be a secret, one for each request. Of a fault of ours the first traceback
    of a minute stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.name.removeprefix(SECURITY)
        if kind == record.name and record.name != "django.request":
            return True
        if kind == record.name and record.exc_info:
            return first_of_its_minute(record.exc_info[1])
        request = getattr(record, "request", None)
        log_repeated(
            logger,
            logging.INFO,
            "request_refused",
            status=getattr(record, "status_code", 400),
            reason="answered_as_refused" if kind == record.name else kind,
            address=(network(client_address(request)) or None) if isinstance(request, HttpRequest) else None,
        )
        return False


def first_of_its_minute(error: BaseException | None) -> bool:
    """Whether no fault of this kind and place was written within the last minute; else it is counted."""
    frames = traceback.extract_tb(error.__traceback__ if error else None)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
    fields: dict[str, object] = {"error": type(error).__name__, "place": place}
    return repeated.add(logger, logging.ERROR, "request_crashed", fields) is not None
