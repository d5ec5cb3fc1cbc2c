"""Query parameters that every read of the JSON API takes."""

from __future__ import annotations

from typing import Annotated

from django.utils import timezone
from ninja import Schema
from pydantic import Field

from providers.models import Deployment
from providers.rest.periods import MOMENT, Period, parse_period
from traffic.filters import Filters, ids
from traffic.models import Application

Text = Annotated[str, Field(max_length=200, pattern="^[^\\x00]*$")]
Moment = Annotated[str | None, Field(pattern=MOMENT)]


class PeriodQuery(Schema):
    """`from` inclusive, `to` exclusive; missing = the current month to date."""

    since: Moment = Field(None, alias="from")
    until: Moment = Field(None, alias="to")

    def parsed(self) -> Period:
        return parse_period(self.since, self.until, timezone.now())


class FilterQuery(Schema):
    """Each repeatable; several values of one are alternatives."""

    provider: list[Text] = []
    model: list[Text] = []
    application: list[Text] = []
    task: list[Text] = []
    deployment: list[Text] = []

    def parsed(self) -> Filters:
        return Filters(
            provider=list(self.provider),
            model=list(self.model),
            application=ids(Application, self.application),
            task=list(self.task),
            deployment=ids(Deployment, self.deployment),
        )
