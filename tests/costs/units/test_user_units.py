"""What one user costs: from the requests of an application, gone with them, bounded before it is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from costs.units import users as user_units
from costs.units.users import UserUnits
from tests.costs.usage_rows import usage
from tests.factories import ApplicationFactory, TokenPriceFactory
from tests.query_ceilings import ceiling
from tests.traffic.people import logged_in, person
from traffic.ingest.context import raw_connection
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow, Tokens
from traffic.ingest.store import ingest
from traffic.models import Application, UsageDay

TODAY = datetime.now(UTC).date()
DAYS = (TODAY - timedelta(days=2), TODAY - timedelta(days=1))


def sent(app: Application, user: str | None, day: date, number: int, model: str = "gpt-5") -> RequestRow:
    return RequestRow(
        external_id=f"{user}-{day}-{number}", started_at=datetime(day.year, day.month, day.day, 9, tzinfo=UTC),
        provider="openai", model=model, source="otlp", application_id=app.pk, outcome="ok", latency_ms=10.0,
        tokens=Tokens(100, 0, 0, 0, 20, 0), user=user,
    )  # fmt: skip


@pytest.fixture
def helper(transactional_db: Any) -> Application:
    app, other = (ApplicationFactory.create(slug=slug) for slug in ("code-helper", "other"))
    rows = [sent(app, "ann", DAYS[0], n) for n in range(2)] + [sent(app, "ann", DAYS[1], n) for n in range(6)]
    rows += [sent(app, "bob", DAYS[1], 1), sent(app, "bob", DAYS[1], 2, "unheard-of"), sent(app, None, DAYS[1], 1)]
    rows += [sent(other, "ann", DAYS[1], n) for n in range(9)]
    TokenPriceFactory.create(  # 100 tokens in and 20 out: half a dollar
        provider="openai", model="gpt-5", uncached_input=4000, output=5000,
        starts_at=datetime(2020, 1, 1, tzinfo=UTC), seen_at=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    with raw_connection() as conn:
        ingest(conn, rows, PricingContext.load(conn))
    return app


@pytest.fixture
def viewer(transactional_db: Any) -> Client:
    return logged_in(person("ann", "costs.view_charge", is_superuser=True))


def found(app: Application) -> UserUnits:
    return user_units.user_units(app, DAYS[0], TODAY)


def test_each_user_has_its_own_requests_and_those_without_one_are_counted_apart(helper: Application) -> None:
    read = found(helper)
    assert (read.users, read.requests, read.without, read.whole) == (2, 11, 1, True)
    ann, bob = read.rows
    assert (ann.requests, ann.amount, ann.by_day) == (8, Decimal(4), (Decimal(1), Decimal(3)))
    assert (ann.per_request, ann.change, ann.tokens) == (Decimal("0.5"), Decimal(2), 960)
    assert (bob.requests, bob.unpriced, bob.per_request) == (2, 1, Decimal("0.5"))
    assert bob.change is None
    assert ann.change_shown is None, "three whole days must be behind it"
    assert replace(ann, by_day=(*ann.by_day, *ann.by_day)).change_shown == 0


def test_only_as_many_of_the_newest_days_are_read_as_hold_what_may_be(
    helper: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_units, "MOST_READ", 19)
    assert user_units.readable_since(DAYS[0], TODAY) == DAYS[1]
    read = found(helper)
    assert (read.first, read.whole, read.rows[0].requests) == (DAYS[1], False, 6)
    usage(UsageDay, day=TODAY, requests=1000)
    assert user_units.readable_since(DAYS[0], TODAY + timedelta(days=1)) == TODAY


def test_the_page_leads_to_the_requests_of_a_user(helper: Application, viewer: Client) -> None:
    page = viewer.get(f"/spend/units/code-helper/users/?month={DAYS[1]:%Y-%m}")
    ann = next(row for row in found(helper).rows if row.requests == 8)
    assert ann.short in page.content.decode()
    assert f"user={ann.user}" in ann.requests_url
    listed = viewer.get(ann.requests_url)
    assert listed.status_code == 200
    assert len(listed.context["page"].rows) == 8
    assert viewer.get("/spend/units/nobody/users/").status_code == 404


def test_an_application_that_names_no_user_says_how_to(viewer: Client) -> None:
    ApplicationFactory.create(slug="new", name="New")
    text = viewer.get("/spend/units/new/users/").content.decode()
    assert "No traffic in these days" in text
    assert "keyed hash" in text


def test_the_statements_do_not_grow_with_users(helper: Application, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(ceiling("users of an application")):
        found(helper)
    with raw_connection() as conn:
        ingest(conn, [sent(helper, f"u{n}", DAYS[1], n) for n in range(60)], PricingContext.load(conn))
    with django_assert_num_queries(ceiling("users of an application")):
        assert len(found(helper).rows) == user_units.MOST_USERS


@pytest.mark.parametrize("user", ["x", "0" * 31, "b93730e3-3132-4923-a433-b60757ca0261"])
def test_a_users_hash_in_the_address_of_requests_is_one_or_is_refused(
    helper: Application,
    viewer: Client,
    user: str,
) -> None:
    page = viewer.get(f"/requests/?application=code-helper&user={user}")
    assert ("is not the hash of a user" in page.content.decode()) is (len(user) < 32)
