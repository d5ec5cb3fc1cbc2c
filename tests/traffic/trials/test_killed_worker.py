"""A trial of llama.cpp against the sandbox's Claude whose Celery worker is killed, and another one that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery import Celery
from django.conf import settings
from django.utils import timezone
from honcho.environ import parse_procfile

from costs.trials.report import TrialReport
from lib.encryption import encrypt
from sandbox.anthropic import API_KEY
from sandbox.testing import Sandbox, running_sandbox
from tests.database import conninfo, database_url, empty_after_a_process
from tests.factories import DeploymentFactory, TokenPriceFactory
from tests.traffic.gateway_stack import BASE, until
from traffic.ingest.context import clear_cache
from traffic.models import Pair, Request, Trial, TrialCall
from traffic.models.trials import CallState, TrialState
from traffic.trials import services
from traffic.trials.prompts import builtin
from traffic.trials.services import Plan

pytestmark = pytest.mark.django_db(transaction=True)

PROMPTS = 12


class Workers:
    """Workers with the Procfile's own command, and what beat would send them."""

    def __init__(self, queue_url: str, folder: Path) -> None:
        self.queue = Celery(broker=queue_url, set_as_current=False)
        parts = psycopg.conninfo.conninfo_to_dict(conninfo())
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url(str(parts["host"]), int(parts.get("port") or 5432)),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "BREAKEVEN_DATA": str(folder),
            "BREAKEVEN_KEY": settings.CREDENTIALS_KEY,
            "REDIS_URL": queue_url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.log = folder / "worker.log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.sent = 0.0  # when beat's task was sent last, of the monotonic clock

    def start(self) -> None:
        command = parse_procfile((BASE / "Procfile").read_text()).processes["worker"]
        with self.log.open("ab") as log:
            self.processes.append(
                subprocess.Popen(["sh", "-c", command], cwd=BASE, env=self.environment, stdout=log, stderr=log,
                                 start_new_session=True)
            )  # fmt: skip

    def kill(self) -> None:
        """The newest, as a crash does it."""
        os.killpg(self.processes[-1].pid, signal.SIGKILL)
        self.processes[-1].wait(120)

    def beat(self) -> None:
        """Ask for the trials that are due every two seconds, as the timetable does."""
        assert self.processes[-1].poll() is None, self.log.read_text()
        if time.monotonic() - self.sent > 2:
            self.sent = time.monotonic()
            self.queue.send_task("traffic.tasks.run_trials", expires=2)


@pytest.fixture
def workers(valkey_url: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(valkey_url, tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(120)
    made.queue.control.purge()
    made.queue.close()
    with psycopg.connect(conninfo(), autocommit=True) as conn:
        empty_after_a_process(conn)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Its Claude takes about a third of a second for an answer."""
    with running_sandbox(pace=1.0) as running:
        yield running


def test_another_worker_goes_on_and_each_prompt_is_answered_once_by_each_side(
    workers: Workers, sandbox: Sandbox, engine_url: str
) -> None:
    clear_cache()
    TokenPriceFactory.create(model="claude-haiku-4-5", uncached_input=1, cache_read=Decimal("0.1"), output=5)
    own = DeploymentFactory.create(slug="own", engine="llamacpp", url=engine_url, model="tiny", local=True)
    claude = DeploymentFactory.create(
        slug="claude", provider="anthropic", engine="anthropic", url=f"{sandbox.url}/anthropic", local=True,
        model="claude-haiku-4-5", api_key=encrypt(API_KEY),
    )  # fmt: skip
    trial = services.create(
        Plan("Proof", own, claude, [2], 1, Decimal(1), answer_tokens=64, prompts=builtin()[:PROMPTS])
    )
    workers.start()
    before = until(lambda: answers_of(workers, trial, claude.pk))
    workers.kill()
    trial.refresh_from_db()
    assert trial.state == TrialState.RUNNING
    before = answers_of(workers, trial, claude.pk, alive=False)
    assert len(before) < PROMPTS
    under_way = TrialCall.objects.filter(step__trial=trial, state=CallState.SENT).count()
    assert under_way
    workers.start()
    until(lambda: ended(workers, trial))

    assert (trial.state, trial.problem) == (TrialState.DONE, "")
    calls = TrialCall.objects.filter(step__trial=trial)
    assert calls.filter(state=CallState.LOST).count() == under_way
    assert not calls.filter(state=CallState.SENT).exists()
    for side in (own, claude):
        answered = calls.filter(step__deployment=side, step__timed=False, state=CallState.OK)
        assert sorted(answered.values_list("prompt__number", flat=True)) == list(range(1, PROMPTS + 1))
    assert before <= set(calls.filter(state=CallState.OK).values_list("pk", "request_id"))
    stored = calls.filter(request_id__isnull=False)
    assert Request.objects.count() == stored.count()
    [billed] = sandbox.state.table("anthropic", "calls").values()
    of_claude = calls.filter(step__deployment=claude)
    assert of_claude.filter(state=CallState.OK).count() <= billed["requests"] <= of_claude.count()
    assert trial.spent == sum(call.charged for call in calls) <= trial.cap_usd

    report = TrialReport(trial, timezone.now()).as_json()
    assert (report["progress"], report["pairs"], Pair.objects.count()) == (1.0, PROMPTS, PROMPTS)
    assert [(row["deployment"], row["errors"]) for row in report["steps"]] == [("own", 0), ("claude", 0)]
    assert all(row["tokens_per_second"] and row["ttft"]["p95_ms"] for row in report["steps"])
    assert report["capacity_tokens_per_second"] and report["criteria"]
    assert "trial_resumed" in workers.log.read_text()


def answers_of(workers: Workers, trial: Trial, side: int, alive: bool = True) -> set[tuple[Any, ...]]:
    """The answers of this side that are stored while its prompts are sent, once there are some."""
    if alive:
        assert not ended(workers, trial), f"{trial.problem}\n{workers.log.read_text()}"
    return set(
        TrialCall.objects.filter(
            step__trial=trial, step__deployment=side, step__timed=False, state=CallState.OK
        ).values_list("pk", "request_id")
    )


def ended(workers: Workers, trial: Trial) -> bool:
    workers.beat()
    trial.refresh_from_db()
    return not trial.active
