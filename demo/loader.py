"""The history of the demo company, sent in by the front door: newest day first, two days at a time, resumable."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from dashboard.http.demo_progress import PROGRESS
from demo.bills import ClaudeBill, iso_milliseconds
from demo.client import Client, Halted
from demo.company import APPLICATIONS
from demo.files import LoadState, write_json
from demo.opinions import with_text
from demo.story import Story
from demo.traffic import Day, Row, Traffic

IN_FLIGHT = 2
TEXT_DAYS = 45  # older requests have lost their texts, which are not kept as long


class Loader:
    """Sends whole days. `now` fixes what today is, and up to when its rows are sent."""

    def __init__(
        self, traffic: Traffic, client: Client, state: LoadState, key: str, now: datetime, progress: Progress
    ) -> None:
        self.traffic = traffic
        self.client = client
        self.state = state
        self.key = key
        self.now = now
        self.progress = progress

    def load(self, days: Iterable[date]) -> None:
        """Send the days in this order, those that have arrived before left out. Raises Halted, DemoError."""
        missing = [day for day in days if day not in self.state.done]
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="load") as pool:
            try:
                for _ in pool.map(self._load, missing):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _load(self, day: date) -> None:
        if self.client.stop.is_set():
            raise Halted
        made = self.traffic.day(day)
        texts = (self.now.date() - day).days <= TEXT_DAYS
        self.client.send_requests([with_text(row) for row in made.rows] if texts else made.rows, self.key)
        if not self.state.billed:
            send_bill(self.client, [made])
        self.state.add_day(day, len(made.rows))
        self.progress.tell(day)


def send_bill(client: Client, days: Iterable[Day], until: datetime | None = None) -> None:
    """The vendor's bill of whole days, but for what comes after `until`."""
    bill = ClaudeBill()
    for day in days:
        bill.add(day, until)
    client.put_state("anthropic", bill.state())


def rows_between(rows: Iterable[Row], after: datetime | None, until: datetime) -> list[Row]:
    """Rows of a day that started after one moment and not after the other."""
    first, last = "" if after is None else iso_milliseconds(after), iso_milliseconds(until)
    return [row for row in rows if first < row["started_at"] <= last]


def days_back(last: date, first: date) -> Iterator[date]:
    """From `last` back to `first`, both included."""
    day = last
    while day >= first:
        yield day
        day -= timedelta(days=1)


class Progress:
    """How much of the history has arrived, in a file that the pages read: `done_rows`, `total_rows`, `month`."""

    def __init__(
        self, directory: Path, story: Story, state: LoadState, now: datetime, say: Callable[[str], None]
    ) -> None:
        self._path = directory / PROGRESS
        self._state = state
        self._say = say
        self._told: date | None = None
        self._total = expected_rows(story, now)

    def tell(self, day: date) -> None:
        """A day has arrived."""
        month = day.replace(day=1)
        if self._told is None or month < self._told:  # two days at a time: one of the month before may come first
            self._told = month
            self._say(f"loading {calendar.month_name[month.month]} {month.year}: {self._state.rows:,} requests so far")
        self._write(max(self._total, self._state.rows), f"{day:%Y-%m}")

    def finish(self) -> None:
        """All of it has arrived."""
        self._write(self._state.rows, None)
        self._say(f"the history is loaded: {self._state.rows:,} requests")

    def _write(self, total: int, month: str | None) -> None:
        write_json(self._path, {"done_rows": self._state.rows, "total_rows": total, "month": month})


def expected_rows(story: Story, now: datetime) -> int:
    """How many requests the history has, before chance (which moves a month by about one per cent)."""
    today = now.astimezone(UTC).date()
    of_day = (now - datetime(today.year, today.month, today.day, tzinfo=UTC)) / timedelta(days=1)
    whole = sum(_requests(story, day) for day in days_back(today - timedelta(days=1), story.first_day))
    return round(whole + _requests(story, today) * of_day)


def _requests(story: Story, day: date) -> float:
    return sum(story.requests(application, day) for application in APPLICATIONS)
