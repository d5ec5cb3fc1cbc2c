"""Traffic's part of the JSON API: requests and ratings in; usage, latency and quality out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from ninja import Query, Router, Schema

from lib.errors import ApiError, at
from lib.shapes import READ_ERRORS, Error
from traffic.authentication.access import caller_of, needs
from traffic.feedback_links.api import router as feedback_links
from traffic.ingest.body import read_body
from traffic.ingest.dropped_signals import count_refused
from traffic.ingest.native import MAX_BYTES, ingest_native
from traffic.ingest.openapi import batch_schema
from traffic.ingest.refusals import log_refused
from traffic.latency import queries as latency_reports
from traffic.quality import queries as quality
from traffic.quality.criteria import by_criterion
from traffic.quality.shared_answers import shared
from traffic.queues import queries as queues
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement
from traffic.requests.export import KINDS, NotInstalled, as_file, export
from traffic.requests.query_params import FilterQuery, PeriodQuery, RequestQuery
from traffic.retention_settings import current_retention
from traffic.rubrics import queries as rubrics
from traffic.rubrics.criteria import criteria_of, marks_of
from traffic.schemas import (
    FailuresOut,
    FeedbackIn,
    FeedbackOut,
    HeatOut,
    LatencyOut,
    QualityOut,
    RatingQueuesOut,
    RubricsOut,
    UsageOut,
)
from traffic.trials.api import router as trials
from traffic.usage import reports
from traffic.usage.reports import GroupBy

router = Router(tags=["traffic"])
router.add_router("", trials)
router.add_router("", feedback_links)


class RowErrors(Schema):
    """Why one row of a batch was not stored."""

    index: int
    errors: list[dict[str, Any]]


class IngestAnswer(Schema):
    accepted: int
    duplicates: int
    rejected: list[RowErrors]


@router.post(
    "/requests",
    auth=needs("ingest"),
    response={200: IngestAnswer, **dict.fromkeys((400, 401, 403, 413, 415, 429, 503), Error)},
    summary="Store requests. The answer follows the commit",
    description="Rows that do not fit the schema are named in `rejected`. The others are stored, and the answer is "
    "200. It is 400 where there is no list of requests, and 413 where it has too many.",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": batch_schema()}}},
    },
)
def post_requests(request: HttpRequest) -> JsonResponse:
    caller = caller_of(request)
    try:
        answer = ingest_native(body=read_body(request, MAX_BYTES), caller=caller, now=timezone.now())
    except ApiError as error:
        log_refused(request, "native", error)
        raise
    count_refused(answer["rejected"], "native", caller.application_id)
    return JsonResponse(answer)


@router.get("/usage", auth=needs("read"), response={200: UsageOut, **READ_ERRORS}, summary="Requests, tokens and cost")
def get_usage(
    request: HttpRequest, filters: Query[FilterQuery], period: Query[PeriodQuery], group_by: GroupBy = "provider"
) -> Any:
    return {"groups": reports.usage(period.parsed(), group_by, filters.parsed())}


FILES = {kind.media_type.split(";")[0]: {"schema": {"type": "string"}} for kind in KINDS.values()}


@router.get(
    "/export/requests",
    auth=needs("read"),
    response={200: None, **READ_ERRORS},
    openapi_extra={"responses": {200: {"content": FILES}}},
    summary="Every request that passes the filters, as a file that is written while it is read",
    description="The days from `from` to `to`, without them all that are kept. No prompts, answers or raw records. "
    "Parquet needs the extra `parquet`: without it the answer is 422.",
)
def get_requests_file(
    request: HttpRequest, filters: Query[RequestQuery], format: Literal["csv", "jsonl", "parquet"] = "jsonl"
) -> Any:
    kind = KINDS[format]
    try:
        parts = export(kind, filters.request_filter(), retention_days=current_retention().requests, money=True)
    except NotInstalled as error:
        raise ApiError(422, str(error), [at(["query", "format"], str(error))]) from None
    return as_file(parts, kind)


@router.get("/latency", auth=needs("read"), response={200: LatencyOut, **READ_ERRORS}, summary="Latency and TTFT")
def get_latency(
    request: HttpRequest, filters: Query[FilterQuery], period: Query[PeriodQuery], group_by: GroupBy = "provider"
) -> Any:
    return {"groups": reports.latency(period.parsed(), group_by, filters.parsed())}


@router.get(
    "/latency/heat",
    auth=needs("read"),
    response={200: HeatOut, **READ_ERRORS},
    summary="How many requests took how long, over time",
    description="The bands of the heat map, counted from the log buckets. A band's end is moved by 1 % at most.",
)
def get_latency_heat(
    request: HttpRequest, filters: Query[FilterQuery], period: Query[PeriodQuery], step: latency_reports.Step = "day"
) -> Any:
    by_time = latency_reports.heat(period.parsed(), step, filters.parsed())
    return {
        "upper_ms": latency_reports.BANDS,
        "times": [{"at": at, "counts": counts} for at, counts in by_time.items()],
    }


@router.get(
    "/errors",
    auth=needs("read"),
    response={200: FailuresOut, **READ_ERRORS},
    summary="Failed requests by group and what went wrong",
)
def get_errors(
    request: HttpRequest, filters: Query[FilterQuery], period: Query[PeriodQuery], group_by: GroupBy = "provider"
) -> Any:
    return {"groups": latency_reports.failures(period.parsed(), group_by, filters.parsed())}


@router.post(
    "/feedback",
    auth=needs("rate"),
    response={200: FeedbackOut, **dict.fromkeys((400, 401, 403, 422, 429, 503), Error)},
    summary="Judge one answer, by our id or the vendor's response id",
)
def post_feedback(request: HttpRequest, feedback: FeedbackIn) -> Any:
    rubric = rubrics.rubric_for("", feedback.rubric) if feedback.rubric is not None else None
    try:
        marks = marks_of(criteria_of(rubric.criteria) if rubric else [], feedback.marks)
    except ValueError as error:
        raise ApiError(422, str(error), [at(["body", "feedback", "marks"], str(error))]) from None
    if rubric is None and feedback.rubric is not None:
        sentence = "No rubric has this id."
        raise ApiError(422, sentence, [at(["body", "feedback", "rubric"], sentence)])
    judgement = Judgement(
        feedback.by, feedback.score, feedback.stars, feedback.comment, rubric_id=rubric.pk if rubric else None,
        marks=marks,
    )  # fmt: skip
    rating = ratings.receive(identifier=feedback.request_id, judgement=judgement, caller=caller_of(request))
    return {"id": str(rating.pk), "request_id": None if rating.request_id is None else str(rating.request_id)}


@router.get(
    "/quality",
    auth=needs("read"),
    response={200: QualityOut, **READ_ERRORS},
    summary="How good answers are, as people rate them",
)
def get_quality(
    request: HttpRequest,
    filters: Query[FilterQuery],
    period: Query[PeriodQuery],
    group_by: quality.GroupBy = "deployment",
) -> Any:
    asked_for, wanted = period.parsed(), filters.parsed()
    groups = quality.quality(asked_for, group_by, wanted, agreed=shared(asked_for, wanted).agreed)
    by_key = by_criterion(asked_for, group_by, wanted)
    return {"groups": [replace(group, criteria=by_key.get(group.key, ())) for group in groups]}


@router.get(
    "/rubrics",
    auth=needs("read"),
    response={200: RubricsOut, **READ_ERRORS},
    summary="The criteria by which answers are rated",
)
def get_rubrics(request: HttpRequest) -> Any:
    return {"rubrics": rubrics.current()}


@router.get(
    "/rating-queues",
    auth=needs("read"),
    response={200: RatingQueuesOut, **READ_ERRORS},
    summary="Sets of answers that people rate, and how far they are",
)
def get_rating_queues(request: HttpRequest) -> Any:
    return {"queues": queues.every_queue()}
