"""`manage.py fuzz`: send a demo company of its own mutated requests, and tell what does not hold."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from random import SystemRandom
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import URLPattern, URLResolver, get_resolver

from benchmarks.fuzz import network
from benchmarks.fuzz.actors import Cast
from benchmarks.fuzz.campaign import SHOWN, SLOWEST_S, Campaign, port_of, table
from benchmarks.fuzz.cases import Ground
from benchmarks.fuzz.forms import crawl
from benchmarks.fuzz.watch import Watch
from benchmarks.stack import Stack, running


class Command(BaseCommand):
    help = "Send mutated requests to every address of a demo of its own; ends with 1 where something did not hold."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
        parser.add_argument("--seed", type=int, help="of an earlier run, to send the same again")
        parser.add_argument("--case", type=int, help="only this one of the seed's cases, and its answer in full")
        parser.add_argument(
            "--slowest", type=float, default=SLOWEST_S, help="seconds that a /healthz may take (default: 1)"
        )
        parser.add_argument("--log", type=Path, help="where the stack's log is copied to")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            network.enter()
        except (OSError, RuntimeError) as error:
            raise CommandError(f"There is no network to be alone in: {error}") from None
        seed = options["seed"] if options["seed"] is not None else SystemRandom().randrange(10**6)
        self.say(f"seed {seed}; a demo company is started")
        with running("--demo") as stack:
            try:
                sys.exit(self.fuzz(stack, seed, options))
            finally:
                if options["log"]:
                    self._keep_log(stack, options["log"])

    def fuzz(self, stack: Stack, seed: int, options: dict[str, Any]) -> int:
        """The exit code of one run against a stack that is ready."""
        ports = {"web": port_of(stack.ready["url"]), "gateway": port_of(stack.ready["gateway_url"])}
        cast = Cast(stack, ports["web"])
        ground = survey(cast)
        self.say(f"{len(ground.pages.paths)} pages, {len(ground.pages.forms)} forms, {len(ground.patterns)} addresses")
        campaign = Campaign(seed, ground, cast, ports)
        if options["case"] is not None:
            answer = campaign.one(options["case"])
            self.say(f"{answer.status} after {answer.seconds:.2f} s")
            self.stdout.write(answer.head.decode("latin-1"))
            self.stdout.write(str(answer.body[:4000]))
            return 1 if campaign.findings else 0
        watch = Watch(stack.pid, ports)
        watch.start()
        campaign.run(options["seconds"], self.say)
        watch.stop()
        return self._tell(campaign, watch, options["slowest"])

    def _tell(self, campaign: Campaign, watch: Watch, slowest_s: float) -> int:
        findings = [*watch.findings(slowest_s), *map(str, campaign.findings)]
        self.stdout.write(table(campaign, watch) + "\n\n")
        for line in findings[:SHOWN]:
            self.stdout.write(line)
        if len(findings) > SHOWN:
            self.stdout.write(f"… and {len(findings) - SHOWN} more.")
        count = sum(campaign.answers.values())
        again = f" A case again: manage.py fuzz --seed {campaign.seed} --case NUMBER." if campaign.findings else ""
        self.stdout.write(f"{count} cases of seed {campaign.seed}, {len(findings)} findings.{again}")
        return 1 if findings else 0

    def say(self, text: str) -> None:
        self.stdout.write(f"{time.strftime('%H:%M:%S')} {text}")
        self.stdout.flush()

    def _keep_log(self, stack: Stack, path: Path) -> None:
        path.write_bytes((stack.data.parent / "up.log").read_bytes())


def survey(cast: Cast) -> Ground:
    """All addresses: those of the URL conf, those that pages link to, and those of the API's schema."""
    patterns = sorted(set(addresses()))
    starts = ["/", *(path for path in patterns if "<" not in path)]
    schema = json.loads(cast.get(cast.actors[0], "/api/v1/openapi.json").body)
    return Ground(crawl(cast.page, starts), schema, patterns)


def addresses(resolver: URLResolver | None = None, prefix: str = "/") -> list[str]:
    """Paths of the URL conf, with what they ask for in angle brackets."""
    paths: list[str] = []
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern).lstrip("^").removesuffix("$").replace("(?P", "").replace(")", "")
        paths += [path] if isinstance(entry, URLPattern) else addresses(entry, path)
    return paths
