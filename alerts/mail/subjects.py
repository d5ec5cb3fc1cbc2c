"""Subject lines: verdict, name and amount within what a phone shows of them. Pure.

The words are the title that the alert's kind gave (`Finding.title` in `alerts/kinds/`); here is what stands before them
and how they are shortened. Other mails bring their own words: `alerts/delivery/grouping.py` for what waited,
`alerts/digests/content.py` for digests, `alerts/digests/mail.py` for the month's statement.
"""

from __future__ import annotations

import unicodedata

from django.utils.translation import gettext as _

from alerts.lifecycle.states import Cause, State

MOST = 60  # characters
VERDICT = 26  # of the verdict at most, before the name begins
NAME = 8  # characters of a name that are left at its beginning
CUT = "..."  # plain, so that a plain subject needs no encoding
JOINERS = ("\N{ZERO WIDTH JOINER}", "\N{VARIATION SELECTOR-16}", "\N{VARIATION SELECTOR-15}")


def heading(title: str, cause: str, after: str) -> str:
    """An alert's title with why it is said now before it."""
    shapes = {
        Cause.LOWERED: _("Lower level: %s"),
        Cause.GONE: _("Resolved: %s"),
        Cause.CLOSED: _("Closed: %s"),
        Cause.REMINDED: _("Still open: %s"),
        Cause.UNSILENCED: _("Still open: %s"),
        Cause.WOKEN: _("Still open: %s"),
        Cause.ASSIGNED: _("Assigned to you: %s"),
        Cause.ESCALATED: _("Not acknowledged: %s"),
    }
    reason = Cause(cause)
    if reason is Cause.LOWERED and after != State.RESOLVED:
        return title  # the first that anybody hears of it
    return shapes[reason] % title if reason in shapes else title


def subject(text: str, more: int = 0) -> str:
    """A heading as a subject line; `more` is how many others its mail lists.

    Titles are a verdict, a name and then the amounts, and only the name is as long as a person made it: what is too
    long loses its middle, which begins a little way into the name.
    """
    plenty = _("%(title)s, and %(n)s more") % {"title": "", "n": more} if more else ""
    if len(text) + len(plenty) <= MOST:
        return text + plenty
    few = f" +{more}" if more else ""
    return shortened(text, MOST - len(few)) + few


def shortened(text: str, most: int) -> str:
    """At most so many characters, with the beginning and the end as they are, and no word cut that need not be."""
    if len(text) <= most:
        return text
    verdict = text[:VERDICT].rpartition(": ")[0]
    name = len(verdict) + 2 if verdict else 0
    head = name + NAME if verdict else VERDICT
    start = len(text) - (most - head - len(CUT))
    word = head - len(text[name:head].lstrip())  # where the name's first word begins, after blanks
    if text[head] != " " and " " in text[word:head]:
        head = text.rindex(" ", word, head)
    # Half a word says little; one with a comma or a colon ends the name, which the amounts follow, and stays.
    half, _blank, whole = text[start:].partition(" ")
    end = whole if whole and half.isalnum() and text[start - 1] != " " else text[start:].lstrip()
    while end and is_attached(end[0]):
        end = end[1:]
    return text[:name] + text[name:head].rstrip("".join(JOINERS) + " ") + CUT + end


def is_attached(character: str) -> bool:
    """Whether a character belongs to the one before it: an accent, or a part of an emoji."""
    return character in JOINERS or unicodedata.combining(character) > 0 or "\U0001f3fb" <= character <= "\U0001f3ff"
