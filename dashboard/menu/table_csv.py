"""A page's tables as a CSV file: `?as=csv` on a page of the menu that is marked `table`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser

from django.http import HttpRequest, HttpResponse

from costs.focus.cells import text as cell_text
from dashboard.menu.tree import PLACE_OF

NUMBER = re.compile(r"[−-]?\$?\d[\d,]*(\.\d+)?")
BREAKS = ("p", "div", "span", "br", "li")


class Tables(HTMLParser):
    """The rows of every table of `main` that is no chart's; a blank row stands between two tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._outside = 0  # open elements whose tables are a chart's figures
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "details":
            self._outside += 1
        elif tag == "table" and self.rows and not self._outside:
            self.rows.append([])
        elif tag == "tr" and not self._outside:
            self._row = []
        elif tag in ("td", "th") and self._row is not None:
            self._cell = []
        elif tag in BREAKS and self._cell is not None:
            self._cell.append(" ")

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "details":
            self._outside -= 1
        elif tag in ("td", "th") and self._cell is not None and self._row is not None:
            self._row.append(_value("".join(self._cell)))
            self._cell = None
        elif tag == "tr" and self._row is not None:
            self.rows.append(self._row)
            self._row = None


def _value(text: str) -> str:
    """A cell as a file has it: figures without signs of currency and thousands, other words as on the page."""
    words = " ".join(text.split())
    return re.sub(r"[$,]", "", words.replace("−", "-")) if NUMBER.fullmatch(words) else cell_text(words)


def table_csv(html: str) -> str:
    """The tables of a page's main part as CSV."""
    begin = html.find("<main")
    file = io.StringIO()
    csv.writer(file).writerows(Tables(html[begin:]).rows)
    return file.getvalue()


class TableCsvMiddleware:
    """Turns the answer of a page that was asked for with `?as=csv` into the file of its tables."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method != "GET" or request.GET.get("as") != "csv" or response.status_code != 200:
            return response
        name = request.resolver_match.view_name if request.resolver_match else ""
        place = PLACE_OF.get(name)
        if place is None or not place[2].table or response.streaming:
            return response
        file = HttpResponse(table_csv(response.content.decode()), content_type="text/csv; charset=utf-8")
        file["Content-Disposition"] = f'attachment; filename="breakeven-{name.rpartition(":")[2]}.csv"'
        return file
