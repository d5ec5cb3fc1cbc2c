"""The spool: nothing is lost and nothing is stored twice, whatever dies, and a bad line stops nobody."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from tests.traffic.gateway_rows import row
from traffic.gateway.aside import SET_ASIDE, is_older, remove
from traffic.gateway.spool import MOST_LONE_TIMEOUTS, MOST_TIMEOUTS, CallStart, Mover, Segment, Spool
from traffic.gateway.store import Store
from traffic.ingest.rows import RequestRow


class FakeStore:
    """Stands for Postgres: may be away, takes no row whose model is `poison`, and does not finish with `slow` ones."""

    def __init__(self) -> None:
        self.rows: list[RequestRow] = []
        self.away = self.stuck = False
        self.batches = 0

    def __call__(self, conn: psycopg.Connection, rows: Sequence[RequestRow]) -> None:
        if self.away:
            raise psycopg.OperationalError("away")
        self.batches += 1
        if self.stuck or any(row.model == "slow" for row in rows):
            raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")
        if any(row.model == "poison" for row in rows):
            raise psycopg.DataError("a NUL byte")
        self.rows += rows

    @property
    def ids(self) -> list[str]:
        return [row.external_id for row in self.rows]


class Setup:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = FakeStore()
        self.spool = Spool(directory)
        self.mover = self.another()

    def another(self, spool: Spool | None = None) -> Mover:
        mover = Mover(spool or self.spool, "", self.store)
        mover._connected = lambda: None  # type: ignore[method-assign,assignment,return-value]  # the store is a fake
        return mover

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "spool")


def test_rows_arrive_as_they_were_and_the_file_is_forgotten(setup: Setup) -> None:
    rows = [row(number, prompt="p\n", answer="é") for number in range(3)]
    for each in rows:
        setup.spool.append(each)
    assert len(setup.files()) == 1
    setup.mover.move()
    assert setup.store.rows == rows
    assert setup.files() == []


def test_nothing_to_move_makes_no_file_and_no_batch(setup: Setup) -> None:
    setup.mover.move()
    assert (setup.store.batches, setup.files()) == (0, [])


def test_rows_wait_while_the_database_is_away_and_then_come_in_order(setup: Setup) -> None:
    setup.store.away = True
    for number in range(5):
        setup.spool.append(row(number))
        with pytest.raises(psycopg.OperationalError):
            setup.mover.move()
    assert len(setup.files()) == 2  # the sealed one and the one that grows meanwhile
    setup.store.away = False
    setup.mover.move()
    assert setup.store.ids == [f"gw-{number}" for number in range(5)]
    assert setup.files() == []


def test_a_long_file_moves_in_batches_and_goes_on_where_it_stopped(setup: Setup) -> None:
    for number in range(2_500):
        setup.spool.append(row(number))
    setup.mover.move()
    assert setup.store.batches == 3
    assert setup.store.ids == [f"gw-{number}" for number in range(2_500)]


def test_a_poisoned_row_is_set_aside_and_its_neighbours_land(setup: Setup) -> None:
    for number in range(9):
        setup.spool.append(row(number, model="poison" if number == 4 else "m"))
    setup.mover.move()
    assert setup.store.ids == [f"gw-{number}" for number in range(9) if number != 4]
    aside = [json.loads(line) for line in (setup.directory / SET_ASIDE).read_text().splitlines()]
    assert len(aside) == 1
    assert aside[0]["reason"] == "a NUL byte"
    assert json.loads(aside[0]["line"])["external_id"] == "gw-4"
    setup.mover.move()
    assert len(setup.store.rows) == 8


def test_rows_that_the_database_does_not_finish_with_are_set_aside_and_the_others_land(setup: Setup) -> None:
    slow = {4, 5, 700}
    for number in range(1_200):
        setup.spool.append(row(number, model="slow" if number in slow else "m"))
    setup.mover.move()
    assert setup.store.ids == [f"gw-{number}" for number in range(1_200) if number not in slow]
    aside = [json.loads(line) for line in (setup.directory / SET_ASIDE).read_text().splitlines()]
    assert {json.loads(entry["line"])["external_id"] for entry in aside} == {f"gw-{number}" for number in slow}
    assert {entry["reason"] for entry in aside} == {"The database did not finish with it in time."}
    assert setup.files() == [SET_ASIDE]


# It ends as a statement does that met its time limit, but at once: on a busy machine good rows meet a real one too.
SLEEPY = """
CREATE FUNCTION sleepy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.external_id = 'gw-4' THEN RAISE EXCEPTION 'too long' USING ERRCODE = 'query_canceled'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sleepy BEFORE INSERT ON traffic_request FOR EACH ROW EXECUTE FUNCTION sleepy();
"""
AWAKE = "DROP TRIGGER sleepy ON traffic_request; DROP FUNCTION sleepy();"


def test_a_row_that_postgres_does_not_finish_with_is_found(tmp_path: Path, conn: psycopg.Connection) -> None:
    from tests.database import conninfo  # needs Django, which the killed processes below do without

    spool = Spool(tmp_path / "spool")
    mover = Mover(spool, "", Store())
    own = psycopg.connect(conninfo(), autocommit=True)
    mover._connected = lambda: own  # type: ignore[method-assign]
    for number in range(8):
        spool.append(row(number, started_at=datetime.now(UTC)))
    conn.execute(SLEEPY)
    try:
        mover.move()
    finally:
        conn.execute(AWAKE)
        own.close()
    rows = conn.execute("SELECT external_id FROM traffic_request ORDER BY 1").fetchall()
    assert rows == [(f"gw-{number}",) for number in range(8) if number != 4]
    assert [path.name for path in spool.directory.iterdir()] == [SET_ASIDE]


def test_a_slow_row_that_is_alone_does_not_hold_up_the_next_for_ever(setup: Setup) -> None:
    setup.spool.append(row(1, model="slow"))
    for _ in range(MOST_LONE_TIMEOUTS - 1):
        with pytest.raises(psycopg.errors.QueryCanceled):
            setup.mover.move()
    setup.spool.append(row(2))
    setup.mover.move()
    assert (setup.store.ids, setup.files()) == (["gw-2"], [SET_ASIDE])


def test_a_database_that_finishes_with_nothing_is_no_rows_fault(setup: Setup) -> None:
    setup.store.stuck = True
    for number in range(1_000):
        setup.spool.append(row(number))
    with pytest.raises(psycopg.errors.QueryCanceled):
        setup.mover.move()
    assert setup.store.batches <= MOST_TIMEOUTS + 1
    assert SET_ASIDE not in setup.files()
    setup.store.stuck = False
    setup.mover.move()
    assert len(setup.store.rows) == 1_000 and setup.files() == []


def test_half_a_line_of_a_crash_is_set_aside(setup: Setup) -> None:
    setup.directory.mkdir(exist_ok=True)
    whole = msgspec.json.encode(row(1)) + b"\n"
    (setup.directory / "00000000000000000001-1.jsonl").write_bytes(whole + whole[:40])
    setup.mover.move()
    assert setup.store.ids == ["gw-1"]
    assert setup.files() == [SET_ASIDE]


def test_a_bad_line_is_set_aside_once_however_often_its_neighbours_are_tried(setup: Setup) -> None:
    setup.directory.mkdir(exist_ok=True)
    rows = [msgspec.json.encode(row(number, model="poison" if number == 2 else "m")) for number in range(4)]
    (setup.directory / "00000000000000000001-1.jsonl").write_bytes(b"\n".join([*rows, b"no row", b""]))
    setup.store.away = True
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError):
            setup.mover.move()
    setup.store.away = False
    setup.mover.move()
    assert len((setup.directory / SET_ASIDE).read_text().splitlines()) == 2
    assert setup.store.ids == ["gw-0", "gw-1", "gw-3"]


def test_a_living_gateways_file_is_not_adopted(setup: Setup) -> None:
    setup.spool.append(row(1))
    other = Spool(setup.directory)
    other.append(row(2))
    setup.another(other).move()
    assert setup.store.ids == ["gw-2"]
    setup.mover.move()
    assert setup.store.ids == ["gw-2", "gw-1"]


DIE = """
import os, sys
from pathlib import Path
from tests.traffic.gateway.test_gateway_spool import row
from traffic.gateway.spool import Spool
spool = Spool(Path(sys.argv[1]))
for number in range(3):
    spool.append(row(number))
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_gateway_left_is_adopted(setup: Setup) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    killed = subprocess.run([sys.executable, "-c", DIE, setup.directory], env=environment, check=False)
    assert killed.returncode == -9
    assert len(setup.files()) == 1
    setup.mover.move()
    assert setup.store.ids == ["gw-0", "gw-1", "gw-2"]
    assert setup.files() == []


def begun(number: int) -> CallStart:
    when = datetime(2026, 11, 24, 10, tzinfo=UTC)
    return CallStart(f"gw-{number}", when, "anthropic", "m", 1, 2, 3, "chat", "otherwise", streamed=True)


def test_a_call_that_begins_is_no_row_while_its_process_lives(setup: Setup) -> None:
    for number in (1, 2):
        setup.spool.begin(begun(number))
    setup.mover.move()
    assert (setup.store.ids, len(setup.files())) == ([], 1)
    setup.spool.append(row(1))
    setup.mover.move()
    assert setup.store.ids == ["gw-1"]
    assert len(setup.files()) == 1  # the other one is still under way
    other = setup.another(Spool(setup.directory))
    other.move()
    assert setup.store.ids == ["gw-1"]
    setup.spool.append(row(2))
    setup.mover.move()
    assert (setup.store.ids, setup.files()) == (["gw-1", "gw-2"], [])


DIE_WITHIN_CALLS = """
import os, sys
from pathlib import Path
from tests.traffic.gateway.test_gateway_spool import begun, row
from traffic.gateway.spool import Spool
spool = Spool(Path(sys.argv[1]))
for number in range(4):
    spool.begin(begun(number))
spool.append(row(0))
sealed = spool.seal()  # was not moved yet
spool.append(row(1))
spool.begin(begun(4))
os.write(spool._open._descriptor, b'{"external_id":"gw-2","started')
os.kill(os.getpid(), 9)
"""


def test_a_call_is_recorded_that_a_killed_gateway_took_along(setup: Setup) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    killed = subprocess.run([sys.executable, "-c", DIE_WITHIN_CALLS, setup.directory], env=environment, check=False)
    assert killed.returncode == -9
    setup.store.away = True
    with pytest.raises(psycopg.OperationalError):
        setup.mover.move()
    setup.store.away = False
    setup.mover.move()
    assert setup.store.ids == ["gw-0", "gw-1", "gw-2", "gw-3", "gw-4"]
    died = [each for each in setup.store.rows if each.error_type == "gateway_died"]
    assert [each.external_id for each in died] == ["gw-2", "gw-3", "gw-4"]
    assert {(each.outcome, each.tokens, each.key_id, each.application_id) for each in died} == {
        ("cancelled", None, 3, 1)
    }
    assert setup.files() == [SET_ASIDE]  # with the half line


def test_lines_set_aside_go_by_their_age(setup: Setup) -> None:
    path = setup.directory / SET_ASIDE
    setup.spool.set_aside(b"{half", "young")
    old = {"reason": "old", "line": msgspec.json.encode(row(1)).decode()}
    nobodys = {"reason": "nobody's", "line": "{half"}
    with path.open("ab") as file:
        file.writelines(msgspec.json.encode(entry) + b"\n" for entry in (old, nobodys))
    assert remove(path, lambda line: is_older(line, datetime(2026, 11, 24, 9, tzinfo=UTC))) == 1
    assert remove(path, lambda line: is_older(line, datetime(2026, 11, 25, tzinfo=UTC))) == 1
    assert [msgspec.json.decode(line)["reason"] for line in path.read_bytes().splitlines()] == ["young"]
    assert remove(path, lambda line: True) == 1
    assert remove(path, lambda line: True) == 0
    assert not path.exists()


def test_a_full_disk_keeps_rows_in_memory_and_no_half_line(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    setup.spool.append(row(1))
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:10]))
        setup.spool.append(row(2))

        def refuse(descriptor: int, line: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        full.setattr(os, "write", refuse)
        setup.spool.append(row(3))
    setup.spool.append(row(4))
    setup.store.away = True
    with pytest.raises(psycopg.OperationalError):
        setup.mover.move()
    setup.store.away = False
    setup.mover.move()
    assert setup.store.ids == ["gw-1", "gw-4", "gw-2", "gw-3"]
    assert setup.files() == []
    assert "spool_write_failed step=append error=" in caplog.text


def test_the_thread_moves_what_is_left_when_it_stops(setup: Setup) -> None:
    setup.mover.start()
    setup.spool.append(row(1))
    setup.mover.stop()
    assert setup.store.ids == ["gw-1"]


def test_the_thread_leaves_what_cannot_be_moved_for_the_next_start(setup: Setup) -> None:
    setup.store.away = True
    setup.mover.start()
    setup.spool.append(row(1))
    setup.mover.stop()
    assert setup.store.ids == []
    setup.store.away = False
    setup.another(Spool(setup.directory)).move()
    assert setup.store.ids == ["gw-1"]


def test_files_are_for_the_owner_alone(setup: Setup) -> None:
    setup.spool.append(row(1))
    (name,) = setup.files()
    assert (setup.directory / name).stat().st_mode & 0o077 == 0
    assert setup.directory.stat().st_mode & 0o077 == 0
    segment = Segment.adopt(setup.directory / "gone.jsonl")
    assert segment is None


def test_a_move_that_fails_is_told_once_and_so_is_its_return(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    setup.store.away = True
    setup.spool.append(row(1))
    for _n in range(3):
        setup.mover._try_to_move()
    assert caplog.text.count("spool_move_failed segments=") == 1
    setup.store.away = False
    setup.mover._try_to_move()
    setup.mover._try_to_move()
    assert caplog.text.count("spool_move_recovered") == 1
