"""Where a request comes from: the peer of the connection, or who a proxy that we trust says it is."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address


def client_address(request: HttpRequest) -> str:
    """The client's IP address, empty where there is none (a request over a Unix socket, a test's).

    X-Forwarded-For is read only from a peer in BREAKEVEN_TRUSTED_PROXIES, from its right end: whatever stands to the
    left of the first address that is no trusted proxy's was written by the client, and may be anything.
    """
    address = parsed(request.META.get("REMOTE_ADDR", ""))
    if address is None:
        return ""
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if trusted(address) else []
    for hop in reversed(hops):
        before = parsed(hop)
        if before is None:
            break
        address = before
        if not trusted(address):
            break
    return str(address)


def trusted(address: Address) -> bool:
    """Whether a proxy of ours stands there."""
    return any(address.version == net.version and address in net for net in settings.TRUSTED_PROXIES)


def parsed(text: str) -> Address | None:
    """An address, an IPv4 one in its own notation; with or without a port as some proxies write it."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def network(address: str) -> str:
    """Whom to count as one: an IPv4 address, the /64 of an IPv6 one, which one customer has whole."""
    client = parsed(address)
    if isinstance(client, IPv6Address):
        return str(IPv6Network((client, 64), strict=False))
    return str(client or "")
