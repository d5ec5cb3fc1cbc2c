"""The due-queue of health checks: claim what is due, check it concurrently, store the outcomes in few statements.

Network and database take turns in one thread: between two waits of the event loop the results so far are written, so
that an engine that hangs delays the record of no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from django.db import transaction
from django.utils.translation import gettext as _

from lib.encryption import SecretUnreadable
from lib.events import log_event
from lib.time_spans import Span, without
from providers.engine_metrics import series as engine_series
from providers.engine_metrics.series import Reading, Scraped
from providers.engines import ENGINES, CheckResult, Engine, EngineClient, Fault, Scrape, Target, engine_of
from providers.engines.base import Abilities
from providers.models import Deployment, DeploymentState, Maintenance, Outage
from providers.uptime import store
from providers.uptime.checks import CheckPolicy, Closed, Health, Opened, Probe, State, advance, watched_since
from providers.uptime.store import CheckOutcome

logger = logging.getLogger(__name__)

BATCH = 1000  # deployments claimed by one run
AT_ONCE = 100  # checks under way at one moment
PACE_S = 0.001  # between two starts: in a burst each check would wait for our own work on the others, and look slow
LONGEST_TIMEOUT_S = 60.0
SCRAPE_TIMEOUT_S = 5.0  # its check waits for it
SPARE_S = 20.0  # for the queue behind AT_ONCE, on top of the slowest deployment's own timeout
WRITE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Deployments that this run alone may check, until `claimed_until`; with all that judging them needs."""

    at: datetime
    claimed_until: datetime
    deployments: Sequence[Deployment]
    open_outages: frozenset[int]
    windows: Mapping[int, Sequence[Span]]
    readings: Mapping[int, Reading]  # each engine's latest scrape

    @property
    def deadline_s(self) -> float:
        return max(_timeout_s(deployment) for deployment in self.deployments) + SPARE_S


def check_due(*, now: datetime, limit: int = BATCH) -> int:
    """Check every deployment that is due at `now` and that no other worker has; returns how many were recorded."""
    batch = claim(now=now, limit=limit)
    if not batch.deployments:
        return 0
    recorded = 0
    with asyncio.Runner() as runner:
        checks = runner.run(_start(batch))
        try:
            while checks.pending:
                results = runner.run(checks.finished(WRITE_EVERY_S))
                recorded += record(batch, results)
        finally:
            runner.run(checks.stop())
    store.release(batch.claimed_until, [deployment.pk for deployment in batch.deployments])
    return recorded


def claim(*, now: datetime, limit: int = BATCH) -> Batch:
    """Take what is due: what another worker is taking now is skipped, what a dead worker took comes back in time."""
    with transaction.atomic():
        due = list(Deployment.objects.due(now)[:limit].select_for_update(skip_locked=True, of=("self",)))
        longest = max((_timeout_s(deployment) for deployment in due), default=0.0)
        claimed_until = now + timedelta(seconds=longest + 2 * SPARE_S)
        ids = [deployment.pk for deployment in due]
        Deployment.objects.filter(pk__in=ids).update(check_claimed_until=claimed_until)
        opened = Outage.objects.open().filter(deployment__in=ids).values_list("deployment_id", flat=True)
        return Batch(now, claimed_until, due, frozenset(opened), _windows(due, now), engine_series.last_readings(ids))


def _windows(deployments: Sequence[Deployment], now: datetime) -> dict[int, list[Span]]:
    """Maintenance that touches the time since each deployment's last check."""
    longest = max((_policy(deployment).longest_gap for deployment in deployments), default=timedelta())
    return Maintenance.objects.spans(
        (deployment.pk for deployment in deployments), now - longest, now + timedelta(microseconds=1)
    )


# Network.


class Checks:
    """The checks of a batch, under way in one event loop and under one deadline."""

    def __init__(self, client: EngineClient, batch: Batch) -> None:
        self.client = client
        self.gate = asyncio.Semaphore(AT_ONCE)
        loop = asyncio.get_running_loop()
        self.ends = loop.time() + batch.deadline_s
        self.pending = {
            loop.create_task(self._check(deployment, n * PACE_S)): deployment
            for n, deployment in enumerate(batch.deployments)
        }

    async def _check(self, deployment: Deployment, wait_s: float) -> CheckResult:
        await asyncio.sleep(wait_s)
        async with self.gate:
            return await check(self.client, deployment)

    async def finished(self, within_s: float) -> list[tuple[Deployment, CheckResult]]:
        """What has finished within the time, or by the deadline; past it the rest is given up without a verdict."""
        left = self.ends - asyncio.get_running_loop().time()
        done, _rest = await asyncio.wait(self.pending, timeout=max(min(within_s, left), 0))
        results = [(self.pending.pop(task), task) for task in done]
        if left <= within_s:
            await self.stop()
        for deployment, task in results:
            if error := task.exception():
                log_event(logger, logging.ERROR, "check_crashed", exc_info=error, deployment=deployment.slug)
        return [(deployment, task.result()) for deployment, task in results if not task.exception()]

    async def stop(self) -> None:
        """Cancel what is still under way and close the connections."""
        for task in self.pending:
            task.cancel()
        await asyncio.gather(*self.pending, return_exceptions=True)
        self.pending.clear()
        await self.client.close()


async def _start(batch: Batch) -> Checks:
    return Checks(EngineClient(connections=AT_ONCE), batch)


async def check(client: EngineClient, deployment: Deployment) -> CheckResult:
    """One check of one deployment, now; nothing is written."""
    if deployment.engine not in ENGINES:
        return _impossible(_("The engine %(engine)s is not supported.") % {"engine": deployment.engine})
    try:
        target = target_of(deployment)
    except (SecretUnreadable, KeyExposed) as error:
        return _impossible(str(error))
    engine = engine_of(deployment.engine)
    result = await engine.check(client, target)
    if not result.ok:
        return result
    counters = await scrape(engine, client, target) if engine.has_metrics else None
    able = await abilities(engine, client, target)
    return replace(result, scrape=counters, slots=able.slots, takes_media=able.takes_media)


async def scrape(engine: Engine, client: EngineClient, target: Target) -> Scrape:
    """The engine's own counters. It may be up without them, so why there are none is no fault of the check."""
    try:
        return Scrape(await engine.scrape(client, replace(target, timeout_s=min(target.timeout_s, SCRAPE_TIMEOUT_S))))
    except Fault as fault:
        return Scrape(None, fault.cause)


async def abilities(engine: Engine, client: EngineClient, target: Target) -> Abilities:
    """What the engine can do; that it does not say is no fault of the check."""
    try:
        async with asyncio.timeout(min(target.timeout_s, SCRAPE_TIMEOUT_S)):
            return await engine.abilities(client, target)
    except (Fault, TimeoutError, RecursionError):
        return Abilities()


def check_now(*, deployment: Deployment) -> CheckResult:
    """What a check says at this moment, for whoever sets a deployment up; nothing is written, it need not be saved."""

    async def knock() -> CheckResult:
        async with EngineClient() as client:
            return await check(client, deployment)

    return asyncio.run(knock())


def target_of(deployment: Deployment) -> Target:
    """The address and expectations of a deployment; raises SecretUnreadable, and KeyExposed."""
    if deployment.exposes_key:
        raise KeyExposed(exposed_sentence())
    return Target(
        base_url=deployment.url,
        model=deployment.model,
        api_key=deployment.api_key.reveal() if deployment.api_key else "",
        timeout_s=_timeout_s(deployment),
        local=deployment.local,
        completion=deployment.probe_completion,
    )


class KeyExposed(Exception):
    """A key would go over the network in the clear; it is not sent."""


def exposed_sentence() -> str:
    return _(
        "The key is not sent, because http is not encrypted. Use https, or an admin can mark the deployment as local."
    )


def _impossible(cause: str) -> CheckResult:
    return CheckResult(ok=False, state="down", step="connect", latency_ms=0.0, cause=cause)


def _timeout_s(deployment: Deployment) -> float:
    return min(deployment.timeout_s, LONGEST_TIMEOUT_S)


# Judging and writing.


def record(batch: Batch, results: Iterable[tuple[Deployment, CheckResult]]) -> int:
    """Write what a batch has found so far, in one transaction; a deployment that is no longer ours is left out."""
    outcomes = [judge(batch, deployment, result) for deployment, result in results]
    if not outcomes:
        return 0
    store.need_partition(batch.at)
    with transaction.atomic():
        ours = store.save_deployments(batch.claimed_until, outcomes)
        outcomes = [outcome for outcome in outcomes if outcome.deployment.pk in ours]
        store.save_checks(outcomes)
        store.add_hours(outcomes)
        engine_series.add(_scraped(batch, outcomes))
        _save_outages(outcomes)
    for outcome in outcomes:
        log_outcome(outcome)
    return len(outcomes)


def log_outcome(outcome: CheckOutcome) -> None:
    """A line where a check changed the state, opened an outage or closed one."""
    slug, was, state = outcome.deployment.slug, outcome.deployment.state, outcome.health.state
    if was != state:
        log_event(
            logger, logging.WARNING if state == "down" else logging.INFO, "check_state_changed", deployment=slug,
            before=was, after=state, step=outcome.result.step, ms=round(outcome.result.latency_ms),
        )  # fmt: skip
    match outcome.event:
        case Opened(started_at=started_at, confirmed_at=confirmed_at):
            log_event(
                logger, logging.WARNING, "outage_opened", deployment=slug, started_at=started_at,
                confirmed_at=confirmed_at, step=outcome.result.step,
            )  # fmt: skip
        case Closed(ended_at=ended_at):
            log_event(logger, logging.INFO, "outage_closed", deployment=slug, ended_at=ended_at)


def _scraped(batch: Batch, outcomes: Sequence[CheckOutcome]) -> list[Scraped]:
    return [
        Scraped(
            deployment_id=outcome.deployment.pk,
            at=outcome.at,
            scrape=outcome.result.scrape,
            before=batch.readings.get(outcome.deployment.pk),
            longest_gap=_policy(outcome.deployment).longest_gap,
        )
        for outcome in outcomes
        if outcome.result.scrape is not None
    ]


def judge(batch: Batch, deployment: Deployment, result: CheckResult) -> CheckOutcome:
    """What one result means for its deployment. Pure."""
    policy = _policy(deployment)
    windows = batch.windows.get(deployment.pk, ())
    health, event = advance(
        _health(deployment, outage_open=deployment.pk in batch.open_outages),
        Probe(batch.at, result.state, result.cause),
        policy,
        in_maintenance=any(span.start <= batch.at < span.end for span in windows),
    )
    since = watched_since(deployment.last_check_at, batch.at, policy, ())
    watched = without(since, windows)
    return CheckOutcome(deployment, batch.at, result, health, event, watched, without(since, watched))


def _policy(deployment: Deployment) -> CheckPolicy:
    return CheckPolicy(
        failures_to_confirm=deployment.failures_to_confirm,
        successes_to_recover=deployment.successes_to_recover,
        every=timedelta(seconds=deployment.check_every_s),
    )


def _health(deployment: Deployment, *, outage_open: bool) -> Health:
    return Health(
        state=cast(State, deployment.state),
        state_since=deployment.state_since,
        streak_ok=deployment.streak_ok,
        streak=deployment.streak,
        streak_since=deployment.streak_since,
        last_check_at=deployment.last_check_at,
        outage_open=outage_open,
    )


def _save_outages(outcomes: Sequence[CheckOutcome]) -> None:
    Outage.objects.bulk_create(
        [
            Outage(
                deployment=outcome.deployment,
                started_at=outcome.event.started_at,
                confirmed_at=outcome.event.confirmed_at,
                cause=outcome.event.cause,
            )
            for outcome in outcomes
            if isinstance(outcome.event, Opened)
        ],
        ignore_conflicts=True,
    )
    for outcome in outcomes:
        if isinstance(outcome.event, Closed):
            Outage.objects.open().filter(deployment=outcome.deployment).update(ended_at=outcome.event.ended_at)


def stop_checking(*, deployment: Deployment) -> None:
    """Check a deployment no more: its state becomes unknown, and an outage ends with the last check that saw it."""
    with transaction.atomic():
        row = Deployment.objects.select_for_update().get(pk=deployment.pk)
        for outage in Outage.objects.open().filter(deployment=row):
            outage.ended_at = max(row.last_check_at or outage.started_at, outage.started_at)
            outage.save(update_fields=["ended_at"])
            log_event(logger, logging.INFO, "outage_closed", deployment=row.slug, ended_at=outage.ended_at)
        Deployment.objects.filter(pk=row.pk).update(
            checked=False,
            state=DeploymentState.UNKNOWN,
            state_since=row.last_check_at,
            streak=0,
            streak_ok=True,
            streak_since=None,
            check_claimed_until=None,
        )
