"""The demo's mailbox: the Maildir that its SMTP sink writes to, read message by message."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings

NAME = re.compile(r"^[A-Za-z0-9.,:=_+-]{1,200}$")
MOST = 200  # newest first; a demo that runs for months keeps more than anyone reads


@dataclass(frozen=True, slots=True)
class File:
    """Something that came with a message; `cid` where its HTML shows it."""

    name: str
    kind: str
    content: bytes
    cid: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as the page shows it; `html` is empty where there is none."""

    name: str
    at: datetime
    to: str
    sender: str
    subject: str
    text: str
    html: str
    headers: list[tuple[str, str]]
    parts: list[File] = field(default_factory=list)

    @property
    def files(self) -> list[File]:
        """What came beside it, and is not shown in it."""
        return [part for part in self.parts if not part.cid]

    @property
    def with_pictures(self) -> str:
        """Its HTML with its own pictures in it; no other is loaded."""
        html = self.html
        for part in self.parts:
            if part.cid and part.kind == "image/png":
                html = html.replace(
                    f"cid:{part.cid}", f"data:image/png;base64,{base64.b64encode(part.content).decode()}"
                )
        return html


def folder() -> Path:
    return Path(settings.DATA_DIR) / "mail"


def newest(most: int = MOST) -> list[Mail]:
    """The newest messages; one that cannot be read is left out."""
    paths = [path for name in ("new", "cur") for path in (folder() / name).glob("*") if path.is_file()]
    paths.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    return [mail for path in paths[:most] if (mail := read(path))]


def find(name: str) -> Mail | None:
    """A message by its file name; None for what is none, and for every name that could lead elsewhere."""
    if not NAME.fullmatch(name) or name.startswith("."):
        return None
    for part in ("new", "cur"):
        path = folder() / part / name
        if path.is_file():
            return read(path)
    return None


def read(path: Path) -> Mail | None:
    try:
        content = path.read_bytes()
    except OSError:  # moved or removed since it was listed
        return None
    return of_message(content, path)


def of_message(content: bytes, path: Path | None = None) -> Mail:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return Mail(
        name=path.name if path else "",
        at=moment(message, path),
        to=str(message.get("To", "")),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        text=part(message, "plain"),
        html=part(message, "html"),
        headers=[(key, str(value)) for key, value in message.items()],
        parts=list(parts(message)),
    )


def parts(message: EmailMessage) -> Iterator[File]:
    """Everything but its texts."""
    for part in message.walk():
        if part.is_multipart() or (part.get_content_maintype() == "text" and not part.get_filename()):
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            cid = str(part.get("Content-ID", "")).strip("<> ")
            yield File(part.get_filename() or "file", part.get_content_type(), content, cid)


def part(message: EmailMessage, kind: str) -> str:
    """The text of the first part of a kind; what cannot be decoded is empty."""
    body = message.get_body(preferencelist=(kind,))
    try:
        return str(body.get_content()) if body is not None else ""
    except (LookupError, ValueError):
        return ""


def moment(message: EmailMessage, path: Path | None) -> datetime:
    try:
        date = parsedate_to_datetime(str(message.get("Date", "")))
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path else datetime.now(UTC)
