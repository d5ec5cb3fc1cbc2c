"""Queries of the Overview: rollups, the ledger and small tables, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings

from alerts.context import restarts
from alerts.context.restarts import Restart
from alerts.evaluation.queries import evaluated_at
from alerts.inbox.queries import waiting_and_taken
from alerts.kinds.processes import restarted
from alerts.models import Alert
from costs.breakeven import Inputs, Result
from costs.breakeven.measured_inputs import Traffic, all_deployments
from costs.dates import CLOSED_DAYS
from costs.models import Phase
from costs.plan.budgets import BudgetPosition, budget_positions
from costs.plan.month import Month
from costs.plan.queries import HISTORY, Days, all_phases, read_days, this_month
from costs.readiness.inputs import RatedTask, Report, read_report
from costs.readiness.scorecard import Scorecard, judge
from costs.reconciliation.bill_status import MonthBills, stored_or_none
from lib import sql
from lib.dates import DAY, midnight
from lib.periods import Period
from lib.time_spans import Span
from providers.models import Account, Deployment, Feed, Maintenance
from providers.uptime import report as uptime_report
from providers.uptime.report import DeploymentUptime
from traffic.usage import reports
from traffic.usage.reports import HourLatency, UsageGroup

UPTIME_DAYS = 30
HOURS = 24
ALERTS = 4  # rows on this page; the Alerts page has all
CLOSED_ALERTS = 5


@dataclass(frozen=True)
class Facts:
    """All data of the page as of `now`."""

    now: datetime
    days: Days
    month: Month
    phases: Sequence[Phase]
    report: Report  # what go or no-go is judged by
    card: Scorecard
    deployments: Sequence[Deployment]
    uptimes: Sequence[DeploymentUptime]
    windows: Mapping[int, Sequence[Span]]  # maintenance by deployment
    usage: Sequence[UsageGroup]  # of the last 24 hours, by deployment
    latency: Mapping[int, Sequence[HourLatency]]  # by deployment and hour
    alerts: Sequence[Alert]  # open ones that need a person
    taken: int  # how many other open ones are acknowledged, assigned or snoozed
    evaluated_at: datetime | None
    restarts: Mapping[str, Sequence[Restart]]  # of our own processes in the last hour, by process
    polls: Sequence[Feed]  # of bills and prices, the next due first
    budgets: Sequence[BudgetPosition] = ()  # those beside the plan
    closed_bills: MonthBills | None = None  # of last month, in the first days of this one
    closed_alerts: Sequence[Alert] = ()  # of last month's budgets, which ended with it unacknowledged

    @property
    def traffic(self) -> Traffic:
        return self.report.traffic

    @property
    def inputs(self) -> Inputs:
        return self.report.inputs

    @property
    def result(self) -> Result:
        return self.report.result

    @property
    def rated(self) -> Sequence[RatedTask]:
        return self.report.rated

    @property
    def today(self) -> date:
        return self.now.astimezone(UTC).date()

    @property
    def uptime_start(self) -> datetime:
        return midnight(self.today) - timedelta(days=UPTIME_DAYS - 1)

    @property
    def phase(self) -> Phase | None:
        """The phase planned for today."""
        running = [
            phase
            for phase in self.phases
            if phase.starts_on and phase.starts_on <= self.today and (not phase.ends_on or phase.ends_on > self.today)
        ]
        return max(running, key=lambda phase: phase.starts_on or date.min, default=None)

    @property
    def restarted(self) -> list[str]:
        """A sentence for each of our own processes that was restarted."""
        return [restarted(rows) for rows in self.restarts.values()]

    @property
    def empty(self) -> bool:
        """Whether there are no requests, no spend and no checks at all."""
        return not (self.traffic.whole_run_rate or self.days.lines or any(entry.checks for entry in self.uptimes))


FEED, ACCOUNT, ALERT = sql.Table(Feed, "feed"), sql.Table(Account, "account"), sql.Table(Alert, "alert")
NEXT_POLLS = f"""
SELECT {FEED}, {ACCOUNT} FROM providers_feed AS feed JOIN providers_account AS account ON account.id = feed.account_id
WHERE account.enabled ORDER BY due_at LIMIT 2
"""
UNACKNOWLEDGED = """
WHERE kind LIKE 'budget%%' AND subject LIKE %s AND state = 'resolved' AND resolved_at >= %s AND acknowledged_at IS NULL
  AND opened_at IS NOT NULL ORDER BY opened_at DESC LIMIT %s
"""


def next_polls() -> list[Feed]:
    return sql.joined(NEXT_POLLS, FEED, account=ACCOUNT)


def closed(now: datetime, today: date) -> dict[str, Any]:
    """What the row about last month needs; nothing after the first days of a month."""
    if today.day > CLOSED_DAYS:
        return {}
    first = today.replace(day=1)
    month = (first - DAY).replace(day=1)
    ended = ALERT.read(UNACKNOWLEDGED, [f"%:{month:%Y-%m}", midnight(first), CLOSED_ALERTS])
    return {"closed_bills": stored_or_none(month, now), "closed_alerts": ended}


def read(now: datetime) -> Facts:
    """Read all data of the page."""
    today = now.astimezone(UTC).date()
    days = read_days(min(today.replace(day=1), today - HISTORY), today)
    everywhere = all_deployments()
    report = read_report(now, deployments=everywhere)
    deployments = [deployment for deployment in everywhere if deployment.enabled]
    start = midnight(today) - timedelta(days=UPTIME_DAYS - 1)
    windows = Maintenance.objects.spans([row.pk for row in deployments], start, now)
    lately = Period(now - timedelta(hours=HOURS), now)
    alerts, taken = waiting_and_taken(now, ALERTS)
    return Facts(
        now=now,
        days=days,
        month=this_month(now, days),
        phases=all_phases(),
        report=report,
        card=judge(report.evidence),
        budgets=budget_positions(now, beside=days),
        deployments=deployments,
        uptimes=uptime_report.report(deployments, start, now, windows),
        windows=windows,
        usage=reports.usage(lately, "deployment"),
        latency=reports.latency_by_hour(lately),
        alerts=alerts,
        taken=taken,
        evaluated_at=evaluated_at(),
        restarts=restarts.lately(settings.DATA_DIR, now),
        **closed(now, today),
        polls=next_polls(),
    )
