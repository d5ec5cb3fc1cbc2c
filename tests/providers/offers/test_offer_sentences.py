"""What the pages of offers and accounts say in words, each branch, from plain objects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from providers.accounts.freshness import AccountNow
from providers.accounts.page import AccountPage, AccountsPage, KeyTest
from providers.models import (
    Account,
    Offer,
    OfferWatch,
)
from providers.offers.market import Market
from providers.offers.page import OffersPage, ProvidersPage, Rent, WatchesPage, WatchPage
from providers.offers.savings import BestSaving, OfferSaving, RentedGpu
from providers.offers.speeds import ModelSpeeds, Speed
from providers.offers.watches import WatchNow
from tests.pages import words
from tests.providers.plain import (
    ENDED,
    STOPPED,
    TWO_HOURS_AGO,
    UNPRICED,
    account_now,
    feed,
    lease,
    rented,
    runway,
)
from tests.providers.plain import (
    NOW as NOW,
)

pytestmark = pytest.mark.usefixtures("stopped_clock")

# Offers.


def offer(**more: Any) -> Offer:
    fields: dict[str, Any] = {"provider": "vast", "gpu": "L4", "kind": "spot", "whole_per_gpu_hour": Decimal("0.2")}
    return Offer(**(fields | {"seen_at": TWO_HOURS_AGO} | more))


OURS = RentedGpu(lease(), "L4", "on_demand", 1, Decimal("0.5"))


def better(offers: int = 1, caveat: str = "") -> BestSaving:
    return BestSaving(offers, offer(), OfferSaving(OURS, Decimal(219), caveat))


def providers_page(rent: Rent | None = None, *, offers: int = 1, saving: BestSaving | None = None) -> ProvidersPage:
    return ProvidersPage((), rent, [offer()] * offers, [{}] * offers, saving)


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (providers_page(offers=0), "No offers yet: no account with offers was read."),
        (providers_page(), "1 kind of GPU available: L4 at $0.20 an hour (Vast.ai)."),
        (
            providers_page(offers=2),
            "2 kinds of GPUs available, the cheapest L4 at $0.20 an hour (Vast.ai).",
        ),
        (providers_page(Rent(), offers=0), "We rent no GPU now. No offers yet."),
        (providers_page(Rent()), "We rent no GPU now. The cheapest is L4 for $0.20 an hour at Vast.ai."),
        (
            providers_page(Rent([rented()])),
            "1 lease, 1 with a GPU running: $0.50 an hour, $70.00 by the end of the month. No comparable"
            " offer is cheaper.",
        ),
        (
            providers_page(Rent([rented(lease(gpu_count=1))]), saving=better()),
            "1 lease, 1 with a GPU running: $0.50 an hour, $70.00 by the end of the month. The same L4 is available"
            " for $0.20 at Vast.ai.",
        ),
        (
            providers_page(Rent([STOPPED], runways=[runway("34", "0", None)]), saving=better(caveat="a catch")),
            "1 lease, none with a GPU running: $0.50 an hour, $70.00 by the end of the month. Idle: pod-2,"
            " $0.50 an hour (stopped, still billed). L4 is available for $0.20 at Vast.ai, but only spot."
            " Vast balance ($34.00) is not being used.",
        ),
        (
            providers_page(Rent([UNPRICED])),
            "1 lease, none with a GPU running: ≥ $70.00 by the end of the month. pod-3 is stopped, but its"
            " disk is billed. The cost is on the next bill. The cheapest is L4 for $0.20 an hour at Vast.ai.",
        ),
        (
            providers_page(Rent([rented(lease(price_per_hour=Decimal(0)))]), offers=0),
            "Rented GPUs cost nothing at the moment. No offers yet.",
        ),
    ],
)
def test_the_providers_page_says_what_we_rent_and_what_could_be_had(page: ProvidersPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def test_headings_of_the_providers_page_follow_what_is_rented_and_offered() -> None:
    asleep = rented(lease(kind="serverless", price_per_hour=Decimal(0)))
    rents = (Rent(), Rent([rented()]), Rent([rented(), STOPPED]), Rent([UNPRICED]), Rent([rented(), asleep]))
    assert [words(rent.headline()) for rent in rents] == [
        "No rented GPUs",
        "1 lease, 1 with a GPU running",
        "2 leases, 1 with a GPU running",
        "1 lease, none with a GPU running",
        "2 leases, 1 with a GPU running",
    ]
    assert [Rent(ended=[ENDED] * n).ended_headline() for n in (1, 2)] == [
        "1 ended lease",
        "The last 2 ended leases",
    ]
    savings = (better(), better(caveat="requires a one-year commitment"), None)
    assert [words(providers_page(saving=saving).gpu_headline()) for saving in savings] == [
        "L4, spot, at Vast.ai would save $219 a month",
        "L4, spot, at Vast.ai would save $219 a month, but requires a one-year commitment",
        "The cheapest GPU is L4 for $0.20 an hour at Vast.ai",
    ]
    assert providers_page(offers=0).gpu_headline() == "No offers"


def offers_page(
    total: int = 1,
    *,
    offered: int = 9,
    rented: bool = False,
    better: BestSaving | None = None,
    silent: list[AccountNow] | None = None,
) -> OffersPage:
    market = [Market("L4", "spot", total, Decimal("0.2"))] if total else []
    return OffersPage(market, offered, [OURS] if rented else [], better, silent or [], filtered=False)


@pytest.mark.parametrize(
    ("page", "sentence", "headline"),
    [
        (
            offers_page(0, offered=0),
            "No offers yet: no account with offers was read.",
            "Matching offers",
        ),
        (offers_page(0), "No offer matches. Remove a filter.", "Matching offers"),
        (offers_page(), "1 offer: L4, spot, at $0.20 an hour.", "Matching offers"),
        (
            offers_page(2, rented=True),
            "2 offers from $0.20 an hour (L4, spot). None is cheaper than the rented GPUs.",
            "No offer is cheaper than ours",
        ),
        (
            offers_page(2, rented=True, better=better()),
            "2 offers from $0.20 an hour (L4, spot). The best saves $219 a month against a rented GPU, at Vast.ai.",
            "1 offer is cheaper than ours",
        ),
        (
            offers_page(2, rented=True, better=better(2)),
            "2 offers from $0.20 an hour (L4, spot). The best saves $219 a month against a rented GPU, at Vast.ai.",
            "2 offers are cheaper than ours",
        ),
    ],
)
def test_the_offers_page_says_what_fits_and_what_beats_ours(page: OffersPage, sentence: str, headline: str) -> None:
    assert words(page.answer()) == sentence
    assert page.headline() == headline


def test_old_prices_are_named_with_their_vendor_and_age() -> None:
    page = offers_page(silent=[account_now("late", feed(old=True))])
    assert words(page.answer()).endswith("Vast.ai’s prices are from 2 h ago and may no longer hold.")
    assert words(page.market_headline()) == "Cheapest: L4 (spot)"


def test_what_a_million_tokens_cost_is_explained_by_speeds_and_their_sources() -> None:
    speeds = {
        "L4": Speed("L4", Decimal(20), Decimal(30), False, "the note", ""),
        "H100": Speed("H100", Decimal(90), Decimal(90), True, "a page", "/x/"),
    }
    note = ModelSpeeds("m", "Mistral", speeds).note()
    assert words(note) == (
        "M tokens: a million output tokens of Mistral on a GPU that is busy all the time. L4: 20–30 tokens/s (the"
        " note); H100: 90 tokens/s for one stream, so an upper limit (a page)."
    )
    assert '<a href="/x/">a page</a>' in note


def watch(lowest: Offer | None = None, old: Offer | None = None) -> WatchNow:
    return WatchNow(OfferWatch(gpu="L4", price=Decimal("0.3")), lowest, old)


BELOW, DEAR = watch(offer()), watch(offer(whole_per_gpu_hour=Decimal(1)))
UNSURE, NONE = watch(None, offer()), watch()


@pytest.mark.parametrize(
    ("watches", "sentence"),
    [
        ([], "No price watches yet."),
        ([NONE], "The watched offer is more expensive or not available."),
        ([NONE, DEAR], "None of the 2 watched offers is below its price."),
        ([BELOW, DEAR], "1 of 2 is below its price: L4 at $0.20 an hour (Vast.ai)."),
        ([BELOW, BELOW], "2 of 2 are below their price. Best: L4 at $0.20 an hour (Vast.ai)."),
    ],
)
def test_the_watches_page_says_which_price_is_there(watches: list[WatchNow], sentence: str) -> None:
    assert words(WatchesPage(watches).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence", "mark"),
    [
        (BELOW, "Available: L4 at $0.20 an hour (Vast.ai), below $0.30.", "below the price"),
        (
            UNSURE,
            "Not confirmed: L4 cost $0.20 an hour at Vast.ai 2 h ago. No data since.",
            "not confirmed$0.20, 2 h ago",
        ),
        (DEAR, "Waiting: L4 costs at least $1.00 an hour (Vast.ai). The limit is $0.30.", "waiting"),
        (NONE, "Waiting: no vendor offers L4 now.", "not available"),
    ],
)
def test_a_watch_says_whether_its_price_is_there(row: WatchNow, sentence: str, mark: str) -> None:
    page = WatchPage(row)
    assert words(page.answer()) == sentence
    assert words(row.state_mark()) == mark
    assert page.title() == "L4"


def test_a_new_watch_says_what_it_will_do() -> None:
    page = WatchPage(None)
    assert page.answer().startswith("You are notified when a connected vendor offers it for less")
    assert page.title() == "Add a watch"
    assert [WatchesPage([NONE] * n).headline() for n in (0, 1, 2)] == [
        "Add your first watch",
        "1 watch",
        "2 watches",
    ]
    conditions = WatchNow(OfferWatch(gpu="L4", region="EU", min_reliability=0.985), None, None).conditions()
    assert words(conditions) == "EU · reliability from 98.5 %"


# Accounts.


OK, NEVER = account_now("ok", feed()), account_now("failing", feed(read=False))
WAITING, OFF = account_now("waiting", feed()), account_now("off", enabled=False)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "No accounts yet, so there are no bills, leases or offers."),
        ([NEVER], "0 of 1 account is read on time. Vast was never read."),
        ([account_now("late", feed()), OK], "1 of 2 accounts are read on time. Vast was last read 2 h ago."),
        ([OK], "The one account is read on time."),
        ([OK, OK], "All 2 accounts are read on time."),
        ([WAITING], "0 of 1 account is read completely so far."),
        ([WAITING, OK], "1 of 2 accounts are read completely so far."),
        ([OFF], "All accounts are disabled, so nothing is read."),
    ],
)
def test_the_accounts_page_says_how_many_are_read(rows: list[AccountNow], sentence: str) -> None:
    assert words(AccountsPage(rows).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (account_now("refused", disabled_reason="401"), "Vast rejects our key, so polls stopped. Its figures are old."),
        (OFF, "Vast is disabled and not read."),
        (
            account_now("partly", feed(refused=True)),
            "Vast rejects our key for offers. Other data is still read.",
        ),
        (
            account_now("refused", feed(refused=True)),
            "Vast rejects our key, so polls stopped. Its figures are old.",
        ),
        (OK, "Vast is read on time. Last 2 h ago, next in 5 min."),
        (WAITING, "Vast is read on time so far. One feed is not read yet."),
        (
            account_now("failing", feed()),
            "Vast fails. Last success 2 h ago, next attempt in 5 min.",
        ),
        (account_now("waiting", feed(read=False)), "Vast is connected. First data is being read…"),
        (NEVER, "Vast could not be read yet."),
    ],
)
def test_an_account_says_whether_it_is_read(row: AccountNow, sentence: str) -> None:
    page = AccountPage(row.account, row)
    assert words(page.answer()).replace("299 s", "5 min") == sentence
    assert (page.title(), page.form_headline()) == ("Vast", "Settings")


def test_a_new_account_says_what_its_key_tells() -> None:
    page = AccountPage(Account(kind="vast", name="Vast"), None)
    assert words(page.answer()).startswith("With a key, Vast.ai reports ")
    assert (page.title(), page.form_headline()) == ("Add an account", "New account at Vast.ai")
    assert KeyTest(True, "").headline() == "Connection works"
    assert KeyTest(False, "").headline() == "Connection failed"
    assert KeyTest(False, "").consequence() == "Nothing was stored."


def test_headings_of_accounts_follow_their_states() -> None:
    assert [AccountsPage([OK] * n).headline() for n in (0, 1, 2)] == [
        "Add your first account",
        "1 account",
        "2 accounts, problems first",
    ]
    rows = (OK, account_now("ok", feed(), feed()), WAITING)
    assert [AccountPage(row.account, row).feeds_headline() for row in rows] == [
        "Feed up to date",
        "All feeds up to date",
        "Feeds",
    ]
    late = account_now("late", feed())
    assert [words(row.late_notice()) for row in (late, NEVER)] == [
        "Data of Vast is old: last read 2 h ago",
        "No data of Vast yet",
    ]
    pages = ([late, OK], [late, late], [OK], [OK, OK], [WAITING, OK])
    assert [ProvidersPage(rows, None, (), (), None).freshness_headline() for rows in pages] == [
        "One of 2 accounts is not read on time",
        "2 of 2 accounts are not read on time",
        "The one account is read on time",
        "All 2 accounts are read on time",
        "1 of 2 accounts are read on time",
    ]
