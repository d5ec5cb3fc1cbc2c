"""A month in an address that is none, or has not begun, is told of; the page shows another one and says which."""

from __future__ import annotations

import html

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
PAGES = ("", "changes/", "units/", "ledger/", "charges/", "reconciliation/", "statements/", "sharing/")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("said", ["abc", "2199-01", "2026-13", "1999-12", "<b>"])
def test_what_is_no_month_is_told(admin_client: Client, page: str, said: str) -> None:
    answer = admin_client.get(f"/spend/{page}", {"month": said})
    assert answer.status_code == 200
    assert f"“{said}” is not a past or current month" in html.unescape(answer.content.decode())
    assert "“<b>”" not in answer.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_a_month_and_none_at_all_are_shown_without_a_word(admin_client: Client, page: str) -> None:
    for query in ({}, {"month": "2026-10"}, {"month": ""}):
        assert "no month that has begun" not in admin_client.get(f"/spend/{page}", query).content.decode()


def test_an_invalid_month_of_a_statement_file_is_not_found(admin_client: Client) -> None:
    assert admin_client.get("/spend/statements/statements.csv", {"month": "abc"}).status_code == 404
