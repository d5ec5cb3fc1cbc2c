"""Trials over the JSON API: who may start and stop one, what is refused, what a report has."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from providers.models import AuditEntry, Deployment, EngineBucket, Throughput
from tests.factories import ApplicationFactory, DeploymentFactory, LeaseFactory, TrialFactory
from tests.providers.people import in_role
from traffic.authentication.keys import callers, create_key
from traffic.models import AnswerSet, SetItem, Trial, TrialStep

pytestmark = pytest.mark.django_db

URL = "/api/v1/trials"


def key_of(*scopes: str) -> dict[str, str]:
    callers.clear()
    return {"authorization": f"Bearer {create_key(name='test', scopes=list(scopes))[1]}"}


def start(**changes: Any) -> Any:
    body = {"name": "Proof", "candidate": "ours", "baseline": "theirs", "prompts": [{"prompt": "Hi", "task": "chat"}],
            "concurrency": [1, 2], "seconds_per_step": 5, "cap_usd": "1.00"}  # fmt: skip
    return Client().post(URL, body | changes, "application/json", headers=key_of("trials"))


@pytest.fixture
def deployments() -> None:
    DeploymentFactory.create(slug="ours")
    DeploymentFactory.create(slug="theirs", provider="anthropic", engine="anthropic")


def test_a_trial_is_queued_with_its_prompts_and_is_in_the_audit_log(deployments: None) -> None:
    answer = start()
    assert (answer.status_code, answer.json()["state"]) == (201, "queued")
    trial = Trial.objects.get(pk=answer.json()["id"])
    assert (trial.candidate.slug, trial.baseline and trial.baseline.slug) == ("ours", "theirs")
    assert (trial.concurrency, trial.cap_usd) == ([1, 2], Decimal("1.00"))
    assert list(trial.prompts.values_list("text", "task")) == [("Hi", "chat")]
    entry = AuditEntry.objects.get(object_type="traffic.trial")
    assert (entry.actor, entry.action, entry.object_id) == ("test", "added", str(trial.pk))


def test_the_built_in_set_has_60_prompts_of_all_tasks_in_two_languages(deployments: None) -> None:
    answer = start(prompts="builtin", baseline=None)
    prompts = Trial.objects.get(pk=answer.json()["id"]).prompts
    assert prompts.count() == 60
    assert prompts.order_by().values("task").distinct().count() == 8
    assert prompts.filter(text__contains="perché").exists() and prompts.filter(text__contains="What").exists()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"candidate": "nobody"}, ["body", "candidate"]),
        ({"baseline": "ours"}, ["body", "baseline"]),
        ({"concurrency": []}, ["body", "concurrency"]),
        ({"concurrency": [0]}, ["body", "concurrency", 0]),
        ({"seconds_per_step": 0}, ["body", "seconds_per_step"]),
        ({"cap_usd": "-1"}, ["body", "cap_usd"]),
        ({"prompts": [{"prompt": "Hi", "task": "sports"}]}, ["body", "prompts", 0]),
        ({"prompts": [{"prompt": "  "}]}, ["body", "prompts", 0]),
    ],
)
def test_what_cannot_be_run_is_refused_at_its_place(
    deployments: None, changes: dict[str, Any], place: list[Any]
) -> None:
    answer = start(**changes)
    assert answer.status_code == 422
    assert place in [error["loc"] for error in answer.json()["errors"]]
    assert not Trial.objects.exists()


def test_a_key_of_an_application_starts_no_trial(deployments: None) -> None:
    shop = ApplicationFactory.create(slug="shop")
    secret = create_key(name="shop", scopes=["trials", "read"], application=shop)[1]
    headers = {"authorization": f"Bearer {secret}"}
    assert Client().post(URL, {}, "application/json", headers=headers).status_code == 403
    assert Client().get(f"{URL}/1", headers=headers).status_code == 403
    with pytest.raises(CommandError, match="no application"):
        call_command("create_key", "trials", application="shop")


def test_a_key_for_trials_follows_and_stops_its_trial() -> None:
    trial, headers = TrialFactory.create(), key_of("trials")
    assert Client().get(f"{URL}/{trial.pk}", headers=headers).json()["state"] == "queued"
    assert Client().post(f"{URL}/{trial.pk}/stop", headers=headers).json() == {"id": trial.pk, "state": "stopped"}
    assert AuditEntry.objects.filter(object_type="traffic.trial", message="stop").count() == 1
    assert Client().get(f"{URL}/{trial.pk}", headers=key_of("ingest")).status_code == 403
    assert Client().get(f"{URL}/999999", headers=key_of("read")).status_code == 404


def finished_trial(**facts: Any) -> Trial:
    lease = LeaseFactory.create(price_per_hour=Decimal("0.36"))
    candidate = DeploymentFactory.create(slug="ours", lease=lease, tokens_per_second=50)
    trial = TrialFactory.create(
        candidate=candidate, state="done", finished_at=timezone.now(), capacity_tokens_per_second=640.0,
        capacity_concurrency=8, **facts,
    )  # fmt: skip
    TrialStep.objects.create(
        trial=trial, number=1, deployment=candidate, concurrency=8, seconds=10, ended_at=timezone.now(), requests=40,
        tokens_per_second=640, ttft_p50_ms=180, ttft_p95_ms=320, latency_p50_ms=900, latency_p95_ms=1500,
        output_tokens=6400, cost=Decimal("0.001"),
    )  # fmt: skip
    return trial


def test_a_report_has_steps_capacity_and_the_four_criteria() -> None:
    trial = finished_trial()
    report = Client().get(f"{URL}/{trial.pk}", headers=key_of("read")).json()
    assert (report["progress"], report["capacity_tokens_per_second"], report["pairs"]) == (1.0, 640.0, 0)
    assert report["steps"] == [
        {"deployment": "ours", "concurrency": 8, "requests": 40, "errors": 0, "tokens_per_second": 640.0,
         "stream_tokens_per_second": None, "ttft": {"p50_ms": 180.0, "p95_ms": 320.0},
         "latency": {"p50_ms": 900.0, "p95_ms": 1500.0}, "output_tokens": 6400, "cost": "0.001000000000"}
    ]  # fmt: skip
    assert [row["slug"] for row in report["criteria"]] == ["quality", "latency", "saving", "reliability"]
    assert {row["state"] for row in report["criteria"]} == {"not_enough_data"}


def test_the_newest_finished_trial_is_the_capacity_of_the_break_even() -> None:
    headers = key_of("read")
    DeploymentFactory.create(slug="typed", lease=LeaseFactory.create(), tokens_per_second=50)
    assert capacity(headers) == {
        "tokens_per_second": 50.0,
        "source": "person",
        "trial": None,
        "concurrency": None,
        "measured_at": None,
        "used": True,
    }
    trial = finished_trial()
    TrialFactory.create(
        candidate=trial.candidate, state="done", finished_at=timezone.now() - timedelta(days=1),
        capacity_tokens_per_second=10.0,
    )  # fmt: skip
    TrialFactory.create(candidate=trial.candidate, state="stopped", finished_at=timezone.now(),
                        capacity_tokens_per_second=20.0)  # fmt: skip
    answer = Client().get("/api/v1/break-even", headers=headers).json()
    assert answer["capacity"] == {"tokens_per_second": 640.0, "source": "trial", "trial": trial.pk, "concurrency": 8,
                                  "measured_at": stamp(trial), "used": True}  # fmt: skip
    assert answer["inputs"]["selfhost"]["gpu_tokens_per_second"] == "640"
    assert answer["inputs"]["selfhost"]["gpu_hourly"] == "0.36", "the GPU that was measured is the one that is priced"
    body = {"selfhost": {"gpu_tokens_per_second": 100}}
    changed = Client().post("/api/v1/break-even", body, "application/json", headers=headers).json()
    assert (changed["capacity"]["tokens_per_second"], changed["capacity"]["source"]) == (100.0, "person")


def test_a_trial_without_a_lease_is_shown_but_does_not_count_for_leased_gpus() -> None:
    headers = key_of("read")
    small = DeploymentFactory.create(slug="small", lease=None)
    trial = TrialFactory.create(
        candidate=small,
        state="done",
        finished_at=timezone.now(),
        capacity_tokens_per_second=8.0,
        capacity_concurrency=2,
    )
    assert capacity(headers) == {"tokens_per_second": 8.0, "source": "trial", "trial": trial.pk, "concurrency": 2,
                                 "measured_at": stamp(trial), "used": True}, "nothing else is known"  # fmt: skip
    DeploymentFactory.create(slug="typed", lease=LeaseFactory.create(), tokens_per_second=50)
    answer = Client().get("/api/v1/break-even", headers=headers).json()
    assert answer["capacity"] == {"tokens_per_second": 8.0, "source": "trial", "trial": trial.pk, "concurrency": 2,
                                  "measured_at": stamp(trial), "used": False}  # fmt: skip
    assert answer["inputs"]["selfhost"]["gpu_tokens_per_second"] == "50"
    page = in_role("manager").get("/break-even/").content.decode()
    assert "Not used, as it was measured on no leased GPU" in page


def test_what_nobody_entered_is_taken_from_the_engine_and_before_it_from_the_catalogue() -> None:
    headers, lease = key_of("read"), LeaseFactory.create(gpu="L4", gpu_count=2)
    ours = DeploymentFactory.create(name="Ours", lease=lease, engine="vllm", model="Qwen", tokens_per_second=None)
    facts = {"model": "qwen", "gpu": "L4", "gpu_count": 2, "source": "A paper"}
    Throughput.objects.create(engine="vllm", basis="single_stream", low=40, high=50, **facts)
    assert capacity(headers)["source"] is None, "one stream says little of all of them"
    Throughput.objects.update(basis="aggregate", low=900, high=1000)
    assert (capacity(headers)["source"], capacity(headers)["tokens_per_second"]) == ("catalogue", 450.0)
    hour = {"resolution": 3600, "samples": 10, "busy": 10, "restarts": 0, "counted_s": 3600, "running_n": 10,
            "waiting_n": 10, "kv_cache_n": 0, "output_tokens": 3600 * 300}  # fmt: skip
    now = timezone.now()
    idle = EngineBucket.objects.create(deployment=ours, start=now, waiting_min=0, **hour)
    assert capacity(headers)["source"] == "catalogue", "an engine without a queue could have served more"
    EngineBucket.objects.filter(start=idle.start).update(waiting_min=1)
    assert (capacity(headers)["source"], capacity(headers)["tokens_per_second"]) == ("engine", 150.0)
    page = in_role("manager").get("/break-even/").content.decode()
    assert "Engine: Ours, in an hour in which calls waited all the time" in page
    Deployment.objects.update(tokens_per_second=70)
    assert (capacity(headers)["source"], capacity(headers)["tokens_per_second"]) == ("person", 70.0)


def test_a_trial_that_is_not_to_be_used_changes_no_break_even() -> None:
    finished_trial(used_in_break_even=False)
    assert capacity(key_of("read"))["source"] == "person"


def stamp(trial: Trial) -> str:
    trial.refresh_from_db()
    assert trial.finished_at is not None
    return trial.finished_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def capacity(headers: dict[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = Client().get("/api/v1/break-even", headers=headers).json()
    of_gpu: dict[str, Any] = answer["capacity"]
    return of_gpu


SETS = "/api/v1/sets"
ITEM = {"prompt": "Who?", "task": "qa", "answer": "Me.", "acceptable": True}


def post_set(**body: Any) -> Any:
    return Client().post(SETS, {"name": "Golden", "items": [ITEM]} | body, "application/json", headers=key_of("trials"))


def test_a_set_is_made_in_versions_and_read_back_as_lines() -> None:
    first = post_set(items=[ITEM, {"prompt": " "}, ITEM | {"acceptable": "yes"}]).json()
    assert (first["name"], first["version"], first["items"], first["by"]) == ("Golden", 1, 1, None)
    assert [row["index"] for row in first["rejected_items"]] == [1, 2]
    second, headers = post_set().json(), key_of("trials")
    page = Client().get(SETS, {"limit": 1}, headers=headers).json()
    assert [(row["id"], row["version"]) for row in page["items"]] == [(second["id"], 2)]
    page = Client().get(SETS, {"cursor": page["next"], "name": "Golden"}, headers=headers).json()
    assert [row["id"] for row in page["items"]] == [first["id"]] and page["next"] is None
    assert Client().get(SETS, {"name": "Other"}, headers=headers).json()["items"] == []
    lines = Client().get(f"{SETS}/{first['id']}/items", headers=headers)
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.getvalue().splitlines()] == [ITEM | {"deployment": None}]
    actions = AuditEntry.objects.filter(object_type="traffic.answerset").values_list("actor", "action")
    assert sorted(actions) == [("test", "added"), ("test", "added"), ("test", "export")]
    assert Client().get(f"{SETS}/999999", headers=headers).status_code == 404


def test_copies_of_stored_texts_are_for_keys_that_may_rate_and_no_set_is_for_an_application() -> None:
    shop, made = ApplicationFactory.create(slug="shop"), post_set().json()
    SetItem.objects.create(answer_set_id=made["id"], number=2, task="qa", prompt="Secret?", application=shop)
    for scopes, texts in ((("trials",), ["Who?"]), (("trials", "rate"), ["Who?", "Secret?"])):
        headers = key_of(*scopes)
        lines = Client().get(f"{SETS}/{made['id']}/items", headers=headers).getvalue().splitlines()
        assert [json.loads(line)["prompt"] for line in lines] == texts
        facts = Client().get(f"{SETS}/{made['id']}", headers=headers).json()
        assert (facts["items"], facts["hidden"], facts["trials"]) == (2, 2 - len(texts), [])
    secret = create_key(name="shop", scopes=["trials", "rate"], application=shop)[1]
    headers = {"authorization": f"Bearer {secret}"}
    for path in (SETS, f"{SETS}/{made['id']}", f"{SETS}/{made['id']}/items"):
        assert Client().get(path, headers=headers).status_code == 403
        assert Client().get(path, headers=key_of("read", "rate")).status_code == 403


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"items": []}, "items"),
        ({"items": [{"prompt": ""}]}, "items"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
    ],
)
def test_what_is_no_set_is_refused_at_its_place(changes: dict[str, Any], place: str) -> None:
    answer = post_set(**changes)
    assert answer.status_code == 422 and answer.json()["errors"][0]["loc"][:2] == ["body", place]
    assert not AnswerSet.objects.exists()
