"""Every kind of rule: what it looks at, its numbers, who is told. A new kind is one evaluator and one entry here."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext_noop as _

from alerts.kinds import (
    anomalies,
    bills,
    burn,
    exports,
    figure,
    heartbeats,
    models,
    money,
    offers,
    processes,
    serving,
    silent,
    system,
    upkeep,
    uptime,
    usage,
    vendors,
    volume,
)
from alerts.kinds.finding import Kind, Threshold

PLANNERS = ("ops", "manager")
OWNERS = ("admin", "ops")

# In the order of evaluation: whatever watches the others comes last.
KINDS: dict[str, Kind] = {
    "budget": Kind(
        unit="usd",
        label=_("a budget for the month is used up to"),
        evaluate=money.budgets,
        thresholds={
            "levels": Threshold(_("Levels"), "%", [50, 75, 90, 100], Decimal(1), Decimal(1000), many=True),
            "band": Threshold(_("Falls back below a level by"), "%", 2, most=Decimal(50)),
        },
        groups=PLANNERS,
        escalate_s=24 * 3600,
    ),
    "budget-forecast": Kind(
        unit="usd",
        label=_("the month is on course to end above this share of a budget"),
        evaluate=money.forecasts,
        thresholds={
            "percent": Threshold(_("Share of the budget"), "%", 100, Decimal(1), Decimal(1000)),
            "band": Threshold(_("Back on course below it by"), "%", 3, most=Decimal(50)),
        },
        groups=PLANNERS,
        for_s=30 * 60,
        clear_for_s=3600,
        every_s=60,
    ),
    "burn-rate": Kind(
        label=_("a budget is used up several times faster than it lasts, for a day and in the last hour"),
        evaluate=burn.burn_rates,
        thresholds={
            "times": Threshold(_("Over the even pace"), "times", 3, Decimal("1.1"), Decimal(100)),
            "band": Threshold(_("Over again below it by"), "times", "0.5", most=Decimal(10)),
        },
        groups=PLANNERS,
        clear_for_s=15 * 60,
        every_s=60,
    ),
    "stage": Kind(
        unit="usd",
        label=_("a stage of the plan has ended, or costs more than its total"),
        evaluate=burn.stages,
        thresholds={"days": Threshold(_("News for"), "days after its end", 14, Decimal(1), Decimal(90))},
        groups=PLANNERS,
        severity="info",
        every_s=600,
    ),
    "phase": Kind(
        label=_("the volume has left the phase that is planned for today"),
        evaluate=volume.phase_band,
        thresholds={"days": Threshold(_("Stays there for"), "days", 3, Decimal(1), Decimal(60))},
        groups=PLANNERS,
        severity="info",
        every_s=60,
    ),
    "break-even": Kind(
        label=_("the run rate has crossed the volume at which our own GPUs pay"),
        evaluate=volume.break_even,
        thresholds={
            "days": Threshold(_("Stays there for"), "days", 7, Decimal(1), Decimal(60)),
            "band": Threshold(_("Past the crossing by"), "%", 5, most=Decimal(50)),
        },
        groups=PLANNERS,
        severity="info",
        every_s=60,
    ),
    "outage": Kind(
        label=_("a deployment is down"),
        evaluate=uptime.outages,
        thresholds={"group": Threshold(_("One mail for a vendor from"), "deployments down", 3, Decimal(2))},
        severity="critical",
        escalate_s=3600,
    ),
    "latency": Kind(
        unit="ms",
        label=_("a deployment answers several times slower than usual"),
        evaluate=serving.slow,
        thresholds={
            "times": Threshold(_("Over its usual p95"), "times", 3, Decimal("1.2"), Decimal(100)),
            "ms": Threshold(_("Or to the first token over"), "ms", 10_000, Decimal(100), Decimal(600_000)),
            "requests": Threshold(_("From"), "requests in the hour", 20, Decimal(1), Decimal(10**6)),
        },
        for_s=5 * 60,
        clear_for_s=15 * 60,
        every_s=60,
    ),
    "error-rate": Kind(
        unit="percent",
        label=_("requests to a deployment fail"),
        evaluate=serving.errors,
        thresholds={
            "percent": Threshold(_("From"), "% of the last hour", 10, Decimal("0.1"), Decimal(100)),
            "band": Threshold(_("Well again below it by"), "%", 4, most=Decimal(50)),
            "failures": Threshold(_("And at least"), "failures", 5, Decimal(1), Decimal(10**6)),
        },
        clear_for_s=15 * 60,
        every_s=30,
    ),
    "quality": Kind(
        unit="percent",
        label=_("answers of a model are accepted less often than before"),
        evaluate=serving.quality,
        thresholds={"points": Threshold(_("Fall of at least"), "points", 5, Decimal(1), Decimal(100))},
        groups=PLANNERS,
        every_s=600,
    ),
    "anomaly": Kind(
        unit="usd",
        label=_("something differs from its own history: spend, tokens, cache, errors or latency"),
        evaluate=anomalies.anomalies,
        thresholds={"usd": Threshold(_("Where it costs at least"), "USD a day more", 1, most=Decimal(10**6))},
        groups=PLANNERS,
        clear_for_s=30 * 60,
        every_s=60,
    ),
    "heartbeat": Kind(
        unit="s",
        label=_("a batch job has not pinged in time, or says that it failed"),
        evaluate=heartbeats.missed,
        severity="critical",
        escalate_s=3600,
    ),
    "unpriced": Kind(
        label=_("requests of a model have no known cost"),
        evaluate=usage.unpriced,
        thresholds={"requests": Threshold(_("From"), "requests in 30 days", 1, Decimal(1))},
    ),
    "price": Kind(
        unit="usd",
        label=_("the price of a model in use has changed, or will"),
        evaluate=models.prices,
        thresholds={"days": Threshold(_("News for"), "days", 7, Decimal(1), Decimal(60))},
        groups=PLANNERS,
        severity="info",
        every_s=600,
    ),
    "retiring": Kind(
        label=_("a model in use is switched off by its vendor"),
        evaluate=models.retiring,
        thresholds={"days": Threshold(_("From"), "days before", 60, Decimal(1), Decimal(400))},
        every_s=600,
    ),
    "balance": Kind(
        label=_("prepaid money at a vendor runs out"),
        evaluate=vendors.balances,
        thresholds={
            "days": Threshold(_("Lasts less than"), "days", 3),
            "band": Threshold(_("Enough again above it by"), "days", 1),
        },
        groups=PLANNERS,
        escalate_s=6 * 3600,
    ),
    "spend-cap": Kind(
        label=_("a vendor serves no more because a limit of its own is reached"),
        evaluate=models.caps,
        severity="critical",
        escalate_s=3600,
    ),
    "lease": Kind(
        label=_("a lease is billed while nobody uses it"),
        evaluate=vendors.leases,
        thresholds={"hours": Threshold(_("Idle or stopped for"), "hours", 6, Decimal("0.1"))},
        every_s=60,
    ),
    "offer": Kind(
        label=_("a GPU that somebody watches for is offered below a price"),
        evaluate=offers.watched,
        groups=PLANNERS,
        severity="info",
        clear_for_s=10 * 60,
        every_s=60,
    ),
    "bill-gap": Kind(
        label=_("a bill is farther from what we know than its tolerance"),
        evaluate=bills.bill_gaps,
        groups=PLANNERS,
        for_s=3600,
        every_s=3600,
    ),
    "figure": Kind(
        label=_("a figure has crossed a line that somebody drew"),
        evaluate=figure.watched,
        say=figure.sentence,
        shipped=False,
        every_s=60,
    ),
    "system": Kind(
        label=_("mail to a person is refused for good, or a channel is dead"),
        evaluate=system.addresses,
        groups=("admin",),
    ),
    "system-disk": Kind(
        unit="percent",
        label=_("the disk of the data directory fills up"),
        evaluate=upkeep.disk,
        thresholds={
            "percent": Threshold(_("From"), "% used", 85, Decimal(1), Decimal(100)),
            "gb": Threshold(_("Or less free than"), "GB", 2, most=Decimal(100_000)),
            "band": Threshold(_("Well again below it by"), "%", 3, most=Decimal(50)),
        },
        groups=OWNERS,
        for_s=5 * 60,
        escalate_s=24 * 3600,
        every_s=60,
    ),
    "system-restarts": Kind(
        label=_("a process of Breakeven ended by itself and was started again"),
        evaluate=processes.restarts,
        thresholds={"restarts": Threshold(_("From"), "restarts in an hour", 1, Decimal(1), Decimal(1000))},
        groups=OWNERS,
        every_s=30,
    ),
    "system-retention": Kind(
        label=_("days of requests are about to go that something still waits for"),
        evaluate=upkeep.retention,
        thresholds={"days": Threshold(_("Goes within"), "days", 7, Decimal(1), Decimal(90))},
        groups=OWNERS,
        every_s=600,
    ),
    "system-key": Kind(
        label=_("a key of an application expires and has no successor"),
        evaluate=upkeep.keys,
        thresholds={"days": Threshold(_("From"), "days before", 14, Decimal("0.1"), Decimal(365))},
        groups=OWNERS,
        every_s=60,
    ),
    "system-certificate": Kind(
        label=_("the TLS certificate of a deployment ends"),
        evaluate=upkeep.certificates,
        thresholds={"days": Threshold(_("From"), "days before", 14, Decimal("0.1"), Decimal(365))},
        every_s=60,
    ),
    "late-ingest": Kind(
        label=_("an application sends nothing although it usually would"),
        evaluate=silent.ingest,
        thresholds={
            "hours": Threshold(_("Silent for"), "hours", 2, Decimal(1), Decimal(168)),
            "requests": Threshold(_("Where usually there are"), "requests", 20, Decimal(1), Decimal(10**9)),
        },
        every_s=60,
    ),
    "late-export": Kind(
        label=_("an export of the ledger has not arrived where it should"),
        evaluate=exports.exports,
        thresholds={
            "hours": Threshold(_("Nothing taken for"), "hours after it was due", 3, Decimal("0.5"), Decimal(720))
        },
        for_s=15 * 60,
        every_s=60,
    ),
    "late": Kind(
        label=_("a poll fails or is overdue, or rules do not run"),
        evaluate=system.late,
        thresholds={
            "failures": Threshold(_("Polls that fail in a row"), "polls", 3, Decimal(1)),
            "intervals": Threshold(_("Overdue after"), "intervals", 4, Decimal(2)),
            "evaluation_s": Threshold(_("Rules not run for"), "s", 180, Decimal(60)),
        },
        always=frozenset({system.EVALUATION}),  # who switches polls' mail off still learns that nobody evaluates
        escalate_s=6 * 3600,
    ),
}
