"""A signed POST, as https://www.standardwebhooks.com describes it, so that receivers find a library that checks it.

webhook-id: 41.97.6f1c0a2b…            the same at every attempt: whoever has seen it has the alert already
webhook-timestamp: 1795600000          of this attempt; older than five minutes is a replay
webhook-signature: v1,BASE64           HMAC-SHA256 of "id.timestamp.body" with the channel's secret
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from datetime import datetime
from http import HTTPStatus

import httpx
from django.utils.translation import gettext as _

from alerts.channels import Gone
from alerts.channels.note import Note
from alerts.models import Channel
from alerts.smtp import NotSent
from providers.netguard import AddressRefused, PinnedTransport, pin

PREFIX = "whsec_"
TIMEOUT = httpx.Timeout(8.0, connect=5.0)
LONGEST_ANSWER_S = 12.0  # a server that drips bytes stays below every read timeout
MOST_BYTES = 2000  # of an answer; enough to see what it says
SHOWN = 300


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The bytes that sign: what the base64 after `whsec_` stands for; any other text as it is."""
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            pass  # somebody's own text that happens to begin so
    return secret.encode()


def signature(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """`v1,…` of one attempt."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def headers_of(secret: str, identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "user-agent": "breakeven",
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, identifier, timestamp, body),
    }


def post(channel: Channel, note: Note, now: datetime) -> str:
    """One attempt; its answer, `204 No Content` or with the first words of the body. Raises NotSent."""
    url = channel.address.reveal()
    body = json.dumps(note.data, ensure_ascii=False, separators=(",", ":")).encode()
    headers = headers_of(channel.secret.reveal(), note.id, int(now.timestamp()), body)
    try:
        if not channel.local and not url.startswith("https:"):
            raise AddressRefused(_("A webhook's address begins with https: over http anybody on the way could read."))
        transport = PinnedTransport(pin(url, local=channel.local))
        with (
            httpx.Client(transport=transport, timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            answer, status = said(response), response.status_code
    except httpx.TimeoutException:
        raise NotSent(_("It did not answer within %(n)s s.") % {"n": f"{TIMEOUT.read:g}"}) from None
    except AddressRefused as refused:
        raise NotSent(str(refused)) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        raise NotSent(f"{type(error).__name__}: {error}"[:SHOWN]) from None
    if status == HTTPStatus.GONE:
        raise Gone(answer)
    if not response.is_success:
        raise NotSent(answer)
    return answer


def said(response: httpx.Response) -> str:
    """Status and first words; where a redirect would have led, for it is not followed."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.has_redirect_location:
        host = httpx.URL(response.headers["location"]).host or "?"
        return _("%(status)s to %(host)s; redirects are not followed") % {"status": status, "host": host}
    started, body = time.monotonic(), b""
    for part in response.iter_raw():
        body += part
        if len(body) >= MOST_BYTES or time.monotonic() - started > LONGEST_ANSWER_S:
            break
    words = " ".join(body[:MOST_BYTES].decode("utf-8", "replace").split())
    return f"{status}: {words[:SHOWN]}" if words else status
