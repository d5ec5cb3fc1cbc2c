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
        (providers_page(offers=0), "No offer is known yet: no account that tells offers has been read."),
        (providers_page(), "1 kind of GPU can be rented now, L4 for $0.20 an hour at Vast.ai."),
        (
            providers_page(offers=2),
            "2 kinds of GPUs can be rented now, the cheapest, L4, for $0.20 an hour at Vast.ai.",
        ),
        (providers_page(Rent(), offers=0), "We rent no GPU now. No offer is known yet."),
        (providers_page(Rent()), "We rent no GPU now. The cheapest to be had is L4 for $0.20 an hour at Vast.ai."),
        (
            providers_page(Rent([rented()])),
            "1 lease, 1 with a GPU running: $0.50 an hour, $70.00 by the end of the month. Nothing like it can be had"
            " for less.",
        ),
        (
            providers_page(Rent([rented(lease(gpu_count=1))]), saving=better()),
            "1 lease, 1 with a GPU running: $0.50 an hour, $70.00 by the end of the month. The same L4 can be had for"
            " $0.20 at Vast.ai.",
        ),
        (
            providers_page(Rent([STOPPED], runways=[runway("34", "0", None)]), saving=better(caveat="a catch")),
            "1 lease, none with a GPU running: $0.50 an hour, $70.00 by the end of the month. pod-2 is paid for"
            " nothing, $0.50 an hour: stopped, and billed all the same. L4 can be had for $0.20 at Vast.ai, but only"
            " spot. Nothing is spent of the prepaid $34.00 at Vast.",
        ),
        (
            providers_page(Rent([UNPRICED])),
            "1 lease, none with a GPU running: ≥ $70.00 by the end of the month. pod-3 is stopped; its"
            " disk is billed on, and what it costs is known with the next bill. The cheapest to be had is L4 for $0.20"
            " an hour at Vast.ai.",
        ),
        (
            providers_page(Rent([rented(lease(price_per_hour=Decimal(0)))]), offers=0),
            "What we rent costs nothing at this moment. No offer is known yet.",
        ),
    ],
)
def test_the_providers_page_says_what_we_rent_and_what_could_be_had(page: ProvidersPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def test_headings_of_the_providers_page_follow_what_is_rented_and_offered() -> None:
    asleep = rented(lease(kind="serverless", price_per_hour=Decimal(0)))
    rents = (Rent(), Rent([rented()]), Rent([rented(), STOPPED]), Rent([UNPRICED]), Rent([rented(), asleep]))
    assert [words(rent.headline()) for rent in rents] == [
        "We rent nothing now",
        "1 lease, 1 with a GPU running",
        "2 leases, 1 with a GPU running",
        "1 lease, none with a GPU running",
        "2 leases, 1 with a GPU running",
    ]
    assert [Rent(ended=[ENDED] * n).ended_headline() for n in (1, 2)] == [
        "One that has ended",
        "The last 2 that have ended",
    ]
    savings = (better(), better(caveat="bound for a year"), None)
    assert [words(providers_page(saving=saving).gpu_headline()) for saving in savings] == [
        "L4, spot, at Vast.ai would save $219 a month",
        "L4, spot, at Vast.ai would save $219 a month, but bound for a year",
        "The cheapest GPU is L4 for $0.20 an hour at Vast.ai",
    ]
    assert providers_page(offers=0).gpu_headline() == "No offer is known"


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
            "No offer is known yet: no account that tells offers has been read.",
            "Every offer that fits",
        ),
        (offers_page(0), "None of the offers is like that; take a condition away.", "Every offer that fits"),
        (offers_page(), "1 offer fits: L4, spot, for $0.20 an hour.", "Every offer that fits"),
        (
            offers_page(2, rented=True),
            "2 offers fit, from $0.20 an hour (L4, spot). None is cheaper than what we rent now.",
            "No offer beats what we pay",
        ),
        (
            offers_page(2, rented=True, better=better()),
            "2 offers fit, from $0.20 an hour (L4, spot). One is cheaper than what we rent now and saves $219 a month"
            " at Vast.ai.",
            "One offer beats what we pay",
        ),
        (
            offers_page(2, rented=True, better=better(2)),
            "2 offers fit, from $0.20 an hour (L4, spot). 2 are cheaper than what we rent now; the best saves $219 a"
            " month at Vast.ai.",
            "2 offers beat what we pay",
        ),
    ],
)
def test_the_offers_page_says_what_fits_and_what_beats_ours(page: OffersPage, sentence: str, headline: str) -> None:
    assert words(page.answer()) == sentence
    assert page.headline() == headline


def test_old_prices_are_named_with_their_vendor_and_age() -> None:
    page = offers_page(silent=[account_now("late", feed(old=True))])
    assert words(page.answer()).endswith("Vast.ai’s prices are from 2 h ago and may no longer hold.")
    assert words(page.market_headline()) == "L4 (spot) is the cheapest of them"
    assert page.filter_headline() == "Look for a GPU"


def test_what_a_million_tokens_cost_is_explained_by_speeds_and_their_sources() -> None:
    speeds = {
        "L4": Speed("L4", Decimal(20), Decimal(30), False, "the note", ""),
        "H100": Speed("H100", Decimal(90), Decimal(90), True, "a page", "/x/"),
    }
    note = ModelSpeeds("m", "Mistral", speeds).note()
    assert words(note) == (
        "M tokens: a million output tokens of Mistral on a GPU that is busy all the time. L4: 20–30 tokens/s (the"
        " note); H100: 90 tokens/s of one stream, so at most this (a page)."
    )
    assert '<a href="/x/">a page</a>' in note


def watch(lowest: Offer | None = None, old: Offer | None = None) -> WatchNow:
    return WatchNow(OfferWatch(gpu="L4", price=Decimal("0.3")), lowest, old)


BELOW, DEAR = watch(offer()), watch(offer(whole_per_gpu_hour=Decimal(1)))
UNSURE, NONE = watch(None, offer()), watch()


@pytest.mark.parametrize(
    ("watches", "sentence"),
    [
        ([], "Nobody waits for a lower price yet."),
        ([NONE], "No: the one offer that is waited for costs more, or is not to be had."),
        ([NONE, DEAR], "None of the 2 offers that are waited for is there at its price."),
        ([BELOW, DEAR], "1 of 2 is there: L4 for $0.20 an hour at Vast.ai."),
        ([BELOW, BELOW], "2 of 2 are there; L4 for $0.20 an hour at Vast.ai."),
    ],
)
def test_the_watches_page_says_which_price_is_there(watches: list[WatchNow], sentence: str) -> None:
    assert words(WatchesPage(watches).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence", "mark"),
    [
        (BELOW, "Yes: L4 costs $0.20 an hour at Vast.ai, below $0.30.", "below the price"),
        (
            UNSURE,
            "Perhaps: L4 cost $0.20 an hour at Vast.ai 2 h ago, and the vendor has not answered since.",
            "not confirmed$0.20, 2 h ago",
        ),
        (DEAR, "No: L4 costs $1.00 an hour at Vast.ai and more elsewhere; $0.30 is waited for.", "waiting"),
        (NONE, "No: nobody offers L4 now.", "none to be had"),
    ],
)
def test_a_watch_says_whether_its_price_is_there(row: WatchNow, sentence: str, mark: str) -> None:
    page = WatchPage(row)
    assert words(page.answer()) == sentence
    assert words(row.state_mark()) == mark
    assert (page.title(), page.question()) == ("L4", "Is this offered at our price?")


def test_a_new_watch_says_what_it_will_do() -> None:
    page = WatchPage(None)
    assert page.answer().startswith("A mail is sent when any vendor that we read offers it for less")
    assert (page.title(), page.question()) == ("Add a watch", "Which GPU, and below which price?")
    assert [WatchesPage([NONE] * n).headline() for n in (0, 1, 2)] == [
        "Begin with one offer",
        "One offer is waited for",
        "2 offers are waited for",
    ]
    conditions = WatchNow(OfferWatch(gpu="L4", region="EU", min_reliability=0.985), None, None).conditions()
    assert words(conditions) == "EU · from 98.5 % reliable"


# Accounts.


OK, NEVER = account_now("ok", feed()), account_now("failing", feed(read=False))
WAITING, OFF = account_now("waiting", feed()), account_now("off", enabled=False)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "No account is set up yet, so no bill, lease or offer is known."),
        ([NEVER], "0 of 1 account is read on time; Vast has never answered."),
        ([account_now("late", feed()), OK], "1 of 2 accounts are read on time; Vast last answered 2 h ago."),
        ([OK], "The one account is read on time."),
        ([OK, OK], "All 2 accounts are read on time."),
        ([WAITING], "So far 0 of 1 account could be read whole."),
        ([WAITING, OK], "So far 1 of 2 accounts could be read whole."),
        ([OFF], "Every account is switched off, so nothing is read."),
    ],
)
def test_the_accounts_page_says_how_many_are_read(rows: list[AccountNow], sentence: str) -> None:
    assert words(AccountsPage(rows).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (account_now("refused", disabled_reason="401"), "Vast refused us, so we stopped asking; its figures are old."),
        (OFF, "Vast is switched off and is not read."),
        (
            account_now("partly", feed(refused=True)),
            "Vast refuses our key its offers; everything else is read on.",
        ),
        (
            account_now("refused", feed(refused=True)),
            "Vast refuses our key everything, so we stopped asking; its figures are old.",
        ),
        (OK, "Vast is read on time, last 2 h ago and again in 5 min."),
        (WAITING, "Vast is read on time so far; one of its lists is still to be read for the first time."),
        (
            account_now("failing", feed()),
            "Vast does not answer as it should; it last did 2 h ago and is asked again in 5 min.",
        ),
        (account_now("waiting", feed(read=False)), "Vast is connected. First data is being read…"),
        (NEVER, "Vast has not answered us a single time yet."),
    ],
)
def test_an_account_says_whether_it_is_read(row: AccountNow, sentence: str) -> None:
    page = AccountPage(row.account, row)
    assert words(page.answer()).replace("299 s", "5 min") == sentence
    assert (page.title(), page.form_headline()) == ("Vast", "Change the account")


def test_a_new_account_says_what_its_key_tells() -> None:
    page = AccountPage(Account(kind="vast", name="Vast"), None)
    assert words(page.answer()).startswith("With a key, Vast.ai tells us ")
    assert (page.title(), page.form_headline()) == ("Add an account", "An account at Vast.ai")
    assert page.question() == "What do we need to read this account?"
    assert KeyTest(True, "").headline() == "The vendor takes the key"
    assert KeyTest(False, "").headline() == "The vendor does not take it"
    assert KeyTest(False, "").consequence() == "Nothing was stored."


def test_headings_of_accounts_follow_their_states() -> None:
    assert [AccountsPage([OK] * n).headline() for n in (0, 1, 2)] == [
        "Begin with one account",
        "One account",
        "2 accounts, the worst first",
    ]
    rows = (OK, account_now("ok", feed(), feed()), WAITING)
    assert [AccountPage(row.account, row).feeds_headline() for row in rows] == [
        "Its one list is read",
        "All 2 lists are read",
        "What is read, and when",
    ]
    late = account_now("late", feed())
    assert [words(row.late_notice()) for row in (late, NEVER)] == [
        "What we know of Vast is old: it last answered 2 h ago",
        "Nothing is known of Vast yet",
    ]
    pages = ([late, OK], [late, late], [OK], [OK, OK], [WAITING, OK])
    assert [ProvidersPage(rows, None, (), (), None).freshness_headline() for rows in pages] == [
        "One of 2 accounts is not read on time",
        "2 of 2 accounts are not read on time",
        "The one account is read on time",
        "All 2 accounts are read on time",
        "1 of 2 accounts are read on time",
    ]
