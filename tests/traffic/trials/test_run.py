"""A trial at work against a real llama.cpp on loopback: steps, pairs, cap, stop, a worker that is killed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from providers.models import Deployment
from tests.factories import DeploymentFactory, TokenPriceFactory
from traffic.ingest.context import clear_cache
from traffic.models import Request, RequestBody, Trial, TrialCall
from traffic.models.trials import CallState, TrialState, TrialStep
from traffic.trials import run, services
from traffic.trials.prompts import Prompt
from traffic.trials.services import Plan

pytestmark = pytest.mark.django_db(transaction=True)

PROMPTS = [Prompt("Say one word.", "chat"), Prompt("Name a colour.", "qa"), Prompt("Count to three.", "other")]


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    clear_cache()


@pytest.fixture
def candidate(engine_url: str) -> Deployment:
    return DeploymentFactory.create(slug="candidate", engine="llamacpp", url=engine_url, model="tiny", local=True)


@pytest.fixture
def baseline(engine_url: str) -> Deployment:
    """The same engine in the place of an API that is paid by the token."""
    TokenPriceFactory.create(provider="acme", model="tiny", uncached_input=Decimal(2), cache_read=Decimal(1),
                              output=Decimal(10))  # fmt: skip
    return DeploymentFactory.create(
        slug="baseline", provider="acme", engine="llamacpp", url=engine_url, model="tiny", local=True
    )


def trial_of(candidate: Deployment, baseline: Deployment | None = None, **facts: Any) -> Trial:
    usual: dict[str, Any] = {"concurrency": [1, 2], "seconds_per_step": 1, "cap_usd": Decimal(1), "answer_tokens": 8}
    return services.create(
        Plan(name="Proof", candidate=candidate, baseline=baseline, prompts=PROMPTS, **{**usual, **facts})
    )


def finished(trial: Trial) -> Trial:
    while run.work(trial.pk):
        pass
    trial.refresh_from_db()
    return trial


def test_a_trial_measures_each_step_and_pairs_the_answers(candidate: Deployment, baseline: Deployment) -> None:
    trial = finished(trial_of(candidate, baseline))
    assert (trial.state, trial.problem) == (TrialState.DONE, "")
    steps = list(trial.steps.filter(timed=True))
    assert [(step.deployment.slug, step.concurrency) for step in steps] == [
        ("candidate", 1), ("candidate", 2), ("baseline", 1), ("baseline", 2),
    ]  # fmt: skip
    failed = list(Request.objects.exclude(outcome="ok").values_list("http_status", "error_type", "output", "raw"))
    assert not failed
    for step in steps:
        assert step.requests and not step.errors
        assert step.tokens_per_second and step.tokens_per_second > 0
        assert step.ttft_p50_ms and step.latency_p50_ms and step.ttft_p50_ms <= step.latency_p50_ms
        assert 1.0 <= step.seconds <= 2.0
    assert trial.pairs == 3
    assert trial.capacity_tokens_per_second and trial.capacity_concurrency in (1, 2)
    assert steps[0].cost is None and steps[2].cost is not None and steps[2].cost > 0
    assert Decimal(0) < trial.spent < 1


def test_the_log_has_a_line_for_each_stage_of_a_trial(
    candidate: Deployment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    trial = trial_of(candidate, concurrency=[1])
    assert run.work(trial.pk)
    step = trial.steps.get(number=1)
    TrialCall.objects.create(step=step, prompt=trial.prompts.get(number=1), charged=0)
    finished(trial)
    events = [record.__dict__.get("event") for record in caplog.records]
    expected = [
        "trial_created",
        "trial_started",
        "trial_step_ended",
        "trial_resumed",
        "trial_step_ended",
        "trial_ended",
    ]
    assert [event for event in events if str(event).startswith("trial")] == expected
    broken = trial_of(candidate)
    monkeypatch.setattr(run, "begin", lambda _trial: 1 / 0)
    assert finished(broken).problem == "An internal error ended the trial. It has been logged."
    assert "trial_crashed" in [record.__dict__.get("event") for record in caplog.records]


def test_each_call_is_a_row_of_the_request_log_of_the_application_trials(
    candidate: Deployment, baseline: Deployment
) -> None:
    trial = finished(trial_of(candidate, baseline))
    calls = list(TrialCall.objects.filter(step__trial=trial))
    rows = {row.id: row for row in Request.objects.all()}
    assert len(rows) == len(calls)
    for call in calls:
        assert call.request_id is not None
        row = rows[call.request_id]
        assert row.application is not None and (row.application.slug, row.application.test_only) == ("trials", True)
        assert (row.source, row.task, row.output) == ("trial", call.prompt.task, call.output_tokens)
        assert row.cost == call.cost
        assert row.outcome == "ok", row.error_type
    assert sum(row.cost or 0 for row in rows.values()) == trial.spent
    body = RequestBody.objects.first()
    assert body is not None and body.prompt and body.answer


def test_the_cap_is_held_against_the_worst_case_of_each_call(candidate: Deployment, baseline: Deployment) -> None:
    trial = finished(trial_of(candidate, baseline, cap_usd=Decimal("0.002")))
    assert trial.state == TrialState.STOPPED
    assert "cap of $0.00" in trial.problem
    assert trial.spent <= Decimal("0.002")
    assert trial.steps.filter(deployment=candidate, timed=True, ended_at=None).count() == 0


def test_a_model_without_a_price_is_not_called(candidate: Deployment, engine_url: str) -> None:
    unpriced = DeploymentFactory.create(provider="acme", engine="llamacpp", url=engine_url, model="tiny", local=True)
    trial = finished(trial_of(unpriced))
    assert trial.state == TrialState.FAILED
    assert "No price is known for tiny" in trial.problem
    assert not TrialCall.objects.exists()


def test_stop_ends_a_running_trial_within_a_second_and_keeps_its_answers(
    candidate: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted are the trial's looks at its row, which are less than a second apart: seconds would say how busy
    the machine is."""
    assert run.TICK_S + run.BEAT_S < 1
    trial = trial_of(candidate, seconds_per_step=60)
    assert run.work(trial.pk)  # the first step: each prompt once
    beat, stopping = run.Run.beat, []

    def look(self: run.Run, step: TrialStep, seconds: float) -> None:
        stopping.append(self.stopping)
        if TrialCall.objects.filter(step=step, state=CallState.OK).exists():
            Trial.objects.filter(pk=trial.pk).update(stop_requested_at=timezone.now())
        beat(self, step, seconds)

    monkeypatch.setattr(run.Run, "beat", look)
    assert run.work(trial.pk) is False
    assert 1 <= stopping.count(True) <= 3, "the last look, and at most two while calls are cancelled"
    trial.refresh_from_db()
    assert trial.state == TrialState.STOPPED
    assert trial.steps.get(number=1).requests > 0
    assert not TrialCall.objects.filter(state=CallState.SENT).exists()


def test_a_waiting_trial_is_stopped_at_once(candidate: Deployment) -> None:
    trial = trial_of(candidate)
    assert services.stop(trial)
    trial.refresh_from_db()
    assert trial.state == TrialState.STOPPED
    assert run.work(trial.pk) is False
    assert services.stop(trial) is False


def test_what_a_killed_worker_left_is_counted_and_no_answer_is_asked_for_twice(
    candidate: Deployment, baseline: Deployment
) -> None:
    trial = trial_of(candidate, baseline)
    for _step in range(3):
        assert run.work(trial.pk)
    first = trial.steps.get(number=3)
    assert (first.deployment.slug, first.timed) == ("baseline", False)
    # As a killed worker leaves it: one answer is kept, one call was sent, and its claim runs out.
    assert run.begin(trial) is True
    prompts = list(trial.prompts.all())
    TrialCall.objects.create(step=first, prompt=prompts[0], state=CallState.OK, charged=0, output_tokens=3)
    TrialCall.objects.create(step=first, prompt=prompts[1], charged=Decimal("0.01"))
    Trial.objects.filter(pk=trial.pk).update(claimed_until=timezone.now() + timedelta(seconds=5))
    assert run.work(trial.pk) is False  # its claim holds
    Trial.objects.filter(pk=trial.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert run.work(trial.pk) is True
    states = sorted(first.calls.values_list("prompt__number", "state"))
    assert states == [(1, "ok"), (2, "lost"), (2, "ok"), (3, "ok")]
    assert finished(trial).spent >= Decimal("0.01")


def test_a_candidate_that_fails_ends_the_trial_with_its_reason() -> None:
    dead = DeploymentFactory.create(name="Dead", url="http://127.0.0.1:9", local=True)
    trial = finished(trial_of(dead))
    assert trial.state == TrialState.FAILED and "Dead failed 3 calls in a row, the last with: " in trial.problem
    assert trial.capacity_tokens_per_second is None


def test_a_candidate_that_dies_in_the_middle_ends_the_trial_and_what_was_measured_stays(candidate: Deployment) -> None:
    trial = trial_of(candidate)
    assert run.work(trial.pk) and run.work(trial.pk), "each prompt once, and the step of one stream"
    Deployment.objects.update(url="http://127.0.0.1:9")
    clear_cache()
    trial = finished(trial)
    assert trial.state == TrialState.FAILED and f"{candidate.name} failed " in trial.problem
    assert " calls in a row, the last with: " in trial.problem
    first, second = trial.steps.filter(timed=True)
    assert first.tokens_per_second and not second.tokens_per_second
    answered = TrialCall.objects.filter(state=CallState.OK)
    assert answered and set(RequestBody.objects.exclude(answer="").values_list("request_id", flat=True)) == set(
        answered.values_list("request_id", flat=True)
    )


def test_two_trials_do_not_measure_the_same_deployment_at_once(candidate: Deployment) -> None:
    first, second = trial_of(candidate), trial_of(candidate)
    assert run.work(first.pk)
    assert run.work(second.pk) is False
    second.refresh_from_db()
    assert (second.state, second.claimed_until) == (TrialState.QUEUED, None)
