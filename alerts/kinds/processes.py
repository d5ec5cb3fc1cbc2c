"""Rules about our own processes: what ended by itself and was started again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.context.evaluation import EvaluationContext
from alerts.context.restarts import Restart
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import moment

OFTEN = 3  # restarts in an hour: the next deaths may end everything


def restarts(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each process that was started again in the last hour."""
    least = params.number("restarts")
    for process, rows in context.restarts.items():
        title = ngettext("Restarted: %(name)s, %(n)s time in an hour", "Restarted: %(name)s, %(n)s times in an hour",
                         len(rows))  # fmt: skip
        crossed = len(rows) >= least
        yield Finding(
            subject=f"process:{process}",
            title=title % {"name": process, "n": len(rows)},
            crossed=crossed,
            clear=not crossed,
            value=str(len(rows)),
            threshold=f"{least:f}",
            since=rows[0].at,
            severity="critical" if len(rows) >= OFTEN else "",
            words=Words(
                todo=_("Check its log for the cause. If the system killed it, add memory to the server."),
                detail=restarted(rows),
                facts=[[moment(row.at), row.how, row.last_line] for row in rows[-10:]],
                page=reverse("alerts:list"),
            ),
        )
    for subject in live - {f"process:{process}" for process in context.restarts}:
        title = _("Stable again: %(name)s, 0 restarts in an hour") % {"name": subject.partition(":")[2]}
        yield Finding(subject, title, crossed=False, clear=True, value="0")


def restarted(rows: Sequence[Restart]) -> str:
    """Of one process: `web was restarted 2 times in the last hour, last at 18 Jun 2026, 10:02 UTC: its last line`."""
    last = rows[-1]
    sentence = ngettext(
        "%(name)s was restarted once in the last hour, at %(at)s: it %(how)s",
        "%(name)s was restarted %(n)s times in the last hour, last at %(at)s: it %(how)s",
        len(rows),
    )
    values = {"name": last.process, "n": len(rows), "at": moment(last.at), "how": last.how}
    return sentence % values + (f" ({last.last_line})." if last.last_line else ".")
