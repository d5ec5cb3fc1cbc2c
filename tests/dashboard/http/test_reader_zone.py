"""A person reads pages and mails in one time zone; prices, files and programs stay in UTC."""

from __future__ import annotations

import pytest
from django.test import Client

from alerts.defaults import ensure_defaults
from alerts.delivery.compose import compose
from alerts.evaluation.services import evaluate
from alerts.models import Alert, Delivery, Preference
from providers.models import TokenPrice
from tests.alerts.conditions import NOW, break_down, deployment
from tests.dashboard.logins import logged_in, with_role
from tests.pages import html_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]


def person_in(zone: str) -> tuple[Client, Preference]:
    person = with_role("admin")
    return logged_in(person), Preference.objects.create(person=person, timezone=zone)


@pytest.mark.parametrize(("zone", "clock"), [("Europe/Rome", "12:57 CET"), ("Asia/Kathmandu", "17:42 UTC+0545")])
def test_an_outage_began_at_one_clock_time_on_its_pages_and_in_its_mail(zone: str, clock: str) -> None:
    client, preference = person_in(zone)
    ensure_defaults()
    break_down(deployment())  # at 11:57 UTC
    evaluate(now=NOW, kinds=["outage"], wait=True)
    alert = Alert.objects.get(rule__kind="outage")
    transition = alert.transitions.latest("pk")
    delivery = Delivery(alert=alert, transition=transition, recipient=preference.person.email, created_at=NOW)
    assert clock in str(compose(delivery).body)
    page = words(html_of(client.get(alert.get_absolute_url())))
    assert clock in page
    uptime = words(html_of(client.get("/uptime/")))
    assert f"24 Nov, {clock[:5]}" in uptime
    assert f"Times in {zone}. Charts and billing days are UTC, as vendors bill." in uptime
    assert "11:57" not in page + uptime


def test_a_page_without_a_zone_of_its_reader_is_in_utc_for_the_script_to_rewrite() -> None:
    break_down(deployment())
    person = with_role("admin")
    html = html_of(logged_in(person).get("/uptime/"))
    assert "24 Nov, 11:57" in words(html) and "data-zone=" in html
    Preference.objects.create(person=person)
    html = html_of(logged_in(person).get("/uptime/"))
    assert "24 Nov, 11:57" in words(html) and "data-zone=" not in html


def test_files_and_programs_get_utc_and_a_zone_that_is_unknown_is_utc() -> None:
    client, _preference = person_in("Europe/Rome")
    ensure_defaults()
    break_down(deployment())
    evaluate(now=NOW, kinds=["outage"], wait=True)
    Alert.objects.update(state="resolved", resolved_at=NOW)
    assert "24 Nov, 13:00" in words(html_of(client.get("/alerts/history/")))
    assert "24 Nov, 12:00" in client.get("/alerts/history/?as=csv").content.decode()
    [row] = client.get("/api/v1/alerts?state=resolved").json()["items"]
    assert row["opened_at"].startswith("2026-11-24T12:00:00")
    Preference.objects.update(timezone="Mars/Olympus")
    assert "24 Nov, 12:00" in words(html_of(client.get("/alerts/history/")))


def test_the_moment_of_a_price_is_typed_and_shown_in_utc_whatever_the_zone_of_the_page() -> None:
    client, _preference = person_in("America/New_York")
    sent = {
        "provider": "anthropic", "model": "m", "starts_at": "2026-11-01T00:00", "uncached_input": "1", "output": "5",
        "source": "a list", "confirmed": "1",
    }  # fmt: skip
    client.post("/settings/prices/add/", sent)
    assert TokenPrice.objects.get(model="m").starts_at.isoformat() == "2026-11-01T00:00:00+00:00"
