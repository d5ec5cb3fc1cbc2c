"""Decompresses an answer for the gateway's own reading; the caller gets the compressed bytes.

Engines are asked not to compress, so this is for those that do it all the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from traffic.gateway.bounds import MOST_ANSWER, MOST_EVENT, TooMuch

ANY_ZLIB = 47  # gzip's header or zlib's, whichever comes


def inflater(encoding: str, most: int = MOST_EVENT) -> Callable[[bytes], bytes]:
    """A function that inflates a body piece by piece; of an unknown or broken encoding it makes nothing.

    It raises TooMuch where one piece inflates to more than `most` bytes.
    """
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return lambda piece: b""
    decompressor: zlib._Decompress | None = zlib.decompressobj(ANY_ZLIB)

    def inflate(piece: bytes) -> bytes:
        nonlocal decompressor
        try:
            plain = decompressor.decompress(piece, most) if decompressor else b""
        except zlib.error:
            decompressor = None
            return b""
        if decompressor and decompressor.unconsumed_tail:
            raise TooMuch(f"{len(piece):,} bytes inflate to more than {most:,}")
        return plain

    return inflate


def inflated(encoding: str | None, body: bytes) -> bytes:
    """A whole body as it was before its compression. Raises TooMuch."""
    return body if not encoding or encoding == "identity" else inflater(encoding, MOST_ANSWER)(body)
