"""The offers explorer: filters in the address, order, pages, history, and what is cheaper than ours."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from providers.connectors.base import OfferRow
from providers.models import Account, Offer, OfferDay, Throughput
from providers.offers import OfferFilter, facets, fits, histories, market, market_of
from providers.polling.store import store_offers
from tests.providers.people import account, assert_access, deployment, in_role, lease, offer, read, text
from tests.query_ceilings import ceiling

pytestmark = pytest.mark.django_db
URL = "/providers/offers/"


@pytest.fixture
def ops() -> Client:
    return in_role("ops")


def shown(client: Client, **query: Any) -> list[str]:
    """GPUs of the list's rows, in its order."""
    page = text(client, URL, **query)
    return re.findall(r'<th scope="row">([^<]+)</th>', page)


def test_offers_are_for_whoever_may_see_them() -> None:
    assert_access(URL, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})


def test_someone_who_may_not_see_leases_is_told_of_no_saving() -> None:
    from django.contrib.auth.models import Permission, User

    lease(account())
    offer(price_per_gpu_hour=Decimal("0.10"))
    user = User.objects.create_user("guest")
    user.user_permissions.add(Permission.objects.get(codename="view_offer", content_type__app_label="providers"))
    client = Client()
    client.force_login(user)
    page = text(client, URL)
    assert "$0.10 an hour" in page
    assert "saves" not in page and "Against ours" not in page


@pytest.mark.parametrize(
    ("written", "name", "meant"),
    [
        ("rtx4090", "RTX 4090", True),
        ("a100", "A100 80GB", True),
        ("a100 80gb", "A100 80GB", True),
        ("l4", "L40", False),
        ("4090", "RTX 4090", False),
    ],
)
def test_a_gpu_is_found_by_how_people_write_it(written: str, name: str, meant: bool) -> None:
    assert fits("".join(written.split()), name) is meant


def test_filters_live_in_the_address(ops: Client) -> None:
    account()
    offer(1, region="EU-RO-1")
    offer(2, gpu="H100", memory_gb=Decimal(80), price_per_gpu_hour=Decimal(2), kind="spot")
    offer(3, gpu="L4", available=False, price_per_gpu_hour=Decimal("0.2"))
    offer(4, gpu="A100 80GB", provider="vast", reliability=0.98, price_per_gpu_hour=Decimal(1), memory_gb=Decimal(80))
    assert shown(ops) == ["RTX 4090", "A100 80GB", "H100"]
    assert shown(ops, gpu="H100") == shown(ops, kind="spot") == ["H100"]
    assert shown(ops, gpu=["H100", "RTX 4090"]) == ["RTX 4090", "H100"]
    assert shown(ops, provider="vast") == shown(ops, reliability=95) == ["A100 80GB"]
    assert shown(ops, memory=48, max_price=1) == ["A100 80GB"]
    assert shown(ops, region="ro-1") == ["RTX 4090"]
    assert shown(ops, sold_out="on")[0] == "L4"
    assert "Remove a filter" in text(ops, URL, max_price="0.01")


def test_a_condition_that_is_none_filters_nothing_and_is_said_so(ops: Client) -> None:
    offer()
    page = text(ops, URL, memory="much", sort="beauty", cursor="x")
    assert "Enter a number." in page
    assert page.count('<th scope="row">RTX 4090</th>') == 1


def test_a_gpu_that_only_we_rent_can_be_asked_for(ops: Client) -> None:
    lease(account(), gpu="GH200")
    assert "None of the offers is like that" not in text(ops, URL, gpu="GH200") or not Offer.objects.exists()
    assert "Select a valid choice" not in text(ops, URL, gpu="GH200")


def test_what_is_cheaper_than_ours_is_marked_with_the_saving(ops: Client) -> None:
    lease(account())  # an RTX 4090 for 0.40
    offer(1, price_per_gpu_hour=Decimal("0.30"))
    offer(2, price_per_gpu_hour=Decimal("0.20"), kind="spot")
    offer(3, price_per_gpu_hour=Decimal("0.10"), gpu_count=8)  # eight at once are no replacement for one
    offer(4, price_per_gpu_hour=Decimal("0.10"), gpu="RTX 3090")
    offer(5, price_per_gpu_hour=Decimal("0.05"), available=False)
    page = text(ops, URL)
    assert "The best saves <b>$73 a month</b> against a rented GPU, at RunPod." in page
    assert "saves $73 a month" in page and "saves $146 a month" in page
    assert "can be interrupted at any time" in page
    assert shown(ops, cheaper="on") == ["RTX 4090", "RTX 4090"]


def test_the_market_is_the_same_by_facets_and_by_statement() -> None:
    for n in range(60):
        more = {"available": n % 5 != 0, "gpu": f"GPU {n % 7}", "provider": ("runpod", "vast")[n % 2]}
        offer(n, kind=("spot", "on_demand")[n % 3 == 0], price_per_gpu_hour=Decimal(n % 11 + 1), **more)
    for wanted in (
        OfferFilter(available=True),
        OfferFilter(available=True, gpus=["GPU 1", "GPU 2"], kinds=["spot"]),
        OfferFilter(available=True, providers=["vast"]),
    ):
        assert wanted.of_facets
        assert market_of(facets(), wanted) == market(Offer.objects.filter(wanted.conditions()))
    assert not OfferFilter().of_facets and not OfferFilter(available=True, region="x").of_facets


def test_a_list_that_is_long_is_turned_page_by_page(ops: Client) -> None:
    for n in range(120):
        offer(n, gpu=f"GPU {n:03}", price_per_gpu_hour=Decimal(n + 1))
    seen, url = [], URL
    while url:
        page = text(ops, url)
        seen += re.findall(r'<th scope="row">(GPU \d+)</th>', page)
        found = re.search(r'href="(/providers/offers/\?[^"]*cursor=[^"]+)"[^>]*rel="next"', page)
        url = found[1].replace("&amp;", "&") if found else ""
    assert seen == [f"GPU {n:03}" for n in range(120)]


def test_the_history_of_a_price_is_drawn_and_its_change_said(ops: Client) -> None:
    offer(price_per_gpu_hour=Decimal("0.30"))
    today = timezone.now().astimezone(UTC).date()
    for ago, low in ((30, "0.40"), (1, "0.32"), (0, "0.30")):
        day = {"day": today - timedelta(days=ago), "offers": 1}
        prices = {name: Decimal(low) for name in ("low", "median", "high")}
        OfferDay.objects.create(provider="runpod", gpu="RTX 4090", kind="on_demand", **day, **prices)
    page = text(ops, URL)
    assert "Lowest price by day" in page
    assert "−25" in page and "3 days" in page
    for _again in range(2):  # the list is cached, the figure of its history is not
        explored = text(ops, URL, explore="offer-history")
        assert "0.4" in explored and '"kind": "on_demand"' in explored and "<html" not in explored


def test_offers_of_a_vendor_that_fell_silent_are_old(ops: Client) -> None:
    where = account()
    offer()
    assert 'class="old"' not in text(ops, URL)
    read(where, timedelta(hours=9))
    assert 'class="old"' in text(ops, URL)


def test_the_history_of_every_gpu_is_one_statement_and_the_lowest_of_all_vendors(
    django_assert_num_queries: Any,
) -> None:
    today = timezone.now().astimezone(UTC).date()
    for provider, gpu, ago, low in (
        ("runpod", "H100", 89, "2"), ("vast", "H100", 89, "1.5"), ("vast", "H100", 0, "1.25"),
        ("vast", "H100", 90, "9"), ("runpod", "L4", 1, "0.3"),
    ):  # fmt: skip
        day = {"day": today - timedelta(days=ago), "offers": 1}
        OfferDay.objects.create(
            provider=provider, gpu=gpu, kind="spot", **day, low=Decimal(low), median=Decimal(9), high=Decimal(9)
        )
    with django_assert_num_queries(1):
        found = histories([("H100", "spot"), ("L4", "spot"), ("T4", "spot")], today)
    assert set(found) == {("H100", "spot"), ("L4", "spot")}
    assert (found["H100", "spot"].lows[0], found["H100", "spot"].lows[-1]) == (Decimal("1.5"), Decimal("1.25"))
    assert found["H100", "spot"].known == [Decimal("1.5"), Decimal("1.25")]
    assert histories([("H100", "spot")], today, ["runpod"])["H100", "spot"].known == [Decimal(2)]
    with django_assert_num_queries(1):
        assert histories([], today) == {}


def test_every_column_sorts_both_ways_and_what_has_no_figure_stands_last(ops: Client) -> None:
    account()
    lease(account("vast", "vast"), gpu="B", price_per_hour=Decimal(4))
    publish("B", 100.0)
    publish("C", 50.0)
    offer(1, gpu="A", kind="spot", price_per_gpu_hour=Decimal(1), memory_gb=None)
    offer(2, gpu="B", kind="on_demand", price_per_gpu_hour=Decimal(2), memory_gb=Decimal(80), reliability=0.9)
    offer(3, gpu="C", kind="serverless", price_per_gpu_hour=Decimal(3), memory_gb=Decimal(24), provider="vast",
          reliability=0.99, seen_at=timezone.now() - timedelta(hours=1))  # fmt: skip
    for sort, order in {
        "gpu": "ABC", "kind": "BCA", "where": "ABC", "price": "ABC", "month": "ABC", "memory": "CBA", "per_gb": "BCA",
        "per_million": "BCA", "reliability": "BCA", "seen": "CAB", "saving": "BAC",
    }.items():  # fmt: skip
        assert "".join(shown(ops, sort=sort, model="mistral-7b")) == order, sort
    for sort in ("memory", "per_gb", "per_million", "reliability"):
        assert shown(ops, sort=f"-{sort}", model="mistral-7b")[-1] == "A", sort
    assert shown(ops, sort="-saving")[0] == "B"
    page = text(ops, URL, model="mistral-7b")
    for sort in ("gpu", "kind", "where", "memory", "month", "per_gb", "per_million", "reliability", "seen", "saving"):
        assert f"sort=-{sort}" in page or f"sort={sort}" in page, sort


def test_a_list_in_any_order_is_turned_to_its_end(ops: Client) -> None:
    account()
    publish("GPU 3", 90.0)
    for n in range(70):
        offer(n, gpu=f"GPU {n % 7}", price_per_gpu_hour=Decimal(n % 3 + 1), reliability=n / 70 if n % 2 else None)
    for sort in ("-saving", "per_million", "-reliability", "per_gb", "-where"):
        seen, url = 0, f"{URL}?sort={sort}&model=mistral-7b"
        while url:
            page = text(ops, url)
            seen += page.count("<tr data-row")
            found = re.search(r'href="(/providers/offers/\?[^"]*cursor=[^"]+)"[^>]*rel="next"', page)
            url = found[1].replace("&amp;", "&") if found else ""
        assert seen == 70, sort


def publish(gpu: str, rate: float, **more: Any) -> None:
    known = {
        "model": "mistral-7b",
        "name": "Mistral 7B",
        "engine": "vllm",
        "basis": "aggregate",
        "source": "A benchmark",
    }
    Throughput.objects.create(gpu=gpu, low=rate, high=rate, **known | more)


def test_a_million_tokens_are_priced_by_the_speed_that_is_known_with_its_source(ops: Client) -> None:
    account()
    offer(price_per_gpu_hour=Decimal("0.36"))
    offer(2, gpu="T4", price_per_gpu_hour=Decimal("0.40"))
    publish("RTX 4090", 80.0, basis="single_stream", source_url="https://example.com/speed")
    page = text(ops, URL, model="mistral-7b")
    # 0.36 USD an hour over 80 x 3600 tokens; of the T4 nothing is known.
    assert "</span> 1.25 </td>" in page and "for one stream, so an upper limit" in page
    assert '<a href="https://example.com/speed">A benchmark, vllm</a>' in page
    assert page.count("1.25 </td>") == 1
    rented = lease(Account.objects.get())
    deployment("ours", name="Ours", model="mistral-7b", lease=rented, tokens_per_second=400.0)
    page = text(ops, URL, model="mistral-7b")
    assert "deployment Ours" in page and "0.25 </td>" in page and "upper limit" not in page
    assert "M tokens" not in text(ops, URL, model="nobody-knows-it") and "M tokens" not in text(ops, URL)


def test_a_speed_of_several_gpus_is_divided_by_them(ops: Client) -> None:
    account()
    offer(price_per_gpu_hour=Decimal("0.36"))
    publish("RTX 4090", 400.0, gpu_count=4)
    assert "1.00 </td>" in text(ops, URL, model="mistral-7b")


def test_what_has_no_price_of_now_saves_nothing_and_is_said_to_be_old(ops: Client) -> None:
    where = account()
    lease(where)
    offer(price_per_gpu_hour=Decimal("0.10"))
    assert "saves $219 a month" in text(ops, URL)
    read(where, timedelta(hours=9))
    page = text(ops, URL)
    assert "saves" not in page and "price is old" in page
    assert "RunPod’s prices are from" in page and "may no longer hold" in page
    assert shown(ops, cheaper="on") == []


def test_the_disk_of_a_machine_that_stands_still_is_no_price_of_its_gpu(ops: Client) -> None:
    lease(account(), state="stopped", price_per_hour=Decimal("0.01"))
    offer(price_per_gpu_hour=Decimal("0.30"))
    page = text(ops, URL)
    assert "not cheaper" not in page and "Matching offers" in page
    assert 'class="now"' not in text(ops, "/providers/")


def test_a_machine_that_costs_besides_its_gpu_is_part_of_what_is_compared(ops: Client) -> None:
    lease(account())  # an RTX 4090 for 0.40
    offer(1, price_per_gpu_hour=Decimal("0.30"), machine_per_gpu_hour=Decimal("0.20"))
    publish("RTX 4090", 100.0)
    page = text(ops, URL, model="mistral-7b")
    assert "saves" not in page and "365.00" in page and "1.39 </td>" in page
    assert shown(ops, cheaper="on") == []
    Offer.objects.update(machine_per_gpu_hour=Decimal("0.05"))
    assert "saves $36 a month" in text(ops, URL) and shown(ops, cheaper="on", sort="-saving") == ["RTX 4090"]


def test_the_page_takes_as_many_statements_for_many_offers_as_for_few(ops: Client) -> None:
    lease(account())
    for n in range(3):
        offer(n)
    text(ops, URL)
    with CaptureQueriesContext(connection) as few:
        text(ops, URL)
    for n in range(3, 200):
        offer(n, gpu=f"GPU {n % 40}", provider=("runpod", "vast")[n % 2], price_per_gpu_hour=Decimal(n))
    with CaptureQueriesContext(connection) as many:
        text(ops, URL)
    assert len(many) == len(few)
    assert len(many) <= ceiling(URL)


def test_a_gpu_whose_machine_costs_extra_is_compared_with_it_everywhere(ops: Client) -> None:
    where = account()
    lease(where, price_per_hour=Decimal("0.40"))
    offer(1, provider="google", price_per_gpu_hour=Decimal("0.25"), machine_per_gpu_hour=Decimal("0.20"))
    offer(2, price_per_gpu_hour=Decimal("0.34"))
    page = text(ops, URL)
    assert "from <b>$0.34 an hour</b>" in page and "GPU 0.2500, host 0.2000" in page
    assert re.findall(r'<td class="num strong" data-label="[^"]*"> (0\.\d{4})', page) == ["0.3400", "0.4500"]
    assert shown(ops, max_price="0.30") == [] and shown(ops, max_price="0.45") == ["RTX 4090", "RTX 4090"]
    assert "from <b>$0.34 an hour</b>" in text(ops, URL, max_price="0.45")
    assert "1 offer is cheaper than ours" in page
    assert "The same RTX 4090 is available for <b>$0.34</b> at RunPod." in text(ops, "/providers/")
    items = ops.get("/api/v1/offers?sort=price&max_price=0.44").json()["items"]
    assert [(one["price_per_gpu_hour"], one["whole_per_gpu_hour"]) for one in items] == [("0.340000000000",) * 2]


def test_the_history_of_a_price_has_the_machine_in_it() -> None:
    row = OfferRow(
        *("google", "t4", "T4", 1, 16, "on_demand", Decimal("0.35"), "europe-west4", True),
        machine_per_gpu_hour=Decimal("0.19"),
    )
    now = timezone.now()
    read = account("google", "google")
    for _ in range(2):  # the second time it is updated
        store_offers(read, [row], now)
    day = OfferDay.objects.get(provider="google")
    assert (day.low, day.median, day.high) == (Decimal("0.54"),) * 3
    assert Offer.objects.get(provider="google").whole_per_gpu_hour == Decimal("0.54")


def test_days_that_were_given_a_machine_say_so_on_the_page_and_in_the_api(ops: Client) -> None:
    offer(1, provider="google", gpu="T4", price_per_gpu_hour=Decimal("0.35"), machine_per_gpu_hour=Decimal("0.19"))
    offer(2, gpu="RTX 4090", price_per_gpu_hour=Decimal("0.34"))
    today = timezone.now().astimezone(UTC).date()
    prices = {name: Decimal("0.54") for name in ("low", "median", "high")}
    for ago in (9, 3, 0):
        for provider, gpu in (("google", "T4"), ("runpod", "RTX 4090")):
            day = {"day": today - timedelta(days=ago), "offers": 1, "kind": "on_demand"}
            OfferDay.objects.create(provider=provider, gpu=gpu, **day, **prices)
    # As an installation of before 0.1.0 has it; in a new one no day is estimated.
    OfferDay.objects.filter(gpu="T4", day__lte=today - timedelta(days=3)).update(estimated=True)
    found = OfferDay.objects.filter(estimated=True).order_by("day").values_list("gpu", "day")
    assert list(found) == [("T4", today - timedelta(days=9)), ("T4", today - timedelta(days=3))]
    page = text(ops, URL)
    assert page.count("host price estimated until") == 1
    told = ops.get("/api/v1/offers/history?gpu=T4").json()["items"]
    assert [one["estimated"] for one in told] == [False, True, True]
