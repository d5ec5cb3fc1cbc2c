"""What the page behind a feedback link shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils.html import format_html
from django.utils.translation import gettext as _

from lib.formats import when
from traffic.models import FeedbackLink

State = Literal["open", "done", "used", "expired", "gone", "unknown", "often"]
STATUS: dict[State, int] = {
    "open": 200,
    "done": 200,
    "used": 410,
    "expired": 410,
    "gone": 410,
    "unknown": 404,
    "often": 429,
}


@dataclass(frozen=True, slots=True)
class LinkPage:
    """The page of a link in one state; its two buttons are there while it is `open`."""

    state: State

    @property
    def open(self) -> bool:
        return self.state == "open"

    @property
    def status(self) -> int:
        """Of HTTP."""
        return STATUS[self.state]

    def heading(self) -> str:
        return _("Thank you") if self.state == "done" else _("Your feedback")

    def finding(self) -> str:
        return {
            "open": _("Did the answer help you?"),
            "done": _("Your feedback is saved."),
            "used": _("This link has been used. It works once."),
            "expired": _("This link has expired. Ask for a new one."),
            "gone": _("The answer is no longer stored, so feedback on it cannot be saved."),
            "unknown": _("This link is not valid. Check that the address is complete."),
            "often": _("Too many attempts. Try again in a minute."),
        }[self.state]


def link_words(link: FeedbackLink) -> str:
    """What a link that was just made does."""
    return format_html(_("Works once, until {when}. It is shown only now."), when=when(link.expires_at))
