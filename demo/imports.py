"""A file that somebody of the company uploaded and has not started: its page shows what an import would do."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from django.contrib.auth.models import User

from traffic.imports.files import folder, take_in
from traffic.imports.services import bring_in
from traffic.models import Import

NAME = "litellm-spend-logs.csv"
COLUMNS = ("request_id", "call_type", "spend", "prompt_tokens", "completion_tokens", "startTime", "endTime",
           "completionStartTime", "model", "custom_llm_provider", "cache_hit", "status")  # fmt: skip
ROWS = 60


def leave_a_draft(now: datetime, username: str) -> None:
    """Once; nothing of it is stored among the requests unless a person starts it."""
    if Import.objects.exists():
        return
    with tempfile.NamedTemporaryFile("w", dir=folder(), prefix="upload-", suffix=".csv") as file:
        file.write(spend_logs(now - timedelta(days=2)))
        file.flush()
        path, size, digest = take_in(Path(file.name))
    bring_in(path=path, name=NAME, size=size, sha256=digest, by=User.objects.filter(username=username).first())


def spend_logs(since: datetime) -> str:
    """LiteLLM's table as CSV: most rows good, one without a time, one health check, answers from its cache."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for n in range(ROWS):
        started = since + timedelta(minutes=7 * n)
        first, ended = started + timedelta(milliseconds=240 + 9 * n), started + timedelta(milliseconds=1400 + 31 * n)
        model = "claude-haiku-4-5" if n % 3 else "claude-sonnet-5-5"
        call = "health" if n == 4 else "acompletion"
        cached = n % 9 == 8
        begins = stamp(started) if n != 11 else ""
        spend = "0" if cached else f"{0.0004 * (n + 1):.6f}"
        times = (begins, stamp(started), "") if cached else (begins, stamp(ended), stamp(first))
        table.writerow(
            [
                f"msg_01Demo{n:020d}",
                call,
                spend,
                320 + 17 * n,
                90 + 5 * n,
                *times,
                model,
                "anthropic",
                cached,
                "success",
            ]
        )
    return text.getvalue()


def stamp(moment: datetime) -> str:
    """As Postgres writes LiteLLM's times: UTC without saying so."""
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"
