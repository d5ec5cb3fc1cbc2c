"""Where batch jobs tell that they ran: no login, the address itself is the secret."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from providers.heartbeats.services import MESSAGE_KEPT
from providers.heartbeats.services import ping as take
from providers.models import Signal

MOST_BYTES = 4 * MESSAGE_KEPT  # of a body as much is read as is kept, the rest is left unread


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ping(request: HttpRequest, ping_id: uuid.UUID, what: str = "success") -> HttpResponse:
    """One ping. `what` is start, success, fail or the job's exit status; plain text for whoever reads logs."""
    signal = signal_of(what)
    message = request.read(MOST_BYTES).decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    taken = signal is not None and take(
        ping_id=ping_id,
        signal=signal,
        now=timezone.now(),
        method=request.method or "GET",
        agent=request.headers.get("User-Agent", "").replace("\0", ""),
        message=message.strip(),
    )
    if not taken:
        return HttpResponse("not found\n", content_type="text/plain", status=404)
    return HttpResponse("ok\n", content_type="text/plain")


def signal_of(what: str) -> Signal | None:
    """`start`, `success`, `fail`, or an exit status of which 0 is good."""
    if what.isdecimal() and len(what) <= 3:
        return Signal.SUCCESS if int(what) == 0 else Signal.FAIL
    return Signal(what) if what in Signal.values else None
