"""What happened in this request? The log with its filters and a live tail, and one request with all that is known."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from lib.errors import ApiError
from lib.periods import Period
from providers.audit.log import Action, person, record
from providers.models import Discount, TokenPrice, UnitPrice
from traffic.applications.access import FIGURES
from traffic.forms import RatingForm
from traffic.models import Outcome, RaterKind, Rating, Request, Route
from traffic.privacy.retention_settings import kept
from traffic.quality.rating_views import SCALE, rate_and_say
from traffic.quality.ratings import Judgement
from traffic.requests import page as requests_page
from traffic.requests import prompt_search
from traffic.requests import queries as requests
from traffic.requests.conversation import turns
from traffic.requests.costing import arithmetic
from traffic.requests.export import KINDS, NotInstalled, as_file, export
from traffic.requests.hour_reads import Hour
from traffic.requests.params import Asked, address, asked_of, fields_of, said_of, shared
from traffic.requests.queries import RequestPage
from traffic.requests.request_filter import Wanted
from traffic.requests.retries import retries_of
from traffic.usage.reports import usage

PAGE = 50


@login_required
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    asked = asked_of(request)
    wanted = asked.wanted
    page, refused = _page(request, asked)
    now = timezone.now()
    sums = usage(period_of(wanted, now), "", wanted.visible_filters()) if not asked.refused else []
    by_days = wanted.since is not None or wanted.until is not None
    first_page = "cursor" not in request.GET
    money = request.user.has_perm(FIGURES)
    said = said_of(request, asked)
    context = {
        "money": money,
        "said": said,
        "narrowing": [one for one in said if not one.counted],
        "passed_over": asked.passed_over,
        "rows": requests_page.rows(page.requests, requests.ratings_of(page.requests)),
        "refused": refused,
        "reached": page.reached,
        "next_url": address(request, cursor=page.next) if page.next else None,
        "first_url": None if first_page else address(request, cursor=None),
        "sums": sums[0] if sums else None,
        "by_days": by_days,
        "when": _("in these days") if by_days else _("in the last 24 hours"),
        "newest": page.requests[0].started_at if page.requests and first_page else None,
        "live": first_page and request.GET.get("live") != "0" and not refused,
        "can_be_live": first_page and not refused,
        "poll_url": address(request),
        "pause_url": address(request, live="0"),
        "follow_url": address(request, live=None),
        "span": wanted,
        "mine_only": wanted.applications is not None,
        "no_applications": wanted.applications is not None and not wanted.applications,
        "filtered": asked.filtered,
        "shared": shared(request),
    }
    if request.htmx and request.htmx.target == "live":  # type: ignore[attr-defined]  # django-htmx's middleware
        return render(request, "traffic/requests/_requests.html", context | {"polled": True})
    exports = [(kind.label, address(request, "traffic:requests-export", kind=kind.name)) for kind in KINDS.values()]
    return render(
        request, "traffic/requests/requests.html", context | {"fields": fields_of(request, asked), "exports": exports}
    )


def period_of(wanted: Wanted, now: datetime) -> Period:
    """What the sentence is about: the days asked for, else the last 24 hours."""
    start, end = now - timedelta(days=1), now + timedelta(hours=1)
    if wanted.since is not None:
        start = Hour.start_of(wanted.since)
    elif wanted.until is not None:
        start = now - timedelta(days=kept().requests)
    if wanted.until is not None:
        end = Hour.start_of(wanted.until)
    return Period(min(start, end), end)


def _page(request: HttpRequest, asked: Asked) -> tuple[RequestPage, list[str]]:
    """The page, or nothing and why."""
    if asked.refused:
        return RequestPage([], None), asked.refused
    try:
        read = prompt_search.newest_with_words if asked.wanted.words else requests.newest
        cursor = request.GET.get("cursor")
        return read(asked.wanted, retention_days=kept().requests, cursor=cursor, limit=PAGE), []
    except prompt_search.TooCommon as error:
        said = _("More than %(n)s texts of %(day)s hold these words: add a rarer one, or choose days before it.")
        return RequestPage([], None), [said % {"n": f"{prompt_search.MATCHES_MOST:,}", "day": error.day}]
    except ApiError as error:
        raise Http404(error.detail) from None


@login_required
@require_safe
def requests_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """All requests that pass the filters, as a file that is written while it is read."""
    asked = asked_of(request)
    if kind not in KINDS:
        raise Http404(_("There are no such files."))
    refused = [*asked.refused]
    if asked.wanted.words:
        refused.append(
            _("Words are looked for on the page alone: a file has every request that passes the other filters.")
        )
    try:
        parts = export(KINDS[kind], asked.wanted, retention_days=kept().requests, money=asked.money)
    except NotInstalled as error:
        refused.append(str(error))
    if refused:
        for sentence in refused:
            messages.error(request, sentence)
        return redirect(address(request, "traffic:requests"))
    return as_file(parts, KINDS[kind])


# One request.


@login_required
@require_safe
def request_detail(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    found = _open(request, identifier)
    return render(request, "traffic/requests/request.html", _detail(request, found))


@login_required
@permission_required("traffic.add_rating", raise_exception=True)
@require_POST
def request_rate(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """The rating form of one request."""
    found = _open(request, identifier)
    form = RatingForm(request.POST)
    if not form.is_valid():
        return render(request, "traffic/requests/request.html", _detail(request, found, form), status=422)
    back = reverse("traffic:request", args=[identifier])
    judgement = Judgement(request.user.get_username(), None, form.cleaned_data["stars"], form.cleaned_data["comment"])
    rate_and_say(request, found, judgement, back=back)
    return redirect(back)


def _open(request: HttpRequest, identifier: uuid.UUID) -> Request:
    """The request, or 404 also for one that this person must not know of."""
    found = requests.open_request(request.user, identifier)
    if found is None:
        raise Http404(_("No request of this address is here for you."))
    return found


def discount_of(found: Request) -> Discount | None:
    """The contract that it was costed with, also one that was taken back since."""
    if found.discount_id is None:
        return None
    return Discount.objects.select_related("account").filter(pk=found.discount_id).first()


def _detail(request: HttpRequest, found: Request, form: RatingForm | None = None) -> dict[str, Any]:
    money = request.user.has_perm(FIGURES)
    price = TokenPrice.objects.filter(pk=found.price_id).first() if found.price_id and money else None
    raw = found.raw if money else requests_page.without_money(found.raw)
    readable = requests.may_read_body(request.user, found)
    body = requests.body_of(found) if readable else None
    if body is not None:
        record(Action.READ, actor=person(request), object_type="traffic.request", object_id=found.id,
               object_name=found.application.slug if found.application else "", chain=False)  # fmt: skip
    given = list(
        Rating.objects.filter(request_id=found.id).select_related("rater", "application").order_by("created_at")
    )
    name = request.user.get_username()
    return {
        "it": found,
        "money": money,
        "row": requests_page.row(found, given),
        "price": price,
        "sum": arithmetic(found, price, discount_of(found) if money else None, UnitPrice.objects.tier_factor(found)),
        "timeline": requests_page.timeline(found),
        "answered": requests_page.answered(found),
        "own_cache": requests_page.from_own_cache(found.raw),
        "tries": requests_page.tries(found.raw),
        "retries": retries_of(found),
        "doubts": requests_page.doubts_of(found.raw, shared_id=requests.shares_response_id(found)),
        "raw": json.dumps(raw, indent=2, ensure_ascii=False) if raw else "",
        "readable": readable,
        "body": body,
        "turns": turns(body.prompt) if body else [],
        "ratings": given,
        "mine": next((it for it in given if (it.rater_kind, it.by) == (RaterKind.PERSON, name)), None),
        "may_rate": request.user.has_perm("traffic.add_rating") and found.outcome == Outcome.OK,
        "form": form,
        "scale": SCALE,
        "route": Route.objects.filter(slug=found.route).first() if found.route else None,
        "curl": requests_page.curl(found, body.prompt if body else None, settings.GATEWAY_URL),
        "permalink": settings.BASE_URL + reverse("traffic:request", args=[found.id]),
    }
