"""Other gateways in the bench of ours, from where a person has installed them: they are no part of Breakeven.

Each is one process with its defaults, reachable from this machine alone. Neither stores a call.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import orjson

from benchmarks.gateway import Way, until_listening
from dashboard.embedded.servers import free_port

# Portkey listens on every address of the machine, and has no option for another one.
LOOPBACK = """
import net from "node:net";
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const ready = rest.find((each) => typeof each === "function");
  return listen.call(this, { port: port.port ?? port, host: "127.0.0.1" }, ready);
};
"""
LITELLM = """
model_list:
  - model_name: bench
    litellm_params: {{model: openai/bench, api_base: "http://127.0.0.1:{upstream}/v1", api_key: none}}
"""
STARTED_S = 180.0  # LiteLLM reads its modules for half a minute beside other work


@contextmanager
def peers(programs: Mapping[str, Path], upstream: int) -> Iterator[dict[str, Way]]:
    """Those of `portkey` (the folder of its package) and `litellm` (its program) before the port of an upstream, by
    name and version.

    Raises KeyError for another name, and OSError, CalledProcessError or TimeoutError where one does not start.
    """
    with ExitStack() as things:
        yield dict(things.enter_context(PEERS[name](program, upstream)) for name, program in programs.items())


@contextmanager
def portkey(package: Path, upstream: int) -> Iterator[tuple[str, Way]]:
    version = orjson.loads((package / "package.json").read_bytes())["version"]
    server, preload, port = package / "build" / "start-server.js", quote(LOOPBACK), free_port()
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
    command = ["node", "--import", f"data:text/javascript,{preload}", str(server), f"--port={port}", "--headless"]
    with started(command) as pid:
        yield f"Portkey {version}", Way(port, "none", (pid,), headers)


@contextmanager
def litellm(program: Path, upstream: int) -> Iterator[tuple[str, Way]]:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env=variables())
    version, port, key = answer.stdout.split()[-1], free_port(), f"sk-{token_hex()}"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(LITELLM.format(upstream=upstream))
        config.flush()
        command = [str(program), "--config", config.name, "--host", "127.0.0.1", "--port", str(port)]
        # Without a key it does not start. This one is all that it checks: it has no database.
        with started([*command, "--num_workers", "1"], LITELLM_MASTER_KEY=key) as pid:
            yield f"LiteLLM {version}", Way(port, key, (pid,))


PEERS = {"portkey": portkey, "litellm": litellm}


def variables(**more: str) -> dict[str, str]:
    """Few of this process's, and that LiteLLM does not ask the internet for prices."""
    names = [name for name in ("PATH", "HOME") if name in os.environ]
    return {name: os.environ[name] for name in names} | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"} | more


@contextmanager
def started(command: list[str], **more: str) -> Iterator[int]:
    """A server that listens, without its output; its process."""
    process = subprocess.Popen(command, env=variables(**more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_listening(process.pid, STARTED_S)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)
