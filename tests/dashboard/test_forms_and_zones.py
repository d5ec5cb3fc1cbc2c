"""What a page asks for and what its form takes agree, and so do the zones that pages and mails name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from costs.anomalies import services
from costs.anomalies.find import New
from tests.dashboard.logins import logged_in, with_role


def test_the_heading_of_a_new_application_and_its_form_require_the_same(db: Any) -> None:
    response = logged_in(with_role("admin")).get(reverse("traffic:application-add"))
    form = response.context["form"]
    assert {name for name, field in form.fields.items() if field.required} == {"name"}
    assert "An application needs only a name." in response.content.decode()


def test_the_silence_form_says_what_it_then_requires(db: Any) -> None:
    client = logged_in(with_role("ops"))
    text = client.get(reverse("alerts:silences")).content.decode()
    assert "ill in at least one of kind, subject, severity and labels" in text
    refused = client.post(reverse("alerts:silences"), {"hours": "24", "reason": "x", "zone": "UTC"})
    assert "Fill in at least one of kind, subject, severity and labels" in refused.content.decode()


def test_the_footer_and_the_legend_name_the_zones_of_pages_and_of_mails(db: Any) -> None:
    text = logged_in(with_role("ops")).get(reverse("legend")).content.decode()
    assert "times in the zone that the foot of the page names" in text
    assert "All times and billing days are UTC, as vendors bill." in text
    assert "Times in ZONE, the zone of your browser. Charts, billing days and mails are UTC." in text, "for the script"


@pytest.mark.parametrize(("ledger", "told"), [({"play": Decimal("0.63")}, "0.63"), ({}, "9.01")])
def test_what_is_new_never_costs_more_than_its_ledger(ledger: Any, told: str) -> None:
    """8.16: 9.01 by requests, of which the bill has 0.63."""
    row = services.new_json(New(1, "", 3, Decimal("9.01")), "play", datetime(2026, 11, 24, 9, tzinfo=UTC), ledger)
    assert Decimal(row[3]) == Decimal(told)
