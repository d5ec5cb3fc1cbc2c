"""Query parameters that every read of the JSON API takes."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from django.utils import timezone
from ninja import Schema
from pydantic import Field

from lib.errors import ApiError, at
from lib.periods import MOMENT, Period, moment, month_days, parse_period
from traffic.marks.rules import bits_of
from traffic.models import Outcome
from traffic.requests.request_filter import Range, RequestFilter
from traffic.usage.filters import Filters

Text = Annotated[str, Field(max_length=200, pattern="^[^\\x00]*$")]
Moment = Annotated[str | None, Field(pattern=MOMENT)]
Month = Annotated[str | None, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$", description="YYYY-MM")]


class PeriodQuery(Schema):
    """`from` is inclusive, `to` exclusive, or one whole `month`. Without them the current month to date."""

    since: Moment = Field(None, alias="from")
    until: Moment = Field(None, alias="to")
    month: Month = None

    def parsed(self) -> Period:
        """Raises ApiError (422) where a month and a bound name two periods."""
        if not self.month:
            return parse_period(self.since, self.until, timezone.now())
        if self.since or self.until:
            raise ApiError(422, "Name `month` or `from` and `to`.", [at(["query", "month"], "Not beside a bound.")])
        first, end = month_days(self.month)
        return parse_period(first.isoformat(), end.isoformat(), timezone.now())


class FilterQuery(Schema):
    """Each may be repeated. Several values of one are alternatives."""

    provider: list[Text] = []
    model: list[Text] = []
    application: list[Text] = []
    task: list[Text] = []
    deployment: list[Text] = []

    def parsed(self) -> Filters:
        return Filters.of_values(lambda name: list(getattr(self, name)))


Day = Annotated[str | None, Field(pattern="^\\d{4}-\\d{2}-\\d{2}$", description="YYYY-MM-DD, a day in UTC")]
MarkSlug = Literal["invalid_json", "refusal", "empty", "other_language", "truncated", "repetition"]
Bound = Annotated[Decimal | None, Field(ge=0, lt=10**15, allow_inf_nan=False)]


class RequestQuery(FilterQuery):
    """Which requests, as the filters of the Requests page. `to` is exclusive, ranges include both ends."""

    since: Day = Field(None, alias="from")
    until: Day = Field(None, alias="to")
    outcome: list[Outcome] = []
    mark: list[MarkSlug] = []
    unpriced: bool = False
    unknown_usage: bool = False
    told_otherwise: bool = False
    rated: bool = False
    cost_from: Bound = None
    cost_to: Bound = None
    latency_from: Bound = None
    latency_to: Bound = None
    ttft_from: Bound = None
    ttft_to: Bound = None

    def request_filter(self) -> RequestFilter:
        """Raises ApiError (422) for what is no day."""
        return RequestFilter(
            filters=self.parsed(),
            outcomes=[str(outcome) for outcome in self.outcome],
            marks=bits_of(self.mark),
            unpriced=self.unpriced,
            unknown_usage=self.unknown_usage,
            told_otherwise=self.told_otherwise,
            rated=self.rated,
            cost=Range(self.cost_from, self.cost_to),
            latency_ms=Range(self.latency_from, self.latency_to),
            ttft_ms=Range(self.ttft_from, self.ttft_to),
            since=moment(self.since, "from").date() if self.since else None,
            until=moment(self.until, "to").date() if self.until else None,
        )
