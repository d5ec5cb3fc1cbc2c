"""One SMTP connection that tells what the server answered, and never outlives its message's deadline."""

from __future__ import annotations

import contextlib
import smtplib
import time
from email.utils import parseaddr
from types import TracebackType
from typing import Any, Self

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address

# One message, from the first word to the server's yes. Shorter than a claim lasts (see outbox), so that whoever takes
# an expired claim over cannot meet the one who held it.
DEADLINE_S = 20.0
STEP_S = 10.0
# Our credentials or the server's doors are the operator's to mend: these end no delivery, although they begin with 5.
OURS_TO_MEND = {500, 501, 502, 503, 504, 521, 530, 534, 535, 538}


class NotSent(Exception):
    """A message that the server did not take. `permanent`: it never will; `refused`: it does not want this address."""

    def __init__(self, answer: str, *, permanent: bool = False, refused: bool = False) -> None:
        super().__init__(answer)
        self.permanent = permanent
        self.refused = refused


class Courier:
    """Hands messages over, over one connection as long as it holds. Any other backend of Django's is used as it is."""

    def __init__(self) -> None:
        self.backend = get_connection()
        self.used = False  # a connection that took a message may have been closed by the server since

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, message: EmailMessage) -> str:
        """Hand one message to its one recipient and give back the server's answer. Raises NotSent."""
        if not isinstance(self.backend, EmailBackend):
            self.backend.send_messages([message])
            return f"handed to {type(self.backend).__module__}"
        try:
            return self._hand_over(message, time.monotonic() + DEADLINE_S)
        except NotSent:
            self._reset()
            raise
        # Before ValueError, which a certificate that does not verify is as well: somebody may mend that.
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise NotSent(wording(error)) from error
        except ValueError as error:  # a line break in an address or a header: it will never leave
            raise NotSent(f"not a mail: {error}"[:1000], permanent=True) from error

    def _hand_over(self, message: EmailMessage, deadline: float) -> str:
        sender = mailbox(message.from_email, message.encoding)
        recipient = mailbox(message.to[0], message.encoding)
        try:
            server = self._connected(deadline)
            code, text = within(deadline, server, server.mail, sender)
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            if not self.used:
                raise
            self.close()  # idle for too long: nothing was said about this message, so once more at once
            server = self._connected(deadline)
            code, text = within(deadline, server, server.mail, sender)
        judge(code, text, (250,))
        code, text = within(deadline, server, server.rcpt, recipient)
        judge(code, text, (250, 251, 252), refused=True)
        payload: bytes = message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # Django's own message class
        code, text = within(deadline, server, server.data, payload)
        judge(code, text, (250,))
        self.used = True
        return reply_text(code, text)

    def _connected(self, deadline: float) -> smtplib.SMTP:
        backend: Any = self.backend
        if backend.connection is None:
            backend.timeout = max(1.0, min(STEP_S, deadline - time.monotonic()))
            self.used = False
            backend.open()
        connection: smtplib.SMTP = backend.connection
        connection.ehlo_or_helo_if_needed()  # once a connection; the backend leaves it to `sendmail`
        return connection

    def _reset(self) -> None:
        """Ready for the next message after a refusal; a server that is gone is asked again when it is needed."""
        backend: Any = self.backend
        if backend.connection is None:
            return
        try:
            backend.connection.rset()
        except (OSError, smtplib.SMTPException):
            self.close()

    def close(self) -> None:
        backend: Any = self.backend
        with contextlib.suppress(OSError, smtplib.SMTPException):
            backend.close()
        if isinstance(self.backend, EmailBackend):
            backend.connection = None


def within(deadline: float, server: smtplib.SMTP, command: Any, *args: Any) -> tuple[int, bytes]:
    """One command, that may take what is left until the deadline. Raises TimeoutError past it."""
    left = deadline - time.monotonic()
    if left < 1 or server.sock is None:
        raise TimeoutError(f"not done within {DEADLINE_S:.0f} s")
    server.sock.settimeout(min(STEP_S, left))
    code, text = command(*args)
    return code, text


def judge(code: int, text: bytes, good: tuple[int, ...], *, refused: bool = False) -> None:
    """Raise NotSent unless the answer is a yes."""
    if code in good:
        return
    permanent = 500 <= code < 600 and code not in OURS_TO_MEND
    raise NotSent(reply_text(code, text), permanent=permanent, refused=refused and permanent)


def reply_text(code: int, text: bytes) -> str:
    return f"{code} {text.decode('utf-8', 'replace')}"[:1000]


def wording(error: Exception) -> str:
    """What went wrong on the way, in a line."""
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return reply_text(error.smtp_code, text if isinstance(text, bytes) else str(text).encode())
    return f"{type(error).__name__}: {error}"[:1000]


def mailbox(address: str, encoding: str | None) -> str:
    """The bare address of `Name <address>`, fit for the envelope."""
    return parseaddr(sanitize_address(address, encoding or "utf-8"))[1]


def status_of_answer(answer: str) -> int | None:
    """The three-digit status that a server's answer begins with; None where it never answered.

    For the log: the rest of an answer may quote an address.
    """
    return int(answer[:3]) if answer[:3].isdecimal() and len(answer[:3]) == 3 else None
