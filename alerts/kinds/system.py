"""Rules about Breakeven itself: whatever should have run and did not, and addresses that take no mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.kinds.vendors import polls
from alerts.models import Address, Channel, ChannelKind
from alerts.wording import listed, moment, span

EVALUATION = "evaluation"


def late(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """A poll that fails or is overdue, by account; and the evaluation of the rules itself."""
    ran = list(evaluation(context, params))
    # Where rules do not run, nobody polls either: one cause, one mail.
    covered = EVALUATION if any(finding.crossed for finding in ran) else ""
    yield from (replace(finding, covered_by=covered or finding.covered_by) for finding in polls(context, params))
    yield from ran


def evaluation(context: EvaluationContext, params: RuleParams) -> Iterator[Finding]:
    """Rules that have not run for too long. Whoever asks is not the evaluator that is late (see
    `alerts.evaluation.watch`)."""
    longest = timedelta(seconds=float(params.number("evaluation_s")))
    late_kinds = [(runs, longest + slack(runs.kind)) for runs in context.runs]
    late_kinds = [(runs, limit) for runs, limit in late_kinds if context.now - runs.oldest > limit]
    if not late_kinds:
        words = Words(todo=_("No action needed. Every rule runs again."), page="/alerts/rules/")
        yield Finding(EVALUATION, _("Rules run again: 0 of them are late"), False, True, value="0", words=words)
        return
    old = [rule for runs, limit in late_kinds for rule in context.late_rules(runs.kind, context.now - limit)]
    oldest = min(runs.oldest for runs, _limit in late_kinds)
    values = {"n": len(old), "all": sum(runs.rules for runs in context.runs), "span": span(context.now - oldest)}
    yield Finding(
        subject=EVALUATION,
        title=_("Rules late: %(n)s of %(all)s not run for %(span)s") % values,
        crossed=True,
        clear=False,
        value=str(int((context.now - oldest).total_seconds())),
        threshold=str(int(longest.total_seconds())),
        severity="critical",
        words=Words(
            todo=_("Check that the worker and beat processes run, and read the last errors of the rules."),
            detail=_("No other alerts are possible while the rules do not run."),
            facts=[
                [_("Late rules"), listed([rule.name for rule in old]), ""],
                [_("Last run"), moment(oldest), _("of the latest rule")],
                *[[rule.name, rule.last_error, ""] for rule in old[:10] if rule.last_error],
            ],
            page="/alerts/rules/",
        ),
    )


def slack(kind: str) -> timedelta:
    """Some kinds run less often than others."""
    from alerts.kinds import KINDS

    return timedelta(seconds=KINDS[kind].every_s) if kind in KINDS else timedelta(0)


def addresses(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each address that gets no more mail because servers refused it, and for each dead channel."""
    disabled = {f"address:{row.address}"[:200]: row for row in context.disabled_addresses}
    for subject, row in disabled.items():
        yield disabled_address(subject, row)
    dead = {f"channel:{channel.slug}": channel for channel in context.dead_channels}
    for subject, channel in dead.items():
        yield dead_channel(subject, channel)
    for subject in live - disabled.keys() - dead.keys():
        if subject.startswith("channel:"):
            title = _("Channel works again: %(name)s, 0 failures") % {"name": subject.partition(":")[2]}
            yield Finding(subject, title, crossed=False, clear=True, value="0")
            continue
        title = _("Mail works again: %(address)s, 0 rejections") % {"address": subject.partition(":")[2]}
        yield Finding(subject, title, crossed=False, clear=True, value="0")


CAPS = "caps"


def caps(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """Calls that were let through or refused, as nothing could be reserved for them."""
    gap = context.cap_gap
    if gap is None:
        if CAPS in live:
            yield Finding(CAPS, _("Caps are enforced again: 0 calls without"), crossed=False, clear=True, value="0")
        return
    title = (
        ngettext("Caps: %(n)s call refused, Valkey is down", "Caps: %(n)s calls refused, Valkey is down", gap.calls)
        if gap.refused
        else ngettext("Caps not enforced: %(n)s call", "Caps not enforced: %(n)s calls", gap.calls)
    )
    yield Finding(
        subject=CAPS,
        title=title % {"n": f"{gap.calls:,}"},
        crossed=True,
        clear=False,
        value=str(gap.calls),
        threshold="0",
        since=gap.since,
        words=Words(
            todo=_("Check that Valkey runs and that the gateways reach the address in REDIS_URL."),
            detail=_("Calls that have a cap are refused until then.")
            if gap.refused
            else _("They are counted as soon as Valkey runs again."),
            facts=[[_("Since"), moment(gap.since), ""], [_("Calls"), f"{gap.calls:,}", ""]],
            page=reverse("traffic:caps"),
        ),
    )


def disabled_address(subject: str, row: Address) -> Finding:
    return Finding(
        subject=subject,
        title=ngettext(
            "Mail rejected: %(address)s, %(n)s time", "Mail rejected: %(address)s, %(n)s times in a row", row.refusals
        )
        % {"address": row.address, "n": row.refusals},
        crossed=True,
        clear=False,
        value=str(row.refusals),
        threshold="0",
        words=Words(
            todo=_("Correct the person's address, or enable it again in the notification log."),
            detail=_("The mail server permanently rejects this address, so nothing more is sent there."),
            facts=[
                [_("Address"), row.address, ""],
                [_("Rejected"), moment(row.refused_at) if row.refused_at else "", _("last time")],
                [_("Response"), row.answer, _("the server's response")],
            ],
            page="/alerts/deliveries/",
            fixes=[[_("Notification log"), "/alerts/deliveries/"], [_("Users and roles"), reverse("people")]],
        ),
    )


def dead_channel(subject: str, channel: Channel) -> Finding:
    since = channel.failing_since or channel.answered_at
    return Finding(
        subject=subject,
        title=_("Channel failed: %(name)s, %(n)s failures in a row") % {"name": channel.name, "n": channel.failures},
        crossed=True,
        clear=False,
        value=str(channel.failures),
        threshold="0",
        words=Words(
            todo=_("Send a test, then correct its address or repair the receiver."),
            detail=channel.disabled_reason
            or (
                _("It receives no pings, so it will report that Breakeven is down. Nothing else is lost.")
                if channel.kind == ChannelKind.MONITOR
                else _("Its notifications are stored and retried with growing delays.")
            ),
            facts=[
                [_("Channel"), channel.name, channel.shown],
                [_("Failing since"), moment(since) if since else "", _("first of the failures in a row")],
                [_("Response"), channel.answer, _("its last response")],
            ],
            page=channel.get_absolute_url(),
        ),
    )
