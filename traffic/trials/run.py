"""A trial at work, step by step: claim calls, send them, keep what came back.

A call's row is committed before the call is sent, and its answer with the row of the request log in one transaction.
So a worker may be killed at any moment: who goes on finds the calls without an answer, counts them toward the cap at
their worst case, and sends their prompts again. An answer that was kept is never asked for twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, timedelta
from decimal import Decimal
from itertools import cycle, islice
from threading import Event
from uuid import UUID

import psycopg
from django.db import DataError, InterfaceError, OperationalError, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib import sql
from lib.encryption import SecretUnreadable
from lib.events import log_event
from lib.money import COST_STEP, ZERO
from providers.models import Deployment
from providers.uptime.due_checks import KeyExposed, target_of
from traffic.ingest.context import pricing_context, raw_connection
from traffic.ingest.pipeline import store, store_apart
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow, Tokens
from traffic.models import Application, Trial, TrialCall, TrialPrompt, TrialStep
from traffic.models.applications import TRIALS
from traffic.models.trials import CallState, TrialState
from traffic.trials.measure import Point, Timed, capacity_point, measure
from traffic.trials.sender import Call, Result, Sender, body_of, uncached
from traffic.trials.services import application, make_pairs

logger = logging.getLogger(__name__)

CLAIM = timedelta(seconds=15)
TICK_S, BEAT_S = 0.2, 0.5  # between two looks at what came back, and at the trial's row
MOST_AHEAD = 64  # calls that are claimed beyond those that streams are free for
FAILED_IN_A_ROW = 10
TRIES = 2  # of a prompt, for its pair
TEMPLATE_TOKENS = 256  # what an engine may add to a prompt
LOCK = 7_203_019  # advisory: trials begin one after the other
LEAVING = Event()  # this worker is about to end: steps are left for another one

BEAT = """
WITH beat AS (
    UPDATE traffic_trial SET claimed_until = %s, spent = %s WHERE id = %s AND claimed_until = %s
    RETURNING stop_requested_at IS NOT NULL AS stopping
), step AS (UPDATE traffic_trialstep SET seconds = %s WHERE id = %s AND EXISTS (SELECT FROM beat))
SELECT stopping FROM beat
"""
ERASED = "SELECT id FROM traffic_trialprompt WHERE id = ANY(%s) AND text = ''"
KEEP = """
UPDATE traffic_trialcall SET state = %s, charged = %s, cost = %s, request_id = %s, offset_ms = %s, ttft_ms = %s,
    latency_ms = %s, output_tokens = %s
WHERE id = %s
"""


class Ended(Exception):
    """The trial cannot go on; the message is a sentence for people."""


class Taken(Exception):
    """Another worker runs this trial by now."""


def work(pk: int) -> bool:
    """One step of a trial that is due; whether there is more to do."""
    now = timezone.now()
    trial = Trial.objects.claim(pk, now, now + CLAIM)
    if trial is None or LEAVING.is_set():
        return False
    try:
        return Run(trial).next_step()
    except Taken:
        return False
    except (OperationalError, InterfaceError, psycopg.OperationalError):
        raise  # the database is away; the claim runs out and another worker goes on
    except Ended as error:
        end(trial, TrialState.FAILED, str(error))
    except Exception:
        log_event(logger, logging.ERROR, "trial_crashed", exc_info=True, trial_id=pk)
        end(trial, TrialState.FAILED, _("An internal error ended the trial. It has been logged."))
    return False


def begin(trial: Trial) -> bool:
    """Mark a queued trial as running and lay out its steps; False while another trial measures a deployment of it."""
    ids = [deployment.pk for deployment in trial.deployments]
    with transaction.atomic():
        sql.rows("SELECT pg_advisory_xact_lock(%s)", [LOCK])  # two trials may begin at once
        others = Trial.objects.filter(Q(candidate__in=ids) | Q(baseline__in=ids), state=TrialState.RUNNING)
        if others.exclude(pk=trial.pk).exists():
            Trial.objects.filter(pk=trial.pk, claimed_until=trial.claimed_until).update(claimed_until=None)
            return False
        TrialStep.objects.bulk_create(steps_of(trial), ignore_conflicts=True)
        trial.state = TrialState.RUNNING
        Trial.objects.filter(pk=trial.pk).update(state=trial.state, started_at=timezone.now())
    log_event(logger, logging.INFO, "trial_started", trial_id=trial.pk, deployments=len(trial.deployments),
              steps=len(trial.concurrency))  # fmt: skip
    return True


def steps_of(trial: Trial) -> list[TrialStep]:
    """For each deployment first all prompts once, which warms it up and makes the pairs, then the timed steps."""
    plan = []
    for deployment in trial.deployments:
        plan.append((deployment, max(trial.concurrency), False))
        plan += [(deployment, concurrency, True) for concurrency in sorted(trial.concurrency)]
    return [
        TrialStep(trial=trial, number=number, deployment=deployment, concurrency=concurrency, timed=timed)
        for number, (deployment, concurrency, timed) in enumerate(plan)
    ]


def end(trial: Trial, state: TrialState, problem: str = "") -> None:
    """Write what was measured and how the trial ended; steps and answers before stay."""
    lose_calls(trial)
    for step in trial.steps.select_related("deployment__lease").filter(ended_at=None, seconds__gt=0):
        write_results(step)
    capacity = capacity_of(trial)
    pairs = make_pairs(trial)
    spent = charged(trial)
    Trial.objects.filter(pk=trial.pk).update(
        state=state, problem=problem, finished_at=timezone.now(), claimed_until=None, pairs=pairs, spent=spent,
        capacity_tokens_per_second=capacity and (capacity.tokens_per_second or 0) / gpus_of(trial.candidate),
        capacity_concurrency=capacity and capacity.concurrency,
    )  # fmt: skip
    log_event(logger, logging.INFO, "trial_ended", trial_id=trial.pk, state=str(state), pairs=pairs, usd=str(spent))


def lose_calls(trial: Trial) -> int:
    """Calls whose worker has gone: their answers are unknown, and they may be paid for. Returns how many."""
    return TrialCall.objects.filter(step__trial=trial, state=CallState.SENT).update(state=CallState.LOST)


def gpus_of(deployment: Deployment) -> int:
    return deployment.lease.gpu_count if deployment.lease else 1


def capacity_of(trial: Trial) -> Point | None:
    """Of the candidate."""
    return capacity_point(map(point_of, trial.steps.filter(deployment=trial.candidate, timed=True)))


def point_of(step: TrialStep) -> Point:
    return Point(step.concurrency, step.requests, step.errors, step.tokens_per_second, step.ttft_p95_ms)


def charged(trial: Trial) -> Decimal:
    """USD that count toward the cap so far."""
    total = TrialCall.objects.filter(step__trial=trial).aggregate(usd=Sum("charged"))["usd"]
    return total or ZERO


def write_results(step: TrialStep) -> None:
    """The step's results from its calls. Cancelled and lost calls are no errors of the engine, and left out."""
    calls = list(step.calls.filter(state__in=(CallState.OK, CallState.ERROR)))
    timed = [
        Timed(call.state == CallState.OK, call.offset_ms or 0.0, call.ttft_ms, call.latency_ms or 0.0,
              call.output_tokens)
        for call in calls
    ]  # fmt: skip
    for name, value in asdict(measure(timed, step.seconds)).items():
        setattr(step, name, value)
    step.cost = cost_of(step, calls)
    step.ended_at = timezone.now()
    step.save()
    log_event(logger, logging.INFO, "trial_step_ended", trial_id=step.trial_id, deployment_id=step.deployment_id,
              concurrency=step.concurrency, requests=step.requests, errors=step.errors)  # fmt: skip


def cost_of(step: TrialStep, calls: Sequence[TrialCall]) -> Decimal | None:
    """USD: the leased GPU's time, else the sum of the calls; None where one of them is unknown."""
    lease = step.deployment.lease
    if lease is not None:
        hours = Decimal(str(step.seconds)) / 3600
        return Decimal(lease.price_per_hour * hours).quantize(COST_STEP)
    costs = [call.cost for call in calls if call.state == CallState.OK]
    return None if None in costs else sum((cost for cost in costs if cost is not None), ZERO)


def erased_prompts(keys: Sequence[int]) -> set[int]:
    """Those whose texts were deleted since a worker read them: their answers are not stored either."""
    return {key for (key,) in sql.rows(ERASED, [list(keys)])}


def worst_case(pricing: PricingContext, deployment: Deployment, prompt: str, answer_tokens: int) -> Decimal | None:
    """USD that a call costs at most: a token for each byte of the prompt, and the longest answer.

    0 on our own GPUs, whose hours are paid; None where no price is known.
    """
    if deployment.pk in pricing.leased:
        return ZERO
    tokens = (len(prompt.encode()) + TEMPLATE_TOKENS, 0, 0, 0, answer_tokens)
    costed = pricing.book.cost(
        provider=deployment.provider, model=deployment.model, when=timezone.now(), tokens=tokens, batch=False
    )
    return ZERO if costed.cost is None and deployment.provider == "self" else costed.cost


class Run:
    """One worker at one trial."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.until = trial.claimed_until
        self.stopping = False  # a person asked for it
        self.at_cap = False
        self.failed = 0  # calls in a row
        self.last_error = ""
        self.under_way: dict[int, TrialCall] = {}  # by key
        self.origin = 0.0  # of the step's clock: seconds of the monotonic clock

    def next_step(self) -> bool:
        """Run the next step, or end the trial; whether there is more. Raises Ended, Taken."""
        trial = self.trial
        if trial.state == TrialState.QUEUED and not begin(trial):
            return False
        if lost := lose_calls(trial):
            log_event(logger, logging.WARNING, "trial_resumed", trial_id=trial.pk, calls_lost=lost)
        self.charged = self.spent = charged(trial)
        if trial.stop_requested_at is not None:
            return self._end(TrialState.STOPPED)
        step = trial.steps.select_related("deployment__lease").filter(ended_at=None).first()
        if step is None:
            return self._end(TrialState.DONE)
        self.run(step)
        if LEAVING.is_set():
            self._release()
            return False
        if self.stopping:
            return self._end(TrialState.STOPPED)
        if self.at_cap:
            text = _("The cap of $%(cap)s was reached: the next call could cost more than what is left.")
            return self._end(TrialState.STOPPED, text % {"cap": f"{trial.cap_usd:,.2f}"})
        if self.failed and not step.calls.filter(state=CallState.OK).exists():
            raise self.too_many_failed(step)  # slow failures fill a step before they are so many in a row
        write_results(step)
        self._release()
        return True

    def _end(self, state: TrialState, problem: str = "") -> bool:
        end(self.trial, state, problem)
        return False

    def _release(self) -> None:
        """The next step is claimed by whichever worker is free."""
        Trial.objects.filter(pk=self.trial.pk, claimed_until=self.until).update(claimed_until=None)

    # --- one step ---

    def run(self, step: TrialStep) -> None:
        """Send calls until the step is over, a person stops the trial or the cap is reached. Raises Ended, Taken."""
        deployment = step.deployment
        if not deployment.enabled:
            raise Ended(_("%(name)s is disabled.") % {"name": deployment.name})
        try:
            target = target_of(deployment)
        except (SecretUnreadable, KeyExposed) as error:
            raise Ended(f"{deployment.name}: {error}") from None
        prompts = self.prompts_of(step)
        beat, batch = 0.0, step.concurrency
        with Sender(target, deployment.engine, step.concurrency) as sender:
            self.origin = time.monotonic() - step.seconds
            while True:
                seconds = time.monotonic() - self.origin
                over = self.stopping or self.at_cap or LEAVING.is_set()
                over = over or (step.timed and seconds >= self.trial.seconds_per_step)
                if not over:
                    room = step.concurrency + min(batch, MOST_AHEAD) - sender.under_way
                    if room > 0:
                        sender.put(self.claim(step, sender, prompts, room))
                elif dropped := sender.withdraw():
                    self.drop(dropped)
                if not sender.under_way:
                    break
                if self.stopping or LEAVING.is_set():
                    sender.cancel()
                results = sender.take(TICK_S)
                batch = max(len(results), 1)
                self.keep(step, results)
                if time.monotonic() - beat >= BEAT_S:
                    beat = time.monotonic()
                    self.beat(step, seconds)
            self.beat(step, min(seconds, float(self.trial.seconds_per_step)) if step.timed else seconds)

    def prompts_of(self, step: TrialStep) -> Iterator[TrialPrompt]:
        """The prompts in the order in which the step sends them. Raises Ended where their texts were deleted."""
        prompts = list(self.trial.prompts.exclude(text=""))
        if not prompts:
            raise Ended(_("The prompts were deleted by the retention of bodies."))
        if step.timed:
            sent = TrialCall.objects.filter(step__trial=self.trial, step__deployment=step.deployment).count()
            return islice(cycle(prompts), sent % len(prompts), None)  # a step begins where the one before ended
        counted = Count("pk", filter=Q(state=CallState.OK)), Count("pk")
        rows = step.calls.order_by().values_list("prompt").annotate(answered=counted[0], tried=counted[1])
        done = {prompt for prompt, answered, tried in rows if answered or tried >= TRIES}
        return iter([prompt for prompt in prompts if prompt.pk not in done])

    def claim(self, step: TrialStep, sender: Sender, prompts: Iterator[TrialPrompt], most: int) -> list[Call]:
        """Rows of the next calls, as many as the cap allows, committed before they are sent. Raises Ended."""
        pricing = pricing_context.get()
        rows = []
        for prompt in islice(prompts, most):
            worst = worst_case(pricing, step.deployment, prompt.text, self.trial.answer_tokens)
            if worst is None:
                text = _("No price is known for %(model)s, so its cost cannot be held below the cap.")
                raise Ended(text % {"model": step.deployment.model})
            if self.charged + worst > self.trial.cap_usd:
                self.at_cap = True
                break
            self.charged += worst
            rows.append(TrialCall(step=step, prompt=prompt, charged=worst))
        made = TrialCall.objects.bulk_create(rows)
        self.under_way |= {call.pk: call for call in made}
        model, engine, tokens = step.deployment.model, step.deployment.engine, self.trial.answer_tokens
        return [
            Call(call.pk, body_of(sender.protocol, model, call.prompt.text, tokens) | uncached(engine, call.pk))
            for call in made
        ]

    def drop(self, keys: Sequence[int]) -> None:
        """Calls that were claimed and not sent."""
        for key in keys:
            self.charged -= self.under_way.pop(key).charged
        TrialCall.objects.filter(pk__in=keys).delete()

    def keep(self, step: TrialStep, results: Sequence[Result]) -> None:
        """Store answers: rows of the request log and of the trial in one transaction. Raises Ended."""
        if not results:
            return
        pricing, owner = pricing_context.get(), application()
        rows, columns = [], []
        calls = [self.under_way.pop(result.key) for result in results]
        erased = erased_prompts([call.prompt_id for call in calls])
        for call, result in zip(calls, results, strict=True):
            row = self.row_of(step, call, result, owner)
            if call.prompt_id in erased:
                row.prompt = row.answer = None
            columns.append(self.columns_of(call, row, result, pricing))
            rows.append(row)
            self.failed = 0 if result.outcome == "ok" else self.failed + (result.outcome != "cancelled")
            self.last_error = result.error or self.last_error

        def also(conn: psycopg.Connection, _accepted: int) -> None:
            conn.cursor().executemany(KEEP, columns)

        try:
            store(rows, also)
        except DataError:  # a text that the database refuses: the other rows are stored apart
            store_apart(rows)
            with raw_connection() as conn:
                also(conn, 0)
        if self.failed >= max(FAILED_IN_A_ROW, step.concurrency):
            raise self.too_many_failed(step)

    def too_many_failed(self, step: TrialStep) -> Ended:
        text = ngettext(
            "%(name)s failed %(n)s call, with: %(error)s",
            "%(name)s failed %(n)s calls in a row, the last with: %(error)s",
            self.failed,
        )
        return Ended(text % {"name": step.deployment.name, "n": self.failed, "error": self.last_error[:300]})

    def row_of(self, step: TrialStep, call: TrialCall, result: Result, owner: Application) -> RequestRow:
        """The call in the request log."""
        deployment, answer = step.deployment, result.answer
        return RequestRow(
            external_id=f"trial-{self.trial.pk}-{call.pk}",
            started_at=result.started_at,
            provider=deployment.provider,
            model=deployment.model,
            source="trial",
            application_id=owner.pk,
            deployment_id=deployment.pk,
            task=call.prompt.task,
            outcome=result.outcome,
            http_status=result.status,
            error_type=result.error,
            latency_ms=result.latency_ms,
            ttft_ms=result.ttft_ms,
            streamed=True,
            response_id=answer.response_id,
            tokens=tokens_of(result),
            route=TRIALS,
            raw={"usage": answer.usage} if answer.usage else None,
            prompt=call.prompt.text if owner.capture_bodies else None,
            answer=result.text.replace("\0", "") if owner.capture_bodies else None,
        )

    def columns_of(
        self, call: TrialCall, row: RequestRow, result: Result, pricing: PricingContext
    ) -> tuple[object, ...]:
        """The values of KEEP. A call that broke after it was sent counts at its worst case, as does an unknown cost."""
        cost = pricing.cost(row).cost
        paid = ZERO if result.unpaid else call.charged if cost is None or row.outcome != "ok" else cost
        self.charged += paid - call.charged
        self.spent += paid
        state = {"ok": CallState.OK, "cancelled": CallState.CANCELLED}.get(result.outcome, CallState.ERROR)
        day = row.started_at.astimezone(UTC).date()
        return (
            str(state), paid, cost, UUID(hex=pricing.id_of(row, row.external_id, day)),
            (result.sent_at - self.origin) * 1000, result.ttft_ms, result.latency_ms,
            row.tokens.output if row.tokens else None, call.pk,
        )  # fmt: skip

    def beat(self, step: TrialStep, seconds: float) -> None:
        """Keep the claim, and see whether a person stops the trial. Raises Taken."""
        until = timezone.now() + CLAIM
        rows = sql.rows(BEAT, [until, self.spent, self.trial.pk, self.until, seconds, step.pk])
        if not rows:
            raise Taken
        self.until, step.seconds = until, seconds
        self.stopping = bool(rows[0][0])


def tokens_of(result: Result) -> Tokens | None:
    """The five classes as the engine counts them; none where no model was reached, None where they are unknown."""
    counted = result.answer.tokens(result.protocol)
    if counted.uncached_input is not None and counted.output is not None:
        return Tokens(
            counted.uncached_input, counted.cache_read or 0, counted.cache_write_5m or 0, counted.cache_write_1h or 0,
            counted.output, counted.reasoning or 0,
        )  # fmt: skip
    return Tokens() if result.unpaid or (result.outcome == "error" and (result.status or 0) >= 500) else None
