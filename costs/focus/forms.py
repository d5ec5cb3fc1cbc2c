"""The form of an export target: place, interval and kind of files. The secret key is never shown again."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costs.dates import FIRST_DAY, MONTH, today
from costs.focus import parquet
from costs.focus.stores import StoreError, folder_below
from costs.models import ExportTarget
from lib.encryption import encrypt
from lib.forms import KEY_AGAIN, AddressField, Person, SecretField, is_admin
from lib.netguard import AddressRefused, pin

if TYPE_CHECKING:
    ExportModelForm = forms.ModelForm[ExportTarget]
else:  # takes no parameter at run time
    ExportModelForm = forms.ModelForm

OF_A_BUCKET = ("endpoint", "region", "bucket", "prefix", "access_key", "secret", "local")
NEEDED = ("endpoint", "bucket", "access_key")


class ExportForm(ExportModelForm):
    """A folder or a bucket; only an admin may set "local", which allows addresses inside our network."""

    since = forms.CharField(
        label=gettext_lazy("From month"),
        max_length=7,
        widget=forms.TextInput(attrs={"type": "month", "placeholder": "2026-11"}),
        help_text=gettext_lazy("The first month to write. All months since then are written too."),
        error_messages={"required": gettext_lazy("Choose the first month.")},
    )
    endpoint = AddressField(label=gettext_lazy("Address"), required=False, max_length=200)
    secret = SecretField(label=gettext_lazy("Secret key"))

    class Meta:
        model = ExportTarget
        fields = [
            "name", "every", "format", "folder", "region", "bucket", "prefix", "access_key", "local",
        ]  # fmt: skip
        labels = {
            "name": gettext_lazy("Name"),
            "every": gettext_lazy("Written"),
            "format": gettext_lazy("Format"),
            "folder": gettext_lazy("Folder"),
            "region": gettext_lazy("Region"),
            "bucket": gettext_lazy("Bucket"),
            "prefix": gettext_lazy("Path in the bucket"),
            "access_key": gettext_lazy("Access key"),
            "local": gettext_lazy("local: may be on a private or loopback address"),
        }
        help_texts = {
            "every": gettext_lazy("Daily writes the current month too. Both write a month again while it is revised."),
            "region": gettext_lazy("Empty: us-east-1, which most stores accept."),
            "prefix": gettext_lazy("Such as finance/breakeven. Empty: the bucket’s root."),
            "local": gettext_lazy("For stores in your own network. Set by admins only."),
        }

    def __init__(self, *args: Any, person: Person, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stored, self.was = bool(self.instance.secret), self.instance.endpoint
        self.fields["since"].initial = f"{self.instance.since or today():%Y-%m}"
        if not parquet.installed():
            self.fields["format"].help_text = str(parquet.NotInstalled())
        if self.instance.kind == ExportTarget.Kind.FOLDER:
            for name in OF_A_BUCKET:
                del self.fields[name]
            self.fields["folder"].help_text = _("Below %(root)s. Empty: that folder itself.") % {
                "root": settings.EXPORTS_DIR
            }
        else:
            del self.fields["folder"]
            for name in NEEDED:
                self.fields[name].required = True
            self.fields["endpoint"].initial = self.instance.endpoint
            self.fields["endpoint"].help_text = _("Such as https://s3.eu-central-1.amazonaws.com.")
            self.fields["secret"].required = not self.stored
            words = _("Stored encrypted and never shown again.")
            self.fields["secret"].help_text = f"{words} {_('Empty: keep the stored key.')}" if self.stored else words
            if not is_admin(person):  # others could reach addresses inside our network by it
                del self.fields["local"]
                if self.instance.local:
                    self.fields["endpoint"].disabled = True
                    self.fields["endpoint"].help_text = _("The store is local: only an admin can change its address.")
        self.order_fields(["name", "every", "format", "since", "folder", *OF_A_BUCKET])

    def clean_since(self) -> date:
        match = MONTH.match(self.cleaned_data["since"].strip())
        if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < FIRST_DAY.year:
            raise forms.ValidationError(_("Write the month as 2026-11."))
        month = date(int(match[1]), int(match[2]), 1)
        if month > today():
            raise forms.ValidationError(_("This month has not begun yet."))
        return month

    def clean_format(self) -> str:
        chosen = str(self.cleaned_data["format"])
        if chosen == ExportTarget.Format.PARQUET and not parquet.installed():
            raise forms.ValidationError(str(parquet.NotInstalled()))
        return chosen

    def clean_folder(self) -> str:
        folder = str(self.cleaned_data["folder"]).strip().strip("/")
        try:
            folder_below(folder)
        except (StoreError, ValueError) as error:
            raise forms.ValidationError(str(error)) from error
        return folder

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.instance.kind == ExportTarget.Kind.S3 and "endpoint" not in self.errors:
            address = cleaned["endpoint"].rstrip("/")
            self.check_address(address, local=cleaned.get("local", self.instance.local))
            if self.stored and not cleaned.get("secret") and address != self.was:
                self.add_error("secret", KEY_AGAIN)
        return cleaned

    def check_address(self, address: str, *, local: bool) -> None:
        try:
            if not local and not address.startswith("https:"):
                raise AddressRefused(_("The address must begin with https: others could read data sent over http."))
            if "/" in address.partition("://")[2]:
                raise AddressRefused(_("The address names only the store. Bucket and path have their own fields."))
            pin(address, local=local)
        except AddressRefused as refused:
            self.add_error("endpoint", str(refused))

    def filled(self) -> ExportTarget:
        """The target with the form's values, not saved."""
        target = self.instance
        target.since = self.cleaned_data["since"]
        if target.kind == ExportTarget.Kind.S3:
            target.endpoint = self.cleaned_data["endpoint"].rstrip("/")
            if self.cleaned_data.get("secret"):
                target.secret = encrypt(self.cleaned_data["secret"].strip())
        if target.written_until is not None and target.since > target.written_until:
            target.written_until = None
        return target
