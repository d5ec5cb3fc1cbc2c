"""Names figures that mean the same and differ between pages and mails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain

from django.contrib.auth.models import User

from alerts.evaluation.open_mails import open_mails
from dashboard.page_audit.crawl import OF_ONE_VIEW, frozen, pages
from dashboard.page_audit.marks import marked

Meaning = tuple[str, str, str]
Values = dict[str, list[str]]  # the places that show a value, by the value


class Figures:
    """What places show, by meaning."""

    def __init__(self) -> None:
        self.values: dict[Meaning, Values] = {}
        self.places = 0
        self.broken: list[str] = []  # places that could not be rendered, or whose text is not its figure

    def add(self, place: str, html: str) -> None:
        self.places += 1
        for row in marked(html):
            if row.wrong:
                name, text = " ".join(filter(None, row.meaning)), " ".join(row.text.split())
                self.broken.append(f"{place} shows “{text}” for {name}, which is {row.value}")
            places = self.values.setdefault(row.meaning, {}).setdefault(row.value, [])
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
    """Render every page, digest and mail of an open alert as `user` would get it at the moment `at`."""
    with frozen(at):
        return collect(chain(pages(user, of_one_view), mails(user, at)))


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
