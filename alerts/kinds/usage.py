"""Rules about the requests themselves."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.figures import Figures, Unpriced
from alerts.kinds.finding import Asked, Finding, Words
from alerts.wording import day, number


def unpriced(figures: Figures, asked: Asked, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each model that no price is known for; over when it is repriced, or was not used for 30 days."""
    fewest = int(asked.one("requests"))
    found = {subject_of(row): row for row in figures.unpriced}
    for subject, row in found.items():
        yield without_price(subject, row, fewest)
    for subject in live - found.keys():
        model = subject.removeprefix("model:").partition("/")[2]
        yield Finding(
            subject=subject,
            title=_("Priced: %(model)s, 0 requests of unknown cost are left") % {"model": model},
            crossed=False,
            clear=True,
            value="0",
            words=Words(todo=_("Nothing to do; every request of the last 30 days has its cost."), page="/spend/"),
        )


def subject_of(row: Unpriced) -> str:
    return f"model:{row.provider}/{row.model}"[:200]


def without_price(subject: str, row: Unpriced, fewest: int) -> Finding:
    requests = ngettext("%(n)s request", "%(n)s requests", row.requests) % {"n": number(row.requests)}
    return Finding(
        subject=subject,
        title=_("No price: %(model)s, %(requests)s of unknown cost") % {"model": row.model, "requests": requests},
        crossed=row.requests >= fewest,
        clear=row.requests < fewest,
        value=str(row.requests),
        threshold=str(fewest),
        words=Words(
            todo=_("Enter a price for %(model)s under Settings, Prices, or map it to a known model; then reprice.")
            % {"model": row.model},
            detail=_("Until then its requests count as unknown, not as free: spend and budgets say “at least”."),
            facts=[
                [_("Model"), row.model, _("as the caller named it")],
                [_("Provider"), row.provider, ""],
                [_("Requests without a cost"), number(row.requests), _("last 30 days")],
                [_("Tokens in them"), number(row.tokens), _("measured")],
                [_("Seen"), _("%(first)s to %(last)s") % {"first": day(row.first), "last": day(row.last)}, _("UTC")],
            ],
            page="/spend/",
        ),
    )
