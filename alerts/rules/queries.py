"""Reads of the rules: the list, one rule, and what it did lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from alerts.kinds import KINDS
from alerts.models import Alert, Channel, Rule
from providers.models import Deployment

PAGE_SIZE = 50  # of the rules that people made
MOST_ALERTS = 20
MOST_TRIED = 1_000  # alerts that a try-out counts
MOST_DEPLOYMENTS = 50


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """Rules that are not deleted; `broken` are on and could not be evaluated last time."""

    all: int
    enabled: int
    broken: int


def shipped_rules() -> list[Rule]:
    """The rules that come with an installation, with how often each fired and whom it tells."""
    return list(_listed().exclude(kind="figure"))


def made_rules(search: str, page: str) -> Page[Rule]:
    """A page of the rules that people made whose name or scope contains a word, newest first."""
    rows = _listed().filter(kind="figure")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(slug__icontains=search) | Q(thresholds__icontains=search))
    return Paginator(rows.order_by("-id"), PAGE_SIZE).get_page(page)


def _listed() -> QuerySet[Rule]:
    return Rule.objects.listed().filter(kind__in=KINDS).prefetch_related("recipients")


def alerts_since(rule: Rule, since: datetime) -> list[Alert]:
    """The alerts of a rule that opened since then."""
    return list(Alert.objects.filter(rule=rule, opened_at__gte=since).order_by("opened_at")[:MOST_TRIED])


def watched_deployments() -> list[Deployment]:
    """The enabled deployments, as many as a try-out looks at."""
    return list(Deployment.objects.enabled().order_by("slug")[:MOST_DEPLOYMENTS])


def rule_counts() -> RuleCounts:
    rows = Rule.objects.not_deleted().filter(kind__in=KINDS)
    enabled = rows.filter(enabled=True)
    return RuleCounts(rows.count(), enabled.count(), enabled.exclude(last_error="").count())


def channels_on(rule: Rule) -> list[str]:
    """The channels of a rule of `shipped_rules` or `made_rules` that are switched on."""
    return [channel.slug for channel in rule.channels.all() if channel.enabled]


def rule_by_slug(slug: str) -> Rule:
    """A rule of a kind that this version knows. Raises Http404."""
    return get_object_or_404(Rule.objects.not_deleted(), slug=slug, kind__in=KINDS)


def made_rule_by_slug(slug: str) -> Rule:
    """A rule that somebody made. Raises Http404."""
    return get_object_or_404(Rule.objects.not_deleted(), slug=slug, kind="figure")


def made_rule_to_copy(slug: str) -> Rule | None:
    """A rule that somebody made, if there is one of this slug."""
    return Rule.objects.not_deleted().filter(slug=slug, kind="figure").first()


def any_made_rule_by_slug(slug: str) -> Rule:
    """A rule that somebody made and may have deleted. Raises Http404."""
    rule = Rule.objects.filter(slug=slug, kind="figure").first()
    if rule is None:
        raise Http404
    return rule


def channels_of(rule: Rule) -> list[Channel]:
    return list(Channel.objects.not_deleted().filter(rules=rule))


def newest_alerts(rule: Rule) -> list[Alert]:
    return list(rule.alerts.order_by("-id")[:MOST_ALERTS])
