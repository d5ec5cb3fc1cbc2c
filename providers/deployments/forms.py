"""A deployment's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import RegexValidator
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.encryption import encrypt
from lib.forms import KEY_AGAIN, AddressField, Person, SecretField, bounded, free_slug, is_admin
from lib.netguard import AddressRefused, pin
from lib.reach import hides_key
from providers.engines import ENGINES
from providers.engines.base import MOST_SLOTS
from providers.models import Deployment, Lease
from providers.uptime.due_checks import LONGEST_TIMEOUT_S, exposed_sentence

if TYPE_CHECKING:
    DeploymentModelForm = forms.ModelForm[Deployment]
else:  # takes no parameter at run time
    DeploymentModelForm = forms.ModelForm

LEAST_CHECK_S, MOST_CHECK_S = 5, 86_400
MOST_TIMEOUT_S = 86_400
BOUNDS = {
    "max_concurrency": (1, MOST_SLOTS),
    "check_every_s": (LEAST_CHECK_S, MOST_CHECK_S),
    "timeout_s": (0.1, LONGEST_TIMEOUT_S),
    **dict.fromkeys(("failures_to_confirm", "successes_to_recover"), (1, 100)),
    **{f"{name}_timeout_s": (0.1, MOST_TIMEOUT_S) for name in ("connect", "first_byte", "idle", "total")},
}
GATEWAY_TIMEOUTS = ("connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s", "total_timeout_s")


UNITS = {
    "check_every_s": gettext_lazy("seconds"),
    "timeout_s": gettext_lazy("seconds"),
    **dict.fromkeys(GATEWAY_TIMEOUTS, gettext_lazy("seconds")),
    "context_tokens": gettext_lazy("tokens"),
    "max_concurrency": gettext_lazy("requests"),
    "tokens_per_second": gettext_lazy("tokens a second"),
    "failures_to_confirm": gettext_lazy("failures in a row"),
    "successes_to_recover": gettext_lazy("good checks in a row"),
}


class DeploymentForm(DeploymentModelForm):
    """A deployment and how it is checked; its slug is what reports call it, and stays."""

    url = AddressField(
        label=gettext_lazy("URL"),
        max_length=200,
        help_text=gettext_lazy("Where the engine listens, with or without /v1."),
    )
    api_key = SecretField(label=gettext_lazy("Key"))
    provider = forms.CharField(
        label=gettext_lazy("Provider"),
        max_length=40,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_.-]*$", gettext_lazy("Small letters, digits and hyphens."))],
        widget=forms.TextInput(attrs={"list": "providers"}),
        help_text=gettext_lazy("The provider that bills its requests. Choose self for your own lease or server."),
    )

    class Meta:
        model = Deployment
        fields = [
            "name",
            "slug",
            "engine",
            "url",
            "local",
            "model",
            "provider",
            "lease",
            "context_tokens",
            "max_concurrency",
            "tokens_per_second",
            *GATEWAY_TIMEOUTS,
            "checked",
            "check_every_s",
            "timeout_s",
            "failures_to_confirm",
            "successes_to_recover",
            "probe_completion",
        ]
        labels = {
            "name": gettext_lazy("Name"),
            "slug": gettext_lazy("Short name"),
            "engine": gettext_lazy("Engine"),
            "local": gettext_lazy("Local: allow a private or loopback address"),
            "model": gettext_lazy("Model"),
            "lease": gettext_lazy("Runs on"),
            "context_tokens": gettext_lazy("Context"),
            "max_concurrency": gettext_lazy("Concurrent requests"),
            "tokens_per_second": gettext_lazy("Output of one GPU"),
            "connect_timeout_s": gettext_lazy("Time to connect"),
            "first_byte_timeout_s": gettext_lazy("Time to the first byte"),
            "idle_timeout_s": gettext_lazy("Longest silence"),
            "total_timeout_s": gettext_lazy("Time for the whole answer"),
            "checked": gettext_lazy("Check its health"),
            "check_every_s": gettext_lazy("Check every"),
            "timeout_s": gettext_lazy("Timeout"),
            "failures_to_confirm": gettext_lazy("Down after"),
            "successes_to_recover": gettext_lazy("Recovers after"),
            "probe_completion": gettext_lazy("Request one token at each check"),
        }
        help_texts = {
            "slug": gettext_lazy("Used in requests and reports. It cannot be changed later. Blank: from the name."),
            "local": gettext_lazy("For engines in your own network or on this server. Only admins may set this."),
            "model": gettext_lazy("The engine's name for it. A check fails when the engine serves another model."),
            "lease": gettext_lazy("The rented GPU that it runs on."),
            "context_tokens": gettext_lazy("Longer prompts are routed elsewhere. Blank: unknown."),
            "max_concurrency": gettext_lazy(
                "More requests wait at the gateway. Blank: the limit that the engine reports, else none."
            ),
            "tokens_per_second": gettext_lazy("Total of all requests, from a trial or the catalogue. Blank: unknown."),
            "connect_timeout_s": gettext_lazy("Of a call at the gateway. Blank: the gateway’s setting, 5 seconds."),
            "first_byte_timeout_s": gettext_lazy("Blank: the gateway’s setting, 600 seconds."),
            "idle_timeout_s": gettext_lazy("Between two pieces of an answer. Blank: as for the first byte."),
            "total_timeout_s": gettext_lazy("From the call to the end of the answer. Blank: no limit."),
            "probe_completion": gettext_lazy("Tests more than the health route and costs one token each time."),
        }

    def fields_with_units(self) -> list[tuple[forms.BoundField, str]]:
        """Each field with the unit behind it; empty where it has none."""
        return [(field, str(UNITS.get(field.name, ""))) for field in self]

    def __init__(self, *args: Any, person: Person, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_admin = is_admin(person)
        self.was_url, self.stored_key = self.instance.url, bool(self.instance.pk and self.instance.api_key)
        for name in ("context_tokens", "max_concurrency", "tokens_per_second", "lease", "slug"):
            self.fields[name].required = False
        self._choices()
        self._guard_local()
        self._key_help()
        if self.instance.pk:
            del self.fields["slug"]
        else:
            self.fields["provider"].initial = "self"
        self.order_fields(["name", "slug", "engine", "url", "local", "api_key", "model", "provider"])

    def _choices(self) -> None:
        leases, engines = self.fields["lease"], self.fields["engine"]
        assert isinstance(leases, forms.ModelChoiceField)
        assert isinstance(engines, forms.ChoiceField)
        mine = Q(ended_at=None) | Q(deployments=self.instance.pk)
        leases.queryset = Lease.objects.filter(mine).select_related("account").distinct()
        leases.label_from_instance = lease_label  # type: ignore[method-assign,assignment]  # Django's documented hook
        leases.empty_label = _("no lease")
        engines.choices = [(kind, Deployment(engine=kind).engine_label) for kind in ENGINES]

    def _guard_local(self) -> None:
        if self.is_admin:
            return
        del self.fields["local"]
        if self.instance.local:
            self.fields["url"].disabled = True
            self.fields["url"].help_text = _("The deployment is local. Only an admin can change its address.")

    def _key_help(self) -> None:
        stays = _("Blank: keep the stored key.") if self.stored_key else _("Blank: the engine requires none.")
        self.fields["api_key"].help_text = _("Stored encrypted and never shown again.") + " " + stays

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"] or "")
        if slug == "add":
            raise forms.ValidationError(_("This name is taken. Choose another."))
        return slug

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, (least, most) in BOUNDS.items():
            try:
                bounded(least if cleaned.get(name) is None else cleaned[name], least, most)
            except forms.ValidationError as error:
                self.add_error(name, error)
        url = cleaned.get("url", "")
        if url and "url" not in self.errors:
            try:
                pin(url, local=cleaned.get("local", self.instance.local))
            except AddressRefused as refused:
                self.add_error("url", str(refused))
            has_key = self.stored_key or bool(cleaned.get("api_key"))
            if has_key and not hides_key(url, local=cleaned.get("local", self.instance.local)):
                self.add_error("url", exposed_sentence())
            if self.stored_key and not cleaned.get("api_key") and url != self.was_url:
                self.add_error("api_key", KEY_AGAIN)
        return cleaned

    def filled(self) -> Deployment:
        """The deployment as the form says, not saved."""
        deployment = self.instance
        if self.cleaned_data.get("api_key"):
            deployment.api_key = encrypt(self.cleaned_data["api_key"])
        if not deployment.slug:
            deployment.slug = free_slug(deployment.name, "deployment", Deployment)
        return deployment

    @property
    def moved(self) -> bool:
        """Whether checks so far were of something else."""
        return bool({"url", "engine", "model", "api_key", "local"} & {*self.changed_data})


def lease_label(lease: Lease) -> str:
    return f"{lease} · {lease.gpu_count} × {lease.gpu} · {lease.account}"
