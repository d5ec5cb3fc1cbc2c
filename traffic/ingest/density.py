"""Refuses JSON that would fill memory: a value of two bytes takes fifty and more once it is parsed."""

from __future__ import annotations

from lib.errors import ApiError

MOST_VALUES = 2_000_000  # of one body: 280 MB at most once read; an exporter's batch has some thousands


def refuse_dense(body: bytes) -> None:
    """Raise ApiError (413) where a body may hold too many values, before it is parsed."""
    if body.count(b",") + body.count(b"{") + body.count(b"[") > MOST_VALUES:
        raise ApiError(413, f"The body holds more than {MOST_VALUES:,} values. Send smaller batches.")
