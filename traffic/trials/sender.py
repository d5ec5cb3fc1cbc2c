"""Sends a step's calls: one event loop with as many streams as the step's concurrency. It touches no database.

Addresses are judged, redirects are not followed and answers are bounded as for every call to an engine
(`providers.engines.client`); what an answer says is read as the gateway reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from providers.engines import engine_of
from providers.engines.base import Engine, Target
from providers.engines.client import EngineClient, Stream
from providers.engines.faults import Fault
from traffic.conversation import turns
from traffic.gateway.answers import Answer, StreamTap, read_answer
from traffic.gateway.bounds import TooMuch
from traffic.gateway.protocols import ANTHROPIC, OPENAI, Protocol

CALL_S = 120.0  # of one call, from its first byte to its last
MOST_BYTES = 16 * 1024 * 1024  # of one streamed answer
GATHER_S = 0.5  # between two reads of a stream after its first token; its end is seen at once
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 4.0  # of a stream after an error, doubled with each further one
STOP_S = 10.0  # for the loop to end
PATHS: dict[Protocol, str] = {ANTHROPIC: "/v1/messages", OPENAI: "/v1/chat/completions"}
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may be sent: the key of its row and the body as its target reads it."""

    key: int
    body: dict[str, Any]


@dataclass(slots=True)
class Result:
    """How a call went. Times are milliseconds; None is unknown. `sent_at` is of the sender's clock, in seconds.

    `unpaid`: no model can have worked for it, since nothing was sent or the call was refused (4xx).
    """

    key: int
    protocol: Protocol
    started_at: datetime
    sent_at: float
    outcome: str = "error"
    status: int | None = None
    error: str | None = None
    unpaid: bool = False
    ttft_ms: float | None = None
    latency_ms: float = 0.0
    answer: Answer = field(default_factory=Answer)

    @property
    def text(self) -> str:
        return "".join(self.answer.text)


def protocol_of(engine: Engine) -> Protocol:
    """What a trial speaks with an engine: OpenAI's chat completions wherever it serves them."""
    return OPENAI if OPENAI in engine.protocols else ANTHROPIC


def body_of(protocol: Protocol, model: str, prompt: str, answer_tokens: int) -> dict[str, Any]:
    """The body of a streamed call. `prompt` is a text, or messages as a stored body has them; parts that are no text
    are named by their kind."""
    messages = [
        {"role": turn.role if turn.role in ROLES else "user", "content": turn.text}
        for turn in turns(prompt)
        if turn.text.strip()
    ]
    body: dict[str, Any] = {"model": model, "max_tokens": answer_tokens, "stream": True}
    if protocol == ANTHROPIC:
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        body["messages"] = [message for message in messages if message["role"] != "system"]
        return body | ({"system": system} if system else {})
    return body | {"messages": messages, "stream_options": {"include_usage": True}}


def uncached(engine: str, key: int) -> dict[str, Any]:
    """Fields with which a call reads nothing from the engine's cache: a prompt that is sent again would come too early.

    vLLM shares its prefixes only among calls of one salt. An older one ignores the field.
    """
    fields: dict[str, dict[str, Any]] = {
        "llamacpp": {"cache_prompt": False}, "vllm": {"cache_salt": f"trial-call-{key}"}
    }  # fmt: skip
    return fields.get(engine, {})


class Sender:
    """A thread with an event loop. Use as a context manager; `put` and `take` are for the thread that made it."""

    def __init__(self, target: Target, engine: str, streams: int) -> None:
        self.target = target
        self.engine = engine_of(engine)
        self.protocol = protocol_of(self.engine)
        self.streams = streams
        self._waiting: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run, name="trial", daemon=True)
        self.under_way = 0  # calls that are put and not taken; of the thread that made it

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.cancel()
        self._thread.join(STOP_S)

    def put(self, calls: Iterable[Call]) -> None:
        """Calls to be sent in this order, as streams become free."""
        for call in calls:
            self.under_way += 1
            self._waiting.put(call)
        self._loop.call_soon_threadsafe(self._wake.set)

    def take(self, seconds: float) -> list[Result]:
        """What has ended; waits so long for the first of them."""
        results: list[Result] = []
        try:
            results.append(self._results.get(timeout=max(seconds, 0)))
            while True:
                results.append(self._results.get_nowait())
        except queue.Empty:
            self.under_way -= len(results)
            return results

    def withdraw(self) -> list[int]:
        """Keys of the calls that no stream has begun; they are not sent any more."""
        keys = []
        try:
            while True:
                keys.append(self._waiting.get_nowait().key)
        except queue.Empty:
            self.under_way -= len(keys)
            return keys

    def cancel(self) -> None:
        """End the calls under way at once. Their results say so."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with EngineClient(connections=self.streams) as client:
            self._tasks = [self._loop.create_task(self._stream(client)) for _number in range(self.streams)]
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _stream(self, client: EngineClient) -> None:
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            call = await self._next()
            result = Result(call.key, self.protocol, datetime.now(UTC), time.monotonic())
            try:
                await self._send(client, call, result)
            except asyncio.CancelledError:
                result.outcome = "cancelled"
                raise
            finally:
                result.latency_ms = (time.monotonic() - result.sent_at) * 1000
                self._results.put(result)
            failed = result.outcome != "ok"
            pause = min(max(pause * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S) if failed else 0.0

    async def _next(self) -> Call:
        while True:
            self._wake.clear()
            try:
                return self._waiting.get_nowait()
            except queue.Empty:
                await self._wake.wait()

    async def _send(self, client: EngineClient, call: Call, result: Result) -> None:
        """Fills the result; never raises but for CancelledError."""
        url = self.engine.url(self.target, PATHS[self.protocol])
        headers, local = self.engine.headers(self.target), self.target.local
        if local:  # small servers close a kept connection while a call is sent, and a new one costs little nearby
            headers = {**headers, "Connection": "close"}
        try:
            async with asyncio.timeout(CALL_S):
                for attempt in (1, 2):
                    try:
                        async with client.stream(url, headers=headers, body=call.body, local=local) as stream:
                            result.status = stream.status
                            await self._read(stream, result)
                            return
                    except Fault as fault:
                        if attempt == 2 or fault.sent:  # what was sent may be paid for, and is not sent twice
                            raise
                        result.sent_at = time.monotonic()
        except TimeoutError:
            result.outcome, result.error = "timeout", "timeout"
        except Fault as fault:
            result.error, result.unpaid = fault.cause, not fault.sent
        except TooMuch as error:
            result.error = str(error)
        except Exception as error:  # whatever an engine sends must not end the stream
            result.error = type(error).__name__

    async def _read(self, stream: Stream, result: Result) -> None:
        if stream.status != 200 or stream.response.content_type != "text/event-stream":
            reply = await stream.reply()
            result.answer = read_answer(self.protocol, reply.body, with_text=True)
            result.outcome = "ok" if stream.status == 200 and result.answer.error_type is None else "error"
            result.error = None if result.outcome == "ok" else result.answer.error_type or f"HTTP {stream.status}"
            result.unpaid = 400 <= stream.status < 500
            return
        tap, size = StreamTap(self.protocol, with_text=True), 0
        content = stream.response.content
        async for chunk in content.iter_any():
            size += len(chunk)
            if size > MOST_BYTES:
                raise TooMuch(f"an answer of more than {MOST_BYTES:,} bytes")
            tap.feed(chunk)
            if result.ttft_ms is None and tap.content_seen:
                result.ttft_ms = (time.monotonic() - result.sent_at) * 1000
            if tap.content_seen:  # tokens between the first and the last have no time of their own
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GATHER_S):
                        await content.wait_eof()
        result.answer = tap.finish()
        if result.answer.error_type is None and tap.ended:
            result.outcome = "ok"
        else:
            result.error = result.answer.error_type or "incomplete_stream"
