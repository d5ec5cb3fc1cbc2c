"""What differs from an application's own history: one subject for each cause, as `costs.anomalies` found it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import exact, listed, moment
from costs.anomalies.wording import figure, sentence, signed
from costs.models import Anomaly, Driver


def anomalies(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """Open causes that nobody called expected; what costs less than the rule's line is the page's alone."""
    least = params.number("usd")
    rows = {subject_of(row): row for row in context.anomalies}
    for subject, row in rows.items():
        money = row.costs is not None and row.driver not in (Driver.ERRORS, Driver.LATENCY)
        small = money and (row.costs or Decimal(0)) < least
        if row.dismissed_at is None and not small:
            yield differs(context, subject, row)
        elif subject in live:
            title = _("Expected: %(name)s") if row.dismissed_at else _("Too small to judge: %(name)s")
            yield Finding(subject, title % {"name": row.subject}, False, True, words=Words(page=page_of(row)))
    for subject in live - rows.keys():
        what, _slash, driver = subject.partition(":")[2].removeprefix("model:").rpartition("/")
        label = Driver(driver).label if driver in Driver.values else driver
        title = _("As usual again: %(name)s, %(what)s") % {"name": context.named(what), "what": label}
        yield Finding(subject, title, crossed=False, clear=True, words=Words(page=reverse("costs:anomalies")))


def subject_of(row: Anomaly) -> str:
    what = f"model:{row.model}" if row.model else row.application
    return f"anomaly:{what}/{row.driver}"[:200]


def page_of(row: Anomaly) -> str:
    return f"{reverse('costs:anomalies')}#a{row.pk}"


def differs(context: EvaluationContext, subject: str, row: Anomaly) -> Finding:
    models = [row.model] if row.model else row.models_shown
    names = [context.named(slug) for slug in row.applications_shown]
    return Finding(
        subject=subject,
        title=headline(row),
        crossed=True,
        clear=False,
        value="" if row.costs is None else f"{row.costs:.2f}",
        since=row.since,
        covered_by=spoken_for(context, row, models),
        labels={"application": row.application} if row.application else {"model": row.model},
        words=Words(
            todo=_("Check its requests since then. If this is normal, mark it as expected on the page."),
            detail=_("%(changes)s, compared with the same weekdays of its last eight weeks.")
            % {"changes": sentence(row)},
            facts=[
                [_("Since"), moment(row.since), _("hours of the log")],
                [
                    capfirst(str(Driver(row.driver).label)),
                    figure(row, row.after),
                    _("usually %(value)s") % {"value": figure(row, row.before)},
                ],
                *([[_("Costs"), exact(row.costs), _("a day more than usual")]] if row.costs is not None else []),
                *([[_("Models"), listed(models), ""]] if models else []),
                *([[_("Applications"), listed(names), ""]] if names else []),
            ],
            drivers=[[capfirst(label), exact(amount), _("a day")] for label, amount in row.by_cause[:4]]
            if row.costs
            else [],
            driven=_("Causes of the extra cost"),
            page=page_of(row),
        ),
    )


def headline(row: Anomaly) -> str:
    """`Cache hits fell: code-helper, now 12 %, +$41.20 a day`: what a subject line has room for."""
    text = {
        Driver.CACHE: _("Cache hits fell: %(name)s, now %(after)s"),
        Driver.SIZE: _("Requests grew: %(name)s, now %(after)s"),
        Driver.ERRORS: _("Errors rose: %(name)s, now %(after)s"),
        Driver.LATENCY: _("Slowed down: %(name)s, now %(after)s"),
        Driver.VOLUME: _("More requests: %(name)s, now %(after)s"),
        Driver.MIX: _("More expensive models: %(name)s, now %(after)s"),
        Driver.REST: _("More expensive requests: %(name)s, now %(after)s"),
    }[Driver(row.driver)] % {"name": row.subject, "after": figure(row, row.after)}
    return text if row.costs is None else _("%(changes)s, %(costs)s a day") % {"changes": text, "costs": signed(row)}


def spoken_for(context: EvaluationContext, row: Anomaly, models: list[str]) -> str:
    """The open alert of a deployment of its models that tells the same: down, failing, or slow."""
    if row.driver not in (Driver.ERRORS, Driver.LATENCY):
        return ""
    for deployment in context.deployments.values():
        if deployment.model in models:
            for what in ("deployment", "errors", "latency"):
                if f"{what}:{deployment.slug}" in context.open_since:
                    return f"{what}:{deployment.slug}"
    return ""
