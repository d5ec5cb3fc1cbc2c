"""What go or no-go is judged by: the thresholds that a team agreed on, and what was measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from costs.breakeven import Side
from costs.breakeven.band import Band
from costs.verdicts.amounts import about_requests
from lib.confidence_intervals import Interval
from traffic.comparisons.statistics import MARGIN
from traffic.models import Task
from traffic.quality.agreement import Agreement

ACCEPTED = Decimal("0.7")  # of a task's answers, by the lower end of Wilson's interval
GAP = -Decimal(repr(MARGIN))  # difference of both sides below which our quality is significantly worse
FEWEST_REQUESTS = 100  # behind a 95th percentile
FEWEST_SECONDS = 86_400  # watched before an uptime is told


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the team agreed on; the defaults are the research's."""

    quality_share: Decimal = Decimal("0.7")  # of the requests, by task
    ratings_per_task: int = 30
    first_token_p95_ms: Decimal = Decimal(500)
    saving_monthly: Decimal = Decimal(100)  # USD
    reliability: Decimal = Decimal("0.99")


@dataclass(frozen=True, slots=True)
class TaskQuality:
    """Ratings of our own deployments' answers for one task; acceptable: 4 stars or more, without stars a score >= 0."""

    task: str
    requests: int
    ratings: int
    acceptable: int
    served: bool = True  # by a GPU of ours, so that ratings of its answers can come

    @property
    def label(self) -> str:
        return str(dict(Task.choices).get(self.task, self.task))


@dataclass(frozen=True, slots=True)
class OpsWorkload:
    """What running our own deployments asked of people in 30 days; a limit of None is none."""

    incidents: int = 0
    hours: Decimal = Decimal(0)
    pages: int = 0  # alerts that called someone
    most_incidents: int | None = None
    most_hours: Decimal | None = None
    most_pages: int | None = None

    @property
    def limited(self) -> bool:
        return any(most is not None for _name, _value, most in self.rows)

    @property
    def rows(self) -> tuple[tuple[str, Decimal | int, Decimal | int | None], ...]:
        """Name, value and limit."""
        return (
            ("incidents", self.incidents, self.most_incidents),
            ("hours", self.hours, self.most_hours),
            ("pages", self.pages, self.most_pages),
        )

    @property
    def over(self) -> tuple[str, ...]:
        return tuple(name for name, value, most in self.rows if most is not None and value > most)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured. None is unknown, never 0."""

    tasks: tuple[TaskQuality, ...] = ()
    agreement: Agreement | None = None  # of those who rated our own answers; None: not known
    quality_gap: Interval | None = None  # ours minus the API's, paired, 95 %
    first_token_p95_ms: Decimal | None = None
    first_token_sample: int = 0
    first_token_interval: Interval | None = None
    end_to_end_p95_ms: Decimal | None = None
    saving_monthly: Decimal | None = None  # USD, allocated basis; negative where self-hosting costs more
    saving_interval: Interval | None = None  # by how much the traffic differs from day to day; None: too few days
    traffic_days: int = 0  # days of the window since its first request
    requests_per_month: int | None = None
    cheaper: Side | None = None  # at that volume
    crossing: int | None = None  # requests a month from which self-hosting costs no more
    volume_for_saving: int | None = None  # requests a month at which the saving is reached
    band: Band | None = None  # around both volumes; None: too few days
    uptime: Decimal | None = None  # share
    observed_seconds: int = 0
    checks: int = 0
    uptime_interval: Interval | None = None  # 95 %, by the checks
    ops_workload: OpsWorkload = OpsWorkload()
    too_complex: str = ""  # a person's reason; empty: nobody ticked it
    private: bool = False
    fine_tuned: bool = False

    def pays_from(self) -> str:
        """The crossing with its interval; empty where there is none."""
        return about_requests(self.crossing, self.band.crossing_ends(self.crossing) if self.band else None)

    def saves_from(self) -> str:
        """The volume at which the saving is reached, with its interval; empty where none reaches it."""
        return about_requests(self.volume_for_saving, self.band.goal_ends if self.band else None)
