"""Slack, Teams, Telegram, ntfy, PagerDuty, Matrix and some more, through apprise and the address it knows them by.

An address is judged by what apprise made of it, never by a reading of our own: the two grammars differ (apprise splits
a query at `;` too, and strips names). apprise resolves and connects by itself, so its sockets are judged where they
connect: see `Guard`.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import apprise
from django.utils.translation import gettext as _

from alerts.channels.calls import failure
from alerts.channels.note import Note
from alerts.mail.smtp import NotSent
from alerts.models import Channel
from lib.netguard import AddressRefused, judge

KINDS = {"ok": "success", "us": "info", "warn": "warning", "bad": "failure"}
# The schemes that are used. Each speaks HTTP to the host of its address or to its vendor, and reads no file of this
# machine but through the parameters below; a service that apprise adds is refused until somebody has looked at it.
SCHEMES = {
    "discord", "form", "forms", "gchat", "gotify", "gotifys", "json", "jsons", "matrix", "matrixs", "mmost", "mmosts",
    "ntfy", "ntfys", "opsgenie", "pagerduty", "pover", "rocket", "rockets", "slack", "tgram", "workflow", "workflows",
    "xml", "xmls", "zulip",
}  # fmt: skip
# Parameters that name a file of this machine, or an address that is fetched as one.
FILES = {"attach", "keyfile", "pem", "pgpkey", "pgpprv", "pgppub", "prv", "subfile", "template", "tmpl"}
SHOWN = 300
# The first line of what a plugin logs about an answer; its other lines may hold tokens.
ANSWERS = ("Response Details", "Failed to send", "Sent ")
SECRET_FROM = 6  # characters: what is as long as this in an address may be a token


def plugin(url: str, *, local: bool) -> Any:
    """apprise's own object for an address, with no retries and no redirects of its own. Raises AddressRefused."""
    parsed = read(url)
    host = str(parsed.get("host") or "")
    with suppress(ValueError):  # a name, or a token in its place; whatever it leads to is judged on connecting
        judge(host, ipaddress.ip_address("127.0.0.1" if host == "localhost" else host), local=local)
    made = apprise.Apprise.instantiate(parsed, asset=asset(), suppress_exceptions=True)
    if made is None:
        raise AddressRefused(unknown_sentence())
    if any(isinstance(value, apprise.AppriseAttachment) and len(value) for value in vars(made).values()):
        raise AddressRefused(file_sentence())
    made.redirects, made.retry = False, 0
    return made


def read(url: str) -> dict[str, Any]:
    """What apprise takes an address for: its scheme, host and parameters. Raises AddressRefused."""
    try:
        scheme = urlsplit(url).scheme.lower()
        parsed: dict[str, Any] | None = apprise.plugins.url_to_dict(url)  # type: ignore[no-untyped-call]
    except ValueError:
        raise AddressRefused(_("This is not a valid address.")) from None
    if parsed is None:
        raise AddressRefused(service_sentence() if scheme in apprise.plugins.N_MGR else unknown_sentence())
    if parsed["schema"] not in SCHEMES:
        raise AddressRefused(service_sentence())
    parameters = {name.strip().lower() for name in parsed.get("qsd", {})}
    if FILES & (parameters | {name for name, value in parsed.items() if value}):
        raise AddressRefused(file_sentence())
    return parsed


def asset() -> apprise.AppriseAsset:
    """apprise without plugins of others, without files of its own, and without templates."""
    return apprise.AppriseAsset(
        app_id="Breakeven",
        app_desc="Breakeven",
        http_redirects=False,
        secure_logging=True,
        plugin_paths=[],
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        allow_templates=False,
        pem_autogen=False,
        pgp_autogen=False,
    )


def file_sentence() -> str:
    return _("This service would read a file on this server, so the address is not accepted.")


def service_sentence() -> str:
    return _("This service is not supported. Supported: %(schemes)s.") % {"schemes": ", ".join(sorted(SCHEMES))}


def unknown_sentence() -> str:
    return _("This is not an Apprise address. The Apprise list of services shows the format of each.")


def service(url: str, *, local: bool) -> str:
    """The name of the service that an address leads to: `Slack`. Raises AddressRefused."""
    return str(plugin(url, local=local).service_name)


def say(channel: Channel, note: Note) -> str:
    """Say it, and give back what the service answered as far as apprise tells. Raises NotSent."""
    url, heard = channel.address.reveal(), Heard()
    try:
        sender = plugin(url, local=channel.local)
        sender.logger = heard.logger  # its own: what it tells of a token must not reach our log
        with guard.on(local=channel.local):
            good = sender.notify(
                body=note.text, title=note.title, notify_type=KINDS.get(note.tone, "info"), body_format="text"
            )
    except AddressRefused as refused:
        raise NotSent(str(refused)) from None
    except Exception as error:  # a hundred plugins of other people's fail in a hundred ways; none may stop the outbox
        raise NotSent(failure(sender.service_name, repr(error))) from None
    answer = redacted(heard.words(), url)
    if not good:
        raise NotSent(answer or _("%(name)s rejected it without a reason.") % {"name": sender.service_name})
    return answer or _("%(name)s accepted it.") % {"name": sender.service_name}


class Heard(logging.Handler):
    """What a plugin says about the answer that it got."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.logger = logging.Logger("channel", logging.DEBUG)
        self.logger.addHandler(self)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if record.levelno >= logging.WARNING or text.startswith(ANSWERS):
            self.lines.append(text)
        elif "Socket Exception" in text:
            host, waited = re.search(r"host='([^']+)'", text), re.search(r"timeout=([\d.]+)", text)
            self.lines = [failure(host[1] if host else "?", text, float(waited[1]) if waited else 0)]

    def words(self) -> str:
        return " · ".join(dict.fromkeys(self.lines))[:SHOWN]


def redacted(text: str, url: str) -> str:
    """A text without what may be a token of the address."""
    parts = urlsplit(url)
    words = re.split(r"[/:@?&=#]", url.partition("://")[2])
    for word in sorted({word for word in words if len(word) >= SECRET_FROM and word != parts.hostname}, key=len)[::-1]:
        text = text.replace(word, "…")
    return text


class Guard:
    """Judges every address that a thread connects to while it is on, redirects and second look-ups included.

    Python tells its audit hooks of each `connect` before it happens; a hook cannot be taken out again, so there is one.
    """

    def __init__(self) -> None:
        self._here = threading.local()
        self._hooked = False

    @contextmanager
    def on(self, *, local: bool) -> Iterator[None]:
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._look)
        self._here.local = local
        try:
            yield
        finally:
            del self._here.local

    def _look(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in ("socket.connect", "socket.sendto", "socket.sendmsg") or not hasattr(self._here, "local"):
            return
        address = args[1]
        if not isinstance(address, tuple):
            if address is None:  # on a connection that was judged
                return
            raise AddressRefused(_("%(where)s is on this server.") % {"where": address})
        host = str(address[0]).split("%")[0]
        try:
            judge(host, ipaddress.ip_address(host), local=self._here.local)
        except ValueError:
            raise AddressRefused(_("The name %(host)s could not be resolved.") % {"host": host}) from None


guard = Guard()
