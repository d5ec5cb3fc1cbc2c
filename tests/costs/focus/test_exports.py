"""Exports by themselves: what is due, what arrives in a folder or a bucket, and what is said when nothing does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from minio.credentials.credentials import Credentials
from minio.signer import sign_v4_s3

from costs import focus
from costs.focus import schedule, stores
from costs.focus.schedule import is_due, months, run, run_due
from costs.models import ExportTarget
from dashboard.celery import app
from lib.encryption import encrypt
from tests.costs.entered import entered
from tests.costs.people import client_of, text

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
URL = "/spend/exports/"
SECRET = "wJalrXUtnFEMI-example-only"


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    settings.EXPORTS_DIR = tmp_path
    return tmp_path


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as takes a file: the signature is checked as the store would."""

    def do_PUT(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        named = self.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        headers = sign_v4_s3(
            method="PUT",
            url=urlsplit(f"http://{self.headers['host']}{self.path}"),
            region="us-east-1",
            headers={name: self.headers[name] for name in named},
            credentials=Credentials(access_key="AKIDEXAMPLE", secret_key=SECRET),
            content_sha256=self.headers["x-amz-content-sha256"],
            date=datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
        )
        good = headers["Authorization"] == self.headers["authorization"]
        if good:
            server.kept[self.path] = body
        self.send_response(200 if good else 403)
        said = b"" if good else b"<Error><Code>SignatureDoesNotMatch</Code><Message>Check your key.</Message></Error>"
        self.send_header("ETag", '"1"')
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def bucket() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    server.kept = {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def target(**given: Any) -> ExportTarget:
    values = {"name": "Lake", "kind": "folder", "folder": "finance", "since": date(2026, 3, 1), **given}
    return ExportTarget.objects.create(**values)


def of_bucket(bucket: Any, secret: str = SECRET, **given: Any) -> ExportTarget:
    address = f"http://127.0.0.1:{bucket.server_port}"
    values = {"kind": "s3", "folder": "", "endpoint": address, "bucket": "ledger", "prefix": "a/b", "local": True}
    return target(**values | given, access_key="AKIDEXAMPLE", secret=encrypt(secret))


# What is due.


def test_a_target_is_due_once_a_day_or_month_and_an_hour_after_a_failure() -> None:
    daily = ExportTarget(since=date(2026, 3, 1), every="day")
    assert is_due(daily, NOW)
    daily.succeeded_at = NOW - timedelta(hours=13)
    assert is_due(daily, NOW)
    daily.succeeded_at = NOW - timedelta(hours=11)
    assert not is_due(daily, NOW)
    monthly = ExportTarget(since=date(2026, 3, 1), every="month", succeeded_at=datetime(2026, 6, 1, 1, tzinfo=UTC))
    assert not is_due(monthly, NOW)
    assert is_due(monthly, datetime(2026, 7, 1, 0, 10, tzinfo=UTC))
    failed = ExportTarget(since=date(2026, 3, 1), error="no", tried_at=NOW - timedelta(minutes=59))
    assert not is_due(failed, NOW)
    assert is_due(failed, NOW + timedelta(minutes=1))
    assert not is_due(ExportTarget(since=date(2026, 3, 1), enabled=False), NOW)


@pytest.mark.parametrize(
    ("every", "until", "today", "expected"),
    [
        ("day", None, date(2026, 6, 10), [3, 4, 5, 6]),
        ("month", None, date(2026, 6, 10), [3, 4, 5]),
        ("day", date(2026, 5, 1), date(2026, 6, 10), [5, 6]),  # May may still be revised
        ("month", date(2026, 2, 1), date(2026, 6, 1), [3, 4, 5]),  # three were missed
        ("month", date(2026, 5, 1), date(2026, 7, 1), [5, 6]),
        ("day", date(2026, 5, 1), date(2026, 7, 20), [6, 7]),
    ],
)
def test_a_run_writes_what_was_missed_and_what_may_still_change(
    every: str, until: date | None, today: date, expected: list[int]
) -> None:
    one = ExportTarget(since=date(2026, 3, 1), every=every, written_until=until)
    assert [month.month for month in months(one, today)] == expected


def test_a_worker_asks_for_exports_by_the_clock() -> None:
    assert app.conf.beat_schedule["exports"]["task"] == "costs.tasks.write_exports"


# What arrives.


def test_a_folder_takes_whole_files_whose_names_stay(root: Path, db: None) -> None:
    entered("self", "vm", "7", date(2026, 5, 3))
    one = target(since=date(2026, 5, 1))
    assert run_due(NOW) == 1
    names = sorted(path.name for path in (root / "finance").iterdir())
    assert names == sorted(focus.file_name(name, date(2026, m, 1)) for name in focus.DATASETS for m in (5, 6))
    told = (root / "finance" / "breakeven-focus-1.4-cost-and-usage-2026-05.csv").read_bytes()
    assert told == focus.export("cost-and-usage", date(2026, 5, 1), NOW).encode()
    one.refresh_from_db()
    assert (one.files, one.error, one.succeeded_at, one.written_until) == (6, "", NOW, date(2026, 5, 1))
    assert run_due(NOW) == 0
    assert run_due(NOW + timedelta(days=1)) == 1
    assert sorted(path.name for path in (root / "finance").iterdir()) == names


def test_a_bucket_takes_signed_files(bucket: Any, db: None) -> None:
    one = of_bucket(bucket, since=date(2026, 5, 1), every="month", format="parquet")
    assert run(one, NOW)
    assert set(bucket.kept) == {
        f"/ledger/a/b/{focus.file_name(name, date(2026, 5, 1), 'parquet')}" for name in focus.DATASETS
    }
    assert all(content.startswith(b"PAR1") for content in bucket.kept.values())


def test_a_refusal_is_kept_in_the_stores_words_and_what_arrived_before_counts(
    bucket: Any, root: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = of_bucket(bucket, secret="another")
    assert not run(one, NOW)
    one.refresh_from_db()
    assert one.error == "The store refused it: SignatureDoesNotMatch, Check your key."
    assert (one.succeeded_at, one.tried_at) == (None, NOW)
    two = target()
    write = schedule.write

    def full(place: Any, of: ExportTarget, first: date, now: datetime) -> int:
        if first == date(2026, 5, 1):
            raise stores.StoreError("The disk is full.")
        return write(place, of, first, now)

    monkeypatch.setattr(schedule, "write", full)
    assert not run(two, NOW)
    two.refresh_from_db()
    assert (two.written_until, two.error) == (date(2026, 4, 1), "The disk is full.")


def test_log_says_which_export_was_written_and_which_failed(
    bucket: Any, root: Path, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="costs.focus.schedule")
    written, refused = target(since=date(2026, 5, 1)), of_bucket(bucket, secret="another")
    assert run(written, NOW) and not run(refused, NOW)
    good, bad = caplog.records
    assert good.getMessage().startswith(f"export_written export={written.pk} files=6 ms=")
    assert bad.getMessage().startswith(f"export_failed export={refused.pk} files=0 ms=")
    assert (good.levelname, bad.levelname) == ("INFO", "WARNING")


def test_an_address_inside_our_network_is_not_reached_unless_it_is_local(bucket: Any, db: None) -> None:
    one = of_bucket(bucket, local=False)
    assert not run(one, NOW)
    one.refresh_from_db()
    assert "leads to the private address 127.0.0.1" in one.error
    assert not bucket.kept


def test_without_the_extras_a_sentence_is_kept(root: Path, bucket: Any, db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(focus.parquet, "find_spec", lambda name: None)
    monkeypatch.setattr(stores, "find_spec", lambda name: None)
    for one in (target(format="parquet"), of_bucket(bucket)):
        assert not run(one, NOW)
    said = list(ExportTarget.objects.values_list("error", flat=True))
    assert ["install breakeven[" in error for error in said] == [True, True]


# The page.


@pytest.fixture
def ops(db: None) -> Client:
    return client_of("ops")


FOLDER = {"name": "Disk", "every": "day", "format": "csv", "since": "2026-03", "folder": "finance"}
STORE = {
    "name": "Lake", "every": "month", "format": "csv", "since": "2026-03", "endpoint": "https://192.0.2.1",
    "region": "", "bucket": "ledger", "prefix": "", "access_key": "AKIDEXAMPLE", "secret": SECRET,
}  # fmt: skip


def test_a_target_is_added_run_switched_deleted_and_brought_back(ops: Client, root: Path) -> None:
    assert "No exports yet" in text(ops, URL)
    assert ops.post(f"{URL}add/folder/", FOLDER)["Location"] == URL
    one = ExportTarget.objects.get()
    page = " ".join(ops.post(f"{URL}{one.pk}/run/", follow=True).content.decode().split())
    assert "Disk: " in page
    assert "<b>1 of 1</b> exports is on, and nothing has failed." in page
    assert list((root / "finance").iterdir())
    ops.post(f"{URL}{one.pk}/switch/", {"enabled": "0"})
    one.refresh_from_db()
    assert not one.enabled
    page = ops.post(f"{URL}{one.pk}/delete/", follow=True).content.decode()
    assert f'action="{URL}{one.pk}/undo/"' in page
    assert ops.get(f"{URL}{one.pk}/").status_code == 404
    ops.post(f"{URL}{one.pk}/undo/")
    assert "Disk" in text(ops, URL)


def test_a_test_writes_one_file_and_saves_nothing(ops: Client, root: Path) -> None:
    page = " ".join(ops.post(f"{URL}add/folder/", FOLDER | {"action": "test"}).content.decode().split())
    assert f"{root / 'finance'} can be written to." in page
    assert not list((root / "finance").iterdir())
    assert not ExportTarget.objects.exists()
    (root / "file").touch()
    part = ops.post(f"{URL}add/folder/", FOLDER | {"action": "test", "folder": "file"}, headers={"HX-Request": "true"})
    assert "cannot be written to" in part.content.decode()


def test_a_key_is_written_and_never_shown(ops: Client) -> None:
    answer = ops.post(f"{URL}add/s3/", STORE)
    assert answer.status_code == 422  # 192.0.2.1 is no address of the internet
    one = target(kind="s3", endpoint="https://192.0.2.1", bucket="b", access_key="a", secret=encrypt(SECRET))
    assert SECRET not in text(ops, f"{URL}{one.pk}/") + text(ops, URL)
    assert SECRET not in answer.content.decode()
    moved = ops.post(f"{URL}{one.pk}/", STORE | {"secret": "", "endpoint": "https://192.0.2.2"})
    assert "Enter the key again" in str(moved.context["form"].errors["secret"])


@pytest.mark.parametrize(
    ("kind", "changes", "field", "sentence"),
    [
        ("folder", {"folder": "../../etc"}, "folder", "The folder must lie below"),
        ("folder", {"since": "2026-13"}, "since", "Write the month as 2026-11."),
        ("folder", {"since": "2999-01"}, "since", "This month has not begun yet."),
        ("s3", {"endpoint": "http://192.0.2.1"}, "endpoint", "must begin with https:"),
        ("s3", {"endpoint": "https://127.0.0.1"}, "endpoint", "leads to the private address 127.0.0.1"),
        ("s3", {"endpoint": "https://192.0.2.1/bucket"}, "endpoint", "names only the store"),
        ("s3", {"secret": ""}, "secret", "This field is required."),
    ],
)
def test_what_is_refused_says_why(
    ops: Client, root: Path, kind: str, changes: dict[str, str], field: str, sentence: str
) -> None:
    answer = ops.post(f"{URL}add/{kind}/", (FOLDER if kind == "folder" else STORE) | changes)
    assert (answer.status_code, sentence in str(answer.context["form"].errors[field])) == (422, True)
    assert not ExportTarget.objects.exists()


def test_a_manager_looks_and_changes_nothing(root: Path, db: None) -> None:
    one, manager = target(), client_of("manager")
    assert "Run now" not in text(manager, URL)
    assert manager.post(f"{URL}{one.pk}/run/").status_code == 403
    assert manager.get(f"{URL}add/s3/").status_code == 403
