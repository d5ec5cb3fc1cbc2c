"""Files of other tools become requests once, sums become the vendor's report, and all of it can be taken back."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from demo.imports import leave_a_draft
from lib.dates import midnight
from providers.models import Feed, TokenPrice, VendorCost, VendorUsage
from tests.dashboard.logins import logged_in, with_role
from tests.factories import AccountFactory, ApplicationFactory
from tests.pages import html_of
from tests.traffic.import_files import DAY, HEADER, RECORDED, brought, finished, lines, recorded, sent
from tests.traffic.request_rows import assert_rollups_exact, row
from traffic import tasks
from traffic.imports import FORMATS, files, recognise, run, services
from traffic.imports.base import Options
from traffic.imports.pace import Pace
from traffic.imports.readers import Dialect, Unreadable, reader, sniff
from traffic.imports.values import decimal, moment, snake
from traffic.ingest import pipeline as traffic_services
from traffic.ingest.native import Rejected
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens
from traffic.ingest.store import ingest
from traffic.models import Import, Rating, Request, RequestBody, UsageDay

pytestmark = pytest.mark.usefixtures("folder")


def imported_file(name: str, options: Options | None = None) -> Import:
    return finished(brought(recorded(name), name, options))


def counts(imported: Import) -> tuple[int, int, int, int]:
    return imported.accepted, imported.duplicates, imported.rejected, imported.skipped


def everything(conn: psycopg.Connection) -> Any:
    """Every stored row and sum."""
    tables = ("traffic_request", "traffic_request_body", "traffic_usage_hour", "traffic_usage_day",
              "traffic_latency_hour", "traffic_latency_day")  # fmt: skip
    return [sorted(map(repr, conn.execute(f"SELECT * FROM {table}").fetchall())) for table in tables]


# --- each format ---


def test_litellms_spend_logs_meet_what_its_webhook_brought(conn: psycopg.Connection, price: TokenPrice) -> None:
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    known = row(1, response_id="msg_01ABCDEFGHIJKLMNOPQRSTUV", tokens=None, application_id=shop.pk,
                started_at=datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC))  # fmt: skip
    ingest(conn, [known], PricingContext.load(conn))
    done = imported_file("litellm.csv")
    assert counts(done) == (2, 1, 0, 1)
    one, cached, failed = Request.objects.in_days(DAY, DAY + timedelta(days=1)).order_by("started_at")
    assert (one.source, one.import_id, one.application_id) == ("native", None, shop.pk)
    assert (one.uncached_input, one.cache_read, one.output, one.cost) == (100, 400, 220, Decimal("0.00372"))
    assert (cached.cost, cached.output, cached.response_id) == (Decimal(0), 0, None)
    assert (failed.outcome, failed.http_status, failed.error_type, failed.output) == (
        "error",
        429,
        "RateLimitError",
        None,
    )
    assert_rollups_exact(conn)


def test_langfuses_generations_are_requests_and_its_spans_are_not(conn: psycopg.Connection, price: TokenPrice) -> None:
    done = imported_file("langfuse.json")
    assert (done.format, counts(done)) == ("langfuse", (2, 0, 0, 1))
    one, failed = Request.objects.in_days(DAY, DAY + timedelta(days=1)).order_by("started_at")
    assert one.external_id == "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7"  # as OTLP names this span
    assert (one.uncached_input, one.cache_read, one.output, one.reasoning) == (100, 400, 200, 20)
    assert (one.latency_ms, one.ttft_ms, one.streamed, one.cost) == (800, 200, True, Decimal("0.00342"))
    assert (failed.provider, failed.outcome, failed.uncached_input) == ("openai", "error", None)
    assert not RequestBody.objects.filter(day=DAY).exists()


def test_helicones_requests_come_with_their_outcome(conn: psycopg.Connection, price: TokenPrice) -> None:
    done = imported_file("helicone.jsonl")
    assert (done.format, counts(done)) == ("helicone", (2, 0, 0, 0))
    one, gone = Request.objects.in_days(DAY, DAY + timedelta(days=1)).order_by("started_at")
    assert (one.response_id, one.latency_ms, one.ttft_ms, one.cost) == (
        "msg_01ABCDEFGHIJKLMNOPQRSTUV", 800, 200, Decimal("0.00342")
    )  # fmt: skip
    assert (gone.outcome, gone.http_status, gone.output) == ("cancelled", None, None)


def test_any_csv_is_read_by_its_columns_and_bad_lines_are_named(conn: psycopg.Connection, price: TokenPrice) -> None:
    draft = brought(recorded("generic.csv"))
    assert draft.format == "generic" and Options.of(draft.options).decimal_comma
    draft.options |= {"zone": "Europe/Rome", "day_first": True}
    assert draft.options["columns"] == {
        "started_at": "Timestamp", "provider": "Vendor", "model": "Model", "http_status": "Status",
        "latency_ms": "Latency", "input": "Prompt tokens", "cache_read": "Cached tokens", "output": "Completion tokens",
    }  # fmt: skip
    draft.save()
    assert [bool(one.problem) for one in services.preview(draft)] == [False, False, False, True, True]
    done = finished(draft)
    assert counts(done) == (3, 0, 2, 0)
    assert done.errors == [[5, "model: Has no model."], [6, "started_at: 'gestern' is no date and time."]]
    one, same, failed = Request.objects.in_days(DAY, DAY + timedelta(days=1)).order_by("started_at", "-external_id")
    assert one.started_at == same.started_at and one.started_at.hour in (12, 13)  # 14:00 in Rome
    assert one.external_id == f"{same.external_id}:1", "two alike lines without an id are two calls"
    assert (one.latency_ms, one.uncached_input, one.cache_read, one.output) == (800.5, 100, 400, 200)
    assert (failed.outcome, failed.http_status, failed.uncached_input) == ("error", 529, 1000)


SPEND = b"request_id,call_type,spend,prompt_tokens,completion_tokens,total_tokens,startTime,endTime,model,status\n"


@pytest.mark.parametrize(
    ("call", "prompt", "output", "total", "right"),
    [
        ("acompletion", "", "40", "", (None, None, ["input_missing"])),
        ("acompletion", "40", "", "", (40, 0, ["output_missing"])),
        ("acompletion", "40", "", "60", (40, 20, None)),
        ("acompletion", "", "", "", (None, None, None)),
        ("acompletion", "0", "0", "0", (None, None, None)),
        ("aembedding", "40", "", "", (40, 0, None)),
        ("acompletion", "40", "10", "60", (40, 10, ["total_differs"])),
    ],
)
def test_tokens_that_spend_logs_do_not_tell_are_unknown_and_not_zero(
    conn: psycopg.Connection, price: TokenPrice, call: str, prompt: str, output: str, total: str, right: Any
) -> None:
    line = f"r1,{call},0.5,{prompt},{output},{total},{DAY} 12:00:00,{DAY} 12:00:01,claude-test,success\n"
    assert counts(finished(brought(SPEND + line.encode()))) == (1, 0, 0, 0)
    one = Request.objects.in_days(DAY, DAY + timedelta(days=1)).get()
    assert (one.uncached_input, one.output, (one.raw or {}).get("doubts")) == right
    assert one.reported_cost == Decimal("0.5") and (one.cost is None) == (right[0] is None)


def test_a_csv_without_a_column_of_answers_is_kept_with_the_doubt(conn: psycopg.Connection, price: TokenPrice) -> None:
    content = f"time,model,provider,prompt_tokens\n{DAY} 12:00:00,claude-test,anthropic,70\n"
    assert counts(finished(brought(content.encode()))) == (1, 0, 0, 0)
    one = Request.objects.in_days(DAY, DAY + timedelta(days=1)).get()
    assert (one.uncached_input, one.output, (one.raw or {})["doubts"]) == (70, 0, ["output_missing"])


def test_every_line_that_was_set_aside_is_named_and_can_be_had_as_a_file(
    conn: psycopg.Connection, price: TokenPrice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 50)
    bad = b"".join(b"soon,claude-test,anthropic,1,1,1,bad-%d\n" % n for n in range(130))
    done = finished(brought(lines(60) + bad))
    assert counts(done) == (60, 0, 130, 0) and len(done.errors) == 100
    ops = logged_in(with_role("ops"))
    page = ops.get(f"/settings/imports/{done.pk}/").content.decode()
    assert "130 lines with an error were skipped" in page and "The first 100 are shown." in page
    assert f'href="/settings/imports/{done.pk}/errors.csv"' in page
    got = b"".join(ops.get(f"/settings/imports/{done.pk}/errors.csv").streaming_content).decode()  # type: ignore[attr-defined]
    told = got.splitlines()
    assert len(told) == 131 and told[1] == "62,started_at: 'soon' is no date and time."
    assert told[-1].startswith("191,")
    services.take_back(imported=done)
    while run.work(done.pk):
        pass
    assert ops.get(f"/settings/imports/{done.pk}/").status_code == 200


def test_sums_become_the_vendors_report_and_never_requests(conn: psycopg.Connection) -> None:
    account = AccountFactory.create(slug="ours", name="Ours", enabled=False)
    done = imported_file("anthropic_usage.csv")
    assert (done.format, counts(done)) == ("anthropic-console", (2, 0, 0, 0))
    assert not Request.objects.in_days(DAY, DAY + timedelta(days=1)).exists()
    sonnet, haiku = VendorUsage.objects.order_by("-model")
    assert (sonnet.account, sonnet.uncached_input, sonnet.output, sonnet.web_searches) == (account, 256_981, 17_832, 2)
    assert (haiku.api_key, haiku.service_tier, haiku.cache_write_1h, haiku.requests) == (
        "search, batch",
        "batch",
        400,
        None,
    )
    assert services.take_back(imported=done) and not run.work(done.pk)
    assert not VendorUsage.objects.exists()


def test_an_export_of_before_the_hours_cache_keeps_what_was_written_to_it(conn: psycopg.Connection) -> None:
    header = (
        "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write,usage_output_tokens"
    )
    finished(brought(f"{header}\n{DAY},claude-3-5-haiku,10,400,7\n".encode()))
    assert VendorUsage.objects.values_list("uncached_input", "cache_write_5m", "output").get() == (10, 400, 7)


def test_a_day_that_the_vendors_api_told_is_left_to_it(conn: psycopg.Connection) -> None:
    account = AccountFactory.create(slug="ours", name="Ours")
    starts_at = datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=UTC)
    VendorUsage.objects.create(
        account=account, starts_at=starts_at, ends_at=starts_at, model="claude-sonnet-5-5", output=1
    )
    done = imported_file("anthropic_usage.csv")
    assert counts(done) == (0, 2, 0, 0)
    assert VendorUsage.objects.get().output == 1


def test_a_cost_file_is_a_bill_up_to_its_last_day_and_stops_being_one(conn: psycopg.Connection) -> None:
    done = imported_file("anthropic_cost.csv")
    assert (counts(done), VendorCost.objects.count()) == ((3, 0, 0, 0), 3)
    line = VendorCost.objects.get(token_class="uncached_input")
    assert (line.model, line.amount, line.list_amount) == ("claude-sonnet-5-5", Decimal("0.19"), Decimal("0.21"))
    feed = Feed.objects.get()
    assert (feed.account.slug, feed.complete_until) == ("anthropic-files", midnight(DAY + timedelta(days=1)))
    assert services.take_back(imported=done) and not run.work(done.pk)
    assert (VendorCost.objects.count(), Feed.objects.count()) == (0, 0)


def test_days_before_a_cost_file_that_were_measured_stay_measured(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(1, started_at=timezone.now() - timedelta(days=90))], PricingContext.load(conn))
    imported_file("anthropic_cost.csv")
    assert VendorCost.objects.count() == 3 and not Feed.objects.exists()


def test_openais_sums_are_read_from_the_page_and_from_the_api(conn: psycopg.Connection) -> None:
    assert counts(imported_file("openai_usage.csv")) == (1, 0, 0, 1)
    assert counts(imported_file("openai_usage.json")) == (1, 0, 0, 0)
    page, api = VendorUsage.objects.order_by("-requests")
    assert (page.account.slug, page.requests, page.uncached_input, page.cache_read) == (
        "openai-files",
        270,
        1_434_055,
        1024,
    )
    assert (api.model, api.service_tier, api.uncached_input, api.cache_read) == ("gpt-5", "batch", 400, 100)


@pytest.mark.parametrize("name", sorted(path.name[7:] for path in RECORDED.glob("import_*")))
def test_a_format_is_recognised_by_its_columns(name: str, db: None) -> None:
    slug = FORMATS[brought(recorded(name), name).format].slug
    assert slug.split("-")[0] == name.split("_")[0].split(".")[0]


# --- the same file twice, crashes, cancel, undo ---


def test_the_same_file_twice_changes_nothing(conn: psycopg.Connection, price: TokenPrice) -> None:
    content = lines(50)
    done = finished(brought(content))
    before = everything(conn)
    source = files.folder() / "again"
    source.write_bytes(content)
    path, size, digest = files.take_in(source)
    again, new = services.bring_in(path=path, name="b.csv", size=size, sha256=digest)
    assert (again, new, services.start(imported=again)) == (done, False, False) and not path.exists()
    overlapping = finished(brought(lines(60)))
    assert counts(overlapping) == (10, 50, 0, 0)
    assert services.take_back(imported=overlapping) and not run.work(overlapping.pk)
    assert everything(conn) == before


def test_taking_back_removes_exactly_what_the_file_brought(
    conn: psycopg.Connection, price: TokenPrice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 150)
    late = datetime(DAY.year, DAY.month, DAY.day, 23, tzinfo=UTC)
    ingest(conn, [row(n, started_at=late) for n in range(5)], PricingContext.load(conn))
    before = everything(conn)
    done = finished(brought(lines(400)))
    assert counts(done) == (400, 0, 0, 0) and (done.last_day or DAY) > (done.first_day or DAY)
    assert not files.path_of(done.pk).exists()
    judged = Request.objects.filter(day=DAY, import_id=done.pk)[0]
    Rating.objects.create(day=DAY, request_id=judged.id, by="olga", stars=4)
    RequestBody.objects.create(day=DAY, request_id=judged.id, prompt="Hello")
    assert services.take_back(imported=done)
    while run.work(done.pk, seconds=-1):
        assert_rollups_exact(conn)
    done.refresh_from_db()
    assert (done.state, done.removed) == ("undone", 400)
    assert everything(conn) == before
    waits = Rating.objects.get()
    assert (waits.request_id, waits.response_id) == (None, judged.external_id)
    call_command("audit")
    assert counts(finished(brought(lines(400)))) == (400, 0, 0, 0)


def test_a_call_that_came_by_another_way_too_is_not_taken_back(conn: psycopg.Connection, price: TokenPrice) -> None:
    done = finished(brought(lines(3)))
    began = datetime(DAY.year, DAY.month, DAY.day, 23, 59, tzinfo=UTC)
    told = row(1, external_id="call-1", started_at=began, latency_ms=6, ttft_ms=None, tokens=Tokens(101, 0, 0, 0, 1))
    ingest(conn, [told], PricingContext.load(conn))
    assert services.take_back(imported=done) and not run.work(done.pk)
    assert [one.external_id for one in Request.objects.in_days(DAY, DAY + timedelta(days=2))] == ["call-1"]
    assert_rollups_exact(conn)


def test_after_a_crash_it_goes_on_where_the_last_batch_was_committed(
    conn: psycopg.Connection, price: TokenPrice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    draft = brought(lines(45) + b"no,such,line,x,y,z,\n")
    services.start(imported=draft)
    calls = iter(range(99))

    def killed(rows: Any, also: Any) -> Any:
        """The worker dies in the third batch, after its rows and before the commit."""

        def dies(at: psycopg.Connection, accepted: int) -> None:
            also(at, accepted)
            if next(calls) == 2:
                raise KeyboardInterrupt

        return traffic_services.store(rows, dies)

    monkeypatch.setattr(run, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        run.work(draft.pk)
    draft.refresh_from_db()
    assert (draft.accepted, draft.line, draft.state) == (20, 21, "running")
    assert not run.work(draft.pk), "whoever was at it might still be alive"
    Import.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    while run.work(draft.pk):
        pass
    draft.refresh_from_db()
    assert (draft.state, counts(draft), draft.errors[0][0]) == ("done", (45, 0, 1, 0), 47)
    assert_rollups_exact(conn)


def test_cancelling_stops_between_batches_and_it_can_go_on(
    conn: psycopg.Connection, price: TokenPrice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    draft = brought(lines(40))
    services.start(imported=draft)
    assert run.work(draft.pk, seconds=-1), "a slice ends after a batch when its time is over"
    taken = Import.objects.claim(draft.pk, timezone.now(), timezone.now() + run.CLAIM)
    assert taken is not None and services.cancel(imported=draft)
    with pytest.raises(run.Stopped):
        run.read_some(taken, lambda: False, Pace(lambda: 0.0, None))
    draft.refresh_from_db()
    assert (draft.state, counts(draft)) == ("cancelled", (10, 0, 0, 0))
    assert counts(finished(draft)) == (40, 0, 0, 0)
    assert_rollups_exact(conn)


def test_memory_does_not_grow_with_the_file(conn: psycopg.Connection, tmp_path: Path) -> None:
    source = tmp_path / "big.csv"
    long = b"x" * 100_000
    with source.open("wb") as file:  # 20 MB
        file.write(HEADER.rstrip() + b",note\n")
        for line in lines(200).splitlines()[1:]:
            file.write(line + b"," + long + b"\n")
    path, size, digest = files.take_in(source)
    draft, _ = services.bring_in(path=path, name="big.csv", size=size, sha256=digest)
    services.start(imported=draft)
    tracemalloc.start()
    assert not run.work(draft.pk)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert Request.objects.in_days(DAY, DAY + timedelta(days=2)).count() == 200
    assert size > 20_000_000 and peak < 8_000_000


# --- readers and values ---


def records(content: bytes, path: Path) -> list[tuple[int, dict[str, Any], str]]:
    path.write_bytes(content)
    with path.open("rb") as file:
        return [(one.line, one.values, one.problem) for one in reader(file, sniff(file))]


def test_lines_are_named_also_where_values_span_several(tmp_path: Path) -> None:
    content = 'a,b\n1,"two\nlines"\n\n3,4,5\n\xe9,x\n'.encode("latin-1")
    assert records(content, tmp_path / "f") == [
        (2, {"a": "1", "b": "two\nlines"}, ""),
        (5, {"a": "3", "b": "4"}, "Has 3 values for 2 columns."),
        (6, {"a": "\ufffd", "b": "x"}, "Not valid UTF-8."),
    ]


def test_json_is_read_object_by_object_whatever_its_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [{"a": 'brace } "quoted" \\', "b": {"c": [1, {}]}}, {"a": "é" * 50}, {"n": 3}]
    monkeypatch.setattr("traffic.imports.readers.CHUNK", 7)
    for content in (json.dumps(objects, indent=1), "\n".join(json.dumps(one, indent=1) for one in objects)):
        found = records(content.encode(), tmp_path / "f")
        assert [one[:2] for one in found] == [(number, one) for number, one in enumerate(objects, 1)]
        with (tmp_path / "f").open("rb") as file:
            first = reader(file, Dialect("json"))
            next(iter(first))
            assert [one.values for one in reader(file, Dialect("json"), first.offset, first.line)] == objects[1:]
    with pytest.raises(Unreadable):
        records(b'[\n{"a": 1}, {"b": ', tmp_path / "f")
    assert [one[2][:14] for one in records(b'{"a": 1}\n{oops}\n[1]\n', tmp_path / "f")] == [
        "",
        "Not valid JSON",
        "Not an object.",
    ]


@pytest.mark.parametrize("content", (b"", b"\xff\xfea\x00", b"\x1f\x8b\x08", b"PK\x03\x04", b"a\x00b,c\n1,2\n"))
def test_files_that_nobody_can_read_are_refused_with_a_sentence(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        records(content, tmp_path / "f")


@pytest.mark.parametrize(
    ("given", "options", "right"),
    [
        ("1791201600", {}, 12), ("1791201600000", {}, 12), (1791201600000000, {}, 12), ("2026-10-05T12:00:00Z", {}, 12),
        ("2026-10-05 12:00:00 UTC", {}, 12), ("2026-10-05 12:00", {"zone": "America/New_York"}, 16),
        ("05/10/2026 12:00", {"day_first": True}, 12), ("10/05/2026, 12:00:00", {"day_first": False}, 12),
        ("31.12.2026 12:00", {}, 12), ("05/10/2026 12:00", {}, None), ("-5", {}, None), ("soon", {}, None),
        (True, {}, None), ("99/99/2026", {}, None), (1e30, {}, None),
    ],
)  # fmt: skip
def test_times_are_read_as_people_write_them_or_refused(given: Any, options: dict[str, Any], right: int | None) -> None:
    if right is None:
        with pytest.raises(Rejected):
            moment(given, Options(**options))
    else:
        found = moment(given, Options(**options))
        assert found is not None and (found.hour, found.tzinfo) == (right, UTC)


@pytest.mark.parametrize(
    ("given", "comma", "right"),
    [("1,234.5", False, "1234.5"), ("1.234,5", True, "1234.5"), ("1,5", False, None), ("1e400", False, "1e400"),
     ("nan", False, "unknown"), ("inf", False, None), ("", False, "unknown"), ("1 000", False, "1000"),
     ("x", True, None)],
)  # fmt: skip
def test_numbers_are_exact_or_refused(given: str, comma: bool, right: str | None) -> None:
    if right is None:
        with pytest.raises(Rejected):
            decimal(given, Options(decimal_comma=comma), "n")
    else:
        assert decimal(given, Options(decimal_comma=comma), "n") == (None if right == "unknown" else Decimal(right))


def test_names_are_one_however_a_tool_spells_them() -> None:
    assert {snake(name) for name in ("startTime", "Start Time", "start_time", " START_TIME ")} == {"start_time"}
    assert recognise({"a"}) == "generic"


# --- pages and the command ---


def test_a_file_is_uploaded_looked_at_started_and_taken_back_on_the_pages(
    conn: psycopg.Connection, price: TokenPrice
) -> None:
    client = logged_in(with_role("ops"))
    page = sent(client, recorded("generic.csv"))
    draft = Import.objects.get()
    assert page["Location"] == f"/settings/imports/{draft.pk}/" and draft.by is not None
    assert sorted(path.name for path in files.folder().iterdir()) == [f"{draft.pk}.data"]
    url = page["Location"]
    assert client.get(url).status_code == 200
    given = {"format": "generic", "zone": "UTC", "day_first": "day", "decimal_comma": "on"}
    given |= {f"column_{name}": column for name, column in draft.options["columns"].items()}
    assert client.post(url, {**given, "column_model": ""}).status_code == 422
    assert client.post(url, {**given, "column_model": "Vendor"}).status_code == 302
    assert client.post(url, given).status_code == 302
    shown = client.get(url).content.decode()
    assert "<b>3</b> can be stored and 2 have an error" in " ".join(shown.split()) and "Start</button>" in shown
    client.post(f"{url}start/")
    assert (
        "waits for a worker"
        in client.get(url, headers={"hx-request": "true", "hx-target": "progress"}).content.decode()
    )
    assert not run.work(draft.pk)
    assert "gestern" in client.get(url).content.decode()
    again = client.get(sent(client, recorded("generic.csv"))["Location"]).content.decode()
    assert "A second import changes nothing" in again
    client.post(f"{url}take-back/")
    assert not run.work(draft.pk)
    assert "undone: <b>3 rows</b>" in html_of(client.get(url))
    assert "No imported data now" in client.get("/settings/imports/").content.decode()
    looked = logged_in(with_role("manager")).get("/settings/imports/").content.decode()
    assert "Only ops and admins can import files" in looked and 'type="file"' not in looked
    assert not Request.objects.in_days(DAY, DAY + timedelta(days=1)).exists()
    assert client.post(f"{url}explode/").status_code == 404


def test_a_file_past_the_limit_or_without_a_row_is_refused_and_leaves_nothing(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = logged_in(with_role("ops"))
    monkeypatch.setattr(files.ToDisk.__init__, "__defaults__", (1000,))
    assert sent(client, b"x" * 5000).status_code == 422
    refused = sent(client, b"\x1f\x8b\x08")
    assert refused.status_code == 422 and "Unpack it first" in refused.content.decode()
    bare = sent(client, b"started_at,model\n")
    assert bare.status_code == 422 and "no row below them" in bare.content.decode()
    assert (list(files.folder().iterdir()), Import.objects.count()) == ([], 0)


def test_an_upload_with_a_bar_beside_it_ends_on_the_same_page(db: None) -> None:
    client = logged_in(with_role("ops"))
    given = {"file": SimpleUploadedFile("calls.csv", recorded("generic.csv"))}
    answer = client.post("/settings/imports/", given, headers={"hx-request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (200, f"/settings/imports/{Import.objects.get().pk}/")
    refused = client.post("/settings/imports/", {"file": SimpleUploadedFile("x", b"")}, headers={"hx-request": "true"})
    assert refused.status_code == 422 and 'id="upload"' in refused.content.decode()


def test_an_upload_without_the_forms_token_is_refused(db: None) -> None:
    client = logged_in(with_role("ops"))
    client.handler.enforce_csrf_checks = True
    assert sent(client, b"a,b\n1,2\n").status_code == 403
    assert not Import.objects.exists()


def test_sums_are_shown_as_sums_and_a_draft_can_be_discarded(db: None, caplog: pytest.LogCaptureFixture) -> None:
    client = logged_in(with_role("ops"))
    for name in ("anthropic_cost.csv", "openai_usage.csv", "anthropic_usage.csv"):
        url = sent(client, recorded(name), name)["Location"]
        page = client.get(url).content.decode()
        assert "not requests" in page and "not a call to a model" not in page
        client.post(f"{url}discard/")
    assert (Import.objects.count(), list(files.folder().iterdir())) == (0, [])
    assert caplog.text.count("import_discarded import_id=") == 3


def test_the_command_brings_a_file_in_and_takes_it_back(
    conn: psycopg.Connection, price: TokenPrice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "calls.csv"
    source.write_bytes(lines(3) + b"soon,claude-test,anthropic,1,1,1,x\n")
    call_command("import", source, "--dry-run")
    assert not Import.objects.exists()
    call_command("import", source, "--format", "generic", "--column", "user=request_id")
    made = Import.objects.get()
    assert f"import {made.pk}: 3 new, 0 here before, 0 left out, 1 with an error" in capsys.readouterr().out
    for arguments in ((source,), ("/nowhere",), (), (source, "--zone", "Mars"), ("--undo", "0"), (source, "--by", "x")):
        with pytest.raises(CommandError):
            call_command("import", *arguments)
    call_command("import", "--undo", str(made.pk))
    assert "3 rows undone" in capsys.readouterr().out
    assert UsageDay.objects.count() == 0


def test_the_command_reads_a_file_of_which_there_is_a_draft_as_it_is_told(
    conn: psycopg.Connection, price: TokenPrice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ApplicationFactory.create(slug="shop", name="Shop")
    source = tmp_path / "calls.csv"
    source.write_bytes(f"When,LLM\n{DAY}T10:00:00Z,gpt-5-mini\n{DAY}T10:00:01Z,\n".encode())
    draft = brought(source.read_bytes())
    said = ("--application", "shop", "--column", "started_at=When", "--column", "model=LLM")
    call_command("import", source, "--dry-run", *said)
    shown = capsys.readouterr().out
    assert "gpt-5-mini" in shown and "model: Has no model." in shown  # not that nothing says whose it is
    kept = Import.objects.get()
    assert (kept.pk, kept.state, kept.options) == (draft.pk, "draft", draft.options)  # not what the dry run said
    call_command("import", source, *said)
    (row,) = Request.objects.in_days(DAY, DAY + timedelta(days=1))
    assert (row.model, row.application.slug if row.application else None) == ("gpt-5-mini", "shop")
    for arguments in ((source, "--dry-run"), (source, *said)):
        with pytest.raises(CommandError, match="here already, as import"):
            call_command("import", *arguments)


def test_a_file_that_cannot_be_read_to_its_end_says_so_and_keeps_what_came_before(
    conn: psycopg.Connection, price: TokenPrice
) -> None:
    content = recorded("langfuse.json").rstrip()[:-1] + b', {"id": "cut'
    done = finished(brought(content, "cut.json"))
    assert (done.state, done.problem, done.accepted) == ("failed", "Record 4 does not end.", 2)
    assert services.take_back(imported=done) and not run.work(done.pk)
    assert not Request.objects.in_days(DAY, DAY + timedelta(days=1)).exists()


def test_the_queue_finds_imports_that_nobody_works_on(
    conn: psycopg.Connection, price: TokenPrice, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = brought(lines(2))
    monkeypatch.setattr(tasks.run_import, "delay", tasks.run_import)
    assert tasks.run_imports() == 0
    services.start(imported=draft)
    assert tasks.run_imports() == 1
    draft.refresh_from_db()
    assert (draft.state, draft.claimed_until, counts(draft)) == ("done", None, (2, 0, 0, 0))


def test_the_demo_leaves_a_draft_and_no_second_one(db: None) -> None:
    for _start in range(2):
        leave_a_draft(timezone.now(), "nobody")
    draft = Import.objects.get()
    assert draft.format == "litellm" and len(list(files.folder().iterdir())) == 1
    problems = [one.problem for one in services.preview(draft) if one.problem]
    assert len(problems) == 1
