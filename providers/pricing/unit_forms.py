"""The form of a unit's price or a tier's factor: a new version, never a change of one that stands."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.forms import UtcDateTimeField, one_line
from providers.models import Priced, UnitPrice

if TYPE_CHECKING:
    UnitPriceModelForm = forms.ModelForm[UnitPrice]
else:  # takes no parameter at run time
    UnitPriceModelForm = forms.ModelForm

NAMED = frozenset({Priced.GPU, Priced.VM, Priced.TIER})  # nothing without a name
MOST_FACTOR = Decimal(100)


class UnitPriceForm(UnitPriceModelForm):
    class Meta:
        model = UnitPrice
        fields = ["kind", "provider", "name", "variant", "amount", "starts_at", "source"]
        labels = {
            "kind": gettext_lazy("What is priced"),
            "provider": gettext_lazy("Provider"),
            "name": gettext_lazy("Name"),
            "variant": gettext_lazy("Only for"),
            "amount": gettext_lazy("Price or factor"),
            "starts_at": gettext_lazy("Valid from (UTC)"),
            "source": gettext_lazy("Source"),
        }
        help_texts = {
            "name": gettext_lazy("The GPU's name in offers, a machine type, or a tier: priority, flex, geo:us."),
            "variant": gettext_lazy("The kind of rent, a region, or the model of a tier’s factor. Blank: any."),
            "amount": gettext_lazy("USD for one unit. For a tier: the factor of every token rate."),
            "starts_at": gettext_lazy("A time in the past is allowed. Re-price stored requests afterwards."),
            "source": gettext_lazy("The source of the price: an address, an offer or a contract."),
        }
        field_classes = {"starts_at": UtcDateTimeField}
        widgets = {
            "starts_at": forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
            "amount": forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s"}),
            "provider": forms.TextInput(attrs={"list": "providers"}),
        }

    def clean_provider(self) -> str:
        return one_line(self.cleaned_data["provider"]).lower()

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean_variant(self) -> str:
        return one_line(self.cleaned_data["variant"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind, amount = cleaned.get("kind"), cleaned.get("amount")
        if amount is not None and amount < 0:
            self.add_error("amount", _("A price cannot be negative."))
        if kind in NAMED and not cleaned.get("name") and "name" not in self.errors:
            self.add_error("name", _("Enter the name of the GPU, machine or tier."))
        if kind == Priced.TIER and amount is not None and not 0 < amount <= MOST_FACTOR:
            self.add_error("amount", _("A factor must be above 0 and at most 100. 1 is the standard price."))
        if kind == Priced.TIER and "+" in cleaned.get("name", ""):
            self.add_error("name", _("Enter one tier or region. Their factors are multiplied."))
        if not self.errors:
            standing = UnitPrice.objects.of(UnitPrice(**{name: cleaned[name] for name in self.same}))
            if standing.filter(starts_at=cleaned["starts_at"]).exists():
                self.add_error("starts_at", _("A price with this start exists already. Prices cannot be edited."))
        return cleaned

    same = ("kind", "provider", "name", "variant")
