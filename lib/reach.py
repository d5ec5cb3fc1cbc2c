"""Which addresses we connect to, and a resolver of aiohttp that keeps to them.

No Django here: the gateway's process uses it as well. `lib/netguard.py` says refusals in sentences.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Where clouds tell a machine its own secrets. Most are link-local, these are not: the wire server of Azure, the
# metadata services of Alibaba, Oracle Classic and AWS (IPv6). Never reached, marked as local or not.
METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)


def inner(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address.sixtofour:
            return address.ipv4_mapped or address.sixtofour or address
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def may_reach(address: IPAddress, *, local: bool) -> bool:
    """Public addresses always, private and loopback ones where `local`, link-local, multicast and metadata never."""
    address = inner(address)
    if address.is_multicast or address.is_unspecified or never_used(address):
        return False
    return address.is_global or (local and (address.is_loopback or address.is_private))


def never_used(address: IPAddress) -> bool:
    """Whether a cloud may keep a machine's secrets there."""
    return address.is_link_local or address in METADATA


def hides_key(url: str, *, local: bool) -> bool:
    """Whether a key that is sent there is read by nobody on the way: by TLS, or in our own network."""
    return local or url.lower().startswith("https:")


def address_of(text: str) -> IPAddress:
    """An address as a resolver writes it; a zone ("fe80::1%eth0") is no part of what is judged. Raises ValueError."""
    return ipaddress.ip_address(text.split("%")[0])


@lru_cache(maxsize=4096)
def literal(url: str) -> IPAddress | None:
    """The address that a URL names in place of a host; aiohttp asks no resolver about one."""
    try:
        return address_of(urlsplit(url).hostname or "")
    except ValueError:
        return None


class GuardedResolver(AbstractResolver):
    """Looks at every address that a name resolves to, and connects only to those: a name cannot be rebound later.

    `judge` gets the host and each address, and raises for one that is not to be reached.
    """

    def __init__(self, judge: Callable[[str, IPAddress], None]) -> None:
        self._judge = judge
        self._inner = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        entries = await self._inner.resolve(host, port, family)
        for entry in entries:
            self._judge(host, address_of(entry["host"]))
        return entries

    async def close(self) -> None:
        await self._inner.close()
