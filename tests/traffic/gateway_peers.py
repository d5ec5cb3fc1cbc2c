"""What stands around a gateway in its tests: an engine that does what it is told, and a door to the database."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, Self

from aiohttp import web

from tests.traffic.gateway_openai import beside, calling, response
from tests.traffic.gateway_stores import Stores
from traffic.gateway.protocols import ANTHROPIC, OPENAI

MESSAGE_ID = "msg_01ABCDEFGHIJKLMNOPQRSTUV"
ABOUT_US = {  # of our account at the vendor, and its host
    "anthropic-organization-id": "org-1",
    "openai-organization": "org-2",
    "www-authenticate": "Basic",
    "location": "https://vendor.example/",
    "set-cookie": "session=1",
}
LIMITS = {"anthropic-ratelimit-tokens-limit": "40000", "anthropic-ratelimit-tokens-remaining": "36000"}
COMPLETION_ID = "chatcmpl-0123456789abcdefghij"

NO_ANSWERS: dict[str, Any] = {  # of a model
    "page": {"text": "<html>Sign in to this network</html>", "content_type": "text/html"},
    "events": {"text": "event: ping\ndata: {}\n\n", "content_type": "text/event-stream"},
    "list": {"text": "[1, 2]", "content_type": "application/json"},
    "nothing": {"text": "", "content_type": "application/json"},
    "no-gzip": {"body": b"{}", "headers": {"content-encoding": "gzip"}},
    "302": {"status": 302, "headers": {"location": "/elsewhere"}},
    "999": {"status": 999, "reason": "Odd"},
}


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float = 20) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(timeout_s)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


@cache
def bomb() -> bytes:
    """A small body that inflates to more than anybody takes."""
    return gzip.compress(bytes(65 * 1024 * 1024), 1)


def asked_of(request: web.Request, body: bytes) -> dict[str, Any]:
    """The call's fields; of a form only whether it streams."""
    if request.content_type == "multipart/form-data":
        return {"stream": b'name="stream"\r\n\r\ntrue' in body}
    asked: dict[str, Any] = json.loads(body) if body else {}
    return asked


ANSWERS = itertools.count(1)  # of all engines, whose rows lie in one database


class FakeEngine:
    """An engine that speaks both protocols. `behaviour` says how; `seen` holds what reached it."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.behaviour = "ok"
        self.seen: list[dict[str, Any]] = []
        self.hung_up = threading.Event()  # a caller went away in the middle of an answer
        self.written = 0  # bytes of the last flood
        self.may_end = 0  # how many more of the streams that are "held" may end
        self.stores = Stores()
        self.url = ""
        self.runner: web.AppRunner | None = None

    def start(self, port: int = 0) -> Self:
        self.loop.run(self._start(port))
        return self

    async def _start(self, port: int) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", port)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        if self.runner is not None:
            self.loop.run(self.runner.cleanup())
            self.runner = None

    def let_end(self, streams: int) -> None:
        """Let so many of the streams that are "held" end, whichever."""

        async def add() -> None:
            self.may_end += streams

        self.loop.run(add())

    def reset(self) -> None:
        self.behaviour = "ok"
        self.may_end = 0
        self.seen.clear()
        self.hung_up.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append({"path": request.path_qs, "headers": dict(request.headers), "body": body})
        if self.behaviour in NO_ANSWERS:
            return web.Response(**NO_ANSWERS[self.behaviour])
        try:
            return await self.answer(request, asked_of(request, body))
        except (asyncio.CancelledError, ConnectionResetError):
            self.hung_up.set()
            raise

    async def answer(self, request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        match self.behaviour:
            case "429":
                error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
                return web.json_response(error, status=429, headers={"retry-after": "7"})
            case "500" | "503" | "529":
                return web.json_response({"error": "broken"}, status=int(self.behaviour))
            case "503-once":
                self.behaviour = "ok"
                return web.json_response({"error": "busy"}, status=503)
            case "400":
                error = {"error": {"message": "no", "type": "invalid_request_error", "code": 400}}
                return web.json_response(error, status=400)
            case "drop":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "breaks-off" | "half":
                kind = "application/x-jsonl" if self.behaviour == "breaks-off" else "application/json"
                response = web.StreamResponse(headers={"content-type": kind})
                await response.prepare(request)
                await response.write(b"a part")
                await asyncio.sleep(0.1 if self.behaviour == "breaks-off" else 30)
                assert request.transport is not None
                request.transport.abort()
                return response
            case "silent" | "late":
                await asyncio.sleep(30 if self.behaviour == "silent" else 1)
            case "bomb":
                kind = "text/event-stream" if asked.get("stream") else "application/json"
                return web.Response(body=bomb(), headers={"content-type": kind, "content-encoding": "gzip"})
            case "no-end" | "no-line":
                return await self.without_end(request, streamed=bool(asked.get("stream")))
            case "deep":
                return await self.deep(request, streamed=bool(asked.get("stream")))
            case "long-header":
                return web.json_response({}, headers={"x-long": "x" * 100_000})
        return await self.well(request, asked)

    async def well(self, request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        """The answer of an engine that is well."""
        if (stored := self.stores.answer(request, asked)) is not None:
            return stored
        anthropic = request.path.startswith("/v1/messages")
        if self.behaviour == "calls":
            answer = calling(
                ANTHROPIC if anthropic else OPENAI, self.next_id(MESSAGE_ID), streamed=bool(asked.get("stream"))
            )
            return await self.stream(request, answer) if isinstance(answer, list) else web.json_response(answer)
        if request.path.endswith("count_tokens"):
            return web.json_response({"input_tokens": 12})
        if request.path == "/v1/audio/speech":
            return web.Response(body=b"\xff\xf3 sound", content_type="audio/mpeg")
        if (other := beside(request.path, asked, self.next_id)) is not None:
            if request.path == "/v1/responses" and asked.get("store", True):
                whole = json.loads(other[0].partition(b"data: ")[2])["response"] if isinstance(other, list) else other
                self.stores.objects[whole["id"]] = {**response(whole["id"]), "kind": "responses"}
            return await self.stream(request, other) if isinstance(other, list) else web.json_response(other)
        if asked.get("stream"):
            events = self.anthropic_events() if anthropic else self.openai_events(asked)
            return await self.stream(request, events)
        text = json.dumps(self.message() if anthropic else self.completion(), indent=1)
        return web.Response(
            text=text, content_type="application/json", headers={**ABOUT_US, **LIMITS, "request-id": "req_1"}
        )

    async def without_end(self, request: web.Request, *, streamed: bool) -> web.StreamResponse:
        """An answer that goes on and on; as a stream, without ever ending its line."""
        kind = "text/event-stream" if streamed else "application/json"
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        if self.behaviour == "no-end":
            await response.write(b'{"usage": "')
        self.written = 0
        for _ in range(200):
            await response.write(b"x" * 1_000_000)
            self.written += 1_000_000
        return response

    async def deep(self, request: web.Request, *, streamed: bool) -> web.StreamResponse:
        """An answer that is nested without sense beside its usage."""
        nested = "[" * 10_000 + "]" * 10_000
        if not streamed:
            message = json.dumps({**self.message(), "content": 0}).replace('"content": 0', f'"content": {nested}')
            return web.Response(text=message, content_type="application/json")
        events = self.anthropic_events()
        events.insert(3, f'event: content_block_delta\ndata: {{"delta": {nested}}}\n\n'.encode())
        return await self.stream(request, events)

    def next_id(self, prefix: str) -> str:
        """A response id of its own for each answer of all engines: equal ones would be one request."""
        return f"{prefix[:-6]}{next(ANSWERS):06d}"

    def message(self) -> dict[str, Any]:
        return {
            "id": self.next_id(MESSAGE_ID),
            "type": "message",
            "role": "assistant",
            "model": "whatever",
            "content": [{"type": "text", "text": "Hello."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 20,
                "cache_read_input_tokens": 300,
                "cache_creation_input_tokens": 50,
                "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 10},
                "output_tokens": 7,
            },
        }

    def completion(self) -> dict[str, Any]:
        sound = {"audio": self.sound()} if self.behaviour == "sound" else {}
        return {
            "id": self.next_id(COMPLETION_ID),
            "object": "chat.completion",
            "created": 1,
            "model": "whatever",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."} | sound},
            ],
            "usage": {
                "prompt_tokens": 120,
                "completion_tokens": 9,
                "total_tokens": 129,
                "prompt_tokens_details": {"cached_tokens": 100},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
        }

    def sound(self) -> dict[str, Any]:
        return {"id": f"audio_{next(ANSWERS)}", "data": "aGk=", "transcript": "Hello.", "expires_at": 1}

    def anthropic_events(self) -> list[bytes]:
        start = {**self.message(), "content": []}
        start["usage"] = {**start["usage"], "output_tokens": 1}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo."}},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": 7},
            },
            {"type": "message_stop"},
        ]
        return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]

    def openai_events(self, asked: dict[str, Any]) -> list[bytes]:
        def chunk(**fields: Any) -> dict[str, Any]:
            return {"id": identifier, "object": "chat.completion.chunk", "created": 1, "model": "whatever", **fields}

        def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
            return chunk(choices=[{"index": 0, "delta": delta, "finish_reason": reason}])

        identifier = self.next_id(COMPLETION_ID)
        events = [
            choice({"role": "assistant", "content": None}),
            choice({"content": "Hel"}),
            choice({"content": "lo."} if self.behaviour != "sound" else {"audio": self.sound()}),
        ]
        last = choice({}, "stop")
        if self.behaviour == "timings":
            last["timings"] = {"cache_n": 33, "prompt_n": 5, "predicted_n": 12}
        events.append(last)
        if (asked.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": 38, "completion_tokens": 12, "total_tokens": 50}
            events.append(chunk(choices=[], usage=usage))
        return [*(f"data: {json.dumps(event)}\n\n".encode() for event in events), b"data: [DONE]\n\n"]

    async def stream(self, request: web.Request, events: list[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        if self.behaviour == "flood":
            return await self.flood(response)
        for number, event in enumerate(events):
            if self.behaviour == "endless" and number == 4:
                for _ in range(3000):
                    await response.write(b": ping\n\n")
                    await asyncio.sleep(0.02)
            if self.behaviour == "stalls" and number == 4:
                await asyncio.sleep(30)
            while self.behaviour == "slow" and number == 4:
                await response.write(b": ping\n\n")
                await asyncio.sleep(0.02)
            if self.behaviour == "held" and number == 4:
                while not self.may_end:
                    await response.write(b": ping\n\n")
                    await asyncio.sleep(0.02)
                self.may_end -= 1
            if self.behaviour == "break" and number == 4:
                assert request.transport is not None
                request.transport.abort()
                break
            if self.behaviour == "stream-error" and number == 4:
                error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
                await response.write(f"event: error\ndata: {json.dumps(error)}\n\n".encode())
                break
            # Cut in the middle, as networks do.
            await response.write(event[: len(event) // 2])
            await asyncio.sleep(0.005)
            await response.write(event[len(event) // 2 :])
        return response

    async def flood(self, response: web.StreamResponse) -> web.StreamResponse:
        self.written = 0
        piece = b"data: " + b"x" * 65_000 + b"\n\n"
        for _ in range(1_500):
            await response.write(piece)
            self.written += len(piece)
        return response


class Door:
    """A TCP way to the database that can be shut, or frozen: then it takes what comes and answers nothing."""

    def __init__(self, loop: Loop, host: str, port: int) -> None:
        self.loop = loop
        self.target = (host, port)
        self.open = True
        self.writers: set[asyncio.StreamWriter] = set()
        self.loop.run(self._start())

    async def _start(self) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        if self.target[0].startswith("/"):
            path = f"{self.target[0]}/.s.PGSQL.{self.target[1]}"
            there, back = await asyncio.open_unix_connection(path)
        else:
            there, back = await asyncio.open_connection(*self.target)
        self.writers |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer), return_exceptions=True)
        self.writers -= {writer, back}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()  # also after a reset, which is how a killed process that had not read all of it leaves

    def freeze(self) -> None:
        self.loop.loop.call_soon_threadsafe(self.flowing.clear)

    def thaw(self) -> None:
        self.loop.loop.call_soon_threadsafe(self.flowing.set)

    def shut(self) -> None:
        self.open = False
        for writer in list(self.writers):
            self.loop.loop.call_soon_threadsafe(writer.transport.abort)

    def reopen(self) -> None:
        self.open = True

    def close(self) -> None:
        self.shut()

        async def end() -> None:
            self.server.close()

        self.loop.run(end())
