"""The SMTP sink: takes every message and keeps it in a Maildir, where the UI reads it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP


async def start_sink(maildir: Path, host: str, port: int) -> asyncio.Server:
    """Serve SMTP until the server is closed. The envelope stands in X-MailFrom and X-RcptTo."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # a line for every line of SMTP otherwise
    maildir.parent.mkdir(parents=True, exist_ok=True)
    handler = Mailbox(maildir)
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: SMTP(handler, hostname="sink.localhost", enable_SMTPUTF8=True), host, port)
