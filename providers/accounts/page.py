"""What the pages of accounts say: which are read, and how one account is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import ago, sentences
from providers.accounts.freshness import FEED_WORDS, ON_TIME, AccountNow
from providers.connectors import CONNECTORS, connector_class
from providers.models import Account, Feed


@dataclass(frozen=True, slots=True)
class KeyTest:
    """What a vendor said to a key."""

    good: bool
    sentence: str
    same: Account | None = None  # another account of ours that reads the same one already
    other: bool = False  # the key is of another account at the vendor than the one that was read so far

    def headline(self) -> str:
        if self.same:
            return _("This account exists already")
        return _("Connection works") if self.good else _("Connection failed")

    def finding(self) -> str:
        """What the vendor said, or why the account is not taken; with a link where another account is meant."""
        if self.same:
            return here_already(self.same.slug, self.same.name)
        if self.other:
            text = _("{sentence} It is not the account read so far.")
            return format_html(text, sentence=self.sentence)
        return self.sentence

    def consequence(self) -> str:
        return _("Nothing is stored yet.") if self.good else _("Nothing was stored.")


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """Every account, the worst first."""

    rows: Sequence[AccountNow]

    def answer(self) -> str:
        if not self.rows:
            return _("No accounts yet, so there are no bills, leases or offers.")
        on = [row for row in self.rows if row.account.enabled]
        good = sum(row.state in ON_TIME for row in self.rows)
        wrong = [row for row in self.rows if row.mark in ("bad", "warn")]
        if wrong:
            text = ngettext(
                "<b>{good} of {n} account</b> is read on time.",
                "<b>{good} of {n} accounts</b> are read on time.",
                len(on),
            )
            return sentences(format_html(text, n=len(on), good=good), self._last_answer(wrong[0]))
        if not on:
            return _("All accounts are disabled, so nothing is read.")
        if good == len(on):
            text = ngettext("The one account is read on time.", "All <b>{n} accounts</b> are read on time.", len(on))
        else:
            text = ngettext(
                "<b>{good} of {n}</b> account is read completely so far.",
                "<b>{good} of {n}</b> accounts are read completely so far.",
                len(on),
            )
        return format_html(text, n=len(on), good=good)

    def _last_answer(self, row: AccountNow) -> str:
        text = _("<b>{name}</b> was last read {ago}.") if row.read_at else _("<b>{name}</b> was never read.")
        if row.state == "twice":
            text = _("<b>{name}</b> reads the same data as another account.")
        return format_html(text, name=row.account.name, ago=ago(row.read_at))

    def headline(self) -> str:
        n = len(self.rows)
        if not n:
            return _("Add your first account")
        return ngettext("1 account", "%(n)s accounts, problems first", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One account; `row` is how it stands, None of one that is being added."""

    account: Account
    row: AccountNow | None

    def title(self) -> str:
        return self.account.name if self.row else _("Add an account")

    def answer(self) -> str:
        if self.row is None:
            text = _("With a key, <b>{name}</b> reports {what}.")
            return format_html(text, name=self.account.provider_name, what=", ".join(self.gives))
        return self._state(self.row)

    def _state(self, row: AccountNow) -> str:
        refusals = row.given_up
        text = {
            "off": _("<b>{name}</b> is disabled and not read."),
            "partly": _("<b>{name}</b> rejects our key for {what}. Other data is still read."),
            "refused": _("<b>{name}</b> rejects our key, so polls stopped. Its figures are old."),
            "changed": _(
                "The key of <b>{name}</b> now belongs to another account at {vendor}. Choose below which "
                "account to read."
            ),
            "ok": _("<b>{name}</b> is read on time. Last {ago}, next {next}."),
            "twice": _("<b>{name}</b> reads the same data as another account."),
            "waiting": _("<b>{name}</b> is read on time so far. One feed is not read yet."),
        }.get(row.state)
        if self.account.unverified.get("account"):
            text = _("<b>{name}</b> is disabled because another account reads the same data.")
        elif self.account.disabled_reason:
            text = _("<b>{name}</b> rejects our key, so polls stopped. Its figures are old.")
        elif row.state == "waiting" and row.read_at is None:
            text = _("<b>{name}</b> is connected. First data is being read…")
        elif text is None:
            text = (
                _("<b>{name}</b> fails. Last success {ago}, next attempt {next}.")
                if row.read_at
                else _("<b>{name}</b> could not be read yet.")
            )
        return format_html(
            text,
            name=self.account.name,
            vendor=self.account.provider_name,
            ago=ago(row.read_at),
            next=ago(row.next_at),
            what=refusals[0].gives if refusals else "",
        )

    @property
    def gives(self) -> list[str]:
        """What a key of this vendor tells, in words."""
        return gives(self.account.kind) if self.account.kind in CONNECTORS else []

    @property
    def estimated(self) -> bool:
        """Whether its cost is reckoned from its leases, because the vendor tells no bill."""
        feeds = connector_class(self.account.kind).feeds if self.account.kind in CONNECTORS else ()
        return "leases" in feeds and "costs" not in feeds

    @property
    def shows_old_figures(self) -> bool:
        """Whether the account was read before and is not read as it should be now."""
        row = self.row
        late = row is not None and row.state not in ("waiting", *ON_TIME) and row.read_at is not None
        return self.account.enabled and late

    @property
    def changed_hands(self) -> bool:
        return self.row is not None and self.row.state == "changed"

    def belongs_to(self) -> str:
        """Whose the key is, by the vendor's own ids; empty where none is known."""
        ids = ", ".join(self.account.identity)
        if self.account.new_identity:
            values = {"new": ", ".join(self.account.new_identity), "ids": ids}
            return _("%(new)s, and no longer %(ids)s") % values
        return ids

    def verification(self) -> str:
        """That the owner of its key is not verified, and why; empty where it is."""
        unverified = self.account.unverified
        if slug := unverified.get("account"):
            return here_already(slug, unverified["name"])
        text = _("The owner of this key is unknown, so another account may read the same data: {why}")
        return format_html(text, why=unverified["why"]) if unverified else ""

    def refused(self) -> list[str]:
        """What another account had brought before, a sentence for each feed, with both currencies where they differ."""
        return [refused_sentence(entry.feed) for entry in self.row.feeds if entry.feed.refused] if self.row else []

    def feeds_headline(self) -> str:
        assert self.row is not None
        if self.row.error:
            return self.row.error
        if self.row.state == "ok":
            return ngettext("Feed up to date", "All feeds up to date", len(self.row.feeds))
        return _("Feeds")

    def form_headline(self) -> str:
        if self.row:
            return _("Settings")
        return _("New account at %(name)s") % {"name": self.account.provider_name}


def here_already(slug: str, name: str) -> str:
    """That a key is of an account that is read already, with the link to it."""
    text = _('This account exists as <a href="{url}">{name}</a>. Change its key there.')
    return format_html(text, url=reverse("providers:account", args=[slug]), name=name)


def refused_sentence(feed: Feed) -> str:
    """How many rows of a feed's last answer are refused and whose they are; both currencies where these differ."""
    text = ngettext(
        "{what}: {n} row was already read by {account} and is refused.",
        "{what}: {n} rows were already read by {account} and are refused.",
        feed.refused["rows"],
    )
    values = dict(zip(("line", "stored", "refused"), feed.refused["examples"][0], strict=False))
    if "stored" in values:
        currencies = _("The currencies differ: {stored} of {account} stays, {refused} of {name} is refused ({line}).")
        text = f"{text} {currencies}"
    other = reverse("providers:account", args=[feed.refused["account"]])
    values |= {"what": capfirst(str(FEED_WORDS.get(feed.kind, feed.kind))), "n": feed.refused["rows"]}
    values |= {"account": format_html('<a href="{}">{}</a>', other, feed.refused["name"]), "name": feed.account.name}
    return format_html(text, **values)


def gives(kind: str) -> list[str]:
    """What a vendor tells, in words. Raises KeyError for a kind that there is not."""
    return [str(FEED_WORDS[feed]) for feed in connector_class(kind).feeds]
