"""Files and batches pass through to the one vendor that holds them.

Every application sees its own alone, though all share the vendor's account: an id is answered only to the application
for which it was made, and a list is cut down to those. They are no calls to a model and leave no row; what a batch
costs comes with the vendor's bill.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import msgspec

from lib.reach import literal
from traffic.gateway.bounds import MOST_ANSWER, TooMuch
from traffic.gateway.held_objects import HeldObjects
from traffic.gateway.protocols import ANTHROPIC, OPENAI, Protocol
from traffic.gateway.refusals import Headers, Refusal, Send
from traffic.gateway.relay import Relay
from traffic.gateway.routes import SELF, Target, reachable
from traffic.gateway.snapshot import Application, Snapshot
from traffic.gateway.upstream import KEPT_FROM_CALLERS, NotReached, headers_for, judge, url_of

STORES: dict[str, Protocol] = {"/v1/messages/batches": ANTHROPIC, "/v1/files": OPENAI, "/v1/batches": OPENAI}
METHODS = ("GET", "POST", "DELETE")
_PATH = re.compile(r"^(/v1/messages/batches|/v1/files|/v1/batches)(?:/([A-Za-z0-9_.-]{1,200}))?(/[a-z_]{1,40})?$")
# Ids inside an answer that lead to more of the same owner's objects.
_LINKED = ("id", "output_file_id", "error_file_id")


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
        """`capped`: the caller has a hard cap. Raises Refusal."""
        root, vendor_id = store
        if capped and root != "/v1/files" and scope["method"] == "POST" and not vendor_id:
            words = "What a batch uses is not known before: a key with a hard cap cannot make one."
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
            base=f"{scope.get('scheme', 'http')}://{host}",
        )


def store_of(path: str) -> tuple[str, str] | None:
    """The store and the object that a path names; None where it is no path of a store."""
    match = _PATH.match(path)
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
        target = await self._target(call, body, application, snapshot)
        try:
            async with await self._ask(call, body, target) as upstream:
                await self._answer(call, upstream, target, application, send)
        except NotReached:
            raise Refusal(502, "upstream-unreachable", f"{target.slug} is at an address inside this network.") from None
        except (aiohttp.ClientError, OSError, TooMuch):
            raise Refusal(502, "upstream-unreachable", f"{target.slug} could not be reached.") from None

    async def _target(self, call: StoreCall, body: bytes, application: Application, snapshot: Snapshot) -> Target:
        candidates = self._candidates(call, application, snapshot)
        held = call.vendor_id or (_input_file(body) if call.root == "/v1/batches" and call.method == "POST" else "")
        if held:
            deployment_id = await self._objects.deployment_of(held, application.id)
            for target in snapshot.targets:
                if target.id == deployment_id:
                    return target
            raise Refusal(404, "no-such-object", f"This application has no object {held[:200]}.")
        if not candidates:
            vendor = "Anthropic" if call.protocol == ANTHROPIC else "OpenAI"
            raise Refusal(404, "no-target", f"No route leads to a deployment of {vendor} that holds files and batches.")
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

    async def _ask(self, call: StoreCall, body: bytes, target: Target) -> aiohttp.ClientResponse:
        if (address := literal(target.url)) is not None:
            judge(target.slug, address, local=target.local)
        return await self._relay.session(local=target.local).request(
            call.method,
            url_of(target, call.path, call.query),
            data=body or None,
            headers=headers_for(target, call.headers),
            allow_redirects=False,
        )

    async def _answer(
        self, call: StoreCall, upstream: aiohttp.ClientResponse, target: Target, application: Application, send: Send
    ) -> None:
        headers = [
            (lower, value)
            for name, value in upstream.raw_headers
            if (lower := name.lower()) not in KEPT_FROM_CALLERS and not lower.startswith(b"x-breakeven-")
        ]
        headers.append((b"x-breakeven-deployment", target.slug.encode()))
        if upstream.content_type != "application/json" or call.path.endswith(("/content", "/results")):
            await send({"type": "http.response.start", "status": upstream.status, "headers": headers})
            async for piece in upstream.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        body = await _whole(upstream)
        if upstream.status < 400:
            passed = await self._owned(call, body, target, application)
            if passed is not body:
                headers = [header for header in headers if header[0] != b"content-length"]
                body = passed
        await send({"type": "http.response.start", "status": upstream.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _owned(self, call: StoreCall, body: bytes, target: Target, application: Application) -> bytes:
        """Remember what the answer names of the application's; of a list, what is its own."""
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Refusal(502, "upstream-broke-off", f"{target.slug} answered with something that is no JSON object.")
        listed = answer.get("data") if call.method == "GET" and not call.vendor_id else None
        if listed is None and not call.vendor_id and call.method == "GET":
            raise Refusal(502, "upstream-broke-off", f"{target.slug} answered with something that is no list.")
        for item in listed if isinstance(listed, list) else [answer]:
            _lead_here(item, call)
        if not isinstance(listed, list):
            names = [answer.get(name) for name in _LINKED]
            await self._objects.keep([name for name in names if isinstance(name, str)], target.id, application.id)
            return msgspec.json.encode(answer) if "results_url" in answer else body
        items = [item for item in listed if isinstance(item, dict) and isinstance(item.get("id"), str)]
        owned = await self._objects.owned([item["id"] for item in items], target.id, application.id)
        own = [item for item in items if item["id"] in owned]
        ends: dict[str, Any] = {}
        for name, place in (("first_id", 0), ("last_id", -1)):
            if name in answer and not answer.get("has_more"):  # the next page begins at the vendor's own last one
                ends[name] = own[place]["id"] if own else None
        return msgspec.json.encode({**answer, "data": own, **ends})


def _lead_here(item: Any, call: StoreCall) -> None:
    """The vendor's address of a batch's results would take the caller past the gateway, with a key of ours."""
    if isinstance(item, dict) and isinstance(item.get("results_url"), str):
        item["results_url"] = f"{call.base}{call.root}/{item.get('id')}/results"


def _input_file(body: bytes) -> str:
    """The file of which a batch is made. Raises Refusal."""
    try:
        name = cast(Any, msgspec.json.decode(body)).get("input_file_id")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError):
        name = None
    if not isinstance(name, str) or not name:
        raise Refusal(400, "bad-request", "input_file_id: the id of a file is required.")
    return name


async def _whole(upstream: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in upstream.content.iter_any():
        size += len(piece)
        if size > MOST_ANSWER:
            raise TooMuch(f"an answer of more than {MOST_ANSWER:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)
