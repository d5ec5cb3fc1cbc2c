"""The figures that a rule may watch, by name. A new one is a read at one moment, its past, and one entry here."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from alerts.metrics import reads
from alerts.metrics.metric import NamedFigure, of_sums
from alerts.metrics.units import DAYS, DURATION, HOURS, PERCENT, REQUESTS, TOKENS, USD
from alerts.metrics.windows import Window

ANY = (Window.HOUR, Window.LAST_DAY, Window.TODAY, Window.MONTH, Window.LAST_MONTH)
MONEY = (Window.TODAY, Window.MONTH)
SPENT = ("application", "provider", "model", "deployment", "task", "owner", "phase")
TIMED = (Window.HOUR, Window.LAST_DAY, Window.TODAY)
NOW = (Window.NOW,)

NAMED: dict[str, NamedFigure] = {
    "spend": NamedFigure(_("spend"), USD, MONEY, reads.spend, reads.spend_past, SPENT),
    "budget-use": NamedFigure(
        _("use of the budget"),
        PERCENT,
        (Window.MONTH,),
        reads.budget_use,
        reads.budget_use_past,
        ("application", "provider", "task", "owner"),
        "costs:plan",
        of_one=True,
    ),
    "forecast": NamedFigure(
        _("forecast of the spend"),
        USD,
        (Window.MONTH,),
        reads.forecast,
        None,
        page="costs:plan",
        why_no_past=_("What the forecast said on each day of the past is not kept."),
    ),
    "cost-per-request": NamedFigure(_("measured cost per request"), USD, ANY, *of_sums(reads.cost_per_request)),
    "requests": NamedFigure(_("requests"), REQUESTS, ANY, *of_sums(reads.requests), page="traffic:requests"),
    "run-rate": NamedFigure(
        _("run rate, requests a month"), REQUESTS, NOW, reads.run_rate, reads.run_rate_past, (), "costs:plan"
    ),
    "tokens": NamedFigure(_("tokens"), TOKENS, ANY, *of_sums(reads.tokens), page="traffic:requests"),
    "unpriced": NamedFigure(
        _("requests of unknown cost"), REQUESTS, ANY, *of_sums(reads.unpriced), page="traffic:requests"
    ),
    "error-rate": NamedFigure(_("error rate"), PERCENT, ANY, *of_sums(reads.error_rate), page="traffic:requests"),
    "latency-p95": NamedFigure(
        _("p95 latency"), DURATION, TIMED, reads.latency_p95, reads.latency_p95_past, page="traffic:requests"
    ),
    "ttft-p95": NamedFigure(
        _("p95 time to first token"), DURATION, TIMED, reads.ttft_p95, reads.ttft_p95_past, page="traffic:requests"
    ),
    "quality": NamedFigure(
        _("acceptable answers"),
        PERCENT,
        (Window.LAST_MONTH,),
        reads.quality,
        reads.quality_past,
        ("application", "model", "deployment", "task", "owner"),
        "traffic:quality",
    ),
    "uptime": NamedFigure(
        _("uptime"),
        PERCENT,
        (Window.TODAY, Window.MONTH, Window.LAST_MONTH),
        reads.uptime,
        reads.uptime_past,
        ("provider", "deployment"),
        "providers:uptime",
    ),
    "balance-days": NamedFigure(
        _("days that the prepaid balance lasts"),
        DAYS,
        NOW,
        reads.balance_days,
        None,
        ("provider",),
        "providers:providers",
        _("Only the latest balance is kept, not those of the past."),
    ),
    "idle-hours": NamedFigure(
        _("hours that a lease has been idle"),
        HOURS,
        NOW,
        reads.idle_hours,
        None,
        ("provider",),
        "providers:providers",
        _("Since when a lease has been idle is known for the present alone."),
    ),
}
