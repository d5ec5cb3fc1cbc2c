"""A bill line that two accounts bring in two currencies: the ledger, the alert and the pages show one answer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts.evaluation.services import evaluate
from alerts.models import Alert
from costs.ledger import posting as ledger
from costs.models import Charge
from providers.connectors.base import CostRow
from providers.models import Account
from providers.polling.store import store_costs
from tests.costs.usage_rows import at
from tests.factories import AccountFactory, FeedFactory
from tests.pages import html_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

NOW = datetime(2026, 12, 10, 12, tzinfo=UTC)
DAY, NEXT = date(2026, 12, 5), date(2026, 12, 6)


def brings(account: Account, original: str, currency: str) -> int:
    """Store one line, that costs $110 by the rate of the vendor, as this account brings it."""
    line = CostRow("gpu/1", at(DAY), at(NEXT), "gpu", Decimal(110), Decimal(original), currency=currency)
    return store_costs(account, [line], at(DAY), at(NEXT))


def test_a_line_that_two_accounts_bring_in_two_currencies_counts_once_and_both_are_named() -> None:
    first, second = (
        AccountFactory.create(
            slug=name.lower(), name=name, kind="google", identity=["billing export ours"], settings={}
        )
        for name in ("Berlin", "Austin")
    )  # fmt: skip
    for account in (first, second):
        FeedFactory.create(account=account, last_success_at=NOW, complete_until=at(NEXT))
    assert (brings(first, "100", "EUR"), brings(second, "110", "USD")) == (1, 0)
    ledger.post()
    [charge] = Charge.objects.all()
    assert (charge.account, charge.currency) == (first, "EUR")
    assert (charge.original_amount, charge.amount) == (Decimal(100), Decimal(110))

    evaluate(now=NOW, kinds=["account"], wait=True)
    alert = Alert.objects.get()
    assert alert.title == "Charges of Google Cloud arrived from two accounts: Austin, 1 row refused"

    client = Client()
    client.force_login(User.objects.create_superuser("mia", "mia@example.com", "a long password of hers"))

    def text(url: str) -> str:
        return words(html_of(client.get(url)))

    page = text("/settings/accounts/austin/")
    assert "Austin reads the same data as another account." in page and "Data of another account" in page
    assert "Costs: 1 row was already read by Berlin and is refused." in page
    assert "The currencies differ: EUR of Berlin stays, USD of Austin is refused (gpu/1)." in page
    page = text(f"/alerts/{alert.pk}/")
    assert "Rows of Berlin came first and stay. The same rows of Austin are refused" in page
    assert "gpu/1: stored in EUR, refused in USD" in page
    accounts = text("/settings/accounts/")
    assert "2 of 2 accounts are read on time. Austin reads the same data as another account." in accounts
    assert accounts.count("Data of another account") == 1
    assert "All 2 accounts are read on time" in text("/providers/")
    groups = client.get("/api/v1/spend?from=2026-12-01&to=2026-12-10&group_by=provider").json()["groups"]
    assert [Decimal(group["amount"]) for group in groups] == [110]
    assert client.get("/spend/?month=2026-12").context["page"].total.total == 110

    assert brings(second, "0", "USD") == 0, "a later answer of the refused account changes nothing"
    ledger.post()
    assert Charge.objects.get().amount == 110
    assert store_costs(second, [], at(DAY), at(NEXT)) == 0
    evaluate(now=NOW, kinds=["account"], wait=True)
    assert "Data of another account" not in text("/settings/accounts/"), "nothing is brought twice any more"
