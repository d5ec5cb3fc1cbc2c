"""The sockets on which this process listens, and whether another process listens on the same port (Linux)."""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress
from pathlib import Path

LISTENS = "0A"  # in /proc/net/tcp
FOLDER = Path("/proc/self/fd")


def hand_over() -> bool:
    """Leave new connections to another process on the same port; False where there is none, and nothing changes.

    The server accepts without end on its own descriptors, and in a busy loop where one failed or hung up. So its event
    loop is made to forget each of them, and the descriptor to stand for a socket that nobody connects to, before the
    real one stops to listen.
    """
    own = _listening()
    try:
        if not own or not all(_shared(listener) for _number, listener in own):
            return False
        with socket.create_server(("127.0.0.1", 0), backlog=1) as idle:
            idle.setblocking(False)
            for number, listener in own:
                _forget(number)
                os.dup2(idle.fileno(), number)
                with suppress(OSError):  # a second descriptor of the same socket
                    listener.shutdown(socket.SHUT_RD)
        return True
    except OSError:
        return False
    finally:
        for _number, listener in own:
            listener.close()


def _forget(number: int) -> None:
    """Take a descriptor out of every event loop of this process."""
    for path in FOLDER.iterdir():
        with suppress(OSError, ValueError):
            if path.readlink().name == "anon_inode:[eventpoll]":
                with select.epoll.fromfd(os.dup(int(path.name))) as events:
                    events.unregister(number)


def _listening() -> list[tuple[int, socket.socket]]:
    """The descriptors of TCP sockets on which this process listens, each with a copy; none where that is not known."""
    listeners = []
    try:
        numbers = [int(path.name) for path in FOLDER.iterdir()]
    except OSError:
        return []
    for number in numbers:
        try:
            copy = socket.socket(fileno=os.dup(number))
        except OSError:  # no socket, or closed meanwhile
            continue
        try:
            listens = copy.type == socket.SOCK_STREAM and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            listens = 0
        if listens and copy.family in (socket.AF_INET, socket.AF_INET6):
            listeners.append((number, copy))
        else:
            copy.close()
    return listeners


def _shared(listener: socket.socket) -> bool:
    """Whether a socket of another inode listens at the same address and port. Raises OSError."""
    inode, port = os.fstat(listener.fileno()).st_ino, listener.getsockname()[1]
    table = Path("/proc/net/tcp" if listener.family == socket.AF_INET else "/proc/net/tcp6")
    own, others = "", set()
    for line in table.read_text().splitlines()[1:]:
        address, state, number = (line.split()[at] for at in (1, 3, 9))
        if state == LISTENS and int(address.rpartition(":")[2], 16) == port:
            if int(number) == inode:
                own = address
            else:
                others.add(address)
    return own in others
