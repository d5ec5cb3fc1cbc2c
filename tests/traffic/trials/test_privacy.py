"""Texts of trials end where those of stored bodies end."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from tests.factories import ApplicationFactory, TrialFactory
from tests.traffic.people import arrive
from traffic.models import RequestBody, Trial, TrialCall, TrialPrompt, TrialStep
from traffic.privacy import retention
from traffic.trials import services

pytestmark = pytest.mark.django_db(transaction=True)


def test_retention_of_bodies_takes_the_prompts_of_old_trials(settings: object) -> None:
    old, new = TrialFactory.create(), TrialFactory.create()
    Trial.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=60))
    settings.BODY_RETENTION_DAYS = 30  # type: ignore[attr-defined]  # pytest-django's
    for trial in (old, new):
        TrialPrompt.objects.create(trial=trial, number=1, task="qa", text="Who?")
    retention.apply_retention(timezone.now().date())
    assert [prompt.text for prompt in TrialPrompt.objects.order_by("trial_id")] == ["", "Who?"]


def test_deleting_an_application_takes_its_copies_in_trials_and_the_calls_made_with_them(
    conn: psycopg.Connection,
) -> None:
    theirs, trials = ApplicationFactory.create(slug="theirs"), services.application()
    trial = TrialFactory.create()
    step = TrialStep.objects.create(trial=trial, number=0, deployment=trial.candidate, concurrency=1)
    texts = {"application_id": trials.pk, "prompt": "Who?", "answer": "Me."}
    copied, own = arrive(conn, texts, texts)
    for number, (request, application) in enumerate(((copied, theirs), (own, None))):
        prompt = TrialPrompt.objects.create(trial=trial, number=number, task="qa", text="Who?", application=application)
        TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, request_id=request.id)
    services.erase_texts_of(application=theirs.pk)
    assert [prompt.text for prompt in TrialPrompt.objects.order_by("number")] == ["", "Who?"]
    assert list(RequestBody.objects.values_list("request_id", flat=True)) == [own.id]
