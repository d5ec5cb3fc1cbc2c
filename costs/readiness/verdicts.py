"""Every verdict of this moment: plan, up, the four criteria, and whether to self-host."""

from __future__ import annotations

from datetime import UTC, datetime

from costs.breakeven.measured_inputs import all_deployments
from costs.plan.queries import HISTORY, all_phases, hold, planned_for, read_days, this_month
from costs.plan.verdict import plan_verdict
from costs.readiness.inputs import read_report
from costs.readiness.scorecard import go, judge
from costs.verdicts.serving import serving_now
from costs.verdicts.verdict import Verdict
from providers.uptime import page as uptime_page


def verdicts(now: datetime) -> list[Verdict]:
    """The same that Overview, Plan and Decide show at `now`."""
    today = now.astimezone(UTC).date()
    days = read_days(min(today.replace(day=1), today - HISTORY), today)
    month, phases = this_month(now, days), all_phases()
    status = hold(phases, month, days) if planned_for(phases, today) else None
    deployments = all_deployments()
    states = uptime_page.worst_first(uptime_page.with_machine(row, now) for row in deployments if row.enabled)
    card = judge(read_report(now, deployments=deployments).evidence)
    up = serving_now(uptime_page.answer(states))
    return [plan_verdict(month, status, today), up, *card.criteria, go(card)]
