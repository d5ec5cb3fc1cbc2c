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
from datetime import datetime

from alerts.channels.calls import call
from alerts.channels.note import Note
from alerts.models import Channel

PREFIX = "whsec_"


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
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, identifier, timestamp, body),
    }


def post(channel: Channel, note: Note, now: datetime) -> str:
    """One attempt; its answer, `204 No Content` or with the first words of the body. Raises NotSent."""
    body = json.dumps(note.data, ensure_ascii=False, separators=(",", ":")).encode()
    headers = headers_of(channel.secret.reveal(), note.id, int(now.timestamp()), body)
    return call(channel, "POST", body, headers)
