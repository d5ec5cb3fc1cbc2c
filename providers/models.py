"""Who can serve us, at what list price, and are they up."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from providers.encryption import EncryptedTextField
from providers.querysets import (
    AccountQuerySet,
    CheckHourQuerySet,
    DeploymentQuerySet,
    FeedQuerySet,
    LeaseQuerySet,
    MaintenanceQuerySet,
    OfferQuerySet,
    OutageQuerySet,
    TokenPriceQuerySet,
)

# Vendors that ship with a name; telemetry may bring any other slug, which then stands for itself.
PROVIDER_NAMES = {
    "anthropic": "Anthropic",
    "google": "Google Cloud",
    "vast": "Vast.ai",
    "runpod": "RunPod",
    "lambda": "Lambda",
    "self": "Self-hosted",
    "openai": "OpenAI",
    "bedrock": "Amazon Bedrock",
}


def provider_name(slug: str) -> str:
    """A provider's name for people: ours, else its connector's, else the slug."""
    from providers.connectors import CONNECTORS, connector_class

    if slug in PROVIDER_NAMES or slug not in CONNECTORS:
        return PROVIDER_NAMES.get(slug, slug)
    return connector_class(slug).label


def connector_choices() -> list[tuple[str, str]]:
    """Kinds of the registry; a callable so that a new vendor needs no migration."""
    from providers.connectors import CONNECTORS

    return [(kind, provider_name(kind)) for kind in CONNECTORS]


def engine_choices() -> list[tuple[str, str]]:
    """Kinds of the engines' registry; a callable so that a new engine needs no migration."""
    from providers.engines import ENGINES

    return [(kind, kind) for kind in ENGINES]


def usd(**options: Any) -> models.DecimalField[Any, Any]:
    """A column of money: USD with the twelve decimals that regional and batch prices need."""
    return models.DecimalField(max_digits=20, decimal_places=12, **options)


class OfferKind(models.TextChoices):
    ON_DEMAND = "on_demand", _("on demand")
    SPOT = "spot", _("spot")
    COMMITTED_1Y = "committed_1y", _("committed, 1 year")
    COMMITTED_3Y = "committed_3y", _("committed, 3 years")
    SERVERLESS = "serverless", _("serverless")


class Account(models.Model):
    """Our credentials at a provider; what is polled there, and how it goes, stands in its feeds."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=30, choices=connector_choices)  # the connector, and the provider's slug
    base_url = models.URLField(blank=True)  # empty: the vendor's own
    local = models.BooleanField(default=False)  # may be on a private or loopback address
    secret = EncryptedTextField(blank=True)  # write-only in the UI
    settings = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.TextField(blank=True)  # why we stopped by ourselves, in a sentence
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def provider(self) -> str:
        return self.kind

    @property
    def provider_name(self) -> str:
        return provider_name(self.kind)


class Feed(models.Model):
    """One thing that is polled at an account (offers, leases, usage, costs, balance) and how it goes."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="feeds")
    kind = models.CharField(max_length=20)
    every_s = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)  # a poll under way; past this it is taken for dead
    last_started_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # since the last success
    rows = models.PositiveIntegerField(default=0)  # of the last success
    complete_until = models.DateTimeField(null=True)  # the vendor's watermark: before it the figures are whole

    objects = FeedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind"], name="one_feed_of_a_kind")]
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.kind}"


class Offer(models.Model):
    """A GPU that can be rented; the newest sight of it."""

    provider = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=OfferKind.choices)
    region = models.CharField(max_length=100, blank=True)
    gpu = models.CharField(max_length=100)
    gpu_count = models.PositiveIntegerField(default=1)
    memory_gb = models.DecimalField(max_digits=8, decimal_places=2, null=True)  # of one GPU
    price_per_gpu_hour = usd()
    reliability = models.FloatField(null=True)  # 0..1 where the vendor says
    available = models.BooleanField(default=True)
    seen_at = models.DateTimeField()

    objects = OfferQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "external_id", "kind", "region"], name="one_sight_of_an_offer")
        ]
        indexes = [
            models.Index(fields=["gpu", "kind", "price_per_gpu_hour"]),
            # The explorer's own order, and the cheapest of each GPU, among what is to be had.
            models.Index(
                fields=["price_per_gpu_hour", "id"],
                name="offers_to_be_had_by_price",
                condition=models.Q(available=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.gpu} {self.kind}"

    @property
    def provider_name(self) -> str:
        return provider_name(self.provider)


class OfferDay(models.Model):
    """Lowest, median and highest price of a GPU and kind at a provider on one day."""

    provider = models.CharField(max_length=40)
    gpu = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=OfferKind.choices)
    day = models.DateField()
    low = usd()
    median = usd()
    high = usd()
    offers = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "gpu", "kind", "day"], name="one_day_of_offers")]
        indexes = [models.Index(fields=["gpu", "kind", "day"])]


class LeaseState(models.TextChoices):
    PENDING = "pending", _("starting")
    RUNNING = "running", _("running")
    STOPPED = "stopped", _("stopped, still billed")
    ENDED = "ended", _("ended")
    UNKNOWN = "unknown", _("unknown")


class Lease(models.Model):
    """A GPU machine or serverless endpoint that we rent now or rented before."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="leases")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    gpu = models.CharField(max_length=100)
    gpu_count = models.PositiveIntegerField(default=1)
    memory_gb = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    kind = models.CharField(max_length=20, choices=OfferKind.choices, default=OfferKind.ON_DEMAND)
    region = models.CharField(max_length=100, blank=True)
    price_per_hour = usd()  # of the whole lease, all its GPUs
    state = models.CharField(max_length=10, choices=LeaseState.choices, default=LeaseState.UNKNOWN)
    raw_state = models.CharField(max_length=40, blank=True)  # the vendor's own word
    utilisation = models.FloatField(null=True)  # 0..1 where the vendor or the engine says
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()

    objects = LeaseQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [models.UniqueConstraint(fields=["account", "external_id"], name="one_lease_of_an_account")]

    def __str__(self) -> str:
        return self.name or self.external_id


class LeaseSpan(models.Model):
    """A stretch of time in which a lease had one state and one price; a poll makes the newest one longer."""

    lease = models.ForeignKey(Lease, on_delete=models.CASCADE, related_name="spans")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()  # observed so far
    state = models.CharField(max_length=10, choices=LeaseState.choices)
    price_per_hour = usd()  # what the state costs: a stopped lease's disk, a running one's all
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["starts_at"]
        constraints = [models.UniqueConstraint(fields=["lease", "starts_at"], name="one_span_at_a_time")]


class VendorUsage(models.Model):
    """One row of a vendor's usage report, as it stands there now; vendors revise."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    model = models.CharField(max_length=200)
    workspace = models.CharField(max_length=200, blank=True)
    api_key = models.CharField(max_length=200, blank=True)
    service_tier = models.CharField(max_length=40, blank=True)
    requests = models.BigIntegerField(null=True)
    uncached_input = models.BigIntegerField(default=0)
    cache_read = models.BigIntegerField(default=0)
    cache_write_5m = models.BigIntegerField(default=0)
    cache_write_1h = models.BigIntegerField(default=0)
    output = models.BigIntegerField(default=0)
    web_searches = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "starts_at", "model", "workspace", "api_key", "service_tier"],
                name="one_row_of_a_usage_report",
            )
        ]


class VendorCost(models.Model):
    """One line of a vendor's own bill or cost report, as it stands there now; the ledger is made from these."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    external_id = models.CharField(max_length=300)  # the vendor's natural key, stable over re-reads
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    category = models.CharField(max_length=20)
    amount = usd()
    list_amount = usd(null=True)
    original_amount = models.DecimalField(max_digits=24, decimal_places=12)
    currency = models.CharField(max_length=3, default="USD")
    model = models.CharField(max_length=200, blank=True)
    token_class = models.CharField(max_length=20, blank=True)
    resource = models.CharField(max_length=200, blank=True)  # external id of the lease
    description = models.TextField(blank=True)
    invoice_month = models.CharField(max_length=7, blank=True)  # YYYY-MM, the vendor's own
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "external_id"], name="one_line_of_a_bill")]
        indexes = [models.Index(fields=["account", "starts_at"])]


class Balance(models.Model):
    """Prepaid money at a vendor that stops machines at zero."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE)
    amount = usd()
    spend_per_hour = usd(null=True)
    at = models.DateTimeField()


class DeploymentState(models.TextChoices):
    UNKNOWN = "unknown", _("unknown")
    UP = "up", _("up")
    DOWN = "down", _("down")
    STARTING = "starting", _("starting")
    MAINTENANCE = "maintenance", _("maintenance")


class Deployment(models.Model):
    """One model reachable at one URL through one engine, and how its checks go."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=100)
    provider = models.CharField(max_length=40)  # `self` where the engine runs on our own lease or machine
    engine = models.CharField(max_length=30, choices=engine_choices)
    url = models.URLField()
    local = models.BooleanField(default=False)  # may be on a private or loopback address
    model = models.CharField(max_length=200)  # as the engine calls it
    api_key = EncryptedTextField(blank=True)
    context_tokens = models.PositiveIntegerField(null=True)
    lease = models.ForeignKey(Lease, null=True, blank=True, on_delete=models.SET_NULL, related_name="deployments")
    tokens_per_second = models.FloatField(null=True, blank=True)  # one GPU's aggregate output, from trial or catalogue
    enabled = models.BooleanField(default=True)

    checked = models.BooleanField(default=True)
    check_every_s = models.PositiveIntegerField(default=30)
    timeout_s = models.FloatField(default=10)
    failures_to_confirm = models.PositiveSmallIntegerField(default=3)
    successes_to_recover = models.PositiveSmallIntegerField(default=2)
    probe_completion = models.BooleanField(default=False)

    state = models.CharField(max_length=12, choices=DeploymentState.choices, default=DeploymentState.UNKNOWN)
    state_since = models.DateTimeField(null=True)
    streak_ok = models.BooleanField(default=True)  # whether the latest checks in a row went well
    streak = models.PositiveIntegerField(default=0)  # how many of them
    streak_since = models.DateTimeField(null=True)  # the first of them
    check_due_at = models.DateTimeField(null=True)
    check_claimed_until = models.DateTimeField(null=True)
    last_check_at = models.DateTimeField(null=True)
    last_latency_ms = models.FloatField(null=True)
    last_cause = models.TextField(blank=True)
    tls_expires_at = models.DateTimeField(null=True)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        indexes = [models.Index(fields=["check_due_at"])]

    def __str__(self) -> str:
        return self.slug

    @property
    def engine_label(self) -> str:
        """The engine's name for people; a kind that is no longer known stands for itself."""
        from providers.engines import ENGINES, engine_of

        return engine_of(self.engine).label if self.engine in ENGINES else self.engine


class Check(models.Model):
    """One health probe. Partitioned by day; kept 30 days, its hours for good."""

    pk = models.CompositePrimaryKey("day", "deployment", "at")
    day = models.DateField()
    deployment = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, db_constraint=False, related_name="checks")
    at = models.DateTimeField()
    ok = models.BooleanField()
    step = models.CharField(max_length=20)  # where the ladder ended: connect, liveness, models, completion
    latency_ms = models.FloatField(null=True)
    ttft_ms = models.FloatField(null=True)
    cause = models.TextField(blank=True)

    class Meta:
        managed = False
        db_table = "providers_check"


class CheckHour(models.Model):
    """Checks of one deployment in one hour, added up."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE)
    hour = models.DateTimeField()
    checks = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    observed_s = models.FloatField(default=0)  # how much of the hour was under watch, maintenance excluded
    latency_sum_ms = models.FloatField(default=0)

    objects = CheckHourQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "hour"], name="one_hour_of_checks")]


class Outage(models.Model):
    """A confirmed span of failure, from its first failed check to the first good one after it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="outages")
    started_at = models.DateTimeField()
    confirmed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    cause = models.TextField()

    objects = OutageQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["deployment"], condition=models.Q(ended_at=None), name="one_open_outage_of_a_deployment"
            )
        ]


class Maintenance(models.Model):
    """A planned window in which failures of a deployment do not count."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="maintenance")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    objects = MaintenanceQuerySet.as_manager()


class TokenPrice(models.Model):
    """One version of a model's list price: USD per million tokens of each class, from a moment on.

    `over_tokens` is the length of the whole prompt (input of all classes) past which the `over_*` rates hold for the
    request. A rate of NULL is unknown, which is not zero.
    """

    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    uncached_input = usd()
    cache_read = usd(null=True)
    cache_write_5m = usd(null=True)
    cache_write_1h = usd(null=True)
    output = usd()
    over_tokens = models.PositiveIntegerField(null=True, blank=True)
    over_uncached_input = usd(null=True, blank=True)
    over_cache_read = usd(null=True, blank=True)
    over_cache_write_5m = usd(null=True, blank=True)
    over_cache_write_1h = usd(null=True, blank=True)
    over_output = usd(null=True, blank=True)
    batch_factor = models.DecimalField(max_digits=6, decimal_places=4, null=True, blank=True)  # of every rate
    source = models.CharField(max_length=200)
    seen_at = models.DateTimeField()
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    objects = TokenPriceQuerySet.as_manager()

    class Meta:
        ordering = ["provider", "model", "-starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "model", "starts_at"], name="one_price_from_a_moment_on")
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.starts_at:%Y-%m-%d}"


class Model(models.Model):
    """What we know of a vendor's model besides its price: context, retirement, other names."""

    provider = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    context_tokens = models.PositiveIntegerField(null=True)
    retires_on = models.DateField(null=True)
    aliases = ArrayField(models.CharField(max_length=200), default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="one_model_of_a_name")]

    def __str__(self) -> str:
        return self.name
