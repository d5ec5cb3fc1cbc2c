"""A channel, and a secret in its address."""

from __future__ import annotations

from typing import Any

from alerts.models import Channel
from lib.encryption import encrypt

SECRET = "whsec_" + "c2VjcmV0IG9mIHRlc3Rz"


def channel(address: str, kind: str = "webhook", slug: str = "hook", **more: Any) -> Channel:
    made = {"name": slug, "shown": "there", "local": True, **more}
    return Channel.objects.create(slug=slug, kind=kind, address=encrypt(address), secret=encrypt(SECRET), **made)
