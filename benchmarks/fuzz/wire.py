"""Requests as bytes on a socket: well framed or lied about, and what comes back."""

from __future__ import annotations

import gzip
import select
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random

from benchmarks.fuzz import mutate

PATIENCE_S = 25.0  # for the answer to a request that is whole
PATIENCE_LIED_S = 7.0  # for one that is not, of which the server may wait for the rest
MOST_READ = 8 << 20  # bytes of an answer; exports are longer, and not what is looked at

Header = tuple[bytes, bytes]


@dataclass
class Request:
    """One request before it is bytes. `whole` says that what its headers promise is what is sent."""

    method: str
    target: str
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""
    version: bytes = b"HTTP/1.1"
    framing: list[Header] = field(default_factory=list)
    whole: bool = True

    def octets(self) -> bytes:
        line = self.method.encode("latin-1", "replace") + b" " + self.target.encode("utf-8", "surrogatepass")
        lines = [line + b" " + self.version, *(name + b": " + text for name, text in self.headers + self.framing)]
        return b"\r\n".join([*lines, b"", b""]) + self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None where no status line came: the server hung up, or said nothing in time."""

    status: int | None
    seconds: float
    hung_up: bool
    head: bytes = b""
    body: bytes = b""

    def header(self, name: bytes) -> bytes:
        """The first header of a name (in lower case), empty where there is none."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, text = line.partition(b":")
            if key.strip().lower() == name:
                return text.strip()
        return b""


def exchange(port: int, octets: bytes, *, source: str, patience: float) -> Answer:
    """Send to a port of loopback from one of its addresses, and read until the server closes or patience ends."""
    began = time.monotonic()
    with socket.socket() as connection:
        connection.settimeout(patience)
        connection.bind((source, 0))
        try:
            connection.connect(("127.0.0.1", port))
            received, hung_up = _talk(connection, octets, began + patience)
        except OSError:
            received, hung_up = b"", True
    head, _, body = received.partition(b"\r\n\r\n")
    if _status(head) == 100:  # go on; the answer follows
        head, _, body = body.partition(b"\r\n\r\n")
    return Answer(_status(head), time.monotonic() - began, hung_up, head, body)


def _talk(connection: socket.socket, octets: bytes, deadline: float) -> tuple[bytes, bool]:
    """What the server says while and after it is told; a refusal may come before all is sent."""
    connection.setblocking(False)
    received, sent = bytearray(), 0
    while (left := deadline - time.monotonic()) > 0 and len(received) < MOST_READ:
        readable, writable, _ = select.select([connection], [connection] if sent < len(octets) else [], [], left)
        if writable:
            try:
                sent += connection.send(octets[sent : sent + 65_536])
            except OSError:
                sent = len(octets)  # it takes no more; what it said of that is still to be read
        if readable:
            try:
                piece = connection.recv(65_536)
            except OSError:
                return bytes(received), True
            if not piece:
                return bytes(received), True
            received += piece
            if _ends(received):
                return bytes(received), False
    return bytes(received), False


def _ends(received: bytearray) -> bool:
    """Whether a whole answer with a length is here; one in chunks ends when the server closes."""
    head, blank, body = bytes(received).partition(b"\r\n\r\n") if len(received) < 65_536 else (b"", b"", b"")
    if not blank:
        return False
    for line in head.split(b"\r\n"):
        name, _, text = line.partition(b":")
        if name.lower() == b"content-length" and text.strip().isdigit():
            return len(body) >= int(text)
    return False


def _status(head: bytes) -> int | None:
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/") and parts[1].isdigit() else None


def frame(rng: Random, request: Request, *, honest: bool) -> None:
    """Say how long the body is: truly, or by one of the ways to lie about it."""
    size = len(request.body)
    request.framing = [(b"Content-Length", b"%d" % size), (b"Connection", b"close")]
    if request.method in ("GET", "HEAD") and not size:
        request.framing = [(b"Connection", b"close")]
    if not honest:
        rng.choice(LIES)(rng, request)
        request.whole = False


def _wrong_length(rng: Random, request: Request) -> None:
    size = len(request.body)
    wrong = rng.choice((size + 1, size * 2 + 1_000, max(size - 1, 0), 0, -1, 10**30, 2**63, 64 << 20))
    request.framing = [(b"Content-Length", str(wrong).encode()), (b"Connection", b"close")]


def _odd_length(rng: Random, request: Request) -> None:
    odd = rng.choice((b"", b"x", b"0x10", b"+5", b"1 1", b"5, 6", "\u0665".encode(), b"1e3"))
    request.framing = [(b"Content-Length", odd), (b"Connection", b"close")]


def _two_lengths(rng: Random, request: Request) -> None:
    request.framing.append((b"Content-Length", b"%d" % rng.choice((0, len(request.body), 7))))


def _chunks(rng: Random, request: Request) -> None:
    """In chunks, right or wrong."""
    pieces = [request.body[n : n + 1_000] for n in range(0, min(len(request.body), 20_000), 1_000)] or [b""]
    chunked = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), _extension(rng), piece) for piece in pieces if piece)
    request.body = chunked + rng.choice(
        (b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"", b"-1\r\n\r\n", b"ffffffffffffffff\r\n")
    )
    request.framing = [(b"Transfer-Encoding", b"chunked"), (b"Connection", b"close")]


def _extension(rng: Random) -> bytes:
    return rng.choice((b"", b"", b";a=b", b";" + b"x" * 300))


def _both(rng: Random, request: Request) -> None:
    """A length and chunks: of the two the front and the back of a smuggler believe another one each."""
    coding = rng.choice(
        (b"chunked", b" chunked", b"gzip, chunked", b"identity", b"chunked, chunked", b"xchunked", b"Chunked\t")
    )
    request.framing.append((b"Transfer-Encoding", coding))


def _expects(rng: Random, request: Request) -> None:
    request.framing.append((b"Expect", rng.choice((b"100-continue", b"200-ok", b""))))


def _smuggles(rng: Random, request: Request) -> None:
    """A second request behind the first, in one piece."""
    request.body += b"GET /settings/ HTTP/1.1\r\nHost: x\r\n\r\n" * rng.choice((1, 20))
    request.framing = [request.framing[0]]


def _cut(rng: Random, request: Request) -> None:
    request.body = request.body[: rng.randrange(len(request.body) + 1)]


LIES: tuple[Callable[[Random, Request], None], ...] = (
    _wrong_length,
    _odd_length,
    _two_lengths,
    _chunks,
    _chunks,
    _both,
    _expects,
    _smuggles,
    _cut,
)


def encode(rng: Random, request: Request) -> None:
    """Compress the body truly, wrongly, or far out of proportion."""
    name, body = rng.choice(ENCODINGS)(rng, request.body)
    request.body = body
    request.headers.append((b"Content-Encoding", name))


def packed(body: bytes) -> bytes:
    """By gzip, without the time at which it was done."""
    return gzip.compress(body, mtime=0)


@cache
def bomb(size: int) -> bytes:
    """Very little that unpacks to `size` MiB."""
    return packed(bytes(size << 20))


ENCODINGS: tuple[Callable[[Random, bytes], tuple[bytes, bytes]], ...] = (
    lambda rng, body: (b"gzip", packed(body)),
    lambda rng, body: (b"deflate", zlib.compress(body)),
    lambda rng, body: (b"gzip", mutate.octets(rng, packed(body))),
    lambda rng, body: (b"gzip", packed(packed(body))),
    lambda rng, body: (b"gzip", packed(body) + b"rest"),
    lambda rng, body: (b"gzip", bomb(rng.choice((1, 20)))),
    lambda rng, body: (rng.choice((b"br", b"zstd", b"compress", b"gzip, gzip", b"x", b"", b"\xff")), body),
)
