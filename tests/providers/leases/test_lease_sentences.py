"""What the pages of leases say in words, each branch, from plain objects."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from costs.spend.lease_page import Idle, LeasePage, ServedDeployment, StateTotal
from providers.connectors.stopping import Stop, StopCall
from providers.leases.page import LeasesPage, StopPage, unpriced_note
from providers.leases.queries import LeaseNow, Runway
from providers.leases.services import StopWay
from providers.models import (
    Deployment,
    LeaseSpan,
)
from tests.pages import words
from tests.providers.plain import (
    ENDED,
    STOPPED,
    TWO_HOURS_AGO,
    UNPRICED,
    lease,
    rented,
    runway,
)
from tests.providers.plain import (
    NOW as NOW,
)

pytestmark = pytest.mark.usefixtures("stopped_clock")


def leases_page(*active: LeaseNow, total: int = 3, filtered: bool = False) -> LeasesPage:
    return LeasesPage(active, total, Decimal("99.5"), filtered)


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (leases_page(total=0, filtered=True), "No lease matches. Remove a filter."),
        (leases_page(total=0), "No leases: nothing is rented, or no account with leases was read."),
        (leases_page(total=1), "Cost: $99.50. None is rented now."),
        (leases_page(rented()), "Cost so far: $99.50. Rent now: $0.50 an hour."),
        (
            leases_page(rented(), STOPPED),
            "Cost so far: $99.50. Rent now: $1.00 an hour. pod-2 is idle: stopped, still billed.",
        ),
        (
            leases_page(UNPRICED),
            "Cost so far: $99.50. pod-3 is stopped, but its disk is billed. The cost is on the next bill.",
        ),
        (
            leases_page(STOPPED, STOPPED),
            "Cost so far: $99.50. Rent now: $1.00 an hour. Several are idle, pod-2 first: stopped, still billed.",
        ),
    ],
)
def test_the_leases_page_says_what_they_cost_and_what_goes_on(page: LeasesPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def test_headings_of_the_leases_page_follow_its_rows() -> None:
    pages = (leases_page(rented()), leases_page(rented(), STOPPED), leases_page(), leases_page(total=0))
    headlines = ["1 rented now", "2 rented now", "All ended", "No leases"]
    assert [page.headline() for page in pages] == headlines
    assert words(unpriced_note([UNPRICED, UNPRICED])).startswith("2 are stopped (pod-3 first), but their disks")


def test_a_lease_says_from_when_to_when_it_was_there() -> None:
    assert words(rented().since()) == "since 18 Jun 2025, 12:00"
    assert words(ENDED.since()) == "18 Jun 2025, 12:00 to 19 Jun 2025, 12:00"
    assert words(rented(old=True).since()) == "running when last read, 2 h ago"


@pytest.mark.parametrize(
    ("row", "finding", "ends"),
    [
        (runway("0", "1", timedelta(0)), "The prepaid balance at Vast is used up", "18 Jun 2025, 12:00"),
        (
            runway("34", "1", timedelta(days=2)),
            "Vast balance ($34.00) lasts until Friday 12:00 UTC at this rate",
            "Friday 12:00 UTC",
        ),
        (
            runway("34", "1", timedelta(days=20)),
            "Vast balance ($34.00) lasts until Tuesday, 8 July at this rate",
            "8 Jul 2025, 12:00",
        ),
        (runway("34", "1", None), "Vast balance ($34.00) lasts for years at this rate", "years"),
        (runway("34", "0", None), "Vast balance ($34.00) is not being used", "not used"),
    ],
)
def test_a_runway_says_how_long_the_money_lasts(row: Runway, finding: str, ends: str) -> None:
    assert words(row.finding()) == finding
    assert words(row.ends()) == ends or row.empty


def way(*, destroys: bool = False, barred: str = "", call: bool = True) -> StopWay:
    stop = Stop(method="POST", path="", loses="All of it.", console="https://console", destroys=destroys)
    return StopWay(stop, StopCall("POST", "https://api/stop") if call else None, "curl", barred)


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            StopPage(lease(), None),
            "pod-1 cannot be stopped here: it has ended, or its vendor has no API for it.",
        ),
        (StopPage(lease(), way(barred="Not allowed.")), "pod-1 cannot be stopped here. Not allowed."),
        (
            StopPage(lease(disk_per_hour=Decimal("0.1")), way(destroys=True)),
            "Ending pod-1 saves $0.5000 an hour and deletes the instance.",
        ),
        (
            StopPage(lease(disk_per_hour=Decimal("0.1")), way()),
            "Stopping pod-1 saves $0.4000 an hour. Its disk still costs $0.1000 an hour.",
        ),
        (StopPage(lease(), way()), "Stopping pod-1 saves $0.5000 an hour."),
    ],
)
def test_what_stopping_a_lease_saves_is_said_before_it_is_done(page: StopPage, sentence: str) -> None:
    assert words(page.answer()) == sentence
    assert page.consequence() == ("This cannot be undone" if page.destroys else "It can be started again at the vendor")
    assert page.button() == ("Delete instance" if page.destroys else "Stop GPU")
    assert page.possible is (page.way is not None and not page.way.barred)


def used(last: datetime | None = None) -> ServedDeployment:
    return ServedDeployment(Deployment(name="mistral"), 1, 2, last, ())


def idle(*, longest: bool = False) -> Idle:
    return Idle(TWO_HOURS_AGO, timedelta(hours=2), Decimal(1), longest)


def lease_page(row: LeaseNow | None = None, **more: Any) -> LeasePage:
    parts: dict[str, Any] = {"uses": (), "idle": None, "way": None, "states": (), "spans": ()}
    return LeasePage(row=row or rented(), **(parts | more))


COST = "pod-1 has cost $6.25. This month will be $70.00 at the current rate."


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (lease_page(ENDED), "pod-1 cost $6.25 in 12.5 hours and ended on 19 Jun 2025, 12:00."),
        (
            lease_page(UNPRICED),
            "pod-3 has cost $6.25. This month will be at least $70.00. The next bill adds the disk.",
        ),
        (lease_page(), COST),
        (
            lease_page(rented(lease(idle_minutes=60)), idle=idle(), uses=[used()]),
            f"{COST} No requests since 2 h ago: $1.00 spent idle.",
        ),
        (lease_page(rented(lease(idle_minutes=180)), idle=idle(), uses=[used()]), COST),
        (
            lease_page(STOPPED),
            f"{COST} Paid but unused: stopped, still billed.".replace("pod-1", "pod-2"),
        ),
    ],
)
def test_a_lease_says_what_it_costs_and_what_it_burns(page: LeasePage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def test_headings_of_a_lease_follow_what_is_known_of_it() -> None:
    assert lease_page().machine() == "2 × L4, RunPod"
    assert lease_page(rented(lease(gpu="", kind="serverless"))).machine() == "Serverless, RunPod"
    priced = lease_page(rented(lease(disk_per_hour=Decimal("0.1"))))
    assert (words(priced.price()), priced.disk_price()) == (
        "$0.5000 an hour, $365.00 a month",
        "$0.1000 an hour, stopped or not",
    )
    assert (lease_page(UNPRICED).price(), lease_page().disk_price()) == (
        "disk, billed with the next bill",
        "not reported",
    )
    stops = (lease_page(ENDED), lease_page(way=way()), lease_page(way=way(call=False)), lease_page())
    assert [page.stop_headline() for page in stops] == [
        "Ended",
        "Stop paying",
        "Stop it at the vendor",
        "Stop it at the vendor",
    ]
    last = (
        lease_page(),
        lease_page(uses=[used()], idle=idle()),
        lease_page(uses=[used()], idle=idle(longest=True)),
        lease_page(uses=[used()]),
        lease_page(STOPPED, uses=[used()]),
    )
    assert [words(page.last_request()) for page in last] == [
        "no deployment",
        "2 h ago, $1.00 spent idle",
        "none for 7 days, $1.00 spent idle",
        "just now",
        "–",
    ]
    young = rented(lease(started_at=NOW - timedelta(hours=61)))
    page = lease_page(young, uses=[used()], idle=idle(longest=True))
    assert words(page.last_request()) == "no requests since it started 2 d 13 h ago, $1.00 spent idle"
    assert page.no_requests() == "no requests since it started 2 d 13 h ago", "not a week: it is not that old"
    uses = [lease_page(uses=[used()] * n).uses_headline() for n in (0, 1, 2)]
    assert uses == ["No deployments", "1 deployment", "2 deployments"]
    states = [StateTotal("running", Decimal(10), Decimal(5)), StateTotal("stopped", Decimal("2.5"), Decimal(1))]
    assert lease_page(states=states).days_headline() == "10.0 h running for $5.00, 2.5 h stopped for $1.00"
    assert lease_page().spans_headline() == "No states recorded yet"
    assert lease_page(spans=[LeaseSpan()]).spans_headline() == "States and prices"
