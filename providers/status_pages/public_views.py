"""Status pages as strangers see them: the page, a badge, JSON. Read from rollups, at most once in half a minute.

Whether a page is open is asked each time, so that closing one works at once; what it says is cached.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import conditional_page, require_safe

from lib.http import get_view
from providers.models import StatusPage
from providers.status_pages.badge import badge
from providers.status_pages.page import Summary, as_json
from providers.status_pages.queries import page_or_404, public_page, summary

CACHED_S = 30
THEMES = ("dark", "light")


@require_safe
@conditional_page
def status(request: HttpRequest, address: str) -> HttpResponse:
    page = open_page(address)
    theme = request.COOKIES.get("theme", "")
    theme = theme if theme in THEMES else ""
    body = cached(page, f"html-{theme}", lambda content: page_html(page, content, theme))
    response = answer(page, body, "text/html; charset=utf-8")
    patch_vary_headers(response, ["Cookie"])  # the theme
    return response


@require_safe
@conditional_page
def status_badge(request: HttpRequest, address: str) -> HttpResponse:
    page = open_page(address)
    return answer(
        page, cached(page, "svg", lambda content: badge(page.title, content.word, content.mark)), "image/svg+xml"
    )


@require_safe
@conditional_page
def status_json(request: HttpRequest, address: str) -> HttpResponse:
    page = open_page(address)
    response = answer(page, cached(page, "json", lambda content: json.dumps(as_json(content))), "application/json")
    response["Access-Control-Allow-Origin"] = "*"  # it is meant for other people's pages
    return response


@get_view("providers.view_statuspage")
def status_preview(request: HttpRequest, slug: str) -> HttpResponse:
    """The page as strangers would see it, for us and before anybody else."""
    page = page_or_404(slug)
    with timezone.override(UTC):
        return HttpResponse(page_html(page, summary(page, timezone.now()), request.COOKIES.get("theme", "")))


def open_page(address: str) -> StatusPage:
    page = public_page(address)
    if page is None:
        raise Http404
    return page


def cached(page: StatusPage, form: str, make: Callable[[Summary], str]) -> str:
    """One form of a page's content, the same for everybody during half a minute."""
    slot = int(timezone.now().timestamp()) // CACHED_S
    key = f"status:{page.pk}:{page.changed_at.timestamp()}:{form}:{slot}"
    body: str | None = cache.get(key)
    if body is None:
        # Of the slot's beginning, so that every process says the same and ETags agree.
        body = make(summary(page, datetime.fromtimestamp(slot * CACHED_S, UTC)))
        cache.set(key, body, CACHED_S)
    return body


def answer(page: StatusPage, body: str, kind: str) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    listed = page.access == StatusPage.Access.PUBLIC
    response["Cache-Control"] = f"{'public' if listed else 'private'}, max-age={CACHED_S}"
    if not listed:
        response["X-Robots-Tag"] = "noindex"
    return response


def page_html(page: StatusPage, content: Summary, theme: str) -> str:
    """Without a request: nothing of whoever looks can end up in what is cached for all."""
    context = {
        "content": content,
        "badge_url": reverse("providers:status-badge", args=[page.address]) if page.open else "",
        "json_url": reverse("providers:status-json", args=[page.address]) if page.open else "",
        "draft": not page.open,
        "request": {"COOKIES": {"theme": theme}},
    }
    return render_to_string("providers/status_pages/status.html", context)
