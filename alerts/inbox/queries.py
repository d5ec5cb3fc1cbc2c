"""Reads of the inbox: alerts that need someone, one alert with all about it, those that are over, and silences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, User
from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects
from django.shortcuts import get_object_or_404

from alerts.lifecycle.silences import Matcher, Target, labels_of
from alerts.lifecycle.states import State
from alerts.metrics.scopes import Scope
from alerts.models import Alert, Delivery, Rule, Silence, Transition
from alerts.models.querysets import AlertQuerySet, Names, SilenceQuerySet
from lib import sql
from lib.dates import day_of
from lib.time_spans import Span
from traffic.models import Key

MOST_SHOWN = 200
MOST_COVERED = 50
MOST_EARLIER = 10
MOST_RULES = 200
MOST_PAST_SILENCES = 20
COVERED_SINCE = timedelta(days=90)
MOST_COMPARED = 1000  # past alerts, for the preview of a silence


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of alerts, newest first. `next_before` is the key that the next page begins below."""

    rows: list[Alert]
    next_before: int | None
    total: int | None = None  # of all pages, where a page shows it


# Alerts that need someone.


def shown_alerts() -> list[Alert]:
    """Open and acknowledged ones with their deliveries, the most urgent first."""
    return list(Alert.objects.shown().with_deliveries().by_urgency()[:MOST_SHOWN])


ALERT, PERSON = sql.Table(Alert, "alert"), sql.Table(User, "person")
WAITS = "state = 'open' AND assigned_to_id IS NULL AND (snoozed_until IS NULL OR snoozed_until <= %(now)s)"
WAITING = f"SELECT count(*) FROM alerts_alert WHERE {WAITS}"  # those of `AlertQuerySet.waiting`
# Those of `AlertQuerySet.shown` in the order of `by_urgency`.
SHOWN = f"""
SELECT {ALERT}, {PERSON}, {WAITS}
FROM alerts_alert AS alert LEFT JOIN auth_user AS person ON person.id = alert.acknowledged_by_id
WHERE state IN ('open', 'acknowledged')
ORDER BY state = 'acknowledged', CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, opened_at,
    alert.id
"""


def count_waiting(now: datetime) -> int:
    """How many open alerts nobody acknowledged, took or snoozed."""
    [(number,)] = sql.rows(WAITING, {"now": now})
    return int(number)


def waiting_and_taken(now: datetime, most: int) -> tuple[list[Alert], int]:
    """The alerts that wait for somebody, the most urgent first, and how many other shown ones somebody has.

    The first `most` have what their rows show, their deliveries included.
    """
    waiting, taken = [], 0
    for alert, alert.acknowledged_by, waits in sql.instances(SHOWN, ALERT, PERSON, parameters={"now": now}):
        if waits:
            waiting.append(alert)
        else:
            taken += 1
    prefetch_related_objects(waiting[:most], Prefetch("deliveries", queryset=Delivery.objects.only("alert", "state")))
    return waiting, taken


def pending_alerts() -> list[Alert]:
    """Alerts whose line is crossed, but not for long enough yet; the oldest first."""
    return list(Alert.objects.filter(state=State.PENDING).select_related("rule").order_by("pending_since"))


def alert_by_key(pk: int) -> Alert:
    """With its rule and the people who have it. Raises Http404."""
    return get_object_or_404(Alert.objects.select_related("rule", "acknowledged_by", "assigned_to"), pk=pk)


def alerts_by_keys(keys: Iterable[str]) -> list[Alert]:
    """Those that have opened, whatever became of them; keys that are none are left out."""
    return list(Alert.objects.exclude(state=State.PENDING).filter(pk__in=list(keys)))


def deliveries_of(alert: Alert) -> list[Delivery]:
    """The points of an alert's value, oldest first, with the words around them."""
    return list(Delivery.objects.filter(alert=alert).select_related("transition").order_by("id"))


def transitions_of(alert: Alert) -> list[Transition]:
    """With who made each."""
    return list(alert.transitions.select_related("by"))


def covered_alerts(alert: Alert) -> list[Alert]:
    """Alerts that this one speaks for while it is open."""
    if not alert.is_shown:
        return []
    return list(Alert.objects.shown().filter(covered_by=alert.subject)[:MOST_COVERED])


def earlier_alerts(alert: Alert) -> list[Alert]:
    """Other alerts of the same rule and subject, newest first."""
    return list(Alert.objects.earlier(alert)[:MOST_EARLIER])


def people_who_may_act() -> QuerySet[AbstractUser]:
    """People who can do something about an alert, by name."""
    people: QuerySet[AbstractUser] = get_user_model()._default_manager.filter(is_active=True)
    permission = Q(groups__permissions__codename="change_alert") | Q(user_permissions__codename="change_alert")
    return people.filter(permission | Q(is_superuser=True)).distinct().order_by("username")


def person_who_may_act(**lookup: int | str) -> AbstractUser | None:
    """One of them, by `pk` or `username`; None where nobody of these may."""
    return people_who_may_act().filter(**lookup).first()


def person_of_address(address: str) -> AbstractUser | None:
    """Who may sign in and has this address; of several whoever was there first."""
    people = get_user_model().objects.filter(email__iexact=address, is_active=True)
    person: AbstractUser | None = people.order_by("pk").first()
    return person


# What a key of the JSON API may see: with an application, what is about that application alone.


def visible_alerts(application: str | None, *, filters: Names, state: str, before: int | None, size: int) -> AlertPage:
    """A page of alerts about what `filters` names, newest first, with their deliveries."""
    rows = _visible(application).about(filters).order_by("-id")
    if state:
        rows = rows.filter(state=state)
    if before is not None:
        rows = rows.filter(id__lt=before)
    page = list(rows[: size + 1])
    return AlertPage(page[:size], page[size - 1].pk if len(page) > size else None)


def may_see_alert(application: str | None, pk: int) -> bool:
    return _visible(application).filter(pk=pk).exists()


def _visible(application: str | None) -> AlertQuerySet:
    rows = Alert.objects.with_deliveries()
    return rows if application is None else rows.of_application(application)


def alert_with_deliveries(pk: int) -> Alert:
    """An alert that is there."""
    return Alert.objects.with_deliveries().get(pk=pk)


def visible_silences(application: str | None, now: datetime) -> list[Silence]:
    """Silences in force and planned ones."""
    return list(_visible_silences(application).unexpired(now))


def may_see_silence(application: str | None, pk: int) -> bool:
    return _visible_silences(application).filter(pk=pk).exists()


def _visible_silences(application: str | None) -> SilenceQuerySet:
    rows = Silence.objects.select_related("by")
    return rows if application is None else rows.filter(labels__application=application)


def key_with_maker(pk: int) -> Key:
    """A key with its maker and its application."""
    return Key.objects.select_related("created_by", "application").get(pk=pk)


# Alerts that are over.


def history_page(params: Mapping[str, str], *, before: int | None, size: int) -> AlertPage:
    """`params` are the checked parameters of the page's address, empty where they do not narrow it."""
    matching = Alert.objects.history().filter(condition_of(params)).with_deliveries().order_by("-id")
    older = matching if before is None else matching.filter(id__lt=before)
    rows = list(older[: size + 1])
    return AlertPage(rows[:size], rows[size - 1].pk if len(rows) > size else None, matching.count())


def condition_of(params: Mapping[str, str]) -> Q:
    """Days are UTC, both ends included."""
    condition = Q()
    for name, field in (("kind", "rule__kind"), ("severity", "severity"), ("rule", "rule__slug")):
        if params[name]:
            condition &= Q(**{field: params[name]})
    if params["answered"]:
        condition &= Q(acknowledged_at__isnull=params["answered"] == "no")
    if params["q"]:
        condition &= Q(title__icontains=params["q"]) | Q(subject__icontains=params["q"])
    if first := day_of(params["from"]):
        condition &= Q(opened_at__gte=datetime.combine(first, time(), UTC))
    if (last := day_of(params["to"])) and last < date.max:
        condition &= Q(opened_at__lt=datetime.combine(last + timedelta(days=1), time(), UTC))
    return condition


def rule_name(kind: str) -> str:
    """What people call the first rule of a kind; the kind itself where there is none."""
    return Rule.objects.named(kind)


def rules_by_sentence() -> list[Rule]:
    """Rules that people made, by name."""
    return list(Rule.objects.not_deleted().filter(kind="figure").order_by("name")[:MOST_RULES])


# Silences.


def silences_in_force(now: datetime) -> list[Silence]:
    return Silence.objects.in_force(now)


def silences_in_force_with_counts(now: datetime) -> list[tuple[Silence, int]]:
    """Each with how many open alerts it covers."""
    alerts = list(Alert.objects.shown().select_related("rule"))
    return [(silence, sum(silence.covers(alert) for alert in alerts)) for silence in Silence.objects.in_force(now)]


def covered_by(matcher: Matcher, now: datetime) -> tuple[list[Alert], list[Rule]]:
    """The alerts that need someone and that a silence would cover, and the rules that are on and that it would hold
    for: by their kind and severity and, where it names a subject or labels, by an alert of theirs in the last 90 days
    that matches or by what the rule itself names."""
    alerts = [alert for alert in Alert.objects.shown().select_related("rule") if matcher.matches(alert)]
    rules = Rule.objects.enabled().order_by("name")
    if matcher.kind:
        rules = rules.filter(kind=matcher.kind)
    if not matcher.subject and not matcher.labels:
        return alerts, list(rules.filter(severity=matcher.severity) if matcher.severity else rules)
    past = Alert.objects.filter(pending_since__gte=now - COVERED_SINCE, labels__contains=matcher.labels)
    past = past.filter(subject__startswith=matcher.subject.partition("*")[0]).order_by("-id")
    matching = {alert.rule_id for alert in past[:MOST_COMPARED] if matcher.matches(alert)}
    return alerts, [rule for rule in rules if rule.pk in matching or matcher.matches(_named_by(rule))]


def _named_by(rule: Rule) -> Target:
    """What a rule by sentence is about, as its alert would be; a shipped rule names nothing."""
    scope = Scope.of(rule.thresholds.get("scope")).subject if rule.kind == "figure" else ""
    subject = f"{rule.thresholds['figure']}/{scope}" if scope else ""
    return Target(rule.kind, subject, rule.severity, labels_of(subject))


def planned_silences(now: datetime) -> list[tuple[Silence, Span]]:
    """Each with its next window, the soonest first."""
    return Silence.objects.planned(now)


def past_silences(now: datetime) -> list[Silence]:
    """The last that ended, the newest first."""
    return list(Silence.objects.over(now).select_related("by")[:MOST_PAST_SILENCES])


def silences_covering(alert: Alert, now: datetime) -> list[Silence]:
    return Silence.objects.covering(alert, now)


def silence_by_key(pk: int) -> Silence:
    """With who made it. Raises Http404."""
    return get_object_or_404(Silence.objects.select_related("by"), pk=pk)
