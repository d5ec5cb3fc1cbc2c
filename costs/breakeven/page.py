"""What the Break-even page says, from inputs and results: the sentence, volumes, swings, other GPUs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from costs.breakeven import (
    Crossing,
    Inputs,
    Point,
    Result,
    Swing,
    as_json,
    compute,
    days_to_cross,
    routed_requests,
    volume_saving,
)
from costs.breakeven.decimals import decimal
from costs.breakeven.engine import Costs, costs_of, find_all_crossings
from costs.breakeven.own_costs import UnitBook
from costs.breakeven.statement import number, percent, usd
from providers.models import PROVIDER_NAMES, Offer
from traffic.models import Task

MONTH = 30  # days of a run rate
SAVING = Decimal(100)  # USD a month that go/no-go asks for
NOTED = (30_000, 100_000, 300_000, 1_000_000)  # volumes of the research's table
MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class BreakEvenAnswer:
    """The figures of the page's sentence; `kind` says which one it is.

    no_traffic: nothing came in yet · pays: past the crossing · always: at every volume · refused: cheaper, but answers
    are rated significantly worse · ahead: a crossing is still to come · again: passed it, and the next GPU made the
    API cheaper again · never.
    """

    kind: str
    n: int
    saving: Decimal
    crossing: int | None  # passed, or the next one
    routed_crossing: int | None
    apart: Decimal | None  # share by which the run rate is past the crossing, or short of it
    saves_at: int | None  # requests a month that save what go/no-go asks
    days: int | None  # until the crossing, at the present growth
    growth: Decimal | None  # a month

    @property
    def times(self) -> Decimal | None:
        """How many times the crossing the run rate is, where a percentage would be a long number."""
        return round(Decimal(self.n) / self.crossing, 1) if self.crossing and self.n >= 2 * self.crossing else None


def answer(inputs: Inputs, result: Result, growth: Decimal | None, refused: bool) -> BreakEvenAnswer:
    n = inputs.requests_per_month
    passed, coming = around(result.crossings, n)
    pays = result.cheaper == "selfhost"
    at = passed if pays or not coming else coming
    if not n:
        kind, at = "no_traffic", coming
    elif pays:
        kind = "refused" if refused else "pays" if at else "always"
    elif coming is None:
        kind = "never"
    else:
        kind = "again" if passed else "ahead"
    return BreakEvenAnswer(
        kind=kind,
        n=n,
        saving=abs(result.saving),
        crossing=at,
        routed_crossing=None if at is None else routed_requests(at, inputs.routable_share),
        apart=None if at is None or not n else abs(Decimal(n) / at - 1),
        saves_at=volume_saving(inputs, SAVING) if pays and result.saving <= SAVING else None,
        days=days_to_cross(n, at, growth) if at and not pays and growth is not None else None,
        growth=growth,
    )


def around(crossings: Iterable[Crossing], n: int) -> tuple[int | None, int | None]:
    """The last volume up to n, and the first above it, from which our own GPUs cost no more."""
    into = [crossing.requests_per_month for crossing in crossings if crossing.side_to == "selfhost"]
    passed = max((at for at in into if at <= n), default=None)
    return passed, min((at for at in into if at > n), default=None)


# --- the curve -----------------------------------------------------------------------------------------------------


def drawn(inputs: Inputs, result: Result) -> dict[str, Any]:
    """Curve and crossings for the chart tag. The first request is a point of its own: with it the first GPU comes."""
    costs, points = costs_of(inputs), list(result.curve)
    if len(points) > 1 and points[1].requests_per_month > 1:
        points.insert(1, Point(1, decimal(costs.api(1)), decimal(costs.selfhost(1)), costs.gpus(1)))
    curve = [
        {"requests_per_month": p.requests_per_month, "api": p.api, "selfhost": p.selfhost, "gpus": p.gpus}
        for p in points
    ]
    return {"curve": curve, "crossings": as_json(result)["crossings"]}


@dataclass(frozen=True, slots=True)
class CrossingRow:
    """A crossing as the list tells it: of all requests, and of those that our GPUs may serve."""

    at: int
    routed: int
    into_own: bool
    gpus: int | None


def crossing_rows(inputs: Inputs, result: Result) -> list[CrossingRow]:
    costs = costs_of(inputs)
    return [
        CrossingRow(
            at=crossing.requests_per_month,
            routed=routed_requests(crossing.requests_per_month, inputs.routable_share),
            into_own=crossing.side_to == "selfhost",
            gpus=costs.gpus(crossing.requests_per_month),
        )
        for crossing in result.crossings[:MOST_ROWS]
    ]


# --- volume by volume ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """Both ways at one volume, USD a month."""

    n: int
    routed: int
    api: Decimal
    selfhost: Decimal
    gpus: int | None
    utilisation: Decimal | None
    note: str
    here: bool

    @property
    def saving(self) -> Decimal:
        """To the cent: a crossing saves next to nothing."""
        return (self.api - self.selfhost).quantize(Decimal("0.01"))

    @property
    def own_pays(self) -> bool:
        return self.selfhost <= self.api


def volume_rows(inputs: Inputs, result: Result) -> list[VolumeRow]:
    """The research's volumes with ours, the crossings and the steps among them."""
    n = inputs.requests_per_month
    notes: dict[int, str] = dict.fromkeys(NOTED, "")
    for at, gpus in step_ends(inputs):
        notes[at] = _("%(gpus)s GPUs are full at the peak; above, one more") % {"gpus": gpus}
        if gpus == 1:
            notes[at] = _("one GPU is full at the peak; above, two")
    saves_at = volume_saving(inputs, SAVING)
    if saves_at is not None:
        notes[saves_at] = _("saves the $100 that go/no-go asks")
    for crossing in result.crossings[:4]:
        into = crossing.side_to == "selfhost"
        notes[crossing.requests_per_month] = _("break-even") if into else _("the API is cheaper again")
    if n:
        notes[n] = _("our run rate") if not notes.get(n) else f"{_('our run rate')}; {notes[n]}"
    costs = costs_of(inputs)
    return [_volume_row(inputs, costs, at, notes[at], n) for at in sorted(notes)[:MOST_ROWS]]


def _volume_row(inputs: Inputs, costs: Costs, at: int, note: str, here: int) -> VolumeRow:
    gpus, peak = costs.gpus(at), Fraction(inputs.selfhost.peak_factor)
    return VolumeRow(
        n=at,
        routed=routed_requests(at, inputs.routable_share),
        api=decimal(costs.api(at)),
        selfhost=decimal(costs.selfhost(at)),
        gpus=gpus,
        utilisation=decimal(at * costs.load / peak / gpus) if gpus and costs.load else None,
        note=note,
        here=at == here,
    )


def step_ends(inputs: Inputs, most: int = 2) -> list[tuple[int, int]]:
    """The last volume of the first steps below a million requests, each with its GPUs."""
    load = costs_of(inputs).load
    if not load:
        return []
    ends = [(int(gpus / load), gpus) for gpus in range(1, most + 1)]
    return [(at, gpus) for at, gpus in ends if 0 < at <= NOTED[-1]]


# --- sensitivity ---------------------------------------------------------------------------------------------------

WORDS = {
    "input_tokens": lambda: _("Tokens in"),
    "output_tokens": lambda: _("Tokens out"),
    "cache_read_share": lambda: _("Read from the cache"),
    "cache_write_tokens": lambda: _("Cache writes a month"),
    "batch_share": lambda: _("Sent as a batch"),
    "routable_share": lambda: _("Routable share"),
    "api_prices": lambda: _("API prices"),
    "gpu_hourly": lambda: _("GPU, an hour"),
    "fixed_monthly": lambda: _("VM and upkeep, a month"),
    "storage_monthly": lambda: _("Storage, a month"),
    "vm_hourly": lambda: _("Machine around a GPU, an hour"),
    "disk_per_gb_month": lambda: _("Disk, a GB and month"),
    "egress_per_gb": lambda: _("Egress, a GB"),
    "gpu_tokens_per_second": lambda: _("Tokens/s of one GPU"),
    "peak_factor": lambda: _("Peak, times the mean"),
    "price_per_second": lambda: _("GPU, a second"),
    "cold_start_seconds": lambda: _("Cold start, seconds"),
}
SHARES = ("cache_read_share", "batch_share", "routable_share", "api_prices")
MONEY = (
    "vm_hourly",
    "disk_per_gb_month",
    "egress_per_gb",
    "gpu_hourly",
    "fixed_monthly",
    "storage_monthly",
    "price_per_second",
)


@dataclass(frozen=True, slots=True)
class SwingRow:
    """One input moved down and up by a fifth, and the volumes from which our GPUs pay then."""

    label: str
    value: str
    low_value: str
    high_value: str
    swing: Swing

    @property
    def least(self) -> int | None:
        return self._end(min)

    @property
    def most(self) -> int | None:
        return self._end(max)

    def _end(self, which: Any) -> int | None:
        ends = (self.swing.low_crossing, self.swing.high_crossing)
        end: int | None = which(ends) if None not in ends else None
        return end


@dataclass(frozen=True, slots=True)
class Tornado:
    rows: list[SwingRow]
    low: int
    high: int


def tornado(swings: Iterable[Swing], n: int) -> Tornado:
    """Rows and the one scale that holds them all, with our run rate where it is not far off."""
    rows = [_swing_row(swing) for swing in swings]
    ends = [end for row in rows for end in (row.least, row.most, row.swing.crossing) if end is not None]
    if ends and min(ends) / 3 < n < max(ends) * 3:
        ends.append(n)
    margin = (max(ends) - min(ends)) // 12 if ends else 0
    return Tornado(rows, max(0, min(ends, default=0) - margin), max(ends, default=1) + margin)


def _swing_row(swing: Swing) -> SwingRow:
    formatted = percent if swing.field in SHARES else usd if swing.field in MONEY else number
    value, low, high = (formatted(round(value, 6)) for value in (swing.value, swing.low_value, swing.high_value))
    return SwingRow(WORDS[swing.field](), value, low, high, swing)


# --- task by task ---------------------------------------------------------------------------------------------------

ROUTED = ("rag", "qa", "batch")  # the shipped routes' tasks for our own GPUs


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task's part of the traffic, and the break-even if nothing but it were routed."""

    label: str
    requests: int
    share: Decimal
    own: Decimal  # of the task's requests, those that our own GPUs served
    routed: bool  # by the shipped routes
    pays_from: int | None  # all requests of a month

    @property
    def percent(self) -> str:
        """For the what-if's field."""
        return f"{self.share * 100:.1f}"


def task_rows(groups: Iterable[Mapping[str, Any]], inputs: Inputs) -> list[TaskRow]:
    """Tasks by requests, then all that the shipped routes send to our GPUs together."""
    sums: dict[str, list[int]] = {}
    for row in groups:
        counted = sums.setdefault(row["task"], [0, 0])
        counted[0] += row["requests"]
        counted[1] += row["requests"] if row["ours"] else 0
    total = sum(requests for requests, _own in sums.values())
    if not total:
        return []
    labels = dict(Task.choices)
    rows = [
        _task_row(str(labels.get(task, task)), counted, total, task in ROUTED, inputs)
        for task, counted in sorted(sums.items(), key=lambda item: -item[1][0])
    ]
    routed = [sum(counts) for counts in zip(*(sums[task] for task in ROUTED if task in sums), strict=True)]
    if routed:
        rows.append(_task_row(_("All that the shipped routes send to us"), routed, total, True, inputs))
    return rows


def _task_row(label: str, counted: list[int], total: int, routed: bool, inputs: Inputs) -> TaskRow:
    requests, own = counted
    share = Decimal(requests) / total
    crossings = find_all_crossings(replace(inputs, routable_share=share))
    into = next((crossing.requests_per_month for crossing in crossings if crossing.side_to == "selfhost"), None)
    return TaskRow(label, requests, share, Decimal(own) / requests if requests else Decimal(0), routed, into)


# --- other ways to rent --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OtherOffer:
    """A GPU that could be rented instead, with what the break-even would be."""

    name: str
    kind: str
    price: str
    inputs: Inputs
    result: Result
    pays_from: int | None
    measured: bool  # whether this GPU's capacity is known
    query: str  # of the what-if with this GPU
    curve_to: int

    @property
    def chart(self) -> dict[str, Any]:
        """Drawn on the scale of our own curve; only a few of the GPUs are."""
        return drawn(self.inputs, compute(self.inputs, curve_to=self.curve_to))


def others(inputs: Inputs, offers: Iterable[Offer], own_gpu: str, curve_to: int, book: UnitBook) -> list[OtherOffer]:
    """Each offer in the place of our GPU, the one that pays soonest first.

    How much a GPU serves is known for our own kind alone; of another there is one at every volume, and that is said.
    """
    rows = [_other(inputs, offer, own_gpu, curve_to, book) for offer in offers]
    return sorted(rows, key=lambda other: (other.pays_from is None, other.pays_from or 0))


def _other(inputs: Inputs, offer: Offer, own_gpu: str, curve_to: int, book: UnitBook) -> OtherOffer:
    own = replace(inputs.selfhost, **offered(offer, inputs, own_gpu, book))
    changed = replace(inputs, selfhost=own)
    result = compute(changed, curve_to=0)
    return OtherOffer(
        name=f"{PROVIDER_NAMES.get(offer.provider, offer.provider)} {offer.gpu}",
        kind=offer.get_kind_display(),
        price=usd(offer.whole_per_gpu_hour),
        inputs=changed,
        result=result,
        pays_from=next((c.requests_per_month for c in result.crossings if c.side_to == "selfhost"), None),
        measured=own.gpu_tokens_per_second is not None,
        query=f"gpu={offer_key(offer)}".replace(" ", "+"),
        curve_to=curve_to,
    )


def offered(offer: Offer, inputs: Inputs, own_gpu: str, book: UnitBook) -> dict[str, Any]:
    """What an offer changes in our side's inputs: the GPU, and what its vendor charges beside it."""
    same = offer.gpu == own_gpu
    speed = inputs.selfhost.gpu_tokens_per_second if same else None
    beside = asdict(book.of_offer(offer))
    return {"billing": "hourly", "gpu_hourly": offer.whole_per_gpu_hour, "gpu_tokens_per_second": speed, **beside}


def offer_key(offer: Offer) -> str:
    return f"{offer.provider}/{offer.gpu}/{offer.kind}"


# --- the run rate --------------------------------------------------------------------------------------------------


def run_rates(requests: Mapping[date, int], today: date, days: int = 60) -> list[tuple[date, int]]:
    """Requests of the 30 days before each of the last days, from the first day that has 30 before it."""
    if not requests:
        return []
    first = max(min(requests) + timedelta(days=MONTH), today - timedelta(days=days))
    span = (today - first).days
    return [(on, _rate(requests, on)) for n in range(span + 1) if (on := first + timedelta(days=n))]


def _rate(requests: Mapping[date, int], day: date) -> int:
    return sum(requests.get(day - timedelta(days=n), 0) for n in range(1, MONTH + 1))


def growth(rates: Sequence[tuple[date, int]]) -> Decimal | None:
    """Share by which the run rate grew in the last 30 days; None where there are not yet 30 to look back on."""
    if not rates:
        return None
    now, before = rates[-1][1], dict(rates).get(rates[-1][0] - timedelta(days=MONTH))
    return Decimal(now) / before - 1 if before else None


def rate_chart(rates: Sequence[tuple[date, int]], at: int | None, band: Decimal = Decimal("0.05")) -> dict[str, Any]:
    """The run rate's line with the crossing and the band in which no alert turns."""
    series = [{"name": _("run rate"), "style": "us", "points": list(rates)}]
    if at is None or not rates:
        return {"series": series, "bands": [], "limits": []}
    low, high = int(at * (1 - band)), int(at * (1 + band))
    edges = [(day, low, high) for day in (rates[0][0], rates[-1][0])]
    return {
        "series": series,
        "bands": [{"name": _("break-even, ±5 %"), "points": edges}],
        "limits": [{"y": at, "label": _("break-even %(n)s") % {"n": f"{at:,}"}, "style": "plan"}],
    }


def past_since(rates: Sequence[tuple[date, int]], at: int | None) -> date | None:
    """Since when the run rate has been at or past a crossing without a break; None where it is not, or always was."""
    if at is None or not rates or rates[-1][1] < at:
        return None
    below = [day for day, rate in rates if rate < at]
    return below[-1] + timedelta(days=1) if below else None
