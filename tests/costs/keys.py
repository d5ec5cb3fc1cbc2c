"""A key of usage."""

from __future__ import annotations

from traffic.authentication.keys import create_key


def key() -> dict[str, str]:
    return {"authorization": f"Bearer {create_key(name='reader', scopes=['read'])[1]}"}
