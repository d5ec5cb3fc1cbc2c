"""What a person chooses to see, kept in cookies (the theme, the reference case), and the legend page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from costs.research.switch import COOKIE, ON
from dashboard.charts.figures import DASHES, SYMBOLS
from dashboard.charts.svg import drawing, tag
from lib.formats import provenance_word
from lib.http import get_view

THEMES = ("light", "dark")
YEAR_S = 365 * 86_400


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keeps the theme in a cookie, or forgets it (empty value: as the system), and goes back to the page."""
    chosen, back = request.POST.get("theme", ""), request.POST.get("next", "/")
    if chosen not in (*THEMES, ""):
        return HttpResponseBadRequest(_("The theme is light, dark or empty."))
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    return keep(HttpResponseRedirect(back), "theme", chosen)


@require_POST
def reference(request: HttpRequest) -> HttpResponse:
    """Shows or hides the reference case for this browser, and goes back to Set up."""
    return keep(HttpResponseRedirect(reverse("settings")), COOKIE, ON if request.POST.get("show") == ON else "")


def keep(response: HttpResponseRedirect, name: str, value: str) -> HttpResponse:
    """The redirect with a cookie of a year; an empty value deletes it."""
    response.status_code = 303
    if value:
        response.set_cookie(
            name, value, max_age=YEAR_S, samesite="Lax", secure=bool(settings.SESSION_COOKIE_SECURE), httponly=True
        )
    else:
        response.delete_cookie(name, samesite="Lax")
    return response


@get_view()
def legend(request: HttpRequest) -> HttpResponse:
    """How each thing is drawn, for everyone who is signed in."""
    forecast = {"low": 379, "median": 393, "high": 414}
    context = {"series": series_rows(), "cells": example_cells(), "bars": example_bars(), "forecast": forecast}
    return render(request, "dashboard/http/legend.html", context)


def series_rows() -> list[dict[str, Any]]:
    """What each series stands for, drawn as a line with its marker."""
    names = (
        _("Self-hosted: RunPod, p50"), _("Anthropic, the API, p95"), _("Vast.ai, first token"),
        _("Google Cloud, p99"), _("Lambda"), _("everything else"),
    )  # fmt: skip
    return [
        {"name": name, "svg": sample(number), "dash": DASHES[number], "symbol": SYMBOLS[number]}
        for number, name in enumerate(names, 1)
    ]


MARKERS = {
    1: tag("circle", r=4.5),
    2: tag("rect", x=-4, y=-4, width=8, height=8),
    3: tag("polygon", points="0,-5 5,4 -5,4"),
    4: tag("polygon", points="0,-5.5 5.5,0 0,5.5 -5.5,0"),
    5: tag("path", d="M-4-4 4 4M4-4-4 4"),
    6: tag("path", d="M-5 0H5M0-5V5"),
}


def sample(number: int) -> SafeString:
    line = tag("line", cls=f"l{number}", x1=0, y1=8, x2="100%", y2=8)
    marker = tag("svg", tag("g", MARKERS[number], cls=f"f{number} m{number}"), cls="in", x="50%", y=8)
    return drawing([line, marker], label=f"{DASHES[number]}, {SYMBOLS[number]}", height=16).svg


def example_cells() -> list[dict[str, Any]]:
    causes = {8: ("down", 0.13, _("190 min down: host reboot")), 21: ("slow", 0, _("first token 1.2 s at p95")),
              26: ("maintenance", 0, _("planned, 2 h"))}  # fmt: skip
    cells = []
    for day in range(30):
        state, lost, cause = causes.get(day, ("unknown" if day < 5 else "up", 0, ""))
        cells.append({"label": _("day %(n)s") % {"n": day + 1}, "state": state, "lost": lost, "cause": cause})
    return cells


def example_bars() -> list[dict[str, Any]]:
    kinds = ("billed", "billed", "measured", "estimated", "entered")
    return [
        {"label": provenance_word(kind), "unknown": index == 2, "parts": [
            {"key": "runpod", "name": "RunPod", "amount": Decimal("8.16"), "provenance": kind},
            {"key": "anthropic", "name": "Anthropic", "amount": Decimal(4 + index), "provenance": kind}]}
        for index, kind in enumerate(kinds) if index
    ]  # fmt: skip
