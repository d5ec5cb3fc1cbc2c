"""The Decide page: the verdict with its evidence, what people decide, sizing and recipes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from costs.models import Justification, NoGo
from costs.price_sheets.sheets import load
from costs.readiness import inputs as evidence
from costs.readiness import services as decisions
from costs.readiness.criteria import latency
from costs.readiness.evidence import Evidence, Thresholds
from costs.readiness.inputs import RatedTask, quality_gap, quantile_interval, timing
from costs.readiness.sizing_page import matrix
from costs.sizing import memory as sizing
from costs.sizing import recipes
from costs.sizing.recipe_words import RecipeSetup
from providers.audit.log import AuditEntry
from providers.models import Deployment
from tests.costs.breakeven_rows import offer
from tests.costs.people import client_of, text
from tests.costs.readiness_rows import rated
from tests.factories import DeploymentFactory
from tests.query_ceilings import ceiling
from traffic.models import LatencyDay, UsageHour
from traffic.usage.reports import bucket_edges, bucket_value

D = Decimal


def verdict(client: Any) -> str:
    return str(client.get("/decide/").context["card"].verdict)


# The page.


def test_without_any_measurement_the_verdict_is_not_yet(db: Any) -> None:
    page = text(client_of("manager"), "/decide/")
    assert "Not enough data: 0 of 4 criteria can be evaluated, 0 are met." in page
    assert page.count('data-state="not_enough_data">Not enough data</span>') == 5, "four criteria and the whole"


def test_all_four_holding_is_a_go_with_the_evidence_beside(ready: Deployment) -> None:
    page = text(client_of("ops"), "/decide/")
    assert "GO: all 4 criteria are met." in page
    assert page.count('data-state="met">Met</span>') == 5, "four criteria and the whole"
    assert "60 ratings" in page
    assert "500 streams" in page
    assert "No blockers" in page


def test_what_would_change_the_verdict_is_said(ready: Deployment) -> None:
    LatencyDay.objects.update(bucket=330)  # 683 ms
    page = text(client_of("manager"), "/decide/")
    assert "NO-GO: 3 of 4 criteria are met. The first token would have to come within 500 ms." in page


def test_a_task_with_too_few_ratings_is_told_from_one_that_fails(ready: Deployment) -> None:
    rated(ready, 40, 10, task="qa")
    rated(ready, 5, 5, task="batch")
    page = text(client_of("manager"), "/decide/")
    assert [page.count(word) for word in ("passes</span>", "fails</span>", "too few ratings</span>")] == [1, 1, 1]


# What people decide.


def test_a_managers_no_go_holds_until_it_is_withdrawn(ready: Deployment) -> None:
    client = client_of("manager")
    assert verdict(client) == "go"
    assert client.post("/decide/no-go/", {"reason": "Two of us on call."}).status_code == 302
    page = text(client, "/decide/")
    assert "NO-GO: 4 of 4 criteria are met. Running it was judged too complex: Two of us on call." in page
    assert "No-go by a-manager" in page
    assert client.post("/decide/no-go/withdraw/").status_code == 302
    assert verdict(client) == "go"
    assert "withdrawn" in text(client, "/decide/")
    assert NoGo.objects.get().withdrawn_at is not None
    assert [entry.message for entry in AuditEntry.objects.order_by("pk")] == ["Two of us on call.", "Withdrawn."]


def test_people_stand_on_decide_by_their_names(ready: Deployment) -> None:
    client = client_of("manager")
    client.post("/decide/no-go/", {"reason": "Two of us on call."})
    User.objects.update(first_name="Ann", last_name="<Lee>")
    client.post("/decide/sign/", {"choice": "no_go", "statement": "We wait.", "seen": "no_go"})
    page, record = text(client, "/decide/"), text(client, "/decide/records/1/")
    assert "No-go by Ann &lt;Lee&gt;" in page and "<td>Ann &lt;Lee&gt;<span" in page and "a-manager<span" not in page
    assert '<span class="source">Ann &lt;Lee&gt;</span>' in record


def test_a_no_go_without_a_reason_is_refused(ready: Deployment) -> None:
    client = client_of("manager")
    answer = client.post("/decide/no-go/", {"reason": "  "})
    assert answer.status_code == 422
    assert "Enter a reason for other readers." in answer.content.decode()
    assert not NoGo.objects.exists()


def test_a_second_no_go_takes_the_place_of_the_first(ready: Deployment) -> None:
    client = client_of("manager")
    for reason in ("first", "second"):
        client.post("/decide/no-go/", {"reason": reason})
    assert [row.reason for row in NoGo.objects.standing()] == ["second"]


def test_a_switch_sets_the_money_aside_and_is_shown(ready: Deployment) -> None:
    client = client_of("manager")
    UsageHour.objects.update(requests=100, uncached_input=1, output=1)
    assert verdict(client) == "no_go"
    assert client.post("/decide/switches/", {"kind": "private", "reason": "patient files"}).status_code == 302
    page = text(client, "/decide/")
    assert "GO: all 3 criteria are met. The saving does not count" in page
    assert "patient files" in page
    assert client.post("/decide/switches/private/withdraw/").status_code == 302
    assert verdict(client) == "no_go"


def test_a_switch_that_is_none_is_refused(ready: Deployment) -> None:
    assert client_of("manager").post("/decide/switches/", {"kind": "fun", "reason": "x"}).status_code == 422


@pytest.mark.parametrize("url", ["no-go/", "no-go/withdraw/", "switches/", "switches/private/withdraw/"])
def test_only_who_may_decide_decides(db: Any, url: str) -> None:
    for role in ("ops", "staff"):
        assert client_of(role).post(f"/decide/{url}", {"reason": "x"}).status_code == 403
    assert client_of("manager").get(f"/decide/{url}").status_code == 405
    assert not NoGo.objects.exists()


def test_ops_see_the_verdict_without_the_forms(ready: Deployment) -> None:
    page = text(client_of("ops"), "/decide/")
    assert "A manager can veto with a reason" in page
    assert 'action="/decide/no-go/"' not in page


def test_a_reason_is_text_and_never_markup(ready: Deployment) -> None:
    client = client_of("manager")
    client.post("/decide/no-go/", {"reason": "<script>alert(1)</script>"})
    assert "<script>alert" not in client.get("/decide/").content.decode()


def test_one_switch_of_a_kind_stands(ready: Deployment) -> None:
    by = client_of("manager").session["_auth_user_id"]

    user = User.objects.get(pk=by)
    for reason in ("a", "b"):
        decisions.justify(kind="private", reason=reason, by=user)
    assert [row.reason for row in Justification.objects.standing()] == ["b"]


def test_the_page_takes_the_same_statements_whatever_there_is(
    ready: Deployment, django_assert_max_num_queries: Any
) -> None:
    client = client_of("manager")
    for n in range(6):
        own = DeploymentFactory.create(slug=f"own-{n}", name="Own", url="http://x")
        rated(own, 5, 5, task="qa")
        NoGo.objects.create(reason=str(n), withdrawn_at=timezone.now())
    client.get("/decide/")
    with django_assert_max_num_queries(ceiling("/decide/ with 6 deployments that were rated")):
        client.get("/decide/")


# The evidence. Pure but for the first.


def test_ratings_of_answers_without_a_deployment_go_by_the_model(ready: Deployment) -> None:
    rated(None, 12, 6)  # mistral is ours alone
    rated(None, 20, 20, days_ago=1, model="claude-sonnet-4-5")
    found = {row.task: row for row in evidence.read_report(timezone.now()).rated}["rag"]
    assert (found.recent, found.ours, found.theirs) == ((72, 63), (72, 63), (20, 20))


def test_ratings_older_than_a_month_count_for_the_comparison_alone(ready: Deployment) -> None:
    rated(ready, 10, 10, days_ago=60)
    rated(ready, 10, 10, days_ago=100)
    found = {row.task: row for row in evidence.read_report(timezone.now()).rated}["rag"]
    assert (found.recent[0], found.ours[0]) == (60, 70)


def test_the_gap_compares_task_by_task() -> None:
    """Ours serve the hard task alone and look worse over all, while on the shared task both are alike."""
    shared = RatedTask("rag", 100, (0, 0), ours=(400, 360), theirs=(400, 360))
    hard = RatedTask("reasoning", 900, (0, 0), ours=(400, 100), theirs=(0, 0))
    gap = quality_gap([shared, hard])
    assert gap is not None
    assert gap.low < 0 < gap.high
    assert round(gap.low + gap.high, 9) == 0
    assert quality_gap([hard]) is None
    worse = quality_gap([RatedTask("rag", 100, (0, 0), ours=(400, 280), theirs=(400, 360))])
    assert worse is not None
    assert worse.high < D("-0.05")


def test_a_percentile_comes_with_the_interval_of_its_rank() -> None:
    buckets = [(n, 10) for n in range(100, 200)]
    found = timing(buckets)
    assert found.count == 1000
    assert found.p50 == D(str(bucket_value(149)))
    assert found.p95 == D(str(bucket_value(194)))
    interval = found.p95_interval
    assert interval is not None
    assert interval.low == D(str(bucket_edges(193)[0]))
    assert interval.high == D(str(bucket_edges(196)[1]))
    assert quantile_interval([(100, 5)], D("0.95")) is None
    assert timing([]).p95 is None


def test_a_percentile_within_one_bucket_has_the_interval_of_the_bucket() -> None:
    """The sentence never says 348 ms (348 ms–348 ms): a bucket is 2 % wide."""
    shown = timing([(295, 5000)])
    assert shown.p95 is not None and shown.p95_interval is not None
    assert shown.p95_interval.low < shown.p95 < shown.p95_interval.high
    measured = Evidence(
        first_token_p95_ms=shown.p95, first_token_sample=shown.count, first_token_interval=shown.p95_interval
    )
    assert "takes 341 ms (338 ms–344 ms)" in latency(measured, Thresholds()).sentence


@pytest.mark.parametrize("bucket", [-32768, -10, 0, 295])
def test_a_bucket_lies_between_its_edges(bucket: int) -> None:
    low, high = bucket_edges(bucket)
    middle = bucket_value(bucket)
    assert middle is not None and low <= middle < high
    assert bucket == -32768 or high / low == pytest.approx(1.02, rel=1e-3)


# Sizing and recipes.


def test_sizing_tells_the_memory_and_the_gpus_that_hold_it(db: Any) -> None:
    offer("RTX 4090", "0.40")
    ops = client_of("ops")
    ops.cookies["reference"] = "on"  # whose throughputs these are
    page = text(ops, "/decide/sizing/?model=mistral-7b&precision=fp16&context=4096&concurrent=8")
    assert "Mistral 7B in 16-bit needs <b>19.7 GB</b> for 8 requests of 4,096 tokens at once" in page
    assert "RunPod RTX 4090" in page
    assert re.search(r'<td class="num"[^>]*>292\.00</td>', page)  # today's offer for 730 h
    assert "Offers now" in page
    assert "one stream: at least that" in page


def test_what_no_gpu_holds_is_said(db: Any) -> None:
    page = text(client_of("ops"), "/decide/sizing/?model=llama-70b&precision=fp16&context=1000000&concurrent=512")
    assert "No GPU of the sheet holds that" in page


@pytest.mark.parametrize("query", ["model=gpt", "precision=int2", "context=1", "concurrent=0", "concurrent=many"])
def test_what_cannot_be_sized_is_said_and_the_defaults_shown(db: Any, query: str) -> None:
    client = client_of("ops")
    if query == "concurrent=0":
        assert client.get(f"/decide/sizing/?{query}").status_code == 422
        return
    answer = client.get(f"/decide/sizing/?{query}")
    assert answer.status_code == 422
    assert "Mistral 7B in 16-bit needs" in answer.content.decode()


def test_our_memories_are_within_two_gb_of_the_notes() -> None:
    for row in matrix(load()):
        for cell in row["cells"]:
            if cell["note"]:
                assert cell["note"].low - 2 <= cell["ours"] <= cell["note"].high + 2


@pytest.mark.parametrize("precision", sizing.BITS)
@pytest.mark.parametrize("model", [model.slug for model in load().models])
def test_every_model_and_precision_has_its_recipes_without_what_is_stale(model: str, precision: str) -> None:
    found = recipes.recipes(RecipeSetup(model, precision, 4096, 8, gpus=2))
    assert [recipe.slug for recipe in found] == [
        "container-toolkit", "vllm", "vllm-compose", "tgi", "llama-cpp", "ollama", "runpod-vllm", "vast-vllm",
        "gcloud",
    ]  # fmt: skip
    commands = "\n".join(recipe.command for recipe in found)
    for stale in ("apt-key add", "nvidia-docker", "make ", "./main", "--quantization awq", "nvidia-driver-535"):
        assert not re.search(rf"(?<!c){re.escape(stale)}", commands.replace("cmake", "c")), stale
    assert "--maintenance-policy=TERMINATE" in commands
    assert "--tensor-parallel-size 2" in commands
    assert all(recipe.traps for recipe in found)


def test_eight_bits_by_tgi_tell_which_cards_can() -> None:
    found = {recipe.slug: recipe for recipe in recipes.recipes(RecipeSetup("mistral-7b", "int8", 4096, 8))}
    assert "--quantize fp8" in found["tgi"].command
    assert any("--quantize eetq" in trap for trap in found["tgi"].traps)
    plain = {recipe.slug: recipe for recipe in recipes.recipes(RecipeSetup("mistral-7b", "fp16", 4096, 8))}
    assert not any("eetq" in trap for trap in plain["tgi"].traps)


def test_an_awq_precision_takes_an_awq_checkpoint() -> None:
    command = {r.slug: r.command for r in recipes.recipes(RecipeSetup("mistral-7b", "awq", 4096, 8))}
    assert "Mistral-7B-Instruct-v0.3-AWQ" in command["vllm"]
    assert "--quantize awq" in command["tgi"]
    assert "-c 32768 --parallel 8" in command["llama-cpp"]
    assert "tensor-parallel" not in command["vllm"]
