"""The break-even of each task if only that task were routed, and of each other GPU that could be rented. No queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, Result, cells, compute
from costs.breakeven.band import Band, Spread
from costs.breakeven.counterfactual import ROUTED_TASKS
from costs.breakeven.crossings import first_into_selfhost
from costs.breakeven.decimals import decimal
from costs.breakeven.engine import costs_of, find_all_crossings
from costs.breakeven.own_costs import UnitBook
from costs.breakeven.page import drawn
from costs.breakeven.saving import Saving, saving_of, whole_band
from costs.breakeven.statement import usd
from costs.verdicts.amounts import about_requests
from lib.formats import sentences
from providers.models import Offer, provider_name
from traffic.models import Task

# --- task by task ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task's part of the traffic in the last 30 days, and the break-even if only this task were routed."""

    label: str
    requests: int
    share: Decimal  # of all requests, 0 to 1
    own: Decimal  # share of the task's requests that our own GPUs served, 0 to 1
    routed: bool  # whether the shipped routes send this task to our own GPUs
    pays_from: int | None  # requests a month of all tasks from which our own GPUs pay; None: they never pay
    task: str = ""  # empty: of several tasks
    band: Band | None = None  # around `pays_from`

    def pays_from_cell(self) -> SafeString:
        return cells.volume(self.pays_from, self.band)

    @property
    def percent(self) -> str:
        """The share in per cent with one decimal, as the what-if form takes it."""
        return f"{self.share * 100:.1f}"


def task_rows(groups: Iterable[Mapping[str, Any]], inputs: Inputs, spread: Spread | None = None) -> list[TaskRow]:
    """One row for each task, most requests first; the last row adds up the tasks that the shipped routes send to us.

    `groups` have the keys `task`, `requests` and `ours`, as `Traffic.groups`.
    """
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
        _task_row(
            str(labels.get(task, task)), counted, total, task in ROUTED_TASKS, only_task(inputs, task), spread, task
        )
        for task, counted in sorted(sums.items(), key=lambda item: -item[1][0])
    ]
    routed = [sum(counts) for counts in zip(*(sums[task] for task in ROUTED_TASKS if task in sums), strict=True)]
    if routed:
        label = _("All tasks that the built-in routes send to self-hosted models")
        rows.append(_task_row(label, routed, total, True, inputs, spread))
    return rows


def only_task(inputs: Inputs, task: str) -> Inputs:
    """The inputs if only this task were routed: its requests cost on the API what the task's own tokens cost there."""
    cost = next((row for row in inputs.tasks if row.task == task and row.cost_per_request is not None), None)
    mean = decimal(costs_of(inputs).api_request)
    if inputs.routed is None or cost is None or cost.cost_per_request is None or not mean:
        return inputs
    share = Decimal(cost.requests) / sum(row.requests for row in inputs.tasks)
    return replace(inputs, routed=replace(inputs.routed, share=share, factor=cost.cost_per_request / mean, other=None))


def _task_row(
    label: str,
    counted: list[int],
    total: int,
    routed: bool,
    inputs: Inputs,
    spread: Spread | None,
    task: str = "",
) -> TaskRow:
    requests, own = counted
    share = Decimal(requests) / total
    routable = replace(inputs, routable_share=share)
    into = first_into_selfhost(find_all_crossings(routable))
    around = whole_band(routable, spread, goals=False)
    return TaskRow(
        label, requests, share, Decimal(own) / requests if requests else Decimal(0), routed, into, task, around
    )


# --- other ways to rent --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OtherOffer:
    """A GPU that could be rented instead of ours, with the break-even that it would give."""

    name: str
    kind: str
    price: str
    inputs: Inputs
    result: Result
    pays_from: int | None
    measured: bool  # whether this GPU's tokens a second are known
    query: str  # query string of the what-if with this GPU
    curve_to: int  # last volume of the chart, requests a month
    saving: Saving | None = None  # at our run rate

    @property
    def band(self) -> Band | None:
        return self.saving.band if self.saving else None

    def pays_from_words(self) -> str:
        """The crossing with its interval; empty where there is none."""
        return about_requests(self.pays_from, self.band.crossing_ends(self.pays_from) if self.band else None)

    def pays_from_cell(self) -> SafeString:
        return cells.volume(self.pays_from, self.band)

    def saved(self) -> SafeString:
        return cells.saved(self.saving)

    def note(self) -> SafeString:
        price = _("%(price)s an hour.") % {"price": self.price}
        never, pays = _("Never cheaper."), _("Cheaper above %(n)s.") % {"n": self.pays_from_words()}
        if self.band and self.pays_from is None and self.band.crossing_low is not None:
            never = _("Too close to call.")
        unmeasured = "" if self.measured else _("Capacity not measured: one GPU assumed at every volume.")
        return sentences(price, never if self.pays_from is None else pays, unmeasured)

    @property
    def chart(self) -> dict[str, Any]:
        """The curve for the chart tag, on the scale of our own. Computed only when read: the page draws few of them."""
        return drawn(self.inputs, compute(self.inputs, curve_to=self.curve_to))


def others_headline(rows: Sequence[OtherOffer]) -> str:
    if not rows:
        return _("No offers of other GPUs are known")
    first = rows[0]
    if first.pays_from is None:
        return _("No GPU on offer would be cheaper than the API")
    words = {"name": first.name, "n": first.pays_from_words()}
    return _("Lowest break-even of the GPUs on offer: %(name)s, %(n)s") % words


def others(
    inputs: Inputs,
    offers: Iterable[Offer],
    own_gpu: str,
    curve_to: int,
    book: UnitBook,
    spread: Spread | None = None,
) -> list[OtherOffer]:
    """The break-even with each offer in the place of our GPU; the offer with the lowest crossing comes first.

    Tokens a second are known only for our own kind of GPU. For another kind we assume one GPU at every volume, and
    `OtherOffer.measured` is False.
    """
    rows = [_other(inputs, offer, own_gpu, curve_to, book, spread) for offer in offers]
    return sorted(rows, key=lambda other: (other.pays_from is None, other.pays_from or 0))


def _other(
    inputs: Inputs, offer: Offer, own_gpu: str, curve_to: int, book: UnitBook, spread: Spread | None
) -> OtherOffer:
    own = replace(inputs.selfhost, **offered(offer, inputs, own_gpu, book))
    changed = replace(inputs, selfhost=own)
    result = compute(changed, curve_to=0)
    return OtherOffer(
        name=f"{provider_name(offer.provider)} {offer.gpu}",
        kind=offer.get_kind_display(),
        price=usd(offer.whole_per_gpu_hour),
        inputs=changed,
        result=result,
        pays_from=first_into_selfhost(result.crossings),
        measured=own.gpu_tokens_per_second is not None,
        query=f"gpu={offer_key(offer)}".replace(" ", "+"),
        curve_to=curve_to,
        saving=saving_of(changed, spread, goals=False),
    )


def offered(offer: Offer, inputs: Inputs, own_gpu: str, book: UnitBook) -> dict[str, Any]:
    """The fields of `SelfHost` that an offer changes: the GPU's price and speed, and the vendor's charges besides."""
    same = offer.gpu == own_gpu
    speed = inputs.selfhost.gpu_tokens_per_second if same else None
    beside = asdict(book.of_offer(offer))
    return {"billing": "hourly", "gpu_hourly": offer.whole_per_gpu_hour, "gpu_tokens_per_second": speed, **beside}


def offer_key(offer: Offer) -> str:
    return f"{offer.provider}/{offer.gpu}/{offer.kind}"
