"""A trial of llama.cpp against the sandbox's Claude, from the form to the PDF, Break-even and the scorecard."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lib.encryption import encrypt
from providers.models import Deployment
from sandbox.anthropic import API_KEY
from sandbox.messages import WORDS
from sandbox.testing import running_sandbox
from tests.costs.pdf_text import text_of
from tests.factories import DeploymentFactory, TokenPriceFactory
from tests.providers.people import in_role
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache
from traffic.models import Trial
from traffic.trials import run
from traffic.trials.prompts import builtin

pytestmark = pytest.mark.django_db(transaction=True)

PROMPTS = 12
LINES = "\n".join(json.dumps({"prompt": prompt.text, "task": prompt.task}) for prompt in builtin()[:PROMPTS]).encode()
FORM = {
    "name": "Proof", "source": "file", "concurrency": "1, 2", "seconds_per_step": "1", "answer_tokens": "8",
    "cap_usd": "1", "used_in_break_even": "on",
}  # fmt: skip


def sides(engine_url: str, claude_url: str) -> tuple[Deployment, Deployment]:
    TokenPriceFactory.create(model="claude-haiku-4-5", uncached_input=1, cache_read=Decimal("0.1"), output=5)
    return (
        DeploymentFactory.create(slug="own", engine="llamacpp", url=engine_url, model="tiny", local=True),
        DeploymentFactory.create(slug="claude", provider="anthropic", engine="anthropic", url=claude_url, local=True,
                                 model="claude-haiku-4-5", api_key=encrypt(API_KEY)),
    )  # fmt: skip


def key_of(scope: str) -> dict[str, str]:
    callers.clear()
    return {"authorization": f"Bearer {create_key(name=scope, scopes=[scope])[1]}"}


def read(path: str) -> Any:
    return Client().get(f"/api/v1/{path}", headers=key_of("read")).json()


def rate_all(name: str) -> int:
    """One person prefers Claude's answer of every pair; returns how many there were.

    The API does not say whose is whose, but only Claude's are of whole words.
    """
    headers, rated = key_of("rate"), 0
    while (pair := Client().get("/api/v1/comparisons/next", {"by": name}, headers=headers).json())["id"]:
        side = "a" if set(pair["a"].split()) <= set(WORDS) else "b"
        body = {"choice": side, "by": name}
        reply = Client().post(f"/api/v1/comparisons/{pair['id']}", body, "application/json", headers=headers)
        assert reply.json()[side] == "claude"
        rated += 1
    return rated


def test_a_trial_reaches_break_even_the_scorecard_and_its_pdf(engine_url: str) -> None:
    clear_cache()
    ops = in_role("ops")
    with running_sandbox() as sandbox:
        own, claude = sides(engine_url, f"{sandbox.url}/anthropic")
        before = read("scorecard")
        chosen = {"candidate": own.pk, "baseline": claude.pk, "file": SimpleUploadedFile("prompts.jsonl", LINES)}
        shown = ops.post("/quality/trials/add/", FORM | chosen)
        trial = Trial.objects.get()
        assert shown.headers["location"] == f"/quality/trials/{trial.pk}/"
        while run.work(trial.pk):
            pass
    trial.refresh_from_db()
    assert (trial.state, trial.problem, trial.pairs) == ("done", "", PROMPTS)

    capacity = read("break-even")["capacity"]
    assert (capacity["source"], capacity["trial"], capacity["used"]) == ("trial", trial.pk, True)
    assert capacity["concurrency"] == trial.capacity_concurrency
    assert capacity["tokens_per_second"] == pytest.approx(trial.capacity_tokens_per_second, abs=0.001)

    assert [rate_all("Ada"), rate_all("Ben")] == [PROMPTS, PROMPTS]
    compared = read("comparisons?candidate=own&baseline=claude")
    assert (compared["losses"], compared["pairs"], compared["verdict"]) == (PROMPTS, PROMPTS, "worse")
    assert compared["agreement"]["raters"] == 2
    card = read("scorecard")
    assert "quality-gap" not in [row["slug"] for row in before["objections"]]
    assert "quality-gap" in [row["slug"] for row in card["objections"]] and card["verdict"] == "no_go"
    criteria = {row["slug"]: row for row in read(f"trials/{trial.pk}")["criteria"]}
    assert criteria["latency"]["sample"] > 0 and criteria["latency"]["value"] is not None

    pdf = ops.get(f"/quality/trials/{trial.pk}/trial.pdf")
    words = " ".join(text_of(pdf.content)).replace("?", "")  # what stands for the gaps of a line that fills its width
    assert pdf.headers["content-type"] == "application/pdf"
    for step in trial.steps.filter(timed=True):
        assert f"{step.deployment.name} {step.concurrency} {step.requests} 0" in words
    assert "Break-even uses this capacity" in words and "Four criteria" in words
    assert f"{PROMPTS} of {PROMPTS} pairs are rated: 0 better and {PROMPTS} worse for the candidate." in words
