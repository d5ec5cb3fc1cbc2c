"""What people do with repricings: see what one would change, start it, stop it, go on, take it back.

The work itself is `traffic.repricing.run`, done slice by slice by a worker or at one go by the command.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.events import log_event
from providers.audit import log as audit_log
from providers.audit.log import Action, Actor, ActorKind
from traffic.ingest.context import raw_connection
from traffic.models import RepricedDay, Repricing, Request, UsageDay
from traffic.models.repricings import RepricingState
from traffic.repricing.run import BATCH, CLAIM, Difference, Repriced, Run, Stopped, never, take_back

logger = logging.getLogger(__name__)

SLICE_S = 20.0
TO_RUN = (RepricingState.PREVIEWED, RepricingState.CANCELLED, RepricingState.FAILED)
TO_UNDO = (RepricingState.RUNNING, RepricingState.DONE, RepricingState.CANCELLED, RepricingState.FAILED)


class Refused(Exception):
    """The action is not possible now; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class RepricingScope:
    """What is asked for: UTC days from `since` to the day before `until`, of one provider and model or all ("")."""

    since: date
    until: date
    provider: str = ""
    model: str = ""
    why: str = ""


def plan(*, scope: RepricingScope, person: int | None, state: str = RepricingState.PREVIEWING) -> Repricing:
    """A repricing that is stored and has changed nothing: its preview is worked out next."""
    return Repricing.objects.create(
        since=scope.since, until=scope.until, provider=scope.provider, model=scope.model, why=scope.why[:300],
        by_id=person, state=state, total=requests_of(scope),
    )  # fmt: skip


def requests_of(scope: RepricingScope) -> int:
    """How many requests there are to look at, as the rollups say."""
    usage = UsageDay.objects.filter(day__gte=scope.since, day__lt=scope.until)
    if scope.provider:
        usage = usage.filter(provider=scope.provider)
    if scope.model:
        usage = usage.filter(model=scope.model)
    return int(usage.aggregate(n=Sum(F("requests") - F("leased")))["n"] or 0)


def move(repricing: Repricing, before: Iterable[str], *, state: RepricingState, **fields: Any) -> bool:
    """Change the state if it is still one of `before`."""
    moved = Repricing.objects.filter(pk=repricing.pk, state__in=list(before)).update(state=state, **fields)
    if moved:
        log_event(logger, logging.INFO, "repricing_state_changed", repricing_id=repricing.pk, state=state,
                  since=repricing.since, until=repricing.until, provider=repricing.provider or None)  # fmt: skip
    return bool(moved)


def start(*, repricing: Repricing) -> bool:
    """What was previewed begins, what was stopped goes on where it was. Raises Refused beside another one."""
    if repricing.state in TO_RUN and (repricing.restored or repricing.kept):
        raise Refused(_("It is partly undone: undo the rest too."))
    refuse_beside_another(repricing)
    fresh = {"at_day": None, "at_id": None, "read": 0, "changed": 0} if repricing.started_at is None else {}
    return move(
        repricing, TO_RUN, state=RepricingState.RUNNING, started_at=repricing.started_at or timezone.now(), problem="",
        finished_at=None, claimed_until=None, **fresh,
    )  # fmt: skip


def refuse_beside_another(repricing: Repricing) -> None:
    """Raise Refused while another repricing of the same days runs: each would restore what the other wrote."""
    writing = Repricing.objects.filter(state__in=(RepricingState.RUNNING, RepricingState.UNDOING))
    if writing.filter(since__lt=repricing.until, until__gt=repricing.since).exclude(pk=repricing.pk).exists():
        raise Refused(_("Another re-pricing of these days is running: wait for its end, or cancel it."))


def cancel(*, repricing: Repricing) -> bool:
    """Stop after the batch that is under way, which is then not committed; what came before stays."""
    before = (RepricingState.RUNNING, RepricingState.PREVIEWING)
    stopped = RepricingState.PREVIEWED if repricing.state == RepricingState.PREVIEWING else RepricingState.CANCELLED
    return move(repricing, before, state=stopped, finished_at=timezone.now(), claimed_until=None)


def undo(*, repricing: Repricing, person: int | None = None) -> bool:
    """Every request gets the cost back that it had. Raises Refused while a later one over the same days stands."""
    if repricing.started_at is None:
        return False
    later = Repricing.objects.later_than(repricing).order_by("-started_at").first()
    if later is not None:
        raise Refused(_("There is a later re-pricing of the same days. Undo that one first."))
    refuse_beside_another(repricing)
    return move(
        repricing, TO_UNDO, state=RepricingState.UNDOING, claimed_until=None, problem="", undone_by_id=person,
        restored=0, kept=0,
    )  # fmt: skip


def discard(*, repricing: Repricing) -> bool:
    """Delete a repricing that was never started."""
    unstarted = Repricing.objects.filter(pk=repricing.pk, started_at=None)
    return bool(unstarted.exclude(state=RepricingState.RUNNING).delete()[0])


# --- at work ---


def work(pk: int, *, clock: Callable[[], float] = time.monotonic, seconds: float = SLICE_S) -> bool:
    """One slice of a repricing that is due; whether there is more to do."""
    now = timezone.now()
    repricing = Repricing.objects.claim(pk, now, now + CLAIM)
    if repricing is None:
        return False
    ends = clock() + seconds
    try:
        more = go_on(repricing, lambda: clock() >= ends)
    except Stopped:
        return False
    except (OperationalError, InterfaceError, psycopg.OperationalError):
        raise  # the database is away; the claim runs out and somebody goes on
    except Exception:
        log_event(logger, logging.ERROR, "repricing_crashed", exc_info=True, repricing_id=pk)
        fail(repricing)
        return False
    Repricing.objects.filter(pk=pk, state=repricing.state).update(claimed_until=None)
    return more


def go_on(
    repricing: Repricing,
    late: Callable[[], bool] = never,
    batch: int = BATCH,
    tell: Callable[[list[Difference]], None] = lambda differences: None,
    repriced: Repriced | None = None,
) -> bool:
    """Preview, run or take back until it is late; whether there is more. Raises Stopped."""
    with raw_connection() as conn:
        if repricing.state == RepricingState.UNDOING:
            if take_back(conn, repricing, late, batch):
                return True
            return finish(repricing, RepricingState.UNDONE)
        preview = repricing.state == RepricingState.PREVIEWING
        run = Run(conn, repricing, preview, batch, repriced if repriced is not None else Repriced(), tell)
        if run.work(late):
            return True
    return finish(repricing, RepricingState.PREVIEWED if preview else RepricingState.DONE)


def finish(repricing: Repricing, state: RepricingState) -> bool:
    if move(repricing, [repricing.state], state=state, finished_at=timezone.now(), claimed_until=None):
        repricing.refresh_from_db()
        log_event(logger, logging.INFO, "repricing_finished", repricing_id=repricing.pk, state=repricing.state,
                  read=repricing.read, changed=repricing.changed, restored=repricing.restored)  # fmt: skip
        remember(repricing)
    return False


def fail(repricing: Repricing) -> None:
    problem = _("An error of Breakeven stopped it. The log has the details. Its changes so far stay.")
    at_work = (RepricingState.RUNNING, RepricingState.UNDOING, RepricingState.PREVIEWING)
    move(
        repricing, at_work, state=RepricingState.FAILED, problem=problem, finished_at=timezone.now(), claimed_until=None
    )


def requests_word(n: int) -> str:
    return ngettext("%(n)s request", "%(n)s requests", n) % {"n": f"{n:,}"}


def trimmed(amount: Decimal) -> str:
    """A signed sum, exact, without zeros at its end."""
    return f"{amount.normalize():+f}"


def remember(repricing: Repricing) -> None:
    """Write a repricing and its sum into the audit log; also one that was stopped half way."""
    person = repricing.undone_by_id if repricing.state == RepricingState.UNDONE else repricing.by_id
    if person is None or repricing.started_at is None or not repricing.changed:
        return
    sums = RepricedDay.objects.filter(repricing=repricing, planned=False).aggregate(n=Sum(F("after") - F("before")))
    amount = sums["n"] or Decimal(0)
    sentence = f"Repriced {requests_word(repricing.changed)} by {trimmed(amount)} USD. {repricing.why}".strip()
    if repricing.state == RepricingState.UNDONE:
        repriced = requests_word(repricing.changed)
        sentence = f"Undid the repricing of {repriced}: {repricing.restored:,} cost what they did before."
    by = get_user_model().objects.filter(pk=person).first()
    audit_log.record(
        Action.CHANGED,
        actor=Actor(ActorKind.PERSON, by.get_username() if by else "", person),
        object_type=Request._meta.label_lower,
        object_id=f"{repricing.since}/{repricing.until}",
        object_name=str(repricing),
        message=sentence,
    )


# --- at one go ---


def reprice(
    *,
    since: date,
    until: date,
    provider: str = "",
    model: str = "",
    dry_run: bool = False,
    person: int | None = None,
    why: str = "",
    batch: int = BATCH,
    tell: Callable[[list[Difference]], None] = lambda differences: None,
) -> Repriced:
    """Cost the requests of the UTC days from `since` to the day before `until` anew; `tell` hears of each day's end.

    `person` is the id of the user who asked, for the audit log; without one nobody in particular did. A dry run writes
    nothing and says what a run would. What was done stays done when it is stopped. Raises Refused.
    """
    scope = RepricingScope(since, until, provider, model, why)
    repriced = Repriced()
    if dry_run:
        unstored = Repricing(since=since, until=until, provider=provider, model=model)
        with raw_connection() as conn:
            Run(conn, unstored, True, batch, repriced, tell).work()
        return repriced
    repricing = plan(scope=scope, person=person, state=RepricingState.PREVIEWED)
    try:
        start(repricing=repricing)
    except Refused:
        repricing.delete()
        raise
    repriced.pk = repricing.pk
    to_the_end(repricing, batch=batch, tell=tell, repriced=repriced)
    return repriced


def to_the_end(
    repricing: Repricing, *, batch: int = BATCH, repriced: Repriced | None = None, **options: Any
) -> Repricing:
    """Run a started repricing until it is done. When interrupted, it can be continued by another worker."""
    now = timezone.now()
    claimed = Repricing.objects.claim(repricing.pk, now, now + CLAIM)
    if claimed is None:
        raise Refused(_("A worker is running it already."))
    try:
        go_on(claimed, batch=batch, repriced=repriced, **options)
    except BaseException:
        undoing = claimed.state == RepricingState.UNDOING  # which a worker then ends
        state = RepricingState.UNDOING if undoing else RepricingState.CANCELLED
        if move(claimed, [claimed.state], state=state, finished_at=timezone.now(), claimed_until=None):
            claimed.refresh_from_db()
            remember(claimed)
        raise
    claimed.refresh_from_db()
    return claimed
