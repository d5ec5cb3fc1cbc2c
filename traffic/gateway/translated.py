"""Translates the calls of the relay where a deployment does not speak the protocol of the caller."""

from __future__ import annotations

import asyncio

from traffic.gateway.exchange import Exchange
from traffic.gateway.refusals import Refusal
from traffic.gateway.routes import Target
from traffic.gateway.translation import Translation, Untranslatable, translates

UNTRANSLATABLE = "untranslatable"
BESIDE_THE_LOOP = 64 << 10  # bytes; what is longer is translated in a thread
VERSION = "2023-06-01"  # of Anthropic's API, which it must be told


async def translation_for(exchange: Exchange, target: Target) -> Translation | None:
    """The translation of a call for this target, with its body made; None where it needs none.

    Raises Refusal where something of the call cannot be carried over.
    """
    request = exchange.request
    spoken = translates(request.protocol, target.protocols)
    if spoken is None:
        return None
    translation = Translation(request.protocol, spoken, request.body)
    try:
        if len(request.body) > BESIDE_THE_LOOP:
            await asyncio.to_thread(translation.prepare, target.model)
        else:
            translation.prepare(target.model)
    except Untranslatable as error:
        raise Refusal(400, UNTRANSLATABLE, f"{error} This call would go to {target.slug}.") from None
    return translation


async def whole_answer(translation: Translation, status: int, body: bytes) -> bytes:
    """A whole answer in the caller's protocol. Raises Unreadable."""
    if len(body) > BESIDE_THE_LOOP:
        return await asyncio.to_thread(translation.answer, status, body)
    return translation.answer(status, body)


def translated_headers(headers: list[tuple[str, str]], translation: Translation) -> list[tuple[str, str]]:
    """The headers of a translated call: none that only the caller's protocol has."""
    left = [
        (name, value)
        for name, value in headers
        if not name.startswith(("anthropic-", "openai-")) and name not in ("content-type", "accept")
    ]
    left.append(("content-type", "application/json"))
    return [*left, ("anthropic-version", VERSION)] if translation.path == "/v1/messages" else left


# Of an answer: its body is another one, and these describe the engine's.
NOT_OF_TRANSLATED = frozenset((b"content-length", b"content-encoding", b"content-type"))
