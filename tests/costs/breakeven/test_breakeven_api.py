"""Break-even, scenarios and scorecard as outside programs read them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from costs.models import NoGo, PriceSheet
from costs.price_sheets.sheets import load, raw
from tests.costs.prices import price
from tests.costs.usage_rows import ends_of_window, usage
from tests.factories import ApplicationFactory, DeploymentFactory
from tests.query_ceilings import ceiling
from traffic.authentication.keys import callers, create_key
from traffic.models import LatencyDay, Rating, UsageDay, UsageHour

EXAMPLE: dict[str, Any] = {
    "price_sheet": "2026-01", "api_model": "claude-sonnet-4-5", "input_tokens": 500, "output_tokens": 200,
    "cache_read_share": 1.0, "cache_write_tokens": 1000, "batch_share": 0, "requests_per_month": 30000,
    "routable_share": 1.0,
    "selfhost": {"billing": "hourly", "gpu_hourly": "0.34", "hours_per_month": 730, "price_per_second": None,
                 "cold_start_seconds": 0, "fixed_monthly": "50", "storage_monthly": "0", "gpu_tokens_per_second": None,
                 "peak_factor": 1.0},
}  # fmt: skip
Post = Callable[..., Any]


# What a GPU's vendor may charge beside it; nothing in the example.
BESIDE = {"vm_hourly", "disk_gb", "disk_per_gb_month", "egress_per_gb"}


@pytest.fixture
def reader(db: Any) -> dict[str, str]:
    callers.clear()
    secret = create_key(name="reader", scopes=["read"])[1]
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def sheet(db: Any) -> PriceSheet:
    known = load()
    defaults = {"title": known.title, "dated": known.dated, "source": "note", "figures": raw()}
    return PriceSheet.objects.get_or_create(slug="2026-01", defaults=defaults)[0]


@pytest.fixture
def post(reader: dict[str, str], sheet: PriceSheet) -> Post:
    """Sends the contract's example with changes; those of `selfhost` by their own name."""

    def send(body: Any = None, **changes: Any) -> Any:
        sent = copy.deepcopy(EXAMPLE) if body is None else body
        for name, value in changes.items():
            (sent["selfhost"] if name in EXAMPLE["selfhost"].keys() | BESIDE else sent)[name] = value
        return Client().post("/api/v1/break-even", sent, content_type="application/json", headers=reader)

    return send


def get(path: str, reader: dict[str, str]) -> Any:
    answer = Client().get(f"/api/v1/{path}", headers=reader)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_contracts_example_answers_the_researchs_figures(post: Post) -> None:
    answer = post().json()
    assert (answer["api_cost"], answer["selfhost_cost"], answer["api_cost_per_request"]) == (
        "94.50375", "298.20", "0.00315",
    )  # fmt: skip
    assert (answer["gpus"], answer["cheaper"], answer["utilisation"]) == (1, "api", None)
    crossing = answer["crossings"][0]
    assert (crossing["requests_per_month"], crossing["from"], crossing["to"]) == (94_666, "api", "selfhost")
    assert len(answer["crossings"]) == 1
    assert answer["cost_per_mtok"]["selfhost_used"] is None
    assert answer["curve"][0].keys() == {"requests_per_month", "api", "selfhost", "gpus"}


def test_with_seventy_per_cent_routable_the_crossing_counts_all_requests(post: Post) -> None:
    crossing = post(routable_share=0.7).json()["crossings"][0]
    assert (crossing["requests_per_month"], crossing["routed_requests"]) == (135_239, 94_667)


def test_serverless_has_no_staircase_and_wins_from_the_first_request(post: Post) -> None:
    answer = post(billing="per_second", price_per_second="0.0004", gpu_tokens_per_second=85, fixed_monthly="0").json()
    assert answer["gpus"] is None
    assert answer["cheaper"] == "selfhost"
    assert [crossing["requests_per_month"] for crossing in answer["crossings"] if crossing["to"] == "api"] == []
    assert Decimal(answer["selfhost_cost"]) == pytest.approx(Decimal("28.235294"), abs=Decimal("0.0001"))


def test_a_known_capacity_makes_a_staircase(post: Post) -> None:
    answer = post(requests_per_month=1_000_000, gpu_tokens_per_second=85, peak_factor=3.0).json()
    assert answer["gpus"] == 3
    assert Decimal(answer["selfhost_cost"]) == 3 * Decimal("248.2") + 50
    assert answer["utilisation"] == pytest.approx(200e6 / 2_628_000 / 255)
    used, allocated = answer["cost_per_mtok"]["selfhost_used"], answer["cost_per_mtok"]["selfhost_allocated"]
    assert float(used) == pytest.approx(float(allocated) * answer["utilisation"])
    steps = {point["gpus"] for point in answer["curve"]}
    assert {1, 2, 3} <= steps


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"requests_per_month": -1}, ["requests_per_month"]),
        ({"requests_per_month": 1.5}, ["requests_per_month"]),
        ({"routable_share": 1.2}, ["routable_share"]),
        ({"cache_read_share": None}, ["cache_read_share"]),
        ({"input_tokens": "many"}, ["input_tokens"]),
        ({"price_sheet": "1999-01"}, ["price_sheet"]),
        ({"api_model": "nobody"}, ["api_model"]),
        ({"price_sheet": "live", "api_model": "no\0body"}, ["api_model"]),
        ({"unknown_key": 1}, ["unknown_key"]),
        ({"billing": "weekly"}, ["selfhost", "billing"]),
        ({"gpu_hourly": "-0.1"}, ["selfhost", "gpu_hourly"]),
        ({"peak_factor": 0.5}, ["selfhost", "peak_factor"]),
        ({"billing": "per_second", "price_per_second": "0.0004"}, ["selfhost", "gpu_tokens_per_second"]),
    ],
)
def test_what_is_wrong_is_named(post: Post, changes: dict[str, Any], loc: list[str]) -> None:
    answer = post(**changes)
    assert answer.status_code == 422
    said = answer.json()
    assert said["detail"]
    assert [error["loc"] for error in said["errors"]] == [["body", *loc]]
    assert all(error["msg"] for error in said["errors"])


@pytest.mark.parametrize("body", [[], '"text"', "7"])
def test_a_body_that_is_no_object_is_refused(post: Post, body: Any) -> None:
    answer = post(body)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_a_key_left_out_is_live(post: Post, reader: dict[str, str]) -> None:
    price("claude-sonnet-5-5", uncached_input=2, output=10)
    first, _last = ends_of_window()
    usage(UsageHour, hour=first, model="claude-sonnet-5-5", requests=300_000, uncached_input=3_000_000, output=600_000)
    live = get("break-even", reader)
    assert post({}).json() == live
    assert live["inputs"]["requests_per_month"] == 300_000
    assert live["inputs"]["routable_share"] == "0.7"
    changed = post({"requests_per_month": 10, "selfhost": {"fixed_monthly": "7"}}).json()
    assert changed["inputs"]["input_tokens"] == live["inputs"]["input_tokens"] == "10"
    assert Decimal(changed["inputs"]["selfhost"]["fixed_monthly"]) == 7


def test_a_price_per_second_alone_means_serverless(post: Post) -> None:
    sent = {**EXAMPLE, "selfhost": {"price_per_second": "0.0004", "gpu_tokens_per_second": 85}}
    assert post(sent).json()["gpus"] is None


@pytest.mark.parametrize(
    ("scenario", "totals"),
    [
        ("A", {"on_demand": 389, "cud_1y": 295, "cud_3y": 252, "spot_low": 210, "spot_high": 237}),
        ("B", {"on_demand": 703, "cud_3y": 458}),
        ("C", {"runpod": 248}),
        ("D", {"runpod": 1473, "gcp": 1387}),
        ("E", {"h120": 36, "h160": 48, "h240": 72, "h730": 219}),
    ],
)
def test_the_scenarios_cost_what_the_research_says(
    reader: dict[str, str], scenario: str, totals: dict[str, int]
) -> None:
    answer = get(f"scenarios/{scenario}", reader)
    assert (answer["id"], answer["price_sheet"]) == (scenario, "2026-01")
    found = {variant["slug"]: Decimal(variant["total"]) for variant in answer["variants"]}
    assert found.keys() == totals.keys()
    assert all(abs(found[slug] - total) <= 1 for slug, total in totals.items())
    for variant in answer["variants"]:
        assert sum(map(Decimal, variant["lines"].values())) == Decimal(variant["total"])


def test_an_unknown_scenario_is_not_there(reader: dict[str, str]) -> None:
    assert Client().get("/api/v1/scenarios/Z", headers=reader).status_code == 404


def test_the_scorecard_says_what_is_missing(reader: dict[str, str]) -> None:
    card = get("scorecard", reader)
    assert card["verdict"] == "not_yet"
    assert [row["slug"] for row in card["criteria"]] == ["quality", "latency", "saving", "reliability"]
    for row in card["criteria"]:
        assert row["holds"] is None
        assert row.keys() >= {"slug", "holds", "value", "threshold", "interval", "sample", "sentence"}
        assert len(row["sentence"]) > 20
    assert len(card["changes"]) == 4


def test_the_scorecard_reads_latency_and_ratings_of_our_own_deployments(reader: dict[str, str]) -> None:
    today = datetime.now(UTC).date()
    own = DeploymentFactory.create(slug="own", name="Own", url="http://x")
    usage(UsageHour, hour=ends_of_window()[1], provider="self", deployment_id=own.pk, leased=10)
    key = {"day": today, "application_id": 0, "deployment_id": own.pk, "model": "m", "task": "rag", "metric": 2}
    LatencyDay.objects.create(provider="self", bucket=280, n=190, **key)  # 254 ms
    LatencyDay.objects.create(provider="self", bucket=300, n=10, **key)
    LatencyDay.objects.create(provider="anthropic", bucket=400, n=900, **{**key, "deployment_id": 0})
    Rating.objects.bulk_create(
        Rating(day=today, by=f"p{n}", response_id=str(n), score=1 if n else -1, deployment=own, model="m", task="rag")
        for n in range(40)
    )
    criteria = {row["slug"]: row for row in get("scorecard", reader)["criteria"]}
    assert criteria["latency"]["sample"] == 200
    assert criteria["latency"]["value"] == pytest.approx(253.5, rel=0.01)
    assert criteria["latency"]["interval"][1] > criteria["latency"]["value"]
    assert criteria["latency"]["holds"] is True
    assert (criteria["quality"]["value"], criteria["quality"]["holds"], criteria["quality"]["sample"]) == (1, True, 40)


def test_a_persons_no_go_is_in_the_scorecard_until_it_is_withdrawn(reader: dict[str, str]) -> None:
    tick = NoGo.objects.create(reason="nobody on call")
    card = get("scorecard", reader)
    assert card["verdict"] == "no_go"
    assert any("nobody on call" in row["sentence"] for row in card["objections"])
    tick.withdrawn_at = timezone.now()
    tick.save()
    assert get("scorecard", reader)["verdict"] == "not_yet"


@pytest.mark.parametrize("path", ["break-even", "scorecard", "scenarios/A", "phases"])
def test_without_a_key_nothing_is_told(db: Any, path: str) -> None:
    assert Client().get(f"/api/v1/{path}").status_code == 401
    callers.clear()
    secret = create_key(name="writer", scopes=["ingest"])[1]
    assert Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {secret}"}).status_code == 403


def test_the_scorecard_takes_the_same_statements_whatever_there_is(
    reader: dict[str, str], django_assert_max_num_queries: Any
) -> None:
    for n in range(5):
        DeploymentFactory.create(slug=f"own-{n}", name="Own", url="http://x")
        usage(UsageHour, hour=timezone.now() - timedelta(hours=n + 1), model=f"m{n}")
    get("scorecard", reader)
    with django_assert_max_num_queries(ceiling("/api/v1/scorecard")):
        get("scorecard", reader)


def test_a_second_what_if_reads_no_traffic_again(post: Post, django_assert_max_num_queries: Any) -> None:
    usage(UsageHour, hour=timezone.now() - timedelta(hours=1), requests=600)
    first = post({"requests_per_month": 1000}).json()
    with django_assert_max_num_queries(ceiling("/api/v1/break-even for the second what-if")) as read:
        second = post({"requests_per_month": 2000}).json()
    assert not any("usage" in query["sql"] for query in read.captured_queries)
    assert first["inputs"]["prices"] == second["inputs"]["prices"]


def two_models() -> None:
    """Traffic of two models, the dearer one the main one, with cache writes of both kinds."""
    price("claude-sonnet-5-5", uncached_input=2, output=10)
    price("claude-haiku-4-5", uncached_input=1, output=5)
    hour = timezone.now() - timedelta(days=29, hours=23, minutes=59)
    usage(UsageHour, hour=hour, model="claude-sonnet-5-5", requests=600, uncached_input=60_000, cache_write_5m=3_000,
          cache_write_1h=1_000, output=6_000)  # fmt: skip
    usage(UsageHour, hour=hour, model="claude-haiku-4-5", requests=400, uncached_input=40_000, output=4_000)


def test_a_named_model_costs_its_own_list_price_also_where_it_is_the_main_one(post: Post) -> None:
    two_models()
    live = post({}).json()
    main = live["inputs"]["api_model"]
    assert main == "claude-sonnet-5-5"
    assert Decimal(live["inputs"]["prices"]["output"]) == 8
    named = post({"api_model": main}).json()
    rates = {"input": "2", "output": "10", "cache_write_5m": "3.75", "cache_read": "0.3", "batch_discount": "0.5"}
    assert named["inputs"]["prices"] == rates
    assert Decimal(named["api_cost_per_request"]) == (100 * Decimal(2) + 10 * Decimal(10)) / 1_000_000
    assert post({"price_sheet": None, "requests_per_month": 10}).json()["inputs"]["prices"] == live["inputs"]["prices"]


def test_a_named_model_has_the_live_cache_writes_on_top(post: Post) -> None:
    two_models()
    answer = post({"api_model": "claude-haiku-4-5"}).json()
    said = answer["inputs"]
    # A write of an hour costs 6, as 1.6 writes of five minutes do at 3.75.
    writes, n = Decimal(said["cache_write_tokens"]), said["requests_per_month"]
    assert writes == (3_000 + 1_600) * Decimal(n) / 1_000
    assert (said["input_tokens"], said["prices"]["cache_write_5m"]) == ("100", "3.75")
    per_request = Decimal(answer["api_cost_per_request"])
    assert abs(Decimal(answer["api_cost"]) - per_request * n - writes * Decimal("3.75") / 1_000_000) < Decimal("1e-9")
    without = post({"api_model": "claude-haiku-4-5", "cache_write_tokens": 0}).json()
    assert Decimal(without["api_cost"]) == per_request * n


def test_a_long_prompt_costs_what_its_tier_costs(post: Post) -> None:
    price("claude-haiku-5-5", uncached_input=Decimal("0.1"), output=Decimal("0.5"), over_tokens=100_000,
          over_uncached_input=Decimal("0.5"), over_output=Decimal("2.5"))  # fmt: skip
    sent = {"price_sheet": "live", "api_model": "claude-haiku-5-5", "requests_per_month": 1, "output_tokens": 0,
            "cache_read_share": 0, "cache_write_tokens": 0}  # fmt: skip
    costs = {tokens: post(sent, input_tokens=tokens).json()["api_cost"] for tokens in (100_000, 100_001, 200_000)}
    assert costs == {100_000: "0.01", 100_001: "0.0500005", 200_000: "0.10"}


@pytest.mark.parametrize("changes", [{}, {"gpu_tokens_per_second": 85}, {"routable_share": 0}, {"cache_read_share": 0}])
def test_the_curve_without_requests_is_the_answer_without_requests(post: Post, changes: dict[str, Any]) -> None:
    drawn = post(**changes).json()["curve"][0]
    asked = post(requests_per_month=0, **changes).json()
    assert drawn == asked["curve"][0]
    assert (drawn["requests_per_month"], drawn["api"], drawn["selfhost"], drawn["gpus"]) == (
        0, asked["api_cost"], asked["selfhost_cost"], asked["gpus"],
    )  # fmt: skip
    assert drawn["selfhost"] == ("50.00" if "gpu_tokens_per_second" in changes else "298.20")


def test_live_inputs_are_those_of_the_filtered_traffic(post: Post, reader: dict[str, str]) -> None:
    two_models()
    everything = get("break-even", reader)["inputs"]["requests_per_month"]
    haiku = get("break-even?provider=anthropic&model=claude-haiku-4-5", reader)["inputs"]
    assert (haiku["api_model"], haiku["prices"]["output"]) == ("claude-haiku-4-5", "5")
    assert haiku["requests_per_month"] == pytest.approx(everything * 0.4, abs=1)
    for nothing in ("application=nobody", "task=poetry", "deployment=none", "provider=openai"):
        assert get(f"break-even?{nothing}", reader)["inputs"]["requests_per_month"] == 0


def test_the_scorecard_judges_the_filtered_traffic(reader: dict[str, str]) -> None:
    two_models()
    today = timezone.now().date()
    for days in range(1, 8):  # a week, from which on a saving is judged
        usage(day=today - timedelta(days=days), model="claude-sonnet-5-5", requests=100, cost=Decimal("0.02"))
    rows = {path: get(path, reader)["criteria"][2] for path in ("scorecard", "scorecard?task=poetry")}
    states = {path: (row["holds"], row["state"]) for path, row in rows.items()}
    assert states == {"scorecard": (False, "not_met"), "scorecard?task=poetry": (None, "not_enough_data")}


def test_a_saving_is_not_judged_under_a_week_of_traffic(reader: dict[str, str]) -> None:
    two_models()
    row = get("scorecard", reader)["criteria"][2]
    assert (row["holds"], row["state"], row["interval"]) == (None, "not_enough_data", None)
    assert "Required: 7 days with traffic and known cost." in row["sentence"]


@pytest.mark.parametrize("path", ["break-even", "phases", "scorecard", "reconciliation", "spend"])
def test_every_read_declares_the_filters(path: str) -> None:
    schema = Client().get("/api/v1/openapi.json").json()["paths"][f"/api/v1/{path}"]["get"]
    named = {parameter["name"] for parameter in schema["parameters"] if parameter["in"] == "query"}
    assert named >= {"provider", "model", "application", "task", "deployment"}


def test_the_schema_of_a_what_if_is_what_the_server_takes(post: Post) -> None:
    operation = Client().get("/api/v1/openapi.json").json()["paths"]["/api/v1/break-even"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["additionalProperties"] is body["properties"]["selfhost"]["additionalProperties"] is False
    assert body["properties"].keys() == EXAMPLE.keys()
    assert body["properties"]["selfhost"]["properties"].keys() == EXAMPLE["selfhost"].keys() | BESIDE
    whole = body["properties"]["requests_per_month"]["anyOf"][0]
    assert whole == {"type": "integer", "minimum": 0, "maximum": 10**9}
    for keys in (body["properties"], body["properties"]["selfhost"]["properties"]):
        for name, said in keys.items():
            if not (ways := said.get("anyOf")) or "minimum" not in ways[0]:
                continue
            assert post(**{name: ways[0]["minimum"]}).status_code == 200, name
            assert post(**{name: ways[0]["maximum"]}).status_code == 200, name
            assert post(**{name: ways[0]["minimum"] - 1}).status_code == 422, name
            assert post(**{name: ways[0]["maximum"] * 2}).status_code == 422, name
            if {"type": "null"} not in ways:
                assert post(**{name: None}).status_code == 422, name


def test_the_api_says_which_model_stands_for_each_task_and_what_is_left_out(reader: dict[str, str]) -> None:
    price("claude-haiku-4-5", uncached_input=1, output=5)
    now = timezone.now()
    tokens = {"uncached_input": 100_000, "output": 10_000}
    for table, when in ((UsageDay, {"day": now.date()}), (UsageHour, {"hour": now - timedelta(hours=1)})):
        usage(table, **when, provider="self", model="mistral", requests=100, leased=100, **tokens)
        usage(table, **when, provider="self", model="mistral", task="qa", requests=50, leased=50, **tokens)
    usage(day=now.date() - timedelta(days=60), model="claude-haiku-4-5", requests=200)
    ApplicationFactory.create(slug="playground", test_only=True)
    live = get("break-even", reader)
    rag, qa = live["tasks"]
    assert (rag["task"], rag["api_model"], rag["api_model_because"]) == ("rag", "claude-haiku-4-5", "last_served")
    assert (rag["routable"], rag["requests"], rag["cost_per_request"]) == (True, 100, "0.0015")
    assert rag["api_cost"] == live["api_cost"]
    assert (qa["api_model"], qa["api_model_because"], qa["api_cost"], qa["left_out_requests"]) == (
        None,
        "none",
        None,
        50,
    )
    assert live["left_out_requests"] == 50
    assert (live["saving_interval"], live["verdict"], live["backtest"]) == (None, "not_enough_data", None)
    assert live["excluded_applications"] == ["playground"]
