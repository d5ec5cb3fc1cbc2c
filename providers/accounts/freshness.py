"""How fresh what we know of each account is: which feeds answer on time, late or not at all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.formats import ago
from providers.models import Account, Feed

# As the alert about polls has it: several intervals without an answer, and never for less than some minutes.
LATE_INTERVALS = 3
LEAST_LATE = timedelta(minutes=10)

# State -> how it is marked and called; the worst stands first.
STATES: dict[str, tuple[str, str | Promise]] = {
    "changed": ("bad", _("Key of another account")),
    "refused": ("bad", _("Key rejected")),
    "failing": ("bad", _("Failing")),
    "twice": ("bad", _("Data of another account")),
    "partly": ("warn", _("Partly rejected")),
    "late": ("warn", _("Late")),
    "retrying": ("warn", _("Failed once")),
    "waiting": ("unknown", _("Not read yet")),
    "off": ("unknown", _("Disabled")),
    "ok": ("ok", _("On time")),
}
ON_TIME = ("ok", "twice")
ORDER = {state: n for n, state in enumerate(STATES)}
# What each feed gives, for people.
FEED_WORDS: dict[str, str | Promise] = {
    "offers": _("offers"),
    "leases": _("leases"),
    "usage": _("usage"),
    "costs": _("costs"),
    "balance": _("balance"),
    "payments": _("payments"),
    "names": _("workspace and key names"),
}


@dataclass(frozen=True, slots=True)
class FeedNow:
    """One feed at this moment. `old`: its figures are not of now any more and are shown so."""

    feed: Feed
    state: str
    old: bool

    @property
    def mark(self) -> str:
        return STATES[self.state][0]

    @property
    def word(self) -> str:
        return str(STATES[self.state][1])

    @property
    def gives(self) -> str:
        return str(FEED_WORDS.get(self.feed.kind, self.feed.kind))


@dataclass(frozen=True, slots=True)
class AccountNow:
    """An account at this moment: as bad as the worst of its feeds."""

    account: Account
    feeds: Sequence[FeedNow]
    state: str

    @property
    def mark(self) -> str:
        return STATES[self.state][0]

    @property
    def word(self) -> str:
        return str(STATES[self.state][1])

    @property
    def read_at(self) -> datetime | None:
        """The newest answer of any feed."""
        return max((entry.feed.last_success_at for entry in self.feeds if entry.feed.last_success_at), default=None)

    @property
    def next_at(self) -> datetime | None:
        due = (entry.feed.due_at for entry in self.feeds if not entry.feed.disabled_reason)
        return min(due, default=None) if self.account.enabled else None

    @property
    def error(self) -> str:
        """The sentence of what goes wrong now, newest first; empty where nothing does."""
        if self.account.disabled_reason:
            return self.account.disabled_reason
        if self.account.enabled and self.given_up:
            return given_up_sentence(self)
        wrong = [entry.feed for entry in self.feeds if entry.feed.failures and entry.feed.last_error_at]
        newest = max(wrong, key=lambda feed: feed.last_error_at or feed.due_at, default=None)
        return newest.last_error if newest else ""

    def late_notice(self) -> str:
        """How old what we know of it is."""
        if self.read_at is None:
            return gettext("No data of %(name)s yet") % {"name": self.account.name}
        text = gettext("Data of {name} is old: last read {ago}")
        return format_html(text, name=self.account.name, ago=ago(self.read_at))

    @property
    def given_up(self) -> Sequence[FeedNow]:
        """What the vendor refuses this key, so that we ask for it no more."""
        return [entry for entry in self.feeds if entry.feed.disabled_reason]

    @property
    def offers(self) -> FeedNow | None:
        return self.feed("offers")

    def feed(self, kind: str) -> FeedNow | None:
        return next((entry for entry in self.feeds if entry.feed.kind == kind), None)


def given_up_sentence(account: AccountNow) -> str:
    """The vendor's refusal, and what we do about it."""
    refused, reason = account.given_up, account.given_up[0].feed.disabled_reason
    what = ", ".join(feed.gives for feed in refused)
    if len(refused) == len(account.feeds):
        return gettext("%(reason)s Its %(what)s are no longer read.") % {"reason": reason, "what": what}
    others = ", ".join(feed.gives for feed in account.feeds if feed not in refused)
    sentence = gettext("%(reason)s Its %(what)s are no longer read. Its %(kept)s still are.")
    return sentence % {"reason": reason, "what": what, "kept": others}


def late_after(every_s: int) -> timedelta:
    """The age from which a feed's last answer counts as late."""
    return max(timedelta(seconds=every_s) * LATE_INTERVALS, LEAST_LATE)


def is_late(feed: Feed, now: datetime) -> bool:
    return feed.last_success_at is None or now - feed.last_success_at > late_after(feed.every_s)


def feed_now(feed: Feed, account: Account, now: datetime) -> FeedNow:
    late = is_late(feed, now)
    if not account.enabled:
        return FeedNow(feed, "refused" if account.disabled_reason else "off", late)
    if feed.disabled_reason:
        return FeedNow(feed, "refused", late)
    if feed.failures:
        return FeedNow(feed, "failing" if late or feed.failures > 1 else "retrying", late)
    if feed.last_success_at is None:
        return FeedNow(feed, "waiting", True)
    return FeedNow(feed, "late" if late else "ok", late)


def account_now(account: Account, now: datetime) -> AccountNow:
    """Reads `account.feeds`, which the caller fetched with it."""
    feeds = [feed_now(feed, account, now) for feed in sorted(account.feeds.all(), key=lambda feed: feed.kind)]
    if not account.enabled:
        return AccountNow(account, feeds, "refused" if account.disabled_reason else "off")
    state = "changed" if account.new_identity else worst(feeds)
    twice = state == "ok" and any(entry.feed.refused for entry in feeds)
    return AccountNow(account, feeds, "twice" if twice else state)


def worst(feeds: Sequence[FeedNow]) -> str:
    """The state of an account that is polled: a refusal of some of its feeds is not one of all."""
    states = {entry.state for entry in feeds}
    if "refused" in states and len(states) > 1:
        states = states - {"refused"} | {"partly"}
    return min(states, key=ORDER.__getitem__, default="waiting")


def worst_first(accounts: Iterable[AccountNow]) -> list[AccountNow]:
    return sorted(accounts, key=lambda entry: (ORDER[entry.state], entry.account.slug))
