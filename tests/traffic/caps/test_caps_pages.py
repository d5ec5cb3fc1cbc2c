"""Caps on the pages of keys and applications: set, shown with their use, deleted, audited."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from providers.audit.log import AuditEntry
from tests.traffic.people import application, logged_in, person, text
from traffic.authentication.keys import create_key
from traffic.caps.services import purge_use, set_cap
from traffic.caps.windows import Window, counted, window_of
from traffic.models import Application, Cap, CapUse, Installation, Key

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def admin() -> Client:
    return logged_in(person("root", is_superuser=True))


@pytest.fixture
def shop() -> Application:
    return application("shop")


@pytest.fixture
def key(shop: Application) -> Key:
    return create_key(name="prod", scopes=["gateway"], application=shop)[0]


def last_words() -> str:
    return AuditEntry.objects.order_by("-pk")[0].words


def use(cap: Cap, amount: int, at: datetime = NOW) -> None:
    CapUse.objects.create(cap=cap, starts_at=window_of(cap.period, at, UTC).start, amount=amount)


def test_windows_are_those_of_the_calendar_in_a_zone() -> None:
    def window(period: str, zone: str = "UTC", at: datetime = NOW) -> Window:
        return window_of(period, at, ZoneInfo(zone))

    def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
        return datetime(year, month, day, hour, minute, tzinfo=UTC)

    assert window("minute") == (NOW, NOW.replace(minute=1))
    assert window("day") == (utc(2026, 11, 18), utc(2026, 11, 19))
    assert window("week") == (utc(2026, 11, 16), utc(2026, 11, 23))
    assert window("month") == (utc(2026, 11, 1), utc(2026, 12, 1))
    assert window("day", "Asia/Kolkata") == (utc(2026, 11, 17, 18, 30), utc(2026, 11, 18, 18, 30))
    # The day on which clocks go forward has 23 hours.
    assert window("day", "Europe/Rome", utc(2026, 3, 29, 12)) == (utc(2026, 3, 28, 23), utc(2026, 3, 29, 22))


def test_amounts_are_counted_in_whole_numbers_rounded_up_and_bounded() -> None:
    assert counted("usd", Decimal("0.0000000001")) == 1
    assert counted("usd", Decimal("1.5")) == 1_500_000_000
    assert counted("tokens", Decimal(10) ** 40) == 2**52


@pytest.mark.usefixtures("stopped_clock")
def test_a_cap_of_a_key_is_set_shown_with_its_use_changed_and_deleted(admin: Client, key: Key) -> None:
    url = f"/settings/keys/{key.pk}/caps/add/"
    assert admin.post(url, {"unit": "usd", "amount": "25.5", "period": "month"}).status_code == 302
    cap = Cap.objects.get()
    assert (cap.key, cap.amount) == (key, Decimal("25.5"))
    assert last_words() == "Cap set: $25.50 a month."
    use(cap, 20_400_000_000)
    page = text(admin, f"/settings/keys/{key.pk}/")
    assert "$25.50 a month" in page and "$20.40 used" in page and "nearly reached" in page
    assert '<progress max="100" value="80"' in page
    admin.post(url, {"unit": "usd", "amount": "20", "period": "month"})
    assert Cap.objects.get() == cap
    assert Cap.objects.get().amount == 20
    assert "reached" in text(admin, "/settings/caps/") and "<b>1 of 1 cap</b> is reached" in text(
        admin, "/settings/caps/"
    )
    admin.post(f"/settings/caps/{cap.pk}/delete/")
    assert not Cap.objects.exists()
    assert last_words() == "Cap deleted: $20.00 a month."


@pytest.mark.parametrize(
    ("amount", "why"),
    [("0", "above 0"), ("-1", "above 0"), ("1.5", "whole number"), ("9" * 15, "at most"), ("x", "number")],
)
def test_an_amount_that_is_none_is_refused_by_a_sentence(admin: Client, key: Key, amount: str, why: str) -> None:
    answer = admin.post(f"/settings/keys/{key.pk}/caps/add/", {"unit": "tokens", "amount": amount, "period": "day"})
    assert answer.status_code == 422
    assert why in answer.content.decode()
    assert not Cap.objects.exists()


def test_the_successor_of_a_key_has_its_caps(admin: Client, key: Key) -> None:
    later = create_key(name="prod 2", scopes=["gateway"], application=key.application, first_id=key.pk)[0]
    set_cap(later, unit="requests", period="day", amount=Decimal(7))
    assert Cap.objects.get().key == key
    assert "7 requests a day" in text(admin, f"/settings/keys/{later.pk}/")


def test_a_cap_of_an_application_may_be_of_each_user(admin: Client, shop: Application) -> None:
    fields = {"unit": "requests", "amount": "9", "period": "day", "each_user": "on"}
    admin.post("/settings/applications/shop/caps/add/", fields)
    assert Cap.objects.get().each_user
    assert "9 requests a day for each user" in text(admin, "/settings/applications/shop/")


def test_a_cap_of_an_application_may_be_of_one_task(admin: Client, shop: Application) -> None:
    fields = {"unit": "requests", "amount": "9", "period": "day"}
    for task in ("code", "", "code"):
        admin.post("/settings/applications/shop/caps/add/", {**fields, "task": task})
    assert sorted(Cap.objects.values_list("task", flat=True)) == ["", "code"]
    shown = text(admin, "/settings/applications/shop/")
    assert "9 requests a day for the task code" in shown
    wrong = admin.post("/settings/applications/shop/caps/add/", {**fields, "task": "poetry"})
    assert (wrong.status_code, Cap.objects.count()) == (422, 2)


def test_only_who_may_change_an_application_sets_its_caps(shop: Application) -> None:
    reader = logged_in(person("mia", "traffic.view_application"))
    assert reader.post("/settings/applications/shop/caps/add/", {}).status_code == 403
    assert "Set a cap" not in text(reader, "/settings/applications/shop/")


def test_the_zone_and_what_becomes_of_calls_without_valkey_are_settings(admin: Client) -> None:
    Installation.objects.get_or_create(id=1, defaults={"salt": b"s"})
    admin.post("/settings/caps/", {"zone": "Europe/Rome", "refuse": "True"})
    stored = Installation.objects.get()
    assert (stored.cap_zone, stored.caps_refuse) == ("Europe/Rome", True)
    assert "Europe/Rome" in last_words()
    assert admin.post("/settings/caps/", {"zone": "Nowhere", "refuse": "True"}).status_code == 422


def test_old_use_is_deleted(key: Key) -> None:
    caps = {
        period: set_cap(key, unit="requests", period=period, amount=Decimal(5))[0] for period in ("minute", "month")
    }
    for cap in caps.values():
        use(cap, 1)
        use(cap, 1, NOW.replace(day=16, month=10))
        use(cap, 1, NOW.replace(month=8))
    assert purge_use(NOW) == 4
    assert CapUse.objects.count() == 2


def test_the_command_makes_a_key_with_caps(shop: Application) -> None:
    out = StringIO()
    call_command(
        "create_key",
        "gateway",
        application="shop",
        cap_requests_per_day=100,
        cap_usd_per_day=Decimal("0.5"),
        stdout=out,
    )
    assert {(cap.unit, cap.period, cap.amount) for cap in Cap.objects.all()} == {
        ("requests", "day", 100),
        ("usd", "day", Decimal("0.5")),
    }
    for wrong in ("0", "-3", "1.5", "nan", "Infinity", "x"):
        with pytest.raises(CommandError):
            call_command("create_key", "gateway", "--application", "shop", "--cap-requests-per-day", wrong)


def test_a_key_with_a_cap_needs_no_application_to_be_named() -> None:
    call_command("create_key", "gateway", "--cap-tokens-per-day", "1000", stdout=StringIO())
    cap = Cap.objects.get()
    assert cap.key is not None and cap.key.application is not None
    assert (cap.key.application.slug, cap.unit, cap.amount) == ("gateway", "tokens", Decimal(1000))
