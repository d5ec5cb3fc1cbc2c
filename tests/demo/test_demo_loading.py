from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dashboard.http.demo_progress import loading, read_json
from demo import company
from demo.client import BATCH, Client, DemoError, Halted
from demo.files import Credentials, LoadState
from demo.live import REAL_EVERY_S, Live, RealCalls
from demo.loader import Loader, Progress, days_back, expected_rows
from demo.story import Story
from demo.traffic import Traffic
from tests.dashboard.front_door import FrontDoor, accept, front_door

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
STORY = Story(TODAY)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return Traffic(STORY)


@pytest.fixture
def door() -> Iterator[FrontDoor]:
    with front_door() as door:
        yield door


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def client(door: FrontDoor, stop: threading.Event) -> Iterator[Client]:
    client = Client(door.url, door.url, stop)
    yield client
    client.close()


def loader(tmp_path: Path, traffic: Traffic, client: Client, state: LoadState) -> Loader:
    said: list[str] = []
    return Loader(traffic, client, state, "a key", NOW, Progress(tmp_path, STORY, state, NOW, said.append))


def name(row: dict[str, Any]) -> tuple[str, str]:
    return row["application"], row["id"]


class NoRealCalls(RealCalls):
    def take(self, row: dict[str, Any], now: datetime) -> bool:
        return False


def live(tmp_path: Path, traffic: Traffic, client: Client, state: LoadState) -> Live:
    real = NoRealCalls("http://nowhere.example", {}, "")
    return Live(traffic, client, state, Credentials.kept_in(tmp_path), real, also=lambda now: None)


def test_secrets_are_random_private_and_the_same_at_the_next_start(tmp_path: Path) -> None:
    first = Credentials.kept_in(tmp_path)
    (tmp_path / "other").mkdir()
    assert Credentials.kept_in(tmp_path) == first != Credentials.kept_in(tmp_path / "other")
    for file in tmp_path.glob("*.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_ready_file_has_the_keys_of_the_playground(tmp_path: Path) -> None:
    ready = Credentials.kept_in(tmp_path).ready()
    assert set(ready) == {"admin", "ingest_key", "api_key", "rate_key", "gateway_key"}
    assert set(ready["admin"]) == {"username", "password"}


def test_days_go_newest_first() -> None:
    days = list(days_back(date(2026, 11, 2), date(2026, 10, 31)))
    assert days == [date(2026, 11, 2), date(2026, 11, 1), date(2026, 10, 31)]


def test_a_day_is_sent_whole_with_its_bill_and_counted(
    tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor
) -> None:
    day, state = date(2026, 11, 3), LoadState(tmp_path, TODAY)
    loader(tmp_path, traffic, client, state).load([day])
    batches = [len(body["requests"]) for body in door.bodies("/api/v1/requests")]
    assert sum(batches) == len(traffic.day(day).rows) and max(batches) <= BATCH
    assert any("prompt" in row for row in door.rows())
    (bill,) = door.bodies("/state/anthropic")
    assert bill["replace"] and {line["hour"][:10] for line in bill["usage"]} == {"2026-11-03"}
    progress = read_json(tmp_path / "demo-progress.json")
    assert progress["month"] == "2026-11" and progress["done_rows"] == sum(batches) < progress["total_rows"]


def test_old_requests_carry_no_texts(tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor) -> None:
    loader(tmp_path, traffic, client, LoadState(tmp_path, TODAY)).load([date(2026, 6, 1)])
    assert door.rows() and not any("prompt" in row for row in door.rows())


def test_a_start_after_a_stop_sends_only_what_is_missing(
    tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor, stop: threading.Event
) -> None:
    days = list(days_back(date(2026, 6, 9), date(2026, 6, 1)))

    def stop_after_three(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if len(door.bodies("/state/anthropic")) == 3:
            stop.set()
        return accept(path, body)

    door.answer = stop_after_three
    with pytest.raises(Halted):
        loader(tmp_path, traffic, client, LoadState(tmp_path, TODAY)).load(days)
    done = LoadState(tmp_path, TODAY + timedelta(days=1)).done
    assert 3 <= len(done) < len(days)
    door.calls.clear()
    door.answer = accept
    stop.clear()
    again = LoadState(tmp_path, TODAY + timedelta(days=1))
    assert again.started_on == TODAY
    loader(tmp_path, traffic, client, again).load(days)
    assert {row["started_at"][:10] for row in door.rows()} == {str(day) for day in days if day not in done}
    assert again.done == set(days) and again.rows == sum(len(traffic.day(day).rows) for day in days)


def test_a_server_that_is_away_is_waited_for(client: Client, door: FrontDoor) -> None:
    door.answer = lambda path, body: accept(path, body) if len(door.calls) > 1 else (503, {"detail": "away"})
    client.send_requests([{"id": "1"}], "a key")
    assert len(door.calls) == 2


def test_a_rejected_row_is_a_mistake_of_the_demo_and_named(client: Client, door: FrontDoor) -> None:
    rejected = [{"index": 0, "errors": [{"loc": ["model"], "msg": "missing"}]}]
    door.answer = lambda path, body: (200, {"accepted": 0, "duplicates": 0, "rejected": rejected})
    with pytest.raises(DemoError, match="missing"):
        client.send_requests([{"id": "1"}], "a key")


def test_the_live_part_begins_with_the_present_day_so_far(
    tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor
) -> None:
    state = LoadState(tmp_path, TODAY)
    sent = live(tmp_path, traffic, client, state).step(NOW)
    assert sent == len(door.rows()) > 500
    assert max(row["started_at"] for row in door.rows()) <= "2026-11-24T06:30:00.000Z"
    assert state.front == NOW


def test_each_application_sends_what_is_due_with_its_own_key_and_nothing_twice(
    tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor
) -> None:
    state = LoadState(tmp_path, TODAY)
    state.advance(NOW, 0)
    living = live(tmp_path, traffic, client, state)
    for minute in range(1, 11):
        living.step(NOW + timedelta(minutes=minute))
    rows = door.rows()
    assert len({name(row) for row in rows}) == len(rows)
    assert 5 <= len(rows) <= 100  # a few a minute
    keys = Credentials.kept_in(tmp_path).keys
    for _, path, key, body in door.calls:
        if path == "/api/v1/requests":
            (slug,) = {row["application"] for row in body["requests"]}
            assert key == keys[f"ingest/{slug}"]


def test_what_came_due_while_the_demo_was_off_is_sent_at_the_next_start(
    tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor
) -> None:
    state = LoadState(tmp_path, TODAY)
    state.advance(datetime(2026, 11, 24, 22, 30, tzinfo=UTC), rows=1)
    later = datetime(2026, 11, 25, 1, 15, tzinfo=UTC)
    live(tmp_path, traffic, client, LoadState(tmp_path, later.date())).step(later)
    rows = [row for day in (24, 25) for row in traffic.day(date(2026, 11, day)).rows]
    due = {name(row) for row in rows if "2026-11-24T22:30:00.000Z" < row["started_at"] <= "2026-11-25T01:15:00.000Z"}
    assert {name(row) for row in door.rows()} == due
    assert {row["started_at"][:10] for row in door.rows()} == {"2026-11-24", "2026-11-25"}


def test_a_refused_application_does_not_stop_the_others(
    tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor
) -> None:
    keys = Credentials.kept_in(tmp_path).keys

    def refuse_one(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        revoked = door.calls[-1][2] == keys["ingest/site-chat"]
        return (401, {"detail": "revoked"}) if revoked else accept(path, body)

    door.answer = refuse_one
    state = LoadState(tmp_path, TODAY)
    live(tmp_path, traffic, client, state).step(NOW)
    assert state.front == NOW
    assert len({row["application"] for row in door.rows()}) == len(company.APPLICATIONS)


def test_ratings_of_fresh_answers_go_in_as_feedback(
    tmp_path: Path, traffic: Traffic, client: Client, door: FrontDoor
) -> None:
    live(tmp_path, traffic, client, LoadState(tmp_path, TODAY)).step(NOW)
    ratings = door.bodies("/api/v1/feedback")
    known = {row["response_id"] for row in door.rows()}
    assert ratings and {rating["request_id"] for rating in ratings} <= known
    assert set(ratings[0]) == {"request_id", "score", "stars", "comment", "by"}


def test_the_real_engine_is_asked_at_most_once_in_twenty_seconds(traffic: Traffic, door: FrontDoor) -> None:
    clock = [0.0]
    keys = {f"gateway/{slug}": f"key of {slug}" for slug in company.BY_SLUG}
    real = RealCalls(door.url, keys, "a model", clock=lambda: clock[0])
    asked_at = []
    for row in traffic.day(TODAY).rows[:400]:
        clock[0] += REAL_EVERY_S / 8
        if real.take(row, datetime.fromisoformat(row["started_at"])):
            asked_at.append(clock[0])
            assert row["provider"] == "self" and row["task"] in ("rag", "qa")
        if real._thread is not None:
            real._thread.join()
    assert asked_at and min(after - before for before, after in pairwise(asked_at)) >= REAL_EVERY_S
    calls = [(key, body) for _, path, key, body in door.calls if path == "/v1/chat/completions"]
    assert len(calls) == len(asked_at)
    assert {key for key, _ in calls} <= {"key of support-rag", "key of docs-qa"}
    assert all(body["model"] == "a model" and body["max_tokens"] <= 32 for _, body in calls)


def test_a_request_of_the_past_is_not_asked_again_for_real(traffic: Traffic) -> None:
    real = RealCalls("http://nowhere.example", {}, "", clock=lambda: 0.0)
    for row in traffic.day(TODAY).rows[:400]:
        assert not real.take(row, datetime.fromisoformat(row["started_at"]) + timedelta(hours=1))


def test_the_expected_rows_are_close_to_what_the_generator_makes(traffic: Traffic) -> None:
    now = datetime(2026, 6, 21, tzinfo=UTC)
    story = Story(date(2026, 6, 1))
    made = Traffic(story)
    days = days_back(now.date() - timedelta(days=1), date(2026, 6, 1))
    whole = sum(len(made.day(day).rows) for day in days)
    june = expected_rows(story, now) - expected_rows(story, datetime(2026, 6, 1, tzinfo=UTC))
    assert abs(june - whole) / whole < 0.02


def test_pages_know_how_much_of_the_history_is_still_to_come(tmp_path: Path, traffic: Traffic) -> None:
    assert loading(tmp_path) is None
    state = LoadState(tmp_path, TODAY)
    progress = Progress(tmp_path, STORY, state, NOW, lambda line: None)
    state.add_day(date(2026, 9, 3), 250_000)
    progress.tell(date(2026, 9, 3))
    told = loading(tmp_path)
    assert told is not None and told["month"] == date(2026, 9, 1) and 50 <= told["percent"] <= 60
    progress.finish()
    assert loading(tmp_path) is None
