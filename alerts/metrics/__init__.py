"""The figures that a rule may watch, by name. A new one is a read at one moment, its past, and one entry here."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from alerts.metrics import reads
from alerts.metrics.metric import Metric, of_sums
from alerts.metrics.units import DAYS, DURATION, HOURS, PERCENT, REQUESTS, TOKENS, USD
from alerts.metrics.windows import Window

ANY = (Window.HOUR, Window.LAST_DAY, Window.TODAY, Window.MONTH, Window.LAST_MONTH)
MONEY = (Window.TODAY, Window.MONTH)
SPENT = ("application", "provider", "model", "deployment", "task", "owner", "phase")
TIMED = (Window.HOUR, Window.LAST_DAY, Window.TODAY)
NOW = (Window.NOW,)
FEW = 20  # requests: of fewer one failure is 5 % or more

METRICS: dict[str, Metric] = {
    "spend": Metric(_("spend"), USD, MONEY, reads.spend, reads.spend_history, SPENT),
    "budget-use": Metric(
        _("use of the budget"),
        PERCENT,
        (Window.MONTH,),
        reads.budget_use,
        reads.budget_use_history,
        ("application", "provider", "task", "owner"),
        "costs:plan",
        of_one=True,
    ),
    "forecast": Metric(
        _("forecast of the spend"),
        USD,
        (Window.MONTH,),
        reads.forecast,
        None,
        page="costs:plan",
        why_no_history=_("Past forecasts are not stored."),
    ),
    "cost-per-request": Metric(_("measured cost per request"), USD, ANY, *of_sums(reads.cost_per_request), least=FEW),
    "requests": Metric(_("requests"), REQUESTS, ANY, *of_sums(reads.requests), page="traffic:requests"),
    "run-rate": Metric(
        _("run rate, requests a month"), REQUESTS, NOW, reads.run_rate, reads.run_rate_history, (), "costs:plan"
    ),
    "tokens": Metric(_("tokens"), TOKENS, ANY, *of_sums(reads.tokens), page="traffic:requests"),
    "unpriced": Metric(_("requests of unknown cost"), REQUESTS, ANY, *of_sums(reads.unpriced), page="traffic:requests"),
    "error-rate": Metric(_("error rate"), PERCENT, ANY, *of_sums(reads.error_rate), page="traffic:requests", least=FEW),
    "latency-p95": Metric(
        _("p95 latency"), DURATION, TIMED, reads.latency_p95, reads.latency_p95_history, page="traffic:requests"
    ),
    "ttft-p95": Metric(
        _("p95 time to first token"), DURATION, TIMED, reads.ttft_p95, reads.ttft_p95_history, page="traffic:requests"
    ),
    "quality": Metric(
        _("acceptable answers"),
        PERCENT,
        (Window.LAST_MONTH,),
        reads.quality,
        reads.quality_history,
        ("application", "model", "deployment", "task", "owner"),
        "traffic:quality",
    ),
    "uptime": Metric(
        _("uptime"),
        PERCENT,
        (Window.TODAY, Window.MONTH, Window.LAST_MONTH),
        reads.uptime,
        reads.uptime_history,
        ("provider", "deployment"),
        "providers:uptime",
    ),
    "balance-days": Metric(
        _("days that the prepaid balance lasts"),
        DAYS,
        NOW,
        reads.balance_days,
        None,
        ("provider",),
        "providers:providers",
        _("Only the latest balance is stored, not past ones."),
    ),
    "idle-hours": Metric(
        _("hours that a lease has been idle"),
        HOURS,
        NOW,
        reads.idle_hours,
        None,
        ("provider",),
        "providers:providers",
        _("Idle time of a lease is only known for the present."),
    ),
}
