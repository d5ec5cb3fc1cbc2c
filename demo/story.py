"""What happened when: the demo company's six months as functions of the day.

Everything hangs on one anchor, the first day of the month in which the demo was first started. Months are numbered 0
to 5, 5 being the anchor's; after it the company stays at its size. A moment inside a day is in milliseconds since
midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from demo import company
from demo.company import HAIKU_4_5, MISTRAL_7B, SONNET_4_5, SONNET_5_5, UNPRICED, Application, Served, Work

MONTHS = 6
HOUR = 3_600_000
DAY = 24 * HOUR
SONNET_4_5_RETIRES = date(2026, 11, 30)

# Requests a month at the first and the last day of each month.
VOLUME = (
    (18_000, 25_000),
    (26_000, 42_000),
    (43_000, 66_000),
    (67_000, 97_000),
    (122_000, 145_000),
    (147_000, 153_000),
)
# The part of each application in it: how the younger ones came up, and the nightly job that grew with the own GPU.
SHARES: dict[str, tuple[float, ...]] = {
    "support-rag": (0.44, 0.43, 0.40, 0.38, 0.30, 0.30),
    "docs-qa": (0.26, 0.25, 0.24, 0.23, 0.17, 0.17),
    "site-chat": (0.26, 0.25, 0.24, 0.24, 0.167, 0.167),
    "code-helper": (0.0, 0.03, 0.06, 0.08, 0.085, 0.085),
    "analyst": (0.0, 0.0, 0.02, 0.03, 0.035, 0.035),
    "nightly-summaries": (0.04, 0.04, 0.04, 0.04, 0.243, 0.243),
}
# Prompts and answers grew as the teams learned what they could ask; longer ones came with the own GPU.
SIZES = (0.56, 0.53, 0.50, 0.46, 1.0, 1.0)
# How much of the simple work had moved from Sonnet to Haiku.
ON_HAIKU = (0.30, 0.55, 0.78, 0.93, 0.93, 0.93)
CHAT_ON_HAIKU = (0.30, 0.55, 0.78, 0.92, 0.66, 0.66)
SIMPLE = frozenset({"rag", "qa", "batch"})

Mix = tuple[tuple[float, Served], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a day."""

    start: int
    end: int

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, int) and self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Trouble(Window):
    """A failure of what serves; `hard` means that nothing answers, else that a part of the requests fails."""

    deployment: str
    cause: str
    hard: bool = True


@dataclass(frozen=True)
class Story:
    anchor: date

    @cached_property
    def starts(self) -> tuple[date, ...]:
        """The first day of each of the six months, and of the one after."""
        first = self.anchor.replace(day=1)
        return tuple(add_months(first, step) for step in range(1 - MONTHS, 2))

    def month_of(self, day: date) -> int:
        """Which month of the story a day is in; 5 for any later one, 0 for any earlier one."""
        return max(0, min(MONTHS - 1, sum(day >= start for start in self.starts) - 1))

    @property
    def first_day(self) -> date:
        return self.starts[0]

    @property
    def hybrid_from(self) -> date:
        """The second phase: the own GPU in production."""
        return self.starts[4]

    @property
    def trial_from(self) -> date:
        """The proof of concept, two weeks before production."""
        return self.hybrid_from - timedelta(days=14)

    @property
    def evaluation_from(self) -> date:
        return self.trial_from - timedelta(days=14)

    def volume(self, day: date) -> float:
        """Requests a month (of 30 days) at the pace of this day, over all applications."""
        month = self.month_of(day)
        low, high = VOLUME[month]
        if day >= self.starts[MONTHS]:
            return (low + high) / 2
        length = (self.starts[month + 1] - self.starts[month]).days
        return low + (high - low) * (day - self.starts[month]).days / (length - 1)

    def requests(self, application: Application, day: date) -> float:
        """How many requests an application sends on a day, before chance."""
        if application.clock == "night" and self.idle(day):
            return 0.0  # the nightly job waited until the route was on again
        mean_weekday = (5 + 2 * application.weekend) / 7
        weekday = application.weekend if day.weekday() >= 5 else 1.0
        return self.volume(day) * SHARES[application.slug][self.month_of(day)] / 30 * weekday / mean_weekday

    def sonnet(self, day: date) -> Served:
        return SONNET_5_5 if day >= self.starts[3] else SONNET_4_5

    def claude_mix(self, application: Application, work: Work, day: date) -> Mix:
        """What serves this work while the own GPU does not."""
        month, sonnet = self.month_of(day), self.sonnet(day)
        if work.task in SIMPLE or work.task == "chat":
            haiku = (ON_HAIKU if work.task in SIMPLE else CHAT_ON_HAIKU)[month]
            if application.slug == "code-helper":
                haiku = 0.0
            return ((haiku, HAIKU_4_5), (1 - haiku, sonnet))
        if application.slug == "analyst" and sonnet is SONNET_5_5 and day < SONNET_4_5_RETIRES:
            return ((0.05, SONNET_4_5), (0.95, SONNET_5_5))  # one report still pins the old model
        return ((1.0, sonnet),)

    def mix(self, application: Application, work: Work, day: date) -> tuple[tuple[Window, Mix], ...]:
        """What serves this work, by stretch of the day; the first one that holds a moment counts."""
        claude = self.claude_mix(application, work, day)
        whole = Window(0, DAY)
        if application.slug == "analyst" and work.task == "other" and self.tries_a_preview(day):
            return ((Window(9 * HOUR, 18 * HOUR), ((0.8, UNPRICED), (0.2, self.sonnet(day)))), (whole, claude))
        if work.task not in SIMPLE:
            return ((whole, claude),)
        if self.on_trial(day) and application.slug == "support-rag":
            return (
                (TRIAL_HOURS, ((0.6, MISTRAL_7B), *((0.4 * part, served) for part, served in claude))),
                (whole, claude),
            )
        if day < self.hybrid_from or self.idle(day):
            return ((whole, claude),)
        down = tuple((trouble, claude) for trouble in self.troubles(day) if trouble.deployment == MISTRAL_7B.deployment)
        return (*down, (whole, ((1.0, MISTRAL_7B),)))

    def on_trial(self, day: date) -> bool:
        """A working day of the proof of concept, when its pod is rented by day."""
        return self.trial_from <= day < self.hybrid_from and day.weekday() < 5

    def idle(self, day: date) -> bool:
        """The weekend on which the route was switched off and the pod was left running."""
        saturday = first_weekday(self.starts[4] + timedelta(days=7), 5)
        return day in (saturday, saturday + timedelta(days=1))

    @property
    def contract_from(self) -> date:
        """Since when a contract takes something off a model's list price; it was entered on the anchor's day."""
        return self.anchor - timedelta(days=6)

    @property
    def cache_mended_on(self) -> date:
        """The day on which the analyst stopped writing an hour's cache that nobody could read again."""
        return self.hybrid_from + timedelta(days=15)

    def cache_lost(self, application: Application, day: date) -> bool:
        """Days on which a time stamp at the head of the prompt made every request write the cache anew."""
        if application.slug == "analyst":
            return self.hybrid_from <= day < self.cache_mended_on
        monday = first_weekday(self.starts[4] + timedelta(days=18), 0)
        return application.slug == "code-helper" and monday <= day < monday + timedelta(days=3)

    def tries_a_preview(self, day: date) -> bool:
        """The days around the turn of the month on which a preview model without a price was tried."""
        return self.starts[5] - timedelta(days=4) <= day < self.starts[5] + timedelta(days=4)

    def troubles(self, day: date) -> tuple[Trouble, ...]:
        return self.all_troubles.get(day, ())

    @cached_property
    def all_troubles(self) -> dict[date, tuple[Trouble, ...]]:
        """Every failure of the story by its day; the last months, because that is what pages show."""
        old, last, this = self.starts[2], self.starts[4], self.starts[5]
        mistral, sonnet, haiku = MISTRAL_7B.deployment, SONNET_5_5.deployment, HAIKU_4_5.deployment
        return {
            first_weekday(old + timedelta(days=9), 2): (
                Trouble(span(15, 5), span(15, 31), SONNET_4_5.deployment, "529 overloaded_error"),
            ),
            first_weekday(last + timedelta(days=12), 2): (
                Trouble(span(9, 40), span(12, 15), mistral, "connection refused: the pod's host was rebooted"),
            ),
            first_weekday(this + timedelta(days=2), 1): (
                Trouble(span(14, 12), span(14, 54), sonnet, "529 overloaded_error", hard=False),
                Trouble(span(14, 20), span(14, 41), haiku, "529 overloaded_error", hard=False),
            ),
            first_weekday(this + timedelta(days=8), 3): (
                Trouble(span(10, 26), span(11, 3), mistral, "HTTP 500 from /health: CUDA out of memory"),
            ),
        }

    def pods(self, now: datetime) -> list[tuple[str, datetime, datetime | None]]:
        """Each stretch in which a pod was rented: its id, from, to (None while it runs)."""
        rented: list[tuple[str, datetime, datetime | None]] = []
        day = self.trial_from
        while day < self.hybrid_from:
            if self.on_trial(day):
                rented.append((company.TRIAL_POD_ID, moment(day, TRIAL_HOURS.start), moment(day, TRIAL_HOURS.end)))
            day += timedelta(days=1)
        rented.append((company.POD_ID, moment(self.hybrid_from, 0), None))
        return [(pod, start, end if end and end <= now else None) for pod, start, end in rented if start <= now]


def span(hour: int, minute: int) -> int:
    """A clock time as milliseconds since midnight."""
    return hour * HOUR + minute * 60_000


TRIAL_HOURS = Window(span(8, 0), span(20, 0))


def moment(day: date, milliseconds: int) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def add_months(first: date, count: int) -> date:
    """The first day of the month `count` months from `first`'s."""
    months = first.year * 12 + first.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def first_weekday(day: date, weekday: int) -> date:
    """The first day at or after `day` that is this weekday (Monday is 0)."""
    return day + timedelta(days=(weekday - day.weekday()) % 7)
