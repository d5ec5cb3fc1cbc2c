"""After the history: the company goes on at its own pace, each application with its own key, a part of it for real.

Rows are those of the generator, sent when their moment has come. A part of what mistral-7b would answer goes through
the gateway to the real engine instead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

import httpx

from demo import bills
from demo.client import Client, DemoError
from demo.files import Credentials, LoadState
from demo.loader import rows_between, send_bill
from demo.opinions import luck, opinions, texts, with_text
from demo.story import DAY, moment
from demo.traffic import Day, Row, Traffic

logger = logging.getLogger(__name__)

EVERY_S = 2.0
BILLS_EVERY_S = 240.0
REAL_EVERY_S = 20.0
REAL_TASKS = frozenset({"rag", "qa"})
ONE_REAL_IN = 3  # of the requests of these tasks that stay on our own machines
REAL_TIMEOUT_S = 60.0
ANSWER_TOKENS = 32


class Live:
    """Sends what is due, over and over, from where the state says that the last run ended."""

    def __init__(
        self,
        traffic: Traffic,
        client: Client,
        state: LoadState,
        credentials: Credentials,
        real: RealCalls,
        also: Callable[[datetime], None],
    ) -> None:
        self.traffic = traffic
        self.client = client
        self.state = state
        self.keys = credentials.keys
        self.real = real
        self._also = also
        self._day: Day | None = None
        self._bills_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Raises Halted, DemoError."""
        while not stop.is_set():
            self.step(datetime.now(UTC))
            stop.wait(EVERY_S)

    def step(self, now: datetime) -> int:
        """Send what has become due up to now; returns how many rows that were."""
        sent = 0
        front = self.state.front or now
        for day in _days(front.date(), now.date()):
            end = min(now, moment(day, DAY - 1))
            rows = rows_between(self.day(day).rows, self.state.front, end)
            self._send(rows, now)
            self.state.advance(end, len(rows))
            if end < now:
                send_bill(self.client, [self.day(day)])
            sent += len(rows)
        self._send_bills(now)
        return sent

    def day(self, day: date) -> Day:
        """The generator's rows of a day; the present one is kept."""
        if self._day is None or self._day.day != day:
            self._day = self.traffic.day(day)
        return self._day

    def _send(self, rows: list[Row], now: datetime) -> None:
        by_application: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if not self.real.take(row, now):
                by_application[row["application"]].append(row)
        for slug, own in by_application.items():
            try:
                self.client.send_requests([with_text(row) for row in own], self.keys[f"ingest/{slug}"])
                for opinion in (opinion for row in own for opinion in opinions(row)):
                    self.client.send_rating(opinion.as_feedback(), self.keys[f"rate/{slug}"])
            except DemoError as error:
                # Somebody may have revoked a key or removed an application: that must not end the demo.
                logger.warning("%s cannot send: %s", slug, error)

    def _send_bills(self, now: datetime) -> None:
        if time.monotonic() < self._bills_at:
            return
        self._bills_at = time.monotonic() + BILLS_EVERY_S
        send_bill(self.client, [self.day(now.date())], until=now)
        self.client.put_state("runpod", bills.runpod_state(self.traffic.story, now))
        self._also(now)


class RealCalls:
    """Short questions to the real engine through the gateway, one at a time and one in twenty seconds at most."""

    def __init__(
        self, gateway_url: str, keys: Mapping[str, str], model: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = f"{gateway_url}/v1/chat/completions"
        self._keys = keys
        self._model = model
        self._clock = clock
        self._next = clock()
        self._thread: threading.Thread | None = None

    def take(self, row: Row, now: datetime) -> bool:
        """Whether this row is asked for real instead of being sent: only one that is of this very moment."""
        fit = row["provider"] == "self" and row["task"] in REAL_TASKS and luck(row, "real") % ONE_REAL_IN == 0
        fresh = row["started_at"] > bills.iso_milliseconds(now - timedelta(seconds=3 * EVERY_S))
        busy = self._thread is not None and self._thread.is_alive()
        if not fit or not fresh or busy or self._clock() < self._next:
            return False
        self._next = self._clock() + REAL_EVERY_S
        self._thread = threading.Thread(target=self.ask, args=(row,), daemon=True, name="real")
        self._thread.start()
        return True

    def ask(self, row: Row) -> bool:
        """One completion; whether it went well. What goes wrong is the gateway's to record, not ours to die of."""
        pairs = texts()[row["task"]]
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": pairs[luck(row, "question") % len(pairs)]["prompt"]}],
            "max_tokens": ANSWER_TOKENS,
            "stream": row["streamed"],
        }
        key = self._keys[f"gateway/{row['application']}"]
        headers = {"authorization": f"Bearer {key}", "x-breakeven-task": row["task"]}
        try:
            answer = httpx.post(self._url, json=body, headers=headers, timeout=REAL_TIMEOUT_S, trust_env=False)
        except httpx.TransportError as error:
            logger.warning("the gateway could not be asked: %s", error)
            return False
        if not answer.is_success:
            logger.warning("the gateway answered %s: %s", answer.status_code, answer.text[:200])
        return answer.is_success


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
