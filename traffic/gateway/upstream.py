"""How an upstream is reached: the pool of its connections, the addresses that may be asked, its URL and headers."""

from __future__ import annotations

import asyncio
import io
from functools import lru_cache, partial
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
from yarl import URL

from lib.reach import GuardedResolver, IPAddress, may_reach
from traffic.gateway.protocols import ANTHROPIC, BESIDE_THE_LOOP, GatewayRequest
from traffic.gateway.refusals import Headers
from traffic.gateway.routes import Target
from traffic.gateway.translated import translated_headers
from traffic.gateway.translation import Translation
from traffic.gateway.usage_option import adds_usage_option

AZURE = "azure_openai"
AZURE_VERSION = "2024-10-21"  # where the deployment's address names none
# Engines whose address has a path of its own in the place of `/v1`.
WITH_PATH = frozenset({"openai_compatible", "gemini", "openrouter"})

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding"
    b" upgrade".split()
)
# Not the vendor's business: who called whom, the caller's own credentials and accounts. Encodings: see `headers_for`.
KEPT_FROM_TARGETS = HOP_BY_HOP | frozenset(
    b"host content-length expect accept-encoding authorization x-api-key api-key x-goog-api-key cookie"
    b" forwarded via x-real-ip openai-organization openai-project".split()
)
# About the vendor's host, or about our account there; the server sets its own date.
KEPT_FROM_CALLERS = HOP_BY_HOP | frozenset(
    b"set-cookie alt-svc strict-transport-security server date www-authenticate location"
    b" anthropic-organization-id openai-organization openai-project".split()
)


class NotReached(Exception):
    """A target's name leads to an address where we do not go. No OSError, which aiohttp would hide in its own."""


class UnexpectedStatus(aiohttp.ClientError):
    """A redirect, and what is as rare as an upgrade or a number that HTTP does not have: no answer of a model."""


def answered(upstream: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """The response, if its status is one of a result or of an error. Raises UnexpectedStatus."""
    if 200 <= upstream.status < 300 or 400 <= upstream.status < 600:
        return upstream
    upstream.close()
    raise UnexpectedStatus(f"HTTP {upstream.status}")


class LargeBody(io.BytesIO):
    """A body that aiohttp sends in pieces.

    To know its size aiohttp asks for its buffer, which would be a copy: 17 ms for 30 MB, on the event loop.
    """

    def getbuffer(self) -> memoryview:
        return memoryview(self.getvalue())


def session_of(timeout: aiohttp.ClientTimeout, *, local: bool) -> aiohttp.ClientSession:
    resolver = GuardedResolver(partial(judge, local=local))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, resolver=resolver),
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def judge(host: str, address: IPAddress, *, local: bool) -> None:
    """Refuse an address inside our own network unless the target is marked as local. Raises NotReached."""
    if not may_reach(address, local=local):
        raise NotReached(f"{host} leads to {address}")


def url_of(target: Target, path: str, query: str) -> URL:
    """A path below the target's base address. What a caller puts into the query is not remembered."""
    if target.engine == AZURE and not path.startswith("/v1/responses/"):
        return _azure(target.url, target.model, path)
    azure = target.engine == AZURE
    base = _azure(target.url, target.model, path) if azure else _base(target.url, target.engine, path)
    return base if not query else URL(f"{base}?{query}", encoded=True)


@lru_cache(1024)
def _base(address: str, engine: str, path: str) -> URL:
    """The address of a path, which people paste with and without `/v1`; paths are those that the gateway serves."""
    base = address.rstrip("/")
    if engine in WITH_PATH and urlsplit(base).path:
        return URL(base + path.removeprefix("/v1"), encoded=True)
    return URL(base.removesuffix("/v1") + path, encoded=True)


@lru_cache(1024)
def _azure(address: str, deployment: str, path: str) -> URL:
    """Azure's path names the deployment and its query the version; Responses are at an address without either."""
    parts = urlsplit(address)
    root = f"{parts.scheme}://{parts.netloc}{parts.path.partition('/openai')[0].rstrip('/')}/openai"
    if path.startswith("/v1/responses"):
        return URL(f"{root}{path}", encoded=True)
    version = parse_qs(parts.query).get("api-version", [AZURE_VERSION])[0]
    named = f"{root}/deployments/{quote(deployment, safe='')}{path.removeprefix('/v1')}"
    return URL(f"{named}?api-version={quote(version, safe='')}", encoded=True)


async def body_for(request: GatewayRequest, target: Target) -> bytes:
    """The body as it is sent to a target; a large one is copied in a thread."""
    asks = adds_usage_option(request, target)
    if len(request.body) <= BESIDE_THE_LOOP:
        return request.with_model(target.model, ask_usage=asks)
    return await asyncio.to_thread(request.with_model, target.model, ask_usage=asks)


def key_header(target: Target) -> tuple[str, str]:
    """The header that carries the target's own key."""
    if target.engine == ANTHROPIC:
        return "x-api-key", target.api_key
    if target.engine == AZURE:
        return "api-key", target.api_key
    return "authorization", f"Bearer {target.api_key}"


def headers_for(target: Target, callers: Headers, translation: Translation | None = None) -> list[tuple[str, str]]:
    """The caller's headers but for those that are ours or theirs alone, with the target's own key.

    Nothing is asked to be compressed: usage is read as the bytes pass by, and that must not cost an inflation.
    """
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in callers
        if name not in KEPT_FROM_TARGETS and not name.startswith((b"x-breakeven-", b"x-forwarded-"))
    ]
    headers.append(("accept-encoding", "identity"))
    if target.api_key:
        headers.append(key_header(target))
    return headers if translation is None else translated_headers(headers, translation)
