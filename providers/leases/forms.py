"""Forms about leases: the filter of their list, when one is called idle, and stopping one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.models import Lease, OfferKind
from providers.models.leases import LeaseQuerySet

if TYPE_CHECKING:
    LeaseModelForm = forms.ModelForm[Lease]
else:  # takes no parameter at run time
    LeaseModelForm = forms.ModelForm

LEAST_IDLE_MIN, MOST_IDLE_MIN = 5, 7 * 24 * 60  # rollups tell of no request for a week at most


class LeaseFilterForm(forms.Form):
    """Which leases, as the address has it. A field that is filled in wrongly filters nothing."""

    when = forms.ChoiceField(
        label=gettext_lazy("When"),
        required=False,
        choices=[
            ("", gettext_lazy("current and past")),
            ("now", gettext_lazy("current")),
            ("before", gettext_lazy("past")),
        ],
    )
    account = forms.ChoiceField(label=gettext_lazy("Account"), required=False)
    gpu = forms.ChoiceField(label=gettext_lazy("GPU"), required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False)

    def __init__(self, data: Any, *, accounts: Sequence[tuple[str, str]], gpus: Sequence[str]) -> None:
        super().__init__(data)
        every = ("", _("all"))
        for name, choices in (
            ("account", list(accounts)),
            ("gpu", [(gpu, gpu) for gpu in gpus]),
            ("kind", list(OfferKind.choices)),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [every, *choices]
        self.is_valid()

    @property
    def wanted(self) -> dict[str, str]:
        """What was filled in rightly."""
        return {name: value for name, value in self.cleaned_data.items() if value}

    def chosen(self, leases: LeaseQuerySet) -> LeaseQuerySet:
        names = {"account": "account__slug", "gpu": "gpu", "kind": "kind"}
        chosen = leases.filter(**{names[name]: value for name, value in self.wanted.items() if name in names})
        when = self.wanted.get("when")
        return chosen.filter(ended_at__isnull=when == "now") if when else chosen


class IdleForm(LeaseModelForm):
    """After how long without a request a lease is called idle."""

    class Meta:
        model = Lease
        fields = ["idle_minutes"]
        labels = {"idle_minutes": gettext_lazy("Idle after")}
        help_texts = {
            "idle_minutes": gettext_lazy(
                "Minutes without a request through its deployments. Blank: the rule's default."
            )
        }

    def clean_idle_minutes(self) -> int | None:
        minutes: int | None = self.cleaned_data["idle_minutes"]
        if minutes is not None and not LEAST_IDLE_MIN <= minutes <= MOST_IDLE_MIN:
            bounds = {"least": LEAST_IDLE_MIN, "most": MOST_IDLE_MIN}
            raise forms.ValidationError(_("From %(least)d to %(most)d minutes.") % bounds)
        return minutes


class StopForm(forms.Form):
    """A person's word that a lease is to be stopped: its name, typed."""

    name = forms.CharField(label=gettext_lazy("Name of the lease"), max_length=200)

    def __init__(self, data: Any, *, lease: Lease) -> None:
        super().__init__(data)
        self.lease = lease
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        self.fields["name"].help_text = _("Type %(name)s to confirm.") % {"name": lease}

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name != str(self.lease):
            raise forms.ValidationError(_("The name does not match."))
        return name
