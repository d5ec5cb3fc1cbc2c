"""The command: checks its options, starts the processes, reports when they are ready, watches and stops them."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

import psycopg

from alerts.context.restarts import last_words
from dashboard.embedded.servers import ServerError, free_port
from dashboard.static_files import collect as static_files
from dashboard.up.data import MARK, DataDirectory, replace_private, stop_marked
from dashboard.up.processes import Processes, procfile
from dashboard.up.ready import DEMO_MODEL, Probe, file_probe, http_probe, ready_text
from dashboard.up.refusal import Crashed, Refused, Stopped
from dashboard.up.servers import Servers
from dashboard.up.supervisor import Supervisor

BASE = Path(__file__).resolve().parent.parent.parent
NAMES = ("web", "gateway", "worker", "beat")
DEMO_NAMES = (*NAMES, "sandbox", "engine", "demo")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Seconds. Together with those of the two servers they stay below 15, the limit for a whole stop. Only the gateway may
# take longer: it waits for its calls, at most BREAKEVEN_GATEWAY_GRACE.
PATIENCE_AT_STOP = 6.0
DEFAULT_GRACE, BEYOND_GRACE = 30.0, 3.0
SECOND_THOUGHT = 1.0  # a signal within this time after the first is the same one, forwarded by another program
PATIENCE_AT_START, PATIENCE_AT_DEMO = 120.0, 900.0
# Variables that other commands need to use the databases of this run; others are for the processes alone.
ANNOUNCED = (
    "DATABASE_URL DATABASE_OWNER_URL REDIS_URL EMAIL_URL SECRET_KEY BREAKEVEN_KEY BREAKEVEN_URL BREAKEVEN_DEMO "
    "GATEWAY_URL SANDBOX_URL ENGINE_URL"
).split()


OWNERS = ("DATABASE_OWNER_URL", "DATABASE_OWNER_URL_FILE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `up`; `manage.py help up` uses them too."""
    parser.add_argument("--demo", action="store_true", help="the demo company, its sandbox vendors and a real engine")
    parser.add_argument("--data", metavar="DIR", help="data directory (default: BREAKEVEN_DATA, else ./var)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="of the pages (default: 8000)")
    parser.add_argument("--gateway-port", type=int, default=8001, metavar="N", help="of the gateway (default: 8001)")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="written once every process answers")


def main(arguments: Sequence[str]) -> int:
    """Run until a signal, a crash or a refusal; returns the exit code."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Starts everything Breakeven needs.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    return run(options)


def run(options: argparse.Namespace) -> int:
    """`main` with parsed options."""
    # Databases, logs and keys hold secrets and figures, so only their owner may read them.
    os.umask(0o077)
    try:
        _hold_signals()
        _read_files()
        data = DataDirectory(Path(options.data or os.environ.get("BREAKEVEN_DATA") or "var"))
        with data.locked():
            return Stack(options, data).run()
    except Stopped:
        return 0
    except (Refused, ServerError) as error:
        print(error, file=sys.stderr)
        return getattr(error, "code", 1)
    except OSError as error:
        print(f"Breakeven cannot start: {error}", file=sys.stderr)
        return 1


class Stack:
    """One run of all processes on one data directory, whose lock the caller holds."""

    def __init__(self, options: argparse.Namespace, data: DataDirectory) -> None:
        self.options = options
        self.data = data
        self.names = DEMO_NAMES if options.demo else NAMES
        self.servers = Servers(data, demo=options.demo)
        self.processes: Processes | None = None

    @property
    def url(self) -> str:
        """The address of the pages on this machine; links use BREAKEVEN_URL, which may differ."""
        return f"http://127.0.0.1:{self.options.port}"

    def run(self) -> int:
        """Run everything; returns the exit code after all processes have ended."""
        try:
            # Signals were blocked until here, so that the clean-up after an earlier start was not interrupted.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._check_options()
            processes = self._start()
            self._wait(processes)
            self._tell(processes)
            self._watch(processes)
        except Crashed as error:
            self._say(f"{error}\nEverything is being stopped.")
            return 1
        finally:
            self._stop()
        return 0

    def _check_options(self) -> None:
        options = self.options
        if options.port == options.gateway_port and options.port:
            raise Refused("--port and --gateway-port must differ.", code=2)
        options.port = _wanted_port(options.port, "--port", "the pages")
        options.gateway_port = _wanted_port(options.gateway_port, "--gateway-port", "the gateway")
        if options.ready_file:
            try:
                options.ready_file.unlink(missing_ok=True)  # an old file would report that we are ready
                # Under another name: who waits for the file would take an empty one for the sign that we are ready.
                trial = options.ready_file.with_name(f"{options.ready_file.name}.trial")
                replace_private(trial, "")
                trial.unlink()
            except OSError as error:
                raise Refused(f"--ready-file cannot be written: {error}", code=2) from error

    def _start(self) -> Processes:
        print(f"Breakeven starts in {self.data.root}", flush=True)
        environment = self._environment(self.servers.start(os.environ))
        # The role that owns the tables is for the set-up only: processes that strangers reach do not get its password.
        owner = {name: environment.pop(name) for name in OWNERS if name in environment}
        processes = self.processes = Processes(self.data.logs, environment, BASE)
        processes.say("database and queue answer")
        if static_files.changed():
            processes.say("collecting static files")
            # These files are not secret, and another user who starts from this clone must be able to serve them.
            processes.run("static", "umask 022; exec python -m dashboard.static_files.collect")
        processes.say("bringing the database up to date")
        processes.run("prepare", "exec python manage.py prepare", owner)
        joinable = {**environment, **owner}
        self.data.announce({name: joinable[name] for name in ANNOUNCED if joinable.get(name)})
        for name, command in procfile(BASE / "Procfile", self.names).items():
            processes.start(name, command)
        return processes

    def _environment(self, servers: dict[str, str]) -> dict[str, str]:
        """The environment of every process; variables that are set already keep their values."""
        options = self.options
        host = os.environ.get("BREAKEVEN_HOST") or "127.0.0.1"
        is_open = host not in ("127.0.0.1", "::1", "localhost")
        made = {
            "BREAKEVEN_URL": self.url,
            # Open to a network without an address given: the machine's names there are unknown, so all are allowed.
            "BREAKEVEN_ALLOWED_HOSTS": "*" if is_open and not os.environ.get("BREAKEVEN_URL") else "",
            # By default malloc keeps an arena of 64 MB for each thread, which would be most of a process's memory. The
            # two thresholds make it return the large buffers of a batch to the system when they are freed.
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_MMAP_THRESHOLD_": "262144",
            "MALLOC_TRIM_THRESHOLD_": "65536",
        }
        ours = {
            **servers,
            MARK: self.data.token,
            "BREAKEVEN_DATA": str(self.data.root),
            "BREAKEVEN_DEMO": "1" if options.demo else "",
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "GATEWAY_PORT": str(options.gateway_port),
            "GATEWAY_URL": f"http://127.0.0.1:{options.gateway_port}",
            # Set always, because tcsh exports HOST as the machine's name.
            "HOST": host,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PORT": str(options.port),
            "PYTHONUNBUFFERED": "1",
        }
        if options.demo:
            sandbox, engine, sink = free_port(), free_port(), free_port()
            made["EMAIL_URL"] = f"smtp://127.0.0.1:{sink}"
            ours |= {
                "ENGINE_PORT": str(engine),
                "ENGINE_URL": f"http://127.0.0.1:{engine}",
                "SANDBOX_PORT": str(sandbox),
                "SANDBOX_URL": f"http://127.0.0.1:{sandbox}",
                "SMTP_SINK_PORT": str(sink),
            }
        return {**made, **{key: value for key, value in os.environ.items() if value or key not in made}, **ours}

    def _probes(self, environment: Mapping[str, str]) -> list[Probe]:
        ready = self.data.ready
        probes = [
            http_probe("web", self.options.port, "/readyz"),
            http_probe("gateway", self.options.gateway_port, "/healthz"),
            file_probe("worker", ready / "worker", "has not reported that it is ready"),
            file_probe("beat", ready / "beat", "has not reported that it is ready"),
        ]
        if self.options.demo:
            probes += [
                http_probe("sandbox", int(environment["SANDBOX_PORT"]), "/healthz"),
                http_probe("engine", int(environment["ENGINE_PORT"]), "/health"),
                file_probe("demo", self.data.demo_file, "is still loading"),
            ]
        return probes

    def _wait(self, processes: Processes) -> None:
        began = last_line_at = time.monotonic()
        patience = PATIENCE_AT_DEMO if self.options.demo else PATIENCE_AT_START
        pending = [(probe, "") for probe in self._probes(processes.environment)]
        while pending:
            processes.check()
            pending = [(probe, why) for probe, _ in pending if (why := probe.ask()) is not None]
            now = time.monotonic()
            if now - began > patience:
                raise Crashed("\n".join(f"{probe.name} is not ready: {why}" for probe, why in pending))
            if pending and now - last_line_at > 10:
                last_line_at = now
                processes.say(f"waiting for {', '.join(probe.name for probe, _ in pending)} ({now - began:.0f} s)")
            time.sleep(0.1)
        processes.say(f"every process answers after {time.monotonic() - began:.1f} s")

    def _tell(self, processes: Processes) -> None:
        """Write the ready file, and print the address and how to log in."""
        environment = processes.environment
        demo = json.loads(self.data.demo_file.read_text()) if self.options.demo else {}
        if self.options.ready_file:
            replace_private(self.options.ready_file, ready_text(self.url, environment, demo, DEMO_MODEL))
        lines = [f"Breakeven is ready:  {self.url}"]
        if demo:
            lines.append(f"Log in as:           {demo['admin']['username']}  password: {demo['admin']['password']}")
        elif not has_admin(environment["DATABASE_URL"]):
            lines.append(f"There is no administrator yet. In another terminal:  {self._createsuperuser()}")
        lines += [f"Gateway for models:  {environment['GATEWAY_URL']}", "Ctrl-C stops everything."]
        rule = "─" * max(map(len, lines))
        print("\n".join(["", rule, *lines, rule, ""]), flush=True)

    def _createsuperuser(self) -> str:
        """The command line of `createsuperuser` for the data directory of this run."""
        own = "" if self.data.root == Path("var").absolute() else f"BREAKEVEN_DATA={shlex.quote(str(self.data.root))} "
        return f"{own}{os.path.relpath(sys.executable)} manage.py createsuperuser"

    def _watch(self, processes: Processes) -> None:
        probes = {probe.name: probe for probe in self._probes(processes.environment)}
        supervisor = Supervisor(processes, self.data.root, probes)
        while True:
            supervisor.look()
            if revived := self.servers.check():
                processes.say(f"{revived.name} ended and was started again. Its last lines:\n{revived.last}")
                supervisor.note(revived.name, "ended", last_words(revived.last.splitlines()))
            time.sleep(0.2)

    def _say(self, text: str) -> None:
        if self.processes:
            self.processes.say(text)
        else:
            print(text, file=sys.stderr)

    def _stop(self) -> None:
        """End the processes, then the databases that they write to. A second Ctrl-C ends the wait for the gateway's
        calls; other signals are ignored."""
        _ignore_signals()
        self.data.remove_run_files()
        if self.processes:
            grace = gateway_grace(self.processes.environment)
            self.processes.say("stopping")
            self.processes.stop(PATIENCE_AT_STOP, {"gateway": grace + BEYOND_GRACE}, _second_thought())
        stop_marked(self.data.token, patience=1)
        self.servers.stop()
        if self.processes:
            self.processes.say("stopped")


def has_admin(database_url: str) -> bool:
    """Whether there is an active superuser, who can log in and give rights to others."""
    with psycopg.connect(database_url) as connection:
        query = "SELECT EXISTS (SELECT 1 FROM auth_user WHERE is_superuser AND is_active)"
        return connection.execute(query).fetchone() == (True,)


def _read_files() -> None:
    """Set each NAME from the file of NAME_FILE (Docker secrets); a command that joins may not have that file."""
    for name in ANNOUNCED:
        if name not in os.environ and (path := os.environ.get(f"{name}_FILE")):
            os.environ[name] = Path(path).read_text().strip()


def _wanted_port(port: int, option: str, what: str) -> int:
    """`port` if it is free, or any free one for 0. Raises Refused, which names the option to pass."""
    if port == 0:
        return free_port()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise Refused(
            f"Port {port} for {what} cannot be had ({getattr(error, 'strerror', error)}): "
            f"pass another one, for example {option} {free_port()}.",
            code=2,
        ) from error
    return port


def _hold_signals() -> None:
    """Make each signal to end raise Stopped in the main thread, and block these signals until `Stack.run`."""

    def stop(number: int, frame: FrameType | None) -> None:
        _ignore_signals()
        raise Stopped

    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for number in SIGNALS:
        signal.signal(number, stop)


def gateway_grace(environment: Mapping[str, str]) -> float:
    """Seconds that the gateway may take to end its calls; the default for an invalid value, which it refuses itself."""
    try:
        return max(float(environment.get("BREAKEVEN_GATEWAY_GRACE") or DEFAULT_GRACE), 0.0)
    except ValueError:
        return DEFAULT_GRACE


def _second_thought() -> Callable[[], bool]:
    """A function that returns whether Ctrl-C was pressed again after the stop began."""
    began, again = time.monotonic(), threading.Event()

    def hurry(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - began > SECOND_THOUGHT:
            again.set()

    signal.signal(signal.SIGINT, hurry)
    return again.is_set


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
