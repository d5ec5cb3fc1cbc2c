"""Periods as every read takes them: `from` inclusive, `to` exclusive, days or moments; missing = this month to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from lib.errors import ApiError, at

# As the schema states it; the parser below decides.
MOMENT = r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?)?$"


@dataclass(frozen=True)
class Period:
    """A half-open span in UTC, never empty the wrong way round."""

    since: datetime
    until: datetime

    @property
    def first_day(self) -> date:
        return self.since.date()

    @property
    def end_day(self) -> date:
        """The day after the last one that the period touches."""
        return self.until.date() if self.until.time() == time.min else self.until.date() + timedelta(days=1)

    @property
    def whole_days(self) -> bool:
        return self.since.time() == time.min and self.until.time() == time.min


def parse_period(since: str | None, until: str | None, now: datetime) -> Period:
    """Raises ApiError (422) for what is no time, or a `to` before its `from`."""
    start = moment(since, "from") if since else now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = moment(until, "to") if until else tomorrow(now)
    if end < start:
        raise ApiError(422, "`to` lies before `from`.", [at(["query", "to"], "Must not be before `from`.")])
    return Period(start.astimezone(UTC), end.astimezone(UTC))


def tomorrow(now: datetime) -> datetime:
    """The end of today: "to date" holds all of it, so that the newest request is in."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time.min, UTC)


def moment(text: str, name: str) -> datetime:
    """A day as its first moment, or an RFC 3339 time."""
    try:
        instant = datetime.fromisoformat(text.upper().replace("Z", "+00:00") if "T" in text.upper() else text)
        instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        message = "Must be YYYY-MM-DD or a time as in RFC 3339."
        raise ApiError(422, f"`{name}` is no time: {text!r}.", [at(["query", name], message)]) from None


def month_days(month: str) -> tuple[date, date]:
    """First day of a month `YYYY-MM` and of the next. Raises ApiError (422)."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise ApiError(422, "A month is written YYYY-MM.", [at(["query", "month"], "Must be YYYY-MM.")]) from None
    return first, next_month(first)


def next_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
