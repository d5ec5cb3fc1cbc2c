"""What a month cost each application or each owner: statements that add up to the ledger to the cent.

Every line of the month stands on exactly one statement. What is nobody's (idle machines, entered charges of no
application, what neither bill nor log tells) has a statement of its own, line by line, and is never spread. Cents are
handed out twice by largest remainder: the month's total among the statements, each statement's among its lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Any, Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.allocation.queries import Line, read
from costs.finality import final_on
from costs.labels import category_name
from costs.ledger.closed_months import closed_on
from costs.models import Provenance
from lib import formats
from lib.allocation import in_cents
from lib.formats import AT_LEAST, at_least_dollars, count, figure, person, sentences, state, usd
from lib.money import CENT, ZERO
from lib.paging import Sorts
from lib.periods import next_month
from providers.models import provider_name
from traffic.models import Application

By = Literal["application", "owner"]
NOBODY = "~nobody"  # what belongs to no application; no slug and no user name begins so
OWNERLESS = "~ownerless"  # applications without an owner
WHY_IDLE, WHY_ENTERED, WHY_UNTOLD = "idle", "entered", "untold"


@dataclass(frozen=True, slots=True)
class RowKey:
    """What lines are added up by on a statement; `why` says why a line is nobody's."""

    application: str
    provider: str
    category: str
    model: str
    why: str = ""


@dataclass
class StatementLine:
    """One line of a statement: exact USD, and whole cents as stated."""

    key: RowKey
    exact: Decimal = ZERO
    cents: Decimal = ZERO
    provenance: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    @property
    def category_name(self) -> str:
        return category_name(self.key.category)

    @property
    def provider_name(self) -> str:
        return provider_name(self.key.provider)

    @property
    def why(self) -> str:
        return {
            WHY_IDLE: _("idle GPU hours"),
            WHY_ENTERED: _("manual entries without an application"),
            WHY_UNTOLD: _("neither in bill nor log"),
        }.get(self.key.why, "")


@dataclass
class Statement:
    """What one application or owner has to carry."""

    key: str
    name: str
    rows: list[StatementLine] = field(default_factory=list)
    requests: int = 0
    unpriced_of: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # requests without a price, by slug
    total: Decimal = ZERO  # whole cents
    names: Mapping[str, str] = field(default_factory=dict)  # of applications, by slug

    @property
    def unpriced(self) -> int:
        return sum(self.unpriced_of.values())

    @property
    def exact(self) -> Decimal:
        return sum((row.exact for row in self.rows), ZERO)

    @property
    def total_words(self) -> str:
        """The total as every page, file and mail states it."""
        return at_least_dollars(self.total, self.unpriced)

    @property
    def has_name(self) -> bool:
        return self.key != NOBODY

    @property
    def applications(self) -> list[str]:
        return sorted({row.key.application for row in self.rows if row.key.application})

    @property
    def idle(self) -> Decimal:
        return sum((row.cents for row in self.rows if row.key.why == WHY_IDLE), ZERO)

    def parts_text(self) -> str:
        """The applications of an owner; of what is nobody's, how much of it machines without a request cost."""
        if self.has_name:
            return ", ".join(self.names.get(slug, slug) for slug in self.applications)
        return _("of which idle GPUs %(idle)s") % {"idle": usd(self.idle)}

    @property
    def provenance(self) -> dict[str, Decimal]:
        amounts: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for row in self.rows:
            for name, amount in row.provenance.items():
                amounts[name] += amount
        return dict(amounts)


# What the page of a month's statements can be sorted by; no requests stand there as none.
SORTS: Sorts = {
    "name": lambda statement: statement.name,
    "requests": lambda statement: statement.requests or None,
    "lines": lambda statement: len(statement.rows),
    "total": lambda statement: statement.total,
    "source": lambda statement: max(statement.provenance.items(), key=lambda item: item[1], default=("",))[0],
}


@dataclass(frozen=True)
class Statements:
    """All statements of a month, or those of one person: then nothing here tells of the others."""

    month: date
    by: By
    today: date
    statements: list[Statement]
    providers: frozenset[str]
    names: Mapping[str, str]  # of applications, by slug
    closed: Mapping[str, date]  # when an invoice closed the month of a provider
    whole: bool = True

    @property
    def exact(self) -> Decimal:
        """Of all statements the ledger's total."""
        return sum((statement.exact for statement in self.statements), ZERO)

    @property
    def total(self) -> Decimal:
        """In whole cents; of all statements the ledger's total, rounded."""
        return sum((statement.total for statement in self.statements), ZERO)

    @property
    def total_words(self) -> str:
        return at_least_dollars(self.total, self.unpriced)

    def of_owner(self, user: AbstractBaseUser | AnonymousUser) -> Statements:
        """What is this person's own, as it stands among all of them: every cent is where it is for whoever sees all."""
        if self.by == "owner":
            mine = {user.get_username()}
        else:
            mine = set(Application.objects.filter(owner=user.pk).values_list("slug", flat=True))
        owned = [statement for statement in self.statements if statement.key in mine]
        slugs = {slug for statement in owned for slug in statement.applications}
        names = {slug: name for slug, name in self.names.items() if slug in slugs}
        return replace(self, statements=owned, names=names, whole=False)

    def of(self, slug: str) -> Statements:
        """What is one application's own, as it stands among all of them."""
        chosen = [statement for statement in self.statements if statement.key == slug]
        providers = frozenset(row.key.provider for statement in chosen for row in statement.rows)
        names = {name: title for name, title in self.names.items() if name == slug}
        return replace(self, statements=chosen, names=names, providers=providers, whole=False)

    @property
    def until(self) -> date:
        return next_month(self.month)

    @property
    def running(self) -> bool:
        return self.today < self.until

    @property
    def final_on(self) -> date:
        """When the last provider of the month no longer revises it, or its invoice closed the month."""
        days = (self.closed.get(provider) or final_on(provider, self.until) for provider in self.providers)
        return max(days, default=self.until)

    @property
    def final(self) -> bool:
        return self.today >= self.final_on

    @property
    def state(self) -> str:
        return "running" if self.running else "final" if self.final else "open"

    def state_mark(self) -> SafeString:
        """Whether the month may still change, and until when."""
        if self.state == "final":
            return state("ok", _("final"))
        mark = state("info", _("open")) if self.state == "open" else state("warn", _("the month is not over"))
        return sentences(mark, _("final on %(day)s") % {"day": date_format(self.final_on, "j F Y")})

    def headline(self) -> str:
        """What the month cost whom; for a person who sees no figures, what their own applications cost."""
        if not self.statements:
            text = _("No spend in {month}, so there are no statements.")
            if not self.whole:
                text = _("Your applications have no costs in {month}.")
        elif not self.whole:
            text = _("Your applications cost <b>{total}</b> in {month}.")
        else:
            text = _("<b>{total}</b> in {month}")
            if self.running:
                text = _("<b>{total}</b> in {month} so far")
            if self.named:
                text += _(", mostly {name}")
            if self.nobody:
                text += _(", <b>{rest}</b> unallocated")
            text += "."
        first = self.named[0] if self.named else None
        return format_html(
            text,
            month=formats.month(self.month),
            total=figure(self.total_words, "spend", self.total, self.month) if self.whole else self.total_words,
            most=first.total_words if first else "",
            name=first.name if first else "",
            rest=self.words_of(self.nobody) if self.nobody else "",
        )

    def total_headline(self) -> str:
        if not self.whole:
            return _("Total %(sum)s") % {"sum": self.total_words}
        return _("Total %(sum)s (matches the ledger)") % {"sum": self.total_words}

    def headline_of(self, statement: Statement) -> str:
        """What one statement comes to, and for how many requests."""
        text = _("{name}: <b>{sum}</b> in {month}")
        if self.whole:
            text = _("{name}: <b>{sum}</b> of {month}’s {total}")
        if statement.requests:
            text += ngettext(", for <b>{requests}</b> request", ", for <b>{requests}</b> requests", statement.requests)
        return format_html(
            text + ".",
            name=statement.name,
            sum=self.words_of(statement),
            month=formats.month(self.month),
            total=self.total_words,
            requests=count(statement.requests),
        )

    def words_of(self, statement: Statement) -> str:
        """A statement's total; what is charged to nobody is marked with what it means."""
        if statement.has_name:
            return statement.total_words
        return figure(statement.total_words, "unallocated", statement.total, self.month, self.by)

    @property
    def unpriced(self) -> int:
        return sum(statement.unpriced for statement in self.statements)

    @property
    def named(self) -> list[Statement]:
        return [statement for statement in self.statements if statement.has_name]

    @cached_property
    def nobody(self) -> Statement | None:
        return self.get(NOBODY)

    def get(self, key: str) -> Statement | None:
        return next((statement for statement in self.statements if statement.key == key), None)


def statements(month: date, by: By, today: date) -> Statements:
    """Of the month that begins on `month`; one that runs holds what is known so far."""
    data = read(month, next_month(month))
    applications = list(Application.objects.select_related("owner"))
    books = StatementBuilder(by, applications)
    for line in data.lines:
        books.add(line)
    books.count(data.usage)
    month_statements = Statements(
        month=month,
        by=by,
        today=today,
        statements=books.in_order(),
        providers=frozenset(line.provider for line in data.lines),
        names={application.slug: application.name for application in applications},
        closed=closed_on(month),
    )
    for statement in month_statements.statements:
        statement.names = month_statements.names
    state_cents(month_statements)
    return month_statements


class StatementBuilder:
    """Adds lines and usage up to statements."""

    def __init__(self, by: By, applications: Iterable[Application]) -> None:
        self.by = by
        self.applications = {application.pk: application for application in applications}
        self.rows: dict[str, dict[RowKey, StatementLine]] = defaultdict(dict)
        self.by_key: dict[str, Statement] = {}
        self.of_application: dict[int, Statement] = {}  # lines are many, applications few

    def statement(self, application_id: int) -> Statement:
        if application_id not in self.of_application:
            key, name = self.whose(self.applications.get(application_id))
            self.of_application[application_id] = self.by_key.setdefault(key, Statement(key, name))
        return self.of_application[application_id]

    def whose(self, application: Application | None) -> tuple[str, str]:
        if application is None:
            return NOBODY, _("Unallocated")
        if self.by == "application":
            return application.slug, application.name
        if application.owner is None:
            return OWNERLESS, _("Applications without an owner")
        return application.owner.username, person(application.owner)

    def add(self, line: Line) -> None:
        statement = self.statement(line.attribution.application_id)
        application = self.applications.get(line.attribution.application_id)
        key = RowKey(
            application.slug if application else "", line.provider, line.category, line.attribution.model,
            "" if application else why(line),
        )  # fmt: skip
        rows = self.rows[statement.key]
        row = rows.get(key) or rows.setdefault(key, StatementLine(key))
        row.exact += line.amount
        row.provenance[line.provenance] += line.amount

    def count(self, usage: Iterable[Mapping[str, Any]]) -> None:
        for used in usage:
            statement = self.statement(used["application_id"])
            statement.requests += used["requests"]
            application = self.applications.get(used["application_id"])
            statement.unpriced_of[application.slug if application else ""] += used["unpriced"]

    def in_order(self) -> list[Statement]:
        """The dearest first, what is nobody's last."""
        for key, statement in self.by_key.items():
            rows = [row for row in self.rows[key].values() if row.exact]
            statement.rows = sorted(rows, key=lambda row: (row.key.application, -row.exact, row.key.category))
        with_rows = [group for group in self.by_key.values() if group.rows or group.requests]
        return sorted(with_rows, key=lambda group: (not group.has_name, -group.exact, group.key))


def why(line: Line) -> str:
    """Why a line is nobody's."""
    if line.provenance == Provenance.ENTERED:
        return WHY_ENTERED
    return WHY_IDLE if line.idle else WHY_UNTOLD


def state_cents(month_statements: Statements) -> None:
    ledger = month_statements.exact.quantize(CENT, rounding=ROUND_HALF_EVEN)
    totals = in_cents({statement.key: statement.exact for statement in month_statements.statements}, ledger)
    for statement in month_statements.statements:
        statement.total = totals[statement.key]
        cents = in_cents({row.key: row.exact for row in statement.rows}, statement.total)
        for row in statement.rows:
            row.cents = cents[row.key]


COLUMNS = (
    "month", "state", "final_on", "statement", "name", "application", "provider", "category", "model", "not_allocated",
    "amount_usd", "exact_usd", "at_least",
)  # fmt: skip


def csv_rows(month_statements: Statements, chosen: Iterable[Statement]) -> Iterable[tuple[Any, ...]]:
    """One row for each line, a header first; the amounts in cents add up to the statements.

    `at_least` is ≥ where the statement has requests without a price; one that has nothing else has a row of 0.
    """
    yield COLUMNS
    head = (f"{month_statements.month:%Y-%m}", month_statements.state, month_statements.final_on.isoformat())
    for statement in chosen:
        least = AT_LEAST if statement.unpriced else ""
        if least and not statement.rows:
            yield *head, statement.key, statement.name, *[""] * 5, "0.00", "0", least
        for row in statement.rows:
            key = row.key
            yield (
                *head, statement.key, statement.name, key.application, key.provider, key.category, key.model, key.why,
                f"{row.cents:f}", f"{row.exact:f}", least,
            )  # fmt: skip
