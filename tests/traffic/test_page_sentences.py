"""What the pages of requests say, each branch of each sentence; on plain objects, without a database."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lib.periods import Period
from providers.models import Deployment, TokenPrice
from tests.pages import marked_text
from traffic.latency import page as latency_page
from traffic.latency.page import Group
from traffic.latency.queries import Mark
from traffic.models import Rating, Request
from traffic.quality.page import Answer, Named, Table
from traffic.quality.queries import GroupBy, QualityGroup
from traffic.ratings.page import RatingPage
from traffic.ratings.queue import Answer as AnswerToRate
from traffic.requests.detail_page import RequestDetail
from traffic.requests.page import RequestList, Row, rows
from traffic.requests.params import ActiveFilter, ParsedParams
from traffic.requests.queries import RequestPage
from traffic.requests.request_filter import RequestFilter
from traffic.usage.reports import LatencyGroup, Quantiles, UsageGroup

AT = datetime(2020, 5, 1, 12, tzinfo=UTC)


def a_request(**changed: Any) -> Request:
    values: dict[str, Any] = {
        "model": "haiku",
        "outcome": "ok",
        "latency_ms": 1240.0,
        "streamed": False,
        "started_at": AT,
    }
    return Request(**{**values, **changed})


# One request.


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"output": 1, "cost": Decimal("0.25")}, "answered in <b>1.24 s</b> with 1 token. Cost: <b>$0.2500</b>."),
        ({"output": 1200}, "answered in <b>1.24 s</b> with 1,200 tokens. Its cost is not known."),
        ({"latency_ms": None}, "answered, latency not reported. Its cost is not known."),
        (
            {"raw": {"cache_hit": True}, "output": 3, "cost": Decimal(0)},
            "answered in <b>1.24 s</b> from the cache of a proxy, without a call to a vendor. Cost: <b>$0.0000</b>.",
        ),
        ({"outcome": "timeout"}, "did not answer in time. Its cost is not known."),
        ({"outcome": "cancelled"}, "was interrupted by its caller. Its cost is not known."),
        (
            {"outcome": "refused", "cost_reason": "leased"},
            "refused to answer. Self-hosted, paid by GPU hours.",
        ),
        (
            {"outcome": "refused", "cost_reason": "leased", "deployment": Deployment()},
            "refused to answer. Self-hosted, without a lease that is billed.",
        ),
        ({"outcome": "error"}, "failed. Its cost is not known."),
        ({"outcome": "error", "http_status": 529}, "failed with status 529. Its cost is not known."),
        ({"outcome": "nobody-knows"}, "failed. Its cost is not known."),
    ],
)
def test_the_first_sentence_of_a_request_tells_its_end_and_its_cost(changed: dict[str, Any], sentence: str) -> None:
    assert RequestDetail(a_request(**changed), (), money=True).headline() == f"<b>haiku</b> {sentence}"


def test_who_may_not_see_costs_reads_when_the_call_began() -> None:
    page = RequestDetail(a_request(cost=Decimal(1)), (), money=False)
    assert marked_text(page.headline()) == "<b>haiku</b> answered in <b>1.24 s</b>. It started on 1 May 2020, 12:00."


def test_the_name_of_a_model_is_escaped() -> None:
    assert "<i>" not in RequestDetail(a_request(model="<i>"), (), money=True).headline()


@pytest.mark.parametrize(
    ("changed", "heading", "whole"),
    [
        ({"ttft_ms": 84}, "First token after 84 ms", "Start to end of the answer"),
        ({"latency_ms": None}, "Latency not known", "Start to end of the answer"),
        ({}, "Answered in one piece", "Start to end of the answer"),
        ({"outcome": "error"}, "Ended without an answer after 1.24 s", "Start to end"),
    ],
)
def test_the_timeline_says_how_the_answer_came(changed: dict[str, Any], heading: str, whole: str) -> None:
    page = RequestDetail(a_request(**changed), (), money=True)
    assert (page.time_heading(), page.whole_label()) == (heading, whole)


@pytest.mark.parametrize(
    ("changed", "heading", "total"),
    [
        ({"cost": Decimal("0.25")}, "Cost breakdown", "0.25000000"),
        ({"cost_reason": "unknown_usage"}, "The answer has no token counts", "unknown"),
        (
            {"cost_reason": "unknown_usage", "outcome": "error"},
            "No answer, so no token counts",
            "unknown",
        ),
        ({"cost_reason": "leased"}, "Self-hosted, paid by GPU hours", "–"),
        ({"cost_reason": "leased", "deployment": Deployment(lease_id=3)}, "Self-hosted, paid by GPU hours", "–"),
        ({"cost_reason": "leased", "deployment": Deployment()}, "Self-hosted, and its deployment has no lease", "–"),
    ],
)
def test_where_a_request_has_no_cost_the_heading_says_why(changed: dict[str, Any], heading: str, total: str) -> None:
    page = RequestDetail(a_request(**changed), (), money=True)
    assert (page.cost_heading(), marked_text(page.total())) == (heading, total)


def test_notes_of_a_request_tell_its_price_its_tokens_its_doubts_and_its_raters() -> None:
    bare = RequestDetail(a_request(), (), money=True)
    assert (bare.price_note(), bare.reasoning_note()) == ("", "")
    assert bare.tokens_heading() == "No token counts"
    assert bare.raw_heading() == "Raw data"
    assert bare.ratings_heading() == "No ratings"
    price = TokenPrice(source="the book", starts_at=AT)
    request = a_request(uncached_input=5, reasoning=1500)
    full = RequestDetail(request, (Rating(),), money=True, price=price, doubts=("one",))
    assert marked_text(full.price_note()) == "price of the book, from 1 May 2020 on"
    assert full.reasoning_note() == "1,500 of them for reasoning"
    assert full.tokens_heading() == "Tokens"
    assert full.raw_heading() == "Raw data, with 1 warning"
    assert full.ratings_heading() == "1 rating"
    more = replace(full, doubts=("one", "two"), ratings=(Rating(), Rating()))
    assert more.raw_heading() == "Raw data, with 2 warnings"
    assert more.ratings_heading() == "2 ratings"


@pytest.mark.parametrize(
    ("changed", "cell"),
    [
        ({"cost": Decimal("0.5")}, "0.5000"),
        (
            {"cost_reason": "leased"},
            '<span class="none" title="self-hosted, paid by GPU hours">self-hosted</span>',
        ),
        ({"cost_reason": "unknown_model"}, "unknown"),
    ],
)
def test_the_list_says_why_a_request_has_no_cost(changed: dict[str, Any], cell: str) -> None:
    assert cell in Row(a_request(**changed), ()).cost()


@pytest.mark.parametrize(
    ("ratings", "cell"),
    [
        ((), "–"),
        ((Rating(stars=4), Rating(stars=5)), "4.5 of 5"),
        ((Rating(score=1),), "acceptable"),
        ((Rating(score=-1),), "not acceptable"),
    ],
)
def test_the_list_says_how_a_request_was_rated(ratings: tuple[Rating, ...], cell: str) -> None:
    assert marked_text(Row(a_request(), ratings).judgement()) == cell


# The list of requests.

OUTCOME = ActiveFilter("Outcome", "<failed>", "", counted=False)
RATED = ActiveFilter("rated", "", "", counted=False)
MODEL = ActiveFilter("Model", "haiku", "", counted=True)


def sums(requests: int = 1, **changed: Any) -> UsageGroup:
    values: dict[str, Any] = {"errors": 0, "cost": Decimal("12.5"), "unpriced_requests": 0, "unknown_usage_requests": 0}
    rest: dict[str, Any] = {"key": "", "tokens": {}, "reasoning": 0, "leased_requests": 0}
    return UsageGroup(requests=requests, **{**values, **rest, **changed})


def a_list(*requests: Request, reached: datetime | None = None, refused: Any = (), **changed: Any) -> RequestList:
    """A first page, for a reader who sees costs; what is not an attribute of the page is one of its filter."""
    names = ("active_filters", "sums", "is_first")
    page: dict[str, Any] = {"active_filters": (), "sums": None, "is_first": True} | {
        n: changed.pop(n) for n in names if n in changed
    }
    params = ParsedParams(RequestFilter(), changed.pop("filtered", False), money=changed.pop("money", True))
    for name, value in changed.items():
        setattr(params.request_filter, name, value)
    read = RequestPage([*requests], None, reached)
    return RequestList(read=read, rows=rows(requests, {}), refused=refused, params=params, **page)


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (a_list(applications=[]), "You see requests of your own applications, and you have none yet."),
        (a_list(refused=["why"]), "No requests: a filter is not valid."),
        (a_list(since=date(2026, 1, 2)), "No requests on these days match these filters."),
        (
            a_list(a_request(started_at=datetime(2000, 1, 1, tzinfo=UTC))),
            "No requests in the last 24 hours. The newest one started N d ago.",
        ),
        (a_list(filtered=True), "No requests in the last 24 hours match these filters."),
        (a_list(), "There are no requests yet."),
        (a_list(sums=sums()), "<b>1 request</b> in the last 24 hours, none failed."),
        (
            a_list(until=date(2026, 1, 2), sums=sums(1200, errors=3, unpriced_requests=1, unknown_usage_requests=2)),
            "<b>1,200 requests</b> on these days, <b>3</b> failed.",
        ),
        (
            a_list(money=False, sums=sums(9, unpriced_requests=1, unknown_usage_requests=1)),
            "<b>9 requests</b> in the last 24 hours, none failed.",
        ),
        (
            a_list(sums=sums(), active_filters=[OUTCOME, RATED, MODEL]),
            "No matches: Outcome <b>&lt;failed&gt;</b>, rated. Without filters: <b>1 request</b> in the last 24 hours.",
        ),
        (
            a_list(a_request(), sums=sums(7), active_filters=[RATED]),
            "Filtered: rated. Without filters: <b>7 requests</b> in the last 24 hours.",
        ),
        (
            a_list(a_request(), until=date(2026, 1, 2), sums=sums(2832), active_filters=[RATED]),
            "Filtered: rated (<b>1</b> of 2,832 requests on these days).",
        ),
        (
            a_list(a_request(), until=date(2026, 1, 2), sums=sums(9), active_filters=[RATED], is_first=False),
            "Filtered: rated. Without filters: <b>9 requests</b> on these days.",
        ),
    ],
)
def test_the_first_sentence_of_the_list_counts_what_passes(page: RequestList, sentence: str) -> None:
    assert re.sub(r"\d+ d ago", "N d ago", marked_text(page.headline())) == sentence


def test_the_list_says_what_its_requests_cost_where_that_is_what_it_counts() -> None:
    assert a_list(sums=sums()).spent() == "$12.50 in 24 hours"
    assert a_list(sums=sums(leased_requests=1200), since=date(2026, 1, 2)).spent() == (
        "$12.50 on these days, 1,200 more self-hosted"
    )
    assert [a_list().spent(), a_list(sums=sums(), money=False).spent()] == ["", ""]
    assert a_list(sums=sums(), active_filters=[RATED]).spent() == ""


def test_headings_of_the_list_tell_filters_days_and_what_opens() -> None:
    assert (a_list().heading(), a_list().files_label()) == ("Newest first", "Download all requests:")
    assert a_list(filtered=True).files_label() == "Download filtered requests:"
    assert a_list(filtered=True).heading() == "Filtered requests, newest first"
    assert "tokens and cost" in a_list().note() and "cost" not in a_list(money=False).note()
    first, last = date(2026, 1, 2), date(2026, 2, 3)
    assert a_list(since=first, until=last).days() == "from 2 Jan 2026 before 3 Feb 2026, UTC"
    assert (a_list(since=first).days(), a_list(until=last).days()) == ("from 2 Jan 2026, UTC", "before 3 Feb 2026, UTC")


# Latency and errors.

NONE = Quantiles(0, None, None, None)


def a_group(p95: float | None, before: float | None = None, errors: int = 0, key: str | None = "own") -> Group:
    """A group of 200 requests; `before` is its p95 in the period compared, ms."""

    def speed(value: float | None) -> LatencyGroup:
        quantiles = NONE if value is None else Quantiles(200, value / 2, value, value)
        return LatencyGroup(key, quantiles, NONE, None, errors, None)

    return Group(key, speed(p95), 200, None if before is None else speed(before))


def a_latency_page(total: Group | None, **changed: Any) -> latency_page.Page:
    periods: dict[str, Any] = {
        "period": Period(AT, AT + timedelta(days=2)),
        "against": Period(AT - timedelta(days=2), AT),
    }
    lists: dict[str, Any] = {
        "by": "model",
        "step": "day",
        "groups": (),
        "marks": (),
        "errors": {},
        "where": (),
        "ways": 0,
    }
    figures: dict[str, Any] = {key: {} for key in ("overall", "grouped", "first_tokens", "speed", "heat", "failures")}
    return latency_page.Page(total=total, **{**periods, **lists, **figures, **changed})


START = "95 % of answers were complete within <b>1.00 s</b>"


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            a_latency_page(None, no_applications=True),
            "You see requests of your own applications, and you have none yet.",
        ),
        (a_latency_page(None, filtered=True), "No requests match these filters."),
        (
            a_latency_page(None),
            "No requests in this period, so no latency.",
        ),
        (a_latency_page(a_group(None)), "<b>200 requests</b> without reported latencies."),
        (a_latency_page(a_group(1000)), f"{START}. No errors."),
        (a_latency_page(a_group(1000, 500)), f"{START}, 100 % slower than in the period compared. No errors."),
        (a_latency_page(a_group(1000, 990)), f"{START}, as in the period compared. No errors."),
        (
            a_latency_page(a_group(1000, 2000, errors=1)),
            f"{START}, faster than in the period compared. Failed: <b>0.5 %</b>.",
        ),
        (
            a_latency_page(a_group(1000, errors=2), errors={"<429>": 2, "500": 1}),
            f"{START}. Failed: <b>1.0 %</b>, mostly &lt;429&gt;.",
        ),
    ],
)
def test_the_latency_page_begins_with_how_long_answers_took(page: latency_page.Page, sentence: str) -> None:
    assert marked_text(page.headline()).replace("\N{NARROW NO-BREAK SPACE}", " ") == sentence


def test_headings_of_the_latency_page_name_the_slowest_group_and_count_failures() -> None:
    total = a_group(1000, errors=1)
    assert a_latency_page(total).groups_heading() == "Nothing to compare"
    calm = a_latency_page(total, groups=[a_group(1000, 1000)])
    assert calm.groups_heading() == "No group has become clearly slower"
    slow = a_latency_page(total, groups=[a_group(1000, 500, key=None)], errors={"429": 1})
    assert slow.groups_heading().startswith("Largest slowdown: Requests of no known group, 100")
    assert (calm.errors_heading(), slow.errors_heading()) == ("No request failed", "1 request failed")
    assert marked_text(slow.periods()) == (
        "1 May 2020, 12:00 to 3 May 2020, 11:59, compared with 29 Apr 2020, 12:00 to 1 May 2020, 11:59"
    )
    assert [Mark(AT, "price", "haiku").label(), Mark(AT, "deployment", "own").label()] == [
        "new price of haiku",
        "first requests of own",
    ]


# Quality.


def a_quality(ratings: int, acceptable: int, name: str = "Own", cost: Decimal | None = None) -> Named:
    return Named(name, QualityGroup("own", ratings, acceptable, 1, None, cost))


@pytest.mark.parametrize(
    ("total", "compared", "sentence"),
    [
        (None, (), "No ratings in the last 30 days, so quality is not known."),
        (
            a_quality(1, 1),
            (),
            "Only <b>1 rating</b> in 30 days: too few to judge a model.",
        ),
        (
            a_quality(29, 1),
            (),
            "Only <b>29 ratings</b> in 30 days: too few to judge a model.",
        ),
        (a_quality(1200, 600), (), "<b>50 %</b> (47 %–53 %) of <b>1,200</b> ratings find the answer acceptable."),
        (
            a_quality(100, 50),
            (a_quality(60, 30, "<Own>"), a_quality(29, 29, "Haiku")),
            "<b>50 %</b> (40 %–60 %) of <b>100</b> ratings find the answer acceptable. Only &lt;Own&gt; has enough"
            " ratings to be judged.",
        ),
        (
            a_quality(100, 50),
            (a_quality(60, 30), a_quality(40, 40, "Haiku")),
            "<b>50 %</b> (40 %–60 %) of <b>100</b> ratings find the answer acceptable. Deployments are not compared:"
            " no task has enough ratings of two of them in the last 90 days.",
        ),
    ],
)
def test_the_quality_page_begins_with_the_share_of_acceptable_answers(
    total: Named | None, compared: tuple[Named, ...], sentence: str
) -> None:
    answer = Answer(total.group if total else None, compared, 30)
    assert answer.headline().replace("\N{NARROW NO-BREAK SPACE}", " ") == sentence


@pytest.mark.parametrize(
    ("alike", "end"),
    [
        (
            (a_quality(60, 30), a_quality(40, 40, "Haiku"), a_quality(40, 0, "Third")),
            ". For RAG in the last 90 days: Haiku <b>100 %</b> (91 %–100 %), Own <b>50 %</b> (38 %–62 %), a real"
            " difference.",
        ),
        (
            (a_quality(60, 30), a_quality(60, 29, "<Haiku>")),
            ". For RAG in the last 90 days: Own <b>50 %</b> (38 %–62 %), &lt;Haiku&gt; <b>48 %</b> (36 %–61 %), too"
            " close to call.",
        ),
    ],
)
def test_deployments_are_compared_on_one_task_alone(alike: tuple[Named, ...], end: str) -> None:
    answer = Answer(a_quality(100, 50).group, alike, 30, "RAG", alike)
    assert answer.headline().replace("\N{NARROW NO-BREAK SPACE}", " ").endswith(end)


@pytest.mark.parametrize(
    ("kind", "one", "two", "none"),
    [
        ("task", "1 of 1 rated task meets", "1 of 2 rated tasks meet", "No task has"),
        ("model", "1 of 1 rated model meets", "1 of 2 rated models meet", "No model has"),
        (
            "deployment",
            "1 of 1 rated deployment meets",
            "1 of 2 rated deployments meet",
            "No deployment has",
        ),
    ],
)
def test_a_table_of_qualities_says_how_many_groups_are_good_enough(
    kind: GroupBy, one: str, two: str, none: str
) -> None:
    good, bad, few = a_quality(100, 99), a_quality(100, 40), a_quality(29, 29)
    assert Table(kind, [good, few], money=False).heading() == f"{one} the 70\u202f% target"
    assert Table(kind, [good, bad], money=False).heading() == f"{two} the 70\u202f% target"
    assert Table(kind, [few], money=False).heading() == f"{none} enough ratings to be judged"
    assert (good.note(), few.note()) == ("", "29 ratings: too few to call, 30 are needed")
    assert a_quality(1, 1).note() == "1 rating: too few to call, 30 are needed"


def test_a_table_of_qualities_has_costs_for_those_who_may_see_them() -> None:
    groups = [a_quality(100, 99), a_quality(100, 99, cost=Decimal(1))]
    assert [Table("model", groups, money=money).costs for money in (True, False)] == [True, False]
    assert not Table("model", groups[:1], money=True).costs
    assert Table("model", [a_quality(100, 50)], money=True).low == 0.4


# Rating answers.

WAITING = AnswerToRate(a_request(task="rag"), None, "Yes.")


def a_rating_page(done: int = 0, waiting: int = 0, **changed: Any) -> RatingPage:
    values: dict[str, Any] = {"answer": WAITING, "mine": None, "previous": None, "next": None, "money": False}
    return RatingPage(done=done, waiting=waiting, **{**values, **changed})


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (a_rating_page(0, 1), "<b>0 of 1</b> answers rated today."),
        (a_rating_page(0, 90), "<b>0 of 40</b> answers rated today."),
        (a_rating_page(3, 1), "<b>3 of 4</b> answers rated today."),
        (a_rating_page(50, 9), "<b>50 of 50</b> answers rated today."),
        (a_rating_page(answer=None), "No answers to rate."),
        (a_rating_page(1, answer=None), "All done: 1 answer rated today."),
        (a_rating_page(2, answer=None), "All done: 2 answers rated today."),
    ],
)
def test_the_rating_page_begins_with_how_many_answers_wait(page: RatingPage, sentence: str) -> None:
    assert page.headline() == sentence


def test_an_answer_to_rate_is_blind_until_it_is_rated() -> None:
    new, rated = a_rating_page(3, 200), a_rating_page(3, 7, mine=Rating(stars=4), money=True)
    assert marked_text(new.source()).endswith("asked 1 May 2020, 12:00 · the model is shown at the end")
    assert marked_text(rated.source()).endswith("asked 1 May 2020, 12:00")
    assert new.hidden() == "Speed and model stay hidden until you rate."
    assert rated.hidden() == "Speed, cost and model stay hidden until you rate."
    assert [new.heading(), rated.heading()] == ["Answer 4 of 40", "You have rated this answer"]
    assert a_rating_page(50, 1).heading() == "Next answer"
    assert [new.waiting_words(), rated.waiting_words()] == ["200 or more", "7"]
