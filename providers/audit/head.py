"""The last seal of the audit log in a file outside the database, so that an end that is cut off is noticed.

The file `audit.head` in the data directory holds one line, the number of the last seal and its digest. Whoever can
write to the database alone cannot make it fit; whoever can write to both is seen only by a copy that is kept elsewhere
(`manage.py audit` prints the line, and each entry's log line leaves the machine where logs are collected).
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from providers.audit.chain import Head, head
from providers.models import AuditSeal


def path() -> Path | None:
    """The file; None where nothing is to be noted (tests, of which many share one directory)."""
    file: Path | None = settings.AUDIT_HEAD
    return file


def noted() -> Head | None:
    """What was noted last; None where nothing was, or what stands there is no such line."""
    file = path()
    try:
        number, digest = file.read_text().split() if file else ("", "")
        return Head(int(number), digest)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def note(end: Head) -> None:
    """Keep an end of the chain, mode 0600, whole or not at all."""
    file = path()
    if file is None or not end.number:
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".audit.head.{os.getpid()}")
    draft.write_text(f"{end}\n")
    draft.chmod(0o600)
    draft.replace(file)


def note_growth() -> None:
    """Note how far the chain has come, if it holds what was noted before: a note is never overwritten by less."""
    end, before = head(), noted()
    if before is None or (end.number > before.number and holds(before)):
        note(end)


def holds(end: Head) -> bool:
    """Whether the seal that was noted is still there, and the same."""
    seal = AuditSeal.objects.filter(number=end.number).first()
    return end.number == 0 or (seal is not None and bytes(seal.digest).hex() == end.digest)
