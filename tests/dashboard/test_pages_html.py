"""What tests read of a page is the same each time, so that none of them passes or fails by a random letter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from tests.dashboard.logins import logged_in, with_role
from tests.pages import html_of


@pytest.mark.parametrize("url", ["/", "/settings/people/", "/alerts/channels/"])
def test_a_page_read_twice_has_nothing_random_in_it(db: Any, url: str) -> None:
    client = logged_in(with_role("admin"))
    with time_machine.travel(datetime.now(UTC), tick=False):  # pages say when they were made
        first, second = client.get(url), client.get(url)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content != second.content, "its forms have a token, which is another one in each answer"
    assert html_of(first) == html_of(second)
