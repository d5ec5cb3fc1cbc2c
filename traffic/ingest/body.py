"""Reads and decompresses a request body under our own limits, before and after decompression."""

from __future__ import annotations

import io
import zlib

from django.http import HttpRequest

from lib.errors import ApiError

CHUNK, PLAIN_CHUNK = 1 << 16, 1 << 20
# Telemetry shrinks to a twentieth; what shrinks to less than this is made to fill memory. Small bodies may.
MAX_RATIO, RATIO_FROM = 250, 4 << 20
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def read_body(request: HttpRequest, limit: int) -> bytes:
    """The decompressed body. Raises ApiError: 413 past `limit` bytes, 415 for another encoding, 400 if broken."""
    try:
        return decompressed(request, limit)
    finally:
        # A request is in circles (its lazy user and its messages point back at it): until garbage is looked for, which
        # is seldom here, the body would stay with what it was read from.
        request.META["wsgi.input"] = vars(request)["_stream"] = io.BytesIO()


def decompressed(request: HttpRequest, limit: int) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return read_plain(request, limit)
    if encoding not in WINDOWS:
        raise ApiError(415, f"Content-Encoding {encoding!r} is not understood; send identity, gzip or deflate.")
    return inflate(request, limit, WINDOWS[encoding])


def read_plain(request: HttpRequest, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := request.read(PLAIN_CHUNK):
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        parts.append(chunk)
    return b"".join(parts)


def inflate(request: HttpRequest, limit: int, window: int) -> bytes:
    """Decompress as it comes in, so that a bomb is noticed at the limit and not in memory."""
    machine = zlib.decompressobj(window)
    parts: list[bytes] = []
    size = compressed_size = 0
    try:
        while chunk := request.read(CHUNK):
            compressed_size += len(chunk)
            if machine.eof:
                raise ApiError(400, "Something follows the compressed body; send one stream.")
            # What is behind the end of the stream stays in `unconsumed_tail` for ever.
            while chunk and not machine.eof:
                part = machine.decompress(chunk, CHUNK)
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                if size > RATIO_FROM and size > MAX_RATIO * compressed_size:
                    raise ApiError(
                        413, f"The body unpacks to more than {MAX_RATIO} times its size; send smaller batches."
                    )
                parts.append(part)
                chunk = machine.unconsumed_tail
        parts.append(machine.flush())
    except zlib.error:
        raise ApiError(400, "The body is not what its Content-Encoding says.") from None
    if not machine.eof:
        raise ApiError(400, "The compressed body ends too early.")
    if machine.unused_data:
        raise ApiError(400, "Something follows the compressed body; send one stream.")
    return b"".join(parts)


def too_large(limit: int) -> ApiError:
    return ApiError(413, f"The body is larger than {limit >> 20} MiB after decompression; send smaller batches.")
