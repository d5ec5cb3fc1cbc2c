"""Tags of the shared partials: sortable headings, form errors, the undo of a message, a trial."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.forms import BaseForm
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from costs.readiness.inputs import Report
from costs.trials import page as trial_page
from costs.trials.page import TrialPage
from dashboard.menu.page import Menu
from traffic.models import Task

register = template.Library()

UNDO = "undo:"
PLACES = ("cursor", "page", "before", "as")  # parameters of a place in a list, which another order does not have


@register.filter
def undo_url(extra_tags: str | None) -> str:
    """The path in a message's `extra_tags`, written `undo:/path/`; empty without one, or if it leads elsewhere."""
    for word in (extra_tags or "").split():
        if word.startswith(f"{UNDO}/") and not word.startswith(f"{UNDO}//"):
            return word.removeprefix(UNDO)
    return ""


@register.filter
def task_name(task: str) -> str:
    """The words for a task, `RAG` for `rag`; of another value itself."""
    return str(dict(Task.choices).get(task, task))


@register.filter
def error_count(form: BaseForm) -> int:
    return sum(len(errors) for errors in form.errors.values())


@register.filter
def theme_attribute(theme: str | None) -> SafeString:
    """The HTML attribute for the theme that a person chose; empty without one and for an unknown theme."""
    return format_html(' data-theme="{}"', theme) if theme in ("dark", "light") else SafeString("")


@register.simple_tag
def newest_trial(live: Report, now: datetime) -> TrialPage | None:
    """The newest trial on Decide, whose view cannot import trials: these are judged by what Decide is made of."""
    return trial_page.newest_trial(live, now)


@register.simple_tag
def waiting_alerts(menu: Menu) -> SafeString:
    """How many alerts need someone, with a link, as in the menu; empty without any or without the permission."""
    entry = menu.waiting
    if entry is None:
        return SafeString("")
    text = ngettext("%(n)s unassigned alert", "%(n)s unassigned alerts", entry.count) % {"n": entry.count}
    return format_html('<a href="{}">{}</a>.', entry.url, text)


# A click on a heading changes the page in its place, as the forms of the page do. Without a script it is a link.
IN_PLACE = SafeString('hx-boost="true" hx-target="#main" hx-select="#main" hx-swap="outerHTML show:none"')
SORT = re.compile(r"-?[a-z_]{1,30}")


@register.simple_tag(takes_context=True)
def th(
    context: dict[str, Any], key: str, label: str, numeric: bool = False, default: str = "", table: str = ""
) -> SafeString:
    """A heading that sorts by `?sort=key`, then `?sort=-key`; `default` is the page's own order.

    `{% th "cost" _("Cost") numeric=True default="-cost" %}`. The link keeps the filters that are set and drops the
    place in the list. `table` names the table where a page has several with the same keys.
    """
    query = context["request"].GET.copy()
    now = query.get("sort") or default
    # The first click sorts figures from the largest down, names from A.
    first, second = (f"-{key}", key) if numeric else (key, f"-{key}")
    query["sort"] = second if now == first else first
    shown = [(name, value) for name, values in query.lists() for value in values if value and name not in PLACES]
    order = {key: "ascending", f"-{key}": "descending"}.get(now)
    return format_html(
        '<th scope="col"{}{}><a id="sort-{}" href="?{}" {}>{}</a></th>',
        SafeString(' class="num"') if numeric else "",
        format_html(' aria-sort="{}"', order) if order else "",
        f"{table}-{key}" if table else key,
        urlencode(shown),
        IN_PLACE,
        label,
    )


@register.simple_tag(takes_context=True)
def keep_sort(context: dict[str, Any]) -> SafeString:
    """The field of a filter's form that keeps the order of the list; empty without one."""
    sort = context["request"].GET.get("sort", "")
    return format_html('<input type="hidden" name="sort" value="{}">', sort) if SORT.fullmatch(sort) else SafeString("")
