"""Forms of applications and of their keys."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.formats import person
from lib.forms import free_slug
from traffic.authentication.keys import LIMITS
from traffic.gateway.bounds import MOST_MODEL
from traffic.models import Application, Key, QuotaPeriod, QuotaUnit, RedactKind, Scope
from traffic.models.applications import MADE_FOR
from traffic.redaction.own_patterns import BadPattern, checked
from traffic.redaction.rules import KINDS, MOST_PATTERNS

if TYPE_CHECKING:
    ApplicationModelForm = forms.ModelForm[Application]
    KeyModelForm = forms.ModelForm[Key]
else:
    ApplicationModelForm = KeyModelForm = forms.ModelForm  # takes no parameter at run time


MOST_ALIASES = 100
MOST_CACHE_MINUTES = 7 * 24 * 60


class ApplicationForm(ApplicationModelForm):
    """An application; its slug is what programs call it, and stays."""

    redact = forms.MultipleChoiceField(
        choices=RedactKind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Removed before anything is stored"),
        help_text=_("Of prompts and answers, and of the raw facts of each request."),
    )
    redact_patterns = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        label=_("And what matches these"),
        help_text=_("Regular expressions in the syntax of RE2, one a line: CUST-[0-9]{4,10}."),
    )

    model_aliases = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        label=_("Model aliases"),
        help_text=_(
            "One a line, such as gpt-4o = claude-sonnet-5-5. The gateway replaces the first name by the second."
        ),
    )

    class Meta:
        model = Application
        fields = ["name", "slug", "owner", "members", "capture_bodies", "test_only", "redact",
                  "redact_patterns", "model_aliases", "guess_task", "cache_minutes", "cache_varied",
                  "daily_requests", "daily_gb"]  # fmt: skip
        labels = {
            "slug": _("Short name"),
            "name": _("Name"),
            "owner": _("Owner"),
            "members": _("Members"),
            "capture_bodies": _("Keep prompts and answers, so that people can rate them"),
            "test_only": _("It only tests: leave it out when self-hosting is compared with the API"),
            "guess_task": _("Guess the task of calls that name none"),
            "cache_minutes": _("Answer cache, in minutes"),
            "cache_varied": _("Also cache calls with a temperature above 0, or without a temperature"),
            "daily_requests": _("Requests a day"),
            "daily_gb": _("GB a day"),
        }
        help_texts = {
            "slug": _(
                "Small letters, digits and hyphens. Programs and reports use this name. It cannot be changed later."
                " If empty, it is made from the name."
            ),
            "members": _("They see its requests and rate its answers."),
            "test_only": _("Its cost counts everywhere else."),
            "guess_task": _("By a few rules on the prompt. Each request shows that its task is a guess, and why."),
            "cache_minutes": _(
                "The gateway answers an identical call with the stored answer for so long, 7 days at most. Empty: off."
            ),
            "cache_varied": _("The caller then gets the same answer each time."),
            "capture_bodies": _("Only the owner and the members can read them. They are deleted before the requests."),
        }
        widgets = {"members": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True).order_by("username")
        for name in ("owner", "members"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = people
            field.label_from_instance = person  # type: ignore[method-assign,assignment]  # Django's documented hook
        self.fields["daily_requests"].help_text = gettext(
            "The most that its keys may store in a UTC day. More is answered with 429. Empty: %(n)s, as for all."
        ) % {"n": f"{settings.DAILY_REQUESTS:,}"}
        self.fields["daily_gb"].help_text = gettext("The same for rows and texts. Empty: %(n)s, as for all.") % {
            "n": f"{settings.DAILY_GB:,}"
        }
        self.initial["redact_patterns"] = "\n".join(self.instance.redact_patterns)
        aliases = self.instance.model_aliases.items()
        self.initial["model_aliases"] = "\n".join(f"{name} = {model}" for name, model in aliases)
        if self.instance.pk:
            del self.fields["slug"]
        else:
            self.initial["redact"] = list(KINDS)
            self.fields["slug"].required = False

    def clean_daily_requests(self) -> int | None:
        return at_least_one(self.cleaned_data["daily_requests"])

    def clean_daily_gb(self) -> int | None:
        return at_least_one(self.cleaned_data["daily_gb"])

    def clean_cache_minutes(self) -> int | None:
        minutes: int | None = self.cleaned_data["cache_minutes"]
        if minutes is not None and not 1 <= minutes <= MOST_CACHE_MINUTES:
            most = f"{MOST_CACHE_MINUTES:,}"
            raise forms.ValidationError(_("Enter 1 to %(most)s minutes. Empty: off.") % {"most": most})
        return minutes

    def clean_redact_patterns(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["redact_patterns"].splitlines() if line.strip()]
        if len(lines) > MOST_PATTERNS:
            raise forms.ValidationError(_("At most %(n)s patterns.") % {"n": MOST_PATTERNS})
        for number, line in enumerate(lines, 1):
            try:
                checked(line)
            except BadPattern as error:
                raise forms.ValidationError(
                    _("Line %(n)s: %(why)s") % {"n": number, "why": gettext(str(error))}
                ) from None
        return lines

    def clean_model_aliases(self) -> dict[str, str]:
        """Each line as a name and the model behind it."""
        aliases: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["model_aliases"].splitlines(), 1):
            if not line.strip():
                continue
            name, equals, model = (part.strip() for part in line.partition("="))
            if not (name and equals and model) or max(len(name), len(model)) > MOST_MODEL:
                raise forms.ValidationError(_("Line %(n)s: write a name, an equals sign and a model.") % {"n": number})
            aliases[name] = model
        if len(aliases) > MOST_ALIASES:
            raise forms.ValidationError(_("At most %(n)s aliases.") % {"n": MOST_ALIASES})
        return aliases

    def clean_slug(self) -> str:
        name: str = self.cleaned_data.get("name", "")
        slug: str = self.cleaned_data["slug"] or free_slug(name, "application", Application)
        if slug == "add":  # the address of the page that adds one
            raise forms.ValidationError(_("A page has this name. Choose another."))
        if slug in MADE_FOR and slug != self.instance.slug:
            raise forms.ValidationError(_("This product has an application of this short name. Choose another."))
        return slug


class KeyLimitsForm(KeyModelForm):
    """What a key is called, how long it lasts, and how much may come with it."""

    expires_on = forms.DateField(
        required=False,
        label=_("Valid through"),
        help_text=_("Empty: until it is revoked."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    class Meta:
        model = Key
        fields = ["name", "per_minute", "quota", "quota_unit", "quota_period"]
        labels = {
            "name": _("What it is for"),
            "per_minute": _("Calls a minute"),
            "quota": _("Quota"),
            "quota_unit": _("The quota counts"),
            "quota_period": _("It starts again each"),
        }
        help_texts = {
            "per_minute": _(
                "A batch is one call. More calls are answered with 429 and a time to retry. Empty: no limit."
            ),
            "quota": _("Of requests sent with the key, to the API or through the gateway. Empty: no quota."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        expires = self.instance.expires_at
        if expires is not None:
            self.initial.setdefault("expires_on", timezone.localtime(expires).date())

    def clean_per_minute(self) -> int | None:
        return at_least_one(self.cleaned_data["per_minute"])

    def clean_quota(self) -> Decimal | None:
        quota: Decimal | None = self.cleaned_data["quota"]
        if quota is not None and quota <= 0:
            raise forms.ValidationError(_("Enter more than 0. To stop a key, revoke it."))
        return quota

    def clean_expires_on(self) -> datetime | None:
        day = self.cleaned_data["expires_on"]
        if day is None:
            return None
        expires: datetime | None = self.instance.expires_at
        if expires is not None and day == timezone.localtime(expires).date():
            return expires  # a rotated key ends at a time of day
        if day < timezone.localdate():
            raise forms.ValidationError(_("This day is over."))
        return datetime.combine(day, time.max, timezone.get_current_timezone())

    def save(self, commit: bool = True) -> Key:
        self.instance.expires_at = self.cleaned_data["expires_on"]
        return super().save(commit)

    @property
    def limits(self) -> dict[str, Any]:
        """The columns that limit a key."""
        return {name: self.cleaned_data[name] for name in LIMITS}


class KeyForm(KeyLimitsForm):
    """A key to make; its secret is drawn by the server."""

    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.GATEWAY],
        label=_("It may"),
        error_messages={"required": _("Choose at least one right.")},
    )
    field_order = ["name", "application", "scopes", "expires_on"]

    class Meta(KeyLimitsForm.Meta):
        fields = ["name", "application", "scopes", *KeyLimitsForm.Meta.fields[1:]]
        labels = {**KeyLimitsForm.Meta.labels, "application": _("Application")}
        help_texts = {
            **KeyLimitsForm.Meta.help_texts,
            "application": _("The key is valid for this application only."),
        }

    def __init__(self, *args: Any, for_all: bool, **kwargs: Any) -> None:
        """`for_all`: whether who fills it in may make keys for the whole installation."""
        super().__init__(*args, **kwargs)
        for name in ("quota_unit", "quota_period"):
            self.fields[name].required = False  # a plain key needs neither
        application = self.fields["application"]
        application.required = not for_all
        if for_all:
            application.help_text = _(
                "The key is valid for this application only. Empty: for the whole installation, such as for a"
                " collector."
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("application") is None and Scope.GATEWAY in cleaned.get("scopes", ()):
            self.add_error("application", _("A key for the gateway belongs to an application. Choose one."))
        if cleaned.get("application") is not None and Scope.TRIALS in cleaned.get("scopes", ()):
            self.add_error("scopes", _("A key for trials belongs to no application: leave the application empty."))
        return cleaned

    def clean_quota_unit(self) -> str:
        return self.cleaned_data["quota_unit"] or QuotaUnit.REQUESTS

    def clean_quota_period(self) -> str:
        return self.cleaned_data["quota_period"] or QuotaPeriod.MONTH


def at_least_one(number: int | None) -> int | None:
    if number is not None and number < 1:
        raise forms.ValidationError(_("Enter at least 1. To stop a key, revoke it."))
    return number


OVERLAPS = {"0": _("at once"), "1": _("in an hour"), "24": _("in a day"), "168": _("in a week"), "720": _("in 30 days")}


class RotateForm(forms.Form):
    """When a key that gets a successor stops."""

    hours = forms.TypedChoiceField(choices=list(OVERLAPS.items()), coerce=int, initial="24", label=_("Old key ends"))
