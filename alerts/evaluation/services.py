"""Evaluation of the rules, and what people do with alerts: each change of state and its messages in one transaction."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.defaults import ensure_defaults
from alerts.delivery.recipients import Recipients
from alerts.evaluation.coverage import covered
from alerts.evaluation.write import Writer, status_of, target_of
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Kind, Words
from alerts.lifecycle import states
from alerts.lifecycle.silences import Matcher
from alerts.lifecycle.states import Cause, Policy, State, Step
from alerts.metrics.scopes import Missing
from alerts.models import Alert, Delivery, Rule, Silence
from lib.events import log_event, ms_since
from lib.formats import person
from lib.recurring_windows import STEPS, RecurringWindow
from lib.time_spans import Span
from traffic.imports.loading import loading_until

logger = logging.getLogger(__name__)

# Of the two numbers of an advisory lock, the one that says that it is about evaluating.
EVALUATING = 0x616C7274
# Rule, subject and level, of which something came and went how often.
Flapped = tuple[int, str, int]
FLAP_WINDOW = timedelta(hours=1)


@dataclass
class Evaluated:
    """What one evaluation did: kinds looked at, transitions written, and what went wrong by kind."""

    kinds: list[str] = field(default_factory=list)
    moves: int = 0
    errors: dict[str, str] = field(default_factory=dict)


def evaluate(
    *, now: datetime | None = None, kinds: Iterable[str] | None = None, stamp: bool = True, wait: bool = False
) -> Evaluated:
    """Run the enabled rules once. Without `wait`, a kind that is being evaluated elsewhere right now is skipped, and so
    are rules of a slow kind whose time has not come.

    One kind that fails is recorded beside its rules and stops no other. `stamp=False` leaves no trace that the rules
    ran, for whoever stands in while the evaluation is late.
    """
    ensure_defaults()
    done, started = Evaluated(), perf_counter()
    waiting = hold_back(now or timezone.now(), stamp)
    for name in kinds or KINDS:
        at = now or timezone.now()
        if name in waiting:
            continue
        try:
            with transaction.atomic():
                if not _lock(name, wait):
                    continue
                writer = _evaluate_kind(name, KINDS[name], at, stamp, everything=wait)
            writer.log_transitions()
            done.moves += writer.moves
            done.kinds.append(name)
        except Exception as error:  # whatever fails in one kind, the others go on; it is shown beside its rules
            log_event(logger, logging.ERROR, "evaluation_failed", kind=name, exc_info=error)
            done.errors[name] = f"{type(error).__name__}: {error}"
            Rule.objects.filter(kind=name).update(last_error=done.errors[name][:2000])
    if done.moves or done.errors:  # else it would be a line every 15 s that says nothing
        counts: dict[str, Any] = {"kinds": len(done.kinds), "transitions": done.moves, "errors": len(done.errors)}
        log_event(logger, logging.INFO, "evaluation_finished", **counts, ms=ms_since(started))
    return done


def hold_back(at: datetime, stamp: bool) -> frozenset[str]:
    """The kinds that wait because history is being loaded: half of it would open alerts that the whole does not.

    They count as run, because somebody does run the rules.
    """
    if loading_until(at) is None:
        return frozenset()
    waiting = frozenset(name for name, kind in KINDS.items() if kind.of_history)
    if stamp:
        Rule.objects.enabled().filter(kind__in=waiting).update(evaluated_at=at)
    return waiting


def _lock(kind: str, wait: bool) -> bool:
    """The lock of a kind until the transaction ends; it comes before any figure is read, so none can be stale."""
    number = zlib.crc32(kind.encode()) - 2**31
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [EVALUATING, number])
            return True
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [EVALUATING, number])
        return bool(cursor.fetchone()[0])


def _evaluate_kind(name: str, kind: Kind, at: datetime, stamp: bool, everything: bool) -> Writer:
    writer = Writer(at=at, recipients=Recipients(), silences=Silence.objects.in_force(at))
    alerts_by_rule: dict[int, dict[str, Alert]] = {}
    for alert in Alert.objects.minded().of_kind(name):
        if alert.rule.deleted_at is None and (alert.rule.enabled or alert.subject in kind.always):
            alerts_by_rule.setdefault(alert.rule_id, {})[alert.subject] = alert
        else:
            writer.follow(alert, states.step(status_of(alert), states.GONE, Policy(), at, quiet=True), None)
    context, flaps = EvaluationContext(at), Alert.objects.openings(name, at - FLAP_WINDOW)
    fine, failed = [], []
    started = perf_counter()
    for rule in Rule.objects.not_deleted().filter(kind=name):
        if not (rule.enabled or kind.always):
            continue
        if not everything and rule.evaluated_at and at - rule.evaluated_at < timedelta(seconds=kind.every_s):
            continue
        try:
            _look(writer, rule, kind, context, alerts_by_rule.get(rule.pk, {}), flaps)
            fine.extend([rule] if rule.enabled else [])
        except BadThreshold as error:
            if isinstance(error, Missing):  # looked at, and there is nothing to see
                _let_go(writer, rule, alerts_by_rule.get(rule.pk, {}))
                rule.evaluated_at = at if stamp else rule.evaluated_at
            if rule.last_error != str(error):  # once, not at each evaluation
                log_event(logger, logging.WARNING, "rule_not_evaluated", rule_id=rule.pk, kind=name)
            rule.last_error = str(error)
            failed.append(rule)
    writer.finish()
    if failed:
        Rule.objects.bulk_update(failed, ["last_error", "evaluated_at"], batch_size=500)
    if stamp and fine:
        took_us = round((perf_counter() - started) * 1e6 / len(fine))
        ran = Rule.objects.filter(pk__in=[rule.pk for rule in fine])
        ran.update(evaluated_at=at, last_error="", took_us=took_us)
    return writer


def _look(
    writer: Writer,
    rule: Rule,
    kind: Kind,
    context: EvaluationContext,
    alerts: dict[str, Alert],
    flaps: Mapping[Flapped, int],
) -> None:
    """One rule: each finding against what is known of its subject; a subject no longer found is gone.

    Of a rule that is switched off only what is told all the same (`Kind.always`).
    """
    evaluated = kind.evaluate(context, kind.read(rule.thresholds), frozenset(alerts))
    findings = {f.subject: f for f in evaluated if rule.enabled or f.subject in kind.always}
    for subject, finding in findings.items():
        alert = alerts.pop(subject, None)
        if alert is None and not finding.crossed:
            continue
        finding = covered(context, finding, (alert.pending_since if alert else None) or writer.at)
        if finding.covered_by and (larger := context.open_title(finding.covered_by)):
            finding = replace(finding, words=finding.words | Words(grouped=larger))
        quiet = bool(finding.covered_by) or writer.silenced(target_of(rule, finding))
        status = status_of(alert) if alert else None
        step = states.step(status, finding.observation, policy_of_alert(rule, alert, flaps), writer.at, quiet=quiet)
        writer.follow(alert, step, finding, rule)
    _let_go(writer, rule, alerts)


def _let_go(writer: Writer, rule: Rule, alerts: Mapping[str, Alert]) -> None:
    """Alerts whose subject is no longer there."""
    for alert in alerts.values():
        quiet = writer.silenced(alert)
        writer.follow(alert, states.step(status_of(alert), states.GONE, Policy(), writer.at, quiet=quiet), None)


def policy_of(rule: Rule) -> Policy:
    """The waits of a rule as a policy."""

    def span(seconds: int | None) -> timedelta | None:
        return None if seconds is None else timedelta(seconds=seconds)

    return Policy(
        open_after=timedelta(seconds=rule.for_s),
        clear_after=timedelta(seconds=rule.clear_for_s),
        escalate_after=span(rule.escalate_s),
        remind_every=span(rule.remind_s),
    )


def policy_of_alert(rule: Rule, alert: Alert | None, flaps: Mapping[Flapped, int]) -> Policy:
    """The same for one alert, which must be clear for longer when it comes and goes."""
    policy = policy_of(rule)
    if alert is None or alert.state not in (State.OPEN, State.ACKNOWLEDGED):
        return policy
    opened = flaps.get((rule.pk, alert.subject, alert.level), 0)
    return states.damped(policy, opened - 1)  # the present opening is no flap yet


def acknowledge(*, alert_id: int, by: AbstractBaseUser | None, note: str = "", now: datetime | None = None) -> Alert:
    """Someone has it: no reminder, no escalation. Raises states.NotPossible unless it is open."""
    return _by_hand(alert_id, lambda alert, at, quiet: states.acknowledge(status_of(alert)), by, note, now)


def unacknowledge(*, alert_id: int, by: AbstractBaseUser | None, note: str = "", now: datetime | None = None) -> Alert:
    """Take `acknowledge` back. Raises states.NotPossible unless it is acknowledged."""
    return _by_hand(alert_id, lambda alert, at, quiet: states.unacknowledge(status_of(alert)), by, note, now)


def resolve(*, alert_id: int, by: AbstractBaseUser | None, note: str = "", now: datetime | None = None) -> Alert:
    """A person calls it over; while it is still so, it stays quiet until it was not. Raises states.NotPossible."""
    return _by_hand(alert_id, lambda alert, at, quiet: states.close(status_of(alert), at, quiet=quiet), by, note, now)


def reopen(*, alert_id: int, by: AbstractBaseUser | None, note: str = "", now: datetime | None = None) -> Alert:
    """Take `resolve` back, with its messages as far as they have not left. Raises states.NotPossible."""
    return _by_hand(alert_id, _take_back, by, note, now)


def snooze(
    *, alert_id: int, until: datetime, by: AbstractBaseUser | None, note: str = "", now: datetime | None = None
) -> Alert:
    """Nothing is said about this one until then, unless it gets worse or is over. Raises states.NotPossible."""
    return _by_hand(alert_id, lambda alert, at, quiet: states.snooze(status_of(alert), until, at), by, note, now)


def unsnooze(*, alert_id: int, by: AbstractBaseUser | None, note: str = "", now: datetime | None = None) -> Alert:
    """Take `snooze` back. Raises states.NotPossible where it is not snoozed."""
    return _by_hand(alert_id, lambda alert, at, quiet: states.unsnooze(status_of(alert), at), by, note, now)


def assign(
    *,
    alert_id: int,
    to: AbstractBaseUser | None,
    by: AbstractBaseUser | None,
    note: str = "",
    now: datetime | None = None,
) -> Alert:
    """It becomes a person's, who is told unless they took it themselves; None: nobody's. Raises states.NotPossible."""

    def action(alert: Alert, at: datetime, quiet: bool) -> Step:
        alert.assigned_to = to  # type: ignore[assignment]  # the user model is a setting
        return states.assign(status_of(alert))

    name = person(to) or _("unassigned")
    return _by_hand(alert_id, action, by, f"{name}: {note}" if note else name, now)


def write_note(*, alert_id: int, note: str, by: AbstractBaseUser | None, now: datetime | None = None) -> Alert:
    """Write something beside the timeline, also of an alert that is over."""
    return _by_hand(alert_id, lambda alert, at, quiet: states.note(status_of(alert)), by, note, now)


def erase_note(*, alert_id: int, by: AbstractBaseUser | None) -> Alert:
    """Take one's newest note back; nobody else's. Raises states.NotPossible where there is none."""
    with transaction.atomic():
        alert = Alert.objects.select_for_update().get(pk=alert_id)
        mine = alert.transitions.filter(cause=Cause.NOTED, by=by.pk if by else None)
        newest = mine.order_by("-at", "-id").first()
        if newest is None:
            raise states.NotPossible(_("you have no note here"))
        newest.delete()
    return alert


# What a person asks for, given the alert, the moment, and whether a silence covers it.
Action = Callable[[Alert, datetime, bool], Step]


def _take_back(alert: Alert, at: datetime, quiet: bool) -> Step:
    remarks = (Cause.NOTED, Cause.ASSIGNED)
    newest = alert.transitions.exclude(cause__in=remarks).order_by("-at", "-id").first()
    if newest is None or newest.cause != Cause.CLOSED:
        raise states.NotPossible(_("it was not resolved manually"))
    if Alert.objects.live().filter(rule=alert.rule, subject=alert.subject).exists():
        raise states.NotPossible(_("it has opened again since"))
    Delivery.objects.filter(transition=newest, state="waiting").delete()
    return states.reopen(status_of(alert))


def _by_hand(alert_id: int, action: Action, by: AbstractBaseUser | None, note: str, now: datetime | None) -> Alert:
    """One person's step, under the lock that evaluations of the same kind take."""
    with transaction.atomic():
        _lock(Rule.objects.get(alerts=alert_id).kind, wait=True)
        at = now or timezone.now()
        alert = Alert.objects.select_related("rule").get(pk=alert_id)
        writer = Writer(at=at, recipients=Recipients(), silences=Silence.objects.in_force(at), by=by, note=note)
        writer.follow(alert, action(alert, at, writer.silenced(alert)), None)
        writer.finish()
    writer.log_transitions()
    return alert


def silence(
    *,
    matcher: Matcher,
    until: datetime,
    reason: str,
    by: AbstractBaseUser | None,
    starts_at: datetime | None = None,
    repeats: str = "",
    zone: str = "UTC",
    repeats_until: datetime | None = None,
    now: datetime | None = None,
) -> Silence:
    """No mail about what matches until then, from now or from later on; one that `repeats` comes again on the same
    hours of a zone's clock. Raises ValueError when it is over, ends before it begins, or comes again before its end."""
    at = now or timezone.now()
    starts_at = (starts_at or at) if repeats else starts_at
    if (starts_at and until <= starts_at) or not RecurringWindow(
        Span(starts_at or at, until), repeats, zone, repeats_until
    ).ahead(at):
        raise ValueError(_("A silence must end in the future, after it begins."))
    if repeats and starts_at and until - starts_at > STEPS[repeats]:
        raise ValueError(_("A window must end before it repeats."))
    row = Silence.objects.create(
        kind=matcher.kind,
        subject=matcher.subject,
        severity=matcher.severity,
        labels=dict(matcher.labels),
        starts_at=starts_at,
        until=until,
        repeats=repeats,
        zone=zone,
        repeats_until=repeats_until if repeats else None,
        reason=reason,
        by=by if by and by.pk else None,  # type: ignore[misc]  # the user model is a setting
    )
    log_event(
        logger,
        logging.INFO,
        "silence_added",
        silence_id=row.pk,
        starts_at=starts_at,
        until=until,
        repeats=repeats or None,
        user_id=row.by_id,
    )
    return row


def end_silence(*, silence_id: int, now: datetime | None = None) -> None:
    """End a silence now, or one that has not begun; what is open and was not told is told at the next evaluation."""
    at = now or timezone.now()
    rows = Silence.objects.filter(pk=silence_id)
    rows.filter(repeats="", until__gt=at).update(until=at)
    rows.exclude(repeats="").exclude(repeats_until__lte=at).update(repeats_until=at)
    log_event(logger, logging.INFO, "silence_ended", silence_id=silence_id)
