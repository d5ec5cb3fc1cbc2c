"""Forms of the page about bills: the invoice that closes a month, its correction, the tolerance, whose a key is."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.charges.exchange_rates import Converted, NoRate, to_usd
from costs.charges.forms import LARGEST
from costs.charges.ledger_forms import CorrectionForm
from costs.charges.receipts import ACCEPT, BadReceipt, checked, save_receipt
from costs.charges.receipts import LARGEST as LARGEST_RECEIPT
from costs.dates import MONTH, today
from costs.models import Charge, Closing, Provenance, Tolerance
from costs.reconciliation import month_close
from costs.reconciliation import queries as bills
from costs.reconciliation.invoices import Invoice, UnreadableInvoice, numbers, read_invoice
from costs.reconciliation.month_close import Settled
from costs.reconciliation.reconcile import Reconciled, reconciled
from lib.money import ZERO
from lib.periods import next_month
from providers.models import Account, provider_name
from traffic.usage.filters import Filters


def amount_input() -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s", "autocomplete": "off"})


class InvoiceForm(forms.Form):
    """One vendor's invoice of one month, as an amount or as its CSV; closing keeps the month as it then is."""

    provider = forms.ChoiceField(label=gettext_lazy("Provider"))
    month = forms.CharField(
        label=gettext_lazy("Month"),
        max_length=7,
        widget=forms.TextInput(attrs={"type": "month", "placeholder": "2026-10"}),
        error_messages={"required": gettext_lazy("Choose the month of the invoice.")},
    )
    account = forms.ModelChoiceField(
        label=gettext_lazy("Account"),
        queryset=Account.objects.order_by("slug"),
        required=False,
        to_field_name="slug",
        empty_label=gettext_lazy("not stated"),
        help_text=gettext_lazy("The account on the invoice."),
    )
    file = forms.FileField(
        label=gettext_lazy("Invoice"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ACCEPT}),
        help_text=gettext_lazy(
            "The amounts of a CSV are added up. A PDF or image is stored with the amount. At most 5 MB."
        ),
        error_messages={"empty": gettext_lazy("This file is empty.")},
    )
    amount = forms.CharField(
        label=gettext_lazy("Amount"),
        required=False,
        max_length=30,
        widget=amount_input(),
        help_text=gettext_lazy("The total with tax, such as 1,234.56 or 1.234,56. Blank: the sum of the CSV."),
    )
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        required=False,
        max_length=3,
        widget=forms.TextInput(attrs={"class": "input-s", "autocomplete": "off"}),
        help_text=gettext_lazy("Three letters. Blank: the currency of the CSV, otherwise USD."),
    )
    tax = forms.CharField(label=gettext_lazy("Tax included"), required=False, max_length=30, widget=amount_input())
    credit = forms.CharField(
        label=gettext_lazy("Credits included"),
        required=False,
        max_length=30,
        widget=amount_input(),
        help_text=gettext_lazy("Enter credits with a minus, because they lower the total."),
    )
    number = forms.CharField(label=gettext_lazy("Invoice number"), required=False, max_length=80)
    accept = forms.BooleanField(
        label=gettext_lazy("Close the month with an unexplained difference or an unknown account"),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row: Reconciled | None = None
        self.read: Invoice | None = None
        self.stored_file: tuple[str, str, bytes] | None = None
        self.settled: Settled | None = None
        self.converted: Converted | None = None
        self.paid_in = "USD"
        billed = Charge.objects.exclude(provenance=Provenance.ENTERED).values_list("provider", flat=True).distinct()
        slugs = sorted({*billed, *Account.objects.values_list("kind", flat=True)})
        provider: Any = self.fields["provider"]
        provider.choices = [(slug, provider_name(slug)) for slug in slugs]

    # Each field by itself.

    def clean_month(self) -> date:
        match = MONTH.match(self.cleaned_data["month"].strip())
        if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < 2020:
            raise forms.ValidationError(_("Write the month as 2026-10."))
        month = date(int(match[1]), int(match[2]), 1)
        if next_month(month) > today():
            raise forms.ValidationError(
                _("%(month)s is not over. Its invoice can be entered from %(day)s.")
                % {"month": date_format(month, "F Y"), "day": date_format(next_month(month), "j F Y")}
            )
        return month

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        if not upload:
            return upload
        content = upload.read(LARGEST_RECEIPT + 1)
        try:
            if PurePath(upload.name).suffix.lower() == ".csv" and len(content) <= LARGEST_RECEIPT:
                self.read = read_invoice(content)
                # Kept as it came; a file of another encoding is still the vendor's.
                self.stored_file = (checked(upload.name, b"csv")[0], "text/csv", content)
            else:
                self.stored_file = (*checked(upload.name, content), content)
        except (BadReceipt, UnreadableInvoice) as error:
            raise forms.ValidationError(str(error)) from error
        return upload

    def clean_amount(self) -> Decimal | None:
        return self.number_of("amount")

    def clean_tax(self) -> Decimal | None:
        return self.number_of("tax")

    def clean_credit(self) -> Decimal | None:
        credit = self.number_of("credit")
        if credit is not None and credit > 0:
            raise forms.ValidationError(_("Enter a credit with a minus, because it lowers the total."))
        return credit

    def number_of(self, name: str) -> Decimal | None:
        text = str(self.cleaned_data[name]).strip()
        if not text:
            return None
        try:
            (number,) = numbers([text])
        except UnreadableInvoice as error:
            raise forms.ValidationError(str(error)) from error
        if abs(number) > LARGEST:
            raise forms.ValidationError(_("The amount must be below ten million."))
        return number

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise forms.ValidationError(_("A currency has three letters, such as EUR."))
        return currency

    # What they say together.

    def clean(self) -> dict[str, Any]:
        super().clean()
        for check in (self.check_month, self.check_account, self.check_file, self.check_amount, self.check_settled):
            if not self.errors:
                check(dict(self.cleaned_data))
        return self.cleaned_data

    def check_month(self, data: dict[str, Any]) -> None:
        provider, month = data["provider"], data["month"]
        names = {"name": provider_name(provider), "month": date_format(month, "F Y")}
        if closed := Closing.objects.filter(provider=provider, month=month).first():
            message = _("%(month)s of %(name)s was closed on %(day)s. Enter a correction instead.")
            self.add_error("month", message % {**names, "day": date_format(closed.created_at, "j F Y")})
            return
        bill_data = bills.read(month, timezone.now()).only(Filters(provider=[provider]))
        row = reconciled(bill_data, provider)
        if not (row.billed or row.ours):
            self.add_error("month", _("There is no cost of %(name)s in %(month)s. Check the provider.") % names)
        elif row.complete_until and row.complete_until < bill_data.until:
            message = _(
                "The bill of %(name)s covers %(month)s only before %(day)s. Close the month when the bill is complete."
            )
            self.add_error("month", message % {**names, "day": date_format(row.complete_until, "j F")})
        elif row.invoiced:
            message = _("The ledger already has an invoice of %(name)s for %(month)s. Delete that entry first.")
            self.add_error("month", message % names)
        self.row = row

    def check_account(self, data: dict[str, Any]) -> None:
        account = data["account"]
        if account is not None and account.kind != data["provider"]:
            message = _("%(account)s is an account at %(other)s, not at %(name)s.")
            names = {"account": account.name, "other": account.provider_name, "name": provider_name(data["provider"])}
            self.add_error("account", message % names)

    def check_file(self, data: dict[str, Any]) -> None:
        if self.read is None:
            return
        month = f"{data['month']:%Y-%m}"
        if self.read.months - {month}:
            message = _("The file is for %(other)s, but you are closing %(month)s.")
            self.add_error("file", message % {"other": ", ".join(sorted(self.read.months)), "month": month})
        elif len(self.read.currencies) > 1:
            message = _("The file has amounts in %(currencies)s. An invoice has one currency.")
            self.add_error("file", message % {"currencies": ", ".join(sorted(self.read.currencies))})
        else:
            self.check_names(data)

    def check_names(self, data: dict[str, Any]) -> None:
        """Whose the file is, as far as it says so."""
        assert self.read is not None
        ours = {name: account for account in Account.objects.all() for name in names_of(account)}
        for account_name in sorted(self.read.accounts):
            account = ours.get(account_name.casefold())
            chosen = data["account"]
            if account is not None and (account.kind != data["provider"] or (chosen and account != chosen)):
                wrong = _("The file belongs to %(account)s, an account at %(other)s.")
                self.add_error("file", wrong % {"account": account.name, "other": account.provider_name})
            elif account is None and not data["accept"]:
                unknown = _(
                    "The file belongs to the account %(account)s, which is not known at %(name)s. If "
                    "it is yours, tick the box below."
                )
                self.add_error("file", unknown % {"account": account_name, "name": provider_name(data["provider"])})

    def check_amount(self, data: dict[str, Any]) -> None:
        stated, read = data["amount"], self.read
        if stated is None and read is None:
            self.add_error("amount", _("Enter the amount of the invoice or choose its CSV."))
        elif stated is not None and read is not None and stated != read.amount:
            wrong = _("The lines of the file add up to %(sum)s.")
            self.add_error("amount", wrong % {"sum": f"{read.amount:,.2f}"})
        elif self.total < 0:
            self.add_error(
                "amount", _("An invoice cannot be negative. Enter a credit note as a correction of a closed month.")
            )
        else:
            self.check_currency(data)

    def check_currency(self, data: dict[str, Any]) -> None:
        assert self.row is not None, "the month was checked before"
        stated, read = data["currency"], next(iter(self.read.currencies), "") if self.read else ""
        if stated and read and stated != read:
            self.add_error("currency", _("The file is in %(currency)s.") % {"currency": read})
            return
        self.paid_in = stated or read or "USD"
        theirs = set(
            Charge.objects.between(data["month"], next_month(data["month"]))
            .filter(provider=data["provider"], provenance=Provenance.BILLED)
            .values_list("currency", flat=True)
            .distinct()
        )
        if theirs and self.paid_in not in theirs:
            wrong = _("%(name)s bills in %(theirs)s, but this invoice is in %(currency)s. Check the account.")
            names = {"name": self.row.name, "theirs": ", ".join(sorted(theirs)), "currency": self.paid_in}
            self.add_error("currency", wrong % names)
            return
        try:
            self.converted = to_usd(self.total, self.paid_in, next_month(data["month"]) - timedelta(days=1))
        except NoRate as error:
            self.add_error("currency", str(error))

    def check_settled(self, data: dict[str, Any]) -> None:
        assert self.row is not None and self.converted is not None, "checked before"
        named = dict(self.read.named) if self.read else {}
        named |= {name: data[name] for name in ("tax", "credit") if data[name] is not None}
        rate = self.converted.rate or Decimal(1)
        in_usd = {name: amount * rate for name, amount in named.items()}
        lines = self.read.lines if self.read else 1
        self.settled = month_close.settle_invoice(self.row, self.converted.amount, in_usd, lines)
        left = self.settled.unexplained(self.row)
        if left and not data["accept"]:
            message = _(
                "%(sum)s USD between the invoice and our records is unexplained. Enter its tax or "
                "credits, or tick the box below."
            )
            self.add_error("amount", message % {"sum": f"{left:+,.2f}"})

    @property
    def total(self) -> Decimal:
        amount: Decimal | None = self.cleaned_data["amount"]
        return amount if amount is not None else self.read.amount if self.read else ZERO

    def close_month(self, user: Any) -> Closing:
        """Close the month of the form by its invoice."""
        assert self.row is not None and self.settled is not None and self.converted is not None, "a valid form"
        data, receipt = self.cleaned_data, None
        if self.stored_file is not None:
            name, kind, content = self.stored_file
            receipt = save_receipt(name=name, kind=kind, content=content, user=user)
        return month_close.close(
            row=self.row, month=data["month"], settled=self.settled, original_amount=self.total,
            currency=self.paid_in, converted=self.converted, number=data["number"], account=data["account"],
            receipt=receipt, user=user,
        )  # fmt: skip


def names_of(account: Account) -> set[str]:
    values = (value for value in account.settings.values() if isinstance(value, str) and value)
    return {name.casefold() for name in (account.slug, account.name, *values)}


class ClosingCorrectionForm(CorrectionForm):
    """What the invoice of a closed month should have been, in USD."""

    def __init__(self, *args: Any, closing: Closing, **kwargs: Any) -> None:
        self.closing = closing
        kwargs.setdefault("initial", {"right": f"{month_close.amount_now(closing):.2f}"})
        forms.Form.__init__(self, *args, **kwargs)
        self.fields["right"].help_text = _("In USD. The difference is booked today as a separate line.")

    def clean_right(self) -> Decimal:
        right: Decimal = self.cleaned_data["right"]
        if not 0 <= right <= LARGEST:
            raise forms.ValidationError(_("An invoice is between zero and ten million."))
        if right == month_close.amount_now(self.closing):
            raise forms.ValidationError(_("The invoice already has this amount."))
        return right


class ToleranceForm(forms.Form):
    """How far a bill may be from ours."""

    percent = forms.DecimalField(
        label=gettext_lazy("Percent of the bill"),
        min_value=0,
        max_value=100,
        decimal_places=3,
        max_digits=6,
        widget=amount_input(),
        error_messages={"required": gettext_lazy("Enter a percentage. 0 means that only the amount counts.")},
    )
    usd = forms.DecimalField(
        label=gettext_lazy("Or USD a month"),
        min_value=0,
        max_value=LARGEST,
        decimal_places=2,
        max_digits=10,
        widget=amount_input(),
        help_text=gettext_lazy("The larger of the two counts. With 0 and 0 every cent causes an alert."),
        error_messages={"required": gettext_lazy("Enter an amount. 0 means that only the percentage counts.")},
    )

    @property
    def share(self) -> Decimal:
        percent: Decimal = self.cleaned_data["percent"]
        return percent / 100

    @staticmethod
    def initial_of(tolerance: Tolerance | None) -> dict[str, str]:
        share, amount = (tolerance.share, tolerance.amount) if tolerance else (Tolerance.SHARE, Tolerance.AMOUNT)
        return {"percent": f"{(share * 100).normalize():f}", "usd": f"{amount:.2f}"}
