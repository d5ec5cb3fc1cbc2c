"""Rules about what is up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set

from django.urls import reverse
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import listed, moment, number, percent, span
from providers.models import Deployment, Outage, provider_name


def outages(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each deployment that is down; where all of a vendor's are, the vendor speaks for them.

    It does so until the last of them is up again, because a deployment that recovers later than the others is not a new
    outage.
    """
    down = {outage.deployment.slug: outage for outage in context.open_outages if outage.deployment.enabled}
    vendors = down_vendors(context, down, int(params.number("group")))
    lagging = {outage.deployment.provider for outage in down.values()} & live_vendors(live)
    for outage in down.values():
        provider = outage.deployment.provider
        yield is_down(context, outage, f"provider:{provider}" if provider in lagging | vendors.keys() else "")
    for provider, slugs in vendors.items():
        yield vendor_down(context, provider, [down[slug] for slug in slugs])
    for provider in lagging - vendors.keys():
        title = _("Partly up: %(name)s") % {"name": provider_name(provider)}
        yield Finding(f"provider:{provider}", title, crossed=False, clear=False)
    yield from back_up(context, down, vendors.keys() | lagging, live)


def live_vendors(live: frozenset[str]) -> set[str]:
    return {subject.partition(":")[2] for subject in live if subject.startswith("provider:")}


def down_vendors(context: EvaluationContext, down: dict[str, Outage], fewest: int) -> dict[str, list[str]]:
    """Vendors all of whose deployments are down, if there are at least so many."""
    of_provider: dict[str, list[str]] = defaultdict(list)
    for deployment in context.deployments.values():
        if deployment.enabled and deployment.checked:
            of_provider[deployment.provider].append(deployment.slug)
    return {
        provider: slugs
        for provider, slugs in of_provider.items()
        if len(slugs) >= fewest and all(slug in down for slug in slugs)
    }


def is_down(context: EvaluationContext, outage: Outage, covered_by: str) -> Finding:
    deployment = outage.deployment
    lasted = span(context.now - outage.started_at)
    counts = deployment.pk not in context.in_maintenance
    values = {"name": deployment.name, "span": lasted}
    title = _("Down: %(name)s, for %(span)s so far") if counts else _("In maintenance: %(name)s, down for %(span)s")
    return Finding(
        subject=f"deployment:{deployment.slug}",
        title=title % values,
        crossed=counts,
        clear=not counts,
        value=str(int((context.now - outage.started_at).total_seconds())),
        threshold="0",
        since=outage.started_at,
        covered_by=covered_by,
        depends_on=depends_on(deployment),
        group=f"provider:{deployment.provider}",
        labels=labels_of(deployment),
        words=words_of(deployment, outage, lasted),
    )


def depends_on(deployment: Deployment) -> tuple[str, ...]:
    """Where the vendor refuses or does not answer for the account that rents its machine, look there."""
    return (f"account:{deployment.lease.account.slug}",) if deployment.lease else ()


def labels_of(deployment: Deployment) -> dict[str, str]:
    return {"provider": deployment.provider, "model": deployment.model}


def words_of(deployment: Deployment, outage: Outage, lasted: str) -> Words:
    facts = [
        [_("Down since"), moment(outage.started_at), _("first failed check")],
        [_("Lasts"), lasted, _("measured")],
        [_("Cause"), outage.cause, _("last check")],
        [_("Model"), deployment.model, deployment.engine],
        [_("Address"), deployment.url, ""],
    ]
    if deployment.lease_id:
        facts.append([_("Lease"), str(deployment.lease), _("still billed by the hour")])
    return Words(
        todo=advice(deployment) % {"name": deployment.name},
        detail=_("%(n)s checks in a row failed: %(cause)s")
        % {"n": deployment.failures_to_confirm, "cause": outage.cause},
        facts=facts,
        drivers=lost(outage),
        driven=_("Requests affected"),
        page=f"{reverse('providers:uptime')}?deployment={deployment.slug}",
        over=was_down(deployment, lasted),
    )


def lost(outage: Outage) -> list[list[str]]:
    """Requests that failed and that went elsewhere; empty until `traffic` has counted them."""
    if outage.requests_failed is None or outage.requests_rerouted is None:
        return []
    failed, rerouted = outage.requests_failed, outage.requests_rerouted
    share = [percent(part / (failed + rerouted)) if failed + rerouted else "" for part in (failed, rerouted)]
    return [[_("Failed"), number(failed), share[0]], [_("Rerouted"), number(rerouted), share[1]]]


def was_down(deployment: Deployment, lasted: str) -> str:
    return _("Was down: %(name)s, for %(span)s") % {"name": deployment.name, "span": lasted}


def advice(deployment: Deployment) -> str:
    if deployment.provider == "self" or deployment.lease_id:
        return _("Check the GPU behind %(name)s. Your routes send requests to fallbacks until it is up.")
    return _("Check the vendor's status page. Your routes send requests to fallbacks until %(name)s is up.")


def vendor_down(context: EvaluationContext, provider: str, outages: list[Outage]) -> Finding:
    name = provider_name(provider)
    names = [outage.deployment.name for outage in outages]
    since = min(outage.started_at for outage in outages)
    facts = [[o.deployment.name, _("down since %(at)s") % {"at": moment(o.started_at)}, o.cause] for o in outages]
    values = {"name": name, "n": len(outages), "span": span(context.now - since)}
    return Finding(
        subject=f"provider:{provider}",
        title=_("Down: %(name)s, all %(n)s deployments, for %(span)s so far") % values,
        crossed=True,
        clear=False,
        value=str(len(outages)),
        threshold=str(len(outages)),
        since=since,
        severity="critical",
        words=Words(
            todo=_("All deployments at %(name)s are down. Check the vendor's status page first.") % {"name": name},
            detail=_("These are down: %(names)s.") % {"names": listed(names, 12)},
            facts=facts,
            drivers=[
                [
                    o.deployment.name,
                    _("%(n)s failed") % {"n": number(o.requests_failed or 0)},
                    _("%(n)s rerouted") % {"n": number(o.requests_rerouted or 0)},
                ]
                for o in sorted(outages, key=lambda o: -(o.requests_failed or 0))[:3]
                if o.counted_at
            ],
            driven=_("Most failed requests"),
            page=reverse("providers:uptime"),
            over=_("Was down: %(name)s, all %(n)s deployments, for %(span)s") % values,
        ),
    )


def back_up(
    context: EvaluationContext, down: dict[str, Outage], vendors: Set[str], live: frozenset[str]
) -> Iterator[Finding]:
    """What was down and is not."""
    for provider in live_vendors(live) - vendors:
        title = _("Up again: %(name)s, 0 deployments are down") % {"name": provider_name(provider)}
        words = Words(todo=_("No action needed. All its deployments are up again."), page=reverse("providers:uptime"))
        yield Finding(f"provider:{provider}", title, crossed=False, clear=True, value="0", words=words)
    for subject in live:
        what, _colon, name = subject.partition(":")
        if what == "deployment" and name not in down and name in context.deployments:
            yield is_up(context, context.deployments[name])


def is_up(context: EvaluationContext, deployment: Deployment) -> Finding:
    outage = context.last_outage(deployment.slug)
    title = _("Up again: %(name)s") % {"name": deployment.name}
    facts: list[list[str]] = []
    cost: list[list[str]] = []
    over = ""
    if outage and outage.ended_at:
        lasted = span(outage.ended_at - outage.started_at)
        title = _("Up again: %(name)s, after %(span)s") % {"name": deployment.name, "span": lasted}
        over = was_down(deployment, lasted)
        facts = [
            [_("Down from"), moment(outage.started_at), _("first failed check")],
            [_("Up since"), moment(outage.ended_at), _("first good check")],
            [_("Lasted"), lasted, _("measured")],
            [_("Cause"), outage.cause, ""],
        ]
        cost = lost(outage)
    page = f"{reverse('providers:uptime')}?deployment={deployment.slug}"
    return Finding(
        subject=f"deployment:{deployment.slug}",
        title=title,
        crossed=False,
        clear=True,
        value="0",
        group=f"provider:{deployment.provider}",
        labels=labels_of(deployment),
        words=Words(
            todo=_("No action needed. Its checks succeed again."),
            facts=facts,
            drivers=cost,
            driven=_("Requests affected"),
            page=page,
            over=over,
        ),
    )
