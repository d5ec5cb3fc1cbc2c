"""A price's form: a new version, never a change of one that stands."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.forms import UtcDateTimeField, one_line
from lib.tokens import TOKEN_CLASSES
from providers.models import TokenPrice
from providers.pricing.book import OTHER_MODEL

if TYPE_CHECKING:
    PriceModelForm = forms.ModelForm[TokenPrice]
else:  # takes no parameter at run time
    PriceModelForm = forms.ModelForm

LONG = ("over_tokens", *(f"over_{name}" for name in TOKEN_CLASSES))


class PriceForm(PriceModelForm):
    """A new version of a model's list price: USD per million tokens. What stands is never edited."""

    class Meta:
        model = TokenPrice
        fields = ["provider", "model", "starts_at", *TOKEN_CLASSES, "batch_factor", "over_tokens"]
        fields += [f"over_{name}" for name in TOKEN_CLASSES]
        fields += ["source"]
        labels = {
            "provider": gettext_lazy("Provider"),
            "model": gettext_lazy("Model"),
            "starts_at": gettext_lazy("Valid from (UTC)"),
            "uncached_input": gettext_lazy("Input"),
            "cache_read": gettext_lazy("Cache read"),
            "cache_write_5m": gettext_lazy("Cache write, 5 min"),
            "cache_write_1h": gettext_lazy("Cache write, 1 h"),
            "output": gettext_lazy("Output"),
            "batch_factor": gettext_lazy("Batch factor"),
            "over_tokens": gettext_lazy("Long prompts start above"),
            "over_uncached_input": gettext_lazy("Input, long prompts"),
            "over_cache_read": gettext_lazy("Cache read, long prompts"),
            "over_cache_write_5m": gettext_lazy("Cache write 5 min, long prompts"),
            "over_cache_write_1h": gettext_lazy("Cache write 1 h, long prompts"),
            "over_output": gettext_lazy("Output, long prompts"),
            "source": gettext_lazy("Source"),
        }
        help_texts = {
            "starts_at": gettext_lazy("Used for requests from then on. A time in the past is allowed."),
            "cache_read": gettext_lazy("Blank: unknown. Requests with such tokens stay unpriced."),
            "batch_factor": gettext_lazy("Share of every rate for batches, for example 0.5. Blank: unknown."),
            "source": gettext_lazy("The source of the price: an address, an offer or a contract."),
        }
        field_classes = {"starts_at": UtcDateTimeField}
        widgets = {
            "starts_at": forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
            "provider": forms.TextInput(attrs={"list": "providers"}),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("cache_read", "cache_write_5m", "cache_write_1h"):
            self.fields[name].required = False
        for name, field in self.fields.items():
            if isinstance(field, forms.DecimalField):
                field.widget = forms.TextInput(attrs={"inputmode": "decimal", "class": "input-s"})
            self._trim(name)

    def _trim(self, name: str) -> None:
        """3.000000000000 as 3: twelve decimals are the column's, not the reader's."""
        value = self.initial.get(name)
        if isinstance(value, Decimal):
            self.initial[name] = f"{value.normalize():f}"

    def clean_provider(self) -> str:
        provider = one_line(self.cleaned_data["provider"]).lower()
        if provider == "self":
            raise forms.ValidationError(
                _("Self-hosted models have no list price. Their cost is their share of the lease.")
            )
        return provider

    def clean_model(self) -> str:
        model = one_line(self.cleaned_data["model"])
        if model == OTHER_MODEL:
            raise forms.ValidationError(_("This name covers several models with different prices."))
        return model

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in ("batch_factor", "over_tokens", *TOKEN_CLASSES, *(f"over_{field}" for field in TOKEN_CLASSES)):
            if (cleaned.get(name) or 0) < 0:
                self.add_error(name, _("A price cannot be negative."))
        if cleaned.get("over_tokens") is None and any(
            cleaned.get(f"over_{name}") is not None for name in TOKEN_CLASSES
        ):
            self.add_error("over_tokens", _("Enter the number of tokens above which a prompt is long."))
        elif cleaned.get("over_tokens") is not None and not cleaned.get("over_output"):
            self.add_error("over_output", _("Enter the prices of long prompts."))
        self._refuse_edit(cleaned)
        return cleaned

    def _refuse_edit(self, cleaned: dict[str, Any]) -> None:
        versions = TokenPrice.objects.of(cleaned.get("provider", ""), cleaned.get("model", ""))
        if cleaned.get("starts_at") and versions.filter(starts_at=cleaned["starts_at"]).exists():
            self.add_error("starts_at", _("A price with this start exists already. Prices cannot be edited."))

    # How the page groups the fields.

    @property
    def named(self) -> list[forms.BoundField]:
        return [self[name] for name in ("provider", "model", "starts_at", "source")]

    @property
    def rates(self) -> list[forms.BoundField]:
        return [self[name] for name in TOKEN_CLASSES]

    @property
    def more(self) -> list[forms.BoundField]:
        return [self["batch_factor"]]

    @property
    def long(self) -> list[forms.BoundField]:
        return [self[name] for name in LONG]

    @property
    def long_wrong(self) -> bool:
        return any(name in self.errors for name in LONG)
