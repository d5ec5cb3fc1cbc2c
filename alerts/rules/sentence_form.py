"""The form of a rule that reads as a sentence: when this figure of that is over a line for so long, tell them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Sum
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.context.evaluation import EvaluationContext
from alerts.kinds import KINDS
from alerts.kinds.sentences import sentence_of
from alerts.lifecycle.states import Policy
from alerts.metrics import METRICS
from alerts.metrics.scopes import DIMENSIONS, Named, Names, Scope
from alerts.metrics.thresholds import BadThreshold
from alerts.metrics.units import read_amount
from alerts.metrics.watch import MOST_REQUESTS, OVER, SIDES, Watch, capital, check_clear, check_scope, window_of
from alerts.metrics.windows import Window
from alerts.models import Channel, Rule, Severity
from alerts.rules.forms import unfinished
from alerts.wording import number
from lib.formats import person
from providers.models import provider_name
from traffic.models import Task, UsageDay
from traffic.requests.facets import FilterChoices, most_used

MODELS_OF = timedelta(days=90)
LASTING = [
    (0, gettext_lazy("at once")),
    (300, gettext_lazy("for 5 minutes")),
    (900, gettext_lazy("for 15 minutes")),
    (3600, gettext_lazy("for 1 hour")),
    (6 * 3600, gettext_lazy("for 6 hours")),
    (24 * 3600, gettext_lazy("for 1 day")),
    (3 * 24 * 3600, gettext_lazy("for 3 days")),
]
AFTER = [
    ("", gettext_lazy("never")),
    (3600, gettext_lazy("after 1 hour")),
    (6 * 3600, gettext_lazy("after 6 hours")),
    (24 * 3600, gettext_lazy("after 1 day")),
    (7 * 24 * 3600, gettext_lazy("after 7 days")),
]
LONGEST_CLEAR_S = 3600
RESERVED = {"new"}
KEPT = ("for_s", "severity", "groups", "escalate_s", "escalate_groups", "remind_s")  # as the rule has them
Choices = list[tuple[Any, Any]]


class RuleSentence(forms.Form):
    """A rule of kind `figure`. Every error stands at the field that can mend it."""

    figure = forms.ChoiceField(label=gettext_lazy("When"))
    window = forms.ChoiceField(label=gettext_lazy("measured"), initial=Window.MONTH)
    side = forms.ChoiceField(label=gettext_lazy("is"))
    line = forms.CharField(
        label=gettext_lazy("Threshold, with unit"),
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "$400, 80 %, 800 ms", "autocomplete": "off"}),
    )
    clear = forms.CharField(
        label=gettext_lazy("Recovers at"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "$380, 75 %", "autocomplete": "off"}),
        help_text=gettext_lazy("A gap avoids repeated alerts when the value hovers around the threshold."),
    )
    least = forms.IntegerField(
        label=gettext_lazy("of at least"),
        required=False,
        min_value=1,
        max_value=MOST_REQUESTS,
        help_text=gettext_lazy("requests, for an error rate or a cost per request (blank: 20)"),
    )
    for_s = forms.TypedChoiceField(label=gettext_lazy("for"), choices=LASTING, coerce=int, initial=900)
    application = forms.ChoiceField(label=gettext_lazy("of application"), required=False)
    provider = forms.ChoiceField(label=gettext_lazy("of provider"), required=False)
    model = forms.ChoiceField(label=gettext_lazy("of model"), required=False)
    deployment = forms.ChoiceField(label=gettext_lazy("of deployment"), required=False)
    task = forms.ChoiceField(label=gettext_lazy("of task"), required=False)
    owner = forms.ChoiceField(label=gettext_lazy("of owner"), required=False)
    phase = forms.ChoiceField(label=gettext_lazy("of phase"), required=False)
    severity = forms.ChoiceField(label=gettext_lazy("as"), choices=Severity.choices, initial=Severity.WARNING)
    groups = forms.MultipleChoiceField(
        label=gettext_lazy("Notify groups"), required=False, widget=forms.CheckboxSelectMultiple
    )
    recipients = forms.ModelMultipleChoiceField(
        label=gettext_lazy("and people"),
        queryset=get_user_model()._default_manager.filter(is_active=True).exclude(email=""),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    channels = forms.ModelMultipleChoiceField(
        label=gettext_lazy("By e-mail and these channels"),
        queryset=Channel.objects.choosable(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    escalate_s = forms.TypedChoiceField(
        label=gettext_lazy("If not acknowledged, escalate to admins"),
        choices=AFTER,
        coerce=int,
        empty_value=None,
        required=False,
    )
    escalate_groups = forms.MultipleChoiceField(
        label=gettext_lazy("Escalate to these groups instead of admins"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    remind_s = forms.TypedChoiceField(
        label=gettext_lazy("Repeat while open"), choices=AFTER, coerce=int, empty_value=None, required=False
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Blank: named after the figure."),
    )

    def __init__(
        self,
        data: Any = None,
        *,
        rule: Rule | None = None,
        model_of: Rule | None = None,
        prefilled: Mapping[str, Any] | None = None,
    ) -> None:
        """`rule` is changed; `model_of` only fills the form, for a copy; `prefilled` fills single fields."""
        self.rule = rule
        self.model_named = str((data or {}).get("model", "") or (prefilled or {}).get("model", ""))
        shown = rule or model_of
        initial = initial_of(shown, copy=rule is None) if shown else {"groups": ["ops"]}
        super().__init__(data, initial={**initial, **(prefilled or {})})
        people = self.fields["recipients"]
        assert isinstance(people, forms.ModelMultipleChoiceField)
        people.label_from_instance = person  # type: ignore[method-assign,assignment]  # Django's documented hook
        self.watch: Watch | None = None
        scope = dict(Scope.of(shown.thresholds.get("scope")).names) if shown else {}
        self._choose(scope)

    def _choose(self, scope: dict[str, str]) -> None:
        """What can be chosen; a name that is gone stays to be seen, and is refused."""
        names, models = Names(), models_seen([scope.get("model", ""), self.model_named])
        if models.more:
            self.fields["model"].help_text = _(
                "The most used of the last 90 days. For one of the %(n)s others, add &model=NAME to the address."
            ) % {"n": number(models.more)}
        choices: dict[str, Choices] = {
            "figure": [(key, _(figure.label)) for key, figure in METRICS.items()],
            "window": [(window.value, window.words) for window in Window],
            "side": [(side, _(words)) for side, words in SIDES.items()],
            "groups": [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)],
        }
        choices["escalate_groups"] = choices["groups"]
        there: dict[str, Iterable[tuple[str, str]]] = {
            "application": by_label(names.applications),
            "provider": sorted((slug, provider_name(slug)) for slug in names.providers),
            "model": models.pairs,
            "deployment": by_label(names.deployments),
            "task": [(value, str(label)) for value, label in Task.choices],
            "owner": by_label(names.owners),
            "phase": ((slug, phase.name) for slug, phase in names.phases.items()),
        }
        for dimension, pairs in there.items():
            options = list(pairs)
            gone = scope.get(dimension)
            if gone and gone not in dict(options):
                options.append((gone, names.label(dimension, gone)))
            choices[dimension] = [("", _("any")), *options]
        for name, pairs in choices.items():
            self.fields[name].choices = pairs  # type: ignore[attr-defined]  # a choice field

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        figure = METRICS.get(data.get("figure", ""))
        if figure is None:
            return data
        scope = Scope(tuple((name, data[name]) for name in DIMENSIONS if data.get(name)))
        window, line = None, None
        try:
            window = window_of(figure, data.get("window", ""))
        except BadThreshold as error:
            self.add_error("window", str(error))
        for dimension, name in scope.names:
            try:
                check_scope(figure, Scope(((dimension, name),)))
                Names().place(Scope(((dimension, name),)))
            except BadThreshold as error:
                self.add_error(dimension, str(error))
        try:
            check_scope(figure, scope)
        except BadThreshold as error:
            if not set(DIMENSIONS) & self.errors.keys():
                self.add_error(scope.names[-1][0], str(error))
        if data.get("line"):
            try:
                line = read_amount(data["line"], figure.unit, capital(_(figure.label)))
            except BadThreshold as error:
                self.add_error("line", str(error))
        clear = self._clear(data, line)
        if not data.get("groups") and not data.get("recipients") and "groups" not in self.errors:
            self.add_error("groups", _("Choose at least one group or person to notify."))
        if not self.errors and window is not None and line is not None:
            least = (data.get("least") or figure.least) if figure.least else 0
            self.watch = self._seen(Watch(data["figure"], window, scope, data.get("side", OVER), line, clear, least))
        return data

    def _clear(self, data: dict[str, Any], line: Decimal | None) -> Decimal | None:
        """The line where it is over, if it is another one."""
        figure = METRICS[data["figure"]]
        if not data.get("clear") or line is None:
            return None
        try:
            clear = read_amount(data["clear"], figure.unit, capital(_(figure.label)))
            check_clear(data.get("side", OVER), line, clear)
        except BadThreshold as error:
            self.add_error("clear", str(error))
            return None
        return clear

    def _seen(self, watch: Watch) -> Watch | None:
        """The watch, unless there is nothing for it to look at now, which is said at the figure."""
        current = EvaluationContext(timezone.now()).current
        try:
            watch.read(current, current.names.place(watch.scope))
        except BadThreshold as error:
            self.add_error("figure", str(error))
            return None
        return watch

    @property
    def policy(self) -> Policy:
        """The waits of the rule as a policy; only of a valid form."""
        seconds = self.cleaned_data["for_s"]
        return Policy(timedelta(seconds=seconds), timedelta(seconds=min(seconds, LONGEST_CLEAR_S)))

    @property
    def sentence(self) -> str:
        """The rule as it is entered, or what is still missing."""
        if not self.is_valid() or self.watch is None:
            return unfinished(self)
        data = self.cleaned_data
        return sentence_of(
            KINDS["figure"], self.watch.json, data["for_s"], data["groups"], data["recipients"], data["channels"]
        )

    @property
    def sentence_fields(self) -> list[Any]:
        return [self[name] for name in ("figure", "window", "side", "line", "clear", "least", "for_s")]

    @property
    def scope_fields(self) -> list[Any]:
        return [self[name] for name in DIMENSIONS]

    @property
    def telling_fields(self) -> list[Any]:
        return [self[name] for name in ("groups", "recipients", "channels")]

    @property
    def manner_fields(self) -> list[Any]:
        return [self[name] for name in ("severity",)]

    @property
    def more_fields(self) -> list[Any]:
        return [self[name] for name in ("name", "escalate_s", "escalate_groups", "remind_s")]

    def save(self) -> Rule:
        """Write the rule; it is new unless the form has one."""
        assert self.watch is not None, "only a valid form is saved"
        data = self.cleaned_data
        rule = self.rule or Rule(kind="figure")
        rule.name = data["name"] or capital(f"{self.watch.what(Names())} {self.watch.against}")[:200]
        rule.slug = rule.slug or free_slug(rule.name)
        rule.thresholds = self.watch.json
        rule.clear_for_s = min(data["for_s"], LONGEST_CLEAR_S)
        for name in KEPT:
            setattr(rule, name, data[name])
        rule.evaluated_at, rule.last_error = None, ""  # so that the next evaluation takes it up at once
        rule.save()
        rule.recipients.set(data["recipients"])
        rule.channels.set(data["channels"])
        return rule


def initial_of(rule: Rule, *, copy: bool) -> dict[str, Any]:
    """The form's fields as a rule has them; a copy gets a name of its own."""
    initial: dict[str, Any] = {name: getattr(rule, name) for name in KEPT}
    initial |= {name: rule.thresholds.get(name) for name in ("figure", "window", "side")}
    initial |= dict(Scope.of(rule.thresholds.get("scope")).names)
    initial["name"] = "" if copy else rule.name
    initial["recipients"] = [person.pk for person in rule.recipients.all()]
    initial["channels"] = [channel.pk for channel in rule.channels.all()]
    try:
        watch = Watch.of(rule.thresholds)
    except BadThreshold:
        initial["line"] = str(rule.thresholds.get("line", ""))
    else:
        initial["line"] = watch.metric.unit.say(watch.line)
        initial["least"] = watch.least or (1 if watch.metric.least else None)
        initial["clear"] = "" if watch.clear is None else watch.metric.unit.say(watch.clear)
    return initial


def models_seen(chosen: Iterable[str]) -> FilterChoices:
    """The most used models of the last 90 days' requests and those that are chosen, by name."""
    since = timezone.now().date() - MODELS_OF
    rows = UsageDay.objects.filter(day__gte=since).exclude(model="").values_list("model")
    uses = dict(rows.annotate(n=Sum("requests")).order_by())
    return most_used(uses, [name for name in chosen if name in uses])


def by_label(named: Mapping[str, Named]) -> list[tuple[str, str]]:
    """Slug and name, by name; a name that several have gets its slug behind it."""
    uses = Counter(entry.label for entry in named.values())
    pairs = [(slug, label if uses[label] == 1 else f"{label} ({slug})") for slug, (label, _keys) in named.items()]
    return sorted(pairs, key=lambda pair: (pair[1].lower(), pair[0]))


def free_slug(name: str) -> str:
    """From the name, with a number where it is taken, by a deleted rule as well."""
    base = slugify(name)[:60].strip("-") or "rule"
    taken = set(Rule.objects.filter(slug__startswith=base).values_list("slug", flat=True)) | RESERVED
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken)
