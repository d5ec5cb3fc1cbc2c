"""Clients who open connections and hold them, and what the kernel knows of the other end."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def held(
    port: int, count: int, content: bytes = b"", address: str = "127.0.0.1", room: int = 0
) -> Iterator[list[socket.socket]]:
    """So many connections from one address, each after it has sent so much; `room` bytes for what comes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 1_000:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1_000, hard))
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for holder in sockets:
            if room:
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            holder.bind((address, 0))
            holder.connect(("127.0.0.1", port))
            holder.sendall(content)
        yield sockets


def held_by_server(port: int, holder: socket.socket) -> bool:
    """Whether the server at this port has not ended its connection to `holder`, who need not have been told."""
    ends = f":{port:04X}", f":{holder.getsockname()[1]:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any((row[1][-5:], row[2][-5:], row[3]) == (*ends, "01") for row in rows)
