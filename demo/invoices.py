"""The invoice that closes the demo's last month: the bill rounded to cents, a tax and a credit on top."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User

from costs.charges.exchange_rates import to_usd
from costs.charges.receipts import checked, save_receipt
from costs.models import Closing, KeyOwner
from costs.reconciliation import month_close
from costs.reconciliation import queries as bills
from costs.reconciliation.invoices import Invoice, read_invoice
from costs.reconciliation.reconcile import Reconciled, reconciled
from demo import company
from demo.company import APPLICATIONS
from lib.dates import midnight
from providers.models import Account, VendorUsage
from traffic.models import Application
from traffic.usage.filters import Filters

CENT = Decimal("0.01")
TAX, CREDIT = Decimal("0.02"), Decimal("-5.00")  # of the net amount; USD


def close_last_month(now: datetime) -> None:
    """Once its bill and usage have been read whole; whatever a person closed or opened stays."""
    month = (now.astimezone(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)
    account = Account.objects.filter(slug="anthropic").first()
    if account is None or Closing.objects.exists():
        return
    say_whose_keys(account)
    row = ready(account, month, now)
    if row is not None:
        close(account, month, row)


def say_whose_keys(account: Account) -> None:
    ids = dict(Application.objects.values_list("slug", "pk"))
    rows = [
        KeyOwner(account=account, api_key=application.vendor_key, application_id=ids[application.slug])
        for application in APPLICATIONS
        if application.slug in ids
    ]
    KeyOwner.objects.bulk_create(
        [*rows, KeyOwner(account=account, api_key=company.NOTEBOOK_KEY)], ignore_conflicts=True
    )


def ready(account: Account, month: date, now: datetime) -> Reconciled | None:
    """The comparison, where nothing is still to come and every difference has its cause."""
    read = VendorUsage.objects.filter(account=account, starts_at__gte=midnight(month)).exists()
    facts = bills.read(month, now).only(Filters(provider=["anthropic"])) if read else None
    if facts is None or facts.complete.get("anthropic", date.min) < facts.until:
        return None
    row = reconciled(facts, "anthropic")
    return row if row.billed and row.measured and not row.unexplained else None


def invoice_csv(net: Decimal, month: date) -> bytes:
    """As an office of another country writes it: a byte order mark, semicolons, decimal commas."""
    lines = (("Claude API", net), ("Sales tax", (net * TAX).quantize(CENT)), ("Welcome credit", CREDIT))
    rows = [f"{what};{f'{amount:.2f}'.replace('.', ',')};USD;{month:%Y-%m}" for what, amount in lines]
    return "\r\n".join(["\ufeffDescription;Amount;Currency;Period", *rows, ""]).encode()


def settled(row: Reconciled, month: date) -> tuple[bytes, Invoice, month_close.Settled]:
    content = invoice_csv(row.billed.quantize(CENT), month)
    invoice = read_invoice(content)
    return content, invoice, month_close.settle_invoice(row, invoice.amount, invoice.named, invoice.lines)


def close(account: Account, month: date, row: Reconciled) -> Closing:
    content, invoice, found = settled(row, month)
    user = User.objects.filter(username=company.BY_ROLE["manager"].username).first()
    name, kind = checked(f"invoice-{month:%Y-%m}.csv", content)
    return month_close.close(
        row=row, month=month, settled=found, original_amount=invoice.amount, currency="USD",
        converted=to_usd(invoice.amount, "USD", month), number=f"INV-{month:%Y%m}-0042", account=account,
        receipt=save_receipt(name=name, kind=kind, content=content, user=user), user=user,
    )  # fmt: skip
