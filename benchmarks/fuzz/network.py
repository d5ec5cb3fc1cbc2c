"""A network of its own that ends at loopback: whatever a mutated address names, nothing leaves this machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import sys

MARK = "BREAKEVEN_FUZZ_ALONE"
SIOCSIFFLAGS, UP, LOOPBACK = 0x8914, 0x1, 0x8


def enter() -> None:
    """Starts this program anew in a namespace without a network, and brings its loopback up.

    Raises RuntimeError where this machine gives out no namespaces.
    """
    if MARK not in os.environ:
        unshare = shutil.which("unshare")
        if unshare is None:
            raise RuntimeError("unshare is missing, which gives the run a network of its own.")
        options = [unshare, "--net", "--map-root-user", sys.executable, *sys.argv]
        os.execve(unshare, options, {**os.environ, MARK: "1"})  # noqa: S606 -- no shell, fixed arguments
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP | LOOPBACK))
