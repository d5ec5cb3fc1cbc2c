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
        return _("Test succeeded") if self.good else _("Test failed")


@dataclass(frozen=True, slots=True)
class ChannelsPage:
    """Every channel."""

    rows: Sequence[Channel]

    def answer(self) -> str:
        if not self.rows and not has_mail_server():
            return _("No notifications are sent: no mail server and no channel is set up.")
        if not self.rows:
            return _("Alerts are sent by e-mail only. No channel is set up.")
        wrong = [row for row in self.rows if row.mark in ("bad", "warn")]
        if wrong:
            text = ngettext(
                "The only channel fails: <b>{name}</b>.",
                "{bad} of {n} channels fail, <b>{name}</b> first.",
                len(self.rows),
            )
            return format_html(text, n=len(self.rows), bad=len(wrong), name=wrong[0].name)
        on = sum(row.enabled for row in self.rows)
        return ngettext(
            "%(n)s of %(all)s channels is on, without failures.",
            "%(n)s of %(all)s channels are on, without failures.",
            on,
        ) % {"n": on, "all": len(self.rows)}

    def headline(self) -> str:
        return _("All channels") if self.rows else _("No channels yet")


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """One channel, saved or not, with the rules that tell it."""

    channel: Channel
    rules: Sequence[Rule]
    may_edit: bool
    service: str = ""  # a key of `WEBHOOKS` while a channel of it is added

    @property
    def added(self) -> bool:
        return self.channel.pk is None

    def title(self) -> str:
        return _("Add a channel") if self.added else self.channel.name

    def answer(self) -> str:
        if self.added:
            return self._of_kind()
        if not self.channel.enabled:
            return self.channel.disabled_reason or _("The channel is off. Its notifications wait.")
        if self.channel.failing_since:
            text = ngettext(
                "1 failure, {ago}. Breakeven will retry.",
                "<b>{n} failures</b> in a row, since {ago}. Breakeven will retry.",
                self.channel.failures,
            )
            return format_html(text, n=self.channel.failures, ago=ago(self.channel.failing_since))
        if self.channel.answered_at:
            text = _("Last response {ago}: <b>{answer}</b>")
            return format_html(text, ago=ago(self.channel.answered_at), answer=self.channel.answer)
        return _("Not used yet. Send a test.")

    def _of_kind(self) -> str:
        if self.service == "slack":
            return _("Sends alerts to one Slack channel, by its incoming webhook.")
        if self.service == "teams":
            return _("Sends alerts to one Teams channel, by the webhook of a workflow.")
        if self.channel.kind == ChannelKind.MONITOR:
            return _(
                "The monitor receives a ping each minute while the rules run. It alerts you when pings "
                "stop, even if this server is down."
            )
        if self.channel.kind == ChannelKind.WEBHOOK:
            return _("Sends signed JSON to your own program. Each call has its own id.")
        return _("Slack, Teams, Telegram, PagerDuty and 100 others, by an Apprise URL.")

    def form_headline(self) -> str:
        if not self.may_edit:
            return _("Read-only for your role")
        if not self.added:
            return _("Settings")
        words = {
            "slack": _("New Slack channel"), "teams": _("New Teams channel"),
            ChannelKind.WEBHOOK.value: _("New webhook"), ChannelKind.MONITOR.value: _("New outside monitor"),
        }  # fmt: skip
        return words.get(self.service or self.channel.kind, _("New chat or pager"))

    def rules_headline(self) -> str:
        return _("Used by these rules") if self.rules else _("Used by no rule")

    def test_note(self) -> str:
        """What a test does."""
        if self.channel.kind == ChannelKind.MONITOR:
            return _("A test sends one ping, as each heartbeat does. It saves nothing and shows the response here.")
        return _("A test sends one message that is marked as a test. It saves nothing and shows the response here.")
