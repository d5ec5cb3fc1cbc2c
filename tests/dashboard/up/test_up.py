"""`manage.py up` piece by piece, then for real: the whole stack is started, joined, crashed, killed and stopped."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from alerts.context.restarts import read
from dashboard.embedded.postgres import Postgres
from dashboard.up.command import Stack, main
from dashboard.up.data import MARK, DataDirectory, marked, stop_marked
from dashboard.up.processes import Processes, procfile
from dashboard.up.ready import http_probe, ready_text
from dashboard.up.refusal import Crashed, Refused
from dashboard.up.servers import Servers, check_database, check_queue
from dashboard.up.supervisor import DEATHS
from tests.servers import free_environment
from tests.traffic.gateway_stack import until

BASE = Path(__file__).resolve().parent.parent.parent.parent


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def processes(tmp_path: Path, log: io.StringIO) -> Iterator[Processes]:
    group = Processes(tmp_path, {**os.environ, MARK: "of the test"}, tmp_path, log)
    yield group
    group.stop(1)


# --- processes ---


def test_the_procfile_names_what_runs_and_the_demo_only_where_asked_for() -> None:
    assert list(procfile(BASE / "Procfile", ("web", "beat"))) == ["web", "beat"]
    everything = ("web", "gateway", "worker", "beat", "sandbox", "engine", "demo")
    assert list(procfile(BASE / "Procfile", everything)) == list(everything)


def test_each_line_has_its_processs_name_on_the_terminal_and_its_own_log_file(
    processes: Processes, log: io.StringIO, tmp_path: Path
) -> None:
    processes.start("one", "echo hello from one; exec sleep 60")
    processes.start("two", "echo hello from two; exec sleep 60")
    until(lambda: "one" in log.getvalue() and "two" in log.getvalue())
    assert "one      | hello from one" in log.getvalue()
    assert "two      | hello from two" in log.getvalue()
    assert "hello from one" in (tmp_path / "one.log").read_text()


def test_a_crash_is_told_with_name_code_and_the_last_twenty_lines(processes: Processes) -> None:
    processes.start("web", "for i in $(seq 30); do echo line $i; done; exit 3")
    with pytest.raises(Crashed) as crash:
        until(lambda: processes.check())
    text = str(crash.value)
    assert text.startswith("web ended with exit code 3.")
    assert "line 30" in text and "line 11\n" in text and "line 10\n" not in text


def test_a_kill_is_told_by_the_signals_name(processes: Processes) -> None:
    processes.start("worker", "kill -KILL $$")
    with pytest.raises(Crashed, match="worker was ended by SIGKILL"):
        until(lambda: processes.check())


def test_a_process_that_ends_with_exit_code_0_is_a_crash_too(processes: Processes) -> None:
    processes.start("beat", "true")
    with pytest.raises(Crashed, match="beat ended with exit code 0"):
        until(lambda: processes.check())


def test_a_step_that_fails_is_a_crash_and_one_that_succeeds_is_forgotten(processes: Processes) -> None:
    processes.run("migrate", "echo done")
    processes.check()
    with pytest.raises(Crashed, match="migrate ended with exit code 1"):
        processes.run("migrate", "false")


def test_who_does_not_stop_is_killed_with_everything_it_started(processes: Processes, log: io.StringIO) -> None:
    processes.start("stubborn", "trap '' TERM; sleep 60 & echo started; wait; sleep 60")
    until(lambda: "started" in log.getvalue())
    family = [process for process in marked("of the test") if process.name() != "pytest"]
    assert len(family) >= 2
    processes.stop(0.3)
    assert "stubborn did not stop" in log.getvalue()
    _, left = psutil.wait_procs(family, timeout=120)
    assert not left


def test_a_closed_terminal_does_not_block_the_processes(tmp_path: Path) -> None:
    terminal = io.StringIO()
    group = Processes(tmp_path, os.environ, tmp_path, terminal)
    terminal.close()
    group.start("chatty", "seq 30000; touch finished; exec sleep 60")  # more than twice what a pipe holds
    until(lambda: (tmp_path / "finished").exists())
    group.stop(1)


def test_no_process_loads_what_measures_or_simulates() -> None:
    """The tools are apps for their commands alone: loaded, they cost every process a sixth of its start."""
    program = (
        "import sys, django; django.setup(); tools = ('benchmarks.', 'sandbox.', 'demo.');"
        "print([name for name in sys.modules if name.startswith(tools)])"
    )
    environment = free_environment(DJANGO_SETTINGS_MODULE="dashboard.settings", SECRET_KEY="s")
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=BASE, env=environment, capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n"


# --- the data directory ---


def test_a_second_start_in_the_same_directory_is_refused_with_a_sentence(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    with first.locked():
        first.announce({"BREAKEVEN_URL": "http://127.0.0.1:8123"})
        with pytest.raises(Refused, match=r"already runs in .* \(process \d+, http://127.0.0.1:8123\)") as refused:
            DataDirectory(tmp_path).locked().__enter__()
        assert refused.value.code == 2
    with DataDirectory(tmp_path).locked():
        pass


def test_what_others_join_by_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "var")
    with data.locked():
        data.announce({"DATABASE_URL": "postgresql://secret"})
        assert stat.S_IMODE(data.run_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(data.root.stat().st_mode) == 0o700
        data.remove_run_files()
    assert not data.run_file.exists()


def test_processes_of_a_killed_start_are_stopped_by_the_next(tmp_path: Path) -> None:
    killed = DataDirectory(tmp_path)
    (tmp_path / "up.lock").write_text(json.dumps({"pid": 1, "run": killed.token}))
    (tmp_path / "run.json").write_text("{}")
    orphan = subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: killed.token})
    with DataDirectory(tmp_path).locked():
        assert orphan.poll() is not None
        assert not (tmp_path / "run.json").exists()


def test_processes_of_other_stacks_are_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: "another run"}) as stranger:
        stop_marked("this run")
        assert stranger.poll() is None
        stranger.kill()


def test_a_directory_that_cannot_be_made_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"cannot be written \(Not a directory.*pass another directory with --data"):
        DataDirectory(tmp_path / "file" / "var").locked().__enter__()


def test_a_nearly_full_disk_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.up.data.LEAST_FREE", 2**60)
    with pytest.raises(Refused, match=r"MB free and Breakeven needs .* make room"):
        DataDirectory(tmp_path).locked().__enter__()


# --- options and servers ---


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    mask = os.umask(0o022)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return main(arguments), capsys.readouterr().err
    finally:
        os.umask(mask)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("option", ["--port", "--gateway-port"])
def test_a_taken_port_is_told_with_what_to_pass(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = ["--port", "0", "--gateway-port", "0", option, str(port)]
        code, text = refusal(["--data", str(tmp_path), *free], capsys)
    assert code == 2
    assert f"Port {port} for " in text and f"pass another one, for example {option} " in text


def test_one_port_for_both_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(["--data", str(tmp_path), "--port", "8000", "--gateway-port", "8000"], capsys) == (
        2,
        "--port and --gateway-port must differ.\n",
    )


def test_a_ready_file_that_cannot_be_written_is_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(tmp_path / "var"), "--port", "0", "--gateway-port", "0"]
    code, text = refusal([*arguments, "--ready-file", str(tmp_path / "none" / "ready")], capsys)
    assert code == 2 and "--ready-file cannot be written" in text


def test_a_ready_file_is_tried_under_another_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def refuse(path: Path, text: str) -> None:
        written.append(path)
        raise OSError("full")

    monkeypatch.setattr("dashboard.up.command.replace_private", refuse)
    ready = tmp_path / "ready"
    arguments = ["--data", str(tmp_path / "var"), "--port", "0", "--gateway-port", "0", "--ready-file", str(ready)]
    assert refusal(arguments, capsys) == (2, "--ready-file cannot be written: full\n")
    assert written and ready not in written and written[0].parent == tmp_path


def test_given_servers_that_do_not_answer_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Refused, match="database of DATABASE_URL does not answer"):
        check_database(f"postgresql://nobody@127.0.0.1:{port}/x")
    with pytest.raises(Refused, match="queue of REDIS_URL does not answer"):
        check_queue(f"redis://127.0.0.1:{port}/0")


def test_given_servers_are_used_and_none_are_started(tmp_path: Path, valkey_url: str) -> None:
    given = {"DATABASE_URL": os.environ["DATABASE_URL"], "REDIS_URL": valkey_url}
    servers = Servers(DataDirectory(tmp_path), demo=False)
    assert servers.start(given) == given
    assert not (tmp_path / "postgres").exists()


def test_a_database_that_dies_comes_back_at_the_same_address_unless_it_keeps_dying(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    servers = Servers(data, demo=False)
    urls = servers.start({})
    postgres = Postgres(data.postgres)
    try:
        for _ in range(2):
            os.kill(postgres.pid() or 0, signal.SIGKILL)
            until(lambda: (revived := servers.check()) and revived.name == "postgres")
            check_database(urls["DATABASE_URL"])
        os.kill(postgres.pid() or 0, signal.SIGKILL)
        with pytest.raises(Crashed, match="postgres ends again and again"):
            until(servers.check)
    finally:
        servers.stop()
    assert postgres.pid() is None


def test_only_our_own_variable_opens_it_to_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tcsh exports HOST as the machine's name."""
    options = argparse.Namespace(demo=False, port=8000, gateway_port=8001)
    stack = Stack(options, DataDirectory(tmp_path))
    monkeypatch.setenv("HOST", "192.0.2.7")
    assert stack._environment({})["HOST"] == "127.0.0.1"
    monkeypatch.setenv("BREAKEVEN_HOST", "0.0.0.0")
    opened = stack._environment({})
    # Nobody said at which name pages are reached then.
    assert (opened["HOST"], opened["BREAKEVEN_ALLOWED_HOSTS"]) == ("0.0.0.0", "*")
    monkeypatch.setenv("BREAKEVEN_URL", "https://breakeven.example.com")
    assert stack._environment({})["BREAKEVEN_ALLOWED_HOSTS"] == ""


# --- the ready file ---


def test_the_ready_file_has_the_keys_of_the_contract() -> None:
    environment = dict.fromkeys(("GATEWAY_URL", "DATABASE_URL", "REDIS_URL", "BREAKEVEN_DATA", "SANDBOX_URL"), "x")
    plain = {"url", "gateway_url", "database_url", "redis_url", "data_dir"}
    assert set(json.loads(ready_text("u", environment, {}, "m"))) == plain
    demo = {"admin": {"username": "a", "password": "p"}, "ingest_key": "i", "api_key": "a", "rate_key": "r"}
    content = json.loads(ready_text("u", environment, {**demo, "gateway_key": "g", "more": 1}, "m"))
    assert set(content) == plain | {*demo, "gateway_key", "sandbox_url", "demo_model"}


def test_a_probe_tells_why_it_is_not_ready_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "refused" in (http_probe("web", port, "/readyz").ask() or "")


# --- the whole stack, for real ---


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one installation, on which each test starts a stack: only the first makes the cluster and its tables."""
    return tmp_path_factory.mktemp("installation")


@dataclass
class Running:
    process: subprocess.Popen[str]
    data: Path
    ready: dict[str, str]

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Exit code and everything said."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=120)
        return self.process.returncode, output


@contextmanager
def stack(data: Path, **variables: str) -> Iterator[Running]:
    ready = data / "ready-file.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "manage.py", "up", "--data", str(data), "--port", "0", "--gateway-port", "0"]
    process = subprocess.Popen(
        [*command, "--ready-file", str(ready)],
        cwd=BASE,
        env=free_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        assert stat.S_IMODE(ready.stat().st_mode) == 0o600
        yield Running(process, data, json.loads(ready.read_text()))
    finally:
        process.terminate()
        process.communicate(timeout=120)


def left_running(data: Path) -> list[str]:
    """Every process that belongs to the stack, told by its environment, its folder or its command line."""
    found = []
    for process in psutil.process_iter():
        try:
            signs = [process.environ().get("BREAKEVEN_DATA", ""), process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(sign.startswith(str(data)) for sign in signs):
            found.append(" ".join(process.cmdline()))
    return found


def test_the_stack_answers_outlives_kills_and_stops_without_a_trace(
    data: Path,
) -> None:
    with stack(data) as running:
        for address in (f"{running.ready['url']}/readyz", f"{running.ready['gateway_url']}/healthz"):
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert answer.status == 200
        joined = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", "from django.conf import settings as s\n"
             "from django.contrib.auth.models import User\nprint(s.BASE_URL, User.objects.count())"],
            cwd=BASE, env=free_environment(BREAKEVEN_DATA=str(data)), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert joined.stdout.split() == [running.ready["url"], "0"]
        doctor = subprocess.run(
            [sys.executable, "manage.py", "doctor"],
            cwd=BASE, env=free_environment(BREAKEVEN_DATA=str(data), EMAIL_URL="smtp://127.0.0.1:1025"),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "FAIL" not in doctor.stdout and doctor.returncode == 0, doctor.stdout
        assert "database role: breakeven reads and writes rows and can do nothing else" in doctor.stdout
        for process in psutil.Process(running.process.pid).children(recursive=True):
            assert "DATABASE_OWNER_URL" not in process.environ(), process.cmdline()
        announced = json.loads((data / "run.json").read_text())
        assert running.ready["database_url"] == announced["DATABASE_URL"]
        superuser = (data / "postgres" / "password").read_text()
        assert superuser not in json.dumps([announced, running.ready])
        second = subprocess.run(
            [sys.executable, "manage.py", "up", "--data", str(data)],
            cwd=BASE, env=free_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        assert f"already runs in {data}" in second.stderr
        killed = psutil.Process(running.process.pid)
        servers = killed.children()
        killed.kill()  # what it started runs on, without anybody who would stop it
        assert left_running(data)
    assert any(process.is_running() for process in servers)
    with stack(data) as running:
        old = [process for process in servers if process.is_running()]
        assert old == [], "the next start stops what the killed one left"
        each_part_dies(running)
        master(running, "traffic.gateway").kill()
        code, output = running.stop(signal.SIGINT)  # while it waits for its next start
    assert code == 0, output
    assert "gateway was ended by SIGKILL" in output
    assert "manage.py createsuperuser" in output
    assert running.ready["url"] in output
    assert left_running(data) == []
    assert not (data / "run.json").exists()


def each_part_dies(running: Running) -> None:
    """The web's worker, then the gateway: each comes back, and nothing else hears of it."""
    web, gateway = master(running, "dashboard."), master(running, "traffic.gateway")
    [worker] = web.children()
    worker.kill()  # the server itself starts another one
    until(lambda: any(row.process == "web" for row in read(running.data)))
    assert web.is_running() and master(running, "dashboard.").pid == web.pid
    assert gateway.is_running() and answers(running.ready["gateway_url"]), "the gateway knew nothing of it"
    until(lambda: answers(running.ready["url"]))
    gateway.kill()
    until(lambda: any(row.process == "gateway" for row in read(running.data)))
    until(lambda: answers(running.ready["gateway_url"]))
    assert [row.how for row in read(running.data)] == ["lost its worker", "was ended by SIGKILL"]
    assert web.is_running() and answers(running.ready["url"]), "the pages knew nothing of it"
    ready = json.loads((running.data / "ready-file.json").read_text())
    assert ready == running.ready, "what others joined by still holds"


def master(running: Running, module: str) -> psutil.Process:
    """The server that runs this module: the one that `up` itself has started."""
    return next(
        process
        for process in psutil.Process(running.process.pid).children()
        if any(module in word for word in process.cmdline())
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_what_dies_again_and_again_ends_everything_with_its_name(data: Path) -> None:
    with stack(data) as running:
        killed: list[psutil.Process] = []
        for _ in range(DEATHS):
            beat = next_beat(running, killed)
            beat.kill()
            killed.append(beat)
        output, _ = running.process.communicate(timeout=120)
        assert running.process.returncode == 1
        assert "beat was ended by SIGKILL" in output and "It has ended 5 times within 5 minutes." in output
    assert left_running(data) == []


def next_beat(running: Running, killed: list[psutil.Process]) -> psutil.Process:
    """The one that is none of the killed, which are seen for a moment longer on a busy machine."""

    def born() -> psutil.Process | None:
        assert running.process.poll() is None, f"it ended after {len(killed)} deaths"
        return next((process for process in beats_of(running) if process not in killed), None)

    beat: psutil.Process = until(born)
    return beat


def beats_of(running: Running) -> list[psutil.Process]:
    try:
        return [child for child in psutil.Process(running.process.pid).children() if "beat" in child.cmdline()]
    except psutil.Error:  # one of them ended meanwhile
        return []


def test_a_process_that_never_worked_ends_the_start_at_once(data: Path) -> None:
    """A typing error in a setting is not mended by trying again."""
    told = r"(?s)ended with exit code 2\. Its last lines.*--workers.*Everything is being stopped"
    with pytest.raises(AssertionError, match=told), stack(data, GRANIAN_WORKERS="none"):
        pass
    assert left_running(data) == []
