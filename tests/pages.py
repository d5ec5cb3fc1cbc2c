"""What a page's HTML says, without what is drawn at random for each answer and without the marks of figures."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

CSRF_TOKEN = re.compile(r"""((?:name="csrfmiddlewaretoken" value=|"x-csrftoken": )")\w+""", re.IGNORECASE)
FIGURE = re.compile(r"</?data\b[^>]*>")


def html_of(response: Any) -> str:
    """An answer's HTML on one line, without CSRF tokens: any short word may stand in 64 random letters and digits."""
    return unmarked(CSRF_TOKEN.sub(r"\1", " ".join(response.content.decode().split())))


def unmarked(html: str) -> str:
    """A piece of HTML without the elements that mark what a figure means; their text stays."""
    return FIGURE.sub("", html)


def words(html: object) -> str:
    """What a person reads of a piece of HTML, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", str(html))).split())


def marked_text(html: str) -> str:
    """The text of a sentence; what is bold stays marked."""
    return re.sub(r"<(?!/?b>)[^>]+>", "", html)
