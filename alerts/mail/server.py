"""Whether this installation can send mail, and what pages say where it cannot."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _


def has_mail_server() -> bool:
    """Whether this installation can send mail: without `EMAIL_URL` Django prints each mail into a log."""
    return not settings.EMAIL_BACKEND.endswith("console.EmailBackend")


def mail_problem() -> str:
    """Why no mail leaves this installation; empty where a mail server is set up."""
    if has_mail_server():
        return ""
    return _(
        "E-mail is off: no mail server is set up. Set EMAIL_URL and restart Breakeven. Alerts "
        "that are open then are sent in one mail to each person."
    )
