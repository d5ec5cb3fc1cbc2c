"""The explorer's filter, and what somebody waits for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.models import OfferKind, OfferWatch, provider_name
from providers.offers import SORTS, OfferFilter

if TYPE_CHECKING:
    OfferWatchModelForm = forms.ModelForm[OfferWatch]
else:  # takes no parameter at run time
    OfferWatchModelForm = forms.ModelForm

LEAST_PRICE, MOST_PRICE = Decimal("0.0001"), Decimal(10_000)  # USD per GPU hour
Choices = Sequence[tuple[str, str]]


class QuickSelect(forms.Select):
    """A select without a template: one template for each of a hundred options takes longer than the page's list."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen, selected = set(self.format_value(value)), SafeString(" selected")
        rows = ((key, selected if str(key) in chosen else "", label) for key, label in self.choices)
        options = format_html_join("", '<option value="{}"{}>{}</option>', rows)
        attributes = flatatt(self.build_attrs({**self.attrs, "name": name}, attrs))
        return format_html("<select{}>{}</select>", attributes, options)


class OneOfSeveral(QuickSelect):
    """A select of one, over a parameter of which the address may name several."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [value for value in data.getlist(name) if value]


class OfferForm(forms.Form):
    """The explorer's filter, as the address has it. A field that is filled in wrongly filters nothing."""

    gpu = forms.MultipleChoiceField(label=gettext_lazy("GPU"), required=False)
    kind = forms.MultipleChoiceField(label=gettext_lazy("Kind"), required=False, choices=OfferKind.choices)
    provider = forms.MultipleChoiceField(label=gettext_lazy("Provider"), required=False)
    region = forms.CharField(label=gettext_lazy("Region contains"), required=False, max_length=100)
    memory = forms.DecimalField(
        label=gettext_lazy("Memory, GB at least"), required=False, min_value=Decimal(0), max_value=Decimal(10_000)
    )
    max_price = forms.DecimalField(
        label=gettext_lazy("$ per GPU-hour at most"), required=False, min_value=Decimal(0), max_value=Decimal(10_000)
    )
    reliability = forms.DecimalField(
        label=gettext_lazy("Reliability, % at least"), required=False, min_value=Decimal(0), max_value=Decimal(100)
    )
    model = forms.ChoiceField(label=gettext_lazy("Token speed for"), required=False)
    sold_out = forms.BooleanField(label=gettext_lazy("Include sold out"), required=False)
    cheaper = forms.BooleanField(label=gettext_lazy("Only cheaper than ours"), required=False)

    def __init__(self, data: Any, *, gpus: Choices, providers: Choices, models: Choices) -> None:
        super().__init__(data)
        model = self.fields["model"]
        assert isinstance(model, forms.ChoiceField)
        model.widget = QuickSelect()
        model.choices = [("", _("no model")), *models]
        for name, first, choices in (
            ("gpu", _("all"), gpus),
            ("kind", _("all"), OfferKind.choices),
            ("provider", _("all"), providers),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)
            field.widget = OneOfSeveral()
            field.choices = choices
            field.widget.choices = [("", first), *choices]
        for name in ("memory", "max_price", "reliability"):
            self.fields[name].widget.attrs |= {"step": "any", "min": "0"}

    @property
    def wanted(self) -> OfferFilter:
        """Of what was filled in rightly."""
        self.full_clean()
        cleaned = self.cleaned_data
        share = cleaned.get("reliability")
        return OfferFilter(
            gpus=cleaned.get("gpu") or (),
            kinds=cleaned.get("kind") or (),
            providers=cleaned.get("provider") or (),
            region=cleaned.get("region") or "",
            min_memory_gb=cleaned.get("memory"),
            max_price=cleaned.get("max_price"),
            min_reliability=None if share is None else float(share) / 100,
            available=None if cleaned.get("sold_out") else True,
        )

    def sort(self, sorts: Collection[str] = SORTS) -> str:
        sort = str(self.data.get("sort", ""))
        return sort if sort.removeprefix("-") in sorts else "price"


class OfferWatchForm(OfferWatchModelForm):
    """What somebody waits for. `gpus` and `providers` are those that were ever offered."""

    reliability = forms.DecimalField(
        label=gettext_lazy("Reliability, % at least"), required=False, min_value=Decimal(0), max_value=Decimal(100)
    )
    price = forms.DecimalField(
        label=gettext_lazy("Below, $ per GPU-hour"),
        min_value=LEAST_PRICE,
        max_value=MOST_PRICE,
        max_digits=20,
        decimal_places=12,
        help_text=gettext_lazy("You are notified when an offer costs less than this."),
    )

    class Meta:
        model = OfferWatch
        fields = ["gpu", "kind", "provider", "region", "price"]
        labels = {"region": gettext_lazy("Region contains")}

    field_order = ("gpu", "kind", "provider", "region", "reliability", "price")

    def __init__(self, *args: Any, gpus: Collection[str], providers: Collection[str], **options: Any) -> None:
        super().__init__(*args, **options)
        watch = self.instance
        names = sorted({*gpus, *filter(None, [watch.gpu])}, key=str.lower)
        vendors = {slug: provider_name(slug) for slug in sorted({*providers, *filter(None, [watch.provider])})}
        self.fields["gpu"] = forms.ChoiceField(label=_("GPU"), choices=[(name, name) for name in names])
        self.fields["kind"] = forms.ChoiceField(
            label=_("Kind"), required=False, choices=[("", _("any")), *OfferKind.choices]
        )
        self.fields["provider"] = forms.ChoiceField(
            label=_("Provider"), required=False, choices=[("", _("any")), *vendors.items()]
        )
        self.order_fields(self.field_order)
        for name in ("reliability", "price"):
            self.fields[name].widget.attrs |= {"step": "any", "min": "0"}
        if watch.pk:
            self.initial["price"] = without_zeros(watch.price)
            if watch.min_reliability is not None:
                self.initial["reliability"] = without_zeros(Decimal(str(watch.min_reliability)) * 100)

    def filled(self) -> OfferWatch:
        """The watch as the form says, not saved."""
        share = self.cleaned_data.get("reliability")
        self.instance.min_reliability = None if share is None else float(share / 100)
        return self.instance


def without_zeros(value: Decimal) -> str:
    """`0.34` of 0.340000000000."""
    return f"{value.normalize():f}"
