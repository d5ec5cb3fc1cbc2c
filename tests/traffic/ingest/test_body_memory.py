"""What the reading of a body takes of memory, and what of it is left."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import DataError

from lib.errors import ApiError
from traffic.ingest import pipeline
from traffic.ingest.body import LARGE, MOST_UNPACKED, read_body, unpacked_size
from traffic.ingest.store import IngestResult

MIB = 1 << 20


def request_with(content: bytes, encoding: str = "", **variables: object) -> WSGIRequest:
    """A request as the front hands it on."""
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/v1/traces", "wsgi.input": io.BytesIO(content), **variables}
    return WSGIRequest(
        {**environ, "CONTENT_LENGTH": str(len(content)), "HTTP_CONTENT_ENCODING": encoding or "identity"}
    )


def test_a_body_that_was_read_whole_is_copied_by_nobody() -> None:
    content = b"x" * (8 * MIB)
    request = request_with(content)
    tracemalloc.start()
    assert read_body(request, 16 * MIB) == content
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MIB


def test_a_plain_body_over_the_limit_is_413_before_it_is_read() -> None:
    with pytest.raises(ApiError) as refused:
        read_body(request_with(b"x" * 2_000_000), MIB)
    assert refused.value.status == 413


def test_what_held_the_body_lets_it_go_once_it_is_read() -> None:
    request = request_with(b"x" * 1000)
    stream = request.META["wsgi.input"]
    read_body(request, MIB)
    assert stream.closed and request.read() == b""


def test_a_gzip_stream_that_unpacks_to_more_than_it_says_ends_there() -> None:
    """By what it says it was given a place beside others."""
    content = gzip.compress(b"x" * (32 * MIB))
    lie = content[:-4] + (3 * MIB).to_bytes(4, "little")
    assert (unpacked_size(content, "gzip"), unpacked_size(lie, " GZIP")) == (32 * MIB, 3 * MIB)
    assert unpacked_size(content[:-4] + bytes(4), "gzip") == LARGE
    assert unpacked_size(lie, "identity") == unpacked_size(lie, "br") == len(lie)
    request = request_with(lie, "gzip", **{MOST_UNPACKED: 3 * MIB})
    tracemalloc.start()
    with pytest.raises(ApiError) as refused:
        read_body(request, 64 * MIB)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.status == 400 and "larger than the size at its end" in refused.value.detail
    assert peak < 6 * MIB


def test_a_large_batch_is_written_in_parts_and_what_is_refused_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[tuple[int, int]] = []

    def store(rows: Any, **_more: Any) -> IngestResult:
        if not rows:
            return IngestResult(0, 0, [])
        if 17_000 in rows:
            raise DataError
        parts.append((rows[0], len(rows)))
        return IngestResult(len(rows), 0, [])

    monkeypatch.setattr(pipeline, "store", store)
    stored = pipeline.store_apart(range(25_000))  # type: ignore[arg-type]  # nothing looks into a row
    assert (stored.accepted, stored.refused) == (24_999, [17_000])
    assert [first for first, _size in parts] == sorted(first for first, _size in parts)
    assert max(size for _first, size in parts) == pipeline.MOST_AT_ONCE
    parts.clear()
    pipeline.store_apart([])
    pipeline.store_apart(range(10_000))  # type: ignore[arg-type]
    assert parts == [(0, 10_000)]


PROGRAM = """
import psutil
from traffic.ingest.gc_tuning import give_memory_back, tune_interpreter
tune_interpreter()
size = lambda: psutil.Process().memory_info().rss / 2**20
before = size()
parts = [bytes(20_000) + b"x" for number in range(10_000)]  # 190 MiB
pins = [bytes(600) for number in range(1000)]  # behind them: what the heap ends with does not shrink
full = size()
del parts
give_memory_back()
assert full - before > 150, (before, full)
print(size() - before)
"""


def test_what_large_batches_leave_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 40
