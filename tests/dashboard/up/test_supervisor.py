"""What ends by itself is started again, alone; piece by piece, with a clock that the tests move."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from alerts.context.restarts import MOST, Restart, last_words, lately, read, record
from dashboard.up.data import MARK
from dashboard.up.processes import Child, Processes
from dashboard.up.refusal import Crashed
from dashboard.up.supervisor import DEATHS, Supervisor
from tests.traffic.gateway_stack import until

NOW = datetime(2026, 11, 25, 10, 2, tzinfo=UTC)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A group of processes in a directory of its own, with its supervisor."""

    def __init__(self, directory: Path) -> None:
        self.data = directory
        self.terminal = io.StringIO()
        self.clock = Clock()
        (directory / "ready").mkdir()
        self.processes = Processes(directory, {**os.environ, MARK: "of the test"}, directory, self.terminal)
        self.supervisor = Supervisor(self.processes, directory, {}, self.clock)

    def child(self, name: str) -> Child:
        return next(child for child in self.processes.children() if child.name == name)

    def pid(self, name: str) -> int:
        return int(self.child(name).popen.pid)

    def start(self, name: str, command: str = "echo ready; exec sleep 60") -> None:
        self.processes.start(name, command)
        until(lambda: self.child(name).last)

    def kill(self, name: str) -> None:
        """And the supervisor has seen it."""
        os.kill(self.pid(name), signal.SIGKILL)
        until(lambda: self.child(name).code is not None)
        self.supervisor.look()

    def until_it_runs(self, name: str) -> None:
        def runs() -> bool:
            self.supervisor.look()
            return self.child(name).code is None

        until(runs)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    group = Watched(tmp_path)
    yield group
    group.processes.stop(1)


def test_what_ends_is_named_with_its_last_lines_and_started_again_while_the_others_go_on(watched: Watched) -> None:
    watched.start("web")
    watched.start("gateway")
    web, gateway = watched.pid("web"), watched.pid("gateway")
    watched.kill("web")
    assert watched.child("web").code is not None, "not before a second has passed"
    watched.clock.now += 1
    watched.until_it_runs("web")
    assert watched.pid("web") != web
    assert watched.pid("gateway") == gateway and watched.child("gateway").code is None
    told = watched.terminal.getvalue()
    assert "web was ended by SIGKILL. Its last lines:" in told and "  ready" in told
    assert "It is started again in 1 s. The others go on." in told
    assert "answers again" in told
    assert 'process_restarted process=web how="was ended by SIGKILL"' in told


def test_each_death_doubles_the_wait_and_the_fifth_in_five_minutes_ends_everything(watched: Watched) -> None:
    watched.start("beat")
    for wait in (1, 2, 4, 8):
        watched.kill("beat")
        assert f"started again in {wait} s" in watched.terminal.getvalue()
        watched.clock.now += wait
        watched.until_it_runs("beat")
    with pytest.raises(Crashed, match=r"(?s)^beat was ended by SIGKILL\..*It has ended 5 times within 5 minutes\.$"):
        watched.kill("beat")


def test_deaths_that_are_long_ago_are_forgotten_and_those_of_others_do_not_count(watched: Watched) -> None:
    watched.start("beat")
    watched.start("web")
    for name in ["beat", "web"] * DEATHS:
        watched.kill(name)
        assert f"{name} was ended by SIGKILL" in watched.terminal.getvalue()
        watched.clock.now += 80
        watched.until_it_runs(name)


@pytest.mark.parametrize("stubborn", [False, True])
def test_what_a_dead_process_had_started_is_gone_before_its_successor_starts(watched: Watched, stubborn: bool) -> None:
    """A worker of a killed server still listens at its port; one that ends its work in time is not cut off."""
    trap = "trap '' TERM; " if stubborn else ""
    watched.start("web", f"({trap}echo ready; sleep 60; sleep 60) & wait")
    worker = next(process for process in psutil.Process(watched.pid("web")).children() if "sleep" not in process.name())
    watched.kill("web")
    watched.clock.now += 1.5
    watched.supervisor.look()
    if stubborn:
        assert worker.is_running() and watched.child("web").code is not None, "not both at a time"
        watched.clock.now += 1
        watched.supervisor.look()
        watched.clock.now += 1
    watched.until_it_runs("web")
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_stop_while_a_process_waits_for_its_next_start_leaves_nothing(watched: Watched) -> None:
    watched.start("web")
    watched.kill("web")
    watched.processes.stop(1)
    watched.clock.now += 60
    assert all(child.code is not None for child in watched.processes.children())


def test_each_restart_is_written_down_with_how_and_the_last_line(watched: Watched) -> None:
    watched.start("demo", "echo all is well; echo sign in with password: secret; exec sleep 60")
    until(lambda: len(watched.child("demo").last) == 2)
    watched.kill("demo")
    watched.clock.now += 1
    watched.until_it_runs("demo")
    [restart] = read(watched.data)
    assert (restart.process, restart.how, restart.last_line) == ("demo", "was ended by SIGKILL", "all is well")
    assert abs(restart.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_restart_that_cannot_be_written_down_happens_all_the_same(watched: Watched) -> None:
    watched.start("web")
    (watched.data / "restarts.jsonl").mkdir()
    watched.kill("web")
    watched.clock.now += 1
    watched.until_it_runs("web")
    assert "that web was started again cannot be written down" in watched.terminal.getvalue()


def test_a_servers_lost_worker_counts_like_a_death_of_its_own(watched: Watched) -> None:
    watched.start("web")
    child = watched.child("web")
    child.worker_words = "out of memory"
    for _ in range(DEATHS - 1):
        child.worker_deaths += 1
        watched.supervisor.look()
    assert "web lost its worker and has started another one" in watched.terminal.getvalue()
    assert [(row.how, row.last_line) for row in read(watched.data)] == [("lost its worker", "out of memory")] * 4
    child.worker_deaths += 1
    with pytest.raises(Crashed, match="web lost its worker"):
        watched.supervisor.look()


def test_before_everything_was_ready_a_lost_worker_is_a_crash(watched: Watched) -> None:
    watched.processes.start("web", "echo no module named x; echo '[ERROR] Unexpected exit from worker-1'; sleep 60")
    with pytest.raises(Crashed, match=r"(?s)web lost its worker.*no module named x"):
        until(watched.processes.check)


def test_a_process_with_calls_under_way_gets_more_time_unless_the_stop_is_hurried(tmp_path: Path) -> None:
    def stopped(hurried: Callable[[], bool]) -> str:
        terminal = io.StringIO()
        group = Processes(tmp_path, os.environ, tmp_path, terminal)
        group.start("gateway", "trap 'sleep 1; echo drained; exit 0' TERM; echo ready; while true; do sleep 0.1; done")
        until(lambda: "ready" in terminal.getvalue())
        group.stop(0.2, {"gateway": 20}, hurried)
        return terminal.getvalue()

    patient = stopped(lambda: False)
    assert "drained" in patient and "is killed" not in patient
    assert "gateway did not stop within 0 s and is killed" in stopped(lambda: True)


# --- what was written down ---


def test_only_the_last_hour_is_told_by_process_and_the_file_stays_small(tmp_path: Path) -> None:
    assert lately(tmp_path, NOW) == {}
    for minutes in (70, 50, 5):
        record(tmp_path, Restart("web", NOW - timedelta(minutes=minutes), "was ended by SIGKILL"))
    record(tmp_path, Restart("beat", NOW, "ended with exit code 1", "no space left"))
    assert {name: len(rows) for name, rows in lately(tmp_path, NOW).items()} == {"web": 2, "beat": 1}
    for _ in range(MOST):
        record(tmp_path, Restart("web", NOW, "was ended by SIGKILL"))
    assert len(read(tmp_path)) == MOST
    assert (tmp_path / "restarts.jsonl").stat().st_mode & 0o077 == 0


def test_a_line_that_somebody_edited_is_passed_over(tmp_path: Path) -> None:
    record(tmp_path, Restart("web", NOW, "was ended by SIGKILL"))
    file = tmp_path / "restarts.jsonl"
    file.write_text('{"process": 1}\nnot json\n[]\n' + file.read_text())
    assert [row.process for row in read(tmp_path)] == ["web"]


def test_the_last_words_are_one_short_line() -> None:
    assert last_words(["a", "b\x1b[31m  c\t", ""]) == "b [31m c"
    assert len(last_words(["x" * 1000])) == 200
    assert last_words([]) == ""
