"""What an engine is: an inference server behind a URL, the steps that prove it healthy, and what a scrape of it says.

An engine only translates. It touches no ORM, never sleeps, never logs a key; rows, timing and outages are made once, in
`providers/uptime/due_checks.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Literal

from django.utils.translation import gettext as _

from providers.engines import causes, completion
from providers.engines.client import EngineClient
from providers.engines.faults import Fault, State, Step
from providers.engines.metrics import EngineSample, Samples
from providers.engines.reply import Reply

Protocol = Literal["openai", "anthropic"]
METRICS_LIMIT = 8 * 1024 * 1024
MOST_SLOTS = 10_000  # calls at once; what an engine tells beyond it is a mistake


@dataclass(frozen=True, slots=True)
class Target:
    """Where to knock and what to expect there.

    `model` may be empty: then any model will do. `local` admits loopback and private addresses; `completion` asks for
    the last step of the ladder, which costs a token.
    """

    base_url: str
    model: str = ""
    api_key: str = field(default="", repr=False)
    timeout_s: float = 10.0
    local: bool = False
    completion: bool = False


@dataclass(frozen=True, slots=True)
class Scrape:
    """One reading of a server's own counters: the sample, or why there is none."""

    sample: EngineSample | None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One probe. `step` is the last step reached; `cause` is a sentence for a person, or empty.

    `served` is the expected model as the server lists it: empty where it is not listed, None where no list was seen.
    `slots` is how many calls the server says that it serves at once; None where it does not say.
    `takes_media` is whether its model takes images or sound; None where it does not say.
    `scrape` is None where the server was not asked for its counters.
    """

    ok: bool
    state: State
    step: Step
    latency_ms: float
    ttft_ms: float | None = None
    cause: str = ""
    tls_expires_at: datetime | None = None
    served: str | None = None
    scrape: Scrape | None = None
    slots: int | None = None
    takes_media: bool | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server says that it can do; None where it does not say.

    `slots`: calls that it serves at once. `takes_media`: whether its model takes images or sound.
    """

    slots: int | None = None
    takes_media: bool | None = None


@dataclass(slots=True)
class Climb:
    """What is known so far while the ladder is climbed; it outlives the step that fails."""

    started: float
    step: Step = "connect"
    latency_ms: float | None = None
    ttft_ms: float | None = None
    tls_expires_at: datetime | None = None
    served: str | None = None
    note: str = ""

    def reached(self, step: Step, reply: Reply) -> None:
        self.step = step
        self.tls_expires_at = reply.tls_expires_at or self.tls_expires_at
        if self.latency_ms is None:
            self.latency_ms = reply.elapsed_ms


class Engine:
    """Base of all engines. A subclass states facts; it overrides a method only where its server differs in kind."""

    kind: ClassVar[str] = ""
    label: ClassVar[str] = ""
    protocols: ClassVar[frozenset[Protocol]] = frozenset({"openai"})
    #: Servers say in their model list who owns a model; this is how we notice that another engine answers.
    owned_by: ClassVar[str] = ""
    #: None: the server has no health route and its model list proves that it lives.
    liveness_path: ClassVar[str | None] = "/health"
    models_path: ClassVar[str] = "/v1/models"
    metrics_path: ClassVar[str] = "/metrics"
    has_metrics: ClassVar[bool] = False
    #: False where a completion would do harm, such as loading a model that had been unloaded.
    completion_probe_ok: ClassVar[bool] = True

    def root(self, target: Target) -> str:
        """The address that paths are added to; people paste it with and without `/v1`."""
        return target.base_url.rstrip("/").removesuffix("/v1")

    def url(self, target: Target, path: str) -> str:
        return self.root(target) + path

    def headers(self, target: Target) -> dict[str, str]:
        return {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}

    # The ladder.

    async def check(self, client: EngineClient, target: Target) -> CheckResult:
        """Climb the ladder until a step fails. Never raises for anything that the server or the network does."""
        climb = Climb(started=asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(target.timeout_s):
                await self._climb(client, target, climb)
        except Fault as fault:
            return self._failed(climb, fault)
        except TimeoutError:
            return self._failed(climb, Fault(climb.step, causes.too_slow(target.timeout_s)))
        return self._result(climb, ok=True, state="up", step=climb.step, cause=climb.note)

    async def _climb(self, client: EngineClient, target: Target, climb: Climb) -> None:
        if self.liveness_path is not None:
            await self._liveness(client, target, climb, self.liveness_path)
        listed = await self._models(client, target, climb)
        if listed and target.completion and self.completion_probe_ok:
            climb.step = "completion"
            climb.ttft_ms = await self.complete(client, target)

    async def _liveness(self, client: EngineClient, target: Target, climb: Climb, path: str) -> None:
        reply = await client.get(self.url(target, path), headers=self.headers(target), local=target.local)
        climb.reached("liveness", reply)
        if reply.status == 200:
            return
        if self.is_loading(reply):
            raise Fault("liveness", causes.loading(self.label), state="starting")
        if reply.status in (404, 405):
            await self._explain_missing_route(client, target, reply)
        raise Fault("liveness", causes.for_status(reply, self.label))

    async def _models(self, client: EngineClient, target: Target, climb: Climb) -> bool:
        """True when the expected model is listed, False when the server lives but limits us, so that we saw no list."""
        reply = await client.get(self.url(target, self.models_path), headers=self.headers(target), local=target.local)
        climb.reached("models", reply)
        if reply.status == 429:
            climb.note = causes.limited()
            return False
        if self.is_loading(reply):
            raise Fault("models", causes.loading(self.label), state="starting")
        if reply.status != 200:
            raise Fault("models", causes.for_status(reply, self.label))
        climb.served = ""
        climb.served = self._expect_model(target, parse_json(reply))
        return True

    def _expect_model(self, target: Target, body: Any) -> str:
        """The expected model as it is listed; the first of the list where any will do."""
        try:
            owners, served = owners_of(body), self.models_of(body)
        except (AttributeError, KeyError, TypeError):
            raise Fault("models", causes.no_model_list(self.label)) from None
        self._refuse_other_engine(owners)
        matches = [name for name in served if not target.model or self.is_model(name, target.model)]
        if target.model and not matches:
            raise Fault("models", causes.model_missing(target.model, served))
        return matches[0] if matches else ""

    async def _explain_missing_route(self, client: EngineClient, target: Target, reply: Reply) -> None:
        """A 404 is a wrong path or another engine; the model list of the other engine tells which."""
        other = await client.get(self.url(target, "/v1/models"), headers=self.headers(target), local=target.local)
        if other.status == 200:
            try:
                self._refuse_other_engine(owners_of(parse_json(other)))
            except (AttributeError, TypeError):
                return

    def _refuse_other_engine(self, owners: set[str]) -> None:
        labels = owners_known()
        others = {labels[owner] for owner in owners if owner in labels and owner != self.owned_by}
        if others and self.owned_by and self.owned_by not in owners:
            raise Fault("models", causes.wrong_engine(self.label, min(others)))

    # What a subclass may know better.

    def is_loading(self, reply: Reply) -> bool:
        """Whether this answer says that the server is still loading its model."""
        return False

    def models_of(self, body: Any) -> list[str]:
        """Names of the served models; raises KeyError or TypeError when the body is no model list."""
        return [str(item["id"]) for item in body["data"]]

    def is_model(self, listed: str, expected: str) -> bool:
        return listed == expected

    async def complete(self, client: EngineClient, target: Target) -> float:
        """Ask for one token and return the milliseconds to the first content; raises Fault."""
        url = self.url(target, "/v1/chat/completions")
        return await completion.openai(client, url, self.headers(target), target.model, local=target.local)

    # The scrape.

    async def scrape(self, client: EngineClient, target: Target) -> EngineSample:
        """Read the server's own counters once; raises Fault with a sentence."""
        headers = self.headers(target) | {"Accept": "text/plain;version=0.0.4;q=1,*/*;q=0.1"}
        try:
            async with asyncio.timeout(target.timeout_s):
                url = self.url(target, self.metrics_path)
                reply = await client.get(url, headers=headers, local=target.local, limit=METRICS_LIMIT)
        except TimeoutError:
            raise Fault("metrics", causes.too_slow(target.timeout_s)) from None
        if reply.status == 501:
            raise Fault("metrics", _("The server's metrics are switched off: start it with --metrics."))
        if reply.status != 200:
            raise Fault("metrics", causes.for_status(reply, self.label))
        return self.sample(reply.text, target.model)

    def sample(self, text: str, model: str) -> EngineSample:
        """Parse a scrape into our words; raises Fault when it is no Prometheus text."""
        raise NotImplementedError(f"{self.kind} has no metrics")

    # What it can do.

    async def abilities(self, client: EngineClient, target: Target) -> Abilities:
        """Ask the server what it can do. Raises Fault and TimeoutError."""
        return Abilities()

    # Results.

    def _failed(self, climb: Climb, fault: Fault) -> CheckResult:
        return self._result(climb, ok=False, state=fault.state, step=fault.step, cause=fault.cause)

    def _result(self, climb: Climb, *, ok: bool, state: State, step: Step, cause: str) -> CheckResult:
        waited = (asyncio.get_running_loop().time() - climb.started) * 1000
        latency = climb.latency_ms if climb.latency_ms is not None else waited
        return CheckResult(ok, state, step, round(latency, 3), climb.ttft_ms, cause, climb.tls_expires_at, climb.served)


@cache
def owners_known() -> Mapping[str, str]:
    """Who a model list names as the owner -> the engine's name for people. Only servers that give themselves away."""
    from providers.engines import ENGINES, engine_of  # which imports this module

    engines = [engine_of(kind) for kind in ENGINES]
    return {engine.owned_by: engine.label for engine in engines if engine.owned_by}


def owners_of(body: Any) -> set[str]:
    items = body.get("data") or []
    return {str(item.get("owned_by")) for item in items}


def parse_json(reply: Reply) -> Any:
    """The body as JSON, or a Fault that says what came instead."""
    try:
        return json.loads(reply.body)
    except ValueError:
        raise Fault("models", causes.not_json(reply)) from None


def require_samples(text: str, prefixes: tuple[str, ...], label: str) -> Samples:
    """The wanted lines of a scrape; raises Fault when there are none, because then something else answered."""
    try:
        samples = Samples.parse(text, prefixes)
    except ValueError:
        raise Fault("metrics", _("The metrics of %(label)s cannot be read.") % {"label": label}) from None
    if not samples:
        raise Fault("metrics", _("The address responds, but not with metrics of %(label)s.") % {"label": label})
    return samples
