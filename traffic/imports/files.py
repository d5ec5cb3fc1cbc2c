"""Where uploaded files lie, and how they get there: streamed to disk and hashed on the way, never whole in memory."""

from __future__ import annotations

import os
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

MAX_BYTES = 10 << 30
CHUNK = 1 << 20
STALE_S = 24 * 3600


def folder() -> Path:
    """Web and workers share it; nobody else may look."""
    path = Path(settings.DATA_DIR) / "imports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def path_of(pk: int) -> Path:
    return folder() / f"{pk}.data"


def drop_file(pk: int) -> None:
    path_of(pk).unlink(missing_ok=True)


def drop_stale() -> int:
    """Uploads that nobody finished; returns how many went."""
    old = [path for path in folder().glob("upload-*") if path.stat().st_mtime < time.time() - STALE_S]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def take_in(source: Path) -> tuple[Path, int, str]:
    """A copy of a file of this machine, and its size and hash."""
    digest, size = sha256(), 0
    descriptor, name = tempfile.mkstemp(prefix="upload-", dir=folder())
    with os.fdopen(descriptor, "wb") as into, source.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            into.write(chunk)
    return Path(name), size, digest.hexdigest()


class Streamed(UploadedFile):  # type: ignore[type-arg]  # generic only for the type checker
    """An upload on disk; whoever takes it moves `path`."""

    def __init__(self, file: Any, name: str, path: Path, size: int, digest: str) -> None:
        super().__init__(file, name, "application/octet-stream", size)
        self.path = path
        self.sha256 = digest


class ToDisk(FileUploadHandler):
    """Django's hook for uploads: past the limit the connection is closed."""

    chunk_size = CHUNK

    def __init__(self, limit: int = MAX_BYTES) -> None:
        super().__init__()
        self.limit = limit
        self.size = 0
        self.path: Path | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        descriptor, name = tempfile.mkstemp(prefix="upload-", dir=folder())
        self.path, self.file, self.digest, self.size = Path(name), os.fdopen(descriptor, "wb"), sha256(), 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.size += len(raw_data)
        if self.size > self.limit:
            self.upload_interrupted()
            raise StopUpload(connection_reset=True)
        self.digest.update(raw_data)
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> Streamed:
        assert self.path is not None, "new_file made it"
        self.file.flush()
        return Streamed(self.file, self.file_name or "", self.path, self.size, self.digest.hexdigest())

    def upload_interrupted(self) -> None:
        if self.path is not None:
            self.file.close()
            self.path.unlink(missing_ok=True)
