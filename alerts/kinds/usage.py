"""Rules about the requests themselves."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.figures import Figures
from alerts.kinds.finding import Asked, Finding, Words
from alerts.wording import day, listed, number, percent
from traffic.price_effect import Waiting

FIXES = 5  # links to price forms, of a model that more providers serve


def unpriced(figures: Figures, asked: Asked, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each model name that no price is known for, whoever serves it; over when it is repriced, or was
    not used for 30 days."""
    fewest = int(asked.one("requests"))
    found: dict[str, list[Waiting]] = {}
    for row in figures.unpriced:
        found.setdefault(subject_of(row), []).append(row)
    for subject, rows in found.items():
        yield without_price(figures, subject, rows, fewest)
    for subject in live - found.keys():
        yield Finding(
            subject=subject,
            title=_("Priced: %(model)s, 0 requests of unknown cost are left") % {"model": subject.partition(":")[2]},
            crossed=False,
            clear=True,
            value="0",
            words=Words(todo=_("Nothing to do; every request of the last 30 days has its cost."), page="/spend/"),
        )


def name_of(row: Waiting) -> str:
    """The model as its caller named it, without the white space that would make two of one name."""
    return " ".join(row.model.split()) or _("(no name)")


def subject_of(row: Waiting) -> str:
    return f"model:{name_of(row)}"[:200]


def without_price(figures: Figures, subject: str, rows: list[Waiting], fewest: int) -> Finding:
    model, n = name_of(rows[0]), sum(row.requests for row in rows)
    providers = sorted({row.provider for row in rows})
    requests = ngettext("%(n)s request", "%(n)s requests", n) % {"n": number(n)}
    return Finding(
        subject=subject,
        title=_("No price: %(model)s, %(requests)s of unknown cost") % {"model": model, "requests": requests},
        crossed=n >= fewest,
        clear=n < fewest,
        value=str(n),
        threshold=str(fewest),
        words=Words(
            todo=_("Enter a price for %(model)s under Settings, Prices, or map it to a known model; then reprice.")
            % {"model": model},
            detail=_("Until then its requests count as unknown, not as free: spend and budgets say “at least”."),
            facts=facts_of(model, rows, providers, n),
            drivers=senders(figures, rows),
            driven=_("Who sends them, last 30 days"),
            page="/spend/",
            fixes=fixes_of(rows),
            providers=providers,
        ),
    )


def senders(figures: Figures, rows: list[Waiting], most: int = 3) -> list[list[str]]:
    """The applications with most requests of unknown cost: name, requests, share."""
    found = figures.requests_by_application(model__in={row.model for row in rows}, unpriced__gt=0)
    total = sum(unpriced for _slug, _n, unpriced in found)
    found.sort(key=lambda row: -row[2])
    return [
        [slug or _("(no name)"), number(unpriced), percent(unpriced / total)] for slug, _n, unpriced in found[:most]
    ]


def facts_of(model: str, rows: list[Waiting], providers: list[str], n: int) -> list[list[str]]:
    first, last = min(row.first for row in rows), max(row.last for row in rows)
    return [
        [_("Model"), model, _("as the caller named it")],
        [_("Provider"), listed(providers), ""],
        [_("Requests without a cost"), number(n), _("last 30 days")],
        [_("Tokens in them"), number(sum(row.tokens for row in rows)), _("measured")],
        [_("Seen"), _("%(first)s to %(last)s") % {"first": day(first), "last": day(last)}, _("UTC")],
    ]


def fixes_of(rows: list[Waiting]) -> list[list[str]]:
    """The price form of each provider, most requests first."""
    address = reverse("traffic:prices")
    wanted = list(dict.fromkeys((row.provider, row.model.strip()) for row in rows if row.model.strip()))
    return [
        [
            _("Enter its price at %(provider)s") % {"provider": provider},
            f"{address}?{urlencode({'provider': provider, 'model': model})}",
        ]
        for provider, model in wanted[:FIXES]
    ]
