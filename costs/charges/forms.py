"""Forms of the costs' pages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.allocation.complete_days import bill_days
from costs.charges.exchange_rates import Converted, NoRate, to_usd
from costs.charges.receipts import ACCEPT, BadReceipt, checked, save_receipt
from costs.charges.receipts import LARGEST as LARGEST_RECEIPT
from costs.charges.recurrences import post_recurrences
from costs.dates import FIRST_DAY, MONTH, today
from costs.ledger.closed_months import why_stated
from costs.models import Category, Charge, Provenance, Receipt, Recurrence
from lib.money import COST_STEP
from lib.periods import next_month
from providers.models import provider_name, provider_names
from traffic.models import Application

# What a person can know better than a vendor's report; tokens and searches come from logs and bills alone.
ENTERABLE = (
    Category.INVOICE, Category.UPKEEP, Category.VM, Category.SUBSCRIPTION, Category.GPU, Category.DISK,
    Category.NETWORK, Category.CREDIT, Category.TAX, Category.ADJUSTMENT,
)  # fmt: skip
LARGEST = Decimal(10_000_000)
SLUG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
BY_HAND = "entered with the cost"  # the source of a rate that a person wrote beside the amount


class ChargeForm(forms.Form):
    """A cost that no vendor reports, or a vendor's invoice: who, when, how much, and why."""

    category = forms.ChoiceField(
        label=gettext_lazy("For"),
        choices=[(kind.value, kind.label) for kind in ENTERABLE],
        help_text=gettext_lazy("An invoice replaces the unbilled cost of its provider and month."),
    )
    provider = forms.CharField(
        label=gettext_lazy("Provider"),
        max_length=40,
        help_text=gettext_lazy("Short name, such as runpod. Use self for your own hardware."),
        error_messages={"required": gettext_lazy("Enter the provider.")},
    )
    application = forms.ModelChoiceField(
        label=gettext_lazy("Application"),
        queryset=Application.objects.none(),
        required=False,
        empty_label=gettext_lazy("unallocated"),
        to_field_name="slug",
        help_text=gettext_lazy("The application whose statement shows it. Without one it is unallocated."),
    )
    day = forms.DateField(
        label=gettext_lazy("Day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Day of the cost. Or choose a month below."),
        error_messages={"invalid": gettext_lazy("Write the day as 2026-11-24.")},
    )
    month = forms.CharField(
        label=gettext_lazy("Month"),
        required=False,
        max_length=7,
        widget=forms.TextInput(attrs={"type": "month", "placeholder": "2026-11"}),
        help_text=gettext_lazy("For invoices and monthly costs. It counts on the first day of the month."),
    )
    repeats = forms.ChoiceField(
        label=gettext_lazy("Repeats"),
        required=False,
        choices=[("", gettext_lazy("once")), *Recurrence.Every.choices],
        help_text=gettext_lazy("From the day or month above. Each repetition is a separate entry."),
    )
    until = forms.DateField(
        label=gettext_lazy("Until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Last day of the repetition. Blank: no end."),
        error_messages={"invalid": gettext_lazy("Write the day as 2026-11-24.")},
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        max_digits=18,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s", "autocomplete": "off"}),
        error_messages={
            "required": gettext_lazy("Enter the amount."),
            "invalid": gettext_lazy("Write the amount as a number such as 1234.56."),
            "max_decimal_places": gettext_lazy("At most six decimals."),
        },
    )
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        initial="USD",
        max_length=3,
        widget=forms.TextInput(attrs={"class": "input-s", "autocomplete": "off"}),
        help_text=gettext_lazy("Three letters, such as USD or EUR."),
    )
    rate = forms.DecimalField(
        label=gettext_lazy("Rate"),
        required=False,
        max_digits=18,
        decimal_places=9,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "USD for one unit of the currency. Blank: the exchange rate of the day. USD needs none."
        ),
        error_messages={"invalid": gettext_lazy("Write the rate as a number such as 1.0842.")},
    )
    description = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=500,
        widget=forms.TextInput(),
        help_text=gettext_lazy("Helps others to find the receipt."),
    )

    receipt = forms.FileField(
        label=gettext_lazy("Receipt"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ACCEPT}),
        help_text=gettext_lazy("A PDF, an image, or a CSV or text file of at most 5 MB."),
        error_messages={"empty": gettext_lazy("This file is empty.")},
    )

    def __init__(self, *args: Any, charge: Charge | None = None, **kwargs: Any) -> None:
        self.charge = charge
        self.converted: Converted | None = None
        self.file: tuple[str, str, bytes] | None = None  # the receipt's name, kind and content
        if charge is not None:
            kwargs.setdefault("initial", initial_of(charge))
        super().__init__(*args, **kwargs)
        self.fields["provider"].widget.attrs["list"] = "providers"
        applications: Any = self.fields["application"]
        applications.queryset = Application.objects.order_by("slug")
        if charge is not None:  # one charge, even of a series, does not repeat
            del self.fields["repeats"], self.fields["until"]

    @property
    def repeating(self) -> str:
        return str(self.data.get("repeats", "")) if "repeats" in self.fields else ""

    def clean_provider(self) -> str:
        text = str(self.cleaned_data["provider"]).strip()
        names = {name.lower(): slug for slug, name in provider_names().items()}
        slug = names.get(text.lower(), text.lower())
        if not SLUG.fullmatch(slug):
            raise forms.ValidationError(_("A provider is written with small letters, digits, dots and hyphens."))
        return slug

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise forms.ValidationError(_("A currency has three letters, such as EUR."))
        return currency

    def clean_day(self) -> date | None:
        day: date | None = self.cleaned_data["day"]
        if day is not None and day > today() and not self.repeating:
            raise forms.ValidationError(_("The day is in the future. Enter a cost once it has occurred."))
        if day is not None and day < FIRST_DAY:
            raise forms.ValidationError(_("The first possible year is 2020."))
        return day

    def clean_month(self) -> date | None:
        text = str(self.cleaned_data["month"]).strip()
        if not text:
            return None
        match = MONTH.match(text)
        if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < FIRST_DAY.year:
            raise forms.ValidationError(_("Write the month as 2026-11."))
        month = date(int(match[1]), int(match[2]), 1)
        if month > today() and not self.repeating:
            raise forms.ValidationError(_("This month has not begun yet."))
        return month

    def clean_receipt(self) -> Any:
        upload = self.cleaned_data["receipt"]
        if upload:
            try:
                # A larger file is not read: one byte too many says it.
                content = upload.read(LARGEST_RECEIPT + 1)
                self.file = (*checked(upload.name, content), content)
            except BadReceipt as error:
                raise forms.ValidationError(str(error)) from error
        return upload

    def clean(self) -> dict[str, Any]:
        super().clean()
        if not self.errors:
            data = dict(self.cleaned_data)  # an error takes its field away
            self.check_when(data)
            self.check_amount(data)
            self.check_rate(data)
            self.check_repeats(data)
            self.convert(data)
            if data["category"] == Category.INVOICE and data["month"] is not None:
                self.check_not_billed(data)
            self.check_not_stated(data)
        return self.cleaned_data

    def check_when(self, data: dict[str, Any]) -> None:
        invoice = data["category"] == Category.INVOICE
        if invoice and data["month"] is None:
            self.add_error("month", _("Choose the month of the invoice."))
        elif data["day"] is None and data["month"] is None:
            self.add_error("day", _("Enter the day or the month."))
        elif data["day"] is not None and data["month"] is not None:
            self.add_error("month", _("Enter the day or the month, not both."))

    def check_amount(self, data: dict[str, Any]) -> None:
        amount, category = data["amount"], data["category"]
        if category == Category.CREDIT and amount >= 0:
            self.add_error("amount", _("Enter a credit with a minus, because it lowers the spend."))
        elif amount < 0 and category not in (Category.CREDIT, Category.ADJUSTMENT):
            self.add_error("amount", _("Only a credit or an adjustment can be negative."))
        elif amount == 0 and category != Category.INVOICE:
            self.add_error("amount", _("The amount cannot be zero."))

    def check_rate(self, data: dict[str, Any]) -> None:
        rate, currency = data["rate"], data["currency"]
        if currency == "USD" and rate not in (None, Decimal(1)):
            self.add_error("rate", _("USD needs no rate. Clear it or choose another currency."))
        elif rate is not None and data.get("repeats"):
            self.add_error("rate", _("Each repetition uses the rate of its day. Enter it under Exchange rates."))
        elif rate is not None and rate <= 0:
            self.add_error("rate", _("The rate must be above zero."))
        elif abs(data["amount"] * (rate or 1)) > LARGEST:
            self.add_error("amount", _("The amount must be below ten million USD."))

    def check_repeats(self, data: dict[str, Any]) -> None:
        until, start = data.get("until"), data["month"] or data["day"]
        if until is not None and not data.get("repeats"):
            self.add_error("until", _("Only a repeating cost has a last day."))
        elif until is not None and start is not None and until < start:
            self.add_error("until", _("The last day is before the first."))
        elif data.get("repeats") and data["category"] == Category.INVOICE:
            self.add_error("repeats", _("An invoice is for one month. Enter each one separately."))

    def convert(self, data: dict[str, Any]) -> None:
        """The amount in USD, by the rate said here or else by the exchange rate of the day."""
        day = data["month"] or data["day"]
        if self.errors or day is None:
            return
        rate, currency, amount = data["rate"], data["currency"], data["amount"]
        if rate is not None and currency != "USD":
            self.converted = Converted((amount * rate).quantize(COST_STEP), rate, BY_HAND)
            return
        try:
            self.converted = to_usd(amount, currency, min(day, today()))
        except NoRate as error:
            self.add_error("currency", str(error))
            self.add_error("rate", _("Enter how many USD one %(currency)s was.") % {"currency": currency})
            return
        if abs(self.converted.amount) > LARGEST:
            self.add_error("amount", _("The amount must be below ten million USD."))

    def check_not_billed(self, data: dict[str, Any]) -> None:
        """Where the vendor's own bill holds the whole month, an invoice would be counted on top of it."""
        until = bill_days().get(data["provider"], date.min)
        if until >= next_month(data["month"]):
            self.add_error(
                "provider",
                _("The bill of %(name)s already covers this month. The cost would count twice.")
                % {"name": provider_name(data["provider"])},
            )

    def check_not_stated(self, data: dict[str, Any]) -> None:
        """What comes after a month was closed or became final is a line of a later day."""
        day: date | None = data["month"] or data["day"]
        why = why_stated(data["provider"], day, today()) if day else ""
        if why:
            self.add_error("month" if data["month"] else "day", why)

    @transaction.atomic
    def save_charge(self, user: Any) -> Charge:
        """Write the charge; a new one belongs to `user`."""
        data, converted = self.cleaned_data, self.converted
        assert converted is not None, "a valid form has converted its amount"
        charge = self.charge or Charge(key=f"entered:{uuid4()}", provenance=Provenance.ENTERED, entered_by=user)
        month: date | None = data["month"]
        day = month or data["day"]
        charge.category, charge.provider, charge.day = data["category"], data["provider"], day
        charge.starts_at = datetime.combine(day, time(), UTC)
        charge.ends_at = charge.starts_at + timedelta(days=1)
        charge.invoice_month = f"{month:%Y-%m}" if month else ""
        charge.original_amount, charge.currency = data["amount"], data["currency"]
        charge.amount, charge.rate, charge.rate_source = converted.amount, converted.rate, converted.source
        charge.description, charge.application = data["description"], data["application"]
        charge.receipt = self.save_receipt(user) or charge.receipt
        charge.save()
        return charge

    def save_receipt(self, user: Any) -> Receipt | None:
        """The file that came with the form, kept; None where none did."""
        if self.file is None:
            return None
        name, kind, content = self.file
        return save_receipt(name=name, kind=kind, content=content, user=user)

    @transaction.atomic
    def save_recurrence(self, user: Any) -> Recurrence:
        """Write what repeats, and the charges that are due already."""
        data = self.cleaned_data
        start: date = data["month"] or data["day"]
        made = Recurrence.objects.create(
            every=data["repeats"], starts_on=start, counts_from=start, until=data["until"], category=data["category"],
            provider=data["provider"], original_amount=data["amount"], currency=data["currency"],
            application=data["application"], description=data["description"], receipt=self.save_receipt(user),
            entered_by=user,
        )  # fmt: skip
        post_recurrences(today())
        return made


def initial_of(charge: Charge) -> dict[str, Any]:
    """The form's values of a stored charge; the rate is what makes its amount."""
    # A rate of the day is looked up again, so that a charge that moves to another day has that day's.
    other = charge.currency != "USD" and charge.original_amount and charge.rate_source in ("", BY_HAND)
    return {
        "category": charge.category,
        "provider": charge.provider,
        "day": None if charge.of_a_month else charge.day,
        "month": charge.invoice_month if charge.of_a_month else "",
        "amount": number_text(charge.original_amount),
        "currency": charge.currency,
        "rate": number_text((charge.amount / charge.original_amount).quantize(Decimal("1e-9"))) if other else None,
        "description": charge.description,
        "application": charge.application.slug if charge.application else None,
    }


def number_text(value: Decimal) -> str:
    """Without trailing zeros, but with cents."""
    text = f"{value.normalize():f}"
    whole, _dot, decimals = text.partition(".")
    return f"{whole}.{decimals:<02}" if len(decimals) < 2 else text
