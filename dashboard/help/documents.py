"""The pages of Help: the how-tos, references and explanations under `docs/`, rendered once from Markdown.

Raw HTML in a document is shown as text. A link to another document leads to its page here; a link to what has no page
(a decision, a source file) is shown as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# The folders under docs/ whose documents are pages, in the order of the list; "" are those of docs/ itself.
FOLDERS = {
    "how-to": gettext_lazy("How to"),
    "reference": gettext_lazy("Reference"),
    "explanation": gettext_lazy("Explanation"),
    "": gettext_lazy("More"),
}
DOCS = Path(settings.BASE_DIR) / "docs"


@dataclass(frozen=True, slots=True)
class Document:
    """A file under docs/: its slug is the file's name without ending, its title the first heading."""

    slug: str
    folder: str
    title: str
    text: str

    @property
    def url(self) -> str:
        return reverse("help-page", args=[self.slug])

    def is_about(self, words: Sequence[str]) -> bool:
        """Whether one of the words, in lower case, stands in its name or its title."""
        head = f"{self.slug} {self.title.lower()}"
        return any(word in head for word in words)

    def matches(self, words: Sequence[str]) -> bool:
        """Whether each of the words, in lower case, stands in the title or the text."""
        return all(word in self.text.lower() for word in words)


@cache
def documents() -> Mapping[str, Document]:
    """Every page by its slug. The files belong to the installed version, so they are read once."""
    pages = {}
    for folder in FOLDERS:
        for path in sorted((DOCS / folder).glob("*.md")):
            text = path.read_text()
            title = text.partition("\n")[0].removeprefix("#").strip()
            pages[path.stem] = Document(path.stem, folder, title, text)
    return pages


def find(query: str) -> list[Document]:
    """The documents in which every word of the query stands, a word in the title first; all where there is no word."""
    words = query.lower().split()[:10]
    hits = [page for page in documents().values() if page.matches(words)]
    return sorted(hits, key=lambda page: not page.is_about(words)) if words else hits


@cache
def body_of(slug: str) -> SafeString:
    """The document as HTML without its title, which stands in the page's head. Raises KeyError."""
    document = documents()[slug]
    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=Renderer).enable("table")
    _title, _newline, rest = document.text.partition("\n")
    # Rendered by markdown-it with raw HTML switched off, from the files of the installed version.
    html: str = markdown.render(rest, {"folder": document.folder, "codes": 0})
    return mark_safe(folded(html) if len(rest) > LONGEST_UNFOLDED else html)  # noqa: S308


LONGEST_UNFOLDED = 8_000  # characters of a document; a longer one is more than 3,500 px high on a desktop


def folded(html: str) -> str:
    """The same with each section closed below its heading: one reads of a long reference what one came for. A browser
    opens a section by itself for a link into it and for its own search."""
    introduction, *sections = html.split("<h2 ")
    return introduction + "".join(
        f"<details><summary><h2 {section.replace('</h2>', '</h2></summary>', 1)}</details>" for section in sections
    )


def anchor(heading: str) -> str:
    """The id of a heading, as code hosts make it, so that links between documents lead to it on both."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class Renderer(RendererHTML):
    """HTML as our pages have it: headings with ids, tables that scroll by themselves, code with a button to copy it."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return format_html('<{} id="{}">', tokens[idx].tag, anchor(tokens[idx + 1].content))

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<div class="table-box"><table>'

    def cell_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """A cell; what Markdown aligns by a style, which our pages may not have, has the class of numbers."""
        tag = tokens[idx].tag
        return f'<{tag} class="num">' if "right" in str(tokens[idx].attrs.get("style", "")) else f"<{tag}>"

    th_open = td_open = cell_open

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>"

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        env["codes"] += 1
        return format_html(
            '<pre tabindex="0"><code id="code-{0}">{1}</code></pre>'
            '<p class="actions"><button class="btn" type="button" data-copy="#code-{0}" data-done="{3}">{2}</button>'
            "</p>",
            env["codes"], tokens[idx].content, gettext_lazy("Copy"), gettext_lazy("Copied"),
        )  # fmt: skip

    code_block = fence

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        url = page_of(str(tokens[idx].attrs["href"]), env["folder"])
        return format_html('<a href="{}">', url) if url else "<span>"

    def link_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        opened = next(t for t in reversed(tokens[:idx]) if t.type == "link_open")
        return "</a>" if page_of(str(opened.attrs["href"]), env["folder"]) else "</span>"


def page_of(href: str, folder: str) -> str:
    """Where a link of a document in this folder leads in the product; empty where there is no page for it."""
    if re.match(r"https?://|#", href):
        return href
    path, _hash, fragment = href.partition("#")
    target = PurePosixPath(folder, path)
    document = documents().get(target.stem) if target.suffix == ".md" else None
    parts = [part for part in target.parts[:-1] if part != ".."]
    if document is None or (parts and parts[-1] not in FOLDERS):
        return ""
    return document.url + (f"#{fragment}" if fragment else "")
