"""From a call's end to its row in the spool: what callers and engines wrote is looked through in a thread of its own.

The event loop never does that. A row goes to the spool at once where it holds no such text, or none in which anything
could have to be taken out; so most do. Whatever goes wrong with the texts, the row lands, and says what it lacks.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from lib.repeated_events import log_repeated
from traffic.gateway.answers import Answer
from traffic.gateway.bounds import MOST_WAITING
from traffic.gateway.exchange import UNCHECKED, Exchange, figures_of, raw_of
from traffic.gateway.protocols import GatewayRequest
from traffic.gateway.spool import Spool
from traffic.ingest.rows import RequestRow
from traffic.redaction.rules import Redaction

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class UncheckedRow:
    """A row, and the texts that it gets once they are looked through."""

    row: RequestRow
    redaction: Redaction
    raw: dict[str, Any]
    error_type: str | None
    user: str | None
    request: GatewayRequest | None  # None: prompt and answer are not kept
    answer: list[str]
    size: int = 0  # of prompt and answer, about, in bytes


class Recorder:
    """Takes finished calls from the event loop; `record` does not wait."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._queue: SimpleQueue[UncheckedRow | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """Finish what waits."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def begin(self, exchange: Exchange) -> None:
        """Write down that a call begins: should this process die, that is its record."""
        if exchange.recorded:
            self._spool.begin(exchange.begun())

    def record(self, exchange: Exchange, answer: Answer, outcome: str) -> RequestRow | None:
        """Record a call that ended; its row, or None where it is none that is recorded."""
        if not exchange.recorded:
            return None
        row, raw = figures_of(exchange, answer, outcome), raw_of(exchange, answer)
        item = UncheckedRow(
            row=row,
            redaction=exchange.application.redaction,
            raw=raw,
            error_type=answer.error_type,
            user=exchange.request.user,
            request=exchange.request if exchange.keep_bodies else None,
            answer=answer.text,
        )
        if item.request is None and _is_plain(item):
            row.raw, row.error_type = raw, answer.error_type
            self._spool.append(row)
            return row
        self._hold(item, answer.characters)
        self._queue.put(item)
        return row

    def _hold(self, item: UncheckedRow, characters: int) -> None:
        """Count the texts that wait; past the bound the row goes without its own."""
        item.size = len(item.request.body) + characters if item.request else 0
        with self._lock:
            busy = item.size > 0 and self._waiting + item.size > MOST_WAITING
            self._waiting += 0 if busy else item.size
        if busy:
            details = {"call": item.row.external_id}
            log_repeated(logger, logging.WARNING, "texts_not_kept", reason="too_many_wait", details=details)
            item.request, item.answer, item.size = None, [], 0
            _doubt(item.raw)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._spool.append(_with_texts(item))
            except Exception as error:  # whatever the texts do to us, the call is recorded
                _log_not_redacted(item.row, error)
                self._spool.append(_without_texts(item.row))
            with self._lock:
                self._waiting -= item.size


def _log_not_redacted(row: RequestRow, error: Exception) -> None:
    details = {"call": row.external_id}
    kind = type(error).__name__
    log_repeated(logger, logging.ERROR, "texts_not_kept", reason="redaction_failed", error=kind, details=details)


def _is_plain(item: UncheckedRow) -> bool:
    """Whether nothing in it can be such that it must be taken out. Looks, within the bounds of what is kept."""
    try:
        return not item.redaction.needed([item.raw, item.error_type], item.user)
    except RecursionError:
        return False


def _doubt(raw: dict[str, Any]) -> None:
    raw["doubts"] = [*raw.get("doubts", ()), UNCHECKED]


def _with_texts(item: UncheckedRow) -> RequestRow:
    """The row with its texts. Where prompt and answer cannot be checked it goes without them, and says so."""
    row, redaction = item.row, item.redaction
    if item.request is not None:
        try:
            row.prompt = redaction.prompt(item.request.prompt())
            row.answer = redaction.text("".join(item.answer)).replace("\0", "\N{REPLACEMENT CHARACTER}")
        except Exception as error:  # a text is worth less than the rest of its row
            _log_not_redacted(row, error)
            row.prompt = row.answer = None
            _doubt(item.raw)
    row.raw = redaction.tree(item.raw, item.user)
    row.error_type = redaction.optional(item.error_type)
    return row


def _without_texts(row: RequestRow) -> RequestRow:
    row.prompt = row.answer = row.error_type = None
    row.raw = {"doubts": [UNCHECKED]}
    return row
