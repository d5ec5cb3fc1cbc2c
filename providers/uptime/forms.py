"""What people write about an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy

from providers.models import Outage

if TYPE_CHECKING:
    OutageModelForm = forms.ModelForm[Outage]
else:  # takes no parameter at run time
    OutageModelForm = forms.ModelForm


class OutageForm(OutageModelForm):
    """A note for us, a sentence for status pages, and what was learnt."""

    class Meta:
        model = Outage
        fields = ["note", "public_note", "post_mortem"]
        labels = {
            "note": gettext_lazy("Note"),
            "public_note": gettext_lazy("Public note"),
            "post_mortem": gettext_lazy("Post-mortem"),
        }
        widgets = {"public_note": forms.Textarea}
        help_texts = {
            "note": gettext_lazy("Internal: what is being done, and by whom."),
            "public_note": gettext_lazy("Status pages show this, but not the cause above."),
            "post_mortem": gettext_lazy("What happened, why, and how to prevent it."),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, most in (("note", 5_000), ("post_mortem", 50_000)):
            field = self.fields[name]
            assert isinstance(field, forms.CharField)
            field.validators.append(forms.CharField(max_length=most).validators[0])
