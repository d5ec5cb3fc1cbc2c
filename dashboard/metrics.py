"""Breakeven's own figures for Prometheus, read from the rollups so that any number of web processes say the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Count, Sum
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from alerts.models import Alert, Delivery, Rule
from providers.models import Deployment, DeploymentState, Feed
from traffic.models import UsageDay

TOKENS = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
LABELS = ["provider", "model", "deployment"]


class Figures(Collector):
    """All families; low cardinality, never a person or a request."""

    def collect(self) -> Iterator[Metric]:
        yield from usage()
        yield from health()
        yield from watching()


def usage() -> Iterator[Metric]:
    slugs = dict(Deployment.objects.values_list("pk", "slug"))
    sums = ("requests", "errors", "unpriced", "unknown_usage", "cost", *TOKENS)
    totals = {f"all_{name}": Sum(name) for name in sums}
    rows: Iterable[Mapping[str, Any]] = UsageDay.objects.values("provider", "model", "deployment_id").annotate(**totals)
    families = {
        name: CounterMetricFamily(f"breakeven_{name}", text, labels=LABELS)
        for name, text in (
            ("requests", "Requests stored"),
            ("errors", "Requests that failed or timed out"),
            ("unpriced", "Requests without a price"),
            ("unknown_usage", "Requests whose tokens are unknown"),
            ("cost", "Measured cost in USD"),
        )
    }
    tokens = CounterMetricFamily("breakeven_tokens", "Tokens by class", labels=[*LABELS, "type"])
    for row in rows:
        labels = [row["provider"], row["model"], slugs.get(row["deployment_id"], "")]
        for name, family in families.items():
            family.add_metric(labels, float(row[f"all_{name}"]))
        for name in TOKENS:
            tokens.add_metric([*labels, name], float(row[f"all_{name}"]))
    yield from families.values()
    yield tokens


def health() -> Iterator[Metric]:
    up = GaugeMetricFamily("breakeven_deployment_up", "1 when the checks say up", labels=["deployment", "engine"])
    for deployment in Deployment.objects.enabled():
        up.add_metric([deployment.slug, deployment.engine], float(deployment.state == DeploymentState.UP))
    yield up
    last = GaugeMetricFamily(
        "breakeven_poll_last_success_timestamp_seconds", "Last good poll", labels=["account", "feed"]
    )
    failures = GaugeMetricFamily("breakeven_poll_failures", "Failed polls in a row", labels=["account", "feed"])
    for feed in Feed.objects.select_related("account"):
        labels = [feed.account.slug, feed.kind]
        failures.add_metric(labels, feed.failures)
        if feed.last_success_at:
            last.add_metric(labels, feed.last_success_at.timestamp())
    yield last
    yield failures


def watching() -> Iterator[Metric]:
    alerts = GaugeMetricFamily("breakeven_alerts", "Alerts by state", labels=["kind", "state"])
    for row in Alert.objects.live().values("kind", "state").annotate(n=Count("pk")):
        alerts.add_metric([row["kind"], row["state"]], row["n"])
    yield alerts
    deliveries = GaugeMetricFamily("breakeven_deliveries", "Deliveries by state", labels=["channel", "state"])
    for sent in Delivery.objects.values("channel", "state").annotate(n=Count("pk")):
        deliveries.add_metric([sent["channel"], sent["state"]], sent["n"])
    yield deliveries
    evaluated = GaugeMetricFamily("breakeven_rule_evaluated_timestamp_seconds", "Last evaluation", labels=["rule"])
    for rule in Rule.objects.enabled().exclude(evaluated_at=None):
        assert rule.evaluated_at is not None
        evaluated.add_metric([rule.slug], rule.evaluated_at.timestamp())
    yield evaluated


def exposition() -> bytes:
    """The text of `/metrics`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    return generate_latest(registry)
