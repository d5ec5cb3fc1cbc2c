"""The what-if form. Its changes stand in the page's query string; an empty field takes the live value."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as translated
from django.utils.translation import gettext_lazy as _

from costs.breakeven import Inputs, InvalidInputs, PriceList, inputs_from_body
from costs.breakeven.alternatives import offer_key, offered
from costs.breakeven.counterfactual import ChosenModel
from costs.breakeven.measured_inputs import LIVE
from costs.breakeven.own_costs import UnitBook
from costs.breakeven.statement import number
from costs.models import WhatIf
from providers.models import Offer, provider_name

# Field of the form -> place in the body of the JSON API.
PLACES: dict[str, tuple[str, ...]] = {
    "requests": ("requests_per_month",),
    "routable": ("routable_share",),
    "tokens_in": ("input_tokens",),
    "tokens_out": ("output_tokens",),
    "cached": ("cache_read_share",),
    "batch": ("batch_share",),
    "price": ("selfhost", "gpu_hourly"),
    "speed": ("selfhost", "gpu_tokens_per_second"),
    "peak": ("selfhost", "peak_factor"),
    "upkeep": ("selfhost", "fixed_monthly"),
    "second": ("selfhost", "price_per_second"),
    "cold": ("selfhost", "cold_start_seconds"),
}
FIELDS = {place: field for field, place in PLACES.items()}
IN_PERCENT = ("routable", "cached", "batch")
WIDE = ("gpu", "model")
# Ends of the sliders: the least that a field takes, and how far it reaches if the live value is small or unknown.
LEAST = {"peak": Decimal(1)}
USUAL = {
    "requests": Decimal(200_000), "tokens_in": Decimal(2000), "tokens_out": Decimal(1000), "price": Decimal(4),
    "speed": Decimal(5000), "peak": Decimal(10), "upkeep": Decimal(500), "second": Decimal("0.002"),
    "cold": Decimal(60),
}  # fmt: skip


class WhatIfForm(forms.Form):
    gpu = forms.ChoiceField(label=_("GPU and contract"), required=False)
    model = forms.ChoiceField(label=_("API model"), required=False)
    requests = forms.CharField(label=_("Requests a month, all"), required=False)
    routable = forms.CharField(label=_("Routable, %"), required=False)
    tokens_in = forms.CharField(label=_("Tokens in"), required=False)
    tokens_out = forms.CharField(label=_("Tokens out"), required=False)
    cached = forms.CharField(label=_("Read from the cache, %"), required=False)
    batch = forms.CharField(label=_("Sent as a batch, %"), required=False)
    price = forms.CharField(label=_("GPU, $ an hour"), required=False)
    speed = forms.CharField(label=_("Tokens/s of one GPU"), required=False)
    peak = forms.CharField(label=_("Peak, times the mean"), required=False)
    upkeep = forms.CharField(label=_("VM and upkeep, $ a month"), required=False)
    second = forms.CharField(label=_("Serverless, $ a second"), required=False)
    cold = forms.CharField(label=_("Cold start, seconds"), required=False)

    def __init__(
        self, data: Any, *, live: Inputs, sheets: dict[str, PriceList], offers: Iterable[Offer], own_gpu: str,
        models: list[tuple[str, str]], book: UnitBook,
    ) -> None:  # fmt: skip
        super().__init__(data)
        self.live, self.sheets, self.own_gpu, self.book = live, sheets, own_gpu, book
        self.offers = {offer_key(offer): offer for offer in offers}
        self.fields["gpu"].choices = [("", translated("ours, as it is")), *self._offer_choices()]  # type: ignore[attr-defined]
        self.fields["model"].choices = [("", translated("our mix of models, live")), *models]  # type: ignore[attr-defined]
        self.inputs = live
        for name, field in self.fields.items():
            field.widget.attrs |= {"id": f"what-{name}", "class": "num"}
            if name in PLACES:
                field.widget.attrs |= {
                    "inputmode": "decimal",
                    "placeholder": self._live_text(name),
                    "autocomplete": "off",
                    **self._slide(name),
                }

    def _offer_choices(self) -> list[tuple[str, str]]:
        return [(key, offer_label(offer)) for key, offer in self.offers.items()]

    def _live_text(self, name: str) -> str:
        """The live value as the placeholder of an empty field."""
        at: Any = self.live
        for key in PLACES[name]:
            at = getattr(at, key)
        if at is None:
            return translated("not known") if name == "speed" else "–"
        value = Decimal(at) * 100 if name in IN_PERCENT else Decimal(at)
        return number(round(value, 4 if name in ("second", "price") else 2))

    def _slide(self, name: str) -> dict[str, str]:
        """The ends and the step of the slider that a script puts under the field; the form works without it."""
        if name in IN_PERCENT:
            return {"data-slide": "0 100 1"}
        at: Any = self.live
        for key in PLACES[name]:
            at = getattr(at, key)
        least, usual = LEAST.get(name, Decimal(0)), USUAL.get(name, Decimal(100))
        most = max(Decimal(at or 0) * 4, usual)
        step = Decimal(10) ** (most.adjusted() - 2)
        return {"data-slide": f"{least:f} {most.quantize(step):f} {step:f}"}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                self.inputs = inputs_from_body(self._body(data), self.live, self.sheets)
            except InvalidInputs as error:
                for loc, sentence in error.errors:
                    self.add_error(
                        FIELDS.get(loc, "model" if loc[0] in ("api_model", "price_sheet") else "gpu"), sentence
                    )
        return data

    def _body(self, data: dict[str, Any]) -> dict[str, Any]:
        """The same what-if as a body of the JSON API."""
        body: dict[str, Any] = {"selfhost": {}}
        if data.get("model"):
            body["price_sheet"], _slash, body["api_model"] = data["model"].partition("/")
        self._put_offer(body["selfhost"], self.offers.get(data.get("gpu") or ""))
        for name, place in PLACES.items():
            typed = (data.get(name) or "").replace(",", "").replace(" ", "")
            if typed:
                target = body["selfhost"] if place[0] == "selfhost" else body
                target[place[-1]] = shared(typed) if name in IN_PERCENT else typed
        return body

    def _put_offer(self, own: dict[str, Any], offer: Offer | None) -> None:
        """Write an offer into `own`: a serverless one is billed by the second, any other by the hour."""
        if offer is None:
            return
        changes = offered(offer, self.live, self.own_gpu, self.book)
        own |= {name: value for name, value in changes.items() if name not in ("billing", "gpu_hourly")}
        if offer.kind == "serverless":
            own["price_per_second"] = round(offer.whole_per_gpu_hour / 3600, 9)
        else:
            own["gpu_hourly"] = offer.whole_per_gpu_hour

    @property
    def body(self) -> dict[str, Any]:
        return self._body(self.cleaned_data)

    @property
    def changes(self) -> list[str]:
        """Labels of the fields that were changed."""
        return [str(self.fields[name].label) for name, value in self.data.items() if value and name in self.fields]


class TaskModelForm(forms.Form):
    """The API model that stands for a task."""

    model = forms.ChoiceField(
        label=_("API model"), help_text=_("The price for the requests of this task that are or could be self-hosted.")
    )

    def __init__(self, data: Any = None, *, models: Iterable[tuple[str, str]], chosen: ChosenModel | None) -> None:
        super().__init__(data)
        choices = [(f"{provider}/{model}", f"{model} ({provider_name(provider)})") for provider, model in models]
        self.fields["model"].choices = choices  # type: ignore[attr-defined]
        self.initial["model"] = f"{chosen.provider}/{chosen.model}" if chosen else ""


class KeepForm(forms.Form):
    """Saves a what-if: its name, a note and the changes as a query string."""

    name = forms.CharField(label=_("Name"), max_length=100, error_messages={"required": _("Enter a name.")})
    note = forms.CharField(label=_("Note"), max_length=500, required=False)
    query = forms.CharField(
        label=_("Changes"), max_length=2000, widget=forms.HiddenInput,
        error_messages={"required": _("Change a value first. The live result needs no saving.")},
    )  # fmt: skip

    def __init__(self, data: Any = None, *, read: Any = None, query: str = "") -> None:
        super().__init__(data, initial={"query": query})
        self.read = read

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if WhatIf.objects.kept().filter(name=name).exists():
            raise forms.ValidationError(
                _("Another scenario has this name. Choose another name or remove that scenario.")
            )
        return name

    def clean_query(self) -> str:
        form = self.read.form(QueryDict(self.cleaned_data["query"].lstrip("?")))
        if not form.is_valid():
            raise forms.ValidationError(_("These changes cannot be calculated, so they cannot be saved."))
        query = QueryDict(mutable=True)
        for field, value in form.data.items():
            if value and field in form.fields:
                query[field] = value
        if not query:
            raise forms.ValidationError(_("Change a value first. The live result needs no saving."))
        return query.urlencode()


def offer_label(offer: Offer) -> str:
    provider = provider_name(offer.provider)
    return f"{provider} {offer.gpu}, {offer.get_kind_display()}, ${offer.whole_per_gpu_hour:.2f}"


def shared(percent: str) -> str:
    """A percentage as a share. A text that is no number stays as it is; `inputs_from_body` refuses it."""
    try:
        return str(Decimal(percent) / 100)
    except ArithmeticError:
        return percent


def model_choices(rows: Iterable[Any], sheets: Iterable[Any]) -> list[tuple[str, str]]:
    """Choices of models from the price book and the dated sheets, labelled with the prices of input and output."""
    live = [
        (f"{LIVE}/{row.model}", translated("%(model)s: %(input)s in, %(output)s out") % {
            "model": row.model, "input": number(row.uncached_input), "output": number(row.output)})
        for row in rows
    ]  # fmt: skip
    dated = [
        (f"{sheet.name}/{row.slug}", translated("%(model)s in %(sheet)s: %(input)s in, %(output)s out") % {
            "model": row.name, "sheet": sheet.name, "input": number(row.input), "output": number(row.output)})
        for sheet in sheets for row in sheet.claude
    ]  # fmt: skip
    return live + dated
