"""Every request that flows, who sent it, where it was sent, and how people judged the answer."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from providers.models import Deployment, usd
from traffic.querysets import (
    ApplicationQuerySet,
    KeyQuerySet,
    RatingQuerySet,
    RequestQuerySet,
    RouteQuerySet,
    UsageQuerySet,
)


class Task(models.TextChoices):
    RAG = "rag", _("RAG")
    QA = "qa", _("simple QA")
    CODE = "code", _("code")
    REASONING = "reasoning", _("reasoning")
    CHAT = "chat", _("chat")
    BATCH = "batch", _("batch")
    VISION = "vision", _("vision")
    OTHER = "other", _("other")


class Outcome(models.TextChoices):
    OK = "ok", _("answered")
    ERROR = "error", _("error")
    TIMEOUT = "timeout", _("timeout")
    CANCELLED = "cancelled", _("cancelled by the caller")
    REFUSED = "refused", _("refused")


class CostReason(models.TextChoices):
    """Why a request has no cost of its own."""

    UNKNOWN_MODEL = "unknown_model", _("no price is known for this model")
    UNKNOWN_USAGE = "unknown_usage", _("the answer did not say how many tokens it used")
    UNKNOWN_RATE = "unknown_rate", _("the price of one of its token classes is not known")
    LEASED = "leased", _("served by our own lease, whose hours are paid")


class Scope(models.TextChoices):
    INGEST = "ingest", _("send requests")
    READ = "read", _("read figures")
    GATEWAY = "gateway", _("use the gateway")
    RATE = "rate", _("send ratings")


class BudgetState(models.TextChoices):
    """Set by `costs` for the routes to read."""

    UNKNOWN = "unknown", _("no budget")
    WITHIN = "within", _("within budget")
    OVER = "over", _("over budget")


class Installation(models.Model):
    """One row: the salt of this installation's hashes (request ids, users); it goes with the data, not the machine."""

    salt = models.BinaryField(max_length=32)


class Application(models.Model):
    """One of our programs that sends requests."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="owned_applications"
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="applications")
    capture_bodies = models.BooleanField(default=False)
    budget_state = models.CharField(max_length=10, choices=BudgetState.choices, default=BudgetState.UNKNOWN)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Key(models.Model):
    """A bearer key; only its SHA-256 is kept. Without an application it may speak for all (a collector's)."""

    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    hint = models.CharField(max_length=12)  # its first characters, so that people can tell keys apart
    hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = KeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @property
    def scope_words(self) -> list[str]:
        """What it may, for people."""
        return [str(label) for value, label in Scope.choices if value in self.scopes]


class Request(models.Model):
    """One call to a model. Partitioned by `day`, the UTC day of `started_at`; written by `traffic.ingest` alone.

    Token classes are disjoint; NULL is unknown. `cost` is USD at `price`, NULL with `cost_reason`.
    """

    pk = models.CompositePrimaryKey("day", "id")
    day = models.DateField()
    id = models.UUIDField()  # UUIDv8: the day, then a keyed hash of (application, external id)
    started_at = models.DateTimeField()
    received_at = models.DateTimeField()
    application = models.ForeignKey(Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    provider = models.TextField()
    model = models.TextField()
    task = models.TextField(choices=Task.choices)
    outcome = models.TextField(choices=Outcome.choices)
    http_status = models.SmallIntegerField(null=True)
    error_type = models.TextField(null=True)
    latency_ms = models.FloatField(null=True)
    ttft_ms = models.FloatField(null=True)
    streamed = models.BooleanField()
    batch = models.BooleanField()
    uncached_input = models.BigIntegerField(null=True)
    cache_read = models.BigIntegerField(null=True)
    cache_write_5m = models.BigIntegerField(null=True)
    cache_write_1h = models.BigIntegerField(null=True)
    output = models.BigIntegerField(null=True)
    reasoning = models.BigIntegerField(null=True)
    cost = usd(null=True)
    cost_reason = models.TextField(null=True, choices=CostReason.choices)
    price_id = models.BigIntegerField(null=True)  # the TokenPrice that it was costed with
    response_id = models.TextField(null=True)
    response_hash = models.UUIDField(null=True)  # 16 bytes of hash, of a response id long enough to be one of a kind
    external_id = models.TextField()
    user_hash = models.UUIDField(null=True)  # 16 bytes of hash under the installation's salt
    source = models.TextField()
    route = models.TextField(null=True)
    raw = models.JSONField(null=True)

    objects = RequestQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "traffic_request"
        permissions = [("view_bodies", "Can read prompts and answers")]


class RequestBody(models.Model):
    """Prompt and answer of a request whose application opted in. Partitioned by day; goes first."""

    pk = models.CompositePrimaryKey("day", "request_id")
    day = models.DateField()
    request_id = models.UUIDField()
    prompt = models.TextField(null=True)
    answer = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "traffic_request_body"


class UsageKey(models.Model):
    """What usage is added up by. 0 stands for no application and no deployment, so that the key has no NULL."""

    application = models.ForeignKey(Application, on_delete=models.DO_NOTHING, db_constraint=False)
    deployment = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, db_constraint=False)
    provider = models.TextField()
    model = models.TextField()
    task = models.TextField()

    class Meta:
        abstract = True


class Usage(UsageKey):
    """Sums over requests; kept exact by ingest in the transaction that writes the rows."""

    requests = models.BigIntegerField()
    errors = models.BigIntegerField()
    unpriced = models.BigIntegerField()  # their model has no price, or one of their token classes has none
    unknown_usage = models.BigIntegerField()
    leased = models.BigIntegerField()
    batched = models.BigIntegerField()
    uncached_input = models.BigIntegerField()
    cache_read = models.BigIntegerField()
    cache_write_5m = models.BigIntegerField()
    cache_write_1h = models.BigIntegerField()
    output = models.BigIntegerField()
    reasoning = models.BigIntegerField()
    cost = models.DecimalField(max_digits=26, decimal_places=12)
    latency_us = models.BigIntegerField()  # whole microseconds, so that sums are exact; over requests with a latency
    timed = models.BigIntegerField()  # how many those are
    generated = models.BigIntegerField()  # output tokens of requests whose generation time is known
    generating_us = models.BigIntegerField()  # and that time

    class Meta:
        abstract = True


class UsageHour(Usage):
    pk = models.CompositePrimaryKey("hour", "application", "deployment", "provider", "model", "task")
    hour = models.DateTimeField()

    objects = UsageQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "traffic_usage_hour"


class UsageDay(Usage):
    pk = models.CompositePrimaryKey("day", "application", "deployment", "provider", "model", "task")
    day = models.DateField()

    objects = UsageQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "traffic_usage_day"


class Metric(models.IntegerChoices):
    """What a latency bucket counts."""

    LATENCY = 1, _("latency")
    TTFT = 2, _("time to first token")


class LatencyHour(UsageKey):
    """Requests of one hour whose latency or TTFT fell into one log bucket (gamma 1.02)."""

    pk = models.CompositePrimaryKey(
        "hour", "application", "deployment", "provider", "model", "task", "metric", "bucket"
    )
    hour = models.DateTimeField()
    metric = models.SmallIntegerField(choices=Metric.choices)
    bucket = models.SmallIntegerField()
    n = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "traffic_latency_hour"


class LatencyDay(UsageKey):
    """The same by day, for long windows."""

    pk = models.CompositePrimaryKey("day", "application", "deployment", "provider", "model", "task", "metric", "bucket")
    day = models.DateField()
    metric = models.SmallIntegerField(choices=Metric.choices)
    bucket = models.SmallIntegerField()
    n = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "traffic_latency_day"


class SealedDay(models.Model):
    """Totals of a day whose requests were dropped by retention; the audit compares with these."""

    day = models.DateField(primary_key=True)
    sealed_at = models.DateTimeField(auto_now_add=True)
    totals = models.JSONField()


class Route(models.Model):
    """An ordered rule that sends a request to a deployment; a condition left empty holds for every request."""

    order = models.PositiveIntegerField()
    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=200)
    enabled = models.BooleanField(default=True)
    tasks = ArrayField(models.CharField(max_length=12, choices=Task.choices), default=list, blank=True)
    applications = models.ManyToManyField(Application, blank=True)
    requested_models = ArrayField(
        models.CharField(max_length=200), default=list, blank=True
    )  # asked for, `*` at the end matches
    over_tokens = models.PositiveIntegerField(null=True, blank=True)  # the prompt is estimated longer than this
    over_context = models.BooleanField(default=False)  # or longer than what self-hosted targets take
    media = models.BooleanField(null=True, blank=True)
    private = models.BooleanField(null=True, blank=True)
    self_only_model = models.BooleanField(default=False)  # the model is served by our own deployments alone
    percent = models.PositiveSmallIntegerField(null=True, blank=True)  # of conversations, sticky
    budget_states = ArrayField(models.CharField(max_length=10, choices=BudgetState.choices), default=list, blank=True)
    to_provider = models.CharField(max_length=40, blank=True)  # any deployment of this provider, instead of one
    deployment = models.ForeignKey(Deployment, null=True, blank=True, on_delete=models.CASCADE, related_name="routes")
    fallbacks = models.ManyToManyField(Deployment, through="Fallback", related_name="+", blank=True)
    falls_back = models.BooleanField(default=True)  # False: private traffic never leaves

    objects = RouteQuerySet.as_manager()

    class Meta:
        ordering = ["order"]

    def __str__(self) -> str:
        return self.name


class Fallback(models.Model):
    """The next deployment that a route tries, in order."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE)
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE)
    order = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["order"]
        constraints = [models.UniqueConstraint(fields=["route", "order"], name="one_fallback_in_a_place")]


class Rating(models.Model):
    """One person's judgement of one answer; of a person or end user only the latest counts."""

    day = models.DateField(null=True)  # of the request; NULL while the request has not arrived
    request_id = models.UUIDField(null=True)
    response_id = models.CharField(max_length=200, blank=True)  # what a waiting rating was sent for
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    by = models.CharField(max_length=200)  # the rater's user name, or what the application said
    score = models.SmallIntegerField(null=True)  # 1, 0, -1
    stars = models.PositiveSmallIntegerField(null=True)  # 1..5
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Copied from the request, so that the scoreboard reads this table alone.
    application = models.ForeignKey(Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    model = models.TextField(blank=True)
    task = models.TextField(blank=True)

    objects = RatingQuerySet.as_manager()

    class Meta:
        permissions = [("view_quality", "Can see ratings and the scoreboard")]
        constraints = [
            models.UniqueConstraint(
                fields=["request_id", "by"], condition=models.Q(request_id__isnull=False), name="one_rating_of_a_person"
            ),
            models.CheckConstraint(
                condition=models.Q(score__isnull=False) | models.Q(stars__isnull=False), name="a_rating_judges"
            ),
        ]
        indexes = [
            models.Index(fields=["day", "deployment"]),
            models.Index(fields=["response_id"], condition=models.Q(request_id=None), name="rating_waiting"),
        ]
