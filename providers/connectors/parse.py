"""Numbers, times and texts as vendors write them, into ours; whatever is no possible value is a ValueError."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

# numeric(20,12) holds eight digits before the point; no honest price or bill line comes near.
MOST_MONEY = Decimal(10) ** 8


def redact(text: str, secret: str) -> str:
    """Take a key, and every line of a longer one, out of a text: a vendor's own words may repeat it."""
    lines = {line.strip() for line in [secret, *secret.replace("\\n", "\n").splitlines()]}
    for line in sorted(lines, key=len, reverse=True):
        if len(line) >= 8:
            text = text.replace(line, "[key]")
    return text


def money(value: object, *, signed: bool = False, per: int = 1) -> Decimal:
    """Decimal USD from a JSON number or string; `per` is 100 for cents.

    Raises ValueError for what is no amount: NaN, infinity, a boolean, null, more than the column holds, and below zero
    unless `signed`.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | float | Decimal):
        raise ValueError(f"no amount: {value!r}")
    try:
        amount = Decimal(str(value)) / per
    except InvalidOperation:
        raise ValueError(f"no amount: {str(value)[:40]!r}") from None
    if not amount.is_finite() or abs(amount) >= MOST_MONEY:
        raise ValueError(f"no possible amount: {str(value)[:40]}")
    if amount < 0 and not signed:
        raise ValueError(f"a price below zero: {amount}")
    return amount


def whole(value: object) -> int:
    """A count, not below zero. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float | str):
        raise ValueError(f"no count: {value!r}")
    number = int(value)
    if number < 0 or number > 2**63 - 1:
        raise ValueError(f"no possible count: {number}")
    return number


def moment(value: object) -> datetime:
    """An aware UTC datetime from RFC 3339 text or Unix seconds. A time without a zone is refused."""
    if isinstance(value, datetime):
        parsed = value
    elif isinstance(value, str):
        parsed = datetime.fromisoformat(value)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        parsed = datetime.fromtimestamp(float(value), UTC)
    else:
        raise ValueError(f"no time: {value!r}")
    if parsed.tzinfo is None:
        raise ValueError(f"a time without a zone: {value}")
    return parsed.astimezone(UTC)


def usd_only(currency: object) -> str:
    """Refuse what is not USD: a sum in another currency, added to dollars, is wrong without a sign of it."""
    if currency != "USD":
        raise ValueError(f"an amount in {str(currency)[:10]}, not in USD")
    return "USD"


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(at: datetime) -> datetime:
    return hour_of(at).replace(hour=0)


def chunks(since: datetime, until: datetime, size: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Cut a period into parts that a vendor answers in one query."""
    while since < until:
        end = min(since + size, until)
        yield since, end
        since = end


def days(since: datetime, until: datetime, *, single: int = 45) -> Iterator[tuple[datetime, datetime]]:
    """Whole days, one by one lately; what is older than `single` of them comes in parts of thirty.

    For vendors that add a window up: a year of single days would be a call for each.
    """
    start = day_of(since)
    recent = max(start, day_of(until - timedelta(days=single)))
    yield from chunks(start, recent, timedelta(days=30))
    yield from ((day, day + timedelta(days=1)) for day, _end in chunks(recent, until, timedelta(days=1)))
