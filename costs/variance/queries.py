"""What the page of changes shows: the bridge of a month against the one before or against the plan, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal
from urllib.parse import urlencode

from django.db import connection
from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from costs.allocation.queries import SpendData
from costs.dates import Days, compared, from_first, too_early
from costs.models import Category, Phase
from costs.models.ledger import IDLE
from costs.variance.bridge import Bridge, BridgePart, Hours, Step, from_plan
from lib import formats
from lib.dates import midnight
from lib.formats import count, dollars, percent, sentences, signed_usd, usd
from lib.money import COST_STEP
from lib.periods import next_month
from providers.models import provider_name
from traffic.models import Application

Against = Literal["month", "plan"]

# GPU hours of each lease in both periods, where it ran in either.
HOURS = """
SELECT l.id, a.kind, l.gpu, l.gpu_count,
       sum(greatest(0, extract(epoch FROM least(s.ends_at, %(before_until)s) - greatest(s.starts_at, %(before)s)))),
       sum(greatest(0, extract(epoch FROM least(s.ends_at, %(until)s) - greatest(s.starts_at, %(since)s))))
FROM providers_leasespan s JOIN providers_lease l ON l.id = s.lease_id JOIN providers_account a ON a.id = l.account_id
WHERE s.state = 'running' AND s.starts_at < %(until)s AND s.ends_at > %(before)s
GROUP BY 1, 2, 3, 4
"""


def gpu_hours(days: Days) -> dict[int, Hours]:
    """By lease, in one statement."""
    edges = {"before": days.before, "before_until": days.before_until, "since": days.since, "until": days.until}
    with connection.cursor() as cursor:
        cursor.execute(HOURS, {name: midnight(day) for name, day in edges.items()})
        return {
            lease: Hours(provider, gpu, Fraction(before) * count / 3600, Fraction(after) * count / 3600)
            for lease, provider, gpu, count, before, after in cursor.fetchall()
        }


@dataclass(frozen=True, slots=True)
class Planned:
    """What the plan has for the days shown: USD and requests, its share of the month."""

    phase: Phase
    budget: Decimal
    requests: int


def planned(days: Days) -> Planned | None:
    """The upper end of the phase's budget and band, prorated by days; None where no phase was planned."""
    phase = Phase.objects.planned_for(days.last)
    if phase is None:
        return None
    month = (next_month(days.since) - days.since).days
    share = Fraction((days.until - days.since).days, month)
    budget = Decimal(round(Fraction(phase.budget_high) * share / Fraction(COST_STEP))) * COST_STEP
    return Planned(phase, budget, round((phase.volume_to or phase.volume_from) * share))


def against_plan(plan: Planned, data: SpendData) -> Bridge:
    return from_plan(plan.budget, plan.requests, data)


# --- in words ------------------------------------------------------------------------------------------------------

NAMES = {
    "new": lambda: _("New applications"),
    "ended": lambda: _("Ended applications"),
    "volume": lambda: _("Volume"),
    "mix": lambda: _("Mix of models"),
    "tokens": lambda: _("Tokens a request"),
    "cache": lambda: _("Cache"),
    "price": lambda: _("List prices"),
    "rest": lambda: _("Batch, discounts"),
    "gpu_hours": lambda: _("GPU hours"),
    "gpu_price": lambda: _("GPU price"),
    "leases": lambda: _("Disks and network"),
    "other": lambda: _("Other billed items"),
    "entered": lambda: _("Manual entries"),
    "request_cost": lambda: _("Cost of a request"),
}
HOW = {
    "new": lambda: _("API spend of applications without earlier requests"),
    "ended": lambda: _("earlier API spend of applications without requests now"),
    "volume": lambda: _("more or fewer requests, same models"),
    "mix": lambda: _("share of models in the requests, at their earlier cost"),
    "tokens": lambda: _("longer or shorter prompts and answers, at earlier prices"),
    "cache": lambda: _("share of the input read from the cache"),
    "price": lambda: _("changed list prices for the same tokens"),
    "rest": lambda: _("batches, discounts and bill differences"),
    "gpu_hours": lambda: _("rented hours, at the earlier price"),
    "gpu_price": lambda: _("change of the hourly price"),
    "leases": lambda: _("disks, VMs and traffic of GPU rentals"),
    "other": lambda: _("searches, taxes, credits, adjustments"),
    "entered": lambda: _("upkeep and other manual entries"),
    "request_cost": lambda: _("spend minus the plan for the same number of requests"),
}
PLAN_ROWS = {
    "volume": lambda: _("requests compared with the upper end of the phase, at the planned cost of a request"),
    "allowed": lambda: _("minus the plan for the same number of requests"),
    "api": lambda: _("paid by the token"),
    "machines": lambda: _("rented GPUs"),
    "other": lambda: _("other billed items"),
    "entered": lambda: _("manual entries"),
}
COUNTED = {"volume": "requests", "mix": "requests", "tokens": "tokens", "cache": "share", "gpu_hours": "hours"}


MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part with its name and where its requests or lines are."""

    part: BridgePart
    name: str
    url: str
    counted: str = "usd"

    def before_text(self) -> str:
        return moved(self.counted, self.part.before)

    def after_text(self) -> str:
        return moved(self.counted, self.part.after)


@dataclass(frozen=True, slots=True)
class StepRow:
    step: Step
    name: str
    how: str
    counted: str  # in what its rows moved: requests, tokens, share, hours; else USD
    every: list[PartRow]

    def before_text(self) -> str:
        return moved(self.counted, self.step.before)

    def after_text(self) -> str:
        return moved(self.counted, self.step.after)

    @property
    def rows(self) -> list[PartRow]:
        """The largest."""
        return self.every[:MOST_ROWS]

    @property
    def more(self) -> int:
        return max(0, len(self.every) - MOST_ROWS)

    @property
    def more_amount(self) -> Decimal:
        return sum((row.part.amount for row in self.every[MOST_ROWS:]), Decimal(0))


def named_steps(bridge: Bridge, days: Days, applications: Mapping[int, Application]) -> list[StepRow]:
    """Every step with its rows, each with a link to what is behind it."""
    return [
        StepRow(
            step, NAMES[step.slug](), HOW[step.slug](), counted,
            [PartRow(part, *name_of(part, days, applications), counted) for part in step.parts],
        )
        for step in bridge.steps
        for counted in [COUNTED.get(step.slug, "usd")]
    ]  # fmt: skip


def moved(counted: str, value: Decimal | int | None) -> str:
    """One side of a step in what it is counted in; empty where it has none."""
    if value is None:
        return ""
    match counted:
        case "requests":
            return count(value)
        case "tokens":
            return floatformat(value, "0g")
        case "share":
            return percent(value)
        case "hours":
            return _("%(n)s h") % {"n": floatformat(value, -1)}
        case _:
            return usd(value)


def headline(bridge: Bridge, rows: list[StepRow], days: Days, plan: Planned | None) -> str:
    """Both sums, and the step that most of the difference comes from, or that it is too early to compare them."""
    early = ""
    if not bridge.before and not bridge.after:
        return _("No spend in either period.")
    text = _("<b>{after}</b> compared with <b>{before}</b> for {days}")
    if plan:
        text = _("<b>{after}</b> compared with <b>{before}</b> planned in “{phase}”")
    elif days.is_early:
        rows, early = [], too_early(days)
    largest = next((row for row in rows if row.step == bridge.largest), None)
    if largest:
        text += _(", mainly {step} ({amount})")
    answer = format_html(
        text + ".",
        after=dollars(bridge.after),
        before=dollars(bridge.before),
        days=from_first(days.before_last),
        phase=plan.phase.name if plan else "",
        step=largest.name if largest else "",
        amount=signed_usd(largest.step.amount if largest else None),
    )
    return sentences(answer, early)


def period(days: Days, plan: Planned | None) -> str:
    """Which days are shown, and what they are held against."""
    if plan:
        return format_html(_("up to {day}"), day=formats.when(days.last))
    return compared(days)


def name_of(part: BridgePart, days: Days, applications: Mapping[int, Application]) -> tuple[str, str]:
    period = {"from": days.since.isoformat(), "to": days.last.isoformat()}
    if part.kind == "model":
        provider, model = part.key
        query = {"provider": provider, "model": model, **period}
        return f"{model} · {provider_name(provider)}", f"{reverse('traffic:requests')}?{urlencode(query)}"
    if part.kind == "application":
        application = applications.get(int(part.key[0]))
        query = {"application": application.slug if application else "", "month": f"{days.since:%Y-%m}"}
        return (
            application.name if application else _("a deleted application")
        ), f"{reverse('costs:spend')}?{urlencode(query)}"
    ledger = f"{reverse('costs:ledger')}?month={days.since:%Y-%m}"
    if part.kind == "gpu":
        provider, gpu = part.key
        return f"{provider_name(provider)} {gpu}".strip() or _("rented GPUs"), reverse("providers:leases")
    if part.kind == "provider":
        return provider_name(part.key[0]), ledger
    if part.kind == "category":
        words = {**dict(Category.choices), IDLE: _("idle GPU hours"), "": _("not reported")}
        vendor = f", {provider_name(part.key[1])}" if len(part.key) > 1 else ""
        return f"{words.get(part.key[0], part.key[0])}{vendor}", ledger
    return PLAN_ROWS[part.key[0]](), ""


def waterfall(bridge: Bridge, rows: list[StepRow], before: str, after: str) -> dict[str, Any]:
    """For the waterfall's tag."""
    return {
        "start": {"label": before, "amount": bridge.before},
        "steps": [{"label": row.name, "amount": row.step.amount} for row in rows],
        "end": {"label": after, "amount": bridge.after},
    }
