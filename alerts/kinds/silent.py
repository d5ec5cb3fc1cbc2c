"""Applications that send nothing although they usually would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import listed, moment, number, span
from traffic.usage.silent_applications import Silence


def ingest(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each application that is silent while the same hours of most weeks before brought requests."""
    fewest = int(params.number("requests"))
    silences = {}
    for silence in context.silences(timedelta(hours=float(params.number("hours")))):
        came = sum(n >= fewest for n in silence.usual)
        if came == len(silence.usual) or came >= 3:
            silences[f"ingest:{silence.application}"] = silence
    for subject, silence in silences.items():
        yield silent(context, subject, silence)
    for subject in live - silences.keys():
        yield heard(context, subject)


def silent(context: EvaluationContext, subject: str, silence: Silence) -> Finding:
    name = context.named(silence.application)
    values = {"name": name, "span": span(context.now - silence.last), "usual": number(silence.expected)}
    return Finding(
        subject=subject,
        title=_("Silent: %(name)s, nothing for %(span)s, usually %(usual)s requests") % values,
        crossed=True,
        clear=False,
        value="0",
        threshold=str(silence.expected),
        since=silence.last,
        labels={"application": silence.application},
        words=Words(
            todo=_("Check that the application runs and that its key is accepted."),
            detail=_("Median of the same hours in earlier weeks: %(usual)s requests.") % values,
            facts=[
                [_("Last request before"), moment(silence.last), _("hours of the log")],
                [_("Silent for"), values["span"], ""],
                [_("Earlier weeks"), listed([number(n) for n in silence.usual]), _("requests in the same hours")],
            ],
            page=f"{reverse('traffic:requests')}?{urlencode({'application': silence.application})}",
            over=_("Was silent: %(name)s, for %(span)s") % values,
        ),
    )


def heard(context: EvaluationContext, subject: str) -> Finding:
    name = subject.partition(":")[2]
    words = Words(todo=_("No action needed."), page=f"{reverse('traffic:requests')}?{urlencode({'application': name})}")
    return Finding(subject, _("Sends as usual: %(name)s") % {"name": context.named(name)}, False, True, words=words)
