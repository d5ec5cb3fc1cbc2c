"""Names figures that mean the same and differ between pages and mails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache
from itertools import chain

from django.contrib.auth.models import User

from alerts.digests.mail import bodies, context_of
from alerts.evaluation.open_mails import open_mails
from alerts.models import Report
from costs.ledger.posting import state_of_days
from dashboard.page_audit.crawl import OF_ONE_VIEW, frozen, pages
from dashboard.page_audit.marks import marked

Meaning = tuple[str, str, str]
Values = dict[str, list[str]]  # the places that show a value, by the value

MOST_DIGESTS = 100


class Figures:
    """What places show, by meaning."""

    def __init__(self) -> None:
        self.values: dict[Meaning, Values] = {}
        self.places = 0
        self.broken: list[str] = []  # places that could not be rendered, or whose text is not its figure

    def add(self, place: str, html: str, moment: str = "", of_now: frozenset[str] = frozenset()) -> None:
        """Take the figures of a page, or those of an earlier `moment`: they are compared with one another, and only
        `of_now` with those of pages."""
        self.places += 1
        for row in marked(html):
            if row.wrong:
                name, text = " ".join(filter(None, row.meaning)), " ".join(row.text.split())
                self.broken.append(f"{place} shows “{text}” for {name}, which is {row.value}")
            name, period, scope = row.meaning
            at = f"{scope} as of {moment}".lstrip() if moment and name not in of_now else scope
            places = self.values.setdefault((name, period, at), {}).setdefault(row.value, [])
            if place not in places:
                places.append(place)

    @property
    def compared(self) -> int:
        """Meanings that more than one place shows."""
        return sum(
            len({place for places in values.values() for place in places}) > 1 for values in self.values.values()
        )

    def differences(self) -> Iterator[str]:
        """A line for each meaning that has two values."""
        yield from self.broken
        for meaning, values in sorted(self.values.items()):
            if len(values) > 1:
                words = "; ".join(f"{value} on {', '.join(places[:3])}" for value, places in sorted(values.items()))
                yield f"{' '.join(part for part in meaning if part)}: {words}"


def read(user: User, at: datetime, of_one_view: int = OF_ONE_VIEW) -> Figures:
    """Render every page, digest and mail of an open alert as `user` would get it at the moment `at`, and the digests
    that were sent."""
    with frozen(at):
        figures = collect(chain(pages(user, of_one_view), mails(user, at)))
        add_digests(figures, at)
    return figures


def add_digests(figures: Figures, at: datetime) -> None:
    """Take the figures of the newest digests as they were written; what they say of the spend is what pages say now,
    where the ledger of its days is as it was then."""
    state = lru_cache(state_of_days)
    for report in Report.objects.filter(created_at__lte=at).order_by("-pk")[:MOST_DIGESTS]:
        since, until, before = report.words.get("ledger") or ("", "", "")
        unchanged = bool(before) and state(date.fromisoformat(since), date.fromisoformat(until)) == before
        words = report.words | {"points": []}  # its chart has no marks
        _text, html = bodies(context_of(report.kind, words, report.created_at, ""))
        place = f"{report.kind} digest {report.pk}"
        figures.add(place, html, f"{report.created_at:%Y-%m-%d %H:%M:%S}", frozenset({"spend"} if unchanged else ()))


def mails(user: User, at: datetime) -> Iterator[tuple[str, int, str]]:
    """Address, status and HTML of the mail that each open alert would send."""
    for alert, html in open_mails(user, at):
        yield f"{alert.get_absolute_url()} (mail)", 200, html


def collect(rendered: Iterable[tuple[str, int, str]]) -> Figures:
    figures = Figures()
    for address, status, html in rendered:
        if status >= 500:
            figures.broken.append(f"{address} answered {status}")
        figures.add(address, html)
    return figures
