"""Forms of traffic's pages."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from providers.models import PROVIDER_NAMES, Deployment
from traffic.models import Application, Key, Route, Scope, Task

if TYPE_CHECKING:
    ApplicationModelForm = forms.ModelForm[Application]
    KeyModelForm = forms.ModelForm[Key]
    RouteModelForm = forms.ModelForm[Route]
else:
    ApplicationModelForm = KeyModelForm = RouteModelForm = forms.ModelForm  # takes no parameter at run time


class RatingForm(forms.Form):
    """One person's judgement of one answer."""

    stars = forms.TypedChoiceField(
        choices=[(number, str(number)) for number in range(1, 6)],
        coerce=int,
        error_messages={"required": _("Choose 1 to 5."), "invalid_choice": _("Choose 1 to 5.")},
    )
    comment = forms.CharField(max_length=5_000, required=False)


def name_of(user: User) -> str:
    return user.get_full_name() or user.get_username()


class ApplicationForm(ApplicationModelForm):
    """An application; its slug is what programs call it, and stays."""

    class Meta:
        model = Application
        fields = ["slug", "name", "owner", "members", "capture_bodies"]
        labels = {
            "slug": _("Short name"),
            "name": _("Name"),
            "owner": _("Owner"),
            "members": _("Members"),
            "capture_bodies": _("Keep prompts and answers, so that people can rate them"),
        }
        help_texts = {
            "slug": _(
                "Small letters, digits and hyphens. Programs and reports call it so; it cannot be changed later."
            ),
            "members": _("They see its requests and rate its answers."),
            "capture_bodies": _("Read by the owner and the members alone, and deleted before the requests are."),
        }
        widgets = {"members": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True).order_by("username")
        for name in ("owner", "members"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = people
            field.label_from_instance = name_of  # type: ignore[method-assign,assignment]  # Django's documented hook
        if self.instance.pk:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug == "add":  # the address of the page that adds one
            raise forms.ValidationError(_("This word is taken by a page; choose another."))
        return slug


class KeyForm(KeyModelForm):
    """A key to make; its secret is drawn by the server."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple, label=_("It may"))
    expires_on = forms.DateField(
        required=False,
        label=_("Valid through"),
        help_text=_("Empty: until it is revoked."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    class Meta:
        model = Key
        fields = ["name", "application", "scopes"]
        labels = {"name": _("What it is for"), "application": _("Application")}
        help_texts = {
            "application": _("The key then writes and rates for this one alone. Empty: a collector's key, for all.")
        }

    def clean_expires_on(self) -> datetime | None:
        day = self.cleaned_data["expires_on"]
        if day is None:
            return None
        if day < timezone.now().date():
            raise forms.ValidationError(_("This day is over."))
        return datetime.combine(day, time.max, timezone.get_current_timezone())


class RouteForm(RouteModelForm):
    """The simple conditions of a route and where it leads."""

    tasks = forms.MultipleChoiceField(
        choices=Task.choices, required=False, widget=forms.CheckboxSelectMultiple, label=_("Tasks")
    )

    class Meta:
        model = Route
        fields = [
            "name", "enabled", "tasks", "applications", "over_tokens", "percent", "to_provider", "deployment",
            "falls_back",
        ]  # fmt: skip
        labels = {
            "name": _("Name"),
            "enabled": _("In use"),
            "applications": _("Applications"),
            "over_tokens": _("Prompts longer than"),
            "percent": _("Share of conversations"),
            "to_provider": _("Send to any deployment of"),
            "deployment": _("Or to one deployment"),
            "falls_back": _("Another deployment may answer when this one cannot"),
        }
        help_texts = {
            "applications": _("None chosen: all."),
            "over_tokens": _("Tokens, estimated from the length. Empty: any length."),
            "percent": _("Per cent; a conversation stays where it began. Empty: all."),
        }
        widgets = {"applications": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = sorted(
            {*Deployment.objects.values_list("provider", flat=True), *filter(None, [self.instance.to_provider])}
        )
        names = [(slug, PROVIDER_NAMES.get(slug, slug)) for slug in sorted(slugs)]
        self.fields["to_provider"].widget = forms.Select(choices=[("", _("none, see below")), *names])
        self.fields["tasks"].help_text = _("None chosen: all.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("to_provider") and not cleaned.get("deployment"):
            raise forms.ValidationError(_("Say where the requests go: a provider or one deployment."))
        percent = cleaned.get("percent")
        if percent is not None and not 1 <= percent <= 100:
            self.add_error("percent", _("From 1 to 100."))
        return cleaned
