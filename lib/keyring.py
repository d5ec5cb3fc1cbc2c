"""The installation's keys: the first encrypts, every one decrypts, so that one takes another's place while all runs.

No Django here: the gateway's process reads deployments' keys by it as well.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet

from lib.events import log_event

logger = logging.getLogger(__name__)

Keys = tuple[str, ...]


def split(text: str) -> Keys:
    """The keys of a variable or a file, separated by commas or lines; the first is the one that encrypts."""
    return tuple(key for key in re.split(r"[\s,]+", text) if key)


@lru_cache(maxsize=16)
def cipher(keys: Keys) -> MultiFernet:
    """Raises ValueError where there is no key, or one is none."""
    if not keys:
        raise ValueError("There is no key.")
    return MultiFernet([Fernet(key) for key in keys])


def mark(key: str) -> str:
    """A fingerprint that tells keys apart; the key is 32 random bytes, so nobody finds it from this."""
    return hashlib.sha256(b"breakeven " + key.encode()).hexdigest()[:16]


def with_more(keys: Sequence[str], more: Sequence[str]) -> Keys:
    """The keys and then those that are not among them yet."""
    return tuple(dict.fromkeys((*keys, *more)))


class KeyFile:
    """The keys of a file, read anew whenever it is another one: a rotation reaches processes that run."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._keys = self._ever = split(text)
        self._seen: tuple[int, int, int] | None = None

    def keys(self) -> Keys:
        """As they are now; the last ones where the file is away."""
        try:
            status = self.path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                self._keys, self._seen = split(self.path.read_text()) or self._keys, seen
                self._ever = with_more(self._keys, self._ever)
        except OSError as error:
            log_event(logger, logging.WARNING, "key_file_unreadable", path=self.path, error=error.strerror)
        return self._keys

    def readable(self) -> Keys:
        """And those that this process has seen before: what it has in memory may be older than the file."""
        self.keys()
        return self._ever
