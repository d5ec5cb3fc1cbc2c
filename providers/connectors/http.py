"""HTTP for connectors: guarded addresses, a cap on the size of answers, and a ConnectorError for every failure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, ClassVar, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
from django.utils.translation import gettext as _

from lib.netguard import AddressRefused, PinnedTransport, pin
from providers.connectors.config import AccountConfig, ConnectorError
from providers.connectors.parse import redact

T = TypeVar("T")

MOST_BYTES = 32 * 1024 * 1024
MOST_PAGES = 10_000
LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def text(self) -> str:
        return self.body[:2000].decode("utf-8", "replace")

    @property
    def fields(self) -> dict[str, Any]:
        """The parsed body where it is an object, else none."""
        data = self.data()
        return data if isinstance(data, dict) else {}

    def data(self) -> Any:
        """The parsed body, or None where it is no JSON; for reading a vendor's error codes."""
        try:
            return parse_json(self.body)
        except (ValueError, RecursionError):
            return None


Explain = Callable[[Answer], ConnectorError | None]


class VendorHttp:
    """HTTP with one vendor, until the deadline of the account's configuration.

    `explain` sees every answer first and may turn it into the vendor's own kind of error; `spacing` is the least number
    of seconds between two calls. Use as a context manager: connections do not outlive a poll. What the deadline does
    not end is a look-up in the DNS, for which the system's resolver has time-outs of its own.
    """

    def __init__(
        self,
        label: str,
        base_url: str,
        config: AccountConfig,
        *,
        headers: Mapping[str, str] | None = None,
        explain: Explain | None = None,
        spacing: float = 0.0,
    ) -> None:
        self.label = label
        self._spacing, self._pause, self._last = spacing, config.pause, float("-inf")
        self.base_url = base_url
        self._secret = config.secret
        self._explain = explain
        self._timeout, self._deadline = config.timeout, config.deadline
        self._client = httpx.Client(
            transport=self._transport(base_url, local=config.local),
            timeout=httpx.Timeout(config.timeout, connect=min(config.timeout, 10.0)),
            follow_redirects=False,
            headers={"user-agent": "breakeven", "accept": "application/json", **(headers or {})},
        )

    def _transport(self, base_url: str, *, local: bool) -> PinnedTransport:
        if base_url.startswith("http:") and not local:
            raise ConnectorError(_("The base URL must be https. Over http the key is not encrypted."), permanent=True)
        try:
            return PinnedTransport(pin(base_url, local=local), self._deadline)
        except AddressRefused as refused:
            # No address may be a resolver's bad minute; a place where we do not go stays one.
            raise ConnectorError(str(refused), permanent="DNS" not in str(refused)) from None

    def __enter__(self) -> VendorHttp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self.json("GET", path, params=params)

    def post(self, path: str, body: Any) -> Any:
        return self.json("POST", path, json=body)

    def json(self, method: str, path: str, **options: Any) -> Any:
        return self.read(self.send(method, self.base_url + path, **options))

    def read(self, answer: Answer) -> Any:
        """The JSON of a good answer, numbers with a point as Decimal."""
        kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise self._error(_("%(vendor)s sent a web page instead of data. It may be in maintenance."))
        if kind != "application/json" and not kind.endswith("+json"):
            raise self._error(_("%(vendor)s sent %(kind)s instead of JSON."), kind=kind[:60] or "no type")
        try:
            return parse_json(answer.body)
        except (ValueError, RecursionError):
            raise self._error(
                _("%(vendor)s sent broken or incomplete JSON (%(size)s bytes)."), size=len(answer.body)
            ) from None

    def send(self, method: str, url: str, **options: Any) -> Answer:
        """One call; an answer that is no success is raised as ConnectorError."""
        answer = self._exchange(method, url, **options)
        error = (self._explain and self._explain(answer)) or self._judge(answer)
        if error is not None:
            raise ConnectorError(self.clean(error.message), error.permanent, error.retry_after, partial=error.partial)
        return answer

    def _keep_apart(self) -> None:
        wait = self._last + self._spacing - time.monotonic()
        if max(wait, 0.0) >= self._deadline.left_s:
            raise self._too_late()
        if wait > 0:
            self._pause(wait)
        self._last = time.monotonic()

    def _exchange(self, method: str, url: str, **options: Any) -> Answer:
        self._keep_apart()
        try:
            with self._client.stream(method, url, **options) as response:
                return Answer(response.status_code, response.headers, self._body(response))
        except httpx.TimeoutException:
            if self._deadline.left_s <= 0:
                raise self._too_late() from None
            raise self._error(
                _("%(vendor)s did not respond within %(seconds)s s."), seconds=f"{self._timeout:g}"
            ) from None
        except AddressRefused as refused:
            raise ConnectorError(str(refused), permanent=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise self._error(
                _("%(vendor)s cannot be reached (%(why)s)."), why=self.clean(str(error) or type(error).__name__)[:200]
            ) from None

    def _body(self, response: httpx.Response) -> bytes:
        """The body after decompression, up to the cap in size."""
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                raise self._error(_("%(vendor)s sent more than 32 MiB."))
            parts.append(part)
        return b"".join(parts)

    def _judge(self, answer: Answer) -> ConnectorError | None:
        status, wait = answer.status, retry_after(answer.headers)
        if 200 <= status < 300:
            return None
        if 300 <= status < 400:
            target = urlsplit(answer.headers.get("location", "")).hostname or "?"
            return self._error(
                _("%(vendor)s redirects to %(host)s. Enter the final base URL."), permanent=True, host=target
            )
        if status == 401:
            return self._error(_("%(vendor)s rejected the key (401)."), permanent=True)
        if status == 403:
            return self._error(
                _("%(vendor)s rejected the key (403): a permission is missing. %(response)s"),
                permanent=True,
                partial=True,
                response=vendor_message(answer),
            )
        if status == 429:
            return self._error(
                _("%(vendor)s limits the request rate (429). %(response)s"), wait=wait, response=vendor_message(answer)
            )
        if status >= 500:
            return self._error(
                _("%(vendor)s has a problem (%(status)s). %(response)s"),
                wait=wait,
                status=status,
                response=vendor_message(answer),
            )
        return self._error(
            _("%(vendor)s refused the request (%(status)s). %(response)s"),
            wait=wait,
            status=status,
            response=vendor_message(answer),
        )

    def _too_late(self) -> ConnectorError:
        return self._error(
            _("%(vendor)s did not finish its response within %(seconds)s s."), seconds=f"{self._deadline.seconds:g}"
        )

    def _error(
        self,
        sentence: str,
        *,
        permanent: bool = False,
        wait: float | None = None,
        partial: bool = False,
        **values: object,
    ) -> ConnectorError:
        return ConnectorError((sentence % {"vendor": self.label, **values}).strip(), permanent, wait, partial=partial)

    def clean(self, text: str) -> str:
        """A text of the vendor's without our key in it."""
        return redact(text, self._secret)


class Vendor(Protocol):
    """What HTTP needs to know of a connector."""

    label: ClassVar[str]
    spacing: ClassVar[float]
    base_url: str
    config: AccountConfig


def bearer(connector: Vendor, explain: Explain | None = None, spacing: float | None = None) -> VendorHttp:
    """HTTP with the account's key in the Authorization header, as most vendors want it."""
    apart = connector.spacing if spacing is None else spacing
    config = connector.config
    key = header_key(connector.label, config.secret)
    headers = {"authorization": f"Bearer {key}"}
    return VendorHttp(connector.label, connector.base_url, config, headers=headers, explain=explain, spacing=apart)


def header_key(label: str, secret: str) -> str:
    """A key that can travel in a header. What cannot would be quoted by the HTTP library's own error."""
    key = secret.strip()
    if not key:
        raise ConnectorError(_("The account has no key for %(vendor)s yet.") % {"vendor": label}, permanent=True)
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConnectorError(_("The key for %(vendor)s holds characters that no key has.") % {"vendor": label}, True)
    return key


def parse_json(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal, parse_constant=_no_number)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def vendor_message(answer: Answer) -> str:
    """The vendor's own words about an error, one sentence of at most 200 characters; a web page has none for us."""
    data = answer.data()
    text = answer.text if data is None else _message(data)
    if "html" in answer.headers.get("content-type", ""):
        return ""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(words) > 200:
        return words[:199] + "…"
    return words + "." if words and words[-1] not in ".!?…" else words


def _message(data: Any) -> str:
    """Vendors put it under different names, sometimes one level down."""
    if isinstance(data, list):
        data = data[0] if data else {}
    if not isinstance(data, dict):
        return ""
    for name in ("message", "msg", "detail", "title", "error_description"):
        if isinstance(data.get(name), str):
            return str(data[name])
    error = data.get("error")
    return error if isinstance(error, str) else _message(error)


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the vendor wants us to wait: from a number or an HTTP date, between 0 and a day."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        seconds = (at - datetime.now(UTC if at.tzinfo else None)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if seconds == seconds else None


def walk(label: str, page: Callable[[str | None], tuple[list[T], str | None]]) -> Iterator[T]:
    """Paging: rows of every page of a vendor's list.

    `page` takes a cursor (None first) and answers rows and the next one, falsy at the end.
    A vendor that hands out a cursor twice or never ends is stopped.
    """
    cursor: str | None = None
    seen: set[str] = set()
    for _number in range(MOST_PAGES):
        rows, cursor = page(cursor)
        yield from rows
        if not cursor:
            return
        if cursor in seen:
            raise ConnectorError(_("%(vendor)s repeats the same page.") % {"vendor": label})
        seen.add(cursor)
    raise ConnectorError(_("%(vendor)s sent more than 10,000 pages.") % {"vendor": label})
