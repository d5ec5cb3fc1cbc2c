"""A contract's discount: a percentage, or own rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.forms import one_line
from lib.tokens import TOKEN_CLASSES
from providers.models import Discount

if TYPE_CHECKING:
    DiscountModelForm = forms.ModelForm[Discount]
else:  # takes no parameter at run time
    DiscountModelForm = forms.ModelForm


class DiscountForm(DiscountModelForm):
    """A new discount. One that stands is never edited: requests were costed with it."""

    class Meta:
        model = Discount
        fields = ["account", "model", "starts_on", "ends_on", "percent", *TOKEN_CLASSES, "source"]
        labels = {
            "account": gettext_lazy("Account"),
            "model": gettext_lazy("Model"),
            "starts_on": gettext_lazy("First day (UTC)"),
            "ends_on": gettext_lazy("Last day (UTC)"),
            "percent": gettext_lazy("Off the list price, %"),
            "uncached_input": gettext_lazy("Own rate, input"),
            "cache_read": gettext_lazy("Own rate, cache read"),
            "cache_write_5m": gettext_lazy("Own rate, cache write 5 min"),
            "cache_write_1h": gettext_lazy("Own rate, cache write 1 h"),
            "output": gettext_lazy("Own rate, output"),
            "source": gettext_lazy("Source"),
        }
        help_texts = {
            "model": gettext_lazy("The name in the price book. Blank: every model without its own discount."),
            "ends_on": gettext_lazy("Included. Blank: until it is deleted."),
            "percent": gettext_lazy("For example 12.5. Or leave it blank and enter own rates."),
            "uncached_input": gettext_lazy("USD per million tokens. Blank: list price."),
            "source": gettext_lazy("The contract and where it is stored."),
        }
        widgets = {
            "starts_on": forms.DateInput({"type": "date"}, "%Y-%m-%d"),
            "ends_on": forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("percent", *TOKEN_CLASSES):
            self.fields[name].widget = forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s"})

    def clean_model(self) -> str:
        return one_line(self.cleaned_data["model"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        percent, own = cleaned.get("percent"), [name for name in TOKEN_CLASSES if cleaned.get(name) is not None]
        for name in own:
            if cleaned[name] < 0:
                self.add_error(name, _("A price cannot be negative."))
        if percent is not None and not 0 < percent <= 100:
            self.add_error("percent", _("A discount must be above 0 % and at most 100 %."))
        elif percent is not None and own:
            self.add_error("percent", _("Enter a percentage or own rates, not both."))
        elif percent is None and not own and "percent" not in self.errors:
            self.add_error("percent", _("Enter a percentage or own rates."))
        if own and not cleaned.get("model") and "model" not in self.errors:
            self.add_error("model", _("Own rates require a model."))
        if cleaned.get("starts_on") and cleaned.get("ends_on") and cleaned["ends_on"] < cleaned["starts_on"]:
            self.add_error("ends_on", _("The last day is before the first one."))
        elif not self.errors:
            self.refuse_overlap(cleaned)
        return cleaned

    def refuse_overlap(self, cleaned: dict[str, Any]) -> None:
        """Requests do not say which of a provider's accounts they went through, so there is one discount at a time."""
        account, model = cleaned["account"], cleaned["model"]
        other = Discount.objects.overlapping(account.kind, model, cleaned["starts_on"], cleaned.get("ends_on")).first()
        if other is None:
            return
        until = other.ends_on or _("it is deleted")
        other_terms = {"name": other.account, "from": other.starts_on, "until": until}
        sentence = _("%(name)s already has a discount from %(from)s until %(until)s. Delete it first.")
        self.add_error("starts_on", sentence % other_terms)
