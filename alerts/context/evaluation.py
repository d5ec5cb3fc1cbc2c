"""What the evaluators read: figures of the other apps at one moment, each at most once and only on demand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, F, Min, Sum, TextField, When

from alerts.context import restarts
from alerts.context.lease_reads import LeaseReads
from alerts.context.restarts import Restart
from alerts.metrics.current import CurrentMetrics
from alerts.metrics.month_budgets import MonthBudget, other_budget
from alerts.metrics.scopes import Scope
from alerts.models import Address, Channel, Rule
from costs.allocation.queries import GroupBy, Spend, SpendData, daily, read, spend
from costs.breakeven import Inputs, Result, compute
from costs.breakeven.measured_inputs import Traffic, live_inputs, measure, spread
from costs.breakeven.queries import day_requests
from costs.breakeven.saving import Saving, saving_of
from costs.ledger.expiring_days import ExpiringDays, expiring_days
from costs.models import Anomaly, ExportTarget, Phase, Stage
from costs.plan.budget_status import BudgetStatus, allowance
from costs.plan.budgets import BudgetPosition, budget_positions
from costs.plan.month import Month
from costs.plan.queries import terms_of, this_month
from costs.readiness.inputs import answers_gap, ratings_by_task
from costs.readiness.scorecard import quality_refuses
from costs.reconciliation.tolerances import ReconciliationGap as BillStanding
from costs.reconciliation.tolerances import reconciliation_gaps
from lib.confidence_intervals import Interval
from lib.disk import Disk, disk_of
from providers import offers
from providers.models import Balance, Feed, Heartbeat, Maintenance, OfferWatch, Outage
from traffic.authentication.keys import expiring_keys
from traffic.caps.queries import CapGap, cap_gap
from traffic.latency import recent as lately
from traffic.models import Key, RouteUse, UsageDay
from traffic.quality.queries import QualityGroup
from traffic.repricing.effect import WAITING_DAYS, Waiting, waiting_for_price
from traffic.usage import models_used, silent_applications
from traffic.usage.filters import Filters

RUN_RATE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Runs:
    """When the rules of a kind ran."""

    kind: str
    rules: int
    oldest: datetime


class EvaluationContext(LeaseReads):
    """What one evaluation reads, as of `now`. Days and months are UTC, money is Decimal USD."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.today = now.date()
        self.month_start = self.today.replace(day=1)

    @cached_property
    def bills(self) -> list[BillStanding]:
        """Bills against ours, by provider, of this month and the last."""
        return reconciliation_gaps(self.now)

    @cached_property
    def current(self) -> CurrentMetrics:
        """The metrics that people's rules watch, as they are now."""
        return CurrentMetrics(self)

    @cached_property
    def month(self) -> Spend:
        """This month to date, by provider."""
        return spend(self.month_start, self.today + timedelta(days=1))

    @cached_property
    def month_known(self) -> SpendData:
        """The same at its finest: bills and leases divided by who used them."""
        return read(self.month_start, self.today + timedelta(days=1))

    @cached_property
    def month_by_application(self) -> Spend:
        return self.month_known.by("application")

    def month_of(self, filters: Filters, by: GroupBy) -> Spend:
        """A part of this month to date."""
        return self.month_known.only(filters).by(by)

    def spent_in(self, month: date) -> Decimal:
        """What the month of its first day came to."""
        return self.spent_between(month, (month + timedelta(days=31)).replace(day=1))

    def spent_between(self, since: date, until: date) -> Decimal:
        """What these days came to, the last one exclusive."""
        return spend(since, until).total

    @cached_property
    def budgets(self) -> list[MonthBudget]:
        """The month's budget of the phase planned for today, then every other budget that runs."""
        return [*self._phase_budget(), *self._other_budgets()]

    def budget_of(self, scope: str, subject: str) -> MonthBudget | None:
        """This month's budget of a scope and subject; of everything the phase's, where it has one."""
        if scope == "everything" and self.budgets and self.budgets[0].kind == "phase":
            return self.budgets[0]
        return self.budgets_by_subject.get((scope, subject))

    @cached_property
    def budgets_by_subject(self) -> dict[tuple[str, str], MonthBudget]:
        """The budgets that people set, by what they are about; the one that began last where two meet."""
        order = sorted(self.standings, key=lambda standing: standing.budget.starts_on)
        return {(standing.budget.scope, standing.budget.subject): other_budget(standing) for standing in order}

    @property
    def watched_budgets(self) -> Iterable[tuple[MonthBudget, Scope]]:
        """This month's budgets with what each is about: the phase's is about everything."""
        yield from ((budget, Scope()) for budget in self.budgets if budget.kind == "phase")
        for (scope, subject), budget in self.budgets_by_subject.items():
            yield budget, Scope(() if scope == "everything" else ((scope, subject),))

    @cached_property
    def standings(self) -> list[BudgetPosition]:
        return budget_positions(self.now)

    def _phase_budget(self) -> list[MonthBudget]:
        phase = self.current_phase
        budget = allowance(terms_of(self.phases), self.month_start, self.last_month) if phase else None
        if phase is None or budget is None:
            return []
        # The same spend as `month`, unless the plan began inside it.
        month = self.month if budget.first == self.month_start else spend(budget.first, self.today + timedelta(days=1))
        return [
            MonthBudget(
                "phase", phase.slug, phase.name, budget, month.total, month.provenance, month.at_least,
                lambda: BudgetStatus(budget, self.month_ahead),
            )
        ]  # fmt: skip

    @cached_property
    def last_month(self) -> dict[date, Decimal] | None:
        """Spend of each day of the month before, read only where a phase carries something over."""
        if not any(phase.carries for phase in self.phases):
            return None
        return daily((self.month_start - timedelta(days=1)).replace(day=1), self.month_start)

    def _other_budgets(self) -> list[MonthBudget]:
        return [other_budget(standing) for standing in self.standings]

    @cached_property
    def month_ahead(self) -> Month:
        """This month with its forecast."""
        return this_month(self.now)

    @cached_property
    def phases(self) -> list[Phase]:
        return list(Phase.objects.all())

    @cached_property
    def current_phase(self) -> Phase | None:
        """The phase planned for today."""
        return Phase.objects.planned_for(self.today)

    @cached_property
    def stages(self) -> list[Stage]:
        return list(Stage.objects.all())

    @cached_property
    def open_outages(self) -> list[Outage]:
        return list(Outage.objects.open().select_related("deployment__lease__account").order_by("started_at"))

    @cached_property
    def in_maintenance(self) -> set[int]:
        """Deployments whose failures do not count now."""
        ids = [deployment.pk for deployment in self.deployments.values()]
        return set(Maintenance.objects.spans(ids, self.now, self.now + timedelta(microseconds=1)))

    def deployment_named(self, slug: str) -> str:
        """A deployment as people named it; what is no deployment's slug stays as it is."""
        return self.deployments[slug].name if slug in self.deployments else slug

    def last_outage(self, slug: str) -> Outage | None:
        return Outage.objects.filter(deployment__slug=slug).order_by("-started_at").first()

    @cached_property
    def export_targets(self) -> list[ExportTarget]:
        return list(ExportTarget.objects.there())

    @cached_property
    def heartbeats(self) -> list[Heartbeat]:
        return list(Heartbeat.objects.not_deleted())

    @cached_property
    def offer_watches(self) -> list[offers.WatchNow]:
        """What people wait for, against what vendors offer now."""
        watches = list(OfferWatch.objects.not_deleted())
        return offers.watches_now(watches, offers.fresh_of(offers.sources(self.now)), self.now) if watches else []

    @cached_property
    def feeds(self) -> list[Feed]:
        return list(Feed.objects.select_related("account").order_by("account__slug", "kind"))

    @cached_property
    def unpriced(self) -> list[Waiting]:
        """By model, most requests first."""
        return waiting_for_price(self.today)

    def unpriced_by_application(self, models: Iterable[str]) -> list[tuple[str | None, str, int]]:
        """Model, application's name and requests of unknown cost of the last 30 days; None is every model besides
        `models`.

        Two queries, however many models there are.
        """
        since = self.today - timedelta(days=WAITING_DAYS)
        name = Case(When(model__in=list(models), then=F("model")), default=None, output_field=TextField(null=True))
        rows = UsageDay.objects.filter(day__gte=since, unpriced__gt=0).annotate(name=name)
        sums = rows.values_list("name", "application_id").annotate(n=Sum("unpriced")).order_by()
        return [(model, self.application_names.get(pk, ""), int(n)) for model, pk, n in sums]

    @cached_property
    def anomalies(self) -> list[Anomaly]:
        """What differs from its own history now, dismissed or not."""
        return list(Anomaly.objects.open())

    def price_changes(self, days: int) -> list[models_used.PriceChange]:
        """Of models in use, within so many days or known ahead."""
        return models_used.price_changes(self.now, days)

    def retiring(self, days: int) -> list[models_used.Retiring]:
        """Models in use that retire within so many days, or have."""
        return models_used.retiring(self.today, days, self.application_slugs)

    def silences(self, least: timedelta) -> list[silent_applications.Silence]:
        """Applications that have sent nothing for so long, with what is usual."""
        return silent_applications.silences(self.now, least)

    @property
    def data_dir(self) -> Path:
        path: Path = settings.DATA_DIR
        return path

    @cached_property
    def disk(self) -> Disk | None:
        """The disk of the data directory; None where there is none on this machine."""
        return disk_of(self.data_dir)

    @cached_property
    def restarts(self) -> dict[str, list[Restart]]:
        """Our own processes that were started again in the last hour, by name."""
        return restarts.lately(self.data_dir, self.now)

    @cached_property
    def database_bytes(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])

    def kept_days(self, ahead: int) -> ExpiringDays:
        """What retention drops within so many days."""
        return expiring_days(self.today, ahead)

    def expiring_keys(self, since: timedelta, ahead: timedelta) -> list[Key]:
        """Keys without a successor that stopped within `since` or stop within `ahead`, the next first."""
        return list(expiring_keys(self.now - since, since + ahead).select_related("application"))

    def keys_of(self, pks: Iterable[int]) -> list[Key]:
        ids = list(pks)
        return list(Key.objects.filter(pk__in=ids).select_related("application")) if ids else []

    @cached_property
    def timed_lately(self) -> dict[lately.Timed, dict[int, int]]:
        """Requests of the last hour by log bucket, for each deployment and metric."""
        return lately.recent_latency(self.now)

    def usual_p95(self, deployments: Iterable[int]) -> dict[lately.Timed, Decimal]:
        """In ms, by deployment and metric, of the 14 days before today."""
        return lately.usual_p95(self.now, deployments)

    @cached_property
    def failed_lately(self) -> list[dict[str, Any]]:
        """Requests and errors of the last hour by deployment, provider, model and application."""
        return lately.recent_errors(self.now)

    @cached_property
    def rated(self) -> dict[str, tuple[QualityGroup, QualityGroup]]:
        """By model, ratings of the last 14 days and of the 60 before."""
        return lately.recent_ratings(self.now)

    @cached_property
    def requests_by_day(self) -> dict[date, int]:
        """Requests of each day of the last 90; days without any are missing."""
        rows = UsageDay.objects.filter(day__gte=self.today - timedelta(days=90)).values("day")
        return {row["day"]: int(row["n"]) for row in rows.annotate(n=Sum("requests"))}

    def requests_by_application(self, **of: Any) -> list[tuple[str, int, int]]:
        """Name, requests and those without a price of the last 30 days, most first, of what has these columns."""
        rows = UsageDay.objects.filter(day__gt=self.today - timedelta(days=RUN_RATE_DAYS), day__lte=self.today, **of)
        counts = rows.values_list("application_id").annotate(n=Sum("requests"), u=Sum("unpriced")).order_by("-n")
        return [(self.application_names.get(pk, ""), int(n), int(u)) for pk, n, u in counts]

    @cached_property
    def compared_by_day(self) -> dict[date, int]:
        """The same of the applications that count in the comparison with our own GPUs."""
        return day_requests(self.today - timedelta(days=90), self.today)

    def run_rate(self, day: date, requests: dict[date, int] | None = None) -> int:
        """Requests of the 30 days before a day, as a month; over fewer days where there was nothing before them."""
        counts = self.requests_by_day if requests is None else requests
        first = min(counts, default=day)
        days = min(max((day - first).days, 1), RUN_RATE_DAYS)
        since = day - timedelta(days=RUN_RATE_DAYS)
        total = sum(n for on, n in counts.items() if since <= on < day)
        return total * RUN_RATE_DAYS // days

    @cached_property
    def break_even(self) -> tuple[Inputs, Result]:
        """The measured inputs of the break-even and its result."""
        inputs = live_inputs(self.now, self._traffic)
        return inputs, compute(inputs)

    @cached_property
    def _traffic(self) -> Traffic:
        return measure(self.now)

    @cached_property
    def quality_gap(self) -> Interval | None:
        """How much better our own answers are rated than the API's, -1 to 1; None with too few ratings of both."""
        return answers_gap(self.now, ratings_by_task(self.now, self._traffic))

    @cached_property
    def saving(self) -> Saving | None:
        """What self-hosting saves a month, with its interval; None without traffic that is compared."""
        return saving_of(self.break_even[0], spread(self.now), worse=quality_refuses(self.quality_gap))

    @cached_property
    def balances(self) -> list[Balance]:
        return list(Balance.objects.filter(account__enabled=True).select_related("account").order_by("account__slug"))

    @cached_property
    def runs(self) -> list[Runs]:
        """By kind, how many rules have run and when the one that is latest did."""
        ran = Rule.objects.enabled().filter(evaluated_at__isnull=False).values("kind")
        return [Runs(**row) for row in ran.annotate(rules=Count("id"), oldest=Min("evaluated_at")).order_by("kind")]

    def late_rules(self, kind: str, before: datetime) -> list[Rule]:
        """Rules of a kind that have not run since."""
        return list(Rule.objects.enabled().filter(kind=kind, evaluated_at__lt=before))

    @cached_property
    def cap_gap(self) -> CapGap | None:
        """Calls whose caps could not be held within the last quarter of an hour."""
        return cap_gap(self.now)

    @cached_property
    def ended_canaries(self) -> list[RouteUse]:
        """Canaries that their bounds have ended, until a person starts or removes them."""
        ended = RouteUse.objects.filter(returned_at__isnull=False, route__canary__isnull=False, route__enabled=True)
        return list(ended.select_related("route__canary").order_by("route__order"))

    @cached_property
    def disabled_addresses(self) -> list[Address]:
        return list(Address.objects.filter(disabled_at__isnull=False).order_by("address"))

    @cached_property
    def dead_channels(self) -> list[Channel]:
        """Channels that fail for long, or that we gave up."""
        return list(Channel.objects.dead(self.now))
