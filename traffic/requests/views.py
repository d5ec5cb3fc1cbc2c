"""What happened in this request? The log with its filters and a live tail, and one request with all that is known."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.dates import midnight
from lib.errors import ApiError
from lib.http import asks_for_part, get_view, post_view
from lib.periods import Period
from providers.audit.log import Action, person, record
from traffic.authentication.access import FIGURES
from traffic.conversation import turns
from traffic.feedback_links import services as feedback_links
from traffic.feedback_links.page import link_words
from traffic.marks.rules import labels
from traffic.models import CostReason, Outcome, RaterKind, Rating, Request
from traffic.ratings import services as ratings
from traffic.ratings.forms import RatingForm
from traffic.ratings.queue import rating_by
from traffic.ratings.views import SCALE, rate_with_message
from traffic.requests import detail_page, prompt_search
from traffic.requests import page as requests_page
from traffic.requests import queries as requests
from traffic.requests.costing import arithmetic
from traffic.requests.export import KINDS, NotInstalled, as_file, export
from traffic.requests.gateway_facts import gateway_facts
from traffic.requests.params import ParsedParams, active_filters, address, fields_of, parsed_params
from traffic.requests.queries import RequestPage
from traffic.requests.request_filter import RequestFilter
from traffic.requests.retries import retries_of
from traffic.retention_settings import current_retention
from traffic.usage.reports import usage

PAGE = 50


@get_view()
def request_list(request: HttpRequest) -> HttpResponse:
    params = parsed_params(request)
    request_filter = params.request_filter
    page, refused = _read_page(request, params)
    period = period_of(request_filter, timezone.now())
    sums = [] if params.refused else usage(period, "", request_filter.visible_filters())
    first_page = "cursor" not in request.GET
    listed = requests_page.RequestList(
        read=page,
        rows=requests_page.rows(page.requests, requests.ratings_of(page.requests), requests.marks_of(page.requests)),
        refused=refused,
        params=params,
        active_filters=active_filters(request, params),
        sums=sums[0] if sums else None,
        is_first=first_page,
    )
    can_be_live = first_page and not refused and not params.sort
    context = {
        "page": listed,
        "next_url": address(request, cursor=page.next) if page.next else None,
        "first_url": None if first_page else address(request, cursor=None),
        "live": can_be_live and request.GET.get("live") != "0",
        "can_be_live": can_be_live,
        "poll_url": address(request),
        "pause_url": address(request, live="0"),
        "follow_url": address(request, live=None),
    }
    if asks_for_part(request, "live"):
        return render(request, "traffic/requests/_requests.html", context | {"polled": True})
    exports = [(kind.label, address(request, "traffic:requests-export", kind=kind.name)) for kind in KINDS.values()]
    return render(
        request, "traffic/requests/requests.html", context | {"fields": fields_of(request, params), "exports": exports}
    )


def period_of(request_filter: RequestFilter, now: datetime) -> Period:
    """What the sentence is about: the days asked for, else the last 24 hours."""
    start, end = now - timedelta(days=1), now + timedelta(hours=1)
    if request_filter.since is not None:
        start = midnight(request_filter.since)
    elif request_filter.until is not None:
        start = now - timedelta(days=current_retention().requests)
    if request_filter.until is not None:
        end = midnight(request_filter.until)
    return Period(min(start, end), end)


def _read_page(request: HttpRequest, params: ParsedParams) -> tuple[RequestPage, list[str]]:
    """The page of requests; or an empty one and the sentences why."""
    if params.refused:
        return RequestPage([], None), params.refused
    try:
        read = prompt_search.newest_with_words if params.request_filter.words else requests.newest
        if params.sort:
            read = partial(requests.in_order, sort=params.sort)
        cursor = request.GET.get("cursor")
        return read(params.request_filter, retention_days=current_retention().requests, cursor=cursor, limit=PAGE), []
    except prompt_search.TooCommon as error:
        sentence = _("More than %(n)s texts of %(day)s contain these words. Add a rarer word, or choose earlier days.")
        return RequestPage([], None), [sentence % {"n": f"{prompt_search.MATCHES_MOST:,}", "day": error.day}]
    except ApiError as error:
        raise Http404(error.detail) from None


@get_view()
def requests_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """All requests that pass the filters, as a file that is written while it is read."""
    params = parsed_params(request)
    if kind not in KINDS:
        raise Http404(_("This file format does not exist."))
    refused = [*params.refused]
    if params.request_filter.words:
        refused.append(_("Only the page searches words. A file has every request that matches the other filters."))
    try:
        parts = export(
            KINDS[kind], params.request_filter, retention_days=current_retention().requests, money=params.money
        )
    except NotInstalled as error:
        refused.append(str(error))
    if refused:
        for sentence in refused:
            messages.error(request, sentence)
        return redirect(address(request, "traffic:requests"))
    return as_file(parts, KINDS[kind])


# One request.


@get_view()
def request_detail(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    row = _get_request(request, identifier)
    return render(request, "traffic/requests/request.html", _detail(request, row))


@post_view("traffic.add_rating")
def request_rate(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """The rating form of one request."""
    row = _get_request(request, identifier)
    form = RatingForm(request.POST)
    if not form.is_valid():
        return render(request, "traffic/requests/request.html", _detail(request, row, form), status=422)
    back = reverse("traffic:request", args=[identifier])
    rate_with_message(request, row, form.judgement(), mine=rating_by(request.user, row), back=back)
    return redirect(back)


@post_view("traffic.add_rating")
def request_link(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """Make a feedback link, and show it this once."""
    row = _get_request(request, identifier)
    try:
        link = feedback_links.make(request=row, actor=person(request))
    except ApiError as error:
        messages.error(request, error.detail)
        return render(request, "traffic/requests/request.html", _detail(request, row), status=error.status)
    context = _detail(request, row) | {"feedback_words": link_words(link), "feedback_url": feedback_links.address(link)}
    return render(request, "traffic/requests/request.html", context)


@post_view("traffic.adjudicate")
def request_gold(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """Make an answer a gold answer that is acceptable or is not, or one like others again."""
    row = _get_request(request, identifier)
    right = request.POST.get("right", "")
    if right == "" and "right" in request.POST:
        ratings.end_gold(row)
        sentence = _("This is no gold answer any more. Its ratings count.")
    elif right in ("0", "1") and _may_be_gold(request, row):
        ratings.make_gold(request=row, right=right == "1", by=request.user)
        sentence = _("This is a gold answer now. Its ratings do not count as quality.")
    else:
        messages.error(request, _("This answer cannot be a gold answer: raters cannot read its text."))
        return redirect("traffic:request", identifier)
    record(Action.CHANGED, actor=person(request), object_type="traffic.request", object_id=row.id, message=sentence)
    messages.success(request, sentence)
    return redirect("traffic:request", identifier)


def _may_be_gold(request: HttpRequest, row: Request) -> bool:
    """Whether this person may say what is right of an answer that raters can read."""
    body = requests.body_of(row) if requests.may_read_body(request.user, row) else None
    return request.user.has_perm("traffic.adjudicate") and body is not None and bool(body.answer)


def _get_request(request: HttpRequest, identifier: uuid.UUID) -> Request:
    """The request, or 404 also for one that this person must not know of."""
    row = requests.open_request(request.user, identifier)
    if row is None:
        raise Http404(_("This request does not exist, or you may not see it."))
    return row


def _detail(request: HttpRequest, row: Request, form: RatingForm | None = None) -> dict[str, Any]:
    money = request.user.has_perm(FIGURES)
    price = requests.price_of(row) if money else None
    raw = row.raw if money else detail_page.without_money(row.raw)
    readable = requests.may_read_body(request.user, row)
    body = requests.body_of(row) if readable else None
    if body is not None:
        record(Action.READ, actor=person(request), object_type="traffic.request", object_id=row.id,
               object_name=row.application.slug if row.application else "", chain=False)  # fmt: skip
    decides = request.user.has_perm("traffic.adjudicate")
    rows = requests.ratings_with_raters(row)
    gold = next((it for it in rows if it.rater_kind == RaterKind.GOLD), None) if decides else None
    rows = [it for it in rows if it.rater_kind != RaterKind.GOLD]
    return {
        "it": row,
        "page": detail_page.RequestDetail(
            row,
            rows,
            money,
            price,
            detail_page.doubts_of(row.raw, shared_id=requests.shares_response_id(row)),
            text_marks=labels(body.marks or 0) if body else (),
        ),
        "sum": arithmetic(row, price, requests.discount_of(row) if money else None, requests.tier_factor_of(row)),
        "timeline": detail_page.timeline(row),
        "answer_of": detail_page.answer_of(row.raw) if row.cost_reason == CostReason.CACHED else "",
        "tries": detail_page.tries(row.raw),
        "facts": gateway_facts(row.raw),
        "retries": retries_of(row),
        "raw": json.dumps(raw, indent=2, ensure_ascii=False) if raw else "",
        "readable": readable,
        "body": body,
        "turns": turns(body.prompt) if body else [],
        "mine": next((it for it in rows if it.rater_id == request.user.pk), None),
        "may_rate": request.user.has_perm("traffic.add_rating") and row.outcome == Outcome.OK,
        "gold": gold,
        "may_be_gold": gold is None and _may_be_gold(request, row),
        "form": form,
        "scale": SCALE,
        "passing_stars": Rating.PASSING_STARS,
        "route": requests.route_of(row),
        "curl": detail_page.curl(row, body.prompt if body else None, settings.GATEWAY_URL),
        "permalink": settings.BASE_URL + reverse("traffic:request", args=[row.id]),
    }
