"""The demo's noise report names a rule, and an admin sees the mailbox that is closed."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from alerts.models import Address, Alert
from demo import noise, rules
from tests.dashboard.logins import logged_in, with_role


def test_the_demo_has_one_noisy_rule_and_one_refused_mailbox(db: Any) -> None:
    rules.rules()
    for _ in range(2):
        noise.past(timezone.now())
    assert Alert.objects.count() == noise.FIRINGS
    client = logged_in(with_role("admin"))
    page = client.get("/alerts/").content.decode()
    assert f"fired {noise.FIRINGS} times and was acknowledged 0" in page and "Raise the limit to" in page
    deliveries = client.get("/alerts/deliveries/").content.decode()
    assert "1 blocked address" in deliveries and noise.LEFT in deliveries
    assert Address.objects.count() == 1
