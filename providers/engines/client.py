"""HTTP to engines: one client for many checks, no redirects, sized bodies, guarded addresses, errors as sentences."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.connector import Connection

from lib import netguard
from lib.reach import GuardedResolver, literal
from providers.engines import causes
from providers.engines.faults import Fault
from providers.engines.reply import Reply

BODY_LIMIT = 1024 * 1024
USER_AGENT = "breakeven-check"


class _Answer(aiohttp.ClientResponse):
    """Keeps when the peer's certificate expires: after an empty body the connection is already back in the pool."""

    tls_expires_at: datetime | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        certificate = connection.transport.get_extra_info("peercert") if connection.transport else None
        self.tls_expires_at = _expiry(certificate)
        return await super().start(connection)


def _expiry(certificate: Mapping[str, Any] | None) -> datetime | None:
    if not certificate or "notAfter" not in certificate:
        return None
    return datetime.strptime(certificate["notAfter"], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)


class Stream:
    """An answer whose lines are read as they come."""

    def __init__(self, response: aiohttp.ClientResponse, started: float) -> None:
        self.response = response
        self.started = started
        self.status = response.status

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

    async def lines(self) -> AsyncIterator[bytes]:
        read = 0
        async for line in self.response.content:
            read += len(line)
            if read > BODY_LIMIT:
                raise Fault("completion", causes.too_long(BODY_LIMIT))
            yield line.strip()

    async def reply(self) -> Reply:
        return await _read(self.response, self.elapsed_ms, BODY_LIMIT)


class EngineClient:
    """One per batch of checks; use as an async context manager. `trust` replaces the system's authorities for TLS."""

    def __init__(self, *, connections: int = 200, trust: ssl.SSLContext | None = None) -> None:
        self._connections = connections
        self._trust = trust
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, local: bool = False, limit: int = BODY_LIMIT
    ) -> Reply:
        """Fetch a URL; raises Fault at step `connect` with the reason when there is no answer at all."""
        async with self._request("GET", url, headers or {}, None, local) as (response, started):
            return await _read(response, (time.perf_counter() - started) * 1000, limit)

    @asynccontextmanager
    async def stream(
        self, url: str, *, headers: Mapping[str, str], body: Mapping[str, Any], local: bool
    ) -> AsyncIterator[Stream]:
        """Post JSON and read the answer by lines; raises Fault as `get` does."""
        async with self._request("POST", url, headers, body, local) as (response, started):
            yield Stream(response, started)

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None, local: bool
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, float]]:
        started = time.perf_counter()
        try:
            if (address := literal(url)) is not None:
                netguard.judge(str(address), address, local=local)
            session = self._session(local)
            async with session.request(method, url, headers=headers, json=body, allow_redirects=False) as response:
                yield response, started
        except netguard.AddressRefused as error:
            raise Fault("connect", str(error), sent=False) from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            sent = not isinstance(error, (aiohttp.ClientConnectorError, aiohttp.InvalidURL))
            raise Fault("connect", causes.for_error(error, url), sent=sent) from None

    def _session(self, local: bool) -> aiohttp.ClientSession:
        if local not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                resolver=GuardedResolver(partial(netguard.judge, local=local)),
                ttl_dns_cache=60,
                ssl=self._trust or True,
            )
            self._sessions[local] = aiohttp.ClientSession(
                connector=connector,
                response_class=_Answer,
                headers={"User-Agent": USER_AGENT},
                timeout=aiohttp.ClientTimeout(total=None),  # each check has its own deadline
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._sessions[local]


async def _read(response: aiohttp.ClientResponse, elapsed_ms: float, limit: int) -> Reply:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise Fault("connect", causes.too_long(limit))
    return Reply(
        url=str(response.url),
        status=response.status,
        content_type=response.content_type,
        location=response.headers.get("Location", ""),
        retry_after=response.headers.get("Retry-After", ""),
        body=bytes(body),
        elapsed_ms=elapsed_ms,
        tls_expires_at=getattr(response, "tls_expires_at", None),
    )
