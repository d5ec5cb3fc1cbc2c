"""Reads and decompresses a request body under our own limits, before and after decompression."""

from __future__ import annotations

import io
import struct
import zlib

from django.http import HttpRequest

from lib.errors import ApiError

CHUNK = 1 << 16
# Telemetry shrinks to a twentieth; what shrinks to less than this is made to fill memory. Small bodies may.
MAX_RATIO, RATIO_FROM = 250, 4 << 20
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
UNPACKED = struct.Struct("<I")  # the end of a gzip stream: how large it was
# Bytes that JSON takes once it is read, for each that protobuf takes.
JSON_WEIGHS = 4
LARGE = 1 << 20  # bytes, unpacked; of less nobody asks how much it will take
MOST_UNPACKED = "breakeven.most_unpacked"  # in the variables of a request: what was reckoned with


def unpacked_size(content: bytes, encoding: str) -> int:
    """The most bytes that a body unpacks to: as a gzip stream says itself, else as many as `inflate` lets it."""
    window = WINDOWS.get(encoding.strip().lower())
    if window is None:
        return len(content)
    if window == WINDOWS["gzip"] and len(content) >= UNPACKED.size:
        return max(LARGE, int(UNPACKED.unpack(content[-UNPACKED.size :])[0]))
    return max(RATIO_FROM, MAX_RATIO * len(content))


def weight_of(unpacked: int, *, is_json: bool) -> int:
    """What so many bytes weigh against others that are worked on at once; 0 for few."""
    return unpacked * (JSON_WEIGHS if is_json else 1) if unpacked > LARGE else 0


def read_body(request: HttpRequest, limit: int) -> bytes:
    """The decompressed body. Raises ApiError: 413 past `limit` bytes, 415 for another encoding, 400 if broken."""
    try:
        return decompressed(request, limit)
    finally:
        # A request is in circles (its lazy user and its messages point back at it): until garbage is looked for, which
        # is seldom here, the body would stay with what it was read from.
        request.META["wsgi.input"].close()
        request.META["wsgi.input"] = vars(request)["_stream"] = io.BytesIO()


def decompressed(request: HttpRequest, limit: int) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return read_plain(request, limit)
    if encoding not in WINDOWS:
        raise ApiError(415, f"Content-Encoding {encoding!r} is not supported. Send identity, gzip or deflate.")
    return inflate(request, limit, WINDOWS[encoding], request.META.get(MOST_UNPACKED))


def read_plain(request: HttpRequest, limit: int) -> bytes:
    if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
        raise too_large(limit)
    body: bytes = request.read()  # at once: what the front has read whole is not copied then
    return body


def inflate(request: HttpRequest, limit: int, window: int, most: int | None = None) -> bytes:
    """Decompress as it comes in, so that a bomb is noticed at the limit and not in memory; `most` is what a place was
    taken for."""
    machine = zlib.decompressobj(window)
    parts: list[bytes] = []
    size = compressed_size = 0
    try:
        while chunk := request.read(CHUNK):
            compressed_size += len(chunk)
            if machine.eof:
                raise ApiError(400, "Something follows the compressed body. Send one stream.")
            # What is behind the end of the stream stays in `unconsumed_tail` for ever.
            while chunk and not machine.eof:
                part = machine.decompress(chunk, CHUNK)
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                if most is not None and size > most:
                    raise ApiError(400, "The compressed body is larger than the size at its end.")
                if size > RATIO_FROM and size > MAX_RATIO * compressed_size:
                    raise ApiError(
                        413, f"The body unpacks to more than {MAX_RATIO} times its size. Send smaller batches."
                    )
                parts.append(part)
                chunk = machine.unconsumed_tail
        parts.append(machine.flush())
    except zlib.error:
        raise ApiError(400, "The body does not match its Content-Encoding.") from None
    if not machine.eof:
        raise ApiError(400, "The compressed body ends too early.")
    if machine.unused_data:
        raise ApiError(400, "Something follows the compressed body. Send one stream.")
    return b"".join(parts)


def too_large(limit: int) -> ApiError:
    return ApiError(413, f"The body is larger than {limit >> 20} MiB after decompression. Send smaller batches.")
