"""Every address of the URL conf with a value for each of its parameters."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.access import ACCESS


def addresses(resolver: URLResolver | None = None, names: tuple[str, ...] = ()) -> Iterator[tuple[str, URLPattern]]:
    """Full name and pattern of everything in the URL conf."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from addresses(entry, (*names, entry.namespace) if entry.namespace else names)
        else:
            yield ":".join((*names, entry.name or str(entry.pattern))), entry


NOWHERE = ("api:api-root",)  # named by ninja, answers nobody

PEOPLES = [name for name in ACCESS if not ACCESS[name].scope and not ACCESS[name].open and name not in NOWHERE]
