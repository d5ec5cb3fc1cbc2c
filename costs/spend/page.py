"""What the Spend page shows, from a few reads: the month by day, by provider and by user, its bills and its change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.allocation.queries import ATTRIBUTION, CountedCharges, Spend, SpendData, counted_charges, read
from costs.dates import days_of, from_first, months_since, too_early
from costs.ledger.queries import first_known_day
from costs.list_prices import ListPrices
from costs.models import Phase, Provenance
from costs.plan.month import Month
from costs.plan.queries import HISTORY, Days, all_phases, hold, planned_for, read_days, this_month
from costs.plan.verdict import plan_verdict
from costs.reconciliation import bill_status
from costs.reconciliation.bill_status import MonthBills
from costs.reconciliation.tolerances import gaps_of
from costs.spend.rows import (
    FRESH_KINDS,
    Bills,
    ProviderRow,
    ReportedCost,
    Unknowns,
    UserRow,
    between,
    counts_by,
    day_bars,
    final_on,
    part,
    reported_costs,
    unknown_rows,
    user_rows,
)
from costs.spend.token_costs import Cell, ClassCost, TokenCosts, api_amounts, by_class, tokens_of
from costs.variance.bridge import Bridge, bridge
from costs.variance.queries import StepRow, gpu_hours, named_steps, waterfall
from costs.verdicts.verdict import Verdict
from lib import sql
from lib.formats import dollars, figure, percent, sentences, signed_percent, signed_usd
from lib.formats import month as month_name
from lib.money import ZERO
from providers.models import Account, Feed, provider_name
from traffic.models import Application, Task
from traffic.requests.facets import MOST_SHOWN, FilterChoices, most_used
from traffic.usage.filters import Filters

DAY = timedelta(days=1)
FEED, ACCOUNT, APPLICATION = sql.Table(Feed, "feed"), sql.Table(Account, "account"), sql.Table(Application, "app")
POLLED = f"""
SELECT {FEED}, {ACCOUNT} FROM providers_feed AS feed JOIN providers_account AS account ON account.id = feed.account_id
WHERE feed.kind = ANY(%s) AND account.enabled ORDER BY account.slug
"""
DIMENSIONS = ("application", "model", "task")


@dataclass(frozen=True)
class SpendParams:
    """Month, filters and grouping, as the address has them."""

    month: date
    filters: Filters
    by: str = "application"
    columns: tuple[str, ...] = ATTRIBUTION  # that the usage is read by

    @classmethod
    def of_page(cls, month: date, filters: Filters, by: str = "application") -> SpendParams:
        """Without the columns that neither the groups nor the filters of a page ask for."""
        wanted = {"application_id", by, *(name.removesuffix("__in") for name in filters.lookups())}
        return cls(month, filters, by, tuple(name for name in ATTRIBUTION if name in wanted))


class SpendPage:
    """What the template shows; each part is read once, on first use."""

    def __init__(self, params: SpendParams, now: datetime, recorded: date | None = None) -> None:
        self.params, self.now, self.today = params, now, now.astimezone(UTC).date()
        self.days = days_of(params.month, self.today, recorded)
        self.divides = params.filters.divides()

    # What was spent.

    @cached_property
    def everything(self) -> SpendData:
        """Read both periods at once, without filters, fine: the change and the users need it so."""
        data = read(self.days.before, self.days.until, counting=self.counting, columns=self.params.columns)
        data.names.applications = {pk: row.slug for pk, row in self.known_applications.items()}  # read once
        return data

    @cached_property
    def counting(self) -> CountedCharges:
        """Read the charges of both periods; where the plan is shown, of as many days as its forecast needs."""
        since = min(self.days.before, self.today - HISTORY) if self.has_plan else self.days.before
        return counted_charges(since, self.days.until)

    @cached_property
    def filtered(self) -> SpendData:
        return self.everything.only(self.params.filters)

    @cached_property
    def data(self) -> SpendData:
        return between(self.filtered, self.days.since, self.days.until)

    @cached_property
    def before(self) -> SpendData:
        return between(self.filtered, self.days.before, self.days.before_until)

    @cached_property
    def total(self) -> Spend:
        return self.data.by("provider")

    @cached_property
    def total_before(self) -> Spend:
        return self.before.by("provider")

    def answer(self, filtered: Sequence[str]) -> SafeString:
        """The page's sentences, with the names of what it is filtered by."""
        if not self.providers:
            text = _("No spend recorded in {month}.")
            return format_html(text, month=month_name(self.days.since))
        spent = format_html("{}{}{}.", self._spent(), self._on(filtered), self._against_before())
        early = too_early(self.days) if self.days.is_early and self.change.before > 0 else ""
        return sentences(spent, early)

    def _spent(self) -> SafeString:
        texts = {
            (True, True): _("At least <b>{sum}</b> spent in {month} so far"),
            (True, False): _("<b>{sum}</b> spent in {month} so far"),
            (False, True): _("At least <b>{sum}</b> spent in {month}"),
            (False, False): _("<b>{sum}</b> spent in {month}"),
        }
        text = texts[self.days.running, self.total.at_least]
        total = dollars(self.total.total)
        if self.params.filters == Filters():
            total = figure(total, "spend", self.total.total, self.days.since)
        return format_html(text, sum=total, month=month_name(self.days.since))

    def _on(self, filtered: Sequence[str]) -> str:
        return _(" on %(what)s") % {"what": ", ".join(filtered)} if filtered else ""

    def _against_before(self) -> str:
        if self.change.before <= 0 or self.days.is_early:
            return ""
        words = {"change": signed_percent(self.change_share), "days": self.before_words()}
        return _(", %(change)s compared with %(days)s") % words

    def month_words(self) -> str:
        name = month_name(self.days.since)
        return _("%(month)s, at least") % {"month": name} if self.total.at_least else name

    def before_words(self) -> str:
        return from_first(self.days.before_last)

    def against_words(self) -> str:
        return _("compared with %(days)s, USD") % {"days": self.before_words()}

    @property
    def shares(self) -> dict[str, Decimal | None]:
        return {kind: part(amount, self.total.total) for kind, amount in self.total.provenance.items() if amount}

    @property
    def change_share(self) -> Decimal | None:
        return part(self.change.change, self.change.before)

    def change_words(self) -> str:
        """The change of the total; empty where nothing was spent before."""
        if not self.change.before:
            return ""
        return signed_usd(self.change.change) if self.days.is_early else signed_percent(self.change_share)

    @property
    def per_thousand(self) -> Decimal | None:
        return part(self.total.total * 1000, Decimal(self.total.requests))

    @property
    def largest(self) -> list[ProviderRow]:
        """The two providers that cost the most, for the sentence."""
        return [row for row in self.providers if row.amount > 0][:2]

    @cached_property
    def prices(self) -> ListPrices:
        return ListPrices.of({row["model"] for row in self.filtered.usage})

    @cached_property
    def change(self) -> Bridge:
        leased = not self.divides and any(line.lease_id for line in self.filtered.lines)
        return bridge(self.before, self.data, self.prices, gpu_hours(self.days) if leased else None)

    @cached_property
    def steps(self) -> list[StepRow]:
        return named_steps(self.change, self.days, self.known_applications)

    def change_headline(self) -> str:
        before = {"month": month_name(self.days.before)}
        if not self.change.before:
            return _("No spend in %(month)s, so all spend is new") % before
        row = next((row for row in self.steps if row.step == self.change.largest), None)
        if row is None:
            return _("No change since %(month)s") % before
        return _("Largest change: %(step)s, %(sum)s") % {"step": row.name, "sum": signed_usd(row.step.amount)}

    @property
    def waterfall(self) -> dict[str, Any]:
        return waterfall(self.change, self.steps, month_name(self.days.before), month_name(self.days.since))

    @cached_property
    def api_amounts(self) -> dict[Cell, Decimal]:
        return api_amounts(self.data)

    @cached_property
    def api_tokens(self) -> dict[Cell, dict[str, int]]:
        return tokens_of(self.data, self.api_amounts)

    @cached_property
    def tokens(self) -> TokenCosts:
        return by_class(self.api_amounts, self.api_tokens, self.prices)

    @property
    def class_rows(self) -> list[tuple[ClassCost, Decimal | None]]:
        return [(row, part(row.cost, self.tokens.cost)) for row in self.tokens.classes]

    # By day.

    @cached_property
    def bars(self) -> list[dict[str, Any]]:
        days = [self.days.since + DAY * n for n in range((self.days.until - self.days.since).days)]
        return day_bars(days, self.data, self.now)

    @cached_property
    def day_amounts(self) -> dict[date, Decimal]:
        """Spend of each day before today."""
        amounts: dict[date, Decimal] = defaultdict(lambda: ZERO)
        for line in self.data.lines:
            if line.day < self.today:
                amounts[line.day] += line.amount
        return dict(amounts)

    def days_headline(self) -> str:
        if not self.day_amounts:
            return _("No complete day this month")
        day, most = max(self.day_amounts.items(), key=lambda item: item[1])
        return _("Typical day %(usual)s, highest day %(sum)s (%(day)s)") % {
            "usual": dollars(median(self.day_amounts.values())), "day": date_format(day, "j F"), "sum": dollars(most),
        }  # fmt: skip

    # By provider.

    @cached_property
    def providers(self) -> list[ProviderRow]:
        before = {group.key: group.amount for group in self.total_before.groups}
        unpriced = counts_by(self.data, "provider", "unpriced")
        now = {group.key or "": group for group in self.total.groups}
        gone = [slug for slug in before if slug and slug not in now]
        until = {row.provider: row.complete_until for row in self.month_bills.rows}
        closed = {row.provider: row.closed_on for row in self.month_bills.rows}
        rows = [
            ProviderRow(
                slug, group.provenance, group.amount, group.requests, unpriced[slug], before.get(slug, ZERO),
                until.get(slug), closed.get(slug) or final_on(slug, self.days), part(group.amount, self.total.total),
                self.days.is_early,
            )
            for slug, group in now.items()
        ]  # fmt: skip
        rows += [
            ProviderRow(slug, {}, ZERO, 0, 0, before[slug], until.get(slug), None, is_early=self.days.is_early)
            for slug in gone
        ]
        return [row for row in rows if row.amount or row.requests or row.before]

    def providers_headline(self) -> str:
        if not self.largest:
            return _("By provider")
        if len(self.largest) == 1:
            return _("%(name)s: 100 %% of spend") % {"name": self.largest[0].name}
        share = part(sum((row.amount for row in self.largest), ZERO), self.total.total)
        whole, most = _("%(a)s and %(b)s: 100 %% of spend"), _("%(a)s and %(b)s: %(share)s of spend")
        names = {"a": self.largest[0].name, "b": self.largest[1].name}
        return (whole if share == 1 else most) % {**names, "share": percent(share)}

    # By application, model or task.

    @cached_property
    def users(self) -> list[UserRow]:
        return user_rows(self.data, self.params.by, self.labels, self.total.total)

    def users_headline(self) -> str:
        top = next((row for row in self.users if row.is_attributed and row.amount), None)
        if top is None:
            return _("All spend is unallocated")
        text = _("Highest cost: {name}, {sum} ({share})")
        return format_html(text, name=top.name, sum=dollars(top.amount), share=percent(top.share))

    @property
    def largest_user(self) -> Decimal:
        """The scale of the rows' bars."""
        return max((row.amount for row in self.users), default=ZERO) or Decimal(1)

    @cached_property
    def applications(self) -> dict[str, str]:
        return {application.slug: application.name for application in self.known_applications.values()}

    @cached_property
    def known_applications(self) -> dict[int, Application]:
        return {application.pk: application for application in APPLICATION.read("ORDER BY slug")}

    @property
    def labels(self) -> dict[str, str]:
        return {"application": self.applications, "task": {slug: str(label) for slug, label in Task.choices}}.get(
            self.params.by, {}
        )

    # Bills.

    @cached_property
    def month_bills(self) -> MonthBills:
        """Read what the worker has stored; the comparison itself is the page's about bills."""
        return bill_status.stored(self.days.since, self.now)

    @cached_property
    def bills(self) -> Bills | None:
        """None where a filter asks for what no bill says: an application, a task or a deployment."""
        if self.divides:
            return None
        wanted = self.params.filters.provider
        month = self.month_bills
        rows = [row for row in month.rows if not wanted or row.provider in wanted]
        gaps = gaps_of(rows, self.days.since)
        return Bills(rows, gaps, month.state, self.days.until, month.computed_at if month.outdated else None)

    def bills_headline(self) -> str:
        return self.bills.headline() if self.bills else _("Bills have no model, application or task")

    # What is not known.

    @cached_property
    def unknowns(self) -> Unknowns:
        return unknown_rows(self.data.usage)

    @cached_property
    def reported(self) -> list[ReportedCost]:
        return reported_costs(self.data.usage)

    @property
    def reported_shown(self) -> list[ReportedCost]:
        """The largest differences, as many as a page shows."""
        return self.reported[:MOST_SHOWN]

    @property
    def reported_total(self) -> ReportedCost | None:
        return sum(self.reported[1:], self.reported[0]) if self.reported else None

    def reported_headline(self) -> str:
        """The page shows these costs only where there are some."""
        return self.reported_total.headline() if self.reported_total else ""

    @cached_property
    def feeds(self) -> list[Feed]:
        """What bills, usage reports and leases of the vendors shown are read from."""
        wanted = self.params.filters.provider
        polled = sql.joined(POLLED, FEED, [list(FRESH_KINDS)], account=ACCOUNT)
        return [feed for feed in polled if not wanted or feed.account.kind in wanted]

    @property
    def reporting(self) -> list[Account]:
        """Accounts whose vendor reports usage by workspace and key, each with a page of its own about it."""
        return [feed.account for feed in self.feeds if feed.kind == "usage" and feed.last_success_at]

    def failing_feeds(self) -> str:
        """How many feeds fail now; empty where none does."""
        number = sum(1 for feed in self.feeds if feed.failures)
        text = ngettext("%(n)s vendor feed is failing", "%(n)s vendor feeds are failing", number)
        return text % {"n": number} if number else ""

    def charges_link(self) -> SafeString:
        """Lead to the charges that people entered, of this month where there are any."""
        charges = self.counting.between(self.days.since, self.days.until).charges
        number = sum(charge["charges"] for charge in charges if charge["provenance"] == Provenance.ENTERED)
        url = reverse("costs:charges")
        if not number or not self.total.provenance.get("entered"):
            return format_html('<a href="{}">{}</a>', url, _("manual entries"))
        text = ngettext("%(n)s manual entry", "%(n)s manual entries", number) % {"n": number}
        return format_html('<a href="{}?month={}">{}</a>', url, f"{self.params.month:%Y-%m}", text)

    # The plan, for the running month as a whole.

    @cached_property
    def plan(self) -> tuple[Month, Phase | None] | None:
        if not self.has_plan:
            return None
        return self.month, planned_for(self.phases, self.today)

    @cached_property
    def phases(self) -> list[Phase]:
        return all_phases()

    @cached_property
    def plan_days(self) -> Days:
        return read_days(min(self.days.since, self.today - HISTORY), self.today, counting=self.counting)

    @cached_property
    def month(self) -> Month:
        return this_month(self.now, self.plan_days)

    @cached_property
    def verdict(self) -> Verdict | None:
        """Whether the running month is on plan, as on the Overview; None for another month or a part of it."""
        if not self.has_plan:
            return None
        status = hold(self.phases, self.month, self.plan_days) if planned_for(self.phases, self.today) else None
        return plan_verdict(self.month, status, self.today)

    @property
    def has_plan(self) -> bool:
        return self.days.running and not self.divides and not self.params.filters.provider

    # What can be chosen.

    @cached_property
    def months(self) -> list[date]:
        return months_since(self.days.recorded or first_known_day(self.today), self.today)

    @cached_property
    def choices(self) -> dict[str, FilterChoices]:
        """Values of the filters that occur in the period, with their names; of models the most used."""
        everything = self.everything
        providers = {line.provider for line in everything.lines} | {row["provider"] for row in everything.usage}
        models: Counter[str] = Counter()
        for row in everything.usage:
            if row["model"]:
                models[row["model"]] += row["requests"]
        return {
            "provider": FilterChoices(sorted(((x, provider_name(x)) for x in providers), key=lambda x: x[1].lower())),
            "model": most_used(models, self.params.filters.model),
            "application": FilterChoices(sorted(self.applications.items(), key=lambda item: item[1].lower())),
            "task": FilterChoices([(slug, str(label)) for slug, label in Task.choices]),
        }
