"""What people of the company entered from paper: a contract's discount, and another vendor's bill.

The contract holds since some days before it was entered, so the requests of these days are costed anew; the vendor's
bill has it from its first day on.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

from django.contrib.auth.models import User

from costs.bill_imports import services as bill_imports
from costs.finality import month_final_on
from costs.models import BillImport
from demo import company
from demo.story import Story
from providers.models import Account, Discount
from providers.pricing import services
from traffic.models import Repricing
from traffic.repricing import services as repricings

VENDOR, BILL = "OpenAI", "openai-focus.csv"
COLUMNS = ("ProviderName", "BillingAccountId", "BilledCost", "BillingCurrency", "BillingPeriodStart",
           "ChargePeriodStart", "ChargeCategory", "ServiceCategory", "ServiceName", "ResourceId", "Tags")  # fmt: skip
# Of each of last month's last days: what for, of which FOCUS category, EUR, whose.
LINES = (
    ("Usage", "AI and Machine Learning", "Embeddings API", "0.58", "docs-qa"),
    ("Usage", "Storage", "Vector store", "0.16", "docs-qa"),
    ("Tax", "AI and Machine Learning", "VAT", "0.12", ""),
)
BILL_DAYS = 5


def sign_contract(story: Story, now: datetime) -> None:
    """Once; a discount that somebody has taken back since stays so, and so does a repricing."""
    account = Account.objects.filter(slug="anthropic").first()
    if account is None:
        return
    if not Discount.objects.exists():
        manager = _of_role("manager")
        discount = Discount(
            account=account, model=company.CONTRACT_MODEL, starts_on=story.contract_from,
            percent=company.CONTRACT_PERCENT, source=company.CONTRACT_SOURCE,
        )  # fmt: skip
        services.add_discount(discount=discount, person=manager, now=now)
    if not Repricing.objects.exists():
        repricings.reprice(
            since=story.contract_from, until=now.astimezone(UTC).date() + timedelta(days=1), provider="anthropic",
            model=company.CONTRACT_MODEL, person=_of_role("ops").pk, why=company.CONTRACT_WHY,
        )  # fmt: skip


def bring_bill(now: datetime) -> None:
    """Once; one that somebody has taken back since is not brought again."""
    if BillImport.objects.exists():
        return
    today, manager = now.astimezone(UTC).date(), _of_role("manager")
    month = today.replace(day=1)
    if month_final_on("openai", month - timedelta(days=1)) <= today:
        return  # the last day of a long month: a final one takes no bill any more
    content = focus_bill(month)
    looked = bill_imports.preview_bill(name=BILL, content=content, today=today)
    made, _new = bill_imports.store_bill(name=BILL, content=content, looked=looked, by=manager)
    bill_imports.enter_bill(pk=made.pk, today=today, user=manager)


def focus_bill(until: date) -> bytes:
    """The days before a day as a vendor writes them in FOCUS 1.0, in EUR."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for day in (until - timedelta(days=back) for back in range(BILL_DAYS, 0, -1)):
        for category, service, name, amount, application in LINES:
            tags = f'{{"application": "{application}"}}' if application else ""
            table.writerow(
                (VENDOR, "org-lantern", amount, "EUR", f"{day.replace(day=1)}T00:00:00Z", f"{day}T00:00:00Z", category,
                 service, name, "proj_search", tags)
            )  # fmt: skip
    return text.getvalue().encode()


def _of_role(role: str) -> User:
    return User.objects.get(username=company.BY_ROLE[role].username)
