"""Ordered rules that send a request to a deployment."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from providers.models import Deployment
from traffic.models.applications import Application
from traffic.models.choices import BudgetState, Task


class Strategy(models.TextChoices):
    """Which of a rule's equal targets answers; the words of `traffic.gateway.plan`."""

    FIRST = "first", _("always the first one")
    WEIGHTED = "weighted", _("by weight")
    LEAST_BUSY = "least_busy", _("with the fewest calls under way")


class RouteQuerySet(models.QuerySet["Route"]):
    def enabled(self) -> RouteQuerySet:
        return self.filter(enabled=True)


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
    next_at_cap = models.BooleanField(default=False, db_default=False)  # a cap is used up: the rules after it decide
    strategy = models.CharField(
        max_length=12, choices=Strategy.choices, default=Strategy.FIRST, db_default=Strategy.FIRST
    )
    weight = models.PositiveSmallIntegerField(default=1, db_default=1)  # of its own target among the equal ones
    hedge_ms = models.PositiveIntegerField(null=True, blank=True)  # without a byte, before a second one is asked
    canary = models.ForeignKey(Deployment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    canary_percent = models.PositiveSmallIntegerField(null=True, blank=True)  # of conversations, sticky
    canary_errors = models.PositiveSmallIntegerField(default=5, db_default=5)  # percent of its calls, at most
    canary_ttft_ms = models.PositiveIntegerField(null=True, blank=True)  # which 95 % of its streams keep
    shadow = models.ForeignKey(Deployment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    shadow_usd = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)  # a UTC day, at most

    objects = RouteQuerySet.as_manager()

    class Meta:
        ordering = ["order"]

    def __str__(self) -> str:
        return self.name


class Fallback(models.Model):
    """The next deployment that a route tries, in order. With a weight it is equal to the route's own target."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE)
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE)
    order = models.PositiveSmallIntegerField()
    weight = models.PositiveSmallIntegerField(null=True)

    class Meta:
        ordering = ["order"]
        constraints = [models.UniqueConstraint(fields=["route", "order"], name="one_fallback_in_a_place")]


class RouteUse(models.Model):
    """What a rule's canary and shadow have done, as the gateways count it; one row of a rule that has either."""

    route = models.OneToOneField(Route, on_delete=models.CASCADE, related_name="use")
    calls = models.PositiveIntegerField(default=0)  # of the canary, since it began
    failures = models.PositiveIntegerField(default=0)
    streams = models.PositiveIntegerField(default=0)
    slow = models.PositiveIntegerField(default=0)  # streams past `Route.canary_ttft_ms`
    returned_at = models.DateTimeField(null=True)  # the canary was ended by its bounds
    reason = models.CharField(max_length=200, blank=True)
    day = models.DateField(null=True)  # of the shadow's cost
    usd = models.DecimalField(max_digits=16, decimal_places=6, default=0)  # reserved and spent of it on that day


class ShadowCopy(models.Model):
    """Two requests of the log with the same prompt that are to become a pair."""

    candidate = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="+")
    baseline = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="+")
    candidate_request = models.UUIDField()
    baseline_request = models.UUIDField()
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+")
    task = models.TextField(choices=Task.choices)
    at = models.DateTimeField(db_default=Now())
