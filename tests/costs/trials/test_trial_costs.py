"""What a million output tokens cost in a step of a trial."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from costs.trials.report import cost_per_million
from tests.factories import DeploymentFactory, LeaseFactory, TrialFactory
from traffic.models import TrialCall, TrialPrompt, TrialStep
from traffic.trials.run import write_results

pytestmark = pytest.mark.django_db


def test_a_lease_is_divided_by_the_tokens_that_were_generated_while_it_was_paid_for() -> None:
    """A step of 5 s with 8 streams: each answer of 200 tokens begins after 1 s and ends after 20 s."""
    lease = LeaseFactory.create(price_per_hour=Decimal("0.5"))
    trial = TrialFactory.create(candidate=DeploymentFactory.create(lease=lease))
    step = TrialStep.objects.create(trial=trial, number=1, deployment=trial.candidate, concurrency=8, seconds=5,
                                    ended_at=timezone.now())  # fmt: skip
    prompt = TrialPrompt.objects.create(trial=trial, number=1, task="qa", text="Who?")
    for _number in range(8):
        TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, offset_ms=0, ttft_ms=1000,
                                 latency_ms=20_000, output_tokens=200)  # fmt: skip
    write_results(step)
    assert step.output_tokens == 1600
    cost = cost_per_million(step)
    assert cost is not None and round(cost, 2) == Decimal("2.06")
    step.tokens_per_second = None
    assert cost_per_million(step) is None
