"""Copy link and Download CSV: at the same place on every page with a period or filters, with what the page shows."""

from __future__ import annotations

import csv
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from dashboard.menu.table_csv import table_csv
from dashboard.menu.tree import pages
from tests.dashboard.logins import logged_in, with_role
from tests.factories import ChargeFactory
from tests.pages import html_of

pytestmark = pytest.mark.django_db

TABLES = [page.name for _section, _entry, page in pages() if page.table]


def test_a_file_has_the_figures_of_the_tables_and_no_formula() -> None:
    html = """<table><tr><td>menu</td></tr></table><main><table><tr><th>Name</th><th class="num">USD</th></tr>
      <tr><td>=cmd()<span class="secondary">of Shop</span></td><td>−1,234.50</td></tr></table>
      <details><table><tr><td>chart</td></tr></table></details><table><tr><td>≥ 3.10</td></tr></table></main>"""
    assert list(csv.reader(io.StringIO(table_csv(html)))) == [
        ["Name", "USD"], ["'=cmd() of Shop", "-1234.50"], [], ["≥ 3.10"],
    ]  # fmt: skip
    assert table_csv("<p>no table") == ""


def test_each_page_with_a_table_has_both_links_and_gives_its_file() -> None:
    client = logged_in(with_role("admin"))
    assert len(TABLES) >= 12
    for name in TABLES:
        url = reverse(name)
        page = html_of(client.get(url))
        assert "data-copy-link" in page and 'href="?as=csv"' in page, name
        file = client.get(url, {"as": "csv"})
        assert file["Content-Type"].startswith("text/csv") and file["Content-Disposition"].startswith("attachment"), (
            name
        )


def test_the_file_keeps_the_filters_of_the_page() -> None:
    client = logged_in(with_role("manager"))
    now = timezone.now()
    month = f"{now:%Y-%m}"
    ChargeFactory.create(
        key="entered:1",
        provider="lambda",
        day=now.date(),
        starts_at=now,
        ends_at=now,
        category="upkeep",
        provenance="entered",
        amount=5,
        original_amount=5,
    )
    page = html_of(client.get("/spend/ledger/", {"month": month}))
    assert f'href="?month={month}&amp;as=csv"' in page
    rows = list(csv.reader(io.StringIO(client.get("/spend/ledger/", {"month": month, "as": "csv"}).content.decode())))
    assert rows[0][:2] == ["Day", "Provider"] and len(rows) > 1


def test_a_page_without_a_table_and_a_person_without_the_right_get_no_file() -> None:
    assert logged_in(with_role("admin")).get("/settings/", {"as": "csv"})["Content-Type"].startswith("text/html")
    assert logged_in(with_role("staff")).get("/spend/ledger/", {"as": "csv"}).status_code == 403
