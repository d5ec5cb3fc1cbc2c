"""What the pages of channels say: which there are, whether one answers, and how a test went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.mail.server import has_mail_server
from alerts.models import Channel, ChannelKind, Rule
from lib.formats import ago


class Tried(NamedTuple):
    """The result of a test, with the receiver's answer."""

    good: bool
    answer: str

    def headline(self) -> str:
        return _("It took the test") if self.good else _("It did not take the test")


@dataclass(frozen=True, slots=True)
class ChannelsPage:
    """Every channel."""

    rows: Sequence[Channel]

    def answer(self) -> str:
        if not self.rows and not has_mail_server():
            return _("Alerts reach nobody: no mail server and no channel is set up.")
        if not self.rows:
            return _("Alerts go by e-mail alone: no channel is set up.")
        wrong = [row for row in self.rows if row.mark in ("bad", "warn")]
        if wrong:
            text = ngettext(
                "The one channel does not answer as it should: <b>{name}</b>.",
                "{bad} of {n} channels do not answer as they should; first <b>{name}</b>.",
                len(self.rows),
            )
            return format_html(text, n=len(self.rows), bad=len(wrong), name=wrong[0].name)
        on = sum(row.enabled for row in self.rows)
        return ngettext(
            "%(n)s of %(all)s channels is on, and nothing has failed there.",
            "%(n)s of %(all)s channels are on, and nothing has failed there.",
            on,
        ) % {"n": on, "all": len(self.rows)}

    def headline(self) -> str:
        return _("Besides people’s mailboxes") if self.rows else _("Nothing besides people’s mailboxes yet")


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """One channel, saved or not, with the rules that tell it."""

    channel: Channel
    rules: Sequence[Rule]
    may_edit: bool

    @property
    def added(self) -> bool:
        return self.channel.pk is None

    def title(self) -> str:
        return _("Add a channel") if self.added else self.channel.name

    def question(self) -> str:
        if self.added:
            return _("Where else shall alerts go?")
        return _("Does “%(name)s” hear from us?") % {"name": self.channel.name}

    def answer(self) -> str:
        if self.added:
            return self._of_kind()
        if not self.channel.enabled:
            off = _("It is switched off and told nothing; what is meant for it waits.")
            return self.channel.disabled_reason or off
        if self.channel.failing_since:
            text = ngettext(
                "It has failed once, {ago}; it is tried again.",
                "It has failed <b>{n} times</b> in a row, since {ago}; it is tried again.",
                self.channel.failures,
            )
            return format_html(text, n=self.channel.failures, ago=ago(self.channel.failing_since))
        if self.channel.answered_at:
            text = _("It last answered {ago}: <b>{answer}</b>")
            return format_html(text, ago=ago(self.channel.answered_at), answer=self.channel.answer)
        return _("It has not been told anything yet; send it a test.")

    def _of_kind(self) -> str:
        if self.channel.kind == ChannelKind.MONITOR:
            return _(
                "It hears from us each minute while the rules run, and speaks when it hears nothing: also when this"
                " machine is gone."
            )
        if self.channel.kind == ChannelKind.WEBHOOK:
            return _("To a program of yours, as signed JSON, each with an id of its own.")
        return _(
            "To a chat room or a pager, through apprise: Slack, Teams, Telegram, ntfy, PagerDuty, Matrix and others."
        )

    def form_headline(self) -> str:
        if not self.may_edit:
            return _("Only ops may change it")
        if not self.added:
            return _("Where it is, and what signs")
        words = {ChannelKind.WEBHOOK: _("A new webhook"), ChannelKind.MONITOR: _("A new outside monitor")}
        return words.get(ChannelKind(self.channel.kind), _("A new chat or pager"))

    def rules_headline(self) -> str:
        return _("Told by these rules") if self.rules else _("No rule tells it yet")

    def test_note(self) -> str:
        """What a test does."""
        if self.channel.kind == ChannelKind.MONITOR:
            return _(
                "A test asks for the address once, as each heartbeat does, saves nothing, and shows the answer here."
            )
        return _("A test sends one message that says so, saves nothing, and shows the answer here.")
