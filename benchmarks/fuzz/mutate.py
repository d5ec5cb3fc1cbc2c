"""Values, texts and bytes made wrong. Pure functions of a random generator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

# Texts that parsers, databases, templates and terminals read otherwise than they were meant.
TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\U0001f4a3" * 40,
    "\u202eabc",
    "é" * 300,
    "x" * 70_000,
    "../../etc/passwd",
    "%00",
    "%",
    "'",
    '"',
    "';--",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\r\nSet-Cookie: a=b",
    "=1+1",
    "null",
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e309",
    "1e-400",
    "9" * 400,
    "０１２",
    "1_000",
    "0x10",
    "true",
    "2026-02-30",
    "0000-00-00",
    "9999-12-31T23:59:59.999999+14:00",
    "2026-03-08T02:30",
    "10000-01-01",
    "1969-12-31",
    "Europe/Nowhere",
    "_eyJ" + "a" * 5_000,
    "-----BEGIN PRIVATE KEY-----",
    "4" * 3_000,
    "http://127.0.0.1:1/",
    "http://[::1",
    "file:///etc/passwd",
    "//x",
    "a@b",
    "\ufeff",
    "\x1b[2J",
    "[" * 2_000,
    "{" * 2_000,
    "_" * 1_000 + "!",
    "a,b;c=d&e",
    "🇮🇹",
    "İ",
    "ß" * 100,
    "\u0000\u0001\u001f",
)
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    -(2**31) - 1,
    2**32,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**19,
    10**40,
    0.1,
    -0.0,
    1e308,
    5e-324,
    1e16,
    10**12,
    10**9,
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, {"a": {"b": {}}}, [1, "a", None])
MOST, LONGEST = 1_000, 100_000  # items of a list, characters of a text
DEPTHS = (5, 90, 110, 700, 1_100, 20_000)


def value(rng: Random) -> Any:
    """A wrong value of whatever kind."""
    return rng.choice((rng.choice(TEXTS), rng.choice(NUMBERS), copy.deepcopy(rng.choice(OTHERS))))


def text(rng: Random, plain: str = "") -> str:
    """A text near the given one, or one of another kind."""
    if not plain or rng.random() < 0.5:
        return rng.choice(TEXTS)
    place = rng.randrange(len(plain) + 1)
    edits: tuple[Callable[[], str], ...] = (
        lambda: plain[:place],
        lambda: plain[place:],
        lambda: plain[:place] + rng.choice(TEXTS)[:200] + plain[place:],
        lambda: (plain * rng.choice((2, 10, 200)))[:LONGEST],
        plain.swapcase,
        lambda: plain[::-1],
    )
    return rng.choice(edits)()


def nested(rng: Random) -> bytes:
    """JSON in JSON in JSON, which no parser of objects should build."""
    depth = rng.choice(DEPTHS)
    opens, closes = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"b":[', b"]}]")))
    return opens * depth + b"1" + closes * rng.choice((depth, depth, 0))


def spoil(rng: Random, tree: Any, times: int) -> Any:
    """A copy of a JSON value in which some places hold something else, are gone, or stand there twice."""
    spoiled = copy.deepcopy(tree)
    for _time in range(times):
        if not isinstance(spoiled, dict | list) or not spoiled:
            return value(rng)
        _spoil_one(rng, spoiled)
    return spoiled


def _spoil_one(rng: Random, tree: dict[str, Any] | list[Any]) -> None:
    parent: Any = tree
    while True:
        place = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        child = parent[place]
        if not isinstance(child, dict | list) or not child or rng.random() < 0.25:
            break
        parent = child
    match rng.randrange(6):
        case 0:
            del parent[place]
        case 1 if isinstance(parent, list) and len(parent) < MOST:
            parent.extend([child] * rng.choice((1, 5, 300 if isinstance(child, str | int) else 2)))
        case 2 if isinstance(parent, dict):
            parent[text(rng, str(place))[:300]] = child
        case 3 if isinstance(child, str):
            parent[place] = text(rng, child)
        case _:
            parent[place] = value(rng)


def octets(rng: Random, body: bytes) -> bytes:
    """Bytes with some changed, left out, put in, repeated or cut off."""
    data = bytearray(body)
    for _time in range(rng.choice((1, 1, 2, 5, 20))):
        if not data:
            return bytes(rng.randrange(256) for _byte in range(rng.choice((0, 1, 100))))
        place = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place] = rng.choice((0, 0x7F, 0x80, 0xFF))
            case 2:
                del data[place : place + rng.choice((1, 4, 100))]
            case 3:
                data[place:place] = rng.choice(
                    (b"\xff" * 10, b"\0", b"\x80" * 12 + b"\x01", b"\x0a\xff\xff\xff\xff\x0f")
                )
            case 4:
                piece = data[place : place + 200]
                data[place:place] = bytes(piece) * rng.choice((1, 50))
            case _:
                del data[place:]
    return bytes(data[: 4 << 20])
