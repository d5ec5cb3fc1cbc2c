"""What the pages of caps show and say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, dollars, state, when
from lib.money import CENT
from traffic.caps.queries import CapInUse
from traffic.models import Cap, QuotaUnit


def amount_words(cap: Cap, amount: Decimal) -> str:
    """An amount in the unit of a cap."""
    if cap.unit == QuotaUnit.USD:
        return dollars(amount, 2 if amount == amount.quantize(CENT) else 6)
    return f"{count(amount)} {cap.get_unit_display()}"


def cap_words(cap: Cap) -> str:
    """A cap as people read it."""
    text = _("%(amount)s a %(period)s for each user") if cap.each_user else _("%(amount)s a %(period)s")
    words: str = text % {"amount": amount_words(cap, cap.amount), "period": cap.get_period_display()}
    return _("%(cap)s for the task %(task)s") % {"cap": words, "task": cap.get_task_display()} if cap.task else words


@dataclass(frozen=True, slots=True)
class CapRow:
    """A cap with its use, as a row of a table."""

    it: CapInUse

    @property
    def pk(self) -> int:
        return self.it.cap.pk

    def words(self) -> str:
        return cap_words(self.it.cap)

    @property
    def percent(self) -> int:
        """How much is used, rounded down; 100 only where nothing is left."""
        return min(int(self.it.used * 100 / self.it.cap.amount), 100)

    def used(self) -> str:
        """What is used of it now; of a cap for each user, by the one who used most."""
        used = amount_words(self.it.cap, self.it.used)
        text = _("%(used)s, the most of one user") if self.it.cap.each_user else _("%(used)s used")
        return text % {"used": used}

    def standing(self) -> str:
        """The cell of its state."""
        if self.it.used >= self.it.cap.amount:
            return state("bad", _("reached"))
        return state("warn", _("nearly reached")) if self.percent >= 80 else state("ok", _("within"))

    def renewal(self) -> str:
        """When the next window begins."""
        return format_html(_("from {when}"), when=when(self.it.window.end))

    def owner(self) -> str:
        """Whose it is, with the link to its page."""
        cap = self.it.cap
        if cap.application is not None:
            url, name = reverse("traffic:application", args=[cap.application.slug]), cap.application.name
        else:
            assert cap.key is not None
            url, name = reverse("traffic:key", args=[cap.key.pk]), _("key %(name)s") % {"name": cap.key.name}
        return format_html('<a href="{}">{}</a>', url, name)


def cap_rows(caps: Sequence[CapInUse]) -> list[CapRow]:
    return [CapRow(cap) for cap in caps]


def caps_headline(rows: Sequence[CapRow]) -> str:
    """How many caps there are, and how many leave no room now."""
    if not rows:
        return _("No key and no application has a cap yet.")
    reached = sum(row.it.used >= row.it.cap.amount for row in rows)
    text = ngettext(
        "<b>{reached} of {n} cap</b> is reached now.", "<b>{reached} of {n} caps</b> are reached now.", len(rows)
    )
    return format_html(text, reached=reached, n=len(rows))
