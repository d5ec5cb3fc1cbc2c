"""Forms of the ledger's smaller pages: what repeats, corrections, exchange rates, how machines are shared."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.charges import recurrences
from costs.charges.corrections import amount_with_corrections
from costs.charges.exchange_rates import ECB, LARGEST_RATE, Rate, UnreadableRates, read_ecb
from costs.charges.forms import LARGEST, ChargeForm, number_text
from costs.dates import FIRST_DAY, today
from costs.finality import month_final_on
from costs.models import Category, Charge, Recurrence
from providers.models import provider_name

LARGEST_FILE = 10 * 1024 * 1024  # the bank's whole history has about 1 MB


def date_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class RecurrenceForm(ChargeForm):
    """A series: what it makes from a day on."""

    since = forms.DateField(
        label=gettext_lazy("Changes count from"),
        widget=date_input(),
        help_text=gettext_lazy("Entries before this day do not change. Later ones are made again."),
        error_messages={
            "invalid": gettext_lazy("Write the day as 2026-11-24."),
            "required": gettext_lazy("Enter the first day of the changes."),
        },
    )
    field_order = (
        "category", "provider", "application", "repeats", "until", "amount", "currency", "description", "receipt",
        "since",
    )  # fmt: skip

    def __init__(self, *args: Any, recurrence: Recurrence, **kwargs: Any) -> None:
        self.recurrence = recurrence
        kwargs.setdefault("initial", self.initial_of(recurrence))
        super().__init__(*args, **kwargs)
        del self.fields["day"], self.fields["month"], self.fields["rate"]
        repeats: Any = self.fields["repeats"]
        repeats.choices, repeats.required = Recurrence.Every.choices, True
        repeats.help_text = _("Counted from %(day)s.") % {"day": date_format(recurrence.starts_on, "j F Y")}

    @staticmethod
    def initial_of(recurrence: Recurrence) -> dict[str, Any]:
        return {
            "category": recurrence.category, "provider": recurrence.provider, "repeats": recurrence.every,
            "application": recurrence.application.slug if recurrence.application else None,
            "until": recurrence.until, "amount": number_text(recurrence.original_amount),
            "currency": recurrence.currency, "description": recurrence.description,
            "since": max(recurrence.counts_from, recurrences.first_open_day(recurrence.provider, today())),
        }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        # The series has its first day already; a charge's questions about day and rate are answered by it.
        self.cleaned_data |= {"day": self.recurrence.starts_on, "month": None, "rate": None}
        data = super().clean()
        since: date | None = data.get("since")
        if since is not None and data.get("provider"):
            final = month_final_on(data["provider"], since)
            if final <= today():
                message = _("The month of this day is final at %(name)s since %(day)s. Choose a later day.")
                names = {"name": provider_name(data["provider"]), "day": date_format(final, "j F Y")}
                self.add_error("since", message % names)
        return data

    def convert(self, data: dict[str, Any]) -> None:
        """By the rate of today: each charge takes its own day's."""
        super().convert(data | {"day": today()})

    def save_recurrence(self, user: Any) -> Recurrence:
        """Make the series anew from the day said."""
        data = self.cleaned_data
        recurrences.change(
            recurrence=self.recurrence, since=data["since"], today=today(), every=data["repeats"],
            until=data["until"], category=data["category"], provider=data["provider"],
            original_amount=data["amount"], currency=data["currency"], application=data["application"],
            description=data["description"], receipt=self.save_receipt(user) or self.recurrence.receipt,
        )  # fmt: skip
        return self.recurrence


class CorrectionForm(forms.Form):
    """What a charge of a final month should have been."""

    right = forms.DecimalField(
        label=gettext_lazy("Correct amount"),
        max_digits=18,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s", "autocomplete": "off"}),
        help_text=gettext_lazy("In the currency of the entry. The difference is booked today as a separate line."),
        error_messages={
            "required": gettext_lazy("Enter the correct amount."),
            "invalid": gettext_lazy("Write the amount as a number such as 1234.56."),
        },
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.TextInput(),
        error_messages={"required": gettext_lazy("Enter a reason for readers of the statement.")},
    )

    def __init__(self, *args: Any, charge: Charge, **kwargs: Any) -> None:
        self.charge = charge
        kwargs.setdefault("initial", {"right": number_text(amount_with_corrections(charge))})
        super().__init__(*args, **kwargs)

    def clean_right(self) -> Decimal:
        right: Decimal = self.cleaned_data["right"]
        if abs(right) > LARGEST:
            raise forms.ValidationError(_("The amount must be below ten million."))
        if right < 0 and self.charge.category not in (Category.CREDIT, Category.ADJUSTMENT):
            raise forms.ValidationError(_("Only a credit or an adjustment can be negative."))
        if right == amount_with_corrections(self.charge):
            raise forms.ValidationError(_("The entry already has this amount."))
        return right


class RateForm(forms.Form):
    """One rate by hand."""

    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        widget=forms.TextInput(attrs={"class": "input-s", "autocomplete": "off"}),
        help_text=gettext_lazy("Three letters, such as EUR."),
        error_messages={"required": gettext_lazy("Enter the currency.")},
    )
    day = forms.DateField(
        label=gettext_lazy("From"),
        widget=date_input(),
        help_text=gettext_lazy("Valid until the next rate, for one month at most."),
        error_messages={
            "invalid": gettext_lazy("Write the day as 2026-11-24."),
            "required": gettext_lazy("Enter the first day."),
        },
    )
    usd = forms.DecimalField(
        label=gettext_lazy("USD for one"),
        max_digits=18,
        decimal_places=9,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s", "autocomplete": "off"}),
        error_messages={
            "required": gettext_lazy("Enter how many USD one unit is."),
            "invalid": gettext_lazy("Write the rate as a number such as 1.0842."),
        },
    )
    source = forms.CharField(
        label=gettext_lazy("Source"),
        max_length=200,
        widget=forms.TextInput(),
        help_text=gettext_lazy("Where others can look it up."),
        error_messages={"required": gettext_lazy("Enter the source of the rate.")},
    )

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise forms.ValidationError(_("A currency has three letters, such as EUR."))
        if currency == "USD":
            raise forms.ValidationError(_("USD needs no rate."))
        return currency

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if day > today():
            raise forms.ValidationError(_("This day is in the future."))
        if day < FIRST_DAY:
            raise forms.ValidationError(_("The first possible year is 2020."))
        return day

    def clean_usd(self) -> Decimal:
        usd: Decimal = self.cleaned_data["usd"]
        if usd <= 0:
            raise forms.ValidationError(_("The rate must be above zero."))
        if usd >= LARGEST_RATE:
            raise forms.ValidationError(_("This rate is too high."))
        return usd

    def rates(self) -> list[Rate]:
        data = self.cleaned_data
        return [Rate(data["currency"], data["day"], data["usd"])]

    @property
    def source_said(self) -> str:
        return str(self.cleaned_data["source"])


class RatesFileForm(forms.Form):
    """The European Central Bank's CSV."""

    file = forms.FileField(
        label=gettext_lazy("CSV of the bank"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=gettext_lazy("eurofxref.csv or eurofxref-hist.csv, unpacked from its zip."),
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("This file is empty."),
        },
    )
    source_said = ECB

    def clean_file(self) -> Any:
        content = self.cleaned_data["file"].read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise forms.ValidationError(_("A file of rates has at most 10 MB."))
        try:
            self.new_rates = [rate for rate in read_ecb(content) if rate.day >= FIRST_DAY]
        except UnreadableRates as error:
            raise forms.ValidationError(str(error)) from error
        if any(rate.day > today() for rate in self.new_rates):
            raise forms.ValidationError(_("The file has a day in the future."))
        if not self.new_rates:
            raise forms.ValidationError(_("The file has no rates."))
        return self.cleaned_data["file"]

    def rates(self) -> list[Rate]:
        return self.new_rates
