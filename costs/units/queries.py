"""What one unit costs: a request, an accepted answer, a million tokens of a class, an incident; by whom and over time.

Everything comes from the ledger and the rollups. A unit of which there is none has no cost: None, never 0, and the page
says that there is no traffic yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.allocation.queries import Line, SpendData, read
from costs.list_prices import ListPrices
from costs.models import Category
from costs.spend.page import SpendPage
from costs.spend.token_costs import token_class_name
from lib import sql
from lib.dates import midnight
from lib.formats import count, usd4
from lib.money import ZERO
from lib.paging import Sorts, in_order
from lib.tokens import TOKEN_CLASSES
from providers.models import provider_name
from traffic.models import Task
from traffic.quality.queries import ACCEPTABLE_SQL
from traffic.requests.facets import MOST_SHOWN

By = Literal["application", "task", "model", "provider"]
BYS: tuple[By, ...] = ("application", "task", "model", "provider")
Cell = tuple[date, str, str, str]  # day, provider, model, group
MONTHS = 6  # of the trend
tokens_by_class = itemgetter(*TOKEN_CLASSES)
MILLION = 1_000_000
FEW = 30  # ratings below which a share says little
FEWEST_REQUESTS = 1000  # of either period, before a change of a request's cost is a percentage


@dataclass
class Unit:
    """Sums of one group and what they make a unit; USD."""

    key: str
    name: str
    amount: Decimal = ZERO
    requests: int = 0
    unpriced: int = 0
    tokens: int = 0
    by_token: Decimal = ZERO  # of the amount, what was paid by the token
    listed: Decimal = ZERO  # the same tokens at list price
    ratings: int = 0
    acceptable: int = 0
    amount_before: Decimal = ZERO
    requests_before: int = 0
    is_early: bool = False  # too few days for a change

    @property
    def per_request(self) -> Decimal | None:
        return ratio(self.amount, self.requests)

    @property
    def per_request_before(self) -> Decimal | None:
        return ratio(self.amount_before, self.requests_before)

    @property
    def change(self) -> Decimal | None:
        """Share by which a request got dearer; None after too few days or requests."""
        if self.is_early or min(self.requests, self.requests_before) < FEWEST_REQUESTS:
            return None
        before, now = self.per_request_before, self.per_request
        return now / before - 1 if before and now is not None else None

    @property
    def per_mtok(self) -> Decimal | None:
        return ratio(self.amount * MILLION, self.tokens)

    @property
    def per_accepted(self) -> Decimal | None:
        """A request's cost over the share of its answers that people accept; None where nothing was accepted."""
        each = self.per_request
        return each * self.ratings / self.acceptable if each is not None and self.acceptable else None

    def accepted_text(self) -> str:
        """What an accepted answer costs, or why that is not known."""
        if self.per_accepted is None:
            return _("none accepted") if self.ratings else _("not rated")
        return usd4(self.per_accepted)

    def ratings_text(self) -> str:
        """How many ratings that rests on."""
        text = ngettext("%(n)s rating", "%(n)s ratings", self.ratings) % {"n": count(self.ratings)}
        return _("%(ratings)s, few") % {"ratings": text} if self.ratings < FEW else text

    @property
    def at_list(self) -> Decimal | None:
        """What its tokens cost at list price."""
        return self.listed or None

    @property
    def against_list(self) -> Decimal | None:
        """Share by which what was paid by the token is above list price; below it where negative."""
        return self.by_token / self.at_list - 1 if self.at_list else None


ADDED = ("amount", "requests", "unpriced", "tokens", "ratings", "acceptable", "amount_before", "requests_before")


def sum_of(units: Iterable[Unit]) -> Unit:
    """Several as one, of no list price yet."""
    total = Unit("", _("all"))
    for unit in units:
        for name in ADDED:
            setattr(total, name, getattr(total, name) + getattr(unit, name))
    return total


def ratio(amount: Decimal, count: int) -> Decimal | None:
    return amount / count if count else None


@dataclass(frozen=True, slots=True)
class ClassUnit:
    """A million tokens of one class, paid and at list price, weighed by the tokens of each model."""

    slug: str
    tokens: int
    paid: Decimal | None
    listed: Decimal | None

    @property
    def name(self) -> str:
        return token_class_name(self.slug)

    @property
    def against_list(self) -> Decimal | None:
        return self.paid / self.listed - 1 if self.paid is not None and self.listed else None


@dataclass(frozen=True, slots=True)
class MonthUnit:
    month: date
    amount: Decimal
    requests: int
    tokens: int

    @property
    def per_request(self) -> Decimal | None:
        return ratio(self.amount, self.requests)

    @property
    def per_thousand(self) -> Decimal | None:
        return ratio(self.amount * 1000, self.requests)

    @property
    def per_mtok(self) -> Decimal | None:
        return ratio(self.amount * MILLION, self.tokens)


@dataclass(frozen=True, slots=True)
class Incidents:
    """Of our own deployments in the period: what running them cost apart from machines, for each incident."""

    count: int
    upkeep: Decimal
    hours: Decimal

    @property
    def upkeep_each(self) -> Decimal | None:
        return ratio(self.upkeep, self.count)

    @property
    def hours_each(self) -> Decimal | None:
        return ratio(self.hours, self.count)


# What the groups can be sorted by: attributes of a unit.
SORTED_BY = ("name", "requests", "amount", "per_request", "per_request_before", "per_accepted", "per_mtok", "by_token")
SORTS: Sorts = {name: attrgetter(name) for name in (*SORTED_BY, "at_list")}


# Ratings by what they are of. Filters ask for columns by the names that they have in usage.
RATINGS = f"""
SELECT coalesce(application_id, 0) AS application_id, task, model, provider, count(*) AS n,
       count(*) FILTER (WHERE {ACCEPTABLE_SQL}) AS good
FROM (
    SELECT rating.*, coalesce(deployment.provider, '') AS provider
    FROM traffic_rating AS rating LEFT JOIN providers_deployment AS deployment ON deployment.id = rating.deployment_id
    WHERE rating.day >= %s AND rating.day < %s AND NOT rating.gold
) AS r WHERE true{{condition}} GROUP BY 1, 2, 3, 4
"""
INCIDENTS = """
SELECT (SELECT count(*) FROM providers_outage AS outage JOIN providers_deployment AS own ON own.id = deployment_id
        WHERE own.provider = 'self' AND outage.started_at >= %(starts_at)s AND outage.started_at < %(ends_at)s),
       (SELECT coalesce(sum(hours), 0) FROM costs_effort
        WHERE day >= %(since)s AND day < %(until)s AND withdrawn_at IS NULL)
"""


class UnitCosts:
    """The page's figures over a `SpendPage`; each part is read once, when it is asked for."""

    def __init__(self, page: SpendPage, by: By, sort: str = "") -> None:
        self.page, self.by, self.sort = page, by, sort
        self.days = page.days

    @cached_property
    def list_prices(self) -> ListPrices:
        """Without contracts' discounts."""
        return ListPrices(self.page.prices.versions)

    @cached_property
    def whole(self) -> Unit:
        """All groups together; list prices are held against what was paid for each model and day as a whole."""
        total = sum_of(self.by_key.values())
        total.is_early = self.days.is_early
        for (day, provider, model), amount in self.page.api_amounts.items():
            tokens = self.page.api_tokens.get((day, provider, model), {})
            if listed := self.at_list((day, provider, model, ""), [tokens.get(name, 0) for name in TOKEN_CLASSES]):
                total.listed += listed
                total.by_token += amount
        return total

    @cached_property
    def by_key(self) -> dict[str, Unit]:
        return self.units(self.key_of_row, self.key_of_line)

    @property
    def rows_shown(self) -> list[Unit]:
        """As many as a page holds."""
        return self.rows[:MOST_SHOWN]

    @property
    def rows_left(self) -> int:
        return len(self.rows) - len(self.rows_shown)

    @cached_property
    def rows(self) -> list[Unit]:
        """By what was asked for, the dearest in all first; what belongs to nobody last."""
        shown = [unit for unit in self.by_key.values() if unit.amount or unit.requests or unit.amount_before]
        for unit in shown:
            unit.name = self.name_of(unit.key)
        dearest = sorted(shown, key=lambda unit: (not unit.key, -unit.amount, -unit.requests, unit.name))
        return in_order(dearest, SORTS, self.sort)

    def units(self, of_row: Any, of_line: Any) -> dict[str, Unit]:
        units: dict[str, Unit] = defaultdict(lambda: Unit("", "", is_early=self.days.is_early))
        for line in self.page.data.lines:
            units[of_line(line)].amount += line.amount
        for line in self.page.before.lines:
            units[of_line(line)].amount_before += line.amount
        paid = api_cells(self.page.data.lines, of_line)
        sent: dict[Cell, list[int]] = defaultdict(lambda: [0] * len(TOKEN_CLASSES))
        for row in self.page.data.usage:
            key = of_row(row)
            unit = units[key]
            unit.requests += row["requests"]
            unit.unpriced += row["unpriced"]
            tokens = tokens_by_class(row)
            unit.tokens += sum(tokens)
            cell = row["day"], row["provider"], row["model"], key
            if cell in paid:
                sent[cell] = [a + b for a, b in zip(sent[cell], tokens, strict=True)]
        for cell, amount in paid.items():
            # Held against each other only where both are known.
            if listed := self.at_list(cell, sent[cell]):
                units[cell[3]].listed += listed
                units[cell[3]].by_token += amount
        for row in self.page.before.usage:
            units[of_row(row)].requests_before += row["requests"]
        for row in self.ratings:
            unit = units[of_row(row)]
            unit.ratings += row["n"]
            unit.acceptable += row["good"]
        for key, unit in units.items():
            unit.key = key
        return dict(units)

    def at_list(self, cell: Cell, tokens: Iterable[int]) -> Decimal:
        """A cell's tokens by class at list price; nothing where the model has none."""
        day, provider, model, _key = cell
        rates = self.list_prices.decimals_at(provider, model, day)
        plain = rates.get("uncached_input", ZERO)
        counted = zip(TOKEN_CLASSES, tokens, strict=True)
        return sum((number * rates.get(name, plain) for name, number in counted if number), ZERO) if rates else ZERO

    @cached_property
    def ratings(self) -> list[dict[str, Any]]:
        """Ratings of the period, as rows that look like usage."""
        condition, values = self.page.params.filters.condition()
        return sql.mappings(RATINGS.format(condition=condition), [self.days.since, self.days.until, *values])

    @cached_property
    def slugs(self) -> dict[int, str]:
        return self.page.data.names.applications

    def key_of_row(self, row: Mapping[str, Any]) -> str:
        if self.by == "application":
            return self.slugs.get(row["application_id"], "")
        return str(row[self.by])

    def key_of_line(self, line: Line) -> str:
        return line.provider if self.by == "provider" else self.key_of_who(line.attribution)

    def key_of_who(self, who: Any) -> str:
        if self.by == "application":
            return self.slugs.get(who.application_id, "")
        return str(who.task if self.by == "task" else who.model)

    def name_of(self, key: str) -> str:
        if not key:
            return _("Unallocated")
        if self.by == "application":
            return self.page.applications.get(key, key)
        if self.by == "task":
            return str(dict(Task.choices).get(key, key))
        return provider_name(key) if self.by == "provider" else key

    # By class of tokens.

    @cached_property
    def classes(self) -> list[ClassUnit]:
        """Each class with what a million of it cost, and at list price the same tokens."""
        listed, counted = dict.fromkeys(TOKEN_CLASSES, ZERO), dict.fromkeys(TOKEN_CLASSES, 0)
        for (day, provider, model), tokens in self.page.api_tokens.items():
            rates = self.list_prices.decimals_at(provider, model, day)
            for name, number in tokens.items():
                if name in rates and number:
                    listed[name] += number * rates[name]
                    counted[name] += number
        return [
            ClassUnit(
                row.slug, row.tokens, row.per_million,
                listed[row.slug] * MILLION / counted[row.slug] if counted[row.slug] else None,
            )
            for row in self.page.tokens.classes
        ]  # fmt: skip

    # By incident.

    @cached_property
    def incidents(self) -> Incidents:
        since, until = self.days.since, self.days.until
        moments = {"starts_at": midnight(since), "ends_at": midnight(until), "since": since, "until": until}
        [(started, hours)] = sql.rows(INCIDENTS, moments)
        upkeep = (line.amount for line in self.page.data.lines if line.category == Category.UPKEEP)
        return Incidents(started, sum(upkeep, ZERO), hours)

    # Over time.

    @cached_property
    def months(self) -> list[MonthUnit]:
        """The months up to the one shown, the oldest first; those before anything was known are left out."""
        first = months_back(self.days.since, MONTHS - 1)
        earlier = [] if first >= self.days.before else monthly(
            read(first, self.days.before, self.page.divides).only(self.page.params.filters)
        )  # fmt: skip
        return [*earlier, *monthly(self.page.filtered)]

    @property
    def trend(self) -> list[dict[str, Any]]:
        """For the lines' tag: a month's middle is where its point stands."""
        points = [(row.month + timedelta(days=14), row.per_request * 1000) for row in self.months if row.per_request]
        return [{"name": _("USD for 1,000 requests"), "style": "us", "points": points}] if len(points) > 1 else []


def api_cells(lines: Iterable[Line], of_line: Any) -> dict[Cell, Decimal]:
    """What was paid by the token, by day, provider, model and group."""
    amounts: dict[Cell, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        if line.attribution.model and not line.committed and line.provenance != "estimated":
            amounts[line.day, line.provider, line.attribution.model, of_line(line)] += line.amount
    return dict(amounts)


def monthly(data: SpendData) -> list[MonthUnit]:
    amounts: dict[date, Decimal] = defaultdict(lambda: ZERO)
    requests: dict[date, int] = defaultdict(int)
    tokens: dict[date, int] = defaultdict(int)
    for line in data.lines:
        amounts[line.day.replace(day=1)] += line.amount
    for row in data.usage:
        month = row["day"].replace(day=1)
        requests[month] += row["requests"]
        tokens[month] += sum(tokens_by_class(row))
    return [MonthUnit(m, amounts[m], requests[m], tokens[m]) for m in sorted({*amounts, *requests})]


def months_back(first: date, count: int) -> date:
    years, month = divmod(first.year * 12 + first.month - 1 - count, 12)
    return date(years, month + 1, 1)
