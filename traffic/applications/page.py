"""What the pages of applications and keys show and say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.formats import count, person, sentences, state, usd, when
from traffic.authentication.keys import use_by_line, used_of
from traffic.models import Application, BudgetState, Key, QuotaPeriod

Use = Mapping[str, Decimal]
SIGNALS = {
    "traces": gettext_lazy("spans"),
    "logs": gettext_lazy("log records"),
    "texts": gettext_lazy("texts in log records"),
    "litellm": gettext_lazy("LiteLLM events"),
    "native": gettext_lazy("rows of the native API"),
    "metrics": gettext_lazy("metrics"),
}


# Applications.


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """An application with its requests of some days; `beyond` of them name more models than are told apart."""

    it: Application
    requests: int
    beyond: int

    def budget(self) -> str:
        """The cell of its budget's state."""
        word = self.it.get_budget_state_display()
        marks = {BudgetState.OVER: "bad", BudgetState.WITHIN: "ok"}
        mark = next((mark for value, mark in marks.items() if value == self.it.budget_state), None)
        return format_html('<span class="none">{}</span>', word) if mark is None else state(mark, word)


def applications_headline(rows: Sequence[ApplicationRow], requests: int, days: int) -> str:
    """How many applications sent the requests of the last days."""
    if not rows:
        return _("No applications yet, so no program can send requests.")
    text = ngettext(
        "The <b>one application</b> has sent <b>{requests} requests</b> in {days} days.",
        "<b>{sending} of {n} applications</b> have sent <b>{requests} requests</b> in {days} days.",
        len(rows),
    )
    sending = sum(row.requests > 0 for row in rows)
    return format_html(text, sending=sending, n=len(rows), requests=count(requests), days=days)


def application_headline(application: Application) -> SafeString:
    """Whose the application is, and whether its texts are kept."""
    if application.owner is None:
        owned = format_html(_("<b>{name}</b> has no owner yet."), name=application.name)
    else:
        text = _("<b>{name}</b> belongs to <b>{owner}</b>.")
        owned = format_html(text, name=application.name, owner=person(application.owner))
    kept, not_kept = _("Its prompts and answers are kept."), _("Its prompts and answers are not kept.")
    return sentences(owned, kept if application.capture_bodies else not_kept)


# Keys.


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key at a moment; `used` is what came with it and the keys of its line in its period, by unit, as far as it was
    read; `stored` is what of it was not estimated, and `next` the key that replaces it, both for the key's own page.
    """

    it: Key
    now: datetime
    used: Use | None = None
    stored: Use | None = None
    next: Key | None = None

    @property
    def works(self) -> bool:
        return self.it.revoked_at is None and not self.expired

    @property
    def expired(self) -> bool:
        return self.it.expires_at is not None and self.it.expires_at <= self.now

    def used_words(self) -> str:
        """How much of its quota is used, or its quota where that was not read; empty without one."""
        if self.it.quota is None or self.used is None:
            return self.it.quota_words
        share = self.used[self.it.quota_unit] / self.it.quota
        return _("%(percent)s %% of %(quota)s") % {"percent": f"{share * 100:.0f}", "quota": self.it.quota_words}

    def limits(self) -> str:
        """The cell of its limits."""
        calls, cell = self.it.per_minute, ""
        if calls:
            cell = ngettext("%(n)s call a minute", "%(n)s calls a minute", calls) % {"n": count(calls)}
        if self.it.quota is not None:
            return format_html('{} <span class="secondary">{}</span>', cell, self.used_words())
        return cell or format_html('<span class="none">{}</span>', _("none"))

    def validity(self) -> str:
        """The cell that says until when it works."""
        if self.it.revoked_at is not None:
            return format_html(_("revoked {when}"), when=when(self.it.revoked_at))
        if self.it.expires_at is None:
            return _("until revoked")
        if self.expired:
            return sentences(state("bad", _("expired")), when(self.it.expires_at))
        return format_html(_("until {when}"), when=when(self.it.expires_at))

    def maker(self) -> str:
        """Who made it; empty where nobody did."""
        maker = self.it.created_by
        if maker is None:
            return ""
        text = _("by %(name)s") if maker.is_active else _("by %(name)s (deactivated)")
        return text % {"name": person(maker)}

    def headline(self) -> SafeString:
        """Whether it works, and how much of its quota is used."""
        if not self.works:
            return format_html(_("<b>{name}</b> is not valid any more."), name=self.it.name)
        if self.it.quota is None:
            text = _("<b>{name}</b> is valid and has no quota.")
            return format_html(text, name=self.it.name)
        text = _("<b>{name}</b> is valid and has used <b>{used}</b>.")
        return format_html(text, name=self.it.name, used=self.used_words())

    def use_heading(self) -> str:
        if self.it.quota_period == QuotaPeriod.DAY:
            return _("Use today")
        return _("Use this month")

    def estimated_words(self) -> str:
        """What is estimated on top of what is stored; empty where nothing is."""
        if self.used is None or self.stored is None or self.used["tokens"] == self.stored["tokens"]:
            return ""
        tokens, cost = (self.used[unit] - self.stored[unit] for unit in ("tokens", "usd"))
        return _("%(tokens)s tokens, %(cost)s") % {"tokens": count(tokens), "cost": usd(cost)}

    def use_note(self) -> str:
        """What the figures of its use are of."""
        if self.it.first_id or self.next is not None:
            return _("UTC, stored requests · includes the keys that it replaced")
        return _("UTC, stored requests")


def key_rows(keys: Sequence[Key], now: datetime) -> list[KeyRow]:
    """Each key with what its line used; one read of all."""
    use = use_by_line(keys, now)
    return [KeyRow(key, now, used_of(use[key.line], key.quota_period, now)) for key in keys]


def keys_headline(rows: Sequence[KeyRow]) -> str:
    """How many keys are valid, and how many of them were ever used."""
    valid = [row for row in rows if row.works]
    if not valid:
        return _("No valid keys, so no program can send or read anything.")
    text = ngettext(
        "<b>{n} key</b> is valid, <b>{used}</b> has been used.",
        "<b>{n} keys</b> are valid, <b>{used}</b> of them have been used.",
        len(valid),
    )
    return format_html(text, n=len(valid), used=sum(row.it.last_used_at is not None for row in valid))
