"""Which answers of a trial become pairs."""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from costs.trials.page import TrialPage
from costs.trials.report import TrialReport
from tests.factories import DeploymentFactory, TrialFactory
from traffic.models import Pair, Trial, TrialCall, TrialPrompt, TrialStep
from traffic.trials.services import make_pairs

pytestmark = pytest.mark.django_db


def trial_of(lengths: list[int | None], **facts: object) -> Trial:
    """A replay: prompts with a stored answer, and the candidate's answers of so many tokens."""
    trial, vendor = TrialFactory.create(answer_tokens=100, **facts), DeploymentFactory.create(provider="acme")
    sides = [trial.candidate, *([trial.baseline] if trial.baseline else [])]
    steps = [TrialStep.objects.create(trial=trial, number=number, deployment=side, concurrency=1, timed=False)
             for number, side in enumerate(sides)]  # fmt: skip
    for number, tokens in enumerate(lengths):
        prompt = TrialPrompt.objects.create(trial=trial, number=number, task="qa", text="Who?", answered_by=vendor,
                                            answered_request=uuid.uuid4())  # fmt: skip
        for step in steps:
            TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, request_id=uuid.uuid4(),
                                     output_tokens=tokens)  # fmt: skip
    return trial


def test_an_answer_that_was_cut_is_not_compared_with_a_whole_one() -> None:
    trial = trial_of([40, 99, 100, None])
    assert make_pairs(trial) == 2
    assert Pair.objects.count() == 2
    words = TrialPage(TrialReport(trial, timezone.now())).pair_words()
    assert "2 pairs wait for raters." in words
    assert "2 prompts have no pair, because the candidate's answers ended at the limit of 100 tokens." in words


def test_with_a_baseline_both_answers_end_at_the_limit_and_are_compared() -> None:
    trial = trial_of([40, 100], baseline=DeploymentFactory.create(provider="acme"))
    assert make_pairs(trial) == 2
    assert "no pair" not in TrialPage(TrialReport(trial, timezone.now())).pair_words()
