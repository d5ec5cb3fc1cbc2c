"""Answers of our own model beside the API's to the same prompts, and which of them three raters chose.

The prompts are those of `texts.json`. Each side gives its weaker answer now and then, as in the traffic, so what raters
choose follows from what they read. The last pairs wait for whoever opens the page of comparisons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from demo.client import Client
from demo.company import HAIKU_4_5, MISTRAL_7B, Served
from demo.opinions import texts
from demo.traffic import Row
from providers.models import Deployment
from traffic.comparisons import services
from traffic.comparisons.rater import Rater, candidate_is_first, installation_salt, side_of
from traffic.models import Application, Installation, Pair, PairOutcome
from traffic.models.applications import TRIALS
from traffic.request_ids import request_id
from traffic.trials import services as trials

OWNER = "tilda"  # decides the pairs that raters disagree on
RATERS = ("mirela", "bastien", "noor")
TASKS = ("rag", "qa")
EACH = 60  # pairs of a task
WAITING = 6  # of them without a choice
WEAK = {True: 14, False: 10}  # per cent of weak answers of our own model and of the API, where a text has one
ENDINGS = ("", " Tell me if you need more.", " I hope this helps.")


@dataclass(frozen=True, slots=True)
class Made:
    """A pair: its task, which text it is of, and whether each side's answer is the weak one."""

    task: str
    number: int

    def luck(self, salt: str) -> int:
        """A number below 100 that belongs to this pair and this question."""
        text = f"{salt}/{self.task}/{self.number}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % 100

    @property
    def text(self) -> dict[str, str]:
        return texts()[self.task][self.number % len(texts()[self.task])]

    @property
    def prompt(self) -> str:
        """The text with a number of its own: pairs of one prompt would count once."""
        return f"{self.text['prompt']}\n\nCase {self.task.upper()}-{self.number + 1}."

    def is_weak(self, *, own: bool) -> bool:
        return "weak" in self.text and self.luck(f"weak/{own}") < 2 * WEAK[own]

    def answer(self, *, own: bool) -> str:
        """Good answers of both sides differ by how they end, and neither side has an ending of its own."""
        if self.is_weak(own=own):
            return self.text["weak"]
        return self.text["answer"] + ENDINGS[(self.luck("ending") + own) % len(ENDINGS)]

    def external_id(self, *, own: bool) -> str:
        return f"pair-{self.task}-{self.number}-{'own' if own else 'api'}"

    def chosen_by(self, rater: str) -> PairOutcome:
        """The better answer; of two good ones mostly a tie, and now and then a rater is of another opinion."""
        ours, theirs = self.is_weak(own=True), self.is_weak(own=False)
        luck = self.luck(f"chosen/{rater}")
        if ours != theirs and luck < 90:
            return PairOutcome.BASELINE if ours else PairOutcome.CANDIDATE
        if ours and theirs and luck < 85:
            return PairOutcome.BOTH_BAD
        shared = self.luck("taste")
        if shared < 16 and luck < 85:  # what several raters like alike
            return PairOutcome.CANDIDATE if shared < 9 else PairOutcome.BASELINE
        return PairOutcome.CANDIDATE if luck > 95 else PairOutcome.BASELINE if luck > 91 else PairOutcome.TIE


def pairs() -> Iterator[Made]:
    for number in range(EACH):
        for task in TASKS:
            yield Made(task, number)


def add_application() -> Application:
    """That of trials, before its first request: ingest looks applications up every few seconds."""
    application = trials.application()
    if application.owner is None:
        application.owner = User.objects.filter(username=OWNER).first()
        application.save(update_fields=["owner"])
    application.members.add(*User.objects.filter(username__in=RATERS))
    return application


def compare(client: Client, key: str, now: datetime) -> None:
    """Send the answers, make the pairs and store the choices; once. Raises DemoError, Halted."""
    application = Application.objects.get(made_for=TRIALS)
    if Pair.objects.filter(application=application, trial_id=None).exists():
        return
    start = now - timedelta(minutes=20)
    made = list(pairs())
    client.send_requests([row(pair, start, n, own=own) for n, pair in enumerate(made) for own in (True, False)], key)
    deployments = {row.slug: row for row in Deployment.objects.filter(
        slug__in=(MISTRAL_7B.deployment, HAIKU_4_5.deployment))}  # fmt: skip
    users = {user.username: user for user in User.objects.filter(username__in=RATERS)}
    salt = bytes(Installation.objects.get().salt)
    for n, pair in enumerate(made):
        day = (start + timedelta(seconds=n)).date()
        ours, theirs = (request_id(salt, application.pk, pair.external_id(own=own), day) for own in (True, False))
        stored = services.add_pair(
            candidate=deployments[MISTRAL_7B.deployment],
            baseline=deployments[HAIKU_4_5.deployment],
            candidate_request=ours,
            baseline_request=theirs,
            task=pair.task,
            application=application,
            prompt=pair.prompt,
        )
        for rater in raters_of(pair):
            choose(stored, pair, users[rater])


def raters_of(pair: Made) -> list[str]:
    """Two of the three, in turn; the third too where those disagree, but for a few that are still disputed."""
    if pair.number >= EACH - WAITING:
        return []
    first = pair.number % len(RATERS)
    two = [RATERS[first], RATERS[(first + 1) % len(RATERS)]]
    agreed = pair.chosen_by(two[0]) == pair.chosen_by(two[1])
    return two if agreed or pair.number >= EACH - 4 * WAITING else list(RATERS)


def choose(stored: Pair, pair: Made, user: User) -> None:
    rater = Rater.of_user(user)
    first = candidate_is_first(stored, rater, installation_salt())
    services.choose(pair=stored, rater=rater, side=side_of(pair.chosen_by(user.username), first))


def row(pair: Made, start: datetime, n: int, *, own: bool) -> Row:
    """One side's request, as `POST /api/v1/requests` takes it."""
    served: Served = MISTRAL_7B if own else HAIKU_4_5
    prompt, answer = pair.prompt, pair.answer(own=own)
    output = len(answer) // 4 + 1
    return {
        "id": pair.external_id(own=own),
        "started_at": (start + timedelta(seconds=n)).isoformat(),
        "provider": served.provider,
        "model": served.model,
        "deployment": served.deployment,
        "application": TRIALS,
        "task": pair.task,
        "outcome": "ok",
        "http_status": 200,
        "latency_ms": round(served.first_token_ms + output * served.ms_per_token, 1),
        "ttft_ms": served.first_token_ms,
        "streamed": True,
        "tokens": {
            "uncached_input": len(prompt) // 4 + 1, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0,
            "output": output, "reasoning": 0,
        },
        "prompt": prompt,
        "answer": answer,
    }  # fmt: skip
