"""Sends a call to its targets, passes the answer on byte by byte, and writes down what happened.

The caller's bytes come first: whatever cannot be parsed or recorded never changes what is passed on.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from providers.reach import GuardedResolver, IPAddress, literal, may_reach
from traffic.gateway.answers import Answer, StreamTap, read_answer
from traffic.gateway.exchange import Exchange, Headers, row_of
from traffic.gateway.inflate import inflated, inflater
from traffic.gateway.protocols import ANTHROPIC, Protocol, error_body
from traffic.gateway.routes import Target
from traffic.gateway.spool import Spool

Send = Callable[[dict[str, Any]], Awaitable[None]]

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding"
    b" upgrade".split()
)
# Not the vendor's business: who called whom, the caller's own credentials and accounts. Encodings: see `_headers_for`.
KEPT_FROM_TARGETS = HOP_BY_HOP | frozenset(
    b"host content-length expect accept-encoding authorization x-api-key cookie forwarded via x-real-ip"
    b" openai-organization openai-project".split()
)
# About the vendor's host, not ours; the server sets its own date.
KEPT_FROM_CALLERS = HOP_BY_HOP | frozenset(b"set-cookie alt-svc strict-transport-security server date".split())

LARGE_BODY = 1024 * 1024  # bytes; aiohttp writes larger ones in pieces only from a file


class Unanswered(Exception):
    """No target answered; `code` and the message are for the caller."""

    def __init__(self, status: int, code: str, message: str, outcome: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.outcome = outcome


class NotReached(Exception):
    """A target's name leads to an address where we do not go. No OSError, which aiohttp would hide in its own."""


class HangUp:
    """Ends a task when its caller goes away. Looked for only after a moment: most calls are over before."""

    LOOK_AFTER_S = 0.05

    def __init__(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self.happened = False
        self._receive = receive
        call = asyncio.current_task()
        assert call is not None
        self.call: asyncio.Task[None] = call
        self._watch: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(self.LOOK_AFTER_S, self._start)

    def _start(self) -> None:
        self._watch = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.happened = True
        self.call.cancel()

    def stop(self) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()


class Relay:
    """Passes exchanges on over one pool of kept-alive connections. To be made inside the event loop."""

    def __init__(self, spool: Spool, *, idle_timeout_s: float, connect_timeout_s: float) -> None:
        self._spool = spool
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s, sock_read=idle_timeout_s)
        # Two pools: a connection that a local target may use is never handed to one that is not.
        self._sessions = {local: _session(timeout, local=local) for local in (False, True)}

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def run(self, exchange: Exchange, send: Send, hang_up: HangUp) -> None:
        """Pass one call on and its answer back. Raises CancelledError when `hang_up` or the server ends it."""
        try:
            upstream = await self._open(exchange)
        except Unanswered as failure:
            self._record(exchange, Answer(error_type=failure.code), failure.outcome)
            await self._refuse(exchange, failure, send)
            return
        except asyncio.CancelledError:
            self._record(exchange, Answer(error_type=_reason(hang_up)), "cancelled")
            raise
        try:
            if upstream.content_type == "text/event-stream":
                await self._pass_stream(exchange, upstream, send, hang_up)
            else:
                await self._pass_whole(exchange, upstream, send, hang_up)
        finally:
            if not upstream.closed:
                upstream.close()

    async def _open(self, exchange: Exchange) -> aiohttp.ClientResponse:
        """The first target's answer that is none of 429 and 5xx, else the last one's, whatever it is."""
        last = len(exchange.decision.targets) - 1
        for number, target in enumerate(exchange.decision.targets):
            exchange.target = target
            try:
                upstream = await self._ask(exchange, target)
            except aiohttp.ServerTimeoutError as error:
                if not isinstance(error, aiohttp.ConnectionTimeoutError):
                    # It may be at work on the call still; asking another one too would pay twice.
                    raise Unanswered(
                        504, "upstream-timeout", f"{target.slug} did not answer in time.", "timeout"
                    ) from error
                exchange.tries.append({"deployment": target.slug, "error": "connect_timeout"})
            except NotReached:
                exchange.tries.append({"deployment": target.slug, "error": "address_refused"})
            except (aiohttp.ClientError, OSError) as error:
                exchange.tries.append({"deployment": target.slug, "error": type(error).__name__})
            else:
                if number == last or not (upstream.status == 429 or upstream.status >= 500):
                    exchange.status = upstream.status
                    return upstream
                exchange.tries.append({"deployment": target.slug, "status": upstream.status})
                upstream.release()
        raise Unanswered(502, "upstream-unreachable", _unreached(exchange), "error")

    async def _ask(self, exchange: Exchange, target: Target) -> aiohttp.ClientResponse:
        body = exchange.asked.with_model(target.model)
        session = self._sessions[target.local]
        if (address := literal(target.url)) is not None:
            _judge(target.slug, address, local=target.local)
        for attempt in (1, 2):
            try:
                return await session.post(
                    _url(target, exchange.path),
                    data=body if len(body) < LARGE_BODY else io.BytesIO(body),
                    headers=_headers_for(target, exchange),
                    allow_redirects=False,
                )
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # A kept-alive connection that the engine closed in the same moment: once more over a new one.
                if attempt == 2:
                    raise
        raise AssertionError("the second attempt returns or raises")

    async def _pass_whole(
        self, exchange: Exchange, upstream: aiohttp.ClientResponse, send: Send, hang_up: HangUp
    ) -> None:
        try:
            body = await upstream.read()
        except asyncio.CancelledError:
            self._record(exchange, Answer(error_type=_reason(hang_up)), "cancelled")
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = _broken(exchange, error)
            self._record(exchange, Answer(error_type=failure.code), failure.outcome)
            await self._refuse(exchange, failure, send)
            return
        plain = inflated(upstream.headers.get("Content-Encoding"), body)
        answer = read_answer(exchange.asked.protocol, plain, with_text=exchange.keep_bodies)
        failed = upstream.status >= 400
        if failed and answer.error_type is None:
            answer.error_type = f"http_{upstream.status}"
        self._record(exchange, answer, "error" if failed else "ok")
        await _start(send, exchange, upstream)
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _pass_stream(
        self, exchange: Exchange, upstream: aiohttp.ClientResponse, send: Send, hang_up: HangUp
    ) -> None:
        tap = StreamTap(exchange.asked.protocol, with_text=exchange.keep_bodies)
        listen = _listener(tap, upstream.headers.get("Content-Encoding"))
        try:
            await _start(send, exchange, upstream)
            async for chunk in upstream.content.iter_any():
                listen(chunk)
                if exchange.ttft_ms is None and tap.content_seen:
                    exchange.ttft_ms = exchange.elapsed_ms()
                # Waits while the caller reads slowly; aiohttp then stops reading from the engine as well.
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except asyncio.CancelledError:
            self._record_stream(exchange, tap, "cancelled", _reason(hang_up))
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = _broken(exchange, error)
            self._record_stream(exchange, tap, failure.outcome, failure.code)
            return  # without the last chunk, so that the caller sees that the answer broke off
        self._record_stream(exchange, tap, "error", "incomplete_stream")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _record_stream(self, exchange: Exchange, tap: StreamTap, outcome: str, error_type: str) -> None:
        """Record a stream that ended like this, unless it said itself that it was whole, or what went wrong."""
        answer = tap.finish()
        if answer.error_type is not None or (exchange.status or 0) >= 400:
            outcome = "error"
        elif tap.ended:
            outcome = "ok"
        else:
            answer.error_type = error_type
        self._record(exchange, answer, outcome)

    def _record(self, exchange: Exchange, answer: Answer, outcome: str) -> None:
        if exchange.recorded:
            self._spool.append(row_of(exchange, answer, outcome))

    async def _refuse(self, exchange: Exchange, failure: Unanswered, send: Send) -> None:
        protocol = exchange.asked.protocol
        await send_error(send, protocol, failure.status, failure.code, str(failure), exchange.own_headers)


def _session(timeout: aiohttp.ClientTimeout, *, local: bool) -> aiohttp.ClientSession:
    resolver = GuardedResolver(partial(_judge, local=local))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, resolver=resolver),
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def _judge(host: str, address: IPAddress, *, local: bool) -> None:
    """Refuse an address inside our own network unless the target is marked as local. Raises NotReached."""
    if not may_reach(address, local=local):
        raise NotReached(f"{host} leads to {address}")


def _reason(hang_up: HangUp) -> str:
    return "caller_hung_up" if hang_up.happened else "gateway_stopped"


def _names(exchange: Exchange) -> str:
    return " and ".join(target.slug for target in exchange.decision.targets)


def _unreached(exchange: Exchange) -> str:
    inside = [one["deployment"] for one in exchange.tries if one.get("error") == "address_refused"]
    said = f"{_names(exchange)} could not be reached."
    where = f" {' and '.join(inside)}: only a deployment that is marked as local may be at a private address."
    return said + where if inside else said


def _broken(exchange: Exchange, error: BaseException) -> Unanswered:
    """What to say of an answer that ended before its end."""
    slug = exchange.target.slug if exchange.target else "The engine"
    if isinstance(error, TimeoutError):
        return Unanswered(504, "upstream-timeout", f"{slug} fell silent within its answer.", "timeout")
    return Unanswered(502, "upstream-broke-off", f"{slug} broke off within its answer.", "error")


def _listener(tap: StreamTap, encoding: str | None) -> Callable[[bytes], None]:
    """What feeds the tap. An engine that compresses unasked is inflated for the tap alone."""
    if not encoding or encoding == "identity":
        return tap.feed
    inflate = inflater(encoding)
    return lambda chunk: tap.feed(inflate(chunk))


_urls: dict[tuple[str, str, str], URL] = {}


def _url(target: Target, path: str) -> URL:
    """A path below the target's base address, which people paste with and without `/v1`."""
    key = (target.url, target.engine, path)
    url = _urls.get(key)
    if url is None:
        base = target.url.rstrip("/")
        if target.engine == "openai_compatible" and urlsplit(base).path:
            url = URL(base + path.removeprefix("/v1"), encoded=True)
        else:
            url = URL(base.removesuffix("/v1") + path, encoded=True)
        if len(_urls) > 10_000:  # a caller may put anything into a query
            _urls.clear()
        _urls[key] = url
    return url


def _headers_for(target: Target, exchange: Exchange) -> list[tuple[str, str]]:
    """The caller's headers but for those that are ours or theirs alone, with the target's own key.

    Nothing is asked to be compressed: usage is read as the bytes pass by, and that must not cost an inflation.
    """
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in exchange.headers
        if name not in KEPT_FROM_TARGETS and not name.startswith((b"x-breakeven-", b"x-forwarded-"))
    ]
    headers.append(("accept-encoding", "identity"))
    if target.api_key:
        if target.engine == ANTHROPIC:
            headers.append(("x-api-key", target.api_key))
        else:
            headers.append(("authorization", f"Bearer {target.api_key}"))
    return headers


async def _start(send: Send, exchange: Exchange, upstream: aiohttp.ClientResponse) -> None:
    """Pass the status and headers of an answer on, with ours."""
    headers = [
        (lower, value)
        for name, value in upstream.raw_headers
        if (lower := name.lower()) not in KEPT_FROM_CALLERS and not lower.startswith(b"x-breakeven-")
    ]
    headers += exchange.own_headers
    await send({"type": "http.response.start", "status": upstream.status, "headers": headers})


async def send_error(
    send: Send,
    protocol: Protocol,
    status: int,
    code: str,
    message: str,
    headers: Headers = (),
) -> None:
    """An error of our own, in the shape of the caller's protocol."""
    body = error_body(protocol, status, code, message)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"x-breakeven-error", code.encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
