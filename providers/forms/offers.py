"""The explorer's filter."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.models import OfferKind
from providers.offers import SORTS, OfferFilter


class OneOfSeveral(forms.Select):
    """A select of one, over a parameter of which the address may name several."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [value for value in data.getlist(name) if value]


class OfferForm(forms.Form):
    """The explorer's filter, as the address has it. A field that is filled in wrongly filters nothing."""

    gpu = forms.MultipleChoiceField(label=gettext_lazy("GPU"), required=False)
    kind = forms.MultipleChoiceField(label=gettext_lazy("Kind"), required=False, choices=OfferKind.choices)
    provider = forms.MultipleChoiceField(label=gettext_lazy("Provider"), required=False)
    region = forms.CharField(label=gettext_lazy("Region holds"), required=False, max_length=100)
    memory = forms.DecimalField(
        label=gettext_lazy("Memory, GB at least"), required=False, min_value=Decimal(0), max_value=Decimal(10_000)
    )
    max_price = forms.DecimalField(
        label=gettext_lazy("$ per GPU-hour at most"), required=False, min_value=Decimal(0), max_value=Decimal(10_000)
    )
    reliability = forms.DecimalField(
        label=gettext_lazy("Reliability, % at least"), required=False, min_value=Decimal(0), max_value=Decimal(100)
    )
    sold_out = forms.BooleanField(label=gettext_lazy("sold out ones too"), required=False)
    cheaper = forms.BooleanField(label=gettext_lazy("only cheaper than ours"), required=False)

    def __init__(self, data: Any, *, gpus: Sequence[tuple[str, str]], providers: Sequence[tuple[str, str]]) -> None:
        super().__init__(data)
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
        known = self.cleaned_data
        share = known.get("reliability")
        return OfferFilter(
            gpus=known.get("gpu") or (),
            kinds=known.get("kind") or (),
            providers=known.get("provider") or (),
            region=known.get("region") or "",
            min_memory_gb=known.get("memory"),
            max_price=known.get("max_price"),
            min_reliability=None if share is None else float(share) / 100,
            available=None if known.get("sold_out") else True,
        )

    @property
    def sort(self) -> str:
        asked = str(self.data.get("sort", ""))
        return asked if asked.removeprefix("-") in SORTS else "price"
