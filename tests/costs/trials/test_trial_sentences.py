"""What the report of a trial says of its first tokens, its GPUs and its part in Break-even."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from costs.readiness.inputs import read_report
from costs.readiness.scorecard import judge
from costs.trials.page import TrialPage
from costs.trials.report import TrialReport
from costs.verdicts.verdict import State
from providers.models import Deployment
from tests.costs.people import client_of
from tests.factories import DeploymentFactory, LeaseFactory, TrialFactory
from traffic.models import Trial, TrialStep

pytestmark = pytest.mark.django_db


def ended(*ttfts: float | None, lease: Any = None, minutes: int = 0) -> Trial:
    """A finished trial of `Ours`, with steps of 1, 2, ... calls at once and these first tokens."""
    trial = TrialFactory.create(
        candidate=DeploymentFactory.create(name="Ours", lease=lease), state="done", capacity_tokens_per_second=100,
        capacity_concurrency=1, finished_at=timezone.now() - timedelta(minutes=minutes),
    )  # fmt: skip
    for number, ttft in enumerate(ttfts, 1):
        TrialStep.objects.create(trial=trial, number=number, deployment=trial.candidate, concurrency=number, seconds=5,
                                 requests=20, tokens_per_second=100 * number, ttft_p95_ms=ttft,
                                 ended_at=timezone.now())  # fmt: skip
    return trial


def page(trial: Trial) -> TrialPage:
    return TrialPage(TrialReport(trial, timezone.now()))


def test_a_first_token_that_was_not_measured_is_said_to_be_so() -> None:
    shown = page(ended(None, None))
    assert shown.headline().endswith("Its first token was not measured.")
    assert shown.late_words() == "The first token of Ours was not measured."


def test_a_step_without_a_first_token_is_no_capacity_beside_one_with_it() -> None:
    shown = page(ended(200, None))
    best = shown.report.candidate.best
    assert best is not None and best.concurrency == 1
    assert shown.late_words() == "Ours keeps the first token below 500 ms at the steps where it was measured."


@pytest.mark.parametrize(
    ("ttfts", "words"),
    [
        ((700, 900), "Ours needs more than 500 ms for the first token at every step."),
        ((700, 300), "Ours needs more than 500 ms for the first token with 1 call at once already."),
    ],
)
def test_only_where_each_step_is_late_it_is_said_of_every_step(ttfts: tuple[float, ...], words: str) -> None:
    assert page(ended(*ttfts)).late_words() == words


def test_the_headline_of_several_gpus_is_that_of_one() -> None:
    trial = ended(200, lease=LeaseFactory.create(gpu_count=4))
    Trial.objects.filter(pk=trial.pk).update(capacity_tokens_per_second=25)
    trial.refresh_from_db()
    assert page(trial).headline().startswith("Ours delivers 25 tokens/s on each of its 4 GPUs with 1 call at once.")


def test_break_even_uses_the_newest_capacity_only_and_that_of_a_lease_before_one_without() -> None:
    older, newest = ended(200, minutes=5), ended(200)
    assert page(newest).break_even_words().startswith("Break-even uses this capacity")
    assert "because a newer trial of a self-hosted deployment counts" in page(older).break_even_words()
    DeploymentFactory.create(name="Leased", lease=LeaseFactory.create())
    DeploymentFactory.create(lease=LeaseFactory.create(), tokens_per_second=50)
    assert "because the candidate has no running lease" in page(newest).break_even_words()


def test_a_trial_has_the_live_saving_only_where_break_even_uses_its_capacity(ready: Deployment) -> None:
    """Its page, the API, and Decide beside the live figure."""
    lease = LeaseFactory.create()
    older, newest = ended(200, lease=lease, minutes=5), ended(200, lease=lease)
    now = timezone.now()
    live = {row.question: row for row in judge(read_report(now).evidence).criteria}
    assert live["saving"].value is not None
    sides = {trial.pk: {row.question: row for row in page(trial).report.criteria} for trial in (older, newest)}
    assert sides[newest.pk]["saving"] == live["saving"]
    assert sides[older.pk]["saving"].value is None and sides[older.pk]["saving"].state == State.NOT_ENOUGH
    assert "its saving is not known" in sides[older.pk]["saving"].sentence


def test_decide_shows_the_newest_trial_with_its_criteria_and_without_one_how_to_start_it() -> None:
    empty = client_of("ops").get("/decide/").content.decode()
    assert "No trial has ended yet." in empty and 'href="/quality/trials/add/"' in empty
    manager = client_of("manager")
    assert 'href="/quality/trials/add/"' not in manager.get("/decide/").content.decode()
    ended(700, minutes=5)
    newest = ended(200)
    page = manager.get("/decide/").content.decode()
    part = page[page.index('id="trial-h"') : page.index('id="change-h"')]
    assert f'href="/quality/trials/{newest.pk}/"' in part and part.count("data-row") == 4
    assert "Ours delivers 100 tokens/s with 1 call at once." in part
    assert "No prompt has two answers, so there is nothing to compare." in part
    assert "Self-hosted deployments were checked for 0 h." in part
