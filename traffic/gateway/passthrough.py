"""Files, batches, vector stores, voices and stored answers pass through to the one vendor that holds them.

Every application sees its own alone, though all share the vendor's account: an id is answered only to the application
for which it was made, and a list is cut down to those. They are no calls to a model and leave no row; what a batch
costs comes with the vendor's bill.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import aiohttp
import msgspec

from lib.reach import literal
from traffic.gateway.bounds import MOST_ANSWER, TooMuch
from traffic.gateway.forms import values_of
from traffic.gateway.held_objects import HeldObjects
from traffic.gateway.named_objects import may_name, names_of, refuse_batch_lines, refuse_form
from traffic.gateway.protocols import (
    ANTHROPIC,
    BESIDE_THE_LOOP,
    OPENAI,
    RESPONSES,
    BadRequest,
    Protocol,
    has_escaped_letters,
)
from traffic.gateway.refusals import Headers, Refusal, Send
from traffic.gateway.relay import Relay
from traffic.gateway.routes import OVER, SELF, Rule, Target, reachable
from traffic.gateway.snapshot import Application, Snapshot
from traffic.gateway.timeouts import IDLE, SENTENCES, TOTAL, TotalTimeout, hold, kind_of
from traffic.gateway.upstream import KEPT_FROM_CALLERS, NotReached, headers_for, judge, url_of

T = TypeVar("T")
ANSWERS = "/v1/responses"
VECTORS = "/v1/vector_stores"
VOICES, CONSENTS = "/v1/audio/voices", "/v1/audio/voice_consents"
STORES: dict[str, Protocol] = {"/v1/messages/batches": ANTHROPIC, "/v1/files": OPENAI, "/v1/batches": OPENAI,
                               VECTORS: OPENAI, VOICES: OPENAI, CONSENTS: OPENAI, ANSWERS: RESPONSES}  # fmt: skip
METHODS = ("GET", "POST", "DELETE")
_PATH = re.compile(r"^(/v1/messages/batches|/v1/files|/v1/batches)(?:/([A-Za-z0-9_.-]{1,200}))?(/[a-z_]{1,40})?$")
_ANSWER_PATH = re.compile(r"^(/v1/responses)/([A-Za-z0-9_.-]{1,200})(/cancel|/input_items)?$")
# What is in a vector store is reached through the store, whose id says whose it is.
_VECTOR_PATH = re.compile(
    r"^(/v1/vector_stores)(?:/([A-Za-z0-9_-]{1,200}))?"
    r"(/search|/(?:files|file_batches)(?:/[A-Za-z0-9_-]{1,200}(?:/content|/cancel|/files)?)?)?$"
)
_VOICE_PATH = re.compile(r"^(/v1/audio/(?:voices|voice_consents))(?:/([A-Za-z0-9_-]{1,200}))?()$")
# Ids inside an answer that lead to more of the same owner's objects.
_LINKED = ("id", "output_file_id", "error_file_id")
MOST_BATCH = 64 << 10  # bytes of a call to /v1/batches
MOST_AT_ONCE = 64 << 10  # bytes of a body that is taken apart on the event loop
MOST_PAGES = 20  # of a vendor's list, looked through for one page of the application's own


class BatchBody(msgspec.Struct):
    """What is read of a call that makes a batch of a file."""

    input_file_id: str


@dataclass(frozen=True, slots=True)
class StoreCall:
    """A call to a store of a vendor's: `root` is the store, `vendor_id` one of its objects or empty."""

    protocol: Protocol
    root: str
    vendor_id: str
    path: str
    query: str
    method: str
    headers: Headers
    forced: str
    private: bool
    task: str
    base: str  # the gateway's own address, as the caller names it

    @classmethod
    def of(
        cls,
        store: tuple[str, str],
        protocol: Protocol,
        scope: dict[str, Any],
        headers: dict[bytes, bytes],
        *,
        capped: bool,
    ) -> StoreCall:
        """`capped`: the caller has a hard cap, or a quota of tokens or USD. Raises Refusal."""
        root, vendor_id = store
        fills = root == VECTORS and not scope["path"].endswith("/search")
        if capped and scope["method"] == "POST" and (fills or (root != "/v1/files" and not vendor_id)):
            what = "a vector store" if fills else "a batch or a voice"
            words = f"What {what} uses is not known before: a key with a cap, or a quota of tokens or USD, makes none."
            raise Refusal(403, "capped", words)
        host = headers.get(b"host", b"").decode("latin-1")
        return cls(
            protocol=protocol,
            root=root,
            vendor_id=vendor_id,
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            method=scope["method"],
            headers=scope["headers"],
            forced=headers.get(b"x-breakeven-route", b"").decode("latin-1").strip(),
            private=headers.get(b"x-breakeven-private", b"0").strip().lower() not in (b"0", b"", b"false", b"no"),
            task=headers.get(b"x-breakeven-task", b"batch").decode("latin-1").strip().lower(),
            base=f"{scope.get('scheme', 'http')}://{host}",
        )

    @property
    def makes(self) -> bool:
        """Whether it asks the vendor for a new object."""
        return self.method == "POST" and not self.vendor_id

    @property
    def makes_batch(self) -> bool:
        return self.makes and self.root != "/v1/files"


def store_of(path: str) -> tuple[str, str] | None:
    """The store and the object that a path names; None where it is no path of a store."""
    match = _PATH.match(path) or _ANSWER_PATH.match(path) or _VECTOR_PATH.match(path) or _VOICE_PATH.match(path)
    if match is None or (match[3] and not match[2]):
        return None
    return match[1], match[2] or ""


class Passthrough:
    """Passes calls to stores on, over the relay's pools of connections."""

    def __init__(self, relay: Relay, objects: HeldObjects) -> None:
        self._relay = relay
        self._objects = objects

    async def run(self, call: StoreCall, body: bytes, application: Application, snapshot: Snapshot, send: Send) -> None:
        """Raises Refusal."""
        if call.root == "/v1/batches" and len(body) > MOST_BATCH:
            raise Refusal(413, "body-too-large", f"A call to /v1/batches may have {MOST_BATCH // 1024} KiB at most.")
        named: dict[str, int] = {}
        if call.root == VECTORS and call.method == "POST":
            named = await self.enforce_own(OPENAI, body, application)
        elif call.root == VOICES and call.method == "POST" and (consents := consents_of(body, call.headers)):
            named = await self._owned_by(consents, application)
        target = await self._target(call, body, named, application, snapshot)
        if call.makes:
            if call.root == "/v1/files":
                await _looked_through(body, refuse_batch_lines)
            elif call.protocol == ANTHROPIC:
                await self.enforce_own(ANTHROPIC, body, application)
            await self._objects.ready()  # what is made and not remembered would be made again
        try:
            if call.method == "GET" and not call.vendor_id:
                await self._list(call, target, application, send)
                return
            async with self._ask(call, body, target) as upstream:
                await self._answer(call, upstream, target, application, send)
        except NotReached:
            raise Refusal(502, "upstream-unreachable", f"{target.slug} is at an address inside this network.") from None
        except (aiohttp.ClientError, OSError, TooMuch):
            raise Refusal(502, "upstream-unreachable", f"{target.slug} could not be reached.") from None

    async def enforce_own(
        self, protocol: Protocol, body: bytes, application: Application, *, form: bool = False
    ) -> dict[str, int]:
        """Hold a call to what its application made; the ids that it names, each with the deployment that holds it.

        Raises Refusal where it names others.
        """
        if form:
            await _looked_through(body, refuse_form)
            return {}
        if not await _looked_through(body, partial(may_name, protocol)):
            return {}
        if len(body) <= MOST_AT_ONCE:
            ids = names_of(protocol, body)
        else:
            ids = await asyncio.to_thread(names_of, protocol, body)
        return await self._owned_by(ids, application) if ids else {}

    async def _owned_by(self, ids: Sequence[str], application: Application) -> dict[str, int]:
        owned = await self._objects.owned(ids, None, application.id, again=True)
        for name in ids:
            if name not in owned:
                raise _no_object(name)
        return owned

    async def _target(
        self, call: StoreCall, body: bytes, named: Iterable[str], application: Application, snapshot: Snapshot
    ) -> Target:
        candidates = self._candidates(call, application, snapshot)
        held = call.vendor_id or (
            _input_file(body) if call.root == "/v1/batches" and call.makes else next(iter(named), "")
        )
        if held:
            owned = await self._objects.owned([held], None, application.id, again=call.root == ANSWERS)
            deployment_id = owned.get(held)
            for target in snapshot.targets:
                if target.id != deployment_id:
                    continue
                if call.makes and target not in candidates:
                    words = f"{target.slug} holds {held[:200]}, where neither routes nor this call's headers lead."
                    raise Refusal(404, "no-target", words)
                _hold_to_budget(call, target, application, snapshot)
                return target
            raise _no_object(held)
        if not candidates:
            vendor = "Anthropic" if call.protocol == ANTHROPIC else "OpenAI"
            raise Refusal(404, "no-target", f"No route leads to a deployment of {vendor} that holds files and batches.")
        _hold_to_budget(call, candidates[0], application, snapshot)
        return candidates[0]

    def _candidates(self, call: StoreCall, application: Application, snapshot: Snapshot) -> list[Target]:
        """The deployments of the vendor whose store it is, that rules open for the application as its budget is."""
        rules = [
            rule for rule in snapshot.rules if not rule.budget_states or application.budget_state in rule.budget_states
        ]
        return [
            target
            for target in reachable(rules, snapshot.targets, application.slug)
            if (target.engine == ANTHROPIC if call.protocol == ANTHROPIC else target.provider == "openai")
            and call.forced in ("", target.slug)
            and (target.provider == SELF or not call.private)
        ]

    @asynccontextmanager
    async def _ask(
        self, call: StoreCall, body: bytes, target: Target, query: str | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, held to the time-outs of its deployment. Raises Refusal (504)."""
        if (address := literal(target.url)) is not None:
            judge(target.slug, address, local=target.local)
        asked_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(
                None if target.total_timeout_s is None else asked_at + target.total_timeout_s
            ):
                upstream = await self._relay.session(local=target.local).request(
                    call.method,
                    url_of(target, call.path, call.query if query is None else query),
                    data=body or None,
                    headers=headers_for(target, call.headers),
                    allow_redirects=False,
                    timeout=self._relay.timeouts.of(target),
                )
        except TimeoutError as error:
            raise _too_late(target, kind_of(error)) from None
        deadline = hold(target, upstream, asked_at)
        try:
            async with upstream:
                yield upstream
        except TimeoutError as error:
            raise _too_late(target, TOTAL if isinstance(error, TotalTimeout) else IDLE) from None
        finally:
            if deadline is not None:
                deadline.cancel()

    async def _answer(
        self, call: StoreCall, upstream: aiohttp.ClientResponse, target: Target, application: Application, send: Send
    ) -> None:
        headers = _headers(upstream, target)
        if upstream.content_type != "application/json" or call.path.endswith(("/content", "/results")):
            await send({"type": "http.response.start", "status": upstream.status, "headers": headers})
            try:
                async for piece in upstream.content.iter_any():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except (aiohttp.ClientError, TimeoutError, OSError):
                return  # without the last chunk, so that the caller sees that the answer broke off
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        body = await _whole(upstream)
        if upstream.status < 400 and call.root != ANSWERS:
            body = await self._owned(call, body, target, application)
        await _send_whole(send, upstream.status, headers, body)

    async def _owned(self, call: StoreCall, body: bytes, target: Target, application: Application) -> bytes:
        """Remember what the answer names of the application's. What the vendor did is answered in any case."""
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            return body
        _lead_here(answer, call)
        names = [answer.get(name) for name in _LINKED]
        await self._objects.keep([name for name in names if isinstance(name, str)], target.id, application.id)
        return msgspec.json.encode(answer) if "results_url" in answer else body

    async def _list(self, call: StoreCall, target: Target, application: Application, send: Send) -> None:
        """The first page of the vendor's list that holds something of the application's own, and of it that alone.

        The ids at its ends are its own as well: from there the vendor goes on. Raises Refusal.
        """
        parameters = parse_qsl(call.query, keep_blank_values=True)
        back = any(name in ("before_id", "before") for name, _ in parameters)
        cursor = ("before" if back else "after") + ("_id" if call.protocol == ANTHROPIC else "")
        query = call.query
        for _ in range(MOST_PAGES):
            async with self._ask(call, b"", target, query) as upstream:
                headers, body = _headers(upstream, target), await _whole(upstream)
            if upstream.status >= 400:
                await _send_whole(send, upstream.status, headers, body)
                return
            page = _page(body, target)
            items = [item for item in page["data"] if isinstance(item, dict) and isinstance(item.get("id"), str)]
            owned = await self._objects.owned([item["id"] for item in items], target.id, application.id)
            own = [item for item in items if item["id"] in owned]
            if own or not items or not page.get("has_more"):
                for item in own:
                    _lead_here(item, call)
                ends = {"first_id": own[0]["id"] if own else None, "last_id": own[-1]["id"] if own else None}
                more = bool(own and page.get("has_more"))
                answer = {"object": "list", "data": own, "has_more": more, **ends}
                if "object" not in page:
                    del answer["object"]
                await _send_whole(send, upstream.status, headers, msgspec.json.encode(answer))
                return
            place = items[0 if back else -1]["id"]
            query = urlencode([*((name, value) for name, value in parameters if name != cursor), (cursor, place)])
        words = f"{MOST_PAGES} pages of the list hold nothing of this application: set a larger limit."
        raise Refusal(400, "bad-request", words)


def consents_of(body: bytes, headers: Headers) -> list[str]:
    """The recordings of consent that a new voice names in its form. Raises Refusal."""
    types = [value for name, value in headers if name == b"content-type"]
    try:
        if any(value.lower().startswith(b"multipart/form-data") for value in types):
            return values_of(body, types, b"consent")
    except BadRequest as error:
        raise Refusal(400, "bad-request", str(error)) from None
    if b"consent" in body.lower() or has_escaped_letters(body):
        raise Refusal(400, "bad-request", "consent: a voice that is made of a recording is sent as a form.")
    return []


async def _looked_through(body: bytes, look: Callable[[bytes], T]) -> T:
    """What a look through a body finds; a large one is looked through in a thread."""
    return await asyncio.to_thread(look, body) if len(body) > BESIDE_THE_LOOP else look(body)


def _too_late(target: Target, kind: str) -> Refusal:
    return Refusal(504, "upstream-timeout", SENTENCES[kind].format(target.slug))


def _no_object(name: str) -> Refusal:
    return Refusal(404, "no-such-object", f"This application has no object {name[:200]}.")


def _hold_to_budget(call: StoreCall, target: Target, application: Application, snapshot: Snapshot) -> None:
    """Raises Refusal where a batch would pass the rule that is there for its application's budget.

    Which models are inside is not read: a rule for some calls alone counts as one that may be for these.
    """
    state = application.budget_state
    if not call.makes_batch or (call.forced and state != OVER):
        return
    for rule in snapshot.rules:
        if not _may_hold(rule, call, application) or not any(rule.names(other) for other in snapshot.targets):
            continue
        leads_here = rule.names(target) or target.slug in rule.fallbacks
        if rule.budget_states and not leads_here:
            words = f"{application.slug} is held to its budget by the route {rule.slug}, which leads elsewhere."
            raise Refusal(403, "budget-decides", words)
        if not _is_for_some(rule):
            return


def _may_hold(rule: Rule, call: StoreCall, application: Application) -> bool:
    return (
        (not rule.tasks or call.task in rule.tasks)
        and (not rule.applications or application.slug in rule.applications)
        and (not rule.budget_states or application.budget_state in rule.budget_states)
        and rule.private in (None, call.private)
    )


def _is_for_some(rule: Rule) -> bool:
    """Whether it looks at what a call asks for."""
    conditions: Sequence[object] = (rule.requested_models, rule.over_context, rule.self_only_model)
    return any(conditions) or any(value is not None for value in (rule.over_tokens, rule.media, rule.percent))


def _headers(upstream: aiohttp.ClientResponse, target: Target) -> list[tuple[bytes, bytes]]:
    headers = [
        (lower, value)
        for name, value in upstream.raw_headers
        if (lower := name.lower()) not in KEPT_FROM_CALLERS and not lower.startswith(b"x-breakeven-")
    ]
    return [*headers, (b"x-breakeven-deployment", target.slug.encode())]


async def _send_whole(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers = [header for header in headers if header[0] != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _page(body: bytes, target: Target) -> dict[str, Any]:
    """A page of a list. Raises Refusal where the vendor answers with something else."""
    try:
        page = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        page = None
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise Refusal(502, "upstream-broke-off", f"{target.slug} answered with something that is no list.")
    return page


def _lead_here(item: Any, call: StoreCall) -> None:
    """The vendor's address of a batch's results would take the caller past the gateway, with a key of ours."""
    if isinstance(item, dict) and isinstance(item.get("results_url"), str):
        item["results_url"] = f"{call.base}{call.root}/{item.get('id')}/results"


def _input_file(body: bytes) -> str:
    """The file of which a batch is made. Raises Refusal, also where the vendor could read another one."""
    try:
        name = msgspec.json.decode(body, type=BatchBody).input_file_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        name = ""
    if not name or body.count(b"input_file_id") != 1 or has_escaped_letters(body):
        raise Refusal(400, "bad-request", "input_file_id: the id of one file is required.")
    return name


async def _whole(upstream: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in upstream.content.iter_any():
        size += len(piece)
        if size > MOST_ANSWER:
            raise TooMuch(f"an answer of more than {MOST_ANSWER:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)
