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
            "starts_at": gettext_lazy("Holds from (UTC)"),
            "source": gettext_lazy("Source"),
        }
        help_texts = {
            "name": gettext_lazy("The GPU as offers call it, a machine type, or a tier: priority, flex, geo:us."),
            "variant": gettext_lazy("The kind of rent, a region, or the model of a tier’s factor. Empty: any."),
            "amount": gettext_lazy("USD for one unit; of a tier what every token rate is multiplied by."),
            "starts_at": gettext_lazy("A moment in the past is allowed; what is stored follows by a repricing."),
            "source": gettext_lazy("Where the price is written: an address, an offer, a contract."),
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
            self.add_error("amount", _("A price is not below zero."))
        if kind in NAMED and not cleaned.get("name") and "name" not in self.errors:
            self.add_error("name", _("Say which one: a price of any GPU, machine or tier is none."))
        if kind == Priced.TIER and amount is not None and not 0 < amount <= MOST_FACTOR:
            self.add_error("amount", _("A factor is above 0 and at most 100; 1 is the standard price."))
        if kind == Priced.TIER and "+" in cleaned.get("name", ""):
            self.add_error("name", _("One tier or region at a time: their factors are multiplied."))
        if not self.errors:
            standing = UnitPrice.objects.of(UnitPrice(**{name: cleaned[name] for name in self.same}))
            if standing.filter(starts_at=cleaned["starts_at"]).exists():
                self.add_error("starts_at", _("A price from this very moment stands already; prices are not edited."))
        return cleaned

    same = ("kind", "provider", "name", "variant")
