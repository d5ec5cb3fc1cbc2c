"""Files to import, and what came of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from traffic.imports import files, run, services
from traffic.imports.base import Options
from traffic.models import Import

RECORDED = Path(__file__).parent / "recorded"

# Days ago, and behind the 12th of its month: 11.03.2027 may be in March or in November, and people are asked which.
DAY = next(day for back in range(3, 20) if (day := (datetime.now(UTC) - timedelta(days=back)).date()).day > 12)

WRITTEN_ON = "2026-10-05"  # the day of the recorded files


def recorded(name: str) -> bytes:
    """A recorded file, its day moved to where requests are still kept."""
    text = (RECORDED / f"import_{name}").read_bytes().decode()
    text = text.replace("2026-10-06", f"{DAY + timedelta(days=1)}")
    return text.replace(WRITTEN_ON, f"{DAY}").replace("05.10.2026", f"{DAY:%d.%m.%Y}").encode()


def brought(content: bytes, name: str = "file.csv", options: Options | None = None, **given: Any) -> Import:
    """A draft of this file."""
    source = files.folder() / "given"
    source.write_bytes(content)
    path, size, digest = files.take_in(source)
    made, new = services.bring_in(path=path, name=name, size=size, sha256=digest, options=options, **given)
    assert new
    return made


def finished(imported: Import) -> Import:
    """Started, and worked on until nothing is left to do."""
    assert services.start(imported=imported)
    while run.work(imported.pk):
        pass
    imported.refresh_from_db()
    return imported


HEADER = b"timestamp,model,provider,prompt_tokens,completion_tokens,latency_ms,request_id\n"


def lines(count: int, start: int = 0, width: int = 0) -> bytes:
    began = datetime(DAY.year, DAY.month, DAY.day, 23, 59, tzinfo=UTC)  # over midnight
    made = (
        f"{began + timedelta(milliseconds=200 * n):%Y-%m-%dT%H:%M:%S.%f}Z,claude-test,anthropic,{100 + n % 7},{n % 11},"
        f"{5 + n % 90},call-{n:0{width}d}\n"
        for n in range(start, start + count)
    )
    return HEADER + "".join(made).encode()


def sent(client: Client, content: bytes, name: str = "calls.csv") -> Any:
    return client.post("/settings/imports/", {"file": SimpleUploadedFile(name, content)})
