"""What the pages of rules say: which there are, whom one tells, and what it would have done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.kinds.sentences import sentence
from alerts.models import Channel, Delivery, Rule
from alerts.rules import queries
from alerts.rules.preview import Preview
from alerts.rules.queries import RuleCounts
from alerts.rules.tryout import Tryout
from lib.formats import state


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as the list shows it: in words, and the addresses that it tells. `failing` are addresses and channels, in
    lower case, that the newest message did not reach; `by_mail`: whether any mail can leave."""

    rule: Rule
    sentence: str
    addresses: list[str]
    trouble: Delivery | None = None
    failing: Collection[str] = ()
    by_mail: bool = True

    @property
    def tells_nobody(self) -> bool:
        """Whether none of its addresses and channels works."""
        mailboxes = self.by_mail and any(address.lower() not in self.failing for address in self.addresses)
        return not mailboxes and not any(slug not in self.failing for slug in queries.channels_on(self.rule))

    def state_mark(self) -> str:
        """Whether it watches, and whether it fires now. `rule.shown` is how many alerts it has open."""
        if not self.rule.enabled or self.rule.last_error:
            return self.rule.state_mark()
        fires = self.rule.shown  # type: ignore[attr-defined]  # annotated by `RuleQuerySet.listed`
        return state("warn", _("Firing")) if fires else state("ok", _("OK"))


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The shipped rules and a page of those that people made, of which `made` match a search."""

    counts: RuleCounts
    rows: Sequence[RuleRow]
    made: int
    search: str

    @property
    def untold(self) -> list[RuleRow]:
        """Rules that are on and tell nobody."""
        return [row for row in self.rows if row.rule.enabled and row.tells_nobody]

    def answer(self) -> str:
        on = self.counts.enabled
        text = ngettext("%(n)s of %(all)s rules is on%(rest)s.", "%(n)s of %(all)s rules are on%(rest)s.", on)
        return text % {"n": on, "all": self.counts.all, "rest": self._wrong()}

    def _wrong(self) -> str:
        if broken := self.counts.broken:
            return ngettext(", %(n)s cannot be evaluated", ", %(n)s cannot be evaluated", broken) % {"n": broken}
        if untold := len(self.untold):
            text = ngettext(", %(n)s has no working recipient", ", %(n)s have no working recipient", untold)
            return text % {"n": untold}
        failing = {row.trouble.recipient for row in self.rows if row.rule.enabled and row.trouble}
        if n := len(failing):
            text = ngettext(
                ", but notifications to %(n)s recipient fail", ", but notifications to %(n)s recipients fail", n
            )
            return text % {"n": n}
        if len(self.rows) < self.counts.all:  # a search, or a second page: nothing is known of the others
            return _(", those listed here with working recipients")
        return _(", all with working recipients")

    def made_headline(self) -> str:
        if self.made:
            return ngettext("Custom rules (1)", "Custom rules (%(n)s)", self.made) % {"n": self.made}
        return _("No custom rule matches") if self.search else _("No custom rules yet")


@dataclass(frozen=True, slots=True)
class RulePage:
    """One rule with whom it tells; None of one that is being written. `seen` is what it would have done."""

    rule: Rule | None
    addresses: Sequence[str]
    channels: Sequence[Channel]
    may_edit: bool
    seen: Preview | Tryout | None = None

    def title(self) -> str:
        return self.rule.name if self.rule else _("New rule")

    def answer(self) -> str:
        if self.seen:
            return self.seen.sentence
        if self.rule:
            return sentence(self.rule)
        return _("A rule notifies people when a figure stays over or under a limit.")

    def form_headline(self) -> str:
        return _("Condition, delay, recipients") if self.may_edit else _("Read-only for your role")

    def told_headline(self) -> str:
        if n := len(self.addresses):
            return ngettext("Recipients (1)", "Recipients (%(n)s)", n) % {"n": n}
        return _("Channels only") if self.channels and self._shipped else _("No recipients")

    @property
    def _shipped(self) -> bool:
        return self.rule is not None and self.rule.kind != "figure"
