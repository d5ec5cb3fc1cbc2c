"""Stores of exports: a folder below the operator's folder, or a bucket with the S3 API. A file appears whole or not."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from django.utils.translation import gettext as _

from costs.models import ExportTarget
from lib.encryption import SecretUnreadable
from lib.netguard import AddressRefused, pin

TEST_NAME, TEST = "breakeven-test.txt", b"Breakeven can write here.\n"
REGION = "us-east-1"  # what S3 servers without regions call themselves
TIMEOUT = urllib3.Timeout(connect=5, read=30)
SHOWN = 300


class StoreError(Exception):
    """Nothing was written; the text is a sentence that says why."""


class Store(Protocol):
    def put(self, name: str, content: bytes) -> None:
        """Write a file in place of the one of that name. Raises StoreError."""


def store_of(target: ExportTarget) -> Store:
    return Folder(target.folder) if target.kind == ExportTarget.Kind.FOLDER else Bucket(target)


def try_out(target: ExportTarget) -> str:
    """Write a small test file; returns a sentence about the result. Raises StoreError."""
    store = store_of(target)
    store.put(TEST_NAME, TEST)
    if isinstance(store, Folder):
        (store.path / TEST_NAME).unlink(missing_ok=True)
        return _("%(place)s can be written to.") % {"place": store.path}
    return _("%(place)s accepted the file %(name)s.") % {"place": target.place, "name": TEST_NAME}


def folder_below(folder: str) -> Path:
    """The path of a folder inside the operator's. Raises StoreError for a path that leads out of it."""
    root = Path(settings.EXPORTS_DIR).resolve()
    path = (root / folder).resolve()
    if not path.is_relative_to(root):
        raise StoreError(_("The folder must lie below %(root)s.") % {"root": root})
    return path


class Folder:
    """A folder; a file is renamed into place when complete, so that nobody reads half of one."""

    def __init__(self, folder: str) -> None:
        self.path = folder_below(folder)

    def put(self, name: str, content: bytes) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            part = self.path / f".{name}.part"
            part.write_bytes(content)
            part.replace(self.path / name)
        except OSError as error:
            message = _("%(place)s cannot be written to: %(why)s.")
            raise StoreError(message % {"place": self.path, "why": error.strerror}) from None


class GuardedPool(urllib3.PoolManager):
    """Connects only to addresses that netguard allows, and follows no redirect; TLS still checks the host name."""

    def __init__(self, *, local: bool) -> None:
        super().__init__(timeout=TIMEOUT, retries=urllib3.Retry(1, redirect=0))
        self.local = local

    def connection_from_host(
        self, host: str | None, port: int | None = None, scheme: str | None = "http", pool_kwargs: Any = None
    ) -> Any:
        there = pin(f"{scheme}://{host}:{port}", local=self.local)
        address = min(there.addresses, key=lambda resolved: ":" in resolved)
        named = {"server_hostname": there.host, "assert_hostname": there.host} if scheme == "https" else {}
        return super().connection_from_host(address, port, scheme, {**(pool_kwargs or {}), **named})

    def urlopen(self, method: str, url: str, redirect: bool = False, **more: Any) -> Any:  # type: ignore[override]  # never True
        return super().urlopen(method, url, redirect=False, **more)


class Bucket:
    """An S3 bucket. Needs the extra `s3` (minio's client), which the default lock leaves out."""

    def __init__(self, target: ExportTarget) -> None:
        if find_spec("minio") is None:
            raise StoreError(_("Buckets need the extra “s3”: install breakeven[s3], or export to a folder."))
        from minio import Minio

        self.target = target
        parts = urlsplit(target.endpoint)
        try:
            secret = target.secret.reveal()
        except SecretUnreadable as error:
            raise StoreError(str(error)) from None
        try:
            self.client = Minio(
                parts.netloc,
                access_key=target.access_key,
                secret_key=secret,
                secure=parts.scheme == "https",
                region=target.region or REGION,
                http_client=GuardedPool(local=target.local),
            )
        except ValueError as error:
            raise StoreError(_("This is not the address of a store: %(why)s.") % {"why": error}) from None

    def put(self, name: str, content: bytes) -> None:
        from minio.error import MinioException, S3Error

        key = "/".join(part for part in (self.target.prefix.strip("/"), name) if part)
        try:
            self.client.put_object(self.target.bucket, key, io.BytesIO(content), len(content))
        except AddressRefused as refused:
            raise StoreError(str(refused)) from None
        except S3Error as error:
            message = _("The store refused it: %(code)s, %(why)s")
            raise StoreError(message % {"code": error.code, "why": error.message}) from None
        except urllib3.exceptions.MaxRetryError as error:
            raise StoreError(_("The store did not answer: %(why)s") % {"why": str(error.reason)[:SHOWN]}) from None
        except (MinioException, urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise StoreError(f"{type(error).__name__}: {error}"[:SHOWN]) from None
