"""What do we show others of our uptime?"""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_data, form_view, get_view, post_view, undoable
from lib.soft_delete import soft_delete, undelete
from providers.audit.log import changes, log, log_form
from providers.models import StatusPage
from providers.status_pages import queries
from providers.status_pages.forms import StatusPageForm
from providers.status_pages.page import SettingsPage, StatusPagesPage
from providers.status_pages.services import save_page


@get_view("providers.view_statuspage")
def status_pages(request: HttpRequest) -> HttpResponse:
    pages = queries.pages_with_counts()
    return render(
        request,
        "providers/status_pages/status_pages.html",
        {"page": StatusPagesPage(pages), "pages": pages},
    )


@form_view("providers.add_statuspage")
def add(request: HttpRequest) -> HttpResponse:
    return edited(request, StatusPage())


@form_view("providers.change_statuspage")
def status_page(request: HttpRequest, slug: str) -> HttpResponse:
    return edited(request, queries.page_or_404(slug))


def edited(request: HttpRequest, page: StatusPage) -> HttpResponse:
    added = page.pk is None
    form = StatusPageForm(form_data(request), instance=page)
    if request.method == "POST" and form.is_valid():
        saved, fields = form.instance, form.cleaned_data
        save_page(page=saved, deployments=fields.get("deployments"), heartbeats=fields.get("heartbeats"))
        log_form(request, saved, form, added=added)
        messages.success(request, _("%(title)s is saved.") % {"title": saved.title})
        return redirect("providers:status-page", slug=saved.slug)
    base, stored = settings.BASE_URL, None if added else queries.stored(page)
    address = stored.address if stored else ""
    context = {
        "settings": SettingsPage(stored),
        "form": form,
        "page": stored,
        "url": base + reverse("providers:status", args=[address]) if stored else "",
        "badge_url": base + reverse("providers:status-badge", args=[address]) if stored else "",
        "badge_path": reverse("providers:status-badge", args=[address]) if stored else "",
        "feed_url": base + reverse("providers:status-json", args=[address]) if stored else "",
        "log": changes(stored) if stored else [],
    }
    return render(request, "providers/status_pages/status_page.html", context, status=422 if form.errors else 200)


@post_view("providers.change_statuspage")
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Gone at once for everybody; the toast brings it back."""
    page = queries.page_or_404(slug)
    soft_delete(row=page, now=timezone.now())
    log(request, page, _("Deleted."), deleted=True)
    undoable(request, _("%(title)s is deleted.") % {"title": page.title}, "providers:status-page-undo", page.pk)
    return redirect("providers:status-pages")


@post_view("providers.change_statuspage")
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    page = queries.deleted_page_or_404(pk)
    if undelete(row=page):
        log(request, page, _("Restored."))
        messages.success(request, _("%(title)s is restored.") % {"title": page.title})
    else:
        messages.warning(request, _("Another page has its short name now. Change that one first."))
    return redirect("providers:status-pages")
