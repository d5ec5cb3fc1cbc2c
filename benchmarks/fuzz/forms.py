"""The pages of the stack as a person sees them: links to follow and forms with what stands in their fields."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, resolve

PER_NAME = 3  # addresses of one view that are looked at
MOST = 400  # pages


@dataclass
class Form:
    """Where it is sent, and for each field what it holds or may hold."""

    action: str
    method: str
    multipart: bool
    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """Links and forms of one page."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._select = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(attributes.get("href", ""))
        elif tag == "form":
            self._open(attributes)
        elif self.forms and "name" in attributes and tag in ("input", "textarea", "select", "button"):
            self._field(tag, attributes)
        elif tag == "option" and self.forms and self._select:
            self.forms[-1].fields[self._select].append(attributes.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""

    def _open(self, attributes: dict[str, str]) -> None:
        action = urlsplit(urljoin(self.url, attributes.get("action") or self.url))
        target = action.path + (f"?{action.query}" if action.query else "")
        multipart = "multipart" in attributes.get("enctype", "")
        self.forms.append(Form(target, attributes.get("method", "get").upper(), multipart))

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        form, name = self.forms[-1], attributes["name"]
        if attributes.get("type") == "file":
            form.files.append(name)
            return
        values = form.fields.setdefault(name, [])
        if tag == "select":
            self._select = name
        else:
            values.append(attributes.get("value", ""))


@dataclass
class Map:
    """What the crawl found, in an order that does not depend on the run."""

    paths: list[str]
    forms: list[Form]


def crawl(get: Callable[[str], str], starts: list[str]) -> Map:
    """Follow links from some paths; `get` answers with a page's HTML, empty where there is none."""
    waiting, seen, names = deque(sorted(set(starts))), set[str](), dict[str, int]()
    forms: dict[tuple[str, str, tuple[str, ...]], Form] = {}
    while waiting and len(seen) < MOST:
        path = waiting.popleft()
        name = name_of(path)
        if path in seen or not name or names.get(name, 0) >= PER_NAME:
            continue
        seen.add(path)
        names[name] = names.get(name, 0) + 1
        page = Page(path, get(path))
        for form in page.forms:
            key = (name_of(form.action), form.method, tuple(sorted((*form.fields, *form.files))))
            forms.setdefault(key, form)
        waiting.extend(link for href in page.links if (link := _local(path, href)))
    return Map(sorted(seen), [forms[key] for key in sorted(forms)])


def _local(base: str, href: str) -> str:
    parts = urlsplit(urljoin(base, href))
    if parts.netloc or parts.scheme or not parts.path.startswith("/"):
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def name_of(path: str) -> str:
    """The name of the view behind a path, empty where there is none."""
    try:
        return resolve(urlsplit(path).path).view_name
    except Resolver404:
        return ""
