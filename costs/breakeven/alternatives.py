"""What could be routed or rented instead, each with its own break-even: task by task, and GPU by GPU. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, Result, compute
from costs.breakeven.engine import find_all_crossings
from costs.breakeven.own_costs import UnitBook
from costs.breakeven.page import drawn
from costs.breakeven.statement import usd
from lib.formats import count, sentences
from providers.models import Offer, provider_name
from traffic.models import Task

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

    def note(self) -> SafeString:
        price = _("%(price)s an hour.") % {"price": self.price}
        never, pays = _("Never pays."), _("Pays from %(n)s.") % {"n": count(self.pays_from)}
        unmeasured = "" if self.measured else _("Capacity not measured: one at every volume.")
        return sentences(price, never if self.pays_from is None else pays, unmeasured)

    @property
    def chart(self) -> dict[str, Any]:
        """Drawn on the scale of our own curve; only a few of the GPUs are."""
        return drawn(self.inputs, compute(self.inputs, curve_to=self.curve_to))


def others_headline(rows: Sequence[OtherOffer]) -> str:
    if not rows:
        return _("No offers of other GPUs are known")
    first = rows[0]
    if first.pays_from is None:
        return _("None of the GPUs on offer would pay")
    words = {"name": first.name, "n": count(first.pays_from)}
    return _("Of the GPUs on offer %(name)s would pay soonest, from %(n)s") % words


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
        name=f"{provider_name(offer.provider)} {offer.gpu}",
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
