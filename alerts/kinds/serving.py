"""Rules about how requests fare: how fast the first token comes, how many fail, how good the answers are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import number, percent
from providers.models import Deployment, provider_name
from traffic.models import Metric
from traffic.quality.queries import ENOUGH, QualityGroup, difference
from traffic.routes.page import returned_sentence
from traffic.usage.reports import ranked

FLOOR_MS = Decimal(1000)  # whatever its usual, an answer that begins within a second is no news
LATENCY, TTFT = int(Metric.LATENCY), int(Metric.TTFT)
WHAT = {TTFT: gettext_noop("to the first token"), LATENCY: gettext_noop("for the whole answer")}


def slow(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each deployment whose requests of the last hour are several times slower than usual: to their
    first token where they stream, else whole."""
    fewest = int(params.number("requests"))
    now = {key: counts for key, counts in context.timed_lately.items() if sum(counts.values()) >= fewest}
    late = {key: p95(counts) for key, counts in now.items()}
    usual = context.usual_p95(pk for (pk, _m), ms in late.items() if ms >= FLOOR_MS)
    for deployment in context.deployments.values():
        subject = f"latency:{deployment.slug}"
        metric = TTFT if (deployment.pk, TTFT) in late else LATENCY
        ms = late.get((deployment.pk, metric))
        if ms is None:
            if subject in live:
                yield Finding(
                    subject, _("Too few requests to judge: %(name)s") % {"name": deployment.name}, False, True
                )
            continue
        yield speed(
            deployment, metric, ms, usual.get((deployment.pk, metric)), params, sum(now[deployment.pk, metric].values())
        )


def canaries(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each rule of the gateway whose canary ended by itself, until a person decides about it."""
    for use in context.ended_canaries:
        canary, is_slow = use.route.canary, use.reason == "ttft"
        bad, of = (use.slow, use.streams) if is_slow else (use.failures, use.calls)
        title = (
            _("Canary ended: %(name)s, %(bad)s of %(of)s streams were slow")
            if is_slow
            else _("Canary ended: %(name)s, %(bad)s of %(of)s calls failed")
        )
        yield Finding(
            subject=f"canary:{use.route.slug}",
            title=title % {"name": use.route.name, "bad": f"{bad:,}", "of": f"{of:,}"},
            crossed=True,
            clear=False,
            value=str(bad),
            threshold="0",
            since=use.returned_at,
            labels={"deployment": canary.slug, "provider": canary.provider} if canary else {},
            words=Words(
                todo=_("Start the canary again on the list of routes, or remove it from its route."),
                detail=_("%(reason)s All calls of this route go to its own deployment.")
                % {"reason": returned_sentence(use)},
                facts=[
                    [_("Deployment"), canary.name if canary else "", ""],
                    [_("Calls"), f"{use.calls:,}", _("%(n)s failed") % {"n": f"{use.failures:,}"}],
                ],
                page=reverse("traffic:routes"),
            ),
        )


def p95(counts: dict[int, int]) -> Decimal:
    return Decimal(str(ranked(counts).p95_ms or 0))


def speed(
    deployment: Deployment, metric: int, ms: Decimal, usual: Decimal | None, params: RuleParams, n: int
) -> Finding:
    """`usual` is None where it is not known, or was not asked for because the answer is quick."""
    most = params.number("ms") if metric == TTFT else None
    lines = [max(usual * params.number("times"), FLOOR_MS) if usual else None, most]
    line = min((limit for limit in lines if limit is not None), default=None)
    crossed = line is not None and ms >= line
    values = {"name": deployment.name, "ms": duration(ms), "usual": duration(usual) if usual else _("unknown")}
    title = _("Slow: %(name)s, p95 %(ms)s, usually %(usual)s") if crossed else _("Normal latency: %(name)s, p95 %(ms)s")
    page = f"{reverse('providers:uptime')}?deployment={deployment.slug}"
    return Finding(
        subject=f"latency:{deployment.slug}",
        title=title % values,
        crossed=crossed,
        clear=line is None or ms < line * Decimal("0.8"),
        value=f"{ms:.0f}",
        threshold="" if line is None else f"{line:.0f}",
        depends_on=(f"deployment:{deployment.slug}", f"provider:{deployment.provider}"),
        labels={"provider": deployment.provider, "model": deployment.model, "deployment": deployment.slug},
        words=Words(
            todo=_("Check Uptime for the start, then its GPU load or the vendor’s status page.") if crossed else "",
            detail=_("In the last hour 5 %% of requests waited %(ms)s or longer %(what)s.")
            % {"ms": duration(ms), "what": _(WHAT[metric])},
            facts=[
                [_("p95 now"), duration(ms), _("%(n)s requests of the last hour") % {"n": number(n)}],
                [_("p95 usually"), values["usual"], _("the 14 days before")],
                [_("Limit"), duration(line) if line is not None else _("none"), _("this rule")],
            ],
            page=page,
        ),
    )


def duration(ms: Decimal) -> str:
    """`840 ms`, `4.2 s`."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def errors(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterator[Finding]:
    """One subject for each deployment, or vendor's model without one, of whose last hour's requests too many failed."""
    groups: dict[tuple[int, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in context.failed_lately:
        pk = row["deployment_id"]
        groups[pk, "" if pk else row["provider"], "" if pk else row["model"]].append(row)
    by_pk = {deployment.pk: deployment for deployment in context.deployments.values()}
    seen = set()
    for (pk, provider, model), rows in groups.items():
        if pk and pk not in by_pk:
            continue
        finding = failing(context, by_pk.get(pk), provider, model, rows, params)
        seen.add(finding.subject)
        yield finding
    for subject in live - seen:
        title = _("No requests to fail: %(name)s") % {"name": context.deployment_named(subject.partition(":")[2])}
        yield Finding(subject, title, crossed=False, clear=True, value="0")


def failing(
    context: EvaluationContext,
    deployment: Deployment | None,
    provider: str,
    model: str,
    rows: list[dict[str, Any]],
    params: RuleParams,
) -> Finding:
    requests, failed = sum(row["requests"] for row in rows), sum(row["errors"] for row in rows)
    enough = failed >= int(params.number("failures"))
    share = Decimal(failed) * 100 / requests
    crossed = enough and share >= params.number("percent")
    key = deployment.slug if deployment else f"{provider}/{model}"
    provider = deployment.provider if deployment else provider
    name = deployment.name if deployment else key
    values = {"name": name, "share": percent(share / 100), "failed": number(failed), "n": number(requests)}
    title = _("Errors: %(name)s, %(share)s, %(failed)s of %(n)s requests fail")
    query = {"deployment": deployment.slug} if deployment else {"provider": provider, "model": model}
    return Finding(
        subject=f"errors:{key}"[:200],
        title=(title if crossed else _("Recovered: %(name)s, %(share)s of %(n)s requests fail")) % values,
        crossed=crossed,
        clear=share < params.number("percent") - params.number("band") or not enough,
        value=f"{share:.2f}",
        threshold=f"{params.number('percent'):f}",
        depends_on=(f"deployment:{key}", f"provider:{provider}"),
        labels={"provider": provider}
        | ({"deployment": key, "model": deployment.model} if deployment else {"model": model}),
        words=Words(
            todo=_(
                "Open the failed requests. Their errors show whether the vendor, the key or the request is the cause."
            )
            if crossed
            else "",
            detail=_("Since the start of the last full hour %(failed)s of %(n)s requests failed.") % values,
            facts=[
                [_("Failed"), number(failed), _("measured, the last hour")],
                [_("Requests"), number(requests), ""],
                [_("Vendor"), provider_name(provider), ""],
            ],
            drivers=failed_most(context, rows, failed) if crossed else [],
            driven=_("Applications with failed requests"),
            page=f"{reverse('traffic:requests')}?{urlencode(query | {'outcome': 'error'})}",
            providers=[provider],
        ),
    )


def failed_most(context: EvaluationContext, rows: list[dict[str, Any]], failed: int) -> list[list[str]]:
    """The applications with most failures: name, how many, share."""
    by_application: dict[int, int] = defaultdict(int)
    for row in rows:
        by_application[row["application_id"]] += row["errors"]
    names = context.application_names
    most = sorted(((n, pk) for pk, n in by_application.items() if n), reverse=True)[:3]
    return [[names.get(pk, _("no application")), number(n), percent(Decimal(n) / failed)] for n, pk in most]


def quality(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each model whose answers of late are accepted less often than before, beyond chance."""
    for model, (now, before) in context.rated.items():
        if now.ratings >= ENOUGH and before.ratings >= ENOUGH:
            yield quality_of(model, now, before, params.number("points"))
    few = {f"quality:{model}"[:200] for model, (now, _b) in context.rated.items() if now.ratings < ENOUGH}
    for subject in live & few:  # nothing says that it is good again
        title = _("Too few ratings to judge: %(name)s") % {"name": subject.partition(":")[2]}
        yield Finding(subject, title, crossed=False, clear=False)


def quality_of(model: str, now: QualityGroup, before: QualityGroup, points: Decimal) -> Finding:
    change, _low, high = difference(now, before)
    drop = -change * 100
    crossed = high < 0 and drop >= float(points)
    values = {"name": model, "now": percent(now.acceptable_share), "before": percent(before.acceptable_share)}
    title = (
        _("Quality fell: %(name)s, %(now)s accepted, before %(before)s")
        if crossed
        else _("Quality stable: %(name)s, %(now)s accepted, before %(before)s")
    )
    return Finding(
        subject=f"quality:{model}"[:200],
        title=title % values,
        crossed=crossed,
        clear=high >= 0 or drop < float(points) / 2,
        value=f"{now.acceptable_share * 100:.1f}",
        threshold="",
        labels={"model": model},
        words=Words(
            todo=_("Read the rejected answers, and check what changed: the model, the prompt or the questions.")
            if crossed
            else "",
            detail=_("The fall is significant (95 % interval of the difference below 0).") if crossed else "",
            facts=[
                [_("Last 14 days"), values["now"], _("%(n)s ratings") % {"n": number(now.ratings)}],
                [_("60 days before"), values["before"], _("%(n)s ratings") % {"n": number(before.ratings)}],
                [_("Interval now"), interval(now), _("95 %, Wilson")],
            ],
            page=f"{reverse('traffic:quality')}?{urlencode({'model': model})}",
        ),
    )


def interval(group: QualityGroup) -> str:
    low, high = group.interval
    return _("%(low)s to %(high)s") % {"low": percent(low), "high": percent(high)}
