"""What every list that can be sorted keeps, whatever it lists."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from django.test import Client

BAD = ("nothing", "--cost", "-", "cost;drop table", "x" * 5_000, "%")


def rows_of(html: str) -> list[str]:
    """The words of each row, in order."""
    cut = [re.sub(r"<[^>]+>", " ", row) for row in re.findall(r"<tr data-row.*?</tr>", html, re.DOTALL)]
    return [" ".join(row.split()) for row in cut]


def html_of(client: Client, url: str) -> str:
    response: Any = client.get(url)
    assert response.status_code == 200, (url, response.status_code)
    html: str = response.content.decode()
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", html)


def assert_sorts(client: Client, url: str, keys: Collection[str]) -> None:
    """Each key in both directions shows the same rows and marks its heading; what is no key leaves the usual order."""
    with_more = f"{url}{'&' if '?' in url else '?'}sort="
    usual = rows_of(html_of(client, url))
    assert len(usual) > 1, "one row has no order"
    for sort in BAD:
        assert rows_of(html_of(client, f"{with_more}{quote(sort)}")) == usual, sort[:40]
    for key in keys:
        up, down = (html_of(client, f"{with_more}{sign}{key}") for sign in ("", "-"))
        assert sorted(rows_of(up)) == sorted(rows_of(down)) == sorted(usual), key
        assert re.search(rf'aria-sort="ascending"><a id="sort-([a-z]+-)?{key}"', up), key
        assert re.search(rf'aria-sort="descending"><a id="sort-([a-z]+-)?{key}"', down), key
