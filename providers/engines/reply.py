"""An answer of an inference server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end. `elapsed_ms` is the time to its headers, name look-up and connect included."""

    url: str
    status: int
    content_type: str
    location: str
    retry_after: str
    body: bytes
    elapsed_ms: float
    tls_expires_at: datetime | None = None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")
