"""A channel's form: addresses and secrets are only ever written, and lead where an admin allows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.channels import webhook
from alerts.models import Channel, ChannelKind
from lib.encryption import encrypt
from lib.forms import Person, SecretField, is_admin
from lib.netguard import AddressRefused, pin
from lib.validators import web_address

if TYPE_CHECKING:
    ChannelModelForm = forms.ModelForm[Channel]
else:  # takes no parameter at run time
    ChannelModelForm = forms.ModelForm

ADDRESS_HELP = {
    ChannelKind.WEBHOOK: gettext_lazy("The address that receives JSON. Begins with https."),
    ChannelKind.APPRISE: gettext_lazy(
        "As apprise writes it: slack://token-a/token-b/token-c/#ops, tgram://bot-token/chat, ntfys://ntfy.sh/topic, "
        "workflows://… for Teams, pagerduty://integration-key@api-key, matrixs://user:password@host/#room. Also used: "
        "Discord, Mattermost, Rocket.Chat, Google Chat, Zulip, Opsgenie, Pushover, Gotify, json(s), xml(s) and form(s)."
    ),
    ChannelKind.MONITOR: gettext_lazy(
        "The ping address of the monitor, such as https://hc-ping.com/… Begins with https. "
        "Breakeven sends a GET each minute while every rule can be evaluated. Set the monitor to "
        "alert after five minutes without a ping."
    ),
}


def is_slack(address: str) -> bool:
    return re.fullmatch(r"https://hooks\.slack\.com/services/\w+/\w+/\w+", address) is not None


def is_teams(address: str) -> bool:
    """Of a workflow in Teams. Taken apart first: one pattern for all of it would try each beginning of a long path."""
    try:
        url = urlsplit(address)
    except ValueError:  # of brackets in the host
        return False
    host = url.hostname or ""
    return (
        url.scheme == "https"
        and host.endswith((".logic.azure.com", ".api.powerplatform.com"))
        and "workflows/" in url.path
        and bool(parse_qs(url.query).get("sig"))
    )


# Services with a field of their own: whether an address is a webhook's there, and how such a URL begins.
WEBHOOKS: dict[str, tuple[Callable[[str], bool], str]] = {
    "slack": (is_slack, "https://hooks.slack.com/services/…"),
    "teams": (is_teams, "https://….logic.azure.com:443/workflows/…"),
}


class ChannelForm(ChannelModelForm):
    """A channel of one kind, which stays; "local" is an admin's to give."""

    address = SecretField(label=gettext_lazy("Address"))
    secret = forms.CharField(
        label=gettext_lazy("Signing secret"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = Channel
        fields = ["name", "local"]
        labels = {"name": gettext_lazy("Name"), "local": gettext_lazy("Local: allow a private or loopback address")}
        help_texts = {"local": gettext_lazy("For receivers in your own network. Only admins may set this.")}

    def __init__(self, *args: Any, person: Person, service: str = "", **options: Any) -> None:
        """`service` is a key of `WEBHOOKS`: the address is the URL of a webhook there."""
        super().__init__(*args, **options)
        self.service = service
        self.stored, self.was_local = bool(self.instance.address), self.instance.local
        address, secret = self.fields["address"], self.fields["secret"]
        address.required = not self.stored
        if service:
            address.label = _("Webhook URL")
        shape = WEBHOOKS[service][1] if service else ADDRESS_HELP[ChannelKind(self.instance.kind)]
        words = [shape, _("Stored encrypted and never shown again.")]
        address.help_text = " ".join(map(str, [*words, _("Blank: keep the stored one.")] if self.stored else words))
        if self.instance.kind != ChannelKind.WEBHOOK:
            del self.fields["secret"]
        elif self.stored:
            secret.help_text = _("Blank: keep the stored one. It is never shown again.")
        else:
            secret.initial = webhook.new_secret()
            secret.required = True
            secret.help_text = _(
                "Copy it to the receiver now. It proves that a call is from Breakeven. It is not shown again."
            )
        if not is_admin(person):  # whoever is none would reach our network by it
            del self.fields["local"]
            if self.instance.local:
                address.disabled = True
                address.help_text = _("The channel is local. Only an admin can change its address.")
        self.order_fields(["name", "address", "secret", "local"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        address, local = cleaned.get("address", ""), cleaned.get("local", self.was_local)
        if "address" not in self.errors and "local" not in self.errors and (address or self.stored):
            address = address or self.instance.address.reveal()
            try:
                self.shown = self._judged(address.strip(), local=local)
            except AddressRefused as refused:
                self.add_error("address", str(refused))
        return cleaned

    def _judged(self, address: str, *, local: bool) -> str:
        """What everybody may know of an address that we go to: its host or its service. Raises AddressRefused."""
        if self.service and not WEBHOOKS[self.service][0](address):
            values = {"service": self.service.capitalize(), "url": WEBHOOKS[self.service][1]}
            raise AddressRefused(_("This is no webhook URL of %(service)s, which begins like %(url)s.") % values)
        if self.instance.kind == ChannelKind.APPRISE:
            from alerts.channels import chat  # apprise is large

            return chat.service(address, local=local)
        try:
            web_address(address)
        except forms.ValidationError as error:
            raise AddressRefused(error.messages[0]) from None
        if not local and not address.startswith("https:"):
            raise AddressRefused(_("A webhook address begins with https. Over http, others could read the content."))
        return pin(address, local=local).host

    def filled(self) -> Channel:
        """The channel as the form says, not saved."""
        channel = self.instance
        channel.shown = self.shown[:200]
        if self.cleaned_data.get("address"):
            channel.address = encrypt(self.cleaned_data["address"].strip())
        if self.cleaned_data.get("secret"):
            channel.secret = encrypt(self.cleaned_data["secret"].strip())
        if not channel.slug:
            channel.slug = free_slug(channel.name, channel.kind)
        return channel


def free_slug(name: str, fallback: str) -> str:
    """A slug of a name that no channel has or had; `add` is an address of ours."""
    base = slugify(name)[:40] or fallback
    taken = {"add", *Channel.objects.filter(slug__startswith=base).values_list("slug", flat=True)}
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if slug not in taken)
