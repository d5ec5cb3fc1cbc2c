"""Where a URL that somebody typed may lead.

A base URL is resolved once; every address of its name is judged, and the connection then goes to the address that was
judged, so that a name which answers differently a second later (DNS rebinding) leads nowhere else. A connection ends
with its deadline: an address that somebody typed may also lead to a server that sends one byte each second.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
from django.utils.translation import gettext as _

from lib.reach import METADATA, IPAddress, address_of, inner, may_reach

LONGEST_S = 120.0  # of a transport whose caller names no deadline


class AddressRefused(Exception):
    """The URL leads where we do not go; the message is a sentence for the person who entered it."""


@dataclass(frozen=True)
class Pin:
    """A host that was judged, and the addresses to reach it at."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def pin(url: str, *, local: bool) -> Pin:
    """Judge a URL and say which addresses to connect to. Private and loopback ones need `local`.

    Link-local addresses (a cloud's metadata service lives there), multicast and unspecified ones are refused even then.
    Raises AddressRefused.
    """
    scheme, host, port = _parts(url)
    addresses = _resolve(host, port)
    for address in addresses:
        judge(host, address, local=local)
    return Pin(scheme, host, port, tuple(dict.fromkeys(map(str, addresses))))


def _parts(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise AddressRefused(_("The base URL is not a URL.")) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressRefused(_("The base URL must begin with https:// or http:// and name a host."))
    if parts.username or parts.password:
        raise AddressRefused(_("The base URL must not hold a user name or a password."))
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _resolve(host: str, port: int) -> list[IPAddress]:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressRefused(_("The host %(host)s has no address (DNS).") % {"host": host}) from None
    return [address_of(str(entry[4][0])) for entry in entries]


def judge(host: str, address: IPAddress, *, local: bool) -> None:
    """Refuse one address that a host resolved to, for clients that resolve by themselves. Raises AddressRefused."""
    if not may_reach(address, local=local):
        raise AddressRefused(_refusal(host, address))


def _refusal(host: str, address: IPAddress) -> str:
    if inner(address) in METADATA:
        return _("%(host)s leads to %(address)s, where a cloud stores this server's secrets. It is never used.") % {
            "host": host,
            "address": address,
        }
    if inner(address).is_link_local:
        return _("%(host)s leads to the link-local address %(address)s, which is never used.") % {
            "host": host,
            "address": address,
        }
    return _("%(host)s leads to the private address %(address)s. Only addresses marked as local may do that.") % {
        "host": host,
        "address": address,
    }


class Deadline:
    """A moment, `seconds` after it was made, by a clock that nobody sets. Several connections may share it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds until then, below zero afterwards."""
        return self._ends_at - time.monotonic()

    def bound(self, timeout: float | None) -> float:
        """The time-out of one wait: no longer than what is left. Raises httpcore.ReadTimeout when nothing is."""
        left_s = self.left_s
        if left_s <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left_s if timeout is None else min(timeout, left_s)


class DeadlineStream(httpcore.NetworkStream):
    """A connection of which every single read, write and handshake ends with the deadline.

    The time-outs of httpx begin anew with each read: headers or a body that come byte by byte never reach them.
    """

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.bound(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.bound(timeout))

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.bound(timeout))
        return DeadlineStream(stream, self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.SyncBackend):
    """Opens connections that end with the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        bound = self._deadline.bound(timeout)
        stream = super().connect_tcp(host, port, bound, local_address, socket_options)
        return DeadlineStream(stream, self._deadline)


class PinnedTransport(httpx.HTTPTransport):
    """Connects to a judged address whatever the name says by now; TLS still proves the name.

    No connection of it outlives the deadline.
    """

    def __init__(self, target: Pin, deadline: Deadline | None = None) -> None:
        context = httpx.create_ssl_context()
        super().__init__(verify=context)
        # httpx has no option for the network below it; its pool is a public class of httpcore.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_keepalive_connections=2,
            network_backend=DeadlineBackend(deadline or Deadline(LONGEST_S)),
        )
        self._target = target

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        target = self._target
        if (url.scheme, url.host, url.port or target.port) != (target.scheme, target.host, target.port):
            raise AddressRefused(_("A request to %(host)s left the base URL.") % {"host": url.host})
        request.extensions = {**request.extensions, "sni_hostname": target.host}
        *others, last = target.addresses
        for address in others:  # "localhost" is often ::1 and 127.0.0.1, with a server on one of them
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return self._at(request, url, address)
        return self._at(request, url, last)

    def _at(self, request: httpx.Request, url: httpx.URL, address: str) -> httpx.Response:
        # httpx has put the name into the Host header already.
        request.url = url.copy_with(host=address)
        return super().handle_request(request)
