"""What clients may hold of a process that listens: connections, those of one address, answers that nobody reads,
and the head of a request. The server offers a bound on all connections alone, so the rest is asked of the kernel.

docs/decisions/0015-many-connections-and-a-part-for-each-address.md says why, with what was measured.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lib.events import log_event

logger = logging.getLogger(__name__)

CONNECTIONS = 16_384  # the web's --backpressure in the Procfile; a test holds them against each other
BACKLOG = 4_096  # that wait to be accepted
HEAD_S = 10  # seconds for the head of a request, and for a connection between two requests
FILES_BESIDE = 1_000  # of the database, uploads, calls of engines
# One address may hold a quarter of them. A proxy in front is one address too, and needs less.
EACH = CONNECTIONS // 4
UNSENT = 128 << 10  # bytes of an answer in the kernel that a client has no room for yet; it would take 4 MB
LOOK_EVERY_S = 1.0
MOST_HEAD = 64 << 10  # bytes; the server's own bound is on what it reads at once, and some more passes

OPEN_FILES = "/proc/self/fd"
TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
ESTABLISHED = "01"
MAPPED = f"{0:016X}FFFF0000"  # IPv4 within IPv6


def head_size(scope: Mapping[str, Any]) -> int:
    """Return the bytes of a request's address and headers, with what separates them; `scope` is ASGI's."""
    address = len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b""))
    return address + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


def make_room() -> None:
    """Let this process have so many files open, as far as whoever started it lets it. For before it listens."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + FILES_BESIDE
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        # Raise the hard limit (ulimit -Hn) of whoever starts the process.
        log_event(logger, logging.WARNING, "open_files_limited", limit=most, needed=wanted)


def bound_unread(seconds: float) -> set[int]:
    """Have the kernel end connections whose clients take nothing of their answer for so long, and hold little of one
    for each. Sockets that are accepted take this over from those that listen. The ports that are listened on.
    """
    ports = set()
    for _inode, number in numbers():
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as copy:
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            ):
                copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
                copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
                ports.add(int(copy.getsockname()[1]))
    return ports


class Crowd:
    """The connections to some ports of this process; `look` ends what one address holds over `each`, the newest."""

    def __init__(self, ports: set[int], each: int = EACH) -> None:
        self.ports = ports
        self.each = each
        self._held: set[str] = set()  # at the last look

    def look(self) -> int:
        """How many were ended. Costs nothing while fewer files are open than one address may hold connections."""
        if len(open_files()) <= self.each:
            self._held = set()
            return 0
        holders = established(self.ports)
        over = self._over(holders)
        self._held = holders.keys() - over
        ended = sum(end(number, inode) for inode, number in numbers() if inode in over) if over else 0
        if ended:
            addresses = sorted({holders[inode] for inode in over})
            words = ",".join(address_of(address) for address in addresses[:5])
            log_event(logger, logging.WARNING, "connections_ended", connections=ended, limit=self.each, addresses=words)
        return ended

    def _over(self, holders: dict[str, str]) -> set[str]:
        """Those that came last are too many, as they would be at a server that counts before it accepts."""
        counts: Counter[str] = Counter()
        over = set()
        for inode in sorted(holders, key=lambda inode: inode not in self._held):
            counts[holders[inode]] += 1
            if counts[holders[inode]] > self.each:
                over.add(inode)
        return over


def established(ports: set[int]) -> dict[str, str]:
    """Who holds each connection to these ports, by its inode: read from the kernel at once for all of them."""
    wanted = {f"{port:04X}" for port in ports}
    holders = {}
    for table in TABLES:
        for line in table.read_text().splitlines()[1:]:
            _number, local, remote, state, _queues, _timer, _retransmits, _user, _timeout, inode, *_ = line.split()
            if state == ESTABLISHED and local[-4:] in wanted:
                holders[inode] = holder_of(remote[:-5])
    return holders


def holder_of(address: str) -> str:
    """Whom an address belongs to, in the kernel's hexadecimal digits: of IPv6, everybody has a network of 2 ** 64."""
    if len(address) == 8:
        return address
    return address.removeprefix(MAPPED) if address.startswith(MAPPED) else address[:16]


def address_of(holder: str) -> str:
    """For people."""
    words = struct.pack(f"={len(holder) // 8}I", *(int(holder[at : at + 8], 16) for at in range(0, len(holder), 8)))
    if len(words) == 4:
        return socket.inet_ntop(socket.AF_INET, words)
    return f"{socket.inet_ntop(socket.AF_INET6, words + bytes(8))}/64"


def open_files() -> list[str]:
    """The numbers of this process's open files."""
    return os.listdir(OPEN_FILES)  # noqa: PTH208 -- a path made of each of ten thousand costs more than all the rest


def numbers() -> Iterator[tuple[str, int]]:
    """The open sockets of this process: inode and number."""
    for name in open_files():
        with suppress(OSError):  # closed since it was listed
            kind, _, inode = os.readlink(f"{OPEN_FILES}/{name}").partition(":")  # noqa: PTH115 -- as above
            if kind == "socket":
                yield inode.strip("[]"), int(name)


def end(number: int, inode: str) -> bool:
    """Hang up on a client, unless its number is another's by now."""
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as copy:
        if os.fstat(copy.fileno()).st_ino == int(inode):
            copy.shutdown(socket.SHUT_RDWR)
            return True
    return False


async def look_after(unread_s: float) -> None:
    """Bound what clients hold, for as long as the process lives. The server begins to listen after its application."""
    while not (ports := bound_unread(unread_s)):
        await asyncio.sleep(0.1)
    crowd = Crowd(ports)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.to_thread(crowd.look)
