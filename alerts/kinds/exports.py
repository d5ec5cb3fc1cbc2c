"""Rules about the exports that run by themselves: one whose files no longer arrive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import moment, number, span
from costs.focus.schedule import due_since
from costs.models import ExportTarget


def exports(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each target that has taken nothing for hours after its day or month began."""
    limit = timedelta(hours=float(params.number("hours")))
    for target in context.export_targets:
        subject = f"export:{target.pk}"
        late = context.now - due_since(target)
        if target.enabled and late >= limit:
            yield not_taken(target, subject, late, number(params.number("hours")))
        elif subject in live:
            yield is_well(target, subject)


def not_taken(target: ExportTarget, subject: str, late: timedelta, limit: str) -> Finding:
    """Its last run failed, or nobody ran it: the one is for its place to mend, the other for us."""
    title = (
        _("Export failing: %(name)s, no success for %(span)s")
        if target.error
        else _("Export overdue: %(name)s, not run for %(span)s")
    )
    return Finding(
        subject=subject,
        title=title % {"name": target.name, "span": span(late)},
        crossed=True,
        clear=False,
        since=due_since(target),
        value=f"{late / timedelta(hours=1):.1f}",
        threshold=limit,
        words=Words(
            todo=what_to_do(target),
            detail=_("The exported files are out of date. Breakeven retries every hour and adds what is missing."),
            facts=[
                [_("Destination"), target.place, target.get_kind_display()],
                [_("Error"), target.error or _("none"), tried(target)],
                [_("Last written"), moment(target.succeeded_at) if target.succeeded_at else _("never"), ""],
            ],
            fixes=[[_("The export %(name)s") % {"name": target.name}, target.get_absolute_url()]],
            page=reverse("costs:exports"),
        ),
    )


def what_to_do(target: ExportTarget) -> str:
    if not target.error:
        return _("Check that the worker and beat processes run. No attempt was made.")
    if target.kind == ExportTarget.Kind.FOLDER:
        return _("Fix the folder’s space or permissions as in the error, then run the export manually.")
    return _("Fix its address, bucket or keys as in the error, press Test, then run the export manually.")


def tried(target: ExportTarget) -> str:
    return _("of %(at)s") % {"at": moment(target.tried_at)} if target.tried_at else _("never tried")


def is_well(target: ExportTarget, subject: str) -> Finding:
    """Taken again, or nobody waits for it; while its last run has failed it is not over."""
    words = Words(todo=_("No action needed."), page=reverse("costs:exports"))
    if not target.enabled:
        title = _("Export switched off: %(name)s, 0 files are due")
    else:
        title = _("Export works again: %(name)s, %(n)s files")
    clear = not target.enabled or not target.error
    named = title % {"name": target.name, "n": target.files}
    return Finding(subject, named, crossed=False, clear=clear, value="0", words=words)
