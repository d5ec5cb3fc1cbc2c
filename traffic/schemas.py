"""Shapes of traffic's answers in the JSON API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from lib.shapes import Usd


class TokensOut(Schema):
    uncached_input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int


class UsageGroupOut(Schema):
    key: str | None
    requests: int
    errors: int
    tokens: TokensOut
    cost: Usd
    unpriced_requests: int
    unknown_usage_requests: int


class UsageOut(Schema):
    groups: list[UsageGroupOut]


class TtftOut(Schema):
    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class LatencyGroupOut(TtftOut):
    count: int = Field(validation_alias="latency.count")
    p50_ms: float | None = Field(validation_alias="latency.p50_ms")
    p95_ms: float | None = Field(validation_alias="latency.p95_ms")
    p99_ms: float | None = Field(validation_alias="latency.p99_ms")
    key: str | None
    errors: int
    mean_ms: float | None
    output_tokens_per_second: float | None
    ttft: TtftOut


class LatencyOut(Schema):
    groups: list[LatencyGroupOut]


class HeatTimeOut(Schema):
    at: str
    counts: list[int]


class HeatOut(Schema):
    """How many requests of each hour or day fell into each band of latency. `upper_ms` are the ends of the bands. The
    last band has none, so that `counts` has one number more. A time without a measured request is missing."""

    upper_ms: list[int]
    times: list[HeatTimeOut]


class FailureOut(Schema):
    """`kind` is what the reporter called it, else its status."""

    key: str | None
    kind: str
    errors: int


class FailuresOut(Schema):
    groups: list[FailureOut]


class AgreementOut(Schema):
    """Krippendorff's alpha of what several raters judged, null where too little was. `items` were judged by several."""

    alpha: float | None
    metric: Literal["nominal", "ordinal"]
    raters: int
    items: int


class CriterionResultOut(Schema):
    """Marks of one criterion of one version of a rubric. `mean` is of a scale 1 to 5, of yes or no the share of yes."""

    rubric: str
    version: int
    key: str = Field(validation_alias="criterion.key")
    name: str = Field(validation_alias="criterion.name")
    kind: Literal["scale", "yes_no", "tags"] = Field(validation_alias="criterion.kind")
    n: int
    mean: float | None
    interval: tuple[float, float] | None
    tags: dict[str, int]


class QualityGroupOut(Schema):
    """`interval` is the 95 % interval of the share. A cost per accepted answer of null is not known."""

    key: str | None
    ratings: int
    raters: int
    acceptable_share: float
    interval: tuple[float, float]
    mean_stars: float | None
    cost_per_accepted_answer: Usd | None
    agreement: AgreementOut
    criteria: list[CriterionResultOut]


class QualityOut(Schema):
    groups: list[QualityGroupOut]


def whole(value: Any) -> Any:
    """1.0 is an integer in JSON, and some languages write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(whole), Field(strict=True)]
NO_NUL = "^[^\\x00]*$"


class FeedbackIn(Schema):
    """A judgement of one answer: score, stars or both."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "anyOf": [
                {"required": ["score"], "properties": {"score": {"type": "integer"}}},
                {"required": ["stars"], "properties": {"stars": {"type": "integer"}}},
            ]
        },
    )

    request_id: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
    score: Annotated[Whole, Field(ge=-1, le=1, description="1 good, 0 acceptable, -1 bad")] | None = None
    stars: Annotated[Whole, Field(ge=1, le=5)] | None = None
    comment: Annotated[str, Field(max_length=5_000, pattern=NO_NUL)] = ""
    by: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)] = "end-user"
    rubric: Annotated[int, Field(ge=1, le=2**62, strict=True, description="id of GET /rubrics")] | None = None
    marks: Annotated[
        dict[str, int | list[str]],
        Field(max_length=5, description="by key of a criterion: 1 to 5, 1 or 0 for yes or no, or a list of tags"),
    ] = {}

    @model_validator(mode="after")
    def judges(self) -> FeedbackIn:
        if self.score is None and self.stars is None:
            raise ValueError("Send a score (1, 0 or -1) or stars (1 to 5).")
        if self.marks and self.rubric is None:
            raise ValueError("Send the rubric that the marks are of.")
        return self


class FeedbackOut(Schema):
    """`request_id` is null while the request has not arrived."""

    id: str
    request_id: str | None


class CriterionOut(Schema):
    """`anchors` are the words for 1 to 5 of a scale, or the tags."""

    key: str
    name: str
    kind: Literal["scale", "yes_no", "tags"]
    anchors: list[str]


class RubricOut(Schema):
    """`task` is blank for a rubric that only queues use."""

    id: int
    name: str
    version: int
    task: str
    criteria: list[CriterionOut]


class RubricsOut(Schema):
    rubrics: list[RubricOut]


class RatingQueueOut(Schema):
    """`needed` and `rated` count ratings, not answers: an answer of the overlap needs several."""

    id: int = Field(validation_alias="queue.pk")
    name: str = Field(validation_alias="queue.name")
    question: str = Field(validation_alias="queue.question")
    sampling: str = Field(validation_alias="queue.sampling")
    ratings_per_answer: int = Field(validation_alias="queue.ratings_per_answer")
    overlap_percent: int = Field(validation_alias="queue.overlap_percent")
    closed: bool
    needed: int
    rated: int


class RatingQueuesOut(Schema):
    queues: list[RatingQueueOut]
