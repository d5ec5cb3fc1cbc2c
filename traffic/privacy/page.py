"""What the pages of deletions say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, sentences
from traffic.models import Erasure


def erasures_question(counts: Mapping[str, int] | None) -> str:
    return _("Data deletion") if counts is None else _("Data of this user")


def erasures_headline(counts: Mapping[str, int] | None, erasures: Sequence[Erasure]) -> str:
    """How many requests are of the user that was asked for (`counts`), else how many deletions there were."""
    if counts is not None:
        text = ngettext(
            "<b>{n} request</b> of this user. Nothing is deleted yet.",
            "<b>{n} requests</b> of this user. Nothing is deleted yet.",
            counts["requests"],
        )
        return format_html(text, n=count(counts["requests"]))
    if not erasures:
        return _("There are no deletions yet.")
    text = ngettext(
        "<b>{n} deletion</b>. Totals without identity stay.",
        "<b>{n} deletions</b>. Totals without identity stay.",
        len(erasures),
    )
    return format_html(text, n=len(erasures))


def what_there_is(counts: Mapping[str, int]) -> SafeString:
    """What there is of a user and what becomes of it, before a person confirms."""
    requests, ratings, uncounted = counts["requests"], counts["ratings"], counts["uncounted"]
    there = ngettext("There is <b>{n} request</b>", "There are <b>{n} requests</b>", requests)
    named = ngettext(
        "of this user, and ratings under <b>{n}</b> name.", "of this user, and ratings under <b>{n}</b> names.", ratings
    )
    fate = _("The requests lose their user and all texts. Tokens, times and cost stay. This cannot be undone.")
    oldest = ngettext(
        "The oldest day is not counted, to save time. It is deleted too.",
        "The oldest %(n)s days are not counted, to save time. They are deleted too.",
        uncounted,
    )
    return sentences(
        format_html(there, n=count(requests)),
        format_html(named, n=count(ratings)),
        fate,
        oldest % {"n": uncounted} if uncounted else "",
    )


def headline(erasure: Erasure) -> SafeString:
    """Whether all is deleted."""
    if erasure.finished_at is None:
        text = _("The data of <b>{who}</b> is being deleted. You can leave this page.")
        return format_html(text, who=erasure)
    text = ngettext(
        "The data of <b>{who}</b> is deleted: <b>{n} request</b> has no user any more.",
        "The data of <b>{who}</b> is deleted: <b>{n} requests</b> have no user any more.",
        erasure.erased,
    )
    return format_html(text, who=erasure, n=count(erasure.erased))


def how_far(erasure: Erasure) -> str:
    """Requests that are done, of those there were when it was asked for, unless more have come since."""
    erased = erasure.erased
    if erasure.finished_at or erased > erasure.expected:
        return ngettext("%(n)s request", "%(n)s requests", erased) % {"n": count(erased)}
    return _("%(n)s of %(all)s requests") % {"n": count(erased), "all": count(erasure.expected)}
