"""A file that needs a key to be written or read, processed as a stream: AES-256-GCM in numbered chunks.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015). The file begins with a line that names its kind
and an unencrypted header, a line of JSON. Then follow chunks of 1 MiB, each encrypted and authenticated separately: the
nonce is the chunk's number and a mark of the last one, and the header is authenticated with each chunk. So a chunk that
was changed, exchanged, left out or cut off is detected, and its content is not returned. Each file has its own key
(HKDF of the installation's key with 16 random bytes), so that no nonce is used twice with the same key.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Sequence
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lib.keyring import mark

MAGIC = b"breakeven-backup-2\n"
CHUNK = 1 << 20  # bytes of plaintext
TAG = 16  # bytes of the authentication tag, by which an encrypted chunk is longer
LONGEST_HEADER = 1 << 16


class Damaged(Exception):
    """The file was changed or is incomplete; the text is a sentence."""


class OtherKey(Exception):
    """None of the keys fits the file; `fingerprint` is that of the right key."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(fingerprint)
        self.fingerprint = fingerprint


class Writer:
    """Encrypts what is written to it; the file is complete after `close`. `more` is added to the unencrypted header."""

    def __init__(self, file: IO[bytes], key: str, more: dict[str, Any] | None = None) -> None:
        salt = secrets.token_bytes(16)
        self._header = MAGIC + json.dumps({"key": mark(key), "salt": salt.hex(), **(more or {})}).encode() + b"\n"
        self._cipher = AESGCM(_file_key(key, salt))
        self._file = file
        self._waiting = bytearray()
        self._number = 0
        file.write(self._header)

    def write(self, data: bytes) -> int:
        self._waiting += data
        while len(self._waiting) > CHUNK:  # one chunk is kept back, as the last one needs its mark
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def close(self) -> None:
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), plain, self._header))
        self._number += 1


def header_of(file: IO[bytes]) -> dict[str, Any]:
    """The unencrypted header, which is not authenticated yet; leaves the file at its first chunk. Raises Damaged."""
    return _header(file)[0]


def read(file: IO[bytes], keys: Sequence[str]) -> Iterator[bytes]:
    """The decrypted chunks, each authenticated before it is returned. Raises OtherKey; Damaged, maybe after some."""
    header, raw = _header(file)
    key = next((key for key in keys if mark(key) == header.get("key")), None)
    if key is None:
        raise OtherKey(str(header.get("key", "")))
    try:
        cipher = AESGCM(_file_key(key, bytes.fromhex(header["salt"])))
    except (KeyError, TypeError, ValueError):
        raise Damaged("its header is not whole") from None
    piece, number = file.read(CHUNK + TAG), 0
    while piece:
        following = file.read(CHUNK + TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), piece, raw)
        except InvalidTag:
            raise Damaged(f"its part {number + 1} was changed, or what follows is missing") from None
        piece, number = following, number + 1
    if number == 0:
        raise Damaged("it ends after its header")


def _header(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    magic, line = file.read(len(MAGIC)), file.readline(LONGEST_HEADER)
    try:
        header = json.loads(line) if magic == MAGIC and line.endswith(b"\n") else None
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise Damaged("it does not begin as a backup does")
    return header, magic + line


def _file_key(key: str, salt: bytes) -> bytes:
    material = base64.urlsafe_b64decode(key)
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"breakeven backup 2").derive(material)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
