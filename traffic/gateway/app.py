"""The gateway: a raw ASGI application, apart from the web, that answers for every deployment behind one address.

`traffic/gateway/serve.py` serves it. Importing this imports no Django.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any

import msgspec

from lib.connections import MOST_HEAD, head_size, look_after, make_room
from lib.events import EventFormatter, UnknownFormat, log_event
from lib.repeated_events import log_repeated, repeated
from traffic.authentication.limits import network_of
from traffic.gateway.admission import Admission, application_of, enforce_quota
from traffic.gateway.answer_cache import AnswerCache
from traffic.gateway.bounds import MOST_QUERY
from traffic.gateway.caps.ledger import CapLedger, CappedCall
from traffic.gateway.concurrency import CallQueues
from traffic.gateway.destination import bound, destination
from traffic.gateway.environment import SettingMissing, Settings, read_settings
from traffic.gateway.exchange import Exchange
from traffic.gateway.forms import read_form
from traffic.gateway.hang_up import HangUp
from traffic.gateway.held_objects import HeldObjects
from traffic.gateway.intake import Deadlines, Load, Share, drain
from traffic.gateway.passthrough import METHODS, STORES, Passthrough, StoreCall, store_of
from traffic.gateway.plan import LEAST_BUSY
from traffic.gateway.protocols import (
    ANTHROPIC,
    BESIDE_THE_LOOP,
    COMPLETIONS,
    EMBEDDINGS,
    MEDIA,
    OPENAI,
    RESPONSES,
    BadRequest,
    GatewayRequest,
    Protocol,
    read_request,
)
from traffic.gateway.recorder import Recorder
from traffic.gateway.refusals import UNREADABLE, CallerGone, Receive, Refusal, Send, send_error
from traffic.gateway.refused_calls import RefusedCalls
from traffic.gateway.relay import Relay
from traffic.gateway.resilience import Cooling
from traffic.gateway.routes import Call, after_cap
from traffic.gateway.rule_use import CanaryCounts
from traffic.gateway.running import RunningExchange
from traffic.gateway.shadow import Shadows
from traffic.gateway.shutdown import Shutdown, closing
from traffic.gateway.snapshot import Application, Key, Snapshot, Snapshots, model_object
from traffic.gateway.spool import Mover, Spool
from traffic.gateway.store import Store
from traffic.gateway.tasks import guessed_task
from traffic.ingest.gc_tuning import tune_interpreter
from traffic.request_ids import request_id, user_hash

logger = logging.getLogger(__name__)

Scope = dict[str, Any]

TASKS = frozenset({"rag", "qa", "code", "reasoning", "chat", "batch", "vision", "other"})
RELAYED: dict[str, Protocol] = {
    "/v1/messages": ANTHROPIC,
    "/v1/messages/count_tokens": ANTHROPIC,
    "/v1/chat/completions": OPENAI,
    "/v1/responses": RESPONSES,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/audio/transcriptions": MEDIA,
    "/v1/audio/translations": MEDIA,
    "/v1/audio/speech": MEDIA,
    "/v1/images/generations": MEDIA,
    "/v1/images/edits": MEDIA,
    "/v1/images/variations": MEDIA,
}
COUNTING = "/v1/messages/count_tokens"
# A call changes threads some six times, and while rows are moved each time waits so long for the interpreter.
GIVE_WAY_S = 0.0001


class Gateway:
    """One process's gateway; `relay`, `snapshots` and `spool` are there between the start and the end of its life."""

    relay: Relay
    snapshots: Snapshots
    spool: Spool
    recorder: Recorder
    mover: Mover
    shutdown: Shutdown
    door: Admission
    objects: HeldObjects
    passthrough: Passthrough
    cache: AnswerCache
    exchange: RunningExchange

    def __init__(self) -> None:
        # External ids: one of a kind for this process and, by the random part, among all of them.
        self._prefix = f"gw-{secrets.token_hex(8)}-"
        self._numbers = itertools.count(1)
        self._load = Load()
        self._deadlines = Deadlines()

    def start(self, settings: Settings) -> None:
        """Open what lives as long as the process. Raises OSError where the data directory cannot be written."""
        self.spool = Spool(settings.spool_dir)
        self.snapshots = Snapshots(settings.database_url, settings.credentials_key)
        store = Store()
        self.snapshots.load_prices = store.refresh
        self.mover = Mover(self.spool, settings.database_url, store)
        self.recorder = Recorder(self.spool)
        queues = CallQueues(settings.queue_timeout_s)
        caps = CapLedger(settings.redis_url, settings.database_url, lambda: store.pricing, self.snapshots.gap)
        store.moved = caps.moved
        cooling, canaries = Cooling(settings.cool_s), CanaryCounts()
        self.snapshots.notes += [cooling.write, canaries.write]
        self.relay = Relay(
            self.recorder,
            queues,
            caps,
            idle_timeout_s=settings.idle_timeout_s,
            connect_timeout_s=settings.connect_timeout_s,
            cooling=cooling,
            limits=self.snapshots.vendor_limits,
            canaries=canaries,
            drain_s=settings.drain_s,
        )
        self.exchange = RunningExchange(self.relay.running, settings.redis_url)
        self.relay.shadows = Shadows(self.relay.run, settings.database_url, lambda: store.pricing)
        self.objects = self.relay.objects = HeldObjects(settings.database_url)
        self.passthrough = Passthrough(self.relay, self.objects)
        self.refused = RefusedCalls(self.spool)
        self.cache = AnswerCache(settings.redis_url, self.recorder)
        self.door = Admission(self.snapshots)
        self.shutdown = Shutdown(settings.grace_s, settings.send_timeout_s)
        self.snapshots.start()
        self.recorder.start()
        self.mover.start()
        self.shutdown.start()
        self.shutdown.beside(self._deadlines.watch())
        self.shutdown.beside(queues.watch(self.snapshots))
        self.shutdown.beside(
            caps.watch(lambda: self.snapshots.latest is not None and bool(self.snapshots.latest.cap_units))
        )
        self.shutdown.beside(self.exchange.watch(self._shares_calls))
        # Later than ours, which tells the row why.
        self.shutdown.beside(look_after(1.5 * settings.send_timeout_s))
        log_event(logger, logging.INFO, "gateway_started", pid=os.getpid(), idle_timeout_s=settings.idle_timeout_s,
                  send_timeout_s=settings.send_timeout_s, grace_s=settings.grace_s)  # fmt: skip

    async def stop(self) -> None:
        """End the calls under way, which the server would drop without a word, and move the last rows."""
        await self.shutdown.cut()
        await self.relay.close()
        await self.cache.close()
        await self.exchange.close()
        await asyncio.to_thread(self.recorder.stop)
        await asyncio.to_thread(self.snapshots.stop)
        await asyncio.to_thread(self.mover.stop)
        await self.objects.close()
        repeated.flush(everything=True)
        log_event(logger, logging.INFO, "gateway_stopped", pid=os.getpid())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            # As the web and the workers write; the server sets up its own loggers alone.
            handler = logging.StreamHandler()
            handler.setFormatter(EventFormatter())
            logging.basicConfig(level=logging.INFO, handlers=[handler])
            self.start(read_settings())
            tune_interpreter(GIVE_WAY_S)
            make_room()
            await self.snapshots.first()  # with Postgres away we start all the same, and say 503 until it is back
        except (SettingMissing, UnknownFormat, OSError) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.shutdown.handed_over:
            send = closing(send)
        protocol = RELAYED.get(scope["path"])
        store = store_of(scope["path"]) if protocol is None else None
        if head_size(scope) > MOST_HEAD:
            refusal = Refusal(431, "head-too-large", f"Address and headers may have {MOST_HEAD:,} bytes together.")
            _log_refused(refusal, scope)
            await _refuse(refusal, protocol_of(scope), receive, send)
        elif protocol is not None and scope["method"] == "POST":
            await self._take(protocol, scope, receive, send)
        elif store is not None and scope["method"] in METHODS:
            await self._take(STORES[store[0]], scope, receive, send, store)
        else:
            try:
                await self._look(scope, send, protocol)
            except Refusal as refusal:
                _log_refused(refusal, scope)
                await _refuse(refusal, protocol_of(scope), receive, send)

    async def _look(self, scope: Scope, send: Send, protocol: Protocol | None) -> None:
        """What is no call to a model. Raises Refusal."""
        path = scope["path"]
        if path == "/healthz":
            stopping = self.shutdown.begun
            await _send_json(send, {"status": "stopping" if stopping else "ok"}, 503 if stopping else 200)
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            await self._models(scope, send)
        elif protocol is not None:
            raise Refusal(405, "method-not-allowed", f"{path} takes POST.", ((b"allow", b"POST"),))
        else:
            raise Refusal(404, "no-such-path", f"The gateway does not serve {path[:200]}.")

    async def _take(
        self, protocol: Protocol, scope: Scope, receive: Receive, send: Send, store: tuple[str, str] | None = None
    ) -> None:
        """A call to a model, or to a store of a vendor's. What is refused before its body was asked for does not wait
        for it."""
        arrived, started_at = perf_counter(), datetime.now(UTC)
        headers = dict(scope["headers"])
        share: Share | None = None
        key: Key | None = None
        application: Application | None = None
        unread = True
        try:
            self.shutdown.refuse_new()
            if len(scope["query_string"]) > MOST_QUERY:
                raise Refusal(414, "query-too-long", f"The query may have {MOST_QUERY:,} bytes at most.")
            snapshot, key = await self.door.key(headers, scope["client"])
            application = application_of(snapshot, key, headers)
            enforce_quota(key, started_at)
            share = self._load.enter(key.line)
            body = await self._deadlines.read_body(headers, receive, share)
            unread = False
            if store is not None:
                capped = bool(key.caps or application.caps or key.metered)
                call = StoreCall.of(store, protocol, scope, headers, capped=capped)
                await self.passthrough.run(call, body, application, snapshot, send)
                return
            request = await _read(protocol, scope, body, application.aliases)
            form = request.span is not None
            objects = await self.passthrough.enforce_own(protocol, body, application, form=form)
            exchange = self._exchange(request, objects, scope, headers, snapshot, key, application, started_at, arrived)
            keeping = await self.cache.serve(exchange, send)
            if keeping is not None:
                await self._relay(exchange, receive, keeping, share)
        except (Refusal, CallerGone) as error:
            refusal = error if isinstance(error, Refusal) else UNREADABLE
            _log_refused(refusal, scope, key)
            if store is None:
                self.refused.note(refusal, key, application, self._next_id(), started_at, arrived)
            await _refuse(refusal, protocol, receive if unread and refusal is error else None, send)
        finally:
            if share is not None:
                share.free()

    def _shares_calls(self) -> bool:
        """Whether a rule asks for the least busy target."""
        snapshot = self.snapshots.latest
        return snapshot is not None and any(rule.strategy == LEAST_BUSY for rule in snapshot.rules)

    def _next_id(self) -> str:
        return f"{self._prefix}{next(self._numbers)}"

    def _exchange(
        self,
        gateway_request: GatewayRequest,
        objects: Mapping[str, int],
        scope: Scope,
        headers: dict[bytes, bytes],
        snapshot: Snapshot,
        key: Key,
        application: Application,
        started_at: datetime,
        arrived: float,
    ) -> Exchange:
        """What is to be done; `objects` are what it names, each with its deployment. Raises Refusal."""
        call = _call(gateway_request, application, headers, scope["path"])
        if objects:
            call = bound(snapshot, call, objects)
        external_id = self._next_id()
        no_store = _is_on(headers, b"x-breakeven-no-store")
        capped = None
        caps = tuple(cap for cap in key.caps + application.caps if cap.task in ("", call.task))
        if caps:
            user = user_hash(snapshot.salt, gateway_request.user) if gateway_request.user else None
            capped = CappedCall(external_id, caps, gateway_request, user, snapshot.cap_zone, snapshot.caps_refuse)
        return Exchange(
            application=application,
            key_id=key.id,
            request=gateway_request,
            task=call.task,
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=scope["headers"],
            decision=destination(snapshot, call, self.relay.running.everywhere()),
            request_id=request_id(snapshot.salt, application.id, external_id, started_at.date()),
            salt=snapshot.salt,
            external_id=external_id,
            started_at=started_at,
            arrived=arrived,
            keep_bodies=application.capture_bodies and not no_store,
            no_store=no_store,
            recorded=scope["path"] != COUNTING,
            metered=key.metered,
            private=call.private,
            capped=capped,
            facts={"guessed_task": call.guessed} if call.guessed else {},
            following=lambda rule: after_cap(
                snapshot.rules, snapshot.targets, call, rule, self.relay.running.everywhere()
            ),
        )

    async def _relay(self, exchange: Exchange, receive: Receive, send: Send, share: Share) -> None:
        hang_up = HangUp(receive)
        self.shutdown.calls.add(hang_up)
        try:
            await self.relay.run(exchange, send, hang_up, share)
        except asyncio.CancelledError:
            if not hang_up.happened:
                raise
        finally:
            exchange.free_slot()
            hang_up.stop()
            self.shutdown.calls.discard(hang_up)

    async def _models(self, scope: Scope, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal(405, "method-not-allowed", "/v1/models takes GET.", ((b"allow", b"GET"),))
        headers = dict(scope["headers"])
        snapshot, key = await self.door.key(headers, scope["client"])
        application = application_of(snapshot, key, headers)
        models = [model_object(target) for target in snapshot.models(application.slug)]
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
        raise Refusal(404, "no-such-model", f"No deployment that this key reaches serves {wanted[:200]}.")


async def _read(protocol: Protocol, scope: Scope, body: bytes, aliases: Mapping[str, str]) -> GatewayRequest:
    """The request of a call; a large one is read and searched in threads. Raises Refusal."""
    types = [value for name, value in scope["headers"] if name == b"content-type"] if protocol == MEDIA else []
    large = len(body) > BESIDE_THE_LOOP
    try:
        form = any(value.lower().startswith(b"multipart/form-data") for value in types)
        read = partial(read_form, body, types) if form else partial(read_request, protocol, body)
        request = await asyncio.to_thread(read) if large else read()
    except BadRequest as error:
        raise Refusal(400, "bad-request", str(error)) from None
    if alias := aliases.get(request.model):
        request = replace(request, model=alias, written=request.model)
    if large:
        await asyncio.to_thread(request.search)
    return request


def _log_refused(refusal: Refusal, scope: Scope, key: Key | None = None) -> None:
    """The word for the reason and not the sentence, which may quote the call."""
    client = scope["client"]
    log_repeated(
        logger,
        logging.INFO,
        "call_refused",
        status=refusal.status,
        reason=refusal.code,
        application=key.application.slug if key and key.application else None,
        key_id=key.id if key else None,
        address=None if key else network_of(client[0] if client else ""),
    )


async def _refuse(refusal: Refusal, protocol: Protocol, receive: Receive | None, send: Send) -> None:
    """Say no at once; of a body that is not read, a little is taken afterwards so that the answer is seen."""
    await send_error(
        send, protocol, refusal.status, refusal.code, str(refusal), refusal.headers, more=receive is not None
    )
    if receive is not None:
        await drain(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _call(request: GatewayRequest, application: Application, headers: dict[bytes, bytes], path: str) -> Call:
    guess = guessed_task(request) if application.guess_task and b"x-breakeven-task" not in headers else None
    task = guess.task if guess else headers.get(b"x-breakeven-task", b"other").decode("latin-1").strip().lower()
    if task not in TASKS:
        raise Refusal(400, "unknown-task", f"x-breakeven-task must be one of {', '.join(sorted(TASKS))}.")
    return Call(
        request=request,
        application=application.slug,
        task=task,
        private=_is_on(headers, b"x-breakeven-private"),
        forced=headers.get(b"x-breakeven-route", b"").decode("latin-1").strip(),
        budget_state=application.budget_state,
        exact=path == COUNTING,
        guessed=guess.reason if guess else "",
    )


def _is_on(headers: dict[bytes, bytes], name: bytes) -> bool:
    return headers.get(name, b"0").strip().lower() not in (b"0", b"", b"false", b"no")


def protocol_of(scope: Scope) -> Protocol:
    """In whose words an error is said; on paths that both vendors have, whose client this is by its headers."""
    if protocol := RELAYED.get(scope["path"]):
        return protocol
    names = {name for name, _ in scope["headers"]}
    return ANTHROPIC if b"anthropic-version" in names or b"x-api-key" in names else OPENAI


async def _send_json(send: Send, value: Any, status: int = 200) -> None:
    body = msgspec.json.encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


application = Gateway()
