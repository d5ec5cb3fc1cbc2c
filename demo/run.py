"""The process `demo`, from its first line to its last: set up, load this month and the last, tell that it is ready,
then live, while the older months and the ratings come in behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from costs import anomalies
from costs.plan import forecast_record
from demo import (
    advice,
    bills,
    company,
    comparisons,
    contracts,
    decided,
    engines,
    history,
    imports,
    invoices,
    jobs,
    offers,
    reports,
    setup,
    telemetry,
    trials,
)
from demo.client import Client, DemoError, Halted
from demo.files import READY, Credentials, LoadState, write_json
from demo.live import Live, RealCalls
from demo.loader import Loader, Progress, days_back, send_bill
from demo.opinions import opinions
from demo.story import Story, add_months
from demo.traffic import Traffic
from providers.models import Outage
from sandbox.engine import MODEL_NAME
from traffic.imports import loading

# How far back answers were rated; those of the last days come before the older months, which take longer.
JUDGED_DAYS, JUDGED_FIRST = 45, 10
ANOMALY_DAYS = 60  # and how far back it is told what stood out
HOLD = timedelta(minutes=10)  # without news of the history it is taken to be whole
FORECAST_LOOKS = 200  # days of the months that are over


@dataclass(frozen=True)
class Addresses:
    """Where the processes of this run answer; without a trailing slash."""

    web: str
    gateway: str
    sandbox: str


class Demo:
    """One run of the demo company on one data directory. `say` prints a line, `stop` ends it."""

    def __init__(
        self, directory: Path, addresses: Addresses, say: Callable[[str], None], stop: threading.Event, now: datetime
    ) -> None:
        self.directory = directory
        self.addresses = addresses
        self.say = say
        self.stop = stop
        self.now = now
        self.credentials = Credentials.kept_in(directory)
        self.state = LoadState(directory, now.date())
        self.story = Story(self.state.started_on)
        self.traffic = Traffic(self.story)
        self.client = Client(addresses.web, addresses.sandbox, stop)
        self.progress = Progress(directory, self.story, self.state, now, say)
        real = RealCalls(addresses.gateway, self.credentials.keys, MODEL_NAME)
        self.live = Live(self.traffic, self.client, self.state, self.credentials, real, also=self.keep_up)

    def run(self) -> None:
        """Until `stop` is set; clean at any moment. Raises DemoError."""
        filling = threading.Thread(target=self.fill_in, name="fill-in")
        try:
            self.get_ready()
            filling.start()
            self.live.run(self.stop)
        except Halted:
            pass
        finally:
            self.stop.set()
            if filling.is_alive():
                filling.join()
            self.client.close()

    def get_ready(self) -> None:
        """What the ready file waits for: this month and the last, their bills, and the accounts that read these."""
        self.client.wait_for(f"{self.addresses.sandbox}/healthz")
        self.hold_verdicts()
        setup.set_up(self.story, self.credentials, self.addresses.sandbox, self.now)
        self.client.wait_for(f"{self.addresses.web}/readyz")
        self.client.put_state("runpod", bills.runpod_state(self.story, self.now))
        self.client.put_state("vast", bills.vast_state(self.story))
        self.live.step(self.now)
        self.loader().load(days_back(self.last_whole_day, self.story.starts[-3]))
        self.bill_older()
        setup.accounts(self.addresses.sandbox, self.client.read(setup.GOOGLE_KEY), self.now)
        contracts.sign_contract(self.story, self.now)
        contracts.bring_bill(self.now)
        history.add_trial_lease(self.story, self.now)
        history.add_checks(self.story, self.now)
        imports.leave_a_draft(self.now, company.BY_ROLE["ops"].username)
        telemetry.send_texts(self.client, self.credentials.keys, self.now)
        jobs.add_jobs(self.story, self.now)
        setup.poll_accounts()
        setup.link_lease()
        history.add_nights(self.story)
        offers.add_price_history(self.now)
        offers.add_watches()
        engines.add_engine_history(self.now)
        write_json(self.directory / READY, self.credentials.ready())
        self.say("this month and the last are loaded")
        for person in company.BY_ROLE.values():
            self.say(
                f"sign in as {person.role}: {person.username}  password: {self.credentials.passwords[person.username]}"
            )

    def bill_older(self) -> None:
        """The bills of the older months: a vendor's first poll reads all of its history, and only that one does."""
        if self.state.billed:
            return
        for month in reversed(self.story.starts[:-3]):
            if self.stop.is_set():
                raise Halted
            days = days_back(add_months(month, 1) - timedelta(days=1), month)
            send_bill(self.client, map(self.traffic.day, days))
        self.state.set_billed()

    def fill_in(self) -> None:
        """Ratings and the older months. A refusal is said, and the live part goes on."""
        first, rest = partial(self.judge, JUDGED_FIRST), partial(self.judge, JUDGED_DAYS)
        parts: list[Callable[[], None]] = [
            self.compare, self.load_older, self.try_out, first, rest, self.decide, self.advise, self.older_prices,
            self.look_for_anomalies, self.look_at_forecasts, self.write_reports,
        ]  # fmt: skip
        for part in parts:
            try:
                part()
            except DemoError as error:
                self.say(f"a part of the history cannot be loaded: {error}")
            except Halted:
                return  # the next start goes on from here
        loading.mark_loading(None)

    def hold_verdicts(self) -> None:
        """Until all of the history and its ratings are there; each part that arrives moves the end."""
        loading.mark_loading(datetime.now(UTC) + HOLD)

    def try_out(self) -> None:
        """The worker runs it within some seconds."""
        trials.start_trial()

    def write_reports(self) -> None:
        reports.write_reports(datetime.now(UTC))

    def older_prices(self) -> None:
        """Of the vendors that the worker has polled meanwhile."""
        offers.add_price_history(datetime.now(UTC))

    def advise(self) -> None:
        """What could be saved, as far as traffic and ratings are there."""
        advice.advise(self.story, datetime.now(UTC))

    def decide(self) -> None:
        """What people decided. It is signed with figures, so all ratings have to be there before."""
        decided.decide(datetime.now(UTC))

    def compare(self) -> None:
        """Answers of both sides to the same prompts, with what raters chose."""
        comparisons.compare(self.client, self.credentials.keys["ingest/"], datetime.now(UTC))

    def load_older(self) -> None:
        """The four months before the last."""
        self.hold_verdicts()
        self.loader().load(days_back(self.story.starts[-3] - timedelta(days=1), self.story.first_day))
        # What outages cost in requests was counted before these were there.
        Outage.objects.update(counted_at=None)
        engines.add_engine_history(self.now)
        self.progress.finish()

    def look_for_anomalies(self) -> None:
        """What stood out in the last two months, now that there is a history to hold it against."""
        anomalies.look_back(datetime.now(UTC), ANOMALY_DAYS)

    def look_at_forecasts(self) -> None:
        """How often the forecast would have been right, on every day of the months before."""
        forecast_record.record_forecasts(datetime.now(UTC), most=FORECAST_LOOKS)

    def judge(self, days: int) -> None:
        """People's opinions of the answers of so many days, newest first; those of today are the live part's."""
        newest = self.last_whole_day if self.state.judged is None else self.state.judged - timedelta(days=1)
        for day in days_back(newest, self.state.started_on - timedelta(days=days)):
            self.hold_verdicts()
            for row in self.traffic.day(day).rows:
                for opinion in opinions(row):
                    key = self.credentials.keys[f"rate/{row['application']}"]
                    self.client.send_rating(opinion.as_feedback(), key)
            self.state.set_judged(day)

    def loader(self) -> Loader:
        key = self.credentials.keys["ingest/"]
        return Loader(self.traffic, self.client, self.state, key, self.now, self.progress)

    @property
    def last_whole_day(self) -> date:
        """The day before the first start; what comes after it is the live part's."""
        return self.state.started_on - timedelta(days=1)

    def keep_up(self, now: datetime) -> None:
        """What the passing of time asks for besides requests; with the database away it waits for the next time."""
        close_old_connections()
        try:
            setup.link_lease()
            setup.enter_charges(self.story, now)
            invoices.close_last_month(now)
            jobs.ping_jobs(self.client.ping, now)
        except (OperationalError, InterfaceError) as error:
            self.say(f"the database does not answer: {str(error).splitlines()[0]}")
        finally:
            connection.close()


def utc_now() -> datetime:
    return datetime.now(UTC)
