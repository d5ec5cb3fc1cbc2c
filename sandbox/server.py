"""The sandbox process: every vendor under its prefix, faults and state by HTTP, the demo's engine passed through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
from aiohttp import web

from sandbox import bedrock, clouds, vllm
from sandbox.anthropic import SandboxAnthropic
from sandbox.bends import BENT, bent
from sandbox.faults import Faults
from sandbox.google import SandboxGoogle
from sandbox.lambda_cloud import SandboxLambda
from sandbox.runpod import SandboxRunPod
from sandbox.state import State
from sandbox.vast import SandboxVast
from sandbox.vendor import Vendor, hang_up, json

STATE: web.AppKey[State] = web.AppKey("state", State)
FAULTS: web.AppKey[Faults] = web.AppKey("faults", Faults)
VENDORS: web.AppKey[dict[str, Vendor]] = web.AppKey("vendors", dict)

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "host", "content-length"}
)


def build_app(
    state: State, *, engine_url: str = "", pace: float = 1.0, strict: bool = False, more: Iterable[Vendor] = ()
) -> web.Application:
    """The application, with `more` vendors than those that are simulated.

    `pace` scales the delays of the simulated Claude (0: none); `strict` keeps the vendors' own limits of one call a
    second, which otherwise are wide enough for a person who clicks.
    """
    app = web.Application(middlewares=[_faulty], client_max_size=64 * 1024 * 1024)
    vendors: list[Vendor] = [
        SandboxAnthropic(state, pace),
        SandboxRunPod(state),
        SandboxVast(state, strict),
        SandboxLambda(state, strict),
        SandboxGoogle(state),
        *more,
    ]
    app[STATE] = state
    app[FAULTS] = Faults(more=[vendor.name for vendor in vendors])
    app[VENDORS] = {vendor.name: vendor for vendor in vendors}
    for vendor in vendors:
        app.router.add_routes(vendor.mounted())
    app.router.add_routes(
        [
            web.get("/healthz", _healthz),
            web.get("/faults", _list_faults),
            web.post("/faults", _set_fault),
            web.delete("/faults", _clear_faults),
            web.post("/webhooks/{name}", _take_webhook),
            web.put("/state/{vendor}", _load_state),
            web.delete("/state/{vendor}", _forget_state),
        ]
    )
    if engine_url:
        app.cleanup_ctx.append(_engine_client(engine_url.rstrip("/")))
        app.router.add_route("*", "/engine/{path:.*}", _engine)
        app.router.add_routes(vllm.routes(_engine))
    app.router.add_routes(clouds.routes())
    app.router.add_routes(bedrock.routes())
    return app


async def _take_webhook(request: web.Request) -> web.Response:
    """A program of the company's that hears of alerts; it takes whatever is JSON and carries an id."""
    told = await request.json()
    return web.json_response({"taken": told["id"]}, status=202)


def _vendor_of(path: str) -> str:
    return path.split("/", 2)[1]


@web.middleware
async def _faulty(request: web.Request, handler: Any) -> web.StreamResponse:
    place = _vendor_of(request.path)
    vendor = request.app[VENDORS].get(place)
    fault = request.app[FAULTS].take(place) if vendor or place == "engine" else None
    if fault is None:
        answer: web.StreamResponse = await handler(request)
        return answer
    if vendor is None:  # the engine is no vendor; it breaks in Claude's words, which it speaks as well
        vendor = request.app[VENDORS]["anthropic"]
    return await (bent(fault, request, handler) if fault in BENT else vendor.faulty(fault, request))


async def _healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _list_faults(request: web.Request) -> web.Response:
    return json({"faults": request.app[FAULTS].listed()})


async def _set_fault(request: web.Request) -> web.Response:
    try:
        asked = await request.json()
        request.app[FAULTS].set(asked["vendor"], str(asked["kind"]), for_s=_number(asked, "for_s"), count=_count(asked))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return json({"detail": f"This is no fault that can be set: {error}"}, 400)
    return json({"faults": request.app[FAULTS].listed()})


def _number(asked: dict[str, Any], name: str) -> float | None:
    return None if asked.get(name) is None else float(asked[name])


def _count(asked: dict[str, Any]) -> int | None:
    number = _number(asked, "count")
    return None if number is None else int(number)


async def _clear_faults(request: web.Request) -> web.Response:
    request.app[FAULTS].clear(request.query.get("vendor"))
    return json({"faults": request.app[FAULTS].listed()})


async def _load_state(request: web.Request) -> web.Response:
    vendor = request.app[VENDORS].get(request.match_info["vendor"])
    if vendor is None:
        return json({"detail": "There is no such vendor here."}, 404)
    try:
        return json({"rows": vendor.load(await request.json())})
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        return json({"detail": f"This is no state of {vendor.name}: {type(error).__name__} {error}"}, 400)


async def _forget_state(request: web.Request) -> web.Response:
    name = request.match_info["vendor"]
    state = request.app[STATE]
    for vendor, table in list(state.tables):
        if vendor == name:
            state.clear(vendor, table)
    return json({"rows": 0})


CLIENT: web.AppKey[aiohttp.ClientSession] = web.AppKey("client", aiohttp.ClientSession)
ENGINE: web.AppKey[str] = web.AppKey("engine", str)


def _engine_client(engine_url: str) -> Any:
    async def client(app: web.Application) -> AsyncIterator[None]:
        app[ENGINE] = engine_url
        timeout = aiohttp.ClientTimeout(total=None, connect=10)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
            app[CLIENT] = session
            yield

    return client


async def _engine(request: web.Request) -> web.StreamResponse:
    """Pass a call on to the real engine, byte by byte as it answers."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    url = f"{request.app[ENGINE]}/{request.match_info['path']}"
    if request.query_string:
        url += f"?{request.query_string}"
    body = await request.read() if request.can_read_body else None
    try:
        async with request.app[CLIENT].request(request.method, url, headers=headers, data=body) as upstream:
            kept = [(name, value) for name, value in upstream.headers.items() if name.lower() not in HOP_BY_HOP]
            response = web.StreamResponse(status=upstream.status, headers=kept)
            await response.prepare(request)
            async for part in upstream.content.iter_any():
                await response.write(part)
            await response.write_eof()
            return response
    except aiohttp.ClientError:
        return hang_up(request)  # a dead engine refuses; the nearest to it that a proxy can do
