"""Applications that send nothing although they usually would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from alerts.delivery.wording import listed, moment, number, span
from alerts.evaluation.context import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from traffic.usage.silent_applications import Silence


def ingest(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each application that is silent while the same hours of most weeks before brought requests."""
    fewest = int(params.number("requests"))
    found = {}
    for one in context.silences(timedelta(hours=float(params.number("hours")))):
        came = sum(n >= fewest for n in one.usual)
        if came == len(one.usual) or came >= 3:
            found[f"ingest:{one.application}"] = one
    for subject, one in found.items():
        yield silent(context, subject, one)
    for subject in live - found.keys():
        yield heard(subject)


def silent(context: EvaluationContext, subject: str, one: Silence) -> Finding:
    values = {"name": one.application, "span": span(context.now - one.last), "usual": number(one.expected)}
    return Finding(
        subject=subject,
        title=_("Silent: %(name)s, nothing for %(span)s, usually %(usual)s requests") % values,
        crossed=True,
        clear=False,
        value="0",
        threshold=str(one.expected),
        since=one.last,
        labels={"application": one.application},
        words=Words(
            todo=_("See whether the program runs, and whether its exporter or key is refused here."),
            detail=_("The same hours of the weeks before brought %(usual)s requests, as their median.") % values,
            facts=[
                [_("Last request before"), moment(one.last), _("hours of the log")],
                [_("Silent for"), values["span"], ""],
                [_("Weeks before"), listed([number(n) for n in one.usual]), _("requests in the same hours")],
            ],
            page=f"{reverse('traffic:requests')}?{urlencode({'application': one.application})}",
            over=_("Was silent: %(name)s, for %(span)s") % values,
        ),
    )


def heard(subject: str) -> Finding:
    name = subject.partition(":")[2]
    words = Words(todo=_("Nothing to do."), page=f"{reverse('traffic:requests')}?{urlencode({'application': name})}")
    return Finding(subject, _("Sends as usual: %(name)s") % {"name": name}, False, True, words=words)
