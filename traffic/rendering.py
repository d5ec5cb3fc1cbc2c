"""Answers as HTML: safe Markdown, long ones folded, and the words in which two of them differ. Pure.

An answer is text of a model, so nothing in it is trusted: raw HTML is shown as text, and links and pictures stay text,
since a picture could report to another host who reads it. What Markdown and Pygments make is cleaned once more by nh3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

LONGEST = 8_000  # characters that are shown as Markdown; a longer answer is folded plain text
SHOWN = 2_000  # characters of a longer one before the fold
COMPARED = 2_000  # words of each answer whose differences are looked for
COLOURED = 1_000  # characters of one block of code; a longer one is plain, as some lexers take the square of its length
BLANK_LINES = re.compile(r"(?:\n[ \t]*){10}")  # which lexers of C and Java read again from each of them: plain too
# Lexers that are tried: a fence may name any of Pygments' hundreds, and some take long for a text made for it.
LANGUAGES = frozenset(
    "bash c cpp c++ css diff go html java javascript js json kotlin php py python python3 ruby rust sh shell sql swift"
    " toml ts typescript xml yaml yml".split()
)
CODE = HtmlFormatter(nowrap=True, classprefix="hl-")
TAGS = {"p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "div", "span", "table", "thead",
        "tbody", "tr", "th", "td"}  # fmt: skip
ATTRIBUTES = {"p": {"class"}, "div": {"class"}, "span": {"class"}, "code": {"class"}, "ol": {"start"}}
WORDS = re.compile(r"\s+|[^\s]+")


class Renderer(RendererHTML):
    """Headings of an answer are no headings of the page; tables scroll in a box and have no styles."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<p class="strong">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</p>"

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<div class="table-box"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "<th>"

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "<td>"


def coloured(code: str, language: str, _attributes: str) -> str:
    """A block of code as HTML with the classes of Pygments; escaped alone where its language is not known."""
    if len(code) > COLOURED or language.lower() not in LANGUAGES or BLANK_LINES.search(code):
        return escape(code)
    try:
        return str(highlight(code, get_lexer_by_name(language.lower(), stripnl=False), CODE))
    except ClassNotFound:
        return escape(code)


MARKDOWN = (
    MarkdownIt(
        "commonmark", {"html": False, "breaks": True, "maxNesting": 20, "highlight": coloured}, renderer_cls=Renderer
    )
    .enable("table")
    .disable(["link", "autolink", "image", "html_block", "html_inline", "reference"])
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer for a page; `folded` is the whole text of one that is too long to be shown at once, else empty."""

    html: SafeString
    folded: str = ""


def rendered(text: str) -> Rendered:
    """An answer as safe Markdown; past LONGEST characters its beginning as plain text, with the rest folded."""
    if len(text) > LONGEST:
        return Rendered(escape(text[:SHOWN] + "…"), text)
    html = nh3.clean(MARKDOWN.render(text), tags=TAGS, attributes=ATTRIBUTES, link_rel=None)
    return Rendered(mark_safe(html))  # noqa: S308  # raw HTML is off, links are text, and nh3 has cleaned it


def marked_differences(first: str, second: str) -> tuple[Rendered, Rendered] | None:
    """Both answers as plain text, the words that the other lacks marked; None where one is too long."""
    words: list[list[str]] = [WORDS.findall(text) for text in (first, second)]
    if max(map(len, words)) > 2 * COMPARED:
        return None
    blocks = SequenceMatcher(None, words[0], words[1]).get_opcodes()
    return (
        Rendered(_marked(words[0], ((tag, start, end) for tag, start, end, _a, _b in blocks))),
        Rendered(_marked(words[1], ((tag, start, end) for tag, _a, _b, start, end in blocks))),
    )


def _marked(words: Sequence[str], blocks: Iterator[tuple[str, int, int]]) -> SafeString:
    parts = []
    for tag, start, end in blocks:
        text = escape("".join(words[start:end]))
        parts.append(f"<mark>{text}</mark>" if tag != "equal" and text.strip() else text)
    return mark_safe("".join(parts))  # noqa: S308  # each part is escaped
