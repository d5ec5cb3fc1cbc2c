"""What the pages of applications, keys, routes and deletions say; on plain objects, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.pages import marked_text
from traffic.applications.page import (
    ApplicationRow,
    KeyRow,
    application_headline,
    applications_headline,
    keys_headline,
)
from traffic.models import Application, Erasure, Key, Route
from traffic.privacy import page as privacy
from traffic.routes.page import headline, routes_headline

AT = datetime(2020, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


# Applications.


@pytest.mark.parametrize(
    ("requests", "sentence"),
    [
        ((), "No applications yet, so no program can send requests."),
        ((1200,), "The <b>one application</b> has sent <b>1,200 requests</b> in 30 days."),
        ((1200, 0), "<b>1 of 2 applications</b> have sent <b>1,200 requests</b> in 30 days."),
    ],
)
def test_the_list_of_applications_begins_with_how_many_send(requests: tuple[int, ...], sentence: str) -> None:
    rows = [ApplicationRow(Application(), count, 0) for count in requests]
    assert applications_headline(rows, sum(requests), 30) == sentence


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "<b>Shop</b> has no owner yet. Its prompts and answers are not kept."),
        (
            {"owner": User(username="ann"), "capture_bodies": True},
            "<b>Shop</b> belongs to <b>ann</b>. Its prompts and answers are kept.",
        ),
        (
            {"owner": User(username="ann", first_name="Ann", last_name="<Lee>")},
            "<b>Shop</b> belongs to <b>Ann &lt;Lee&gt;</b>. Its prompts and answers are not kept.",
        ),
    ],
)
def test_an_application_begins_with_whose_it_is(changed: dict[str, Any], sentence: str) -> None:
    assert application_headline(Application(name="Shop", **changed)) == sentence


def test_an_application_shows_the_state_of_its_budget() -> None:
    cells = [ApplicationRow(Application(budget_state=state), 0, 0).budget() for state in ("over", "within", "unknown")]
    assert cells == [
        '<span class="state bad">over budget</span>',
        '<span class="state ok">within budget</span>',
        '<span class="none">no budget</span>',
    ]


# Keys.

NOTHING = {"requests": Decimal(0), "tokens": Decimal(0), "usd": Decimal(0)}


def a_key(*, used: int = 0, **changed: Any) -> KeyRow:
    return KeyRow(Key(name="shop", **changed), AT, NOTHING | {"requests": Decimal(used)})


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (a_key(revoked_at=AT), "<b>shop</b> is not valid any more."),
        (a_key(expires_at=AT), "<b>shop</b> is not valid any more."),
        (
            a_key(expires_at=AT + DAY),
            "<b>shop</b> is valid and has no quota.",
        ),
        (
            a_key(used=30, quota=Decimal(1200)),
            "<b>shop</b> is valid and has used <b>2 % of 1,200 requests a month</b>.",
        ),
    ],
)
def test_a_key_begins_with_whether_it_works_and_how_much_is_used(row: KeyRow, sentence: str) -> None:
    assert row.headline() == sentence


@pytest.mark.parametrize(
    ("row", "limits", "validity"),
    [
        (a_key(), "none", "until revoked"),
        (a_key(per_minute=1, expires_at=AT - DAY), "1 call a minute", "expired 30 Apr 2020, 12:00"),
        (a_key(per_minute=1200, expires_at=AT + DAY), "1,200 calls a minute", "until 2 May 2020, 12:00"),
        (
            a_key(per_minute=2, quota=Decimal(10), revoked_at=AT),
            "2 calls a minute 0 % of 10 requests a month",
            "revoked 1 May 2020, 12:00",
        ),
    ],
)
def test_the_list_of_keys_shows_limits_and_until_when_each_works(row: KeyRow, limits: str, validity: str) -> None:
    assert (marked_text(row.limits()), marked_text(row.validity())) == (limits, validity)


def test_a_key_says_who_made_it_and_of_which_time_its_use_is() -> None:
    assert a_key().maker() == ""
    assert a_key(created_by=User(username="ann")).maker() == "by ann"
    assert a_key(created_by=User(username="ann", is_active=False)).maker() == "by ann (deactivated)"
    assert a_key(quota_period="day").use_heading() == "Use today"
    assert a_key().use_heading() == "Use this month"
    assert a_key().use_note() == "UTC, stored requests"
    line = "UTC, stored requests · includes the keys that it replaced"
    assert [a_key(first_id=1).use_note(), KeyRow(Key(), AT, next=Key()).use_note()] == [line, line]


def test_a_key_says_what_is_estimated_on_top_of_what_is_stored() -> None:
    assert a_key().estimated_words() == "" and KeyRow(Key(), AT, NOTHING, NOTHING).estimated_words() == ""
    used = {"requests": Decimal(1), "tokens": Decimal(1200), "usd": Decimal("0.02")}
    assert KeyRow(Key(), AT, used, NOTHING).estimated_words() == "1,200 tokens, 0.02"
    assert KeyRow(Key(quota=Decimal(10)), AT).used_words() == "10 requests a month"


def test_the_list_of_keys_begins_with_how_many_work() -> None:
    used, unused, revoked = a_key(last_used_at=AT), a_key(), a_key(revoked_at=AT, last_used_at=AT)
    assert keys_headline([revoked]) == "No valid keys, so no program can send or read anything."
    assert keys_headline([used, revoked]) == "<b>1 key</b> is valid, <b>1</b> has been used."
    assert keys_headline([used, unused, revoked]) == "<b>2 keys</b> are valid, <b>1</b> of them have been used."


# Routes.


def test_the_list_of_routes_begins_with_how_many_are_in_use() -> None:
    used, unused = Route(enabled=True), Route(enabled=False)
    assert routes_headline([unused]) == "No route is enabled, so the gateway cannot send requests."
    assert routes_headline([used, unused]) == "<b>1</b> of 2 routes is enabled. The first match decides."
    assert routes_headline([used, used]) == "<b>2</b> of 2 routes are enabled. The first match decides."


@pytest.mark.django_db
def test_a_route_begins_with_the_requests_that_it_holds_for() -> None:
    route = Route.objects.create(slug="long", name="<Long>", order=900, to_provider="self")
    assert headline(route) == "<b>&lt;Long&gt;</b> applies to every request that reaches it."
    route.media, route.private = True, False
    assert headline(route) == (
        "<b>&lt;Long&gt;</b> applies to a request when it carries images, documents, sound or video "
        "and it is not marked private."
    )


# Deletions.


@pytest.mark.parametrize(
    ("counts", "erasures", "sentence"),
    [
        ({"requests": 1}, 0, "<b>1 request</b> of this user. Nothing is deleted yet."),
        ({"requests": 1200}, 0, "<b>1,200 requests</b> of this user. Nothing is deleted yet."),
        (None, 0, "There are no deletions yet."),
        (None, 1, "<b>1 deletion</b>. Totals without identity stay."),
        (None, 2, "<b>2 deletions</b>. Totals without identity stay."),
    ],
)
def test_the_list_of_deletions_begins_with_what_there_is(
    counts: dict[str, int] | None, erasures: int, sentence: str
) -> None:
    assert privacy.erasures_headline(counts, [Erasure()] * erasures) == sentence


FATE = "The requests lose their user and all texts. Tokens, times and cost stay. This cannot be undone."


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((1, 1, 0), f"There is <b>1 request</b> of this user, and ratings under <b>1</b> name. {FATE}"),
        (
            (2, 0, 1),
            f"There are <b>2 requests</b> of this user, and ratings under <b>0</b> names. {FATE} "
            "The oldest day is not counted, to save time. It is deleted too.",
        ),
        (
            (2, 0, 3),
            f"There are <b>2 requests</b> of this user, and ratings under <b>0</b> names. {FATE} "
            "The oldest 3 days are not counted, to save time. They are deleted too.",
        ),
    ],
)
def test_before_a_deletion_a_person_reads_what_there_is(counts: tuple[int, int, int], text: str) -> None:
    assert privacy.what_there_is(dict(zip(("requests", "ratings", "uncounted"), counts, strict=True))) == text


@pytest.mark.parametrize(
    ("changed", "sentence", "how_far"),
    [
        (
            {"erased": 2, "expected": 9},
            "The data of <b>&lt;x&gt;</b> is being deleted. You can leave this page.",
            "2 of 9 requests",
        ),
        (
            {"erased": 10, "expected": 9},
            "The data of <b>&lt;x&gt;</b> is being deleted. You can leave this page.",
            "10 requests",
        ),
        (
            {"erased": 1, "finished_at": AT},
            "The data of <b>&lt;x&gt;</b> is deleted: <b>1 request</b> has no user any more.",
            "1 request",
        ),
        (
            {"erased": 1200, "finished_at": AT},
            "The data of <b>&lt;x&gt;</b> is deleted: <b>1,200 requests</b> have no user any more.",
            "1,200 requests",
        ),
    ],
)
def test_a_deletion_says_how_far_it_is(changed: dict[str, Any], sentence: str, how_far: str) -> None:
    erasure = Erasure(name="<x>", **changed)
    assert (privacy.headline(erasure), privacy.how_far(erasure)) == (sentence, how_far)
