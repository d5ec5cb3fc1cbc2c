"""A status page's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.forms import free_slug
from providers.models import Deployment, Heartbeat, StatusPage

if TYPE_CHECKING:
    StatusPageModelForm = forms.ModelForm[StatusPage]
else:  # takes no parameter at run time
    StatusPageModelForm = forms.ModelForm


class StatusPageForm(StatusPageModelForm):
    """A name, a choice of what is shown, and to whom."""

    class Meta:
        model = StatusPage
        fields = ["title", "slug", "intro", "access", "deployments", "heartbeats"]
        labels = {
            "title": gettext_lazy("Title"),
            "slug": gettext_lazy("Short name"),
            "intro": gettext_lazy("Introduction"),
            "access": gettext_lazy("Visible to"),
            "deployments": gettext_lazy("Deployments"),
            "heartbeats": gettext_lazy("Batch jobs"),
        }
        help_texts = {
            "slug": gettext_lazy("The end of a public page's address. Blank: from the title."),
            "deployments": gettext_lazy("Shown under their names here."),
        }
        widgets = {
            "deployments": forms.CheckboxSelectMultiple,
            "heartbeats": forms.CheckboxSelectMultiple,
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["slug"].required = False
        for name, rows in (
            ("deployments", Deployment.objects.enabled()),
            ("heartbeats", Heartbeat.objects.not_deleted()),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ModelMultipleChoiceField)
            field.queryset = rows
            field.label_from_instance = name_of  # type: ignore[method-assign,assignment]  # Django's documented hook
            if not rows.exists():
                del self.fields[name]

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"] or "")
        others = StatusPage.objects.not_deleted().exclude(pk=self.instance.pk)
        if slug == "add" or (slug and others.filter(slug=slug).exists()):
            raise forms.ValidationError(_("This name is taken. Choose another."))
        return slug or free_slug(self.cleaned_data.get("title", ""), "status", StatusPage)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        shows = [*cleaned.get("deployments", ()), *cleaned.get("heartbeats", ())]
        if cleaned.get("access") != StatusPage.Access.OFF and not shows:
            self.add_error("access", _("Choose at least one deployment or batch job before you publish the page."))
        return cleaned


def name_of(thing: Deployment | Heartbeat) -> str:
    return thing.name
