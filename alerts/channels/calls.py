"""One HTTP call to an address that a person entered: checked, resolved once, without redirects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.channels import Gone
from alerts.mail.smtp import NotSent
from alerts.models import Channel
from lib.netguard import AddressRefused, Deadline, PinnedTransport, pin

TIMEOUT_S = 8.0
CONNECT_S = 5.0
LONGEST_ANSWER_S = 12.0  # of a call as a whole: a server that drips bytes stays below every read timeout
MOST_BYTES = 2000  # of an answer; enough to see what it says
SHOWN = 300
# What a text of a failed call contains, and its sentence. None begins with a host: digits at the front are a status.
FAILURES = (
    (
        re.compile(r"imed ?out|timeout", re.IGNORECASE),
        gettext_lazy("The server %(host)s did not answer within %(n)s s."),
    ),
    (
        re.compile(r"resol|getaddrinfo|service not known", re.IGNORECASE),
        gettext_lazy("The address of %(host)s could not be found."),
    ),
    (re.compile(r"refused", re.IGNORECASE), gettext_lazy("The server %(host)s refused the connection.")),
    (re.compile(r"certificate|SSL", re.IGNORECASE), gettext_lazy("The certificate of %(host)s is not valid.")),
    (re.compile(r""), gettext_lazy("The connection to %(host)s failed.")),
)


def failure(host: str, text: str, timeout_s: float = TIMEOUT_S) -> str:
    """A failed call as a sentence; `text` is what a library wrote of it."""
    return str(next(sentence for mark, sentence in FAILURES if mark.search(text))) % {
        "host": host,
        "n": f"{timeout_s:g}",
    }


def call(
    channel: Channel,
    method: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """One attempt; its answer, `204 No Content` or with the first words of the body. Raises NotSent."""
    url = channel.address.reveal()
    sent_headers = {"user-agent": "breakeven", **(headers or {})}
    try:
        if not channel.local and not url.startswith("https:"):
            raise AddressRefused(_("A webhook address begins with https. Over http, others could read the content."))
        transport = PinnedTransport(pin(url, local=channel.local), Deadline(LONGEST_ANSWER_S))
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        with (
            httpx.Client(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False) as client,
            client.stream(method, url, content=body, headers=sent_headers) as response,
        ):
            answer, status = status_line(response), response.status_code
    except httpx.TimeoutException:
        raise NotSent(failure(urlsplit(url).hostname or "?", "timeout", timeout_s)) from None
    except AddressRefused as refused:
        raise NotSent(str(refused)) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        raise NotSent(failure(urlsplit(url).hostname or "?", repr(error))) from None
    if status == HTTPStatus.GONE:
        raise Gone(answer)
    if not response.is_success:
        raise NotSent(answer)
    return answer


def status_line(response: httpx.Response) -> str:
    """Status and first words; where a redirect would have led, for it is not followed."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.has_redirect_location:
        host = httpx.URL(response.headers["location"]).host or "?"
        return _("%(status)s to %(host)s. Redirects are not followed.") % {"status": status, "host": host}
    body = b""
    with suppress(httpx.TimeoutException):  # the status has come; of the words, what there is until then
        for part in response.iter_raw():
            body += part
            if len(body) >= MOST_BYTES:
                break
    words = " ".join(body[:MOST_BYTES].decode("utf-8", "replace").split())
    return f"{status}: {words[:SHOWN]}" if words else status
