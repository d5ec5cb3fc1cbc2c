"""How a page begins, as people read it: with the name of the page, and a line under it that gives the finding."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

FEWEST = 4  # words of the finding: "All clear: no open alerts" is a whole one


class Begins(HTMLParser):
    """The text of the first h1 in main, and that of its first p."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._inside, self._tag = False, ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._inside = self._inside or tag == "main"
        if self._inside and tag in ("h1", "p") and tag not in self.found and not self._tag:
            self._tag = tag
            self.found[tag] = ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "main"
        if tag == self._tag:
            self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag:
            self.found[self._tag] += data


def begins(html: str) -> dict[str, str]:
    parser = Begins()
    parser.feed(html)
    return {tag: " ".join(text.split()) for tag, text in parser.found.items()}


def dull(response: Any) -> dict[str, str] | None:
    """The beginning of a page without a heading or a finding; None where it has both, and of what is no whole page.

    The finding is the first paragraph. Overview and Decide may give it in the heading.
    """
    html = "" if response.streaming or "html" not in response.get("Content-Type", "") else response.content.decode()
    if "<main" not in html:
        return None
    texts = begins(html)
    finding = max((len(text.split()) for text in texts.values()), default=0) >= FEWEST
    return None if texts.get("h1") and finding else texts
