"""The pages of trials: list, form and report, for each role."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.costs.people import client_of, text
from tests.factories import ApplicationFactory, DeploymentFactory, TrialFactory
from tests.traffic.people import arrive
from traffic.ingest.rows import Tokens
from traffic.models import Pair, Trial, TrialStep

pytestmark = pytest.mark.django_db

FORM = {"name": "Proof", "source": "builtin", "concurrency": "1, 2", "seconds_per_step": "5", "answer_tokens": "64",
        "cap_usd": "0.50"}  # fmt: skip


def test_without_trials_the_page_says_what_one_is_and_only_ops_may_start_one() -> None:
    assert "Start a trial" in text(client_of("ops"), "/quality/trials/")
    page = text(client_of("manager"), "/quality/trials/")
    assert "No trials yet" in page and "/quality/trials/add/" not in page


def test_ops_start_a_trial_by_the_form() -> None:
    candidate, baseline = DeploymentFactory.create(), DeploymentFactory.create(provider="anthropic")
    answer = client_of("ops").post("/quality/trials/add/", FORM | {"candidate": candidate.pk, "baseline": baseline.pk})
    trial = Trial.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/quality/trials/{trial.pk}/")
    assert (trial.concurrency, trial.cap_usd, trial.by and trial.by.username) == ([1, 2], Decimal("0.5"), "a-ops")
    assert trial.prompts.count() == 60


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"concurrency": "1, two"}, "Enter whole numbers, such as 1, 2, 4, 8."),
        ({"concurrency": "0"}, "Enter 1 to 10 numbers from 1 to 256."),
        ({"source": "task"}, "Choose the task whose prompts are sent."),
        ({"source": "task", "task": "qa"}, "There is no stored prompt of this task from the last 7 days"),
        ({"source": "file"}, "Choose a file of JSON lines."),
        ({"cap_usd": "-1"}, "greater than or equal to 0"),
        ({"seconds_per_step": "99999"}, "less than or equal to 600"),
    ],
)
def test_an_error_in_the_form_is_said_at_its_field(changes: dict[str, str], sentence: str) -> None:
    data = FORM | {"candidate": str(DeploymentFactory.create().pk)} | changes
    answer = client_of("ops").post("/quality/trials/add/", data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Trial.objects.exists()


def test_an_uploaded_file_is_read_and_its_bad_lines_are_on_the_report() -> None:
    ops, file = client_of("ops"), io.BytesIO(b'{"prompt": "One"}\nTwo\n')
    file.name = "mine.jsonl"
    data = FORM | {"candidate": DeploymentFactory.create().pk, "source": "file", "file": file}
    assert ops.post("/quality/trials/add/", data).status_code == 302
    trial = Trial.objects.get()
    assert (trial.source_name, trial.rejected) == ("mine.jsonl", 1)
    assert "Line 2: The line is not JSON." in text(ops, f"/quality/trials/{trial.pk}/")


def test_a_file_that_was_not_read_to_its_end_is_said_to_be_so() -> None:
    words = "Only the first 2,000 prompts are used."
    trial = TrialFactory.create(rejected=0, rejected_lines=[[2001, words]])
    page = text(client_of("manager"), f"/quality/trials/{trial.pk}/")
    assert "The file was not read to its end." in page and f"Line 2001: {words}" in page


@pytest.mark.django_db(transaction=True)
def test_stored_prompts_are_read_by_those_who_may_and_go_to_no_vendor_unmarked(conn: psycopg.Connection) -> None:
    ours, vendor = DeploymentFactory.create(), DeploymentFactory.create(provider="acme")
    application = ApplicationFactory.create(capture_bodies=True)
    arrive(conn, {"application_id": application.pk, "started_at": timezone.now(), "task": "qa", "prompt": "Who?",
                  "answer": "Me.", "provider": "self", "deployment_id": ours.pk})  # fmt: skip
    ops, data = client_of("ops"), FORM | {"candidate": str(ours.pk), "source": "task", "task": "qa"}

    def send(**more: str) -> tuple[int, str]:
        answer = ops.post("/quality/trials/add/", data | more)
        return answer.status_code, answer.content.decode()

    status, page = send()
    assert status == 422 and "There is no stored prompt of this task from the last 7 days" in page
    application.members.add(User.objects.get(username="a-ops"))
    status, page = send(baseline=str(vendor.pk))
    assert status == 422 and "The stored prompts of this task may be of private calls." in page
    assert not Trial.objects.exists()
    assert send()[0] == 302
    assert Trial.objects.get().prompts.get().text == "Who?"


def test_replay_fills_the_form_with_the_task_and_the_self_hosted_deployment() -> None:
    ours = DeploymentFactory.create(name="Ours")
    DeploymentFactory.create(provider="anthropic", engine="anthropic")
    page = text(client_of("ops"), "/quality/trials/add/?task=rag")
    assert 'value="Replay: RAG"' in page
    assert f'<option value="{ours.pk}" selected>' in page
    assert '<option value="rag" selected>' in page


@pytest.mark.django_db(transaction=True)
def test_replay_asks_for_answers_as_long_as_the_stored_ones(conn: psycopg.Connection) -> None:
    application, vendor = ApplicationFactory.create(capture_bodies=True), DeploymentFactory.create(provider="acme")
    arrive(conn, *({"application_id": application.pk, "started_at": timezone.now(), "task": "rag", "prompt": f"{n}",
                    "answer": "Me.", "deployment_id": vendor.pk, "tokens": Tokens(5, 0, 0, 0, n)}
                   for n in range(801, 901)))  # fmt: skip
    ops = client_of("ops")
    assert 'name="answer_tokens" value="200"' in text(ops, "/quality/trials/add/?task=rag"), "they may not read them"
    application.members.add(User.objects.get(username="a-ops"))
    assert 'name="answer_tokens" value="896"' in text(ops, "/quality/trials/add/?task=rag")


def finished() -> Trial:
    candidate, baseline = (
        DeploymentFactory.create(name="Ours"),
        DeploymentFactory.create(name="Theirs", provider="acme"),
    )
    trial = TrialFactory.create(
        candidate=candidate, baseline=baseline, state="done", finished_at=timezone.now(),
        capacity_tokens_per_second=400, capacity_concurrency=4, pairs=1,
    )  # fmt: skip
    figures = [
        (candidate, 1, 120, 150.0),
        (candidate, 4, 400, 350.0),
        (candidate, 8, 500, 750.0),
        (baseline, 1, 70, 400),
    ]
    for number, (deployment, concurrency, speed, ttft) in enumerate(figures):
        TrialStep.objects.create(
            trial=trial, number=number, deployment=deployment, concurrency=concurrency, seconds=5, requests=20,
            tokens_per_second=speed, ttft_p50_ms=ttft / 2, ttft_p95_ms=ttft, latency_p50_ms=900, latency_p95_ms=1500,
            output_tokens=2000, cost=None if deployment == candidate else Decimal("0.03"), ended_at=timezone.now(),
        )  # fmt: skip
    return trial


def test_the_report_says_where_the_first_token_is_too_late_and_what_tokens_cost() -> None:
    page = text(client_of("manager"), f"/quality/trials/{finished().pk}/")
    assert "Ours delivers 400 tokens/s with 4 calls at once. Its first token takes 350 ms." in page
    assert "Ours passes 500 ms for the first token at about 6 calls at once." in page
    assert "Theirs keeps the first token below 500 ms at every step." in page
    assert "Theirs: a million output tokens cost $15.00 with 1 call at once." in page
    assert "the cost of a million output tokens is unknown, because no rented GPU is linked to it" in page
    assert "Break-even uses this capacity" in page
    assert page.count("<svg") >= 2
    assert "Stop trial" not in page


def test_the_report_counts_the_pairs_that_raters_chose_of() -> None:
    trial = finished()
    assert trial.baseline is not None
    for outcome in ("candidate", "candidate", "tie", "baseline", ""):
        Pair.objects.create(
            candidate=trial.candidate, baseline=trial.baseline, trial_id=trial.pk, outcome=outcome, task="qa",
            candidate_request=f"00000000-0000-8000-8000-00000000000{Pair.objects.count()}",
            baseline_request="00000000-0000-8000-8000-0000000000ff",
        )  # fmt: skip
    page = text(client_of("manager"), f"/quality/trials/{trial.pk}/")
    assert "4 of 5 pairs are rated: 2 better and 1 worse for the candidate." in page
    assert "The difference is +25 points" in page and "More ratings are needed." in page


def test_a_running_trial_is_asked_for_again_and_ops_may_stop_it() -> None:
    trial = TrialFactory.create(
        state="running", started_at=timezone.now(), claimed_until=timezone.now() + timedelta(seconds=9)
    )
    TrialStep.objects.create(trial=trial, number=0, deployment=trial.candidate, concurrency=2, timed=False,
                             ended_at=timezone.now())  # fmt: skip
    TrialStep.objects.create(trial=trial, number=1, deployment=trial.candidate, concurrency=1, seconds=2.5)
    ops = client_of("ops")
    page = text(ops, f"/quality/trials/{trial.pk}/")
    assert 'hx-trigger="every 2s"' in page and "75 %" in page
    assert f"Step 2 of 2: {trial.candidate.name} with 1 call at once." in page
    part = ops.get(f"/quality/trials/{trial.pk}/", headers={"hx-request": "true", "hx-target": "trial"})
    assert part.content.decode().strip().startswith('<div id="trial"')
    assert '<span id="answer" hx-swap-oob="true">Step 2 of 2' in part.content.decode(), "the sentence above follows"
    assert ops.post(f"/quality/trials/{trial.pk}/stop/").status_code == 302
    trial.refresh_from_db()
    assert trial.stop_requested_at is not None
    assert "Stop trial" not in text(client_of("manager"), f"/quality/trials/{trial.pk}/")


def test_the_pdf_holds_the_report_and_is_the_same_each_time() -> None:
    trial, manager = finished(), client_of("manager")
    first: Any = manager.get(f"/quality/trials/{trial.pk}/trial.pdf")
    assert (first.status_code, first["Content-Type"]) == (200, "application/pdf")
    assert first.content.startswith(b"%PDF")
    assert 'filename="trial-' in first["Content-Disposition"]
    assert manager.get(f"/quality/trials/{trial.pk}/trial.pdf").content == first.content


def test_ops_take_a_capacity_out_of_break_even_and_back() -> None:
    trial, ops = finished(), client_of("ops")
    assert "Exclude from Break-even" in text(ops, f"/quality/trials/{trial.pk}/")
    for used in (False, True):
        assert ops.post(f"/quality/trials/{trial.pk}/switch/").status_code == 302
        trial.refresh_from_db()
        assert trial.used_in_break_even is used
    assert "Exclude from Break-even" not in text(client_of("manager"), f"/quality/trials/{trial.pk}/")


def test_break_even_shows_the_capacity_with_its_source_and_a_link_to_the_trial() -> None:
    trial = finished()
    page = text(client_of("manager"), "/break-even/")
    assert "Trial: Ours, measured by “Proof of concept” with 4 calls at once" in page
    assert f'href="/quality/trials/{trial.pk}/"' in page
    assert "measured by “" not in text(client_of("ops"), "/break-even/?speed=10")
