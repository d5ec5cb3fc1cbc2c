"""The anthropic SDK over our own HTTP: one guard, one size cap and one set of sentences for every vendor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anthropic
import httpx2  # the SDK's own HTTP library; it takes no other client
from django.utils.translation import gettext as _

from providers.connectors.base import ConnectorError
from providers.connectors.http import VendorHttp

# Ours to set, or about a body that is unpacked already.
DROPPED = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})


class Bridge(httpx2.BaseTransport):
    """Sends the SDK's requests through VendorHttp."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        answer = self._http.send(request.method, str(request.url), headers=headers, content=request.read() or None)
        self._http.read(answer)  # the SDK takes any text for an answer
        passed_on = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in DROPPED]
        return httpx2.Response(answer.status, headers=passed_on, content=answer.body, request=request)


@contextmanager
def client_over(http: VendorHttp, key: str) -> Iterator[anthropic.Anthropic]:
    """A client without retries of its own. What it raises is a ConnectorError: our own sentence, unwrapped."""
    bridge = httpx2.Client(transport=Bridge(http))
    try:
        with anthropic.Anthropic(api_key=key, base_url=http.base_url, max_retries=0, http_client=bridge) as client:
            yield client
    except anthropic.AnthropicError as error:
        raise _unwrapped(error) or _unknown(http.label, error) from None


def _unwrapped(error: BaseException | None) -> ConnectorError | None:
    """Our own error, of which the SDK's knows nothing any more: each the other's context or cause, the two would stay,
    with the whole answer, until garbage is looked for."""
    while error is not None and not isinstance(error, ConnectorError):
        cause, error.__cause__, error.__context__ = error.__cause__, None, None
        error = cause
    return error


def _unknown(label: str, error: Exception) -> ConnectorError:
    return ConnectorError(
        _("%(vendor)s sent a response that its SDK cannot read (%(what)s).")
        % {"vendor": label, "what": type(error).__name__}
    )
