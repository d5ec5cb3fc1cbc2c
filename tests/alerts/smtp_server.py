"""A real SMTP server on loopback that takes mail, or fails in the ways that servers do, as a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, syntax

# What the server does with the next message.
OK = "ok"
GREYLIST = "greylist"  # 451 to the recipient
BUSY = "busy"  # 421, and the connection is closed
REFUSE = "refuse"  # 550 to the recipient, for good
FORBID = "forbid"  # 550 as well, by a policy that may change
REJECT = "reject"  # 554 once it has the message
DROP = "drop"  # the connection is gone in the middle of the message
REJECT_LATER = "reject-later"  # 451 once it has the message
HANG = "hang"  # takes the message, says nothing and is gone
STALL = "stall"  # takes the message, says nothing and stays


class Server(SMTP):
    """aiosmtpd, except that it may hang up in the middle of a message."""

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:
        if self.event_handler.now == DROP:
            await self.push("354 go on")
            assert self.transport is not None
            self.transport.close()
            return
        await super().smtp_DATA(arg)


class Mailbox:
    """Every message that the server said yes to, and the plan for the next ones (`ok` when it is used up)."""

    def __init__(self) -> None:
        self.accepted: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.plan: list[str] = []
        self.decide: Callable[[], str] | None = None
        self.now = OK
        self.connections = 0
        self.password = ""  # empty: anybody may send
        self.tls: ssl.SSLContext | None = None  # offers STARTTLS with it

    async def handle_EHLO(
        self, server: Any, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.now = self.decide() if self.decide else self.plan.pop(0) if self.plan else OK
        envelope.mail_from = address
        if self.now == BUSY:
            server.transport.write(b"421 come back later\r\n")
            server.transport.close()
        return "250 go on"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.now == GREYLIST:
            return "451 4.7.1 greylisted, try again"
        if self.now == REFUSE:
            return "550 5.1.1 no such person"
        if self.now == FORBID:
            return "550 5.7.1 not from you"
        envelope.rcpt_tos.append(address)
        return "250 go on"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.now == REJECT_LATER:
            return "451 4.3.0 not now"
        if self.now == REJECT:
            return "554 5.6.0 we do not like its words"
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        if self.now == STALL:
            await asyncio.sleep(60)
        if self.now == HANG:
            server.transport.close()
            return "250 nobody hears this"
        self.accepted.append(message)
        self.recipients += envelope.rcpt_tos
        return f"250 2.0.0 queued as {len(self.accepted)}"

    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.accepted]


class Smtp(Controller):
    def factory(self) -> Server:
        mailbox: Mailbox = self.handler
        if not mailbox.password:
            return Server(mailbox, enable_SMTPUTF8=True, tls_context=mailbox.tls)

        def check(server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
            return AuthResult(success=given.password.decode() == mailbox.password, handled=False)

        return Server(mailbox, enable_SMTPUTF8=True, authenticator=check, auth_required=True, auth_require_tls=False)

    def _trigger_server(self) -> None:
        self.port = port_of(self)  # asked for any free one, it must say which before it is tried
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd is typed in part


def started(mailbox: Mailbox, port: int = 0) -> Smtp:
    """A running server; on a free port unless one is named."""
    server = Smtp(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    return server


def port_of(server: Smtp) -> int:
    assert isinstance(server.server, asyncio.Server)
    return int(server.server.sockets[0].getsockname()[1])
