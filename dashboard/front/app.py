"""The ASGI application: decides about limits, queues and refusals before Django is called."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib import import_module
from time import perf_counter
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections
from django.urls import get_resolver
from django.utils.translation import gettext as _

from dashboard.front import refusals
from dashboard.front.addresses import READING, SMALL, Kind, exact_kind, kind_of
from dashboard.front.answers import Answer, Send, answer_from, answer_of, deliver
from dashboard.front.bodies import Body, Budget, InMemory, Receive, Unread, Uploads, drain, read
from dashboard.front.downloads import Downloads
from dashboard.front.environ import Scope, environ_of
from dashboard.front.pools import Pool
from dashboard.front.proxies import Proxies
from dashboard.front.pulse import Pulse
from dashboard.front.refusals import Gone
from dashboard.health.heart import Heart
from dashboard.health.readiness import Readiness, readiness_answer
from lib.client_address import client_address, network
from lib.connections import MOST_HEAD, head_size, look_after
from lib.errors import ApiError
from lib.events import log_event, ms_since
from lib.repeated_events import log_repeated, repeated
from traffic.authentication.access import too_many_unknown
from traffic.authentication.keys import Caller, TooManyUnknown, callers, password_of, secret_of
from traffic.imports.files import folder
from traffic.ingest.body import MOST_UNPACKED, unpacked_size, weight_of
from traffic.ingest.context import AWAY
from traffic.ingest.gc_tuning import give_memory_back
from traffic.ingest.otlp_views import PROTOBUF

logger = logging.getLogger(__name__)

MIB = 1 << 20
CHUNKED = -1  # length of a chunked body, which is unknown before its end
CLOSE = (b"connection", b"close")
HEALTHY = Answer(200, [(b"content-type", b"application/json"), (b"content-length", b"16")], b'{"status": "ok"}')
UPLOADS = 4
READY_S = 2.5
INTAKE_WAIT_S, LOADING_S = 1.5, 8.0
TRIM_AFTER_S = 5.0  # large batches follow each other, so memory is given back once after several


@dataclass
class Call:
    """One request, with its body as far as it was read."""

    scope: Scope
    receive: Receive
    send: Send
    read_whole: bool = False

    @cached_property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.scope["headers"])

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def peer(self) -> str:
        """The address of the other end of the connection, which may be a proxy."""
        return str((self.scope["client"] or [""])[0])

    @cached_property
    def address(self) -> str:
        """What is counted as one stranger: an IPv4 address or an IPv6 network."""
        return network(client_address(self.request)) or self.peer

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def length(self) -> int:
        """Bytes of the body as declared by its sender; CHUNKED if it declares none, 0 without a body."""
        if b"transfer-encoding" in self.headers:
            return CHUNKED
        declared = self.header(b"content-length")
        return int(declared) if declared.isdecimal() else 0

    @property
    def is_multipart(self) -> bool:
        return self.header(b"content-type").lower().startswith("multipart/")

    @cached_property
    def request(self) -> WSGIRequest:
        """A Django request without a body, for functions that read headers and cookies only."""
        return WSGIRequest(environ_of(self.scope, Body().stream, 0))


class Front:
    """The ASGI application; there is one in each web process."""

    def __init__(self, handler: WSGIHandler, started: Callable[[], None] = lambda: None) -> None:
        self.handler, self.started = handler, started
        self.pulse = Pulse(Heart().ask, self._tell)
        self.loaded = False
        self.intake = Pool("intake", threads=8, longest=64, wait_s=LOADING_S, kept_free=2, suspect=self._suspect,
                           most_weight=64 * MIB, heavy_wait_s=10)  # fmt: skip
        self.pages = Pool("pages", threads=4, longest=128, wait_s=20, kept_free=1, suspect=self._suspect)
        self.checks = Pool("checks", threads=2, longest=128, wait_s=1.5, suspect=self._suspect)
        self.static = Pool("static", threads=1, longest=1024, wait_s=10)
        self.downloads = Downloads()
        self.pools = {pool.name: pool for pool in (self.intake, self.pages, self.static)}
        self.budgets = {"intake": Budget(112 * MIB, 80 * MIB), "pages": Budget(48 * MIB, 16 * MIB)}
        # Strangers have a budget of their own, so that they cannot use up that of callers with a key or a session.
        self.strangers = {pool: Budget(16 * MIB, 8 * MIB) for pool in self.budgets}
        self.uploads = Uploads(folder, UPLOADS)
        self.proxies = Proxies()
        self.readiness = Readiness()
        self._look = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._trimming: asyncio.TimerHandle | None = None
        self._looking: asyncio.Future[list[str]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        call = Call(scope, receive, send)
        self.proxies.see(call.peer, call.headers)
        try:
            answer = await self._answered(call)
            try:
                await self._deliver(call, answer)
            except ApiError as error:
                await self._deliver(call, self._refusal(call, error))
        except Gone:
            await self._deliver(call, self._unreadable(call))

    async def _deliver(self, call: Call, answer: Answer) -> None:
        """Send the answer. Raises ApiError before sending: 429 for too many downloads of one caller, 503 of all."""
        with ExitStack() as stack:
            if answer.parts is not None:
                try:
                    stack.enter_context(self.downloads.place(await self._whose(call)))
                except BaseException:
                    answer.close()
                    raise
            await deliver(answer, call.receive, call.send, self.downloads.pool)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                began = perf_counter()
                self.started()
                log_event(logger, logging.INFO, "web_started", pid=os.getpid(), ms=ms_since(began))
                self.proxies.remind()
                self._loading = asyncio.create_task(self._load())
                self._looking_after = asyncio.create_task(look_after(settings.SEND_TIMEOUT))
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                repeated.flush(everything=True)
                log_event(logger, logging.INFO, "web_stopped", pid=os.getpid())
                self._looking_after.cancel()
                if self._trimming is not None:
                    self._trimming.cancel()
                self.pulse.close()
                self._look.shutdown(wait=False, cancel_futures=True)
                for pool in (*self.pools.values(), self.checks, self.downloads.pool):
                    pool.close()
                return

    async def _answered(self, call: Call) -> Answer:
        """The answer; 400 if the server could not read the body. The server reports malformed chunks in the same way as
        a client that disconnected, so an answer is sent in both cases: without one the server would send a 500.
        """
        try:
            return await self._refused_or_not(call)
        except Gone:
            return self._unreadable(call)

    def _unreadable(self, call: Call) -> Answer:
        answer = self._refusal(call, refusals.unreadable())
        return Answer(answer.status, [*answer.headers, CLOSE], answer.body)

    async def _load(self) -> None:
        """Load the views, which takes seconds on a busy machine; until then jobs may wait longer for a thread."""
        await self.checks.run(load_views)
        self.loaded = True
        self.intake.wait_s = INTAKE_WAIT_S

    def _suspect(self) -> None:
        if self.loaded:
            self.pulse.suspect()

    async def _refused_or_not(self, call: Call) -> Answer:
        """The answer. If a part of the body is unread, it is read for a moment and dropped, or the connection is closed
        after the answer: the client would take the rest for its next request."""
        try:
            answer = await self._answer(call)
        except ApiError as error:
            answer = self._refusal(call, error)
        if call.length and not call.read_whole:
            honest = call.length <= DRAINED_MOST and b"expect" not in call.headers
            if not (honest and answer.status >= 400 and await drain(call.receive)):
                answer = Answer(answer.status, [*answer.headers, CLOSE], answer.body, answer.path, answer.parts)
        return answer

    def _refusal(self, call: Call, error: ApiError) -> Answer:
        # The log gets neither the path, which may contain a secret, nor any other text that a stranger chose.
        log_repeated(
            logger,
            logging.INFO,
            "request_refused",
            status=error.status,
            reason=error.detail,
            address=call.address,
            details={"method": call.method, "bytes": call.length},
        )
        return answer_from(
            refusals.response_to(
                error, path=call.path, content_type=call.header(b"content-type"), accept=call.header(b"accept")
            )
        )

    async def _answer(self, call: Call) -> Answer:
        if head_size(call.scope) > MOST_HEAD:
            raise refusals.head_too_large(MOST_HEAD)
        if call.path == "/healthz" and call.method in READING:
            return HEALTHY
        if call.path == "/readyz" and call.method in READING:
            return await self._ready()
        kind = kind_of(call.method, call.path)
        if self.pulse.away and kind.pool != "static":
            raise refusals.away()
        body = await self._body(call, kind)
        environ = environ_of(call.scope, body.stream, body.size)
        weight = 0
        if kind.pool == "intake" and isinstance(body, InMemory):
            unpacked = unpacked_size(body.stream.getvalue(), call.header(b"content-encoding"))
            environ[MOST_UNPACKED] = unpacked
            is_json = call.header(b"content-type") != PROTOBUF
            weight = weight_of(min(unpacked, kind.limit), is_json=is_json)
        pool, work = self.pools[kind.pool], partial(answer_of, self.handler, environ)
        try:
            answer: Answer = await pool.run(work, body.close, self._turn(call, kind), weight)
        finally:
            if weight and self._trimming is None:
                self._trimming = asyncio.get_running_loop().call_later(TRIM_AFTER_S, self._trim)
        return answer

    def _trim(self) -> None:
        """Give the memory that large batches left back to the system, in a thread."""
        self._trimming = None
        asyncio.get_running_loop().run_in_executor(self._look, give_memory_back)

    def _turn(self, call: Call, kind: Kind) -> object:
        """The caller whose turn for a thread the call uses: its application, else its address."""
        if kind.pool == "static":
            return call.peer  # cheap to find, as these files are asked for often and a single thread serves them
        return self._remembered(call, kind) or call.address

    async def _ready(self) -> Answer:
        """The answer of /readyz. One thread checks for all callers; none waits longer than a container's check does."""
        if self._looking is None or self._looking.done():
            loop = asyncio.get_running_loop()
            self._looking = loop.run_in_executor(self._look, self.readiness.reasons)
        try:
            async with asyncio.timeout(READY_S):
                reasons = await asyncio.shield(self._looking)
        except TimeoutError:
            reasons = [_("The database does not answer.")]
        return answer_from(readiness_answer(reasons))

    async def _body(self, call: Call, kind: Kind) -> Body | Unread:
        """Read the body. Raises ApiError for a body that is not accepted or cannot be read."""
        if not call.length or call.method in READING or kind.pool == "static":
            return Body()
        caller: object = None
        if call.length == CHUNKED or call.length > SMALL or (call.is_multipart and not kind.parts):
            exact = exact_kind(kind, call.path)
            if exact is None:
                return Unread()
            kind = exact
            refuse_what_is_not_taken(call, kind)
            caller = None if kind.cut else await self._caller(call, kind)
            if caller is None and kind.by_key:
                return Unread()
            if caller is None and not kind.cut:
                if call.length > SMALL or kind.files:
                    raise ApiError(413, _("Log in first: without a login at most 64 KiB are taken."))
                kind = replace(kind, limit=SMALL)
        return await self._read(call, kind, caller)

    async def _read(self, call: Call, kind: Kind, caller: object) -> Body:
        body = self.uploads.begin(max(call.length, 0)) if kind.files else await self._in_memory(call, kind, caller)
        try:
            call.read_whole = await read(call.receive, body, kind.limit, cut=kind.cut)
        except BaseException:
            body.close()
            raise
        return body

    async def _in_memory(self, call: Call, kind: Kind, caller: object) -> InMemory:
        """A body in the budget of its caller or of strangers; while theirs is scarce, callers of small ones are looked
        up too."""
        strangers = self.strangers[kind.pool]
        if caller is None and not kind.cut:
            caller = self._remembered(call, kind)
            if caller is None and strangers.is_scarce(call.address):
                caller = await self._caller(call, kind)
        if caller is None:
            return InMemory(strangers, call.address)
        return InMemory(self.budgets[kind.pool], caller)

    def _remembered(self, call: Call, kind: Kind) -> object:
        """The caller of the call's key if it is in the cache, else None; asks no database."""
        if kind.by_key and (secret := secret_of(call.request) or password_of(call.request)):
            caller = callers.remembered(secret)
            return None if caller is None else whose(caller)
        return None

    async def _caller(self, call: Call, kind: Kind) -> object:
        """The caller with a valid key or a session, None for a stranger. Raises ApiError (503) without a database."""
        request = call.request
        if kind.by_key:
            secret = secret_of(request) or password_of(request)
            if not secret:
                return None
            find = partial(caller_of, secret, address_of(request))
            caller = callers.remembered(secret) or await self._check(call, find)
            # A key without the scope is refused by the view, which needs the headers only, so the body is not read.
            if caller is None or (kind.scope and kind.scope not in caller.scopes):
                return None
            return whose(caller)
        return await self._person(call)

    async def _person(self, call: Call) -> object:
        if settings.SESSION_COOKIE_NAME not in call.request.COOKIES:
            return None
        return await self._check(call, partial(person_of, call.request))

    async def _check(self, call: Call, work: Callable[[], Any]) -> Any:
        """Run a database query in a thread. Raises ApiError: 503 without database, 429 after too many unknown keys."""
        try:
            return await self.checks.run(work, caller=call.address)
        except AWAY:
            raise refusals.away() from None
        except TooManyUnknown as error:
            raise too_many_unknown(error) from None

    async def _whose(self, call: Call) -> str:
        """The caller that a download counts for; all keys of an application are one. Raises ApiError (503)."""
        request = call.request
        secret = secret_of(request) or password_of(request) if kind_of(call.method, call.path).by_key else ""
        find = partial(caller_of, secret, address_of(request))
        if secret and (caller := callers.remembered(secret) or await self._check(call, find)):
            return whose(caller)
        if (person := await self._person(call)) is not None:
            return f"person {person}"
        return f"address {call.address}"

    def _tell(self, error: ApiError) -> None:
        for pool in (self.intake, self.pages, self.checks):
            pool.tell(error)


DRAINED_MOST = 16 * MIB


def refuse_what_is_not_taken(call: Call, kind: Kind) -> None:
    """Raises ApiError: 415 for files to an address that takes none, 413 for a declared length above the limit."""
    if call.is_multipart and not (kind.files or kind.parts):
        raise ApiError(415, _("This address takes no files: send the form as application/x-www-form-urlencoded."))
    if call.length > kind.limit and not kind.cut:
        raise refusals.too_large(kind.limit)


def load_views() -> None:
    """Import all views. Must be called in a thread."""
    get_resolver().url_patterns  # noqa: B018 -- reading the attribute imports them


def whose(caller: Caller) -> str:
    """The name of a caller for budgets and turns; all keys of an application are one caller."""
    return f"key {caller.line}" if caller.application_id is None else f"application {caller.application_id}"


def address_of(request: WSGIRequest) -> str:
    return client_address(request) or str(request.META.get("REMOTE_ADDR", ""))


def caller_of(secret: str, address: str) -> Caller | None:
    """The caller of a key, None if it is unknown. Call it in a thread. Raises OperationalError, TooManyUnknown."""
    try:
        return callers.find(secret, address)
    finally:
        close_old_connections()


def person_of(request: WSGIRequest) -> object:
    """The id of the person whose session it is, or None. Call it in a thread. Raises OperationalError."""
    try:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        request.session = store(request.COOKIES[settings.SESSION_COOKIE_NAME])
        return get_user(request).pk
    finally:
        close_old_connections()
