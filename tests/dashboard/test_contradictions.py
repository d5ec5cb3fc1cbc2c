"""Where two pages once gave two answers: each test reads both at one moment.

8.5, 8.6 and 8.15 are here. The others are in `test_both_places` (8.1, 8.9 to 8.13, 8.17, 8.18, 8.21, 8.23, 8.25),
`test_one_verdict` (8.2, 8.8), `test_forms_and_zones` (8.26, 8.27), `test_names_and_values` of alerts (8.22, 8.24),
`test_no_server` of deliveries (8.14) and `test_uptime_page` (8.19).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from alerts.inbox.page_counts import count_pages
from costs.ledger import posting as ledger
from lib.formats import dollars
from providers.models import Deployment
from tests.costs.conftest import ready
from tests.costs.people import client_of
from tests.costs.readiness.test_records import call
from tests.costs.readiness_rows import rated
from tests.costs.usage_rows import usage
from tests.pages import html_of, words
from traffic.models import Rating

__all__ = ["ready"]  # a fixture

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)  # the last 30 days lie in two months, and its own month begins on the 1st

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]


def text(client: Client, url: str) -> str:
    return words(html_of(client.get(url)))


def test_break_even_names_what_spend_shows_beside_its_own_total(ready: Deployment) -> None:
    usage(day=NOW.date() - timedelta(days=4), model="claude-sonnet-4-5", task="code", requests=9, cost=Decimal("7.00"))
    ledger.post()
    client = client_of("manager")
    spent = client.get("/spend/?month=2026-11").context["page"].total.total
    assert spent > 900
    page = text(client, "/break-even/")
    assert f"Spend shows {dollars(spent, 0)} for the last 30 days, and this total is $" in page
    assert client.get("/break-even/").context["here_on"] == "selfhost", "self-hosted requests lie on that line"


@pytest.mark.parametrize(("task", "is_compared"), [("code", False), ("rag", True)])
def test_overview_compares_with_the_api_only_where_decide_and_break_even_do(
    ready: Deployment, task: str, is_compared: bool
) -> None:
    Rating.objects.all().delete()
    rated(ready, 60, 57)
    rated(None, 60, 60, model="claude-sonnet-4-5", task=task)
    client = client_of("manager")
    overview, page = text(client, "/"), text(client, "/break-even/")
    assert ("No task has ratings of both sides, so they cannot be compared." in overview) is not is_compared
    assert ("On the same tasks, self-hosted answers are rated" in overview) is is_compared
    assert ("Quality is not known: too few ratings of both sides" in page) is not is_compared
    assert "API’s rated answers are acceptable" not in overview


def test_decide_counts_the_calls_whose_notifications_alerts_lists_as_accepted(ready: Deployment) -> None:
    call(ready.slug, NOW - timedelta(days=1))
    call(ready.slug, NOW - timedelta(days=2), about="latency", state="unsent")
    count_pages(NOW)
    listed = text(client_of("ops"), "/alerts/deliveries/")
    assert "2 of 4 notifications were accepted" in listed, "of one alert, to two people each"
    client = client_of("manager")
    assert client.get("/api/v1/scorecard").json()["burden"]["pages"]["value"] == 1
    assert "delivered alerts about self-hosted deployments 1 no limit" in text(client, "/decide/")
