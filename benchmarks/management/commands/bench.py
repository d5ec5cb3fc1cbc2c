"""`manage.py bench NAME`: measure speed beside a reference of the same run."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from benchmarks import (
    chaos,
    checks,
    delivery,
    forecast,
    gateway,
    imports,
    ingest,
    large_batches,
    memory,
    offers,
    otlp,
    pages,
    peers,
    ratings,
    reprice,
    requests,
    rules,
    streams,
    trial,
    worker,
)
from benchmarks.chaos.faults import FAULTS
from benchmarks.figures import Figure, machine, row, table

BENCHES: dict[str, Callable[[], list[Figure]]] = {
    "memory": memory.measure,
    "large-batches": large_batches.measure,
    "ingest": ingest.measure,
    "imports": imports.measure,
    "otlp": otlp.measure,
    "pages": pages.measure,
    "gateway": gateway.measure,
    "streams": streams.measure,
    "requests": requests.measure,
    "rules": rules.measure,
    "reprice": reprice.measure,
    "ratings": ratings.measure,
    "forecast": forecast.measure,
    "offers": offers.measure,
    "checks": checks.measure,
    "delivery": delivery.measure,
    "trial": trial.measure,
    "worker": worker.measure,
}

REPORT = Path(settings.BASE_DIR) / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench` on {date}: {machine}. Every measurement has a stack of its own, started as people start it, and
a reference of the same run beside it; compare the ratios, not the machines.

## All measurements

"""


def named_peer(text: str) -> tuple[str, Path]:
    """Raises ArgumentTypeError."""
    name, _, path = text.partition("=")
    if name not in peers.PEERS or not path or not Path(path).exists():
        raise ArgumentTypeError(f"{text!r} is not one of {', '.join(peers.PEERS)} with a path that exists")
    return name, Path(path)


class Command(BaseCommand):
    help = (
        "Measure ingest, pages, gateway, memory and rules; `all` also writes docs/benchmarks.md; `chaos` kills parts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=[*BENCHES, "chaos", "all"])
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

        parser.add_argument("--seconds", type=float, default=chaos.SECONDS, help="of each fault of chaos, at least")
        parser.add_argument("--minutes", type=int, default=0, help="of gateway, one load for so long; a row for each")
        parser.add_argument(
            "--peer", action="append", default=[], metavar="NAME=PATH", type=named_peer,
            help="of gateway, another one beside ours: portkey= the folder of its package, litellm= its program",
        )  # fmt: skip
        parser.add_argument(
            "--fault", action="append", choices=list(FAULTS), help="of chaos, only this one; repeatable"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["name"] == "chaos":
            self.stdout.write(self.chaos(options))
            return
        if options["minutes"]:
            self.minutes(options)
            return
        benches = dict(BENCHES)
        if options["peer"]:
            if options["name"] not in ("gateway", "all"):
                raise CommandError("--peer goes with gateway.")
            benches["gateway"] = partial(gateway.measure, partial(peers.peers, dict(options["peer"])))
        names = list(BENCHES) if options["name"] == "all" else [options["name"]]
        figures = [figure for name in names for figure in benches[name]()]
        if options["json"]:
            rows = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
            self.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        else:
            self.stdout.write(table(figures))
        if options["name"] == "all":
            REPORT.write_text(HEAD.format(date=timezone.now().date(), machine=machine()) + table(figures) + "\n")

    def minutes(self, options: dict[str, Any]) -> None:
        """A row as soon as its minute is over. Raises CommandError."""
        if options["name"] != "gateway" or options["json"] or options["peer"]:
            raise CommandError("--minutes goes with gateway alone, and prints a table.")
        self.stdout.write(table([]))
        for figure in gateway.by_the_minute(options["minutes"]):
            self.stdout.write(row(figure))
            self.stdout.flush()

    def chaos(self, options: dict[str, Any]) -> str:
        """Its table, or JSON."""
        report = chaos.measure(options["seconds"], options["fault"] or ())
        if options["json"]:
            return orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2).decode()
        return f"{machine()}\n\n{chaos.table(report)}"
