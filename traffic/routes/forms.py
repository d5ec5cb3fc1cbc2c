"""The form of a route: every condition, where it leads, and what answers when that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import transaction
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.forms import bounded
from providers.models import Deployment, provider_name
from traffic.gateway.protocols import ANTHROPIC, OPENAI
from traffic.gateway.routes import MOST_TARGETS, Rule
from traffic.models import Application, BudgetState, Fallback, Request, Route, Strategy, Task
from traffic.routes.dry_run import MOST_TOKENS, CallSketch

if TYPE_CHECKING:
    RouteModelForm = forms.ModelForm[Route]
    DeploymentField = forms.ModelChoiceField[Deployment]
else:
    RouteModelForm, DeploymentField = forms.ModelForm, forms.ModelChoiceField  # take no parameter at run time

CANARY = ("canary", "canary_percent", "canary_errors", "canary_ttft_ms")
SHADOW = ("shadow", "shadow_usd")
MOST_WEIGHT, MOST_MS = 1_000, 600_000
TAKEN = ("add", "undo", "try")  # addresses of pages
FALLBACKS = tuple(f"fallback_{n}" for n in range(1, MOST_TARGETS))
WEIGHTS = tuple(f"weight_{n}" for n in range(1, MOST_TARGETS))
FIRST = ("name", "slug", "enabled", "tasks", "applications", "requested_models", "to_provider", "deployment", "before")
# What most routes leave as it is: the title of each fold, what it is about, its fields.
FOLDS = (
    (
        _("More conditions"),
        _("length, images, privacy, budget, share"),
        ("self_only_model", "over_tokens", "over_context", "media", "private", "budget_states", "percent"),
    ),
    (
        _("Fallbacks"),
        _("what answers when the target cannot"),
        ("falls_back", "next_at_cap", *(name for pair in zip(FALLBACKS, WEIGHTS, strict=True) for name in pair)),
    ),
    (_("Equal deployments"), _("which one answers, or two at once"), ("strategy", "weight", "hedge_ms")),
    (_("Canary"), _("another deployment for a share of conversations"), CANARY),
    (_("Shadow"), _("copies of calls to compare answers"), SHADOW),
)  # fmt: skip
EITHER = (("", _("either")), ("True", _("only if so")), ("False", _("only if not")))


def either(label: str, help_text: str = "") -> forms.NullBooleanField:
    """A condition that may ask for yes, for no, or for nothing."""
    return forms.NullBooleanField(required=False, label=label, help_text=help_text, widget=forms.Select(choices=EITHER))


@dataclass(frozen=True, slots=True)
class Fold:
    """Fields of a form that most people skip; it is open where one has an error or another value than a new route."""

    title: Promise
    about: Promise
    fields: list[BoundField]

    def is_open(self) -> bool:
        return any(field.errors or self.is_set(field) for field in self.fields)

    def is_set(self, field: BoundField) -> bool:
        value = field.value()
        return value not in (None, "") and field.field.has_changed(getattr(Route(), field.name, None), value)


class RouteForm(RouteModelForm):
    """All that holds are asked together; a condition left empty holds for every request."""

    tasks = forms.MultipleChoiceField(
        choices=Task.choices, required=False, widget=forms.CheckboxSelectMultiple(attrs={"class": "columns"}),
        label=_("Tasks"), help_text=_("None chosen: all."),
    )  # fmt: skip
    requested_models = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        label=_("Models asked for"),
        help_text=_("One a line. A * at the end matches any rest: claude-*. Empty: all."),
    )
    budget_states = forms.MultipleChoiceField(
        choices=BudgetState.choices, required=False, widget=forms.CheckboxSelectMultiple,
        label=_("Its application’s budget is"), help_text=_("None chosen: any state."),
    )  # fmt: skip
    before: Any = forms.ModelChoiceField(
        Route.objects.all(), required=False, label=_("Evaluated before"), empty_label=_("none: evaluated last"),
        help_text=_("The first route that matches decides. One after a route for everything is never reached."),
    )  # fmt: skip

    class Meta:
        model = Route
        fields = [
            "name", "slug", "enabled", "tasks", "applications", "requested_models", "self_only_model", "over_tokens",
            "over_context", "media", "private", "budget_states", "percent", "to_provider", "deployment", "falls_back",
            "next_at_cap", "strategy", "weight", "hedge_ms", *CANARY, *SHADOW,
        ]  # fmt: skip
        labels = {
            "name": _("Name"),
            "slug": _("Short name"),
            "enabled": _("Enabled"),
            "applications": _("Applications"),
            "self_only_model": _("Model served only by self-hosted deployments"),
            "over_tokens": _("Prompts longer than"),
            "over_context": _("Or longer than self-hosted deployments accept"),
            "percent": _("Share of conversations"),
            "to_provider": _("Send to any deployment of"),
            "deployment": _("Or to one deployment"),
            "falls_back": _("Use another deployment when this one is not available"),
            "next_at_cap": _("Continue with the next route when a cap is reached"),
            "strategy": _("Among equal deployments choose"),
            "weight": _("Weight of the deployment above"),
            "hedge_ms": _("Ask a second equal deployment after"),
            "canary": _("Canary"),
            "canary_percent": _("Share of the canary"),
            "canary_errors": _("End the canary when errors pass"),
            "canary_ttft_ms": _("Or when first tokens take longer than"),
            "shadow": _("Shadow"),
            "shadow_usd": _("Cost of the shadow a day"),
        }
        help_texts = {
            "slug": _("Requests store it, and a caller may choose it. It cannot be changed later."),
            "applications": _("None chosen: all."),
            "over_tokens": _("Tokens, estimated from the length. Empty: any length."),
            "percent": _("Percent. A conversation stays where it began. Empty: all."),
            "next_at_cap": _("Else the call is refused with 429. A cap in USD leaves room on self-hosted GPUs."),
            "falls_back": _("The ones below, otherwise those of other routes. Private requests stay self-hosted."),
            "strategy": _("Equal are fallbacks with a weight, or deployments of the provider with the same model."),
            "hedge_ms": _("Milliseconds without an answer. The slower call is cancelled. Both are recorded and paid."),
            "canary": _("This deployment answers a share of the conversations."),
            "canary_percent": _("Percent. A conversation stays where it began."),
            "canary_errors": _("Percent of its calls. The route then works without it, as the list of routes shows."),
            "canary_ttft_ms": _("Milliseconds, for more than 5 % of its streams. Empty: no limit."),
            "shadow": _("It gets copies of calls, and people compare the answers. Callers never see its answers."),
            "shadow_usd": _("USD at most. Private calls, and calls whose prompts are not kept, are never copied."),
        }
        widgets = {"applications": forms.CheckboxSelectMultiple(attrs={"class": "columns"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = sorted(
            {*Deployment.objects.values_list("provider", flat=True), *filter(None, [self.instance.to_provider])}
        )
        names = [(slug, provider_name(slug)) for slug in slugs]
        self.fields["to_provider"].widget = forms.Select(choices=[("", _("none, see below")), *names])
        self.initial["requested_models"] = "\n".join(self.instance.requested_models)
        # Not among the class's own: a form has a `media` of another sense.
        self.fields["media"] = either(gettext("Carries images, documents, sound or video"))
        self.fields["private"] = either(
            gettext("Is marked private"),
            gettext("By the header x-breakeven-private. The request then stays self-hosted."),
        )
        stored = list(self.instance.fallback_set.order_by("order")) if self.instance.pk else []
        for number, name in enumerate(FALLBACKS):
            label = _("First fallback") if number == 0 else _("Then")
            now = stored[number].deployment if stored[number:] else None
            self.fields[name] = DeploymentField(
                Deployment.objects.all(), required=False, empty_label=_("none"), label=label, initial=now
            )
            self.fields[WEIGHTS[number]] = forms.IntegerField(
                required=False, min_value=1, max_value=MOST_WEIGHT, label=_("Its weight"),
                initial=stored[number].weight if stored[number:] else None,
                help_text=_("Empty: it answers only when others fail."),
            )  # fmt: skip
        for name in ("deployment", "canary", "shadow"):
            chooser = self.fields[name]
            assert isinstance(chooser, forms.ModelChoiceField)
            chooser.empty_label = gettext("none")
        for name in ("strategy", "weight", "canary_errors"):
            self.fields[name].required = False
        self.order_fields([*FIRST, *(name for _title, _about, names in FOLDS for name in names)])
        if self.instance.pk:
            del self.fields["slug"], self.fields["before"]
        else:
            self.initial["before"] = next((rule for rule in Route.objects.enabled() if holds_for_all(rule)), None)

    def always(self) -> list[BoundField]:
        """The fields that are always shown."""
        return [self[name] for name in FIRST if name in self.fields]

    def folds(self) -> list[Fold]:
        return [Fold(title, about, [self[name] for name in names]) for title, about, names in FOLDS]

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug in TAKEN:
            raise forms.ValidationError(_("A page has this name. Choose another."))
        return slug

    def clean_requested_models(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["requested_models"].splitlines() if line.strip()]
        for line in lines:
            if "*" in line[:-1]:
                raise forms.ValidationError(_("A * is allowed only at the end: %(line)s") % {"line": line[:80]})
            if len(line) > 200:
                raise forms.ValidationError(_("This name is too long: %(line)s…") % {"line": line[:80]})
        return list(dict.fromkeys(lines))

    def clean_strategy(self) -> str:
        return self.cleaned_data["strategy"] or Strategy.FIRST

    def clean_weight(self) -> int:
        return bounded(int(self.cleaned_data["weight"] or 1), 1, MOST_WEIGHT)

    def clean_hedge_ms(self) -> int | None:
        value = self.cleaned_data["hedge_ms"]
        return None if value is None else bounded(value, 50, MOST_MS)

    def clean_canary_percent(self) -> int | None:
        value = self.cleaned_data["canary_percent"]
        return None if value is None else bounded(value, 1, 99)

    def clean_canary_errors(self) -> int:
        value = self.cleaned_data["canary_errors"]
        return 5 if value is None else bounded(value, 1, 99)

    def clean_canary_ttft_ms(self) -> int | None:
        value = self.cleaned_data["canary_ttft_ms"]
        return None if value is None else bounded(value, 1, MOST_MS)

    def clean_shadow_usd(self) -> Decimal | None:
        value: Decimal | None = self.cleaned_data["shadow_usd"]
        if value is not None:
            bounded(float(value), 0.01, 100_000)
        return value

    def _clean_equals(self, cleaned: dict[str, Any]) -> None:
        weighted = [name for name in WEIGHTS if cleaned.get(name)]
        for name in weighted:
            if cleaned.get(name.replace("weight", "fallback")) is None:
                self.add_error(name, _("Choose the fallback that has this weight."))
            elif not cleaned.get("deployment"):
                self.add_error(name, _("Weights need one deployment above. Deployments of a provider weigh the same."))
        if cleaned.get("deployment") and not weighted:
            for name in ("strategy", "hedge_ms"):
                if cleaned.get(name) not in (None, Strategy.FIRST):
                    self.add_error(name, _("Give a fallback a weight. Without one no deployment is equal."))

    def _clean_trial(self, cleaned: dict[str, Any]) -> None:
        """The canary and the shadow."""
        for name, amount in (("canary", "canary_percent"), ("shadow", "shadow_usd")):
            chosen, value = cleaned.get(name), cleaned.get(amount)
            if chosen is not None and value is None and amount not in self.errors:
                self.add_error(amount, _("Required with the deployment above."))
            if chosen is None and value is not None:
                self.add_error(name, _("Choose a deployment."))
            if chosen is not None and chosen == cleaned.get("deployment"):
                self.add_error(name, _("It is the deployment of this route."))
        if cleaned.get("shadow") is not None and cleaned.get("private"):
            self.add_error("shadow", _("Private calls are never copied."))
        if cleaned.get("shadow") is not None and cleaned["shadow"] in [cleaned.get(name) for name in FALLBACKS]:
            self.add_error("shadow", _("It is a fallback of this route."))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._clean_equals(cleaned)
        self._clean_trial(cleaned)
        if not cleaned.get("to_provider") and not cleaned.get("deployment"):
            raise forms.ValidationError(_("Choose where the requests go: a provider or a deployment."))
        percent = cleaned.get("percent")
        if percent is not None and not 1 <= percent <= 100:
            self.add_error("percent", _("From 1 to 100."))
        seen = {cleaned.get("deployment")} - {None}
        for name in FALLBACKS:
            if (deployment := cleaned.get(name)) is not None:
                if deployment in seen:
                    self.add_error(name, _("It is already tried before this one."))
                elif not cleaned.get("falls_back"):
                    self.add_error(name, _("This contradicts the setting above. Choose one of the two."))
                seen.add(deployment)
        return cleaned

    def draft(self) -> Rule:
        """The rule of a valid form as the gateway would read it."""
        route, cleaned = self.instance, self.cleaned_data
        return Rule(
            slug=route.slug,
            name=route.name,
            tasks=tuple(cleaned["tasks"]),
            applications=tuple(application.slug for application in cleaned["applications"]),
            requested_models=tuple(cleaned["requested_models"]),
            over_tokens=route.over_tokens,
            over_context=route.over_context,
            media=cleaned["media"],
            private=cleaned["private"],
            self_only_model=route.self_only_model,
            percent=route.percent,
            budget_states=tuple(cleaned["budget_states"]),
            to_provider=route.to_provider,
            deployment=route.deployment.slug if route.deployment else "",
            fallbacks=tuple(deployment.slug for deployment, _weight in self.chosen()),
            falls_back=route.falls_back,
            next_at_cap=route.next_at_cap,
            strategy=route.strategy,
            weight=route.weight,
            weights=tuple(weight for _deployment, weight in self.chosen()),
            hedge_ms=route.hedge_ms,
            canary=route.canary.slug if route.canary else "",
            canary_percent=route.canary_percent,
            canary_ttft_ms=route.canary_ttft_ms,
            shadow=route.shadow.slug if route.shadow else "",
            shadow_usd=route.shadow_usd,
        )

    def chosen(self) -> list[tuple[Deployment, int | None]]:
        """The fallbacks of a valid form, each with its weight."""
        names = zip(FALLBACKS, WEIGHTS, strict=True)
        pairs = ((self.cleaned_data[name], self.cleaned_data[weight]) for name, weight in names)
        return [(deployment, weight) for deployment, weight in pairs if deployment is not None]

    def changed_rules(self, rules: Sequence[Rule]) -> list[Rule]:
        """The rules in use as they would be with this one saved."""
        draft = self.draft()
        used = [draft] if self.instance.enabled else []
        slugs = [rule.slug for rule in rules]
        if draft.slug in slugs:
            at = slugs.index(draft.slug)
            return [*rules[:at], *used, *rules[at + 1 :]]
        before = self.cleaned_data.get("before")
        if before is None and self.instance.pk:  # it was out of use: behind all rules that come earlier
            behind = set(Route.objects.filter(order__gt=self.instance.order).values_list("slug", flat=True))
            at = next((number for number, slug in enumerate(slugs) if slug in behind), len(slugs))
        else:
            at = slugs.index(before.slug) if before is not None and before.slug in slugs else len(slugs)
        return [*rules[:at], *used, *rules[at:]]

    @transaction.atomic
    def save(self, commit: bool = True) -> Route:
        """The rule with its fallbacks; a new one takes its place and the ones behind it move."""
        before = self.cleaned_data.get("before")
        if not self.instance.pk:
            self.instance.order = place_before(before)
        route: Route = super().save(commit)
        route.fallback_set.all().delete()
        Fallback.objects.bulk_create(
            Fallback(route=route, deployment=deployment, order=number, weight=weight)
            for number, (deployment, weight) in enumerate(self.chosen(), 1)
        )
        return route


class TryForm(forms.Form):
    """A call to try the rules with; nothing is sent anywhere."""

    model = forms.CharField(max_length=200, label=_("Model requested"))
    protocol = forms.ChoiceField(
        choices=((ANTHROPIC, "Messages"), (OPENAI, "Chat Completions")), required=False, label=_("API")
    )
    application: Any = forms.ModelChoiceField(
        Application.objects.all(), required=False, empty_label=_("any"), label=_("Application")
    )
    task = forms.ChoiceField(choices=Task.choices, required=False, initial=Task.OTHER, label=_("Task"))
    tokens = forms.IntegerField(
        required=False, min_value=0, max_value=MOST_TOKENS, label=_("Prompt length"), help_text=_("In tokens.")
    )
    text = forms.CharField(
        required=False,
        max_length=20_000,
        label=_("First message"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Decides which share of conversations the call belongs to."),
    )
    media_parts = forms.BooleanField(required=False, label=_("Carries an image"))
    private = forms.BooleanField(required=False, label=_("Is marked private"))

    @staticmethod
    def values_of(sketch: CallSketch, row: Request) -> dict[str, Any]:
        """The fields that a stored call fills. Its text may not be kept, so its share of conversations is not known."""
        values = {
            "model": sketch.model, "protocol": sketch.protocol, "application": row.application_id,
            "task": sketch.task, "tokens": min(sketch.tokens, MOST_TOKENS),
            "media_parts": sketch.media and "on", "private": sketch.private and "on",
        }  # fmt: skip
        return {name: value for name, value in values.items() if value}

    def sketch(self) -> CallSketch:
        """The call of a valid form."""
        cleaned = self.cleaned_data
        application = cleaned["application"]
        return CallSketch(
            model=cleaned["model"],
            application=application.slug if application else "",
            task=cleaned["task"] or Task.OTHER,
            tokens=cleaned["tokens"] or 0,
            text=cleaned["text"],
            media=cleaned["media_parts"],
            private=cleaned["private"],
            budget_state=application.budget_state if application else "",
            protocol=OPENAI if cleaned["protocol"] == OPENAI else ANTHROPIC,
        )


def holds_for_all(rule: Route) -> bool:
    """Whether nothing after this rule is ever asked."""
    conditions = (
        rule.tasks, rule.requested_models, rule.over_tokens, rule.over_context, rule.self_only_model, rule.percent,
        rule.budget_states,
    )  # fmt: skip
    return not any(conditions) and rule.media is None and rule.private is None and not rule.applications.exists()


def place_before(rule: Route | None) -> int:
    """The number of a free place before a rule, or behind all; call it inside a transaction."""
    order = list(Route.objects.select_for_update().order_by("order", "pk"))
    at = order.index(rule) if rule is not None else len(order)
    for number, route in enumerate(order, 1):
        route.order = number + (number > at)
    Route.objects.bulk_update(order, ["order"])
    return at + 1
