"""Should we self-host? The live break-even at today's run rate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costs.breakeven import Inputs, Result, volume_saving
from costs.breakeven.engine import crossing_as_json
from costs.readiness.scorecard import Thresholds
from dashboard.overview.reads import Facts
from dashboard.overview.worth import Worth


@dataclass(frozen=True)
class SelfHosting:
    """`needed` is the saving a month that go or no-go asks for, `needed_at` the volume that brings it; USD."""

    inputs: Inputs
    result: Result
    leased: bool  # whether we rent a GPU that serves now
    own_requests: int  # of the last 30 days, served by our own
    worse: bool  # rated quality forbids calling it cheaper
    needed: Decimal
    needed_at: int | None

    @property
    def volume(self) -> int:
        return self.inputs.requests_per_month

    @property
    def crossing(self) -> int | None:
        """The volume from which our own GPUs pay: the last one passed, else the next."""
        into = [crossing.requests_per_month for crossing in self.result.crossings if crossing.side_to == "selfhost"]
        return max((at for at in into if at <= self.volume), default=min(into, default=None))

    @property
    def distance(self) -> int | None:
        """Requests a month past the crossing; negative before it."""
        return None if self.crossing is None else self.volume - self.crossing

    @property
    def to_go(self) -> int:
        return -(self.distance or 0)

    @property
    def saving(self) -> Decimal:
        return self.result.saving

    @property
    def loss(self) -> Decimal:
        return -self.result.saving

    @property
    def verdict(self) -> str:
        if not self.volume:
            return "none"
        if self.result.cheaper == "api":
            return "api"
        if self.worse:
            return "worse"
        return "pays" if self.saving > self.needed else "barely"

    @property
    def mark(self) -> str:
        return {"pays": "ok", "barely": "ok", "api": "info", "worse": "warn"}.get(self.verdict, "unknown")

    @property
    def curve(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"requests_per_month": at.requests_per_month, "api": at.api, "selfhost": at.selfhost, "gpus": at.gpus}
            for at in self.result.curve
        ]

    @property
    def crossings(self) -> Sequence[Mapping[str, Any]]:
        return [crossing_as_json(crossing, self.result.routed_share) for crossing in self.result.crossings]


def selfhosting(facts: Facts, worth: Worth) -> SelfHosting:
    needed = Thresholds().saving_monthly
    return SelfHosting(
        inputs=facts.inputs,
        result=facts.result,
        leased=any(row.lease_id and not row.lease.ended_at for row in facts.deployments if row.lease),
        own_requests=facts.traffic.own_requests,
        worse=worth.refuses,
        needed=needed,
        needed_at=volume_saving(facts.inputs, needed),
    )
