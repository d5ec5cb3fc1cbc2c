"""Forms for signing in, for the password asked again, and for a new password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm, SetPasswordForm
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.signin.hashing import Busy
from dashboard.signin.throttle import Throttled

Refusal = Throttled | Busy


def sentence(refusal: Refusal) -> str:
    if isinstance(refusal, Busy):
        return _("Too many people sign in at this moment: try again in %(n)s seconds.") % {"n": refusal.retry_after}
    return _("Too many attempts: try again in %(n)s seconds.") % {"n": refusal.retry_after}


class SignInForm(AuthenticationForm):
    """Name and password; `refusal` is set if the password was not checked (back-off, too many at once)."""

    refusal: Refusal | None = None

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except (Throttled, Busy) as refusal:
            self.refusal = refusal
            raise forms.ValidationError(sentence(refusal), code="throttled") from None


class ConfirmForm(forms.Form):
    """One's own password, asked again."""

    refusal: Refusal | None = None
    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, request: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            user = authenticate(self.request, username=self.request.user.get_username(), password=password)
        except (Throttled, Busy) as refusal:
            self.refusal = refusal
            raise forms.ValidationError(sentence(refusal), code="throttled") from None
        if user != self.request.user:
            raise forms.ValidationError(_("That is not your password."), code="wrong")
        return password


if TYPE_CHECKING:
    NewPasswordForm = SetPasswordForm[User]
else:
    NewPasswordForm = SetPasswordForm  # takes no parameter at run time


class OwnPasswordForm(NewPasswordForm):
    """A new password for oneself; the present one is checked as in `ConfirmForm`."""

    refusal: Refusal | None = None
    old_password = forms.CharField(
        label=gettext_lazy("Old password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    field_order = ["old_password", "new_password1", "new_password2"]

    def __init__(self, *args: Any, request: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        try:
            user = authenticate(self.request, username=self.user.get_username(), password=password)
        except (Throttled, Busy) as refusal:
            self.refusal = refusal
            raise forms.ValidationError(sentence(refusal), code="throttled") from None
        if user != self.user:
            raise forms.ValidationError(_("Your old password was entered incorrectly."), code="wrong")
        return password


class AskForLinkForm(PasswordResetForm):
    """An e-mail address for a link to a new password; the answer is the same if nobody has this address."""

    email = forms.EmailField(
        label=gettext_lazy("Your e-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "autofocus": True}),
    )
