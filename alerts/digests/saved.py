"""The saved views in a person's weekly digest: each with its link and the finding of its page.

The page is rendered as its owner would see it now, so that its own permission decides, as it does in a browser.
"""

from __future__ import annotations

import logging
from html import unescape
from typing import Any

from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import RequestFactory
from django.urls import resolve
from django.utils.html import strip_tags
from django_htmx.middleware import HtmxDetails

from alerts.models import ReportKind, SavedView
from lib.events import log_event

logger = logging.getLogger(__name__)

MOST = 10  # views in one digest
FINDING = '<p class="finding">'
LONGEST = 500  # characters of a finding


def views_in(kind: str, person: Any) -> list[list[str]]:
    """Name, finding and path of each weekly view whose page the person may open; empty for other kinds of report."""
    views = SavedView.objects.of(person).filter(weekly=True)[:MOST] if kind == ReportKind.WEEKLY else ()
    findings = [(view, finding_of(person, view)) for view in views]
    return [[view.name, finding, view.path] for view, finding in findings if finding is not None]


def finding_of(person: Any, view: SavedView) -> str | None:
    """The line under the page's heading, as text; empty where the page fails, None where the person may not open it."""
    request: Any = RequestFactory().get(view.path, SERVER_NAME="localhost")
    request.user, request.session = person, SessionStore()
    request._messages, request.htmx = FallbackStorage(request), HtmxDetails(request)
    try:
        request.resolver_match = match = resolve(request.path_info)
        html = match.func(request, *match.args, **match.kwargs).content.decode()
    except (Http404, PermissionDenied):
        return None
    except Exception as error:
        log_event(logger, logging.WARNING, "saved_view_failed", view_id=view.pk, error=type(error).__name__)
        return ""
    finding = html.partition(FINDING)[2].partition("</p>")[0]
    return " ".join(unescape(strip_tags(finding)).split())[:LONGEST]
