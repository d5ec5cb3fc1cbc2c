"""What was spent, from where it is known, by whatever one asks: every grouping adds up to the total exactly.

Of the vendor's figures one counts for a provider and day: the bill once it is complete for that day, before it what we
measured or estimated. Entered charges are added; an entered invoice replaces what is not billed of its provider and
month. What a bill does not say (application, task) is divided: an API bill by the measured cost of the same provider,
day and model, a lease by the tokens or the time (`Sharing`) of the requests on its deployments in the same hour.
What remains has no key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple

from costs.allocation.complete_days import bill_days
from costs.allocation.lease_shares import lease_shares
from costs.models import Category, Provenance
from costs.models.ledger import IDLE
from lib import sql
from lib.allocation import divide
from lib.money import ZERO
from lib.tokens import TOKEN_CLASSES
from providers.models import Deployment
from traffic.models import Application
from traffic.usage.filters import Filters

GroupBy = Literal[
    "provider", "model", "application", "owner", "task", "category", "day", "month", "provenance", "deployment"
]
FINE = ("application", "owner", "task", "model", "deployment", "category")  # what only the finest lines say


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who a part of the spend belongs to, as far as a bill or a division says; 0 and empty text mean unknown."""

    application_id: int = 0
    deployment_id: int = 0
    model: str = ""
    task: str = ""


UNATTRIBUTED = Attribution()
# Rows of usage are many, and those whom they belong to are few.
attribution = lru_cache(maxsize=20_000)(Attribution)


@dataclass(frozen=True, slots=True)
class Line:
    """The smallest part of the spend: one day, provider, provenance and attribution."""

    day: date
    provider: str
    provenance: str
    amount: Decimal
    attribution: Attribution = UNATTRIBUTED
    committed: bool = False  # known ahead: leases and entered charges, whatever the traffic
    category: str = ""
    lease_id: int = 0

    @property
    def idle(self) -> bool:
        """Whether it is the cost of a machine in hours without a request."""
        return bool(self.lease_id) and self.attribution == UNATTRIBUTED


@dataclass
class Group:
    key: str | None
    amount: Decimal = ZERO
    requests: int = 0
    unpriced: int = 0  # of these, without a known cost: the amount is a lower bound
    provenance: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    def add(self, provenance: str, amount: Decimal) -> None:
        self.amount += amount
        self.provenance[provenance] += amount


@dataclass
class Spend:
    """A total in USD, by provenance and by group, with the counts of requests that have no cost."""

    since: date
    until: date
    total: Decimal
    provenance: dict[str, Decimal]
    groups: list[Group]
    requests: int
    unpriced_requests: int
    unknown_usage_requests: int

    @property
    def at_least(self) -> bool:
        """Whether something in the period has no known cost, so that the total is a lower bound."""
        return self.unpriced_requests > 0


def spend(since: date, until: date, group_by: GroupBy = "provider", filters: Filters | None = None) -> Spend:
    """Spend of the UTC days from `since` to the day before `until`."""
    wanted = filters or Filters()
    fine = group_by in FINE or wanted.divides()
    return read(since, until, fine).only(wanted).by(group_by)


@dataclass(frozen=True)
class SpendData:
    """Lines and usage of a period, read once; every grouping of them adds up to the same total."""

    since: date
    until: date
    lines: list[Line]
    usage: list[dict[str, Any]]
    names: Names

    def only(self, filters: Filters) -> SpendData:
        """Keep the lines and the usage that pass the filters."""
        if filters == Filters():
            return self
        lines = [line for line in self.lines if filters.hold(line.provider, line.attribution)]
        return replace(
            self, lines=lines, usage=[r for r in self.usage if filters.hold(r["provider"], attribution_of(r))]
        )

    def by(self, group_by: GroupBy) -> Spend:
        provenance = dict.fromkeys(Provenance.values, ZERO)
        for line in self.lines:
            provenance[line.provenance] += line.amount
        return Spend(
            since=self.since,
            until=self.until,
            total=sum(provenance.values(), ZERO),
            provenance=provenance,
            groups=grouped(self.lines, self.usage, group_by, self.names),
            requests=sum(row["requests"] for row in self.usage),
            unpriced_requests=sum(row["unpriced"] for row in self.usage),
            unknown_usage_requests=sum(row["unknown_usage"] for row in self.usage),
        )


ATTRIBUTION = ("application_id", "deployment_id", "task")  # what fine usage has beside its day, provider and model


def read(
    since: date,
    until: date,
    fine: bool = True,
    counting: CountedCharges | None = None,
    columns: Sequence[str] = ATTRIBUTION,
) -> SpendData:
    """Read lines and usage of a period; `fine` divides them by application, task, model and deployment.

    With fewer `columns` the database adds up what differs in the others alone, so that a page has fewer rows to go
    through; groups by a column that is left out are empty then.
    """
    usage = usage_rows(since, until, fine, columns)
    return SpendData(since, until, spend_lines(since, until, usage, fine, counting), usage, Names())


SUMS = (
    "requests",
    "unpriced",
    "unknown_usage",
    "cost",
    "cost_reports",
    "cost_mismatches",
    "reported_cost",
    "computed_cost",
)
ADDED = ", ".join(f"sum({name})::bigint AS {name}" for name in (*SUMS, *TOKEN_CLASSES) if not name.endswith("cost"))
COSTS = ", ".join(f"sum({name}) AS {name}" for name in SUMS if name.endswith("cost"))
FINEST = f"""
SELECT day, provider, model, application_id, deployment_id, task, {", ".join((*SUMS, *TOKEN_CLASSES))}
FROM traffic_usage_day WHERE day >= %s AND day < %s
"""
COARSE = f"""
SELECT {{columns}}, {ADDED}, {COSTS} FROM traffic_usage_day WHERE day >= %s AND day < %s GROUP BY {{columns}}
"""


def usage_rows(
    since: date, until: date, fine: bool = True, columns: Sequence[str] = ATTRIBUTION
) -> list[dict[str, Any]]:
    """Read usage by day, provider and model, or `fine` by these columns too, as plain rows; leased requests have no
    cost of their own."""
    if fine and columns == ATTRIBUTION:
        return sql.mappings(FINEST, (since, until))
    grouped_by = ", ".join(("day", "provider", "model", *(columns if fine else ())))
    return sql.mappings(COARSE.format(columns=grouped_by), (since, until))


def attribution_of(row: dict[str, Any]) -> Attribution:
    """Return the attribution of a usage row; a coarse row only has a model."""
    return attribution(row.get("application_id", 0), row.get("deployment_id", 0), row["model"], row.get("task", ""))


class CountedCharges(NamedTuple):
    """Charges that count, the first incomplete day of each bill, and the months that an invoice replaces."""

    charges: list[dict[str, Any]]
    complete: dict[str, date]
    invoiced: set[tuple[str, str]]

    def between(self, since: date, until: date) -> CountedCharges:
        """Keep the charges of some of the days that were read."""
        return self._replace(charges=[charge for charge in self.charges if since <= charge["day"] < until])


def spend_lines(
    since: date, until: date, usage: Sequence[dict[str, Any]], fine: bool = True, counted: CountedCharges | None = None
) -> list[Line]:
    """Every line that counts in the period; `fine` divides bills and leases by who used them.

    `counted` are the charges of these days and perhaps of more, where they were read already.
    """
    counting, complete, invoiced = counted.between(since, until) if counted else counted_charges(since, until)
    lines = [
        Line(
            row["day"], row["provider"], Provenance.MEASURED, row["cost"], attribution_of(row), category=Category.TOKENS
        )
        for row in usage
        if row["cost"] and provisional_counts(row["provider"], row["day"], complete, invoiced)
    ]
    if not fine:
        return lines + [line_of(charge, Attribution(model=charge["model"]), charge["amount"]) for charge in counting]
    lines += [share_of(row) for row in lease_shares(leased(counting))]
    return lines + divided((charge for charge in counting if charge["lease_id"] is None), usage)


def counted_charges(since: date, until: date) -> CountedCharges:
    """Read the charges that count in a period."""
    charges, complete = charge_rows(since, until), bill_days()
    invoiced = invoices_reaching(since, until)
    return CountedCharges([charge for charge in charges if counts(charge, complete, invoiced)], complete, invoiced)


def leased(charges: Iterable[dict[str, Any]]) -> set[tuple[date, str, str]]:
    """Return day, provider and provenance of every charge of a lease."""
    return {(c["day"], c["provider"], c["provenance"]) for c in charges if c["lease_id"] is not None}


CHARGES = """
SELECT day, provider, provenance, category, lease_id, invoice_month, model, application_id, task,
       sum(amount) AS amount, count(*) AS charges
FROM costs_charge WHERE day >= %s AND day < %s GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""


def charge_rows(since: date, until: date) -> list[dict[str, Any]]:
    """Read charges as plain rows; the database adds up those that are alike and counts them."""
    return sql.mappings(CHARGES, (since, until))


INVOICE_MONTHS = """
SELECT DISTINCT provider, invoice_month FROM costs_charge
WHERE (category = %s OR bill_import_id IS NOT NULL) AND invoice_month BETWEEN %s AND %s
"""


def invoices_reaching(since: date, until: date) -> set[tuple[str, str]]:
    """Provider and month of entered invoices and of bills that came as files whose month overlaps the period, wherever
    the charge itself is dated."""
    months = sql.rows(INVOICE_MONTHS, (Category.INVOICE.value, f"{since:%Y-%m}", f"{until:%Y-%m}"))
    return {(provider, month) for provider, month in months}


def provisional_counts(provider: str, day: date, complete: dict[str, date], invoiced: set[tuple[str, str]]) -> bool:
    """Return whether measured or estimated costs count for a provider and day."""
    # One source counts for a provider and day, so a complete bill or an invoice of the month replaces our own figures.
    if day < complete.get(provider, date.min):
        return False
    return not invoiced or (provider, f"{day:%Y-%m}") not in invoiced


def counts(charge: dict[str, Any], complete: dict[str, date], invoiced: set[tuple[str, str]]) -> bool:
    """Return whether a charge counts: entered ones always, billed ones once complete, others until then."""
    if charge["provenance"] == Provenance.ENTERED:
        return True
    if charge["provenance"] == Provenance.BILLED:
        return bool(charge["day"] < complete.get(charge["provider"], date.min))
    return provisional_counts(charge["provider"], charge["day"], complete, invoiced)


def line_of(charge: dict[str, Any], who: Attribution, amount: Decimal) -> Line:
    committed = charge["lease_id"] is not None or charge["provenance"] == Provenance.ENTERED
    return Line(
        charge["day"], charge["provider"], charge["provenance"], amount, who, committed, charge["category"],
        charge["lease_id"] or 0,
    )  # fmt: skip


def share_of(row: dict[str, Any]) -> Line:
    """Return a part of a lease as a line."""
    who = Attribution(row["application_id"], row["deployment_id"], row["model"], row["task"])
    # Disk and network of the lease are needed in idle hours too, so only the GPU's part is idle.
    category = IDLE if who == UNATTRIBUTED and row["category"] == Category.GPU else row["category"]
    return Line(row["day"], row["provider"], row["provenance"], row["amount"], who, True, category, row["lease_id"])


def divided(charges: Iterable[dict[str, Any]], usage: Sequence[dict[str, Any]]) -> list[Line]:
    """Divide charges that belong to no lease among those who used what they paid for."""
    charges = list(charges)
    by_bill = any(charge["provenance"] == Provenance.BILLED for charge in charges)
    measured = measured_weights(usage) if by_bill else {}
    lines: list[Line] = []
    for charge in charges:
        weights: Sequence[tuple[Attribution, Decimal | int]] = ()
        # A vendor's bill does not know our applications, so it is divided by the measured cost of its day and model.
        # Entered charges state their application themselves.
        if charge["provenance"] == Provenance.BILLED:
            weights = measured.get((charge["provider"], charge["day"], charge["model"]), ())
        shares = divide(charge["amount"], weights) or [(stated_attribution(charge), charge["amount"])]
        lines += [line_of(charge, who, share) for who, share in shares]
    return lines


def stated_attribution(charge: dict[str, Any]) -> Attribution:
    """Return the attribution that a charge itself states."""
    return Attribution(charge["application_id"] or 0, 0, charge["model"], charge["task"])


def measured_weights(usage: Iterable[dict[str, Any]]) -> dict[tuple[str, date, str], list[tuple[Attribution, Decimal]]]:
    weights: dict[tuple[str, date, str], list[tuple[Attribution, Decimal]]] = defaultdict(list)
    for row in usage:
        if row["cost"] > 0:
            weights[row["provider"], row["day"], row["model"]].append((attribution_of(row), row["cost"]))
    return weights


def grouped(lines: Iterable[Line], usage: Iterable[dict[str, Any]], group_by: GroupBy, names: Names) -> list[Group]:
    """Groups in descending order of amount (days and months in theirs); amounts without a key stand last."""
    groups: dict[str | None, Group] = {}
    for line in lines:
        key = key_of(line.day, line.provider, line.provenance, line.attribution, group_by, names, line.category)
        (groups.get(key) or _new(groups, key)).add(line.provenance, line.amount)
    # Requests are counted from the usage, as those without a cost have no line. It has no provenance and no category.
    if group_by not in ("provenance", "category"):
        for row in usage:
            key = key_of(row["day"], row["provider"], "", attribution_of(row), group_by, names)
            group = groups.get(key) or _new(groups, key)
            group.requests += row["requests"]
            group.unpriced += row["unpriced"]
    if group_by in ("day", "month"):
        return sorted(groups.values(), key=lambda group: group.key or "")
    return sorted(groups.values(), key=lambda group: (group.key is None, -group.amount, group.key or ""))


def _new(groups: dict[str | None, Group], key: str | None) -> Group:
    groups[key] = group = Group(key)
    return group


class Names:
    """Slugs of applications and deployments; each kind is read on first use."""

    @cached_property
    def applications(self) -> dict[int, str]:
        return dict(Application.objects.values_list("pk", "slug"))

    @cached_property
    def owners(self) -> dict[int, str]:
        """User names of those who own an application, by its id."""
        owned = Application.objects.exclude(owner=None)
        return dict(owned.values_list("pk", "owner__username"))

    @cached_property
    def deployments(self) -> dict[int, str]:
        return dict(Deployment.objects.values_list("pk", "slug"))


def key_of(
    day: date, provider: str, provenance: str, who: Attribution, group_by: GroupBy, names: Names, category: str = ""
) -> str | None:
    match group_by:
        case "provider":
            return provider
        case "provenance":
            return provenance
        case "day":
            return day.isoformat()
        case "month":
            return f"{day:%Y-%m}"
        case "model":
            return who.model or None
        case "task":
            return who.task or None
        case "category":
            return category or None
        case "application":
            return names.applications.get(who.application_id)
        case "owner":
            return names.owners.get(who.application_id)
        case "deployment":
            return names.deployments.get(who.deployment_id)


ANYTHING_SPENT = """
SELECT EXISTS (SELECT 1 FROM costs_charge WHERE day >= %(since)s AND day < %(until)s)
    OR EXISTS (SELECT 1 FROM traffic_usage_day WHERE day >= %(since)s AND day < %(until)s)
"""


def anything_spent(since: date, until: date) -> bool:
    """Whether these days have a charge or a request."""
    [(exists,)] = sql.rows(ANYTHING_SPENT, {"since": since, "until": until})
    return bool(exists)


def daily(since: date, until: date) -> dict[date, Decimal]:
    """Return the spend of each day; days without spend are included as zero."""
    groups = spend(since, until, "day").groups
    amounts = {date.fromisoformat(group.key or ""): group.amount for group in groups}
    return {
        since + timedelta(days=n): amounts.get(since + timedelta(days=n), ZERO) for n in range((until - since).days)
    }
