"""What happened in this request? The log with its filters and a live tail, and one request with all that is known."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from providers.models import PROVIDER_NAMES, Deployment, Discount, TokenPrice
from providers.rest.errors import ApiError
from providers.rest.periods import Period
from traffic import requests, requests_page
from traffic.access import FIGURES
from traffic.conversation import turns
from traffic.costing import arithmetic
from traffic.filters import Filters
from traffic.forms import RatingForm
from traffic.models import Application, Outcome, Rating, Request, Route, Task
from traffic.ratings import Judgement
from traffic.reports import usage
from traffic.requests import Wanted
from traffic.views.rating import SCALE, rate_and_say

PAGE = 50


@login_required
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    wanted = _wanted(request)
    try:
        page = requests.newest(
            wanted, retention_days=settings.RETENTION_DAYS, cursor=request.GET.get("cursor"), limit=PAGE
        )
    except ApiError as error:
        raise Http404(error.detail) from None
    now = timezone.now()
    day = usage(Period(now - timedelta(days=1), now + timedelta(hours=1)), "", wanted.visible_filters())
    first_page = "cursor" not in request.GET
    money = request.user.has_perm(FIGURES)
    no_filters = ("cursor", "live") if money else ("cursor", "live", "unpriced", "told_otherwise")
    context = {
        "money": money,
        "rows": requests_page.rows(page.requests, requests.ratings_of(page.requests)),
        "next_url": _address(request, cursor=page.next) if page.next else None,
        "first_url": None if first_page else _address(request, cursor=None),
        "day": day[0] if day else None,
        "newest": page.requests[0].started_at if page.requests and first_page else None,
        "live": first_page and request.GET.get("live") != "0",
        "can_be_live": first_page,
        "poll_url": _address(request),
        "pause_url": _address(request, live="0"),
        "follow_url": _address(request, live=None),
        "span": wanted,
        "mine_only": wanted.applications is not None,
        "no_applications": wanted.applications is not None and not wanted.applications,
        "filtered": any(value for name, value in request.GET.items() if name not in no_filters),
    }
    if request.htmx and request.htmx.target == "live":  # type: ignore[attr-defined]  # django-htmx's middleware
        return render(request, "traffic/_requests.html", context)
    return render(request, "traffic/requests.html", context | {"fields": _fields(request, wanted)})


def _wanted(request: HttpRequest) -> Wanted:
    query = request.GET
    known = [value for value in query.getlist("outcome") if value in Outcome.values]
    return Wanted(
        filters=_without_empty(query),
        outcomes=known,
        unpriced="unpriced" in query and request.user.has_perm(FIGURES),
        unknown_usage="unknown_usage" in query,
        told_otherwise="told_otherwise" in query and request.user.has_perm(FIGURES),
        rated="rated" in query,
        applications=requests.applications_of(request.user),
        since=_day(query.get("from", "")),
        until=_day(query.get("to", "")),
    )


def _day(text: str) -> date | None:
    """A day of the address; what is none bounds nothing."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _without_empty(query: Any) -> Filters:
    """The filters of the address; a field that a form sent empty is no filter."""
    kept = query.copy()
    for name in ("provider", "model", "application", "task", "deployment"):
        kept.setlist(name, [value for value in query.getlist(name) if value])
    return Filters.of_query(kept)


def _address(request: HttpRequest, **changes: str | None) -> str:
    """This page with some parameters changed; None takes one away."""
    kept = [(key, value) for key, values in request.GET.lists() for value in values if key not in changes and value]
    added = [(key, value) for key, value in changes.items() if value is not None]
    query = urlencode([*kept, *added])
    return f"{request.path}?{query}" if query else request.path


def _fields(request: HttpRequest, wanted: Wanted) -> dict[str, Any]:
    """Choices of the filter form, as (value, label, chosen)."""
    used = requests.choices(wanted)
    applications = Application.objects.all()
    if wanted.applications is not None:
        applications = applications.filter(pk__in=wanted.applications)
    offered: dict[str, Sequence[tuple[str, Any]]] = {
        "provider": [(slug, PROVIDER_NAMES.get(slug, slug)) for slug in used["provider"]],
        "model": [(name, name) for name in used["model"]],
        "deployment": list(Deployment.objects.values_list("slug", "name")),
        "application": list(applications.values_list("slug", "name")),
        "task": Task.choices,
        "outcome": Outcome.choices,
    }
    labels = {
        "provider": _("Provider"), "model": _("Model"), "deployment": _("Deployment"), "application": _("Application"),
        "task": _("Task"), "outcome": _("Outcome"),
    }  # fmt: skip
    flags = (
        {"unpriced": _("no price"), "told_otherwise": _("other cost told")} if request.user.has_perm(FIGURES) else {}
    )
    flags |= {"unknown_usage": _("usage unknown"), "rated": _("rated")}
    return {
        "selects": [
            {
                "name": name,
                "label": labels[name],
                "options": [(value, label, value in request.GET.getlist(name)) for value, label in values],
            }
            for name, values in offered.items()
        ],
        "flags": [(name, label, name in request.GET) for name, label in flags.items()],
    }


# One request.


@login_required
@require_safe
def request_detail(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    found = _open(request, identifier)
    return render(request, "traffic/request.html", _detail(request, found))


@login_required
@permission_required("traffic.add_rating", raise_exception=True)
@require_POST
def request_rate(request: HttpRequest, identifier: uuid.UUID) -> HttpResponse:
    """The rating form of one request."""
    found = _open(request, identifier)
    form = RatingForm(request.POST)
    if not form.is_valid():
        return render(request, "traffic/request.html", _detail(request, found, form), status=422)
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
    given = list(Rating.objects.filter(request_id=found.id).select_related("rater").order_by("created_at"))
    name = request.user.get_username()
    return {
        "it": found,
        "money": money,
        "row": requests_page.row(found, given),
        "price": price,
        "sum": arithmetic(found, price, discount_of(found) if money else None),
        "timeline": requests_page.timeline(found),
        "tries": requests_page.tries(found.raw),
        "raw": json.dumps(raw, indent=2, ensure_ascii=False) if raw else "",
        "readable": readable,
        "body": body,
        "turns": turns(body.prompt) if body else [],
        "ratings": given,
        "mine": next((rating for rating in given if rating.by == name), None),
        "may_rate": request.user.has_perm("traffic.add_rating") and found.outcome == Outcome.OK,
        "form": form,
        "scale": SCALE,
        "route": Route.objects.filter(slug=found.route).first() if found.route else None,
        "curl": requests_page.curl(found, body.prompt if body else None, settings.GATEWAY_URL),
        "permalink": settings.BASE_URL + reverse("traffic:request", args=[found.id]),
    }
