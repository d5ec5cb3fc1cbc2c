"""Prompts of a trial: the built-in set, files with bad lines, stored bodies of a task."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.factories import ApplicationFactory, DeploymentFactory
from tests.traffic.people import arrive
from traffic.models import Task
from traffic.trials.prompts import MOST_LINE, MOST_PROMPTS, builtin, read_file, stored
from traffic.trials.services import Plan


def file_of(*lines: str | bytes) -> io.BytesIO:
    return io.BytesIO(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines))


def test_the_built_in_set_is_mixed_from_its_first_prompts_on() -> None:
    assert len(builtin()) == 60
    assert {prompt.task for prompt in builtin()[:8]} == set(Task.values)
    assert len({prompt.text for prompt in builtin()}) == 60


def test_a_bad_line_is_named_and_the_others_are_read() -> None:
    read = read_file(
        file_of('{"prompt": "One", "task": "qa"}', "{", "", '["Two"]', '{"prompt": 7}', '{"prompt": "Three"}',
                '{"prompt": "Four", "task": "sports"}', b'{"prompt": "\xff"}')
    )  # fmt: skip
    assert [(prompt.text, prompt.task) for prompt in read.prompts] == [("One", "qa"), ("Three", "other")]
    assert [line for line, _sentence in read.rejected_lines] == [2, 4, 5, 7, 8]
    assert read.rejected_lines[0][1] == "The line is not JSON."
    assert read.whole


def test_a_line_without_end_is_passed_over_in_pieces() -> None:
    long = b'{"prompt": "' + b"x" * (3 * MOST_LINE) + b'"}'
    read = read_file(file_of(long, '{"prompt": "After"}'))
    assert [prompt.text for prompt in read.prompts] == ["After"]
    assert read.rejected_lines == [(1, "The line is longer than 1 MB.")]


def test_a_huge_file_is_read_as_far_as_a_trial_takes_prompts() -> None:
    class Endless(io.RawIOBase):
        lines = 0

        def readline(self, size: int | None = -1) -> bytes:
            self.lines += 1
            return b'{"prompt": "Again"}\n'

    endless = Endless()
    read = read_file(endless)  # type: ignore[arg-type]  # what is read of a file
    assert (len(read.prompts), read.whole, endless.lines) == (MOST_PROMPTS, False, MOST_PROMPTS + 1)
    assert (read.rejected, read.rejected_lines) == (0, [(2_001, "Only the first 2,000 prompts are used.")])


@pytest.mark.parametrize(("line", "rejected"), [(b"\n", 0), (b"x\n", 10_000)])
def test_a_file_of_lines_that_are_no_prompts_is_not_read_to_its_end(line: bytes, rejected: int) -> None:
    read = read_file(io.BytesIO(line * 50_000 + b'{"prompt": "After"}'))
    assert (read.prompts, read.rejected, read.whole) == ([], rejected, False)
    words = "10,000 lines before this one are not prompts, so the rest of the file is not read."
    assert read.rejected_lines[-1] == (10_001, words)


def test_messages_are_kept_as_they_are() -> None:
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    [prompt] = read_file(file_of(json.dumps({"prompt": messages}))).prompts
    assert json.loads(prompt.text) == messages


@pytest.mark.django_db(transaction=True)
def test_stored_prompts_are_those_of_the_task_and_of_applications_that_opted_in(conn: psycopg.Connection) -> None:
    today = datetime.now(UTC)
    open_one, closed = ApplicationFactory.create(capture_bodies=True), ApplicationFactory.create(capture_bodies=False)
    deployment = DeploymentFactory.create(provider="anthropic")

    def row(text: str, days: int = 0, application: Any = open_one, **facts: Any) -> dict[str, Any]:
        return {"application_id": application.pk, "started_at": today - timedelta(days=days), "task": "qa",
                "prompt": text, "answer": "Yes.", "deployment_id": deployment.pk} | facts  # fmt: skip

    arrive(
        conn, row("today"), row("today"), row("old", 6), row("too old", 8), row("other task", task="rag"),
        row("not open", application=closed), row("failed", outcome="error"), row("long", prompt="x" * 70_000),
    )  # fmt: skip
    prompts = stored("qa", today.date(), [open_one.pk, closed.pk], to_vendor=True)
    assert sorted(prompt.text for prompt in prompts) == ["old", "today"]
    assert {(prompt.application, prompt.answered_by) for prompt in prompts} == {(open_one.pk, deployment.pk)}
    assert len(stored("qa", today.date(), [open_one.pk], to_vendor=False, most=1)) == 1
    assert stored("qa", today.date(), [], to_vendor=False) == []


@pytest.mark.django_db(transaction=True)
def test_prompts_of_private_calls_are_not_sent_again_and_none_that_may_be_private_goes_to_a_vendor(
    conn: psycopg.Connection,
) -> None:
    application, ours = ApplicationFactory.create(capture_bodies=True), DeploymentFactory.create(provider="self")
    marks = {"private": {"private": True}, "open": {"private": False}, "unmarked": None}
    arrive(conn, *({"application_id": application.pk, "started_at": datetime.now(UTC), "task": "qa", "prompt": text,
                    "answer": "Yes.", "deployment_id": ours.pk, "provider": "self", "raw": raw}
                   for text, raw in marks.items()))  # fmt: skip
    today = datetime.now(UTC).date()
    to_ours = stored("qa", today, [application.pk], to_vendor=False)
    assert {prompt.text: prompt.own_machines for prompt in to_ours} == {"open": False, "unmarked": True}
    assert [prompt.text for prompt in stored("qa", today, [application.pk], to_vendor=True)] == ["open"]
    plan = Plan("Proof", ours, DeploymentFactory.create(provider="acme"), [1], 1, Decimal(1), prompts=to_ours)
    assert plan.check() == [
        ("prompts", "Some prompts may be of private calls, which must not go to a vendor."),
    ]
