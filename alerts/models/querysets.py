"""Reads of the alerts' tables, by noun."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from django.db import models
from django.db.models import Exists, OuterRef, Prefetch, Q

from costs.models import Budget
from lib.time_spans import Span
from providers.models import may_hold

if TYPE_CHECKING:
    from alerts.models import Alert, Channel, Delivery, Rule, Silence  # noqa: F401


class Names(Protocol):
    """The filters of the JSON API, as names."""

    provider: list[str]
    model: list[str]
    application: list[str]
    task: list[str]
    deployment: list[str]


UNSENT = ("waiting", "sending", "failed")


class RuleQuerySet(models.QuerySet["Rule"]):
    def not_deleted(self) -> RuleQuerySet:
        """Those that nobody deleted."""
        return self.filter(deleted_at=None)

    def enabled(self) -> RuleQuerySet:
        return self.not_deleted().filter(enabled=True)

    def named(self, kind: str) -> str:
        """What people call the first rule of a kind; the kind itself where there is none."""
        return self.filter(kind=kind).values_list("name", flat=True).first() or kind

    def listed(self) -> RuleQuerySet:
        """With how often each opened, how many of its alerts need someone now, and the channels that it tells."""
        from alerts.models import Channel

        shown = Q(alerts__state__in=("open", "acknowledged"))
        opened = Q(alerts__opened_at__isnull=False)
        acknowledged = Q(alerts__acknowledged_at__isnull=False)
        return (
            self.not_deleted()
            .annotate(
                shown=models.Count("alerts", filter=shown, distinct=True),
                fired=models.Count("alerts", filter=opened, distinct=True),
                answered=models.Count("alerts", filter=opened & acknowledged, distinct=True),
            )
            .prefetch_related(Prefetch("channels", queryset=Channel.objects.not_deleted()))
        )


class ChannelQuerySet(models.QuerySet["Channel"]):
    # A channel that failed this often in a row, for this long, is dead until it answers: admins are told.
    DEAD_FAILURES = 5
    DEAD_AFTER = timedelta(minutes=10)

    def not_deleted(self) -> ChannelQuerySet:
        """Those that nobody deleted."""
        return self.filter(deleted_at=None)

    def choosable(self) -> ChannelQuerySet:
        """Channels that a rule can choose; monitors are not."""
        return self.not_deleted().exclude(kind="monitor")

    def usable(self) -> ChannelQuerySet:
        """Channels that get messages: chosen by rules and switched on."""
        return self.choosable().filter(enabled=True)

    def monitors(self) -> ChannelQuerySet:
        """Outside monitors that are switched on."""
        return self.not_deleted().filter(kind="monitor", enabled=True)

    def dead(self, now: datetime) -> ChannelQuerySet:
        """Channels that need a person: failing for long, or switched off by ourselves."""
        failing = Q(enabled=True, failures__gte=self.DEAD_FAILURES, failing_since__lte=now - self.DEAD_AFTER)
        return self.not_deleted().filter(failing | Q(enabled=False) & ~Q(disabled_reason=""))

    def with_rules(self) -> ChannelQuerySet:
        """With the rules that tell them."""
        return self.prefetch_related("rules")

    def wipe_secrets(self, before: datetime) -> int:
        """Wipe the secrets of those deleted before a moment; their name stays for the log."""
        rows = self.filter(deleted_at__lt=before).exclude(address="")
        return rows.update(address="", secret="", enabled=False)


def waits(now: datetime) -> Q:
    """An alert that is open, and that nobody acknowledged, was given or put off to a later moment."""
    awake = Q(snoozed_until=None) | Q(snoozed_until__lte=now)
    return Q(awake, state="open", assigned_to=None)


class AlertQuerySet(models.QuerySet["Alert"]):
    def live(self) -> AlertQuerySet:
        """Alerts that are not resolved."""
        return self.exclude(state="resolved")

    def shown(self) -> AlertQuerySet:
        """What needs someone: open or acknowledged."""
        return self.filter(state__in=("open", "acknowledged"))

    def waiting(self, now: datetime) -> AlertQuerySet:
        """Open alerts that nobody acknowledged, took or snoozed."""
        return self.filter(waits(now))

    def history(self) -> AlertQuerySet:
        """What was open once and is over."""
        return self.filter(state="resolved", opened_at__isnull=False)

    def minded(self) -> AlertQuerySet:
        """Alerts that findings are compared with: live ones, and those that a person resolved while crossed."""
        return self.filter(~Q(state="resolved") | Q(awaits_clear=True))

    def of_kind(self, kind: str) -> AlertQuerySet:
        """Those of a kind's rules, with the rule."""
        return self.filter(rule__kind=kind).select_related("rule")

    def with_deliveries(self) -> AlertQuerySet:
        """With rule, people and deliveries prefetched, for lists."""
        from alerts.models import Delivery

        newest = Delivery.objects.select_related("transition").order_by("created_at", "id")
        return self.select_related("rule", "acknowledged_by", "assigned_to").prefetch_related(
            Prefetch("deliveries", queryset=newest)
        )

    def about(self, filters: Names) -> AlertQuerySet:
        """Alerts whose subject is one of the names, or contains one as a scope; all alerts where no name is given."""
        dimensions = ("provider", "model", "deployment", "application", "task")
        pairs = [f"{dimension}:{name}" for dimension in dimensions for name in getattr(filters, dimension)]
        if not pairs:
            return self
        names = Q(pk__in=[])
        for pair in pairs:
            within = Q(subject__endswith=f"/{pair}") | Q(subject__contains=f"/{pair}+")
            names |= within | Q(subject__endswith=f"+{pair}") | Q(subject__contains=f"+{pair}+")
        for provider in filters.provider:
            names |= Q(subject=f"provider:{provider}") | Q(words__providers__contains=[provider])
        for model in filters.model:
            names |= Q(subject=f"model:{' '.join(model.split())}"[:200])
        for deployment in filters.deployment:
            names |= Q(subject=f"deployment:{deployment}")
        return self.filter(names)

    def of_application(self, slug: str) -> AlertQuerySet:
        """Those whose subject is this application: its budgets, its keys, rules for it alone."""
        own = Q(labels__application=slug)
        for budget in Budget.objects.about("application", slug).values_list("slug", flat=True):
            for kind in ("", "burn:"):  # opened before budgets were labelled, too
                own |= Q(subject__startswith=f"{kind}budget:{budget}:")
        return self.filter(own)

    def by_urgency(self) -> AlertQuerySet:
        """Not acknowledged first; then by severity, the worst first; then the oldest."""
        rank = models.Case(models.When(severity="critical", then=0), models.When(severity="warning", then=1), default=2)
        taken = models.Case(models.When(state="acknowledged", then=1), default=0)
        return self.order_by(taken, rank, "opened_at", "id")

    def earlier(self, alert: Alert) -> AlertQuerySet:
        """Other alerts of the same rule and subject, newest first."""
        return self.filter(rule=alert.rule, subject=alert.subject).exclude(pk=alert.pk).order_by("-id")

    def openings(self, kind: str, since: datetime) -> dict[tuple[int, str, int], int]:
        """How often each subject opened at each level since a moment, by rule; it tells what flaps."""
        rows = self.filter(rule__kind=kind, opened_at__gte=since).values("rule_id", "subject", "level")
        counts = rows.annotate(n=models.Count("id")).order_by()
        return {(row["rule_id"], row["subject"], row["level"]): row["n"] for row in counts}


class SilenceQuerySet(models.QuerySet["Silence"]):
    def unexpired(self, at: datetime) -> SilenceQuerySet:
        """Those in force, and those of which a window is still to come."""
        return self.filter(may_hold("until", at)).select_related("by")

    def in_force(self, at: datetime) -> list[Silence]:
        begun = self.unexpired(at).filter(Q(starts_at=None) | Q(starts_at__lte=at))
        return [silence for silence in begun if silence.recurring_window.at(at)]

    def planned(self, at: datetime) -> list[tuple[Silence, Span]]:
        """Those that begin later, each with its next window, the soonest first."""
        ahead = [
            (row, span)
            for row in self.unexpired(at).exclude(starts_at=None)
            if (span := row.recurring_window.ahead(at))
        ]
        return sorted([pair for pair in ahead if pair[1].start > at], key=lambda pair: pair[1].start)

    def over(self, at: datetime) -> SilenceQuerySet:
        """Those that have ended, the last first."""
        return self.exclude(may_hold("until", at)).order_by("-until")

    def covering(self, alert: Alert, at: datetime) -> list[Silence]:
        return [silence for silence in self.in_force(at) if silence.covers(alert)]


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, at: datetime) -> DeliveryQuerySet:
        """Messages to send now. One waits while an earlier message of the same alert to the same recipient is not
        finished, whether alone or merged into another mail."""
        from alerts.models import Delivery

        # What is in none of these states any more is not in the index that this goes by: `delivery_before`.
        unsent = Q(state__in=UNSENT) | Q(folded_into__state__in=UNSENT)
        earlier = Delivery.objects.filter(unsent, state__in=(*UNSENT, "folded")).filter(
            alert=OuterRef("alert"), recipient=OuterRef("recipient"), channel=OuterRef("channel"), id__lt=OuterRef("id")
        )
        return self.filter(~Exists(earlier), state__in=UNSENT, due_at__lte=at).order_by("due_at", "id")

    def not_by(self, routes: Collection[str]) -> DeliveryQuerySet:
        """Messages over other routes than these (see `Delivery.route`)."""
        email = Q(channel="email")
        rows = self.exclude(email) if "email" in routes else self
        return rows.exclude(~email, recipient__in=list(routes)) if routes else rows

    def without_server(self, at: datetime) -> DeliveryQuerySet:
        """Mails that are due, and that nothing can send: no mail server is set up."""
        return self.filter(channel="email", state__in=UNSENT, due_at__lte=at)

    def unsent_of_open(self) -> DeliveryQuerySet:
        """The newest mail to each person about each open alert, where it was not sent for want of a mail server."""
        newer = self.model.objects.filter(
            alert=OuterRef("alert"), recipient=OuterRef("recipient"), channel="email", id__gt=OuterRef("id")
        )
        return self.filter(~Exists(newer), state="unsent", alert__state="open", transition__after="open")

    def like(self, row: Delivery) -> DeliveryQuerySet:
        """Other messages to the same person that something of the same kind is open."""
        kind = row.alert.rule.kind
        same = self.filter(recipient=row.recipient, channel=row.channel, alert__rule__kind=kind)
        return same.filter(transition__after="open").exclude(pk=row.pk)

    def of_group(self, row: Delivery) -> DeliveryQuerySet:
        """Other messages to the same person that say the same about something of the same group and rule."""
        same = self.filter(recipient=row.recipient, channel=row.channel, group=row.group)
        about = same.filter(alert__rule=row.alert.rule, transition__after=row.transition.after)
        return about.exclude(pk=row.pk) if row.pk else about

    def to_channel(self, slug: str) -> DeliveryQuerySet:
        return self.filter(recipient=slug).exclude(channel="email")

    def newest_to(self, slug: str) -> list[Delivery]:
        """The latest to a channel, with what they were about."""
        return list(self.to_channel(slug).select_related("alert", "transition").order_by("-id")[:10])

    def by_state(self) -> dict[str, int]:
        counts = self.order_by().values("state").annotate(n=models.Count("id"))
        return {row["state"]: row["n"] for row in counts}

    def deferred_for(self, address: str) -> DeliveryQuerySet:
        """Deferred for a person, and not tried yet."""
        return self.filter(channel="email", recipient__iexact=address, state="waiting", attempts=0).exclude(
            deferred_by=""
        )

    def waiting_with(self, row: Delivery, now: datetime) -> DeliveryQuerySet:
        """Others deferred for the same person that are due."""
        return self.deferred_for(row.recipient).filter(due_at__lte=now).exclude(pk=row.pk)

    def going(self, since: datetime) -> DeliveryQuerySet:
        """Sent since a moment, or being tried."""
        return self.filter(Q(accepted_at__gt=since) | Q(state__in=("sending", "failed")))

    def alone(self) -> DeliveryQuerySet:
        """Waiting messages that were not tried, list no other message, and are not deferred."""
        return self.filter(state="waiting", attempts=0, folded__isnull=True, deferred_by="")

    def first_of(self, alert_id: int, recipient: str) -> str:
        """The identity of the first message about an alert to a person; empty where there is none."""
        rows = self.filter(alert=alert_id, recipient=recipient).order_by("id")
        return rows.values_list("message_id", flat=True).first() or ""

    def notified(self, alert: Alert, channel: bool = False) -> list[str]:
        """Who got, or is about to get, the message that an alert began; of one that replaced another silently, who got
        the message about that other. People's addresses, or the slugs of channels."""
        from alerts.models import Alert

        email = Q(channel="email")
        # What waits with others for a person's morning is said there, whichever mail it goes in.
        silent = Q(state__in=("dead", "unsent")) | Q(state="folded", deferred_by="", group="")
        rows = self.filter(~email if channel else email, alert=alert).exclude(silent)
        recipients = rows.values_list("recipient", flat=True)
        if recipients:
            return sorted(set(recipients))
        before = Alert.objects.earlier(alert).filter(resolved_at=alert.opened_at, level__gt=alert.level).first()
        return self.notified(before, channel) if before else []
