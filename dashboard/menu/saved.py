"""Saved views: which addresses can be saved, who sees which views, and what their page shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django import forms
from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alerts.models import SavedView
from alerts.models.saved import LONGEST_ADDRESS
from dashboard.menu.page import Reader
from dashboard.menu.tree import PLACE_OF, Page
from lib import sql

MOST, MOST_SHARED, MOST_PINNED = 50, 200, 8  # views of a person, those of others that are read, links on the Overview
MOST_PARAMETERS = 60  # of an address
# Parameters of a place in a list, of a part of a page, and of a file made of it.
NOT_SAVED = {"cursor", "page", "before", "live", "as", "explore", "csrfmiddlewaretoken"}


def page_of(address: str) -> Page | None:
    """The page of the menu with a period, filters or tables at a path of ours, whatever its query; None for others."""
    try:
        name = resolve(urlsplit(address).path).view_name
    except (Resolver404, ValueError):
        return None
    page = PLACE_OF[name][2] if name in PLACE_OF else None
    return page if page is not None and page.name == name and (page.table or page.keeps) else None


def saved_path(address: str) -> str | None:
    """Path and query without what is empty or a place in a list; None for no page of ours, as one of another host."""
    plain = address.strip()
    is_path = plain.startswith("/") and not plain.startswith("//") and "\\" not in plain and plain.isprintable()
    if not is_path or len(plain) > LONGEST_ADDRESS or page_of(plain) is None:
        return None
    parts = urlsplit(plain)
    try:
        pairs = parse_qsl(parts.query, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return None
    query = urlencode([(name, value) for name, value in pairs if value and name not in NOT_SAVED])
    path = f"{parts.path}?{query}" if query else parts.path
    return path if len(path) <= LONGEST_ADDRESS else None


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no parameter at run time
    """Name, address and where the view is shown."""

    path = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=LONGEST_ADDRESS,
        help_text=gettext_lazy("Path and filters of a page of this product, such as /requests/?sort=-cost."),
    )

    class Meta:
        model = SavedView
        fields = ("name", "path", "shared", "pinned", "weekly")
        labels = {
            "shared": gettext_lazy("Share it with everyone who may open the page"),
            "pinned": gettext_lazy("Pin it to the Overview"),
            "weekly": gettext_lazy("List it in my weekly digest"),
        }

    def clean_path(self) -> str:
        """The address as it is stored."""
        path = saved_path(self.cleaned_data["path"])
        if path is None:
            raise forms.ValidationError(_("This is not the address of a list or a report of this product."))
        return path

    def clean(self) -> None:
        if self.instance.pk is None and not has_place(self.instance.owner):
            raise forms.ValidationError(_("You have saved %(n)s views. Delete one first.") % {"n": MOST})


def has_place(person: Any) -> bool:
    """Whether the person may have one more view; those that were deleted a day ago go for good."""
    SavedView.objects.filter(owner=person, deleted_at__lt=timezone.now() - timedelta(days=1)).delete()
    return SavedView.objects.of(person).count() < MOST


def store(view: SavedView) -> None:
    view.save()


def view_of(person: Any, pk: int, *, deleted: bool = False) -> SavedView:
    """A person's own view. Raises Http404, also for one of another person."""
    return get_object_or_404(SavedView, pk=pk, owner=person, deleted_at__isnull=not deleted)


VIEW, OWNER = sql.Table(SavedView, "view"), sql.Table(User, "owner")
SEEN = f"""
SELECT {VIEW}, {OWNER} FROM alerts_savedview AS view JOIN auth_user AS owner ON owner.id = view.owner_id
WHERE view.deleted_at IS NULL AND (view.owner_id = %(person)s OR view.shared AND owner.is_active)
  AND (view.pinned OR NOT %(pinned)s)
ORDER BY view.owner_id = %(person)s DESC, view.name, view.id LIMIT %(most)s
"""


def visible_views(reader: Reader, *, pinned: bool = False) -> list[SavedView]:
    """Their own first, then shared ones; without those whose page this person may not open. One statement, and one
    where a page is open to owners of applications."""
    values = {"person": reader.request.user.pk, "pinned": pinned, "most": MOST + MOST_SHARED}
    rows = sql.joined(SEEN, VIEW, values, owner=OWNER)
    return [view for view in rows if (page := page_of(view.path)) is not None and reader.may_open(page)]


def pinned_views(reader: Reader) -> list[SavedView]:
    """What the Overview shows of them."""
    return visible_views(reader, pinned=True)[:MOST_PINNED]


def answer(views: list[SavedView], person: Any) -> str:
    """How many views there are, and how many of them are one's own; the page itself explains how to save the first."""
    if not views:
        return _("Lists with their filters and order, by name.")
    text = ngettext("%(n)s view, %(own)s of it yours.", "%(n)s views, %(own)s of them yours.", len(views))
    return text % {"n": len(views), "own": sum(view.owner == person for view in views)}
