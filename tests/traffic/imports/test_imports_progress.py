"""What the page of an import says while it is at work: to the eye with each poll, aloud at each tenth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from lib.disk import Disk
from providers.models import TokenPrice
from tests.dashboard.logins import logged_in, with_role
from tests.pages import html_of
from tests.traffic.import_files import DAY, brought, finished, lines, recorded, sent
from traffic.imports import run, services
from traffic.imports.files import path_of
from traffic.imports.pace import Pace, seconds_left
from traffic.models import Import

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def half(conn: psycopg.Connection, price: TokenPrice, monkeypatch: pytest.MonkeyPatch) -> Import:
    """An import of 40 rows that is at work, with 20 of them read at 5 rows a second."""
    monkeypatch.setattr(run, "BATCH", 10)
    draft = brought(lines(40))
    services.start(imported=draft)
    seconds: Iterator[float] = iter(range(0, 100, 2))
    assert run.work(draft.pk, clock=lambda: next(seconds), seconds=7)
    draft.refresh_from_db()
    return draft


def poll(client: Client, imported: Import, said: str = "") -> str:
    headers: dict[str, Any] = {"hx-request": "true", "hx-target": "progress"}
    page = client.get(f"/settings/imports/{imported.pk}/", {"said": said}, headers=headers)
    return html_of(page)


def test_the_progress_says_how_many_of_how_many_how_fast_and_how_long(half: Import) -> None:
    page = poll(logged_in(with_role("manager")), half)
    assert re.search(r"20 of about (39|40|41) rows, .* of .* · 5 rows/s · about 4 s left", page), page
    assert (half.percent, half.rows) == (round(100 * half.offset / half.size - 0.5), 20)


def test_a_poll_brings_the_sentence_and_the_days_anew_and_speaks_once_for_each_tenth(half: Import) -> None:
    client = logged_in(with_role("manager"))
    first = poll(client, half)
    assert 'id="answer" hx-swap-oob="true"' in first and "<b>20 new rows</b>" in first
    assert 'id="days" hx-swap-oob="true"' in first
    assert '<p id="said" hx-swap-oob="innerHTML">being read: ' in first
    said = re.search(r"\?said=([a-z]+-\d+)", first)
    assert said is not None
    assert 'id="said"' not in poll(client, half, said[1]), "the same tenth is not said again"
    while run.work(half.pk):
        pass
    last = poll(client, half, said[1])
    assert "done: 100 %, 40 new rows" in last and "data-poll" not in last and "Result" in last


def test_what_is_taken_back_is_counted_in_rows_and_cannot_be_read_on(half: Import) -> None:
    services.take_back(imported=half)
    Import.objects.filter(pk=half.pk).update(removed=5)
    client = logged_in(with_role("ops"))
    assert "5 of 20 rows undone" in poll(client, half)
    half.refresh_from_db()
    assert half.percent == 25
    run.fail(half.pk, "The disk is full.")
    half.refresh_from_db()
    assert not services.start(imported=half), "a part of it is gone; only taking back can be gone on with"
    page = poll(client, half)
    assert "Continue" not in page and "Undo import" in page


def test_one_waits_while_the_disk_is_nearly_full_and_can_be_taken_back(
    half: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "disk_of", lambda folder: Disk(100, 98, 2, 3))
    assert not run.work(half.pk)
    page = poll(logged_in(with_role("ops")), half)
    assert "The disk is nearly full: make room, then go on." in page and "Continue" in page
    half.refresh_from_db()
    services.take_back(imported=half)
    while run.work(half.pk):
        pass
    half.refresh_from_db()
    assert half.state == "undone"


def test_one_whose_file_is_gone_says_so_without_a_path(half: Import, caplog: pytest.LogCaptureFixture) -> None:
    path_of(half.pk).unlink()
    assert not run.work(half.pk)
    half.refresh_from_db()
    assert half.problem == "The file cannot be read any more: No such file or directory."
    assert not services.start(imported=half)
    assert f"import_failed import_id={half.pk}" in caplog.text


def test_a_worker_that_is_not_heard_of_is_said_with_when_another_takes_over(half: Import) -> None:
    client = logged_in(with_role("manager"))
    for ago, said in ((5, False), (40, True)):
        heard = timezone.now() - timedelta(seconds=ago)
        Import.objects.filter(pk=half.pk).update(claimed_until=heard + run.CLAIM)
        page = poll(client, half)
        assert ("No response from its worker for 40" in page, "rows/s" in page) == (said, not said)


def test_the_same_file_again_is_said_by_how_far_it_is(conn: psycopg.Connection, price: TokenPrice) -> None:
    client = logged_in(with_role("ops"))
    file = lines(3)

    def said() -> str:
        return client.get(sent(client, file)["Location"]).content.decode()

    sent(client, file)
    assert "was not started yet" in said()
    draft = Import.objects.get()
    services.start(imported=draft)
    services.cancel(imported=draft)
    assert "Continue to read the rest" in said()
    draft.refresh_from_db()
    finished(draft)
    assert "A second import changes nothing" in said() and Import.objects.count() == 1


def test_the_pace_of_the_slice_before_holds_until_a_batch_is_committed() -> None:
    seconds = iter((10.0, 12.0, 14.0))
    pace = Pace(lambda: next(seconds), {"bytes": 7.0, "rows": 1.0})
    assert pace.known == {"bytes": 7.0, "rows": 1.0}
    pace.add(1000, 10)
    assert pace.known == {"bytes": 500.0, "rows": 5.0}
    pace.add(600, 10)
    assert pace.known == {"bytes": 400.0, "rows": 5.0}
    assert seconds_left(3600, 1600, {"pace": pace.known}) == 5
    assert seconds_left(3600, 0, {"pace": None}) is None and seconds_left(3600, 0, {}) is None


def test_the_preview_says_on_a_phone_what_each_figure_is_and_keeps_the_columns_apart(
    conn: psycopg.Connection, price: TokenPrice, tmp_path: Path
) -> None:
    client = logged_in(with_role("ops"))
    page = client.get(sent(client, recorded("generic.csv"))["Location"]).content.decode()
    assert 'class="table-box stack"' in page
    for label in ("Line", "Started", "Outcome", "Whole time", "Uncached input", "From the cache", "Output"):
        assert f'data-label="{label}"' in page
    told, mapped = page.split("<legend>Columns</legend>")
    assert 'name="zone"' in told and 'name="column_' not in told
    assert 'name="column_model"' in mapped and 'name="zone"' not in mapped
    assert 'href="#options-h"' in told


ODD = b"wann;was;rein\n" + b"".join(b"%s 10:0%d:00;gpt-5-mini;%d\n" % (str(DAY).encode(), n, n) for n in range(3))


def test_columns_that_nobody_knows_come_first_with_an_example_for_who_may_see_the_file(
    conn: psycopg.Connection, price: TokenPrice
) -> None:
    client = logged_in(with_role("ops"))
    url = sent(client, ODD)["Location"]
    page = client.get(url).content.decode()
    assert page.index('id="options-h"') < page.index('id="preview-h"'), "nothing to look at before that"
    assert f"wann: {DAY} 10:00:00</option>" in page and "rein: 0</option>" in page
    Import.objects.update(by=None)
    assert ">wann</option>" in client.get(url).content.decode(), "somebody else's file may hold what people wrote"
    given = {"format": "generic", "zone": "UTC", "column_started_at": "wann", "column_model": "was"}
    client.post(url, given)
    page = client.get(url).content.decode()
    assert page.index('id="preview-h"') < page.index('id="options-h"') and "Start</button>" in page


def test_an_example_is_one_short_line() -> None:
    assert services.shortened("a\n  b") == "a b"
    assert services.shortened("x" * 31) == "x" * 29 + "…"


def test_what_was_taken_back_is_in_the_log(half: Import, caplog: pytest.LogCaptureFixture) -> None:
    services.take_back(imported=half)
    while run.work(half.pk):
        pass
    assert f"import_taken_back import_id={half.pk} removed=20" in caplog.text


def test_a_fault_of_ours_is_in_the_log_with_its_traceback(
    half: Import, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "read_some", fail)
    assert not run.work(half.pk)
    assert f"import_crashed import_id={half.pk}" in caplog.text and "ZeroDivisionError" in caplog.text
