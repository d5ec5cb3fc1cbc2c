"""Sends a call to its targets, passes the answer on byte by byte, and writes down what happened.

The caller's bytes come first: whatever cannot be parsed or recorded never changes what is passed on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter

import aiohttp

from lib.reach import literal
from lib.repeated_events import log_repeated
from traffic.gateway import timeouts
from traffic.gateway.answers import Answer, StreamTap
from traffic.gateway.bedrock import prepared, read_frames
from traffic.gateway.bounds import LARGE_ANSWER, PIECE, TooMuch
from traffic.gateway.caps.ledger import CapLedger, CapReached
from traffic.gateway.concurrency import CallQueues
from traffic.gateway.exchange import Exchange, unreached
from traffic.gateway.hang_up import HUNG_UP, HangUp
from traffic.gateway.hedging import HEDGE_LOST, copied, hedged, partner_of
from traffic.gateway.held_objects import HeldObjects
from traffic.gateway.inflate import inflated
from traffic.gateway.intake import Share
from traffic.gateway.passing import finished, judge_whole, listener_of, read_whole, start_answer, whole_body
from traffic.gateway.protocols import CONVERSE
from traffic.gateway.recorder import Recorder
from traffic.gateway.refusals import Headers, Refusal, Send, send_error
from traffic.gateway.resilience import FAULTS, Cooling, again_in, is_failure, retry_after
from traffic.gateway.routes import BEDROCK, SELF, Target
from traffic.gateway.rule_use import CanaryCounts
from traffic.gateway.running import Running
from traffic.gateway.shadow import Shadows
from traffic.gateway.timeouts import CONNECT, IDLE, SENTENCES, Timeouts, kind_of
from traffic.gateway.translated import UNTRANSLATABLE, translation_for, whole_answer
from traffic.gateway.translation import StreamTranslator, Unreadable
from traffic.gateway.upstream import LargeBody, NotReached, answered, body_for, headers_for, judge, session_of, url_of
from traffic.gateway.usage_option import UsageFilter, adds_usage_option
from traffic.gateway.vendor_limits import VendorLimits
from traffic.ingest.tiers import tier_of

logger = logging.getLogger(__name__)

LARGE_BODY = 1024 * 1024  # bytes; aiohttp writes larger ones in pieces only from a file


class Unanswered(Refusal):
    """No target answered; `code` and the message are for the caller, `outcome` is the row's."""

    def __init__(self, status: int, code: str, message: str, outcome: str, headers: Headers = ()) -> None:
        super().__init__(status, code, message, tuple(headers))
        self.outcome = outcome


class Relay:
    """Passes exchanges on over one pool of kept-alive connections. To be made inside the event loop."""

    def __init__(
        self,
        recorder: Recorder,
        queues: CallQueues,
        caps: CapLedger | None = None,
        *,
        idle_timeout_s: float,
        connect_timeout_s: float,
        cooling: Cooling | None = None,
        limits: VendorLimits | None = None,
        canaries: CanaryCounts | None = None,
        drain_s: float = 0.0,
    ) -> None:
        self._recorder = recorder
        self._queues = queues
        self._caps = caps
        self._cooling = cooling or Cooling()
        self._canaries = canaries or CanaryCounts()
        self._drain_s = drain_s
        self.timeouts = Timeouts(connect_s=connect_timeout_s, silence_s=idle_timeout_s)
        self.running = Running()
        self.shadows: Shadows | None = None
        self.objects: HeldObjects | None = None
        self._limits = limits or VendorLimits()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s, sock_read=idle_timeout_s)
        # Two pools: a connection that a local target may use is never handed to one that is not.
        self._sessions = {local: session_of(timeout, local=local) for local in (False, True)}

    def session(self, *, local: bool) -> aiohttp.ClientSession:
        """The pool of connections for targets that may be at private addresses, or for the others."""
        return self._sessions[local]

    async def close(self) -> None:
        if self.shadows is not None:
            await self.shadows.close()
        for session in self._sessions.values():
            await session.close()
        if self._caps is not None:
            await self._caps.close()

    async def run(self, exchange: Exchange, send: Send, hang_up: HangUp, share: Share) -> None:
        """Pass one call on and its answer back. Raises CancelledError when `hang_up` or the server ends it."""
        self._recorder.begin(exchange)
        try:
            exchange, upstream = await self._open(exchange)
        except Unanswered as failure:
            self._record(exchange, Answer(error_type=failure.code), failure.outcome)
            await self._refuse(exchange, failure, send)
            return
        except asyncio.CancelledError:
            self._leave(exchange, hang_up)
            raise
        except BaseException:
            self._record(exchange, Answer(error_type="gateway_failed"), "error")
            raise
        try:
            # Events are passed on, but to a caller who asked for a whole answer, who gets an error: they are no object.
            if upstream.content_type == "text/event-stream" and not exchange.request.wants_whole:
                await self._pass_stream(exchange, upstream, send, hang_up)
            else:
                await self._pass_whole(exchange, upstream, send, hang_up, share)
        finally:
            exchange.free_slot()
            timeouts.end(exchange)
            if not upstream.closed:
                upstream.close()
        if exchange.decision.shadow is not None and self.shadows is not None:
            self.shadows.offer(exchange)

    async def _open(self, exchange: Exchange) -> tuple[Exchange, aiohttp.ClientResponse]:
        """The answer of the targets, or where a cap leaves no room and the route says so, of the rules after it.

        With it the call that it answers: another one than `exchange` where that was hedged.
        """
        while True:
            exchange.decision = self._cooling.reorder(exchange.decision)
            try:
                return await self._try(exchange)
            except CapReached as reached:
                following = exchange.following(exchange.decision.rule)
                if following is None:
                    exchange.status = reached.status
                    raise Unanswered(429, reached.code, str(reached), "refused", reached.headers) from None
                exchange.tries.append({"rule": exchange.decision.rule, "error": reached.code})
                exchange.decision = following

    async def _try(self, exchange: Exchange) -> tuple[Exchange, aiohttp.ClientResponse]:
        """The first target's answer that is none of 429 and 5xx, else the last one's, whatever it is."""
        last = len(exchange.decision.targets) - 1
        for number, target in enumerate(exchange.decision.targets):
            exchange.target = target
            try:
                exchange.translation = await translation_for(exchange, target)
                if exchange.recorded:  # counting tokens takes no slot, and counts for no cap
                    await self._admit(exchange, target)
                partner = partner_of(exchange) if number == 0 else None
                if partner is not None:
                    exchange, upstream = await self._hedged(exchange, target, partner)
                else:
                    upstream = await self._ask_patiently(exchange, target, last=number == last)
            except CapReached:
                raise
            except Refusal as refusal:
                exchange.queueing = False
                # What the rule's own target cannot be told is said; another one would be another answer.
                if number == last or (number == 0 and refusal.code == UNTRANSLATABLE):
                    raise Unanswered(refusal.status, refusal.code, str(refusal), "error", refusal.headers) from None
                exchange.tries.append({"deployment": target.slug, "error": refusal.code})
            except TimeoutError as error:
                if (kind := kind_of(error)) != CONNECT or number == last:
                    exchange.facts["timeout"] = kind
                    # It may be at work on the call still; asking another one too would pay twice.
                    words = SENTENCES[kind].format(target.slug)
                    raise Unanswered(504, "upstream-timeout", words, "timeout") from error
                exchange.tries.append({"deployment": target.slug, "error": "connect_timeout"})
            except (NotReached, aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: unreadable headers
                word = "address_refused" if isinstance(error, NotReached) else type(error).__name__
                exchange.tries.append({"deployment": target.slug, "error": word})
            else:
                if number == last or not is_failure(upstream.status):
                    exchange.status = upstream.status
                    return exchange, upstream
                exchange.tries.append({"deployment": target.slug, "status": upstream.status})
                timeouts.end(exchange)
                upstream.release()
            exchange.free_slot()
        raise Unanswered(502, "upstream-unreachable", unreached(exchange), "error")

    async def _admit(self, exchange: Exchange, target: Target) -> None:
        """Reserve what the call may use of its caps, then wait for a slot. Raises Refusal."""
        if exchange.capped is not None:
            await self._reserve(exchange, target)
        if target.max_concurrency is not None:
            await self._queue(exchange, target)

    async def _reserve(self, exchange: Exchange, target: Target) -> None:
        """Reserve what the call may use at this target, in place of what it did at the one before. Raises Refusal."""
        assert self._caps is not None and exchange.capped is not None
        if exchange.hold is not None:
            hold, exchange.hold = exchange.hold, None
            self._caps.give_back(hold)
        exchange.hold = await self._caps.reserve(exchange.capped, target)

    async def _queue(self, exchange: Exchange, target: Target) -> None:
        """Wait for a slot of a target with a limit. Raises Refusal where the queue is full or too slow."""
        began, exchange.queueing = perf_counter(), True  # which is left so where the caller hangs up
        try:
            exchange.free_slot = await self._queues.enter(target, exchange.application.id)
        finally:
            exchange.queued_ms += (perf_counter() - began) * 1000
        exchange.queueing = False

    async def _ask_patiently(self, exchange: Exchange, target: Target, *, last: bool) -> aiohttp.ClientResponse:
        """Ask, and where nobody else can answer and the target is busy for a moment, once more."""
        asked_at = asyncio.get_running_loop().time()
        exchange.free_slot = self.running.enter(target, exchange.free_slot)
        try:
            end = None if target.total_timeout_s is None else asked_at + target.total_timeout_s
            async with asyncio.timeout_at(end):
                upstream = await self._ask(exchange, target)
                if last and (wait := again_in(upstream.status, upstream.headers)) is not None:
                    exchange.tries.append({"deployment": target.slug, "status": upstream.status})
                    upstream.release()
                    await asyncio.sleep(wait)
                    upstream = await self._ask(exchange, target)
        except (aiohttp.ClientError, OSError):
            self._cooling.failed(target)
            raise
        self.timeouts.begin(exchange, target, upstream, asked_at)
        self._limits.note(target, upstream.headers)
        if upstream.status in FAULTS:
            self._cooling.failed(target, retry_after(upstream.headers))
        elif not is_failure(upstream.status):
            self._cooling.answered(target)
        return upstream

    async def _hedged(
        self, exchange: Exchange, target: Target, partner: Target
    ) -> tuple[Exchange, aiohttp.ClientResponse]:
        """Ask, and where no byte comes in the time that the rule sets, ask an equal target too."""

        async def second() -> Exchange | None:
            if self._queues.is_full(partner):
                return None
            copy = copied(exchange, partner, "hedge")
            try:
                if partner.max_concurrency is not None:
                    await self._queue(copy, partner)  # does not wait
                copy.translation = await translation_for(copy, partner)
                if copy.capped is not None:
                    await self._reserve(copy, partner)  # the last step: where one fails nothing is reserved
            except BaseException as error:
                copy.free_slot()
                if not isinstance(error, Refusal):
                    raise
                return None
            return copy

        def unsent(copy: Exchange) -> None:
            copy.free_slot()
            if copy.hold is not None and self._caps is not None:
                self._caps.give_back(copy.hold)

        async def ask(call: Exchange) -> aiohttp.ClientResponse:
            if call is not exchange:
                self._recorder.begin(call)
            return await self._ask_patiently(call, call.target or target, last=False)

        def lost(call: Exchange, answer: aiohttp.ClientResponse | None) -> None:
            call.free_slot()
            timeouts.end(call)
            call.status = None if answer is None else answer.status
            error = HEDGE_LOST if answer is None else f"http_{answer.status}"
            self._record(call, Answer(error_type=error), "cancelled" if answer is None else "error")

        assert exchange.decision.of is not None and exchange.decision.of.hedge_ms
        return await hedged(exchange, exchange.decision.of.hedge_ms / 1000, ask, second, unsent, lost)

    async def _ask(self, exchange: Exchange, target: Target) -> aiohttp.ClientResponse:
        if exchange.translation is not None:
            body, path, query = exchange.translation.body, exchange.translation.path, ""
        else:
            body, path, query = await body_for(exchange.request, target), exchange.path, exchange.query
        converse = exchange.spoken == CONVERSE
        if target.engine == BEDROCK:
            url, headers, body = await prepared(target, body, exchange.headers, converse=converse)
        else:
            url, headers = url_of(target, path, query), headers_for(target, exchange.headers, exchange.translation)
        session = self._sessions[target.local]
        if (address := literal(target.url)) is not None:
            judge(target.slug, address, local=target.local)
        for attempt in (1, 2):
            try:
                upstream = await session.post(
                    url,
                    data=body if len(body) < LARGE_BODY else LargeBody(body),
                    headers=headers,
                    allow_redirects=False,
                    timeout=self.timeouts.of(target),
                )
                return read_frames(target, answered(upstream), converse=converse)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # A kept-alive connection that the engine closed in the same moment: once more over a new one.
                if attempt == 2:
                    raise
        raise AssertionError("the second attempt returns or raises")

    async def _pass_whole(
        self, exchange: Exchange, upstream: aiohttp.ClientResponse, send: Send, hang_up: HangUp, share: Share
    ) -> None:
        try:
            body = await whole_body(upstream, share)
            exchange.free_slot()  # the engine is done, however slowly the caller takes its answer
            plain = inflated(upstream.headers.get("Content-Encoding"), body)
            if exchange.translation is not None:
                body = await whole_answer(exchange.translation, upstream.status, plain)
            else:
                judge_whole(exchange.request.protocol, upstream.status, plain)
        except asyncio.CancelledError:
            self._leave(exchange, hang_up)
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, TooMuch, Refusal) as error:
            failure = _broken(exchange, error)
            self._record(exchange, Answer(error_type=failure.code), failure.outcome)
            await self._refuse(exchange, failure, send)
            return
        answer = read_whole(exchange, plain)
        failed = upstream.status >= 400
        if failed and answer.error_type is None:
            answer.error_type = f"http_{upstream.status}"
        self._record(exchange, answer, "error" if failed else "ok")
        await start_answer(send, exchange, upstream)
        # A large answer waits for its caller in pieces of which the server holds but a few.
        for at in range(0, len(body) - PIECE, PIECE) if len(body) > LARGE_ANSWER else ():
            await hang_up.send(send, body[at : at + PIECE])
        rest = body if len(body) <= LARGE_ANSWER else body[(len(body) - 1) // PIECE * PIECE :]
        await send({"type": "http.response.body", "body": rest, "more_body": False})

    async def _pass_stream(
        self, exchange: Exchange, upstream: aiohttp.ClientResponse, send: Send, hang_up: HangUp
    ) -> None:
        encoding = upstream.headers.get("Content-Encoding")
        tap = StreamTap(exchange.spoken, with_text=exchange.keep_bodies, counting=exchange.metered)
        listen = listener_of(tap, encoding)
        if self.objects is not None:
            listen = self.objects.noting(exchange, tap.answer, listen)
        plain = not encoding or encoding == "identity"
        assert exchange.target is not None
        events: UsageFilter | StreamTranslator | None = None
        if exchange.translation is not None:
            events = exchange.translation.stream(encoding)
        elif plain and adds_usage_option(exchange.request, exchange.target):
            events = UsageFilter()
        try:
            await start_answer(send, exchange, upstream)
            async for chunk in upstream.content.iter_any():
                listen(chunk)
                if exchange.ttft_ms is None and tap.content_seen:
                    exchange.ttft_ms = exchange.elapsed_ms()
                # Waits while the caller reads slowly; aiohttp then stops reading from the engine as well.
                if events is None:
                    await hang_up.send(send, chunk)
                elif passing := events.feed(chunk):
                    await hang_up.send(send, passing)
        except asyncio.CancelledError:
            if not tap.ended:
                await self._drain(exchange, upstream, hang_up, listen)
            self._record_stream(exchange, tap, "cancelled", hang_up.reason)
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, TooMuch) as error:
            failure = _broken(exchange, error)
            self._record_stream(exchange, tap, failure.outcome, failure.code)
            return  # without the last chunk, so that the caller sees that the answer broke off
        except BaseException:
            self._record_stream(exchange, tap, "error", "gateway_failed")
            raise
        rest = _rest_of(exchange, events)
        self._record_stream(exchange, tap, "error", "incomplete_stream")
        await send({"type": "http.response.body", "body": rest, "more_body": False})

    async def _drain(
        self, exchange: Exchange, upstream: aiohttp.ClientResponse, hang_up: HangUp, listen: Callable[[bytes], None]
    ) -> None:
        """Where the caller has gone, read on for the usage within a bound; our own engines are cancelled at once."""
        exchange.facts["upstream"], call = "cancelled", asyncio.current_task()
        vendor = exchange.target is not None and exchange.target.provider != SELF
        if not (self._drain_s and vendor and hang_up.reason == HUNG_UP and call is not None):
            return
        call.uncancel()
        with suppress(aiohttp.ClientError, OSError, TooMuch):
            async with asyncio.timeout(self._drain_s):
                async for chunk in upstream.content.iter_any():
                    listen(chunk)
            exchange.facts["upstream"] = "drained"

    def _record_stream(self, exchange: Exchange, tap: StreamTap, outcome: str, error_type: str) -> None:
        """Record a stream that ended like this, unless it said itself that it was whole, or what went wrong."""
        answer = finished(tap)
        if answer.error_type is not None or (exchange.status or 0) >= 400:
            outcome = "error"
        elif tap.ended and "upstream" not in exchange.facts:
            outcome = "ok"
        else:
            answer.error_type = error_type
        self._record(exchange, answer, outcome)

    def _leave(self, exchange: Exchange, hang_up: HangUp) -> None:
        """Record a call that was ended before its answer began; its target, if it was asked, is cancelled."""
        if not exchange.queueing:
            exchange.facts["upstream"] = "cancelled"
        self._record(exchange, Answer(error_type=hang_up.reason), "cancelled")

    def _record(self, exchange: Exchange, answer: Answer, outcome: str) -> None:
        exchange.outcome = outcome
        if self.objects is not None:
            self.objects.note(exchange, answer)
        if exchange.decision.canary is not None:
            self._canaries.note(exchange, outcome)
        row = exchange.row = self._recorder.record(exchange, answer, outcome)
        if exchange.hold is not None and row is not None and self._caps is not None:
            row.tier = tier_of({"usage": answer.usage})
            self._caps.settle(exchange.hold, row)

    async def _refuse(self, exchange: Exchange, failure: Unanswered, send: Send) -> None:
        headers = [*exchange.own_headers, *failure.headers]
        await send_error(send, exchange.request.protocol, failure.status, failure.code, str(failure), headers)


def _rest_of(exchange: Exchange, events: UsageFilter | StreamTranslator | None) -> bytes:
    """What is left to pass when the engine's bytes are over; nothing, where a translator cannot read it."""
    try:
        return events.finish() if events else b""
    except TooMuch as error:
        _broken(exchange, error)
        return b""


def _broken(exchange: Exchange, error: BaseException) -> Unanswered:
    """What to say of an answer that ended before its end."""
    slug = exchange.target.slug if exchange.target else "The engine"
    if isinstance(error, TooMuch | Refusal):
        details = {"call": exchange.external_id, "error": error}
        log_repeated(logger, logging.ERROR, "stream_cut_off", deployment=slug, details=details)
    if isinstance(error, TimeoutError):
        kind = exchange.facts.setdefault("timeout", IDLE)
        return Unanswered(504, "upstream-timeout", SENTENCES[kind].format(slug), "timeout")
    fault = "sent an answer that cannot be read" if isinstance(error, Unreadable) else "broke off within its answer"
    return Unanswered(502, "upstream-broke-off", f"{slug} {fault}.", "error")
