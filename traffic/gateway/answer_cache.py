"""Answers identical calls of an application from Valkey, where the application opted in (decision 39).

A call is known by its path, its body without the fields that do not change an answer, and the model that would answer.
What is kept is what the caller got: a stream comes again as its bytes, and a stream of which only the whole answer is
there is made of that. Whatever happens to Valkey, the call goes to its deployment. For one event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from lib.repeated_events import log_repeated
from traffic.gateway.answers import Answer
from traffic.gateway.caps.reads import reads_more
from traffic.gateway.exchange import Exchange
from traffic.gateway.protocols import CHATS, COMPLETIONS, EMBEDDINGS, MOST_READ, RESPONSES, GatewayRequest
from traffic.gateway.recorder import Recorder
from traffic.gateway.refusals import Send
from traffic.gateway.translation.replay import as_stream
from traffic.ingest.rows import Tokens

logger = logging.getLogger(__name__)

MOST_ANSWER = 256 << 10  # bytes of an answer that is kept
# Bytes of all answers, with their places: a quarter of what the shipped Valkey holds, which has the tasks' queue too.
MOST_OF_ALL = 32 << 20
PLACE = 300  # bytes that an answer takes beside its own
ANSWER_S = 0.25  # in which Valkey must answer
AWAY_S = 2.0  # so long after it did not, no call asks it
CONNECTIONS = 16

# They do not change what a model answers; an answer of Responses repeats all but the first two.
UNTOLD = frozenset({"stream", "stream_options", "model"})
ABOUT_CALLER = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key"})
VERSIONS = frozenset({b"anthropic-version", b"anthropic-beta", b"openai-beta"})

# Keys: the application's answers by call, and when they end; the bytes of each application's answers; how often each
# was purged. Beyond the bound the application with most bytes loses its oldest.
STORE = f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, ends, sizes, purges = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local own, field, value, ttl, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if (redis.call('HGET', purges, own) or '0') ~= ARGV[6] then return 0 end
local bytes, total = {{}}, #value + {PLACE}
local all = redis.call('HGETALL', sizes)
for place = 1, #all, 2 do
  if redis.call('EXISTS', 'cache:' .. all[place] .. ':answers') == 1 then
    bytes[all[place]] = tonumber(all[place + 1])
    total = total + bytes[all[place]]
  else
    redis.call('HDEL', sizes, all[place])
  end
end
bytes[own] = bytes[own] or 0
local function drop(of, name)
  local less = redis.call('HSTRLEN', 'cache:' .. of .. ':answers', name) + {PLACE}
  redis.call('HDEL', 'cache:' .. of .. ':answers', name)
  redis.call('ZREM', 'cache:' .. of .. ':ends', name)
  redis.call('HINCRBY', sizes, of, -less)
  bytes[of], total = bytes[of] - less, total - less
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 1000)) do drop(own, name) end
if redis.call('HEXISTS', answers, field) == 1 then drop(own, field) end
while total > most do
  local largest
  for of, size in pairs(bytes) do
    if not largest or size > bytes[largest] then largest = of end
  end
  local oldest = largest and redis.call('ZRANGE', 'cache:' .. largest .. ':ends', 0, 0)[1]
  if not oldest then return 0 end
  drop(largest, oldest)
end
redis.call('HSET', answers, field, value)
redis.call('HINCRBY', sizes, own, #value + {PLACE})
redis.call('ZADD', ends, string.format('%.0f', now + ttl), field)
redis.call('PEXPIRE', answers, ttl)
redis.call('PEXPIRE', ends, ttl)
return 1
"""
SIZES, PURGES = "cache:sizes", "cache:purges"


def keys_of(application: int) -> tuple[str, str]:
    """The two names in Valkey under which an application's answers are: by call, and by when they end."""
    return f"cache:{application}:answers", f"cache:{application}:ends"


class CachedAnswer(msgspec.Struct, array_like=True):
    """An answer as it is kept. `at`: when, in seconds since 1970. `answer_of`: the request that it was of."""

    at: float
    content_type: bytes
    body: bytes
    tokens: Tokens
    answer_of: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(CachedAnswer)


class AnswerCache:
    """The answers of all applications; opens nothing before the first call of one that opted in."""

    def __init__(self, queue_url: str, recorder: Recorder, clock: Callable[[], float] = time.time) -> None:
        self._queue_url = queue_url
        self._recorder = recorder
        self._clock = clock
        self._client: Any = None
        self._store: Any = None
        self._opening = asyncio.Lock()
        self._errors: tuple[type[Exception], ...] = (OSError, TimeoutError)
        self._away_until = 0.0  # time.monotonic
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, exchange: Exchange, send: Send) -> Send | None:
        """Answer a call from the cache; None where it is done. Else what to send the answer with, which may keep it."""
        if not exchange.application.cache_s or not exchange.recorded:
            return send
        headers = dict(exchange.headers)
        control = headers.get(b"cache-control", b"").lower()
        if exchange.private or exchange.no_store or b"no-store" in control or time.monotonic() < self._away_until:
            return send
        digest = digest_of(exchange, headers)
        if digest is None:
            return send
        purges, answer = await self._find(exchange, digest)
        if answer is not None and b"no-cache" not in control:
            await self._answer(exchange, answer, send)
            return None
        return send if purges is None else _Keeper(self, exchange, digest, purges, send)

    async def _find(self, exchange: Exchange, digest: str) -> tuple[bytes | None, CachedAnswer | None]:
        """How often the application's cache was purged up to now, None where Valkey does not answer; and the answer."""
        request = exchange.request
        fields = [digest + form_of(request)]
        if request.streamed and request.protocol in CHATS:
            fields.append(digest + WHOLE)
        application = exchange.application.id
        assert application is not None, "only an application opts in"
        try:
            read = (await self._opened()).pipeline(transaction=False)
            read.hget(PURGES, str(application)).hmget(keys_of(application)[0], fields)
            purges, values = await read.execute()
        except self._errors as error:
            self._lost(error)
            return None, None
        for field, value in zip(fields, values, strict=True):
            answer = _decode(value)
            if answer is None or answer.at + exchange.application.cache_s <= self._clock():
                continue
            if request.streamed and field.endswith(WHOLE):
                events = as_stream(request.protocol, request.body, answer.body)
                if events is None:
                    continue
                answer.body, answer.content_type = events, b"text/event-stream; charset=utf-8"
            return purges or b"0", answer
        return purges or b"0", None

    async def _answer(self, exchange: Exchange, answer: CachedAnswer, send: Send) -> None:
        exchange.target, exchange.status, exchange.keep_bodies = exchange.decision.targets[0], 200, False
        exchange.saved, exchange.answer_of = answer.tokens, answer.answer_of
        self._recorder.record(exchange, Answer(), "ok")
        headers = [(b"content-type", answer.content_type), *exchange.own_headers]
        if not exchange.request.streamed:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    def keep(self, exchange: Exchange, digest: str, purges: bytes, content_type: bytes, body: bytes) -> None:
        """Keep the whole answer that a caller got, unless a purge came between; does not wait."""
        row, application = exchange.row, exchange.application
        if row is None or row.outcome != "ok" or row.tokens is None or application.id is None:
            return
        answer = CachedAnswer(self._clock(), content_type, body, row.tokens, str(exchange.request_id))
        field, ttl = digest + form_of(exchange.request), application.cache_s * 1000
        arguments = (application.id, field, _encoder.encode(answer), ttl, MOST_OF_ALL, purges)
        task = asyncio.get_running_loop().create_task(self._keep((*keys_of(application.id), SIZES, PURGES), arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, keys: tuple[str, ...], arguments: tuple[Any, ...]) -> None:
        try:
            await self._opened()
            await self._store(keys=keys, args=arguments)
        except self._errors as error:
            self._lost(error)

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is None:
                await asyncio.to_thread(importlib.import_module, "redis.asyncio")  # 0.2 s, for those alone who opt in
                self._open()
        return self._client

    def _open(self) -> None:
        from redis import asyncio as redis
        from redis.exceptions import RedisError

        self._errors = (*self._errors, RedisError)
        pool = redis.BlockingConnectionPool.from_url(
            self._queue_url, max_connections=CONNECTIONS, timeout=ANSWER_S, socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
        )  # fmt: skip
        self._client = redis.Redis.from_pool(pool)
        self._store = self._client.register_script(STORE)

    def _lost(self, error: Exception) -> None:
        self._away_until = time.monotonic() + AWAY_S
        log_repeated(logger, logging.WARNING, "answer_cache_away", error=type(error).__name__)

    async def close(self) -> None:
        """Wait for what is being kept, and close the connections."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)
        if self._client is not None:
            await self._client.aclose()


class _Keeper:
    """Passes an answer on to its caller, and holds what passes as long as it may be kept.

    The digest names the model that was chosen at first. Whatever stands in since, its answer is not kept.
    """

    def __init__(self, cache: AnswerCache, exchange: Exchange, digest: str, purges: bytes, send: Send) -> None:
        self._cache = cache
        self._exchange = exchange
        self._digest = digest
        self._purges = purges
        first = exchange.decision.targets[0]
        self._model = (first.provider, first.model)
        self._send = send
        self._pieces: list[bytes] | None = None
        self._size = 0
        self._content_type = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self._content_type = headers.get(b"content-type", b"")
            plain = headers.get(b"content-encoding", b"identity") == b"identity"
            self._pieces = [] if message["status"] == 200 and plain else None
            message = {**message, "headers": [*message["headers"], (b"x-breakeven-cache", b"miss")]}
        elif self._pieces is not None:
            self._size += len(message["body"])
            self._pieces.append(message["body"])
            if self._size > MOST_ANSWER:
                self._pieces = None
        await self._send(message)
        row = self._exchange.row
        if self._pieces is None or message.get("more_body") is not False or row is None:
            return
        if (row.provider, row.model) == self._model:
            self._cache.keep(self._exchange, self._digest, self._purges, self._content_type, b"".join(self._pieces))


WHOLE = ":whole"


def form_of(request: GatewayRequest) -> str:
    """How an answer comes: whole, as a stream, or as a stream that reports its usage because the caller asks for it."""
    if not request.streamed:
        return WHOLE
    return ":stream-usage" if request.asks_for_usage else ":stream"


def digest_of(exchange: Exchange, headers: dict[bytes, bytes]) -> str | None:
    """What makes a call the same as another; None for one whose answer is not kept."""
    request = exchange.request
    if request.protocol not in CHATS | {COMPLETIONS, EMBEDDINGS} or request.span is not None:
        return None
    if len(request.body) > MOST_READ or not (exchange.application.cache_varied or is_steady(request)):
        return None
    if reads_more(request):  # what it reads may change
        return None
    target = exchange.decision.targets[0]
    ignored = UNTOLD if request.protocol == RESPONSES else UNTOLD | ABOUT_CALLER
    parts = [exchange.path.encode(), exchange.query.encode(), target.provider.encode(), target.model.encode()]
    parts += [part for name in sorted(VERSIONS & headers.keys()) for part in (name, headers[name])]
    try:
        for name in sorted(request.fields.keys() - ignored):
            parts += [name.encode("utf-8", "surrogatepass"), msgspec.json.format(request.fields[name], indent=-1)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    hashed = hashlib.blake2b(digest_size=24)
    for part in parts:
        hashed.update(b"%d:" % len(part))
        hashed.update(part)
    return hashed.hexdigest()


def is_steady(request: GatewayRequest) -> bool:
    """Whether the same call gets the same answer, as far as the caller can ask for it: temperature 0, or vectors."""
    if request.protocol == EMBEDDINGS:
        return True
    try:
        return float(bytes(request.fields.get("temperature", b"1"))[:20]) == 0
    except ValueError:
        return False


def _decode(value: bytes | None) -> CachedAnswer | None:
    try:
        return None if value is None else _decoder.decode(value)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None  # of another version
