"""What the log has of batches that are refused as a whole."""

from __future__ import annotations

import logging

from django.http import HttpRequest

from lib.client_address import client_address, network
from lib.errors import ApiError
from lib.repeated_events import log_repeated
from traffic.authentication.keys import Caller

logger = logging.getLogger(__name__)

# The sender's key or pace is at fault, not what it sent: unknown keys are counted, and told in the audit log.
EXPECTED = frozenset({401, 403, 429})


def log_refused(request: HttpRequest, way: str, error: ApiError) -> None:
    """Write `batch_refused`. The sentence that the sender reads is left out, for it may quote what was sent."""
    caller: Caller | None = getattr(request, "shown_key", None)
    log_repeated(
        logger,
        logging.INFO if error.status in EXPECTED else logging.WARNING,
        "batch_refused",
        way=way,
        status=error.status,
        application=caller.application if caller else None,
        key_id=caller.key_id if caller else None,
        address=None if caller else network(client_address(request)) or None,
        details={
            "bytes": request.META.get("CONTENT_LENGTH") or None,
            "retry_after_s": error.retry_after or None,
        },
    )
