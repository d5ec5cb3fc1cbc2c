"""Ordered rules that send a request to a deployment."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from providers.models import Deployment
from traffic.models.applications import Application
from traffic.models.choices import BudgetState, Task


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
