"""A line in the log for each batch that is refused as a whole."""

from __future__ import annotations

import logging

from django.http import HttpRequest

from lib.errors import ApiError
from lib.events import log_event
from traffic.authentication.keys import Caller
from traffic.authentication.limits import Buckets

logger = logging.getLogger(__name__)

# The sender's key or pace is at fault, not what it sent: unknown keys are counted, and told in the audit log.
EXPECTED = frozenset({401, 403, 429})
_repeated = Buckets()  # one line a minute for each key: a sender that goes on must not fill the log


def log_refused(request: HttpRequest, way: str, error: ApiError) -> None:
    """Write `batch_refused`. The sentence that the sender reads is left out, for it may quote what was sent."""
    caller: Caller | None = getattr(request, "shown_key", None)
    if error.status in (429, 503) and caller is not None and _repeated.take(caller.key_id, 1):
        return
    log_event(
        logger,
        logging.INFO if error.status in EXPECTED else logging.WARNING,
        "batch_refused",
        way=way,
        status=error.status,
        application=caller.application if caller else None,
        key_id=caller.key_id if caller else None,
        bytes=request.META.get("CONTENT_LENGTH") or None,
        retry_after_s=error.retry_after or None,
    )
