"""Slack, Teams, Telegram, ntfy, PagerDuty, Matrix and a hundred more, through apprise and the address it knows them by.

apprise resolves and connects by itself, so its sockets are judged where they connect: see `Guard`.
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
from urllib.parse import parse_qsl, urlsplit

import apprise
from django.utils.translation import gettext as _

from alerts.channels.note import Note
from alerts.models import Channel
from alerts.smtp import NotSent
from providers.netguard import AddressRefused, judge

KINDS = {"ok": "success", "us": "info", "warn": "warning", "bad": "failure"}
# They speak to this machine, read its files, or send without a connection that could be judged.
REFUSED = {
    "dbus", "fcm", "glib", "gnome", "kde", "macosx", "mqtt", "mqtts", "qt", "rsyslog", "syslog", "vapid", "windows",
}  # fmt: skip
FILES = {"attach", "keyfile", "pem", "prv", "subfile", "template", "tmpl"}
SHOWN = 300
# The first line of what a plugin logs about an answer; its other lines may hold tokens.
ANSWERS = ("Response Details", "Failed to send", "Sent ")
SECRET_FROM = 6  # characters: what is as long as this in an address may be a token


def plugin(url: str, *, local: bool) -> Any:
    """apprise's own object for an address, with no retries and no redirects of its own. Raises AddressRefused."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise AddressRefused(_("This is no address.")) from None
    with suppress(ValueError):  # a name, or a token in its place; whatever it leads to is judged on connecting
        judge(host, ipaddress.ip_address("127.0.0.1" if host == "localhost" else host), local=local)
    if parts.scheme.lower() in REFUSED or FILES & {name.lower() for name, _value in parse_qsl(parts.query)}:
        raise AddressRefused(_("This service, or a file that it would read, is on this machine and is not used."))
    asset = apprise.AppriseAsset(app_id="Breakeven", app_desc="Breakeven", http_redirects=False, secure_logging=True)
    found = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if found is None:
        raise AddressRefused(_("apprise does not know this address; see its list of services for how it is written."))
    found.redirects, found.retry = False, 0
    return found


def service(url: str, *, local: bool) -> str:
    """The name of the service that an address leads to: `Slack`. Raises AddressRefused."""
    return str(plugin(url, local=local).service_name)


def say(channel: Channel, note: Note) -> str:
    """Say it, and give back what the service answered as far as apprise tells. Raises NotSent."""
    url, heard = channel.address.reveal(), Heard()
    try:
        found = plugin(url, local=channel.local)
        found.logger = heard.logger  # its own: what it tells of a token must not reach our log
        with guard.on(local=channel.local):
            good = found.notify(
                body=note.text, title=note.title, notify_type=KINDS.get(note.tone, "info"), body_format="text"
            )
    except AddressRefused as refused:
        raise NotSent(str(refused)) from None
    except Exception as error:  # a hundred plugins of other people's fail in a hundred ways; none may stop the outbox
        raise NotSent(f"{type(error).__name__}: {redacted(str(error), url)}"[:SHOWN]) from None
    answer = redacted(heard.words(), url)
    if not good:
        raise NotSent(answer or _("%(name)s did not take it and did not say why.") % {"name": found.service_name})
    return answer or _("%(name)s took it.") % {"name": found.service_name}


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
            self.lines.append(text[-160:].rpartition("Caused by ")[2])

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
            raise AddressRefused(_("%(where)s is on this machine.") % {"where": address})
        host = str(address[0]).split("%")[0]
        try:
            judge(host, ipaddress.ip_address(host), local=self._here.local)
        except ValueError:
            raise AddressRefused(_("%(host)s was not looked up.") % {"host": host}) from None


guard = Guard()
