"""The gateway: a raw ASGI application, apart from the web, that answers for every deployment behind one address.

Served by `granian --interface asgi traffic.gateway.app:application`. Importing this imports no Django.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import msgspec

from traffic.gateway.environment import MAX_BODY, SettingMissing, Settings, read_settings
from traffic.gateway.exchange import Exchange
from traffic.gateway.likeness import made_at
from traffic.gateway.protocols import ANTHROPIC, OPENAI, Asked, BadRequest, Protocol, read_request
from traffic.gateway.relay import HangUp, Relay, Send, send_error
from traffic.gateway.routes import Call, Target, decide
from traffic.gateway.snapshot import Application, Key, Snapshot, Snapshots
from traffic.gateway.spool import Mover, Spool
from traffic.gateway.store import Store
from traffic.ingest.ids import request_id
from traffic.interpreter import settle
from traffic.limits import Buckets, seconds_until, too_often

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

TASKS = frozenset({"rag", "qa", "code", "reasoning", "chat", "batch", "vision", "other"})
RELAYED: dict[str, Protocol] = {
    "/v1/messages": ANTHROPIC,
    "/v1/messages/count_tokens": ANTHROPIC,
    "/v1/chat/completions": OPENAI,
}
GRACE_S = 1.0  # for calls under way to tell their usage when the gateway is told to stop
COUNTING = "/v1/messages/count_tokens"


class Refusal(Exception):
    """The gateway itself says no; `code` is the word in `x-breakeven-error`, the message a sentence for the caller."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class CallerGone(Exception):
    """The caller hung up before its request was here."""


class Gateway:
    """One process's gateway; `relay`, `snapshots` and `spool` are there between the start and the end of its life."""

    relay: Relay
    snapshots: Snapshots
    spool: Spool
    mover: Mover

    def __init__(self) -> None:
        # External ids: one of a kind for this process and, by the random part, among all of them.
        self._prefix = f"gw-{secrets.token_hex(8)}-"
        self._numbers = itertools.count(1)
        self._calls: set[asyncio.Task[None]] = set()
        self._buckets = Buckets()

    def start(self, settings: Settings) -> None:
        """Open what lives as long as the process. Raises OSError where the data directory cannot be written."""
        self.spool = Spool(settings.spool_dir)
        self.snapshots = Snapshots(settings.database_url, settings.credentials_key)
        self.mover = Mover(self.spool, settings.database_url, Store())
        self.relay = Relay(
            self.spool, idle_timeout_s=settings.idle_timeout_s, connect_timeout_s=settings.connect_timeout_s
        )
        self.snapshots.start()
        self.mover.start()

    async def stop(self) -> None:
        """End the calls under way, which the server would drop without a word, and move the last rows."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=GRACE_S)
        for call in self._calls:
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls, timeout=GRACE_S)
        await self.relay.close()
        await asyncio.to_thread(self.snapshots.stop)
        await asyncio.to_thread(self.mover.stop)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.start(read_settings())
            settle()
            await self.snapshots.after(None)  # with Postgres away we start all the same, and say 503 until it is back
        except (SettingMissing, OSError) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        protocol = RELAYED.get(path)
        try:
            if protocol is not None and scope["method"] == "POST":
                await self._relay(protocol, scope, receive, send)
            elif path == "/healthz":
                await _send_json(send, {"status": "ok"})
            elif path == "/v1/models" or path.startswith("/v1/models/"):
                await self._models(scope, send)
            elif protocol is not None:
                raise Refusal(405, "method-not-allowed", f"{path} takes POST.", ((b"allow", b"POST"),))
            else:
                raise Refusal(404, "no-such-path", f"The gateway does not serve {path}.")
        except Refusal as refusal:
            shape = protocol or _shape(scope)
            await send_error(send, shape, refusal.status, refusal.code, str(refusal), refusal.headers)
        except CallerGone:
            return

    async def _relay(self, protocol: Protocol, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = perf_counter()
        started_at = datetime.now(UTC)
        headers = dict(scope["headers"])
        snapshot, key = await self._key(headers)
        application = _application(snapshot, key, headers)
        _hold_to_quota(key, started_at)
        body = await _body(headers, receive)
        try:
            asked = read_request(protocol, body)
        except BadRequest as error:
            raise Refusal(400, "bad-request", str(error)) from None
        call = _call(asked, application, headers)
        decision = decide(snapshot.rules, snapshot.targets, call)
        if decision is None:
            raise _nowhere(call, snapshot)
        external_id = f"{self._prefix}{next(self._numbers)}"
        path = scope["path"]
        query = scope["query_string"]
        exchange = Exchange(
            application=application,
            key_id=key.id,
            asked=asked,
            task=call.task,
            path=f"{path}?{query.decode('latin-1')}" if query else path,
            headers=scope["headers"],
            decision=decision,
            request_id=request_id(snapshot.salt, application.id, external_id, started_at.date()),
            salt=snapshot.salt,
            external_id=external_id,
            started_at=started_at,
            arrived=arrived,
            keep_bodies=application.capture_bodies and not _is_on(headers, b"x-breakeven-no-store"),
            recorded=path != COUNTING,
        )
        hang_up = HangUp(receive)
        self._calls.add(hang_up.call)
        try:
            await self.relay.run(exchange, send, hang_up)
        except asyncio.CancelledError:
            if not hang_up.happened:
                raise
        finally:
            hang_up.stop()
            self._calls.discard(hang_up.call)

    def _snapshot(self) -> Snapshot:
        snapshot = self.snapshots.latest
        if snapshot is None:
            raise Refusal(
                503, "not-ready", "The gateway has not read its keys and routes yet.", ((b"retry-after", b"1"),)
            )
        return snapshot

    async def _key(self, headers: dict[bytes, bytes]) -> tuple[Snapshot, Key]:
        """The caller's key. Raises Refusal where it is missing, unknown, revoked, expired, or not for the gateway."""
        snapshot = self._snapshot()
        texts = [text for text in (headers.get(b"x-api-key"), _bearer(headers)) if text]
        if not texts:
            raise Refusal(401, "no-key", "A key is needed, in x-api-key or as a bearer token.")
        key = snapshot.key(texts)
        if key is None:  # it may have been made a moment ago
            snapshot = await self.snapshots.after(snapshot) or snapshot
            key = snapshot.key(texts)
        if key is None or (key.expires_at is not None and key.expires_at <= datetime.now(UTC)):
            raise Refusal(401, "unknown-key", "This key is unknown, revoked or expired.")
        if "gateway" not in key.scopes:
            raise Refusal(403, "wrong-scope", "This key may not use the gateway: it lacks the scope `gateway`.")
        self.snapshots.used(key)
        if key.per_minute is not None and (wait := self._buckets.take(key.line, key.per_minute)):
            raise _too_much("rate-limit", too_often(key.per_minute), wait)
        return snapshot, key

    async def _models(self, scope: Scope, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal(405, "method-not-allowed", "/v1/models takes GET.", ((b"allow", b"GET"),))
        headers = dict(scope["headers"])
        snapshot, key = await self._key(headers)
        application = _application(snapshot, key, headers)
        models = [_model(target) for target in snapshot.models(application.slug)]
        wanted = scope["path"].removeprefix("/v1/models").removeprefix("/")
        if not wanted:
            first, last = (models[0]["id"], models[-1]["id"]) if models else (None, None)
            await _send_json(
                send, {"object": "list", "data": models, "has_more": False, "first_id": first, "last_id": last}
            )
            return
        for model in models:
            if model["id"] == wanted:
                await _send_json(send, model)
                return
        raise Refusal(404, "no-such-model", f"No deployment that this key reaches serves {wanted}.")


def _hold_to_quota(key: Key, now: datetime) -> None:
    """Raises Refusal where the key's quota was used up when keys were last read."""
    if key.spent_until is not None and key.spent_until > now:
        wait = seconds_until(key.spent_until, now)
        raise _too_much("quota", f"This key's quota of {key.quota} is used up.", wait)


def _too_much(code: str, message: str, wait: int) -> Refusal:
    return Refusal(429, code, message, ((b"retry-after", str(wait).encode()),))


def _bearer(headers: dict[bytes, bytes]) -> bytes:
    scheme, _, text = headers.get(b"authorization", b"").partition(b" ")
    return text.strip() if scheme.lower() == b"bearer" else b""


def _application(snapshot: Snapshot, key: Key, headers: dict[bytes, bytes]) -> Application:
    """Who the call is for. Raises Refusal where the key may not speak for the application named."""
    named = headers.get(b"x-breakeven-application", b"").decode("latin-1").strip()
    if key.application is not None:
        if named and named != key.application.slug:
            raise Refusal(403, "other-application", f"This key belongs to {key.application.slug}, not to {named}.")
        return key.application
    if not named:
        return NOBODY
    try:
        return snapshot.applications[named]
    except KeyError:
        raise Refusal(400, "unknown-application", f"There is no application {named}.") from None


NOBODY = Application(id=None, slug="", capture_bodies=False, budget_state="unknown")


def _call(asked: Asked, application: Application, headers: dict[bytes, bytes]) -> Call:
    task = headers.get(b"x-breakeven-task", b"other").decode("latin-1").strip().lower()
    if task not in TASKS:
        raise Refusal(400, "unknown-task", f"x-breakeven-task must be one of {', '.join(sorted(TASKS))}.")
    return Call(
        asked=asked,
        application=application.slug,
        task=task,
        private=_is_on(headers, b"x-breakeven-private"),
        forced=headers.get(b"x-breakeven-route", b"").decode("latin-1").strip(),
        budget_state=application.budget_state,
    )


def _is_on(headers: dict[bytes, bytes], name: bytes) -> bool:
    return headers.get(name, b"0").strip().lower() not in (b"0", b"", b"false", b"no")


def _nowhere(call: Call, snapshot: Snapshot) -> Refusal:
    """Why no target takes this call, in a sentence."""
    name = "Anthropic's" if call.asked.protocol == ANTHROPIC else "OpenAI's"
    if not snapshot.targets:
        return Refusal(404, "no-target", "No deployment is set up yet.")
    if call.forced:
        return Refusal(404, "no-target", f"There is no route or deployment {call.forced} that speaks {name} protocol.")
    where = "of our own machines " if call.private else ""
    return Refusal(404, "no-target", f"No route leads to a deployment {where}that speaks {name} protocol.")


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The whole request body. Raises Refusal past 32 MiB, before reading where its length is announced."""
    if int(headers.get(b"content-length", b"0")) > MAX_BODY:
        raise _too_large()
    message = await receive()
    if message["type"] == "http.disconnect":
        raise CallerGone
    if not message.get("more_body"):
        body: bytes = message["body"]
        if len(body) > MAX_BODY:
            raise _too_large()
        return body
    pieces = [message["body"]]
    size = len(message["body"])
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MAX_BODY:
            raise _too_large()
    return b"".join(pieces)


def _too_large() -> Refusal:
    return Refusal(413, "body-too-large", f"The body may be {MAX_BODY // 1024 // 1024} MiB at most.")


def _model(target: Target) -> dict[str, Any]:
    """A model in a shape that both vendors' clients read."""
    made = made_at(target.model)
    return {
        "id": target.model,
        "object": "model",
        "created": int(made.timestamp()),
        "owned_by": target.provider,
        "type": "model",
        "display_name": target.model,
        "created_at": f"{made:%Y-%m-%dT%H:%M:%SZ}",
    }


def _shape(scope: Scope) -> Protocol:
    """Whose client this is, on paths that both vendors have."""
    names = {name for name, _ in scope["headers"]}
    return ANTHROPIC if b"anthropic-version" in names or b"x-api-key" in names else OPENAI


async def _send_json(send: Send, value: Any) -> None:
    body = msgspec.json.encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


application = Gateway()
