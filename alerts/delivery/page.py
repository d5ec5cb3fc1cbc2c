"""What the pages of messages say: what was sent, how a person is told, and what the demo's mailbox holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.delivery.mailbox import Mail
from alerts.models import Address, Preference
from lib.formats import sentences


@dataclass(frozen=True, slots=True)
class DeliveriesPage:
    """How many messages are in each state, which addresses are refused, and what the address asks for."""

    counts: Mapping[str, int]
    refused: Sequence[Address]
    state: str
    to: str

    def answer(self) -> str:
        total = sum(self.counts.values())
        if not total:
            return _("Nothing has been sent yet.")
        accepted = self.counts.get("accepted", 0) + self.counts.get("folded", 0)
        trying, dead = self.counts.get("failed", 0), self.counts.get("dead", 0)
        text = ngettext(
            "<b>{n} of {all}</b> notification was accepted,",
            "<b>{n} of {all}</b> notifications were accepted,",
            total,
        )
        again = ngettext("%(n)s will be retried,", "%(n)s will be retried,", trying) % {"n": trying}
        given_up = ngettext("%(n)s failed.", "%(n)s failed.", dead) % {"n": dead}
        unsent = self.counts.get("unsent", 0)
        no_server = ngettext(
            "%(n)s was not sent: no mail server is set up.", "%(n)s were not sent: no mail server is set up.", unsent
        ) % {"n": unsent}
        return sentences(format_html(text, n=accepted, all=total), again, given_up, no_server if unsent else "")

    @property
    def shows_refused(self) -> bool:
        """Whether refused addresses stand above the list: not over one that was asked for."""
        return bool(self.refused) and not self.to and not self.state

    def headline(self) -> str:
        return _("To %(to)s, newest first") % {"to": self.to} if self.to else _("Newest first")


@dataclass(frozen=True, slots=True)
class PreferencesPage:
    """How a person is told, and how many messages wait for them."""

    email: str
    wishes: Preference
    waiting: int

    def answer(self) -> str:
        if self.waiting:
            n = self.waiting
            waits = ngettext("%(n)s notification is waiting.", "%(n)s notifications are waiting.", n) % {"n": n}
        else:
            waits = ""
        return sentences(self._reached(), waits)

    def _reached(self) -> str:
        if not self.email:
            return _("You have no e-mail address, so you receive no notifications. An admin can add one.")
        wishes = self.wishes
        if wishes.quiet_from is None or wishes.quiet_until is None:
            return format_html(_("Notifications go to <b>{email}</b> at any hour."), email=self.email)
        text = _("Between {start} and {end} ({zone}) <b>{email}</b> receives only critical alerts.")
        start, end = (f"{clock:%H:%M}" for clock in (wishes.quiet_from, wishes.quiet_until))
        return format_html(text, start=start, end=end, zone=wishes.timezone, email=self.email)


@dataclass(frozen=True, slots=True)
class MailboxPage:
    """The mails that the demo has sent, newest first."""

    mails: Sequence[Mail]

    def answer(self) -> str:
        n = len(self.mails)
        if not n:
            return _("The demo mailbox is empty.")
        text = ngettext("1 mail: <b>{subject}</b>.", "{n} mails, the newest: <b>{subject}</b>.", n)
        return format_html(text, n=n, subject=self.mails[0].subject)

    def headline(self) -> str:
        return _("Newest first") if self.mails else _("No mails")


def mail_answer(mail: Mail) -> str:
    """What one mail is about."""
    if not mail.subject:
        return _("This mail has no subject.")
    return format_html(_("Subject: <b>{subject}</b>"), subject=mail.subject)
