"""Breakeven's own metrics for Prometheus. They are read from the rollups, so that all web processes report the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db.models import Count, Min, Sum
from django.utils import timezone
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from alerts.models import Alert, AlertState, Delivery, DeliveryState, Rule
from lib.tokens import TOKEN_CLASSES
from providers.models import Deployment, DeploymentState, Feed
from traffic.models import Unread, UsageDay

MOST_SERIES = 1_000  # series of models; a limit, because callers can invent names of models
LABELS = ["provider", "model", "deployment"]


class Figures(Collector):
    """All metric families, without labels of persons or requests; with `application_id` only the application's own."""

    def __init__(self, application_id: int | None = None) -> None:
        self.application_id = application_id

    def collect(self) -> Iterator[Metric]:
        own = {} if self.application_id is None else {"application_id": self.application_id}
        yield from usage(own)
        yield from unread(own)
        if own:
            return
        yield from health()
        yield from watching()


def usage(own: Mapping[str, int]) -> Iterator[Metric]:
    slugs = dict(Deployment.objects.values_list("pk", "slug"))
    sums = ("requests", "errors", "unpriced", "unknown_usage", "cost", *TOKEN_CLASSES)
    totals = {f"all_{name}": Sum(name) for name in sums}
    days = UsageDay.objects.filter(**own)
    groups = days.values("provider", "model", "deployment_id").annotate(**totals)
    # Ordered by requests of all time, so that the set hardly changes: a series that returns looks like a reset.
    rows = list(groups.order_by("-all_requests", "provider", "model", "deployment_id")[: MOST_SERIES + 1])
    left_out = groups.count() - MOST_SERIES if len(rows) > MOST_SERIES else 0
    families = {
        name: CounterMetricFamily(f"breakeven_{name}{'_usd' if name == 'cost' else ''}", text, labels=LABELS)
        for name, text in (
            ("requests", "Requests stored"),
            ("errors", "Requests that failed or timed out"),
            ("unpriced", "Requests without a price"),
            ("unknown_usage", "Requests whose tokens are unknown"),
            ("cost", "Measured cost in USD"),
        )
    }
    tokens = CounterMetricFamily("breakeven_tokens", "Tokens by class", labels=[*LABELS, "type"])
    for row in rows[:MOST_SERIES]:
        labels = [row["provider"], row["model"], slugs.get(row["deployment_id"], "")]
        for name, family in families.items():
            family.add_metric(labels, float(row[f"all_{name}"]))
        for name in TOKEN_CLASSES:
            tokens.add_metric([*labels, name], float(row[f"all_{name}"]))
    yield from families.values()
    yield tokens
    text = "Models with fewest requests that no series is shown of"
    yield GaugeMetricFamily("breakeven_models_left_out", text, value=left_out)


def unread(own: Mapping[str, int]) -> Iterator[Metric]:
    """Counts of OTLP signals that are no requests; each signal is exported from the start with 0."""
    taken = CounterMetricFamily("breakeven_otlp_unread", "OTLP items accepted that describe no call", labels=["signal"])
    refused = CounterMetricFamily("breakeven_otlp_rejected", "OTLP items refused", labels=["signal"])
    rows = Unread.objects.filter(**own).order_by().values("signal").annotate(n=Sum("unread"), refused=Sum("rejected"))
    by_signal = {row["signal"]: row for row in rows}
    for signal in ("logs", "metrics", "texts", "traces"):
        row = by_signal.get(signal, {"n": 0, "refused": 0})
        taken.add_metric([signal], row["n"])
        refused.add_metric([signal], row["refused"])
    yield taken
    yield refused


def health() -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "breakeven_deployment_up", "1 when the last checks succeeded", labels=["deployment", "engine"]
    )
    limits, remaining = (
        GaugeMetricFamily(f"breakeven_vendor_limit{name}", text, labels=["deployment", "of"])
        for name, text in (
            ("", "Rate limit of the vendor as its last answer reported it"),
            ("_remaining", "What of it was left"),
        )
    )
    for deployment in Deployment.objects.enabled():
        up.add_metric([deployment.slug, deployment.engine], float(deployment.state == DeploymentState.UP))
        for name, row in deployment.vendor_limits.items():
            limits.add_metric([deployment.slug, name], row["limit"])
            remaining.add_metric([deployment.slug, name], row["remaining"])
    yield up
    yield limits
    yield remaining
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
    yield alerts_by_state()
    yield deliveries_by_state()
    now = timezone.now()
    unsent = GaugeMetricFamily(
        "breakeven_delivery_overdue_seconds", "By how much the message that waits longest is late", labels=["channel"]
    )
    due = Delivery.objects.due(now).order_by().values("channel").annotate(oldest=Min("due_at"))
    for waiting in due:
        unsent.add_metric([waiting["channel"]], (now - waiting["oldest"]).total_seconds())
    yield unsent
    lag = GaugeMetricFamily(
        "breakeven_rule_evaluation_lag_seconds", "Since the rule of a kind that ran longest ago ran", labels=["kind"]
    )
    evaluated = GaugeMetricFamily("breakeven_rule_evaluated_timestamp_seconds", "Last evaluation", labels=["rule"])
    oldest: dict[str, float] = {}
    for rule in Rule.objects.enabled().exclude(evaluated_at=None):
        assert rule.evaluated_at is not None
        at = rule.evaluated_at.timestamp()
        evaluated.add_metric([rule.slug], at)
        oldest[rule.kind] = min(at, oldest.get(rule.kind, at))
    for kind, at in oldest.items():
        lag.add_metric([kind], max(0.0, now.timestamp() - at))
    yield lag
    yield evaluated


def alerts_by_state() -> Metric:
    """Live alerts by kind and state; a kind with a rule is exported with 0, so that a query finds the series."""
    kinds = Rule.objects.enabled().order_by().values_list("kind", flat=True).distinct()
    states = [state for state in AlertState.values if state != AlertState.RESOLVED]
    counts = {(kind, state): 0 for kind in kinds for state in states}
    for row in Alert.objects.live().order_by().values("kind", "state").annotate(n=Count("pk")):
        counts[row["kind"], row["state"]] = row["n"]
    alerts = GaugeMetricFamily("breakeven_alerts", "Alerts that are not over, by state", labels=["kind", "state"])
    for labels, n in counts.items():
        alerts.add_metric(labels, n)
    return alerts


def deliveries_by_state() -> Metric:
    counts = {("email", state): 0 for state in DeliveryState.values}
    for row in Delivery.objects.order_by().values("channel", "state").annotate(n=Count("pk")):
        counts[row["channel"], row["state"]] = row["n"]
    deliveries = GaugeMetricFamily("breakeven_deliveries", "Messages by state", labels=["channel", "state"])
    for labels, n in counts.items():
        deliveries.add_metric(labels, n)
    return deliveries


def exposition(application_id: int | None = None) -> bytes:
    """The text of `/metrics`, of one application or of the whole installation."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(application_id))
    return generate_latest(registry)
