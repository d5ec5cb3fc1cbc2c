"""An account's form: a key that is only ever written, and an address that it may be sent to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.encryption import encrypt
from lib.forms import KEY_AGAIN, AddressField, Person, SecretField, free_slug, is_admin
from lib.netguard import AddressRefused, pin
from providers.accounts.freshness import FEED_WORDS
from providers.connectors import connector_class
from providers.connectors.base import Option
from providers.models import Account

if TYPE_CHECKING:
    AccountModelForm = forms.ModelForm[Account]
else:  # takes no parameter at run time
    AccountModelForm = forms.ModelForm

MOST_EVERY_MINUTES = 7 * 24 * 60


class OptionField(forms.CharField):
    """One of a vendor's own settings."""

    def __init__(self, option: Option, **options: Any) -> None:
        self.option = option
        super().__init__(label=_(option.label), help_text=_(option.help), required=False, max_length=1000, **options)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if self.option.type is list:
            return [word.strip() for word in text.split(",") if word.strip()]
        if self.option.type is int and text:
            if not text.isdecimal() or len(text) > 9:
                raise forms.ValidationError(_("A whole number."))
            return int(text)
        return text


class AccountForm(AccountModelForm):
    """An account at one vendor. Its kind stays; "local" is an admin's to give."""

    base_url = AddressField(
        label=gettext_lazy("Base URL"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("For a proxy or a sandbox. Blank: the vendor's own. Begins with https."),
    )
    secret = SecretField(label=gettext_lazy("Key"))

    class Meta:
        model = Account
        fields = ["name", "base_url", "local", "may_stop"]
        labels = {
            "name": gettext_lazy("Name"),
            "local": gettext_lazy("Local: allow a private or loopback address"),
            "may_stop": gettext_lazy("Allow stopping GPUs from Breakeven (always asks first)"),
        }
        help_texts = {
            "may_stop": gettext_lazy("Only people can stop a GPU. The key needs this permission."),
            "local": gettext_lazy("For sandboxes and proxies in your own network. Only admins may set this."),
        }

    def __init__(self, *args: Any, person: Person, **options: Any) -> None:
        super().__init__(*args, **options)
        self.vendor = connector_class(self.instance.kind)
        self.is_admin = is_admin(person)
        self.was = (self.instance.base_url, self.instance.local)
        self.stored_key = bool(self.instance.pk and self.instance.secret)
        self.fields["base_url"].widget.attrs["placeholder"] = self.vendor.default_base_url
        self.fields["secret"].required = not self.stored_key
        self.fields["secret"].error_messages["required"] = _("The vendor requires a key.")
        self.fields["secret"].help_text = self._key_help()
        if self.vendor.stop is None:
            del self.fields["may_stop"]
        self._guard_local()
        self._add_options()
        self._add_intervals()
        self.order_fields(["name", "base_url", "local", "secret", "may_stop"])

    def _key_help(self) -> str:
        words = [_(self.vendor.key_help), _("Stored encrypted and never shown again.")]
        if self.stored_key:
            words.append(_("Blank: keep the stored key."))
        return " ".join(words)

    def _guard_local(self) -> None:
        """Only an admin says where `local` leads: whoever is none would reach our network by it."""
        if self.is_admin:
            return
        del self.fields["local"]
        if self.instance.local:
            self.fields["base_url"].disabled = True
            self.fields["base_url"].help_text = _("The account is local. Only an admin can change its address.")

    def _add_options(self) -> None:
        for name, option in self.vendor.options.items():
            self.fields[f"option_{name}"] = OptionField(option, initial=self.instance.settings.get(name, ""))

    def _add_intervals(self) -> None:
        intervals = {feed.kind: feed.every_s for feed in self.instance.feeds.all()} if self.instance.pk else {}
        for kind, every_s in self.vendor.feeds.items():
            self.fields[f"every_{kind}"] = forms.IntegerField(
                label=_("Read %(what)s every") % {"what": FEED_WORDS[kind]},
                min_value=1,
                max_value=MOST_EVERY_MINUTES,
                initial=-(-intervals.get(kind, every_s) // 60),
                error_messages={"min_value": _("At least 1 minute.")},
            )

    @property
    def interval_names(self) -> list[str]:
        return [f"every_{kind}" for kind in self.vendor.feeds]

    def clean_base_url(self) -> str:
        return str(self.cleaned_data["base_url"] or "").rstrip("/")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        base_url = cleaned.get("base_url", "")
        local = cleaned.get("local", self.was[1])
        if "base_url" not in self.errors and base_url:
            self._judge_address(base_url, local=local)
        if self.stored_key and not cleaned.get("secret") and base_url != self.was[0]:
            # Else a new address would be sent the old key.
            self.add_error("secret", KEY_AGAIN)
        return cleaned

    def _judge_address(self, base_url: str, *, local: bool) -> None:
        try:
            if not local and not base_url.startswith("https:"):
                raise AddressRefused(_("The base URL must be https. Over http the key is not encrypted."))
            pin(base_url.replace("{api}", "compute"), local=local)
        except AddressRefused as refused:
            self.add_error("base_url", str(refused))

    @property
    def needs_test(self) -> bool:
        """Whether something was changed that the vendor must agree with."""
        return bool(
            {"secret", "base_url", "local", *(f"option_{n}" for n in self.vendor.options)} & {*self.changed_data}
        )

    @property
    def intervals(self) -> Mapping[str, int]:
        """Seconds between two polls, by feed."""
        return {kind: self.cleaned_data[f"every_{kind}"] * 60 for kind in self.vendor.feeds}

    def filled(self) -> Account:
        """The account as the form says, not saved."""
        account = self.instance
        if self.cleaned_data.get("secret"):
            account.secret = encrypt(self.cleaned_data["secret"])
        others = {name: value for name, value in account.settings.items() if name not in self.vendor.options}
        entered = {name: self.cleaned_data[f"option_{name}"] for name in self.vendor.options}
        account.settings = others | {name: value for name, value in entered.items() if value not in ("", [])}
        if not account.slug:
            account.slug = free_slug(account.name, account.kind, Account)
        return account
