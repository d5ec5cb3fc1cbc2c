"""Rules about the requests themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import day, listed, number, percent
from providers.pricing.book import OTHER_MODEL
from traffic.repricing.effect import Waiting

FIXES = 5  # links to price forms, of a model that more providers serve
MOST_APART = 20  # models with an alert of their own; callers name them, so what is beyond speaks in one
CROWD = "models:more"
SHOWN = 60  # characters of a name where several stand in a line


def unpriced(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each model name that no price is known for, whoever serves it; over when it is repriced, or was
    not used for 30 days. Of many names the most used have their own, and all others one together."""
    fewest = int(params.number("requests"))
    by_subject: dict[str, list[Waiting]] = {}
    for row in context.unpriced:
        by_subject.setdefault(subject_of(row), []).append(row)
    apart = told_apart(by_subject, live)
    crowd = [row for subject, rows in by_subject.items() if subject not in apart for row in rows]
    users = Users.of(context, [row.model for subject in apart for row in by_subject[subject]])
    for subject in apart:
        yield without_price(users, subject, by_subject[subject], fewest)
    if crowd:
        yield many_without_price(users, crowd, fewest)
    for subject in live - by_subject.keys():
        if subject != CROWD:
            yield priced(subject)


def told_apart(by_subject: Mapping[str, list[Waiting]], live: frozenset[str]) -> list[str]:
    """Subjects that have an alert already, then those with most requests, `MOST_APART` at most."""
    own = [subject for subject, rows in by_subject.items() if rows[0].model != OTHER_MODEL]
    shown = sorted(own, key=lambda subject: subject not in live)[:MOST_APART]
    return [subject for subject in own if subject in set(shown)]


def priced(subject: str) -> Finding:
    return Finding(
        subject=subject,
        title=_("Priced: %(model)s, 0 requests of unknown cost left") % {"model": subject.partition(":")[2]},
        crossed=False,
        clear=True,
        value="0",
        words=Words(todo=_("No action needed. Every request of the last 30 days has a cost."), page="/spend/"),
    )


def name_of(row: Waiting) -> str:
    """The model as its caller named it, without the white space that would make two of one name."""
    return " ".join(row.model.split()) or _("(no name)")


def subject_of(row: Waiting) -> str:
    return f"model:{name_of(row)}"[:200]


def without_price(users: Users, subject: str, rows: list[Waiting], fewest: int) -> Finding:
    model, n = name_of(rows[0]), requests_of(rows)
    providers = sorted({row.provider for row in rows})
    return Finding(
        subject=subject,
        title=_("No price: %(model)s, %(requests)s of unknown cost") % {"model": model, "requests": counted(n)},
        crossed=n >= fewest,
        clear=n < fewest,
        value=str(n),
        threshold=str(fewest),
        words=Words(
            todo=_("Enter a price for %(model)s under Set up, Prices, or map it to a known model. Then re-price.")
            % {"model": model},
            detail=_("Until then its requests count as unknown, not as free. Spend and budgets show “at least”."),
            facts=facts_of(model, rows, providers, n),
            drivers=users.most({row.model for row in rows}),
            driven=_("Applications that send them, last 30 days"),
            page="/spend/",
            fixes=fixes_of(rows),
            providers=providers,
        ),
    )


def many_without_price(users: Users, rows: list[Waiting], fewest: int) -> Finding:
    """The models that have no alert of their own, in one."""
    names = list(dict.fromkeys(name_of(row)[:SHOWN] for row in rows))
    n, providers = requests_of(rows), sorted({row.provider for row in rows})
    return Finding(
        subject=CROWD,
        title=_("No price: %(models)s, %(requests)s of unknown cost")
        % {"models": listed(names, 4), "requests": counted(n)},
        crossed=n >= fewest,
        clear=n < fewest,
        value=str(n),
        threshold=str(fewest),
        words=Words(
            todo=_("Check which application sends these names, then enter the prices of real models and re-price."),
            detail=_("Until then their requests count as unknown, not as free. Spend and budgets show “at least”."),
            facts=facts_of(listed(names, 10), rows, providers[:FIXES], n),
            drivers=users.most(None),
            driven=_("Applications that send them, last 30 days"),
            page="/settings/prices/",
            providers=providers[:MOST_APART],
        ),
    )


def requests_of(rows: Iterable[Waiting]) -> int:
    return sum(row.requests for row in rows)


def counted(n: int) -> str:
    return ngettext("%(n)s request", "%(n)s requests", n) % {"n": number(n)}


@dataclass(frozen=True, slots=True)
class Users:
    """Requests of unknown cost by application, of models that are told apart; None: of all others together."""

    by_model: Mapping[str | None, Mapping[str, int]]

    @classmethod
    def of(cls, context: EvaluationContext, models: Iterable[str]) -> Users:
        by_model: dict[str | None, dict[str, int]] = {}
        for model, application, n in context.unpriced_by_application(models):
            by_model.setdefault(model, {})[application] = n
        return cls(by_model)

    def most(self, models: Iterable[str] | None, most: int = 3) -> list[list[str]]:
        """The applications with most of them: name, requests, share."""
        sums: Counter[str] = Counter()
        for model in [None] if models is None else models:
            sums.update(self.by_model.get(model, {}))
        total = sums.total()
        return [[name or _("(no name)"), number(n), percent(n / total)] for name, n in sums.most_common(most)]


def facts_of(model: str, rows: list[Waiting], providers: list[str], n: int) -> list[list[str]]:
    first, last = min(row.first for row in rows), max(row.last for row in rows)
    return [
        [_("Model"), model, _("as named in the request")],
        [_("Provider"), listed(providers), ""],
        [_("Requests without a cost"), number(n), _("last 30 days")],
        [_("Tokens in them"), number(sum(row.tokens for row in rows)), _("measured")],
        [_("Seen"), _("%(first)s to %(last)s") % {"first": day(first), "last": day(last)}, _("UTC")],
    ]


def fixes_of(rows: list[Waiting]) -> list[list[str]]:
    """The price form of each provider, most requests first."""
    address = reverse("traffic:prices")
    pairs = list(dict.fromkeys((row.provider, row.model.strip()) for row in rows if row.model.strip()))
    return [
        [
            _("Enter its price at %(provider)s") % {"provider": provider},
            f"{address}?{urlencode({'provider': provider, 'model': model})}",
        ]
        for provider, model in pairs[:FIXES]
    ]
