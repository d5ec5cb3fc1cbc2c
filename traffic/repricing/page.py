"""What the pages of prices, discounts and repricings show and say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import ago, count, dollars, person, sentences, signed_usd, when
from providers.models import Discount, TokenPrice, UnitPrice
from providers.pricing.rules import holds_on, in_force
from traffic.models import Repricing
from traffic.models.repricings import RepricingState
from traffic.repricing.queries import Changes, Totals

MARKS = {"done": "ok", "failed": "bad", "cancelled": "warn", "running": "info", "previewing": "info", "undoing": "info"}


# Prices of tokens.


@dataclass(frozen=True, slots=True)
class PricedModel:
    """One model of the book, as the address names it."""

    provider: str
    model: str

    @classmethod
    def of(cls, request: HttpRequest) -> Self | None:
        provider, model = (
            request.GET.get(name, "").strip()[:200].replace("\x00", "") for name in ("provider", "model")
        )
        return cls(provider, model) if provider and model else None

    @property
    def query(self) -> str:
        return urlencode({"provider": self.provider, "model": self.model})

    @property
    def url(self) -> str:
        return f"{reverse('traffic:prices')}?{self.query}"


def book_headline(counts: Mapping[str, int]) -> SafeString:
    """How many prices the book holds, and how many of them people entered."""
    text = _("The book holds <b>{versions} prices</b> of <b>{models} models</b>,")
    whole = format_html(text, versions=count(counts["versions"]), models=count(counts["models"]))
    entered = counts["entered"]
    by_hand = ngettext("one of them entered manually.", "%(n)s of them entered manually.", entered) % {"n": entered}
    return sentences(whole, by_hand if entered else _("none of them entered manually."))


def book_heading(text: str, total: int) -> str:
    """How many models fit the words that were looked for; without any, what the list is."""
    if not text:
        return _("Current prices")
    fitting = ngettext("1 model matches “%(text)s”", "%(n)s models match “%(text)s”", total)
    return fitting % {"n": count(total), "text": text}


def holds(price: TokenPrice | UnitPrice, following: TokenPrice | UnitPrice | None) -> SafeString:
    """From when on a price holds, and until when."""
    if following is None:
        return format_html(_("holds from {start} on"), start=when(price.starts_at))
    text = _("holds from {start} until {end}, when the next price begins")
    return format_html(text, start=when(price.starts_at), end=when(following.starts_at))


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """One version of a model's price, the newest of those that hold being `current`."""

    it: TokenPrice
    current: bool
    now: datetime

    def state(self) -> str:
        if self.current:
            return _("holds now")
        return _("not yet") if self.it.starts_at > self.now else ""

    def origin(self) -> SafeString:
        """Who entered it, or when it was read."""
        if self.it.entered_by is None:
            return format_html(_("read {ago}"), ago=ago(self.it.seen_at))
        return format_html(_("entered by {who}, {ago}"), who=self.it.entered_by, ago=ago(self.it.seen_at))


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One model with every version of its price, the newest first; without a model, the form of any price.

    `discount` is the contract that holds today, and `paid` what its account pays.
    """

    priced: PricedModel | None
    prices: Sequence[TokenPrice]
    now: datetime
    discount: Discount | None = None
    paid: TokenPrice | None = None

    @property
    def versions(self) -> list[PriceVersion]:
        current = in_force(self.prices, self.now)
        return [PriceVersion(price, price is current, self.now) for price in self.prices]

    def headline(self) -> str:
        """What a million tokens cost now."""
        if self.priced is None:
            return _("A manual price has a source and is valid until the next one.")
        current, model = in_force(self.prices, self.now), self.priced.model
        if current is not None:
            text = _("A million tokens of <b>{model}</b> cost <b>{input}</b> as input and <b>{output}</b> as output.")
            return sentences(format_html(text, model=model, **in_and_out(current)), self._paid())
        if self.prices:
            return format_html(_("<b>{model}</b> has no valid price yet."), model=model)
        text = _("No price of <b>{model}</b> at {provider} is known, so its requests have no cost.")
        return format_html(text, model=model, provider=self.priced.provider)

    def _paid(self) -> str:
        if self.paid is None:
            return ""
        return format_html(_("We pay <b>{input}</b> and <b>{output}</b>."), **in_and_out(self.paid))

    def discount_words(self) -> str:
        return off_the_list(self.discount) if self.discount is not None else ""

    def form_heading(self) -> str:
        return _("New price (no earlier price changes)") if self.prices else _("Add price")


def in_and_out(price: TokenPrice) -> dict[str, str]:
    return {"input": dollars(price.uncached_input), "output": dollars(price.output)}


# Prices of other units.


def unit_prices_headline(waiting: int, holding: int) -> str:
    """How many tiers wait for a factor, else how many prices hold now."""
    if waiting:
        text = ngettext(
            "<b>One tier</b> has no factor, so its requests have no cost.",
            "<b>{n} tiers</b> have no factor, so their requests have no cost.",
            waiting,
        )
        return format_html(text, n=waiting)
    if not holding:
        return _("No prices of this kind yet.")
    kinds = _("GPUs, VMs, storage, traffic, tools, and factors of tiers and regions")
    text = ngettext("<b>One price</b> is valid now: {kinds}.", "<b>{n} prices</b> are valid now: {kinds}.", holding)
    return format_html(text, n=holding, kinds=kinds)


@dataclass(frozen=True, slots=True)
class UnitReview:
    """A new unit price beside the one that stands when it begins and the one that follows."""

    price: UnitPrice
    standing: UnitPrice | None
    following: UnitPrice | None

    @property
    def share(self) -> Decimal | None:
        """By which part the standing price grows; None without one, or of nothing."""
        if self.standing is None or not self.standing.amount:
            return None
        share: Decimal = (self.price.amount - self.standing.amount) / self.standing.amount
        return share

    def headline(self) -> str:
        """What the price goes from and to."""
        if self.standing is None:
            return _("No price of this kind yet.")
        if self.standing.amount == self.price.amount:
            text = _("It costs this already: <b>{what}</b>.")
            return format_html(text, what=self.price.get_kind_display())
        text = _("It changes from <b>{before}</b> to <b>{after}</b>.")
        return format_html(text, before=self.standing.plain, after=self.price.plain)

    def holds(self) -> SafeString:
        return holds(self.price, self.following)


# Discounts.


def discounts_headline(holding: int) -> str:
    """How many discounts hold today."""
    if not holding:
        return _("No discount today: every request costs the list price.")
    text = ngettext(
        "<b>One discount</b> is active. Costs, spend and break-even include it.",
        "<b>{n} discounts</b> are active. Costs, spend and break-even include them.",
        holding,
    )
    return format_html(text, n=holding)


def off_the_list(discount: Discount) -> str:
    if discount.percent is None:
        return _("own rates")
    return _("%(off)s %% off the list") % {"off": discount.off}


@dataclass(frozen=True, slots=True)
class DiscountRow:
    """A contract on a day: `rates` are class, list rate and rate paid where the two differ, `stored` the number of
    stored requests of its days."""

    it: Discount
    today: date
    rates: Sequence[tuple[str, Any, Any]]
    stored: int
    reprice_url: str

    @property
    def withdrawn(self) -> bool:
        return self.it.withdrawn_at is not None

    @property
    def holds(self) -> bool:
        return not self.withdrawn and holds_on(self.it, self.today)

    @property
    def to_come(self) -> bool:
        return not self.withdrawn and self.it.starts_on > self.today

    @property
    def mark(self) -> str:
        return "ok" if self.holds else "info" if self.to_come else "unknown"

    def state(self) -> str:
        if self.withdrawn:
            return _("removed")
        return _("to come") if self.to_come else _("active") if self.holds else _("ended")

    def origin(self) -> str:
        """Who entered it, and when; empty where nobody did."""
        if self.it.entered_by is None:
            return ""
        return format_html(_("entered by {who}, {ago}"), who=person(self.it.entered_by), ago=ago(self.it.entered_at))


# Repricings.


def mark_of(repricing: Repricing) -> str:
    return MARKS.get(repricing.state, "unknown")


def repricings_headline(totals: Totals) -> str:
    """How many repricings stand."""
    if not totals.runs:
        return _("No re-pricing yet. Each request has the price of its time.")
    text = ngettext(
        "<b>{n} re-pricing</b> changed the cost of <b>{rows} requests</b>.",
        "<b>{n} re-pricings</b> changed the cost of <b>{rows} requests</b>.",
        totals.runs,
    )
    return format_html(text, n=totals.runs, rows=count(totals.changed))


@dataclass(frozen=True, slots=True)
class RepricingPage:
    """A repricing and what it changes, or would change."""

    it: Repricing
    changes: Changes

    @property
    def mark(self) -> str:
        return mark_of(self.it)

    @property
    def started(self) -> bool:
        return self.it.started_at is not None

    @property
    def last_day(self) -> date:
        return self.it.until - timedelta(days=1)

    @property
    def gone(self) -> int:
        """Requests that were changed and are no longer stored."""
        return max(self.it.changed - self.it.restored - self.it.kept, 0) if self.is_undone else 0

    @property
    def is_undone(self) -> bool:
        return bool(self.it.state == RepricingState.UNDONE)

    @property
    def is_taken_back(self) -> bool:
        """Wholly, or it is under way."""
        return self.is_undone or self.it.state == RepricingState.UNDOING

    @property
    def may_go_on(self) -> bool:
        """Whether it stopped before its end and nothing of it was taken back."""
        stopped = self.it.state in (RepricingState.CANCELLED, RepricingState.FAILED)
        return self.started and stopped and not self.it.restored and not self.it.kept

    def question(self) -> str:
        return _("Re-pricing") if self.started else _("Re-pricing preview")

    def headline(self) -> str:
        """How many requests cost something else, and by how much."""
        requests = self.changes.whole["requests"]
        if self.is_undone:
            text = _("Undone: <b>{n} of {all} requests</b> have their earlier cost again.")
            return format_html(text, n=count(self.it.restored), all=count(self.it.changed))
        if not requests:
            if self.it.at_work:
                return _("So far no cost would change.")
            return _("No cost of this period changes at today’s prices.")
        if self.started:
            text = ngettext(
                "<b>{n} request</b> changed by <b>{by} USD</b>.",
                "<b>{n} requests</b> changed by <b>{by} USD</b> in total.",
                requests,
            )
        else:
            text = ngettext(
                "<b>{n} request</b> would change by <b>{by} USD</b>. Nothing is saved yet.",
                "<b>{n} requests</b> would change by <b>{by} USD</b> in total. Nothing is saved yet.",
                requests,
            )
        return format_html(text, n=count(requests), by=signed_usd(self.changes.whole["amount"]))

    def heading(self) -> str:
        if self.it.at_work:
            return _("Running")
        return _("Result") if self.started else _("Nothing saved yet")

    def how_far(self) -> str:
        """Of the requests how many are looked at, or have their cost back."""
        if self.is_taken_back:
            text = _("%(n)s of %(all)s requests restored")
            return text % {"n": count(self.it.restored), "all": count(self.it.changed)}
        return _("%(n)s of %(all)s requests checked") % {"n": count(self.it.read), "all": count(self.it.total)}

    def origin(self) -> SafeString:
        """Who asked for it and why, and who took it back."""
        it, at = self.it, when(self.it.created_at)
        if it.by is not None:
            start = format_html(_("Started by {who} on {at}."), who=person(it.by), at=at)
        else:
            start = format_html(_("Started on the command line on {at}."), at=at)
        back = _("Undone by %(who)s.") % {"who": person(it.undone_by)} if it.undone_by is not None else ""
        return sentences(start, f"“{it.why}”" if it.why else "", back)
