"""What a call may use at most, which is reserved, and what it has used, which is counted. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec

from traffic.caps.windows import MOST, Window, counted
from traffic.gateway.caps.reads import reads_more
from traffic.gateway.estimates import LONGEST_CONTEXT
from traffic.gateway.protocols import COMPLETIONS, EMBEDDINGS, GatewayRequest, count, has_escaped_letters, holds
from traffic.gateway.routes import Target
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import CapCharge, RequestRow, Tokens
from traffic.ingest.tiers import tier_of

# A prompt has at most a token for each two bytes of its body in what people write. What engines add to it: a template,
# instructions for tools, and what stands behind an address of an image or a document.
BYTES_PER_TOKEN = 2
TEMPLATE_TOKENS = 64
TOOL_TOKENS = 1_024
MEDIA_TOKENS = 4_096
MEDIA = (b'"image', b'"input_image"', b'"document"', b'"input_audio"', b'"file', b'"input_file"')
MOST_CHOICES = 1_000
KEPT = timedelta(hours=1)  # after the end of a window


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit of a key or an application; `limit` in whole numbers as `traffic.caps.windows.counted` makes them."""

    id: int
    unit: str  # requests, tokens, usd
    period: str  # minute, day, week, month
    limit: int
    words: str  # "10 requests a day"
    owner: str  # whose it is: "key" or "application"
    each_user: bool
    created_at: datetime
    task: str = ""  # whose calls alone count; empty: all

    @property
    def at_once(self) -> bool:
        """A call counts when it begins: nothing of it is left to settle."""
        return self.unit == "requests"


class Counter(NamedTuple):
    """What Valkey counts of a cap in a window, of one user where it is each user's; moments in ms."""

    key: str
    calls: str  # the key of reservations of calls under way
    users: str  # the key that counts how many users have a counter of their own
    begun: int  # since when it counts
    ends: int  # when Valkey may forget it
    of_user: int  # 1 where it is a user's


@lru_cache(4_096)
def counter_of(cap: Cap, window: Window, user: uuid.UUID) -> Counter:
    whose = "" if user == NOBODY else f":{user.hex}"
    # Braces: one slot of a cluster, so that a script may use all counters of a call.
    key = f"{{caps}}:{cap.id}:{int(window.start.timestamp())}{whose}"
    users = f"{{caps}}:{cap.id}:{_ms(window.start)}:users"
    begun = _ms(max(window.start, cap.created_at))
    return Counter(key, f"{key}:calls", users, begun, _ms(window.end + KEPT), int(user not in (NOBODY, REST)))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@dataclass(slots=True)
class Charge:
    """One cap of one call: the window, the counter in Valkey, and how much of it is reserved."""

    cap: Cap
    window: Window
    amount: int
    user: uuid.UUID  # NOBODY: the cap is no user's, or the call names none

    @property
    def counter(self) -> Counter:
        return counter_of(self.cap, self.window, self.user)

    def told(self) -> CapCharge:
        """As the call's row carries it to Postgres."""
        return CapCharge(self.cap.id, self.cap.unit, self.user, self.window.start, self.amount)


NOBODY = uuid.UUID(int=0)
REST = uuid.UUID(int=1)  # of users beyond those that are counted one by one


class NoPrice(Exception):
    """No price is known for the call, so that no cap of USD can be held."""


class NoBound(Exception):
    """What the call reads is not in its body, and the context of the deployment is not known."""


def most_tokens(request: GatewayRequest, target: Target) -> Tokens:
    """The most that a call can use.

    One prompt is no longer than the target's context. An answer without a bound of its caller may fill the context, and
    so may what is not in the body; where no context is known it has no bound.
    """
    context = target.context_tokens or LONGEST_CONTEXT
    prompt = len(request.body) // BYTES_PER_TOKEN + TEMPLATE_TOKENS
    if "tools" in request.fields or "functions" in request.fields:
        prompt += TOOL_TOKENS
    if reads_more(request):
        prompt = max(prompt, context) if target.context_tokens else MOST
    elif request.media:
        prompt += MEDIA_TOKENS * sum(count(request.body, sign) for sign in MEDIA)
    if request.protocol == EMBEDDINGS:  # of many texts, and no answer
        return Tokens(prompt, 0, 0, 0, 0)
    choices = max(whole(request, "n"), whole(request, "best_of"), 1)
    if request.protocol == COMPLETIONS:
        choices *= prompts(request)
    elif prompt < MOST:
        prompt = min(prompt, context)
    output = min((request.most_output or context) * min(choices, MOST_CHOICES), MOST)
    if holds(request.body, b'"cache_control"') or has_escaped_letters(request.body):
        return Tokens(0, 0, 0, prompt, output)  # written for an hour is the dearest that a prompt can be
    return Tokens(prompt, 0, 0, 0, output)


def prompts(request: GatewayRequest) -> int:
    """How many prompts a legacy completion brings, each of which is answered; at least one, at most MOST_CHOICES."""
    prompt = bytes(request.fields.get("prompt", b""))
    return min(prompt.count(b'",') + prompt.count(b"],") + 1, MOST_CHOICES) if prompt.startswith(b"[") else 1


def whole(request: GatewayRequest, name: str) -> int:
    """A whole number of the request; MOST_CHOICES where it is written otherwise, as some engines take it."""
    raw = request.fields.get(name)
    try:
        value = msgspec.json.decode(raw) if raw is not None and len(raw) < 100 else raw
    except (msgspec.DecodeError, UnicodeDecodeError):
        return MOST_CHOICES
    if value is None:
        return 0
    return max(value, 0) if type(value) is int else MOST_CHOICES


def reserved(
    unit: str,
    tokens: Tokens,
    request: GatewayRequest,
    target: Target,
    pricing: PricingContext | None,
    now: datetime,
) -> int:
    """What a call that uses `tokens` at most may use of a cap. Raises NoPrice, and NoBound."""
    if unit == "requests":
        return 1
    unbound = total(tokens) - tokens.output >= MOST
    if unit == "tokens":
        if unbound:
            raise NoBound
        return counted(unit, total(tokens))
    options = {name: msgspec.json.decode(request.fields[name]) for name in ("service_tier", "speed", "inference_geo")
             if name in request.fields and len(request.fields[name]) < 100}  # fmt: skip
    row = RequestRow(
        external_id="", started_at=now, provider=target.provider, model=target.model, source="gateway",
        deployment_id=target.id, tokens=tokens, tier=tier_of(options) if options else None,
    )  # fmt: skip
    classes = [tokens, Tokens(0, 0, tokens.cache_write_1h, 0, tokens.output),
               Tokens(total(tokens) - tokens.output, 0, 0, 0, tokens.output)]  # fmt: skip
    for each in classes:  # not every model has a price for each class
        row.tokens = each
        if (amount := usd(row, pricing)) is not None:
            if amount and unbound:
                raise NoBound
            return amount
    raise NoPrice


def total(tokens: Tokens) -> int:
    return sum(msgspec.structs.astuple(tokens)[:5])


def usd(row: RequestRow, pricing: PricingContext | None) -> int | None:
    """What a row costs; 0 on our own GPUs, whose hours are paid, and None where no price is known."""
    if pricing is None:
        return None
    costed = pricing.cost(row)
    return 0 if costed.reason == "leased" else None if costed.cost is None else counted("usd", costed.cost)


def used(unit: str, row: RequestRow, pricing: PricingContext | None, reserved: int) -> int:
    """What a finished call used of a cap; what it reserved where that is not known, for an estimate may be too low."""
    if unit == "requests" or row.tokens is None:
        return reserved
    if unit == "tokens":
        return counted(unit, total(row.tokens))
    amount = usd(row, pricing) if total(row.tokens) else 0
    return reserved if amount is None else amount
