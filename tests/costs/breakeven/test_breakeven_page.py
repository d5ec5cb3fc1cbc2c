"""The Break-even page, its what-if and the research's scenarios: who may see them, and what they say."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from costs.breakeven import compute, sensitivity
from costs.breakeven import page as breakeven_page
from costs.breakeven.sensitivity import tornado
from costs.breakeven.volume_rows import volume_rows
from costs.defaults import ensure_defaults
from providers.models import Offer
from tests.costs.breakeven_rows import D, offer, steady_days, traffic, with_body
from tests.costs.people import client_of, text
from tests.costs.prices import price
from tests.costs.usage_rows import usage
from tests.factories import AccountFactory, DeploymentFactory, LeaseFactory
from tests.query_ceilings import ceiling
from traffic.models import Rating, UsageHour

__all__ = ["traffic"]  # a fixture

PAGES = ("/break-even/", "/break-even/break-even.json", "/break-even/scenarios/", "/decide/", "/decide/sizing/")


# Who may.


@pytest.mark.parametrize("url", PAGES)
def test_a_stranger_is_sent_to_the_login(db: Any, url: str) -> None:
    answer = Client().get(url)
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={url}")


@pytest.mark.parametrize(("role", "status"), [("staff", 403), ("ops", 200), ("manager", 200)])
def test_managers_and_ops_see_the_pages_and_staff_do_not(db: Any, role: str, status: int) -> None:
    ensure_defaults()
    client = client_of(role)
    assert [client.get(url).status_code for url in PAGES] == [status] * len(PAGES)


# What the page says.


def test_without_traffic_the_page_says_so_and_shows_the_research(db: Any) -> None:
    page = text(client_of("manager"), "/break-even/")
    assert "No requests yet" in page
    assert "135,239" in page


def test_past_the_crossing_the_saving_is_told(traffic: None) -> None:
    steady_days()
    page = text(client_of("manager"), "/break-even/")
    assert "It is cheaper above <b>about 135,000 (" in page
    assert "Self-hosting saves <b>about " in page
    assert "where we are" in page


def test_under_a_week_of_traffic_no_side_is_called_cheaper(traffic: None) -> None:
    steady_days(6)
    page = text(client_of("manager"), "/break-even/")
    assert "There is not enough data to judge a saving at <b>" in page
    assert "saves <b>$" not in page


def test_short_of_the_crossing_the_api_is_cheaper(traffic: None) -> None:
    steady_days()
    page = text(client_of("manager"), "/break-even/?requests=30,000")
    assert "With your changes: Self-hosting is cheaper above <b>about 135,000 (" in page
    assert "Below that, at our volume, the API costs <b>" in page


def test_cheaper_is_refused_where_answers_are_rated_significantly_worse(traffic: None) -> None:
    steady_days()
    today = timezone.now().astimezone(UTC).date()
    own = DeploymentFactory.create(slug="own", name="Own", url="http://x")
    for deployment, bad in ((own, 60), (None, 5)):
        Rating.objects.bulk_create(
            Rating(day=today, by=f"p{n}", response_id=f"{deployment}{n}", score=-1 if n < bad else 1, task="rag",
                   deployment=deployment, model="claude-sonnet-4-5")
            for n in range(100)
        )  # fmt: skip
    page = text(client_of("manager"), "/break-even/")
    assert "Its answers are rated significantly worse, so it is not called cheaper" in page
    assert "Not called cheaper, because rated quality" in page
    assert "self-hosted, rated worse" in page
    assert '<span class="state ok">our GPU</span>' not in page


def test_the_sum_is_written_out_and_both_cost_bases_stand_there(traffic: None) -> None:
    page = text(client_of("manager"), "/break-even/?speed=85&peak=1")
    assert "1 × $0.34 an hour × 730 h" in page
    assert "self-hosted, full rental" in page
    assert "self-hosted, busy time only" in page
    assert "Capacity used: tokens served of those that would fit</dt> <dd>19 %" in page


def test_every_crossing_counts_all_requests_with_the_routable_beside(traffic: None) -> None:
    page = text(client_of("manager"), "/break-even/?cached=100&requests=30000")
    row = page.split("self-hosting is cheaper above</th>")[1].split("</tr>")[0]
    assert '<td class="num strong">135,239<span class="secondary">not enough data</span></td>' in row
    assert '<td class="num">94,667</td>' in row


def test_other_gpus_are_the_cheapest_offer_of_each(traffic: None) -> None:
    offer("RTX 4090", "0.30")
    offer("RTX 4090", "0.60")
    offer("L4", "0.20", provider="vast")
    offer("T4", "0.05", memory=8)
    page = text(client_of("manager"), "/break-even/")
    assert "Lowest break-even of the GPUs on offer: Vast.ai L4" in page
    assert "T4" not in page
    assert page.count("<td>on demand</td>") == 2
    assert 'href="?gpu=runpod/RTX+4090/on_demand#what-if"' in page


# The what-if.


def test_the_what_if_lives_in_the_address_and_the_same_is_there_as_json(traffic: None) -> None:
    steady_days()
    client = client_of("manager")
    query = "requests=30000&routable=100&tokens_in=500&tokens_out=200&cached=100&model=2026-01/claude-sonnet-4-5"
    page = text(client, f"/break-even/?{query}&upkeep=50&price=0.34")
    assert 'value="30000"' in page
    assert "<b>about 94,700 (" in page
    json_url = page.split('href="/break-even/break-even.json?')[1].split('"')[0].replace("&amp;", "&")
    answer = client.get(f"/break-even/break-even.json?{json_url}").json()
    assert answer["crossings"][0]["requests_per_month"] == 94_667
    assert (answer["api_cost"], answer["selfhost_cost"]) == ("94.50", "298.20")


def test_empty_fields_leave_the_address(traffic: None) -> None:
    client = client_of("manager")
    answer = client.get("/break-even/?requests=5&gpu=&model=&peak=")
    assert (answer.status_code, answer["Location"]) == (302, "/break-even/?requests=5")
    swapped = client.get("/break-even/?requests=5&gpu=", headers={"HX-Request": "true"})
    assert (swapped.status_code, swapped["HX-Push-Url"]) == (200, "/break-even/?requests=5")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("requests=-5", "requests"),
        ("requests=many", "requests"),
        ("routable=120", "routable"),
        ("routable=half", "routable"),
        ("second=0.0004", "speed"),
        ("peak=0.5", "peak"),
        ("gpu=nobody/none/none", "gpu"),
        ("model=2026-01/gpt", "model"),
    ],
)
def test_what_cannot_be_worked_out_is_said_at_its_field(traffic: None, query: str, field: str) -> None:
    client = client_of("manager")
    answer = client.get(f"/break-even/?{query}")
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert "The live result is shown below" in answer.content.decode()
    assert client.get(f"/break-even/break-even.json?{query}").status_code == 422


def test_a_serverless_offer_is_billed_by_the_second(traffic: None) -> None:
    offer("RTX 4090", "1.44", kind="serverless")
    answer = client_of("manager").get("/break-even/break-even.json?gpu=runpod/RTX 4090/serverless&speed=85").json()
    assert answer["gpus"] is None
    assert answer["inputs"]["selfhost"]["price_per_second"] == "0.0004"


def test_the_leases_own_capacity_holds_for_its_own_gpu_alone(traffic: None) -> None:
    account = AccountFactory.create(slug="r", name="R", kind="runpod")
    lease = LeaseFactory.create(
        account=account, external_id="p", price_per_hour=D("0.34"), started_at=timezone.now(),
        seen_at=timezone.now(),
    )  # fmt: skip
    DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=lease, tokens_per_second=900)
    offer("RTX 4090", "0.30")
    offer("H100", "2", memory=80)
    client = client_of("manager")
    speeds = [
        client.get(f"/break-even/break-even.json?gpu=runpod/{gpu}/on_demand").json()["inputs"]["selfhost"]
        for gpu in ("RTX 4090", "H100")
    ]
    assert [own["gpu_tokens_per_second"] for own in speeds] == ["900", None]


def test_the_page_takes_as_many_statements_for_many_offers_and_models(
    traffic: None, django_assert_max_num_queries: Any
) -> None:
    client = client_of("manager")
    for n in range(12):
        offer(f"GPU {n}", f"0.{n + 10}")
        price(f"claude-{n}")
        usage(UsageHour, hour=timezone.now() - timedelta(hours=n + 1), model=f"claude-{n}", requests=1, output=1)
    client.get("/break-even/")
    with django_assert_max_num_queries(ceiling("/break-even/ with 12 offers and models")):
        client.get("/break-even/")


# The scenarios.


def test_scenarios_show_january_beside_today_and_tell_the_slips(db: Any) -> None:
    offer("RTX 4090", "0.40")
    offer("RTX 4090", "0.25", kind="spot")
    page = text(client_of("manager"), "/break-even/scenarios/")
    assert "cost <b>$36 to $1,473 a month</b> in January 2026" in page
    assert "1 of them has a price today" in page
    assert '<td class="num">292.00</td>' in page  # 0.40 x 730 h
    assert "no offer" in page
    assert "In 23 places the note does not follow from its own figures" in page
    assert "30 % stays on the API: the budget breaks at about 160,000 requests" in page
    assert page.count("state warn") == 1  # B, committed for three years


def test_a_machine_that_is_paid_besides_its_gpu_stands_for_the_sheets_vm(db: Any) -> None:
    offer("T4", "0.35", provider="google")
    Offer.objects.update(machine_per_gpu_hour=D("0.20"))
    page = text(client_of("manager"), "/break-even/scenarios/")
    # 0.35 and 0.20 for 720 h each, and the sheet's storage of 17.
    assert '<td class="num">413.00</td>' in page
    assert "the GPU costs the same; the machine around it $24.00 a month more" in page
    assert "the offer’s machine stands for the sheet’s VM" in page


# Pure.


@pytest.mark.parametrize(
    ("body", "kind", "crossing"),
    [
        ({"requests_per_month": 0}, "no_traffic", 94_666),
        ({"requests_per_month": 30_000}, "ahead", 94_666),
        ({"requests_per_month": 100_000}, "pays", 94_666),
        ({"selfhost": {"gpu_hourly": 0, "fixed_monthly": 0}}, "always", None),
        ({"selfhost": {"gpu_hourly": 50, "gpu_tokens_per_second": 1}}, "never", None),
    ],
)
def test_the_sentence_is_the_one_that_fits(body: dict[str, Any], kind: str, crossing: int | None) -> None:
    inputs = with_body(**body)
    found = breakeven_page.answer(inputs, compute(inputs), None, refused=False)
    assert (found.kind, found.crossing) == (kind, crossing)


def test_a_step_that_crosses_back_is_told() -> None:
    inputs = with_body(requests_per_month=130_000, selfhost={"gpu_tokens_per_second": 9})
    found = breakeven_page.answer(inputs, compute(inputs), D("0.1"), refused=False)
    assert found.kind == "again"
    assert found.crossing is not None
    assert found.crossing > 130_000
    assert found.days is not None


def test_time_to_cross_follows_the_growth_of_the_run_rate() -> None:
    today = date(2026, 9, 30)
    requests = {today - timedelta(days=n): 1000 if n > 30 else 2000 for n in range(1, 91)}
    rates = breakeven_page.run_rates(requests, today)
    assert rates[-1] == (today, 60_000)
    assert breakeven_page.growth(rates) == 1
    inputs = with_body(requests_per_month=60_000)
    found = breakeven_page.answer(inputs, compute(inputs), D(1), refused=False)
    assert found.days == 21  # log2(94,666 / 60,000) months


def test_a_run_rate_needs_thirty_days_behind_it() -> None:
    today = date(2026, 9, 30)
    assert breakeven_page.run_rates({}, today) == []
    assert breakeven_page.run_rates({today - timedelta(days=5): 10}, today) == []
    assert breakeven_page.growth([(today, 10)]) is None


def test_past_since_is_the_day_after_the_last_one_below() -> None:
    rates = [(date(2026, 9, n), rate) for n, rate in ((1, 90), (2, 110), (3, 95), (4, 120), (5, 130))]
    assert breakeven_page.past_since(rates, 100) == date(2026, 9, 4)
    assert breakeven_page.past_since(rates, 200) is None
    assert breakeven_page.past_since(rates, 10) is None


def test_the_curve_begins_with_the_first_gpu() -> None:
    inputs = with_body(requests_per_month=30_000, selfhost={"gpu_tokens_per_second": 85})
    curve = breakeven_page.drawn(inputs, compute(inputs))["curve"]
    assert [(row["requests_per_month"], row["gpus"]) for row in curve[:2]] == [(0, 0), (1, 1)]
    assert curve[1]["selfhost"] == D("298.2")


def test_the_volumes_hold_the_researchs_table_and_where_we_are() -> None:
    inputs = with_body(requests_per_month=106_700)
    rows = volume_rows(inputs, compute(inputs))
    assert [row.n for row in rows] == [30_000, 94_666, 100_000, 106_700, 126_412, 300_000, 1_000_000]
    assert [row.here for row in rows].count(True) == 1
    assert [round(row.api) for row in rows if not row.note] == [95, 315, 945, 3150]


def test_a_volumes_row_is_what_the_engine_says() -> None:
    inputs = with_body(requests_per_month=1_000_000, selfhost={"gpu_tokens_per_second": 85, "peak_factor": 3})
    row = volume_rows(inputs, compute(inputs))[-1]
    result = compute(inputs)
    assert (row.n, row.api, row.selfhost, row.gpus) == (1_000_000, result.api_cost, result.selfhost_cost, 3)
    assert row.utilisation == result.utilisation


def test_the_widest_swing_stands_first_and_the_scale_holds_all() -> None:
    found = tornado(sensitivity(with_body(routable_share=0.7)), 100_000)
    widths = [row.most - row.least for row in found.rows if row.most is not None and row.least is not None]
    assert widths == sorted(widths, reverse=True)
    assert all(found.low <= (row.least or 0) and (row.most or 0) <= found.high for row in found.rows)


def test_without_a_request_no_page_has_a_total(db: Any) -> None:
    client = client_of("manager")
    page, decide = text(client, "/break-even/"), text(client, "/decide/")
    assert "No requests yet, so there is no run rate. With the assumed figures below" in page
    assert "No total: there are no requests yet" in page and "of the requests are self-hosted" not in page
    assert ">0.00<" not in decide and ">298.20<" not in decide
