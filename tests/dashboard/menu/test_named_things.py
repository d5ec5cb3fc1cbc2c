"""Whoever knows only the name of a thing finds it: two clicks of the menu, or the search and one of its results."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.logins import logged_in, with_role
from tests.dashboard.menu.test_menu import crawl
from tests.pages import html_of

# The name as a person would type it, and the address of the page that has it.
NAMES = {
    "statement": "/spend/statements/", "chargeback": "/spend/statements/", "savings": "/spend/savings/",
    "reconciliation": "/spend/reconciliation/", "invoice": "/spend/reconciliation/", "ledger": "/spend/ledger/",
    "unit cost": "/spend/units/", "manual charge": "/spend/charges/", "exchange rate": "/spend/rates/",
    "focus": "/spend/exports/", "budget": "/plan/", "forecast": "/plan/", "anomaly": "/spend/anomalies/",
    "break-even": "/break-even/", "go no-go": "/decide/", "gpu": "/providers/", "lease": "/providers/leases/",
    "spot": "/providers/offers/", "outage": "/uptime/", "latency": "/requests/latency/", "silence": "/alerts/silences/",
    "maintenance": "/alerts/silences/", "threshold": "/alerts/rules/", "slack": "/alerts/channels/",
    "webhook": "/alerts/channels/", "status page": "/uptime/status-pages/", "heartbeat": "/uptime/heartbeats/",
    "gateway": "/settings/send-requests/", "opentelemetry": "/settings/send-requests/",
    "sdk": "/settings/send-requests/",
    "api key": "/settings/keys/", "throttle": "/settings/keys/", "routing": "/settings/routes/",
    "retention": "/settings/storage/", "audit log": "/settings/audit/", "role": "/settings/people/",
    "discount": "/settings/discounts/", "digest": "/alerts/preferences/", "my ratings": "/quality/my-ratings/",
    "openapi": "/help/api/",
}  # fmt: skip
FIRST = 4  # results among which it stands: one look, without scrolling


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_a_thing_is_found_by_its_name(name: str) -> None:
    page = html_of(logged_in(with_role("admin")).get("/find/", {"q": name}))
    rows = page[page.index('id="palette-rows"') :]
    links = [unescape(url) for url in re.findall(r'<a href="(.*?)"', rows)][:FIRST]
    assert NAMES[name] in links


@pytest.mark.django_db
def test_the_menu_leads_from_the_overview_to_each_of_them_in_two_clicks(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    depths, _refused = crawl(logged_in(with_role("admin")))
    assert {name: depths.get(url) for name, url in NAMES.items() if depths.get(url, 9) > 2} == {}
