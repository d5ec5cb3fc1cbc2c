"""What a figure is of: an application, a provider, a model, a deployment, a task, an owner or a phase.

A rule keeps slugs and user names and no keys, so that it can say what it was made for after that is gone. Sentences
have the names that people gave, from `Names.label`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from alerts.metrics.thresholds import BadThreshold
from costs.models import Phase
from providers.models import Account, Deployment, provider_name, provider_names
from traffic.models import Application, Task
from traffic.usage.filters import Filters

# In the order of the sentence; the last two are no columns of a rollup.
DIMENSIONS = {
    "application": gettext_noop("application"),
    "provider": gettext_noop("provider"),
    "model": gettext_noop("model"),
    "deployment": gettext_noop("deployment"),
    "task": gettext_noop("task"),
    "owner": gettext_noop("owner"),
    "phase": gettext_noop("phase"),
}
ALL = "all"


class Missing(BadThreshold):
    """What a rule is about is no longer there; the text names it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Pairs of dimension and name; none of them: everything."""

    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, stored: Any) -> Scope:
        """From a rule's JSON; what is no dimension is left out."""
        named = stored if isinstance(stored, Mapping) else {}
        return cls(tuple((name, str(named[name])) for name in DIMENSIONS if named.get(name)))

    def words(self, names: Names) -> str:
        """`of application Support bot and task RAG`; empty for everything."""
        parts = [f"{_(DIMENSIONS[dimension])} {names.label(dimension, name)}" for dimension, name in self.names]
        return _("of %(parts)s") % {"parts": _(" and ").join(parts)} if parts else ""

    @property
    def subject(self) -> str:
        """The stable key of an alert: `application:support-bot`."""
        return "+".join(f"{dimension}:{name}" for dimension, name in self.names) or ALL


Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A scope as the rollups know it: their columns, and which values of each count."""

    columns: tuple[str, ...] = ()
    values: tuple[tuple[int | str, ...], ...] = ()
    phase: Phase | None = None
    scope: Scope = Scope()

    def combinations(self) -> Iterable[Key]:
        """Every combination of its values, as a table grouped by the columns has them."""
        return product(*self.values)

    @property
    def filters(self) -> Filters:
        """The same for the reads of pages; no value of a column at all lets nothing through."""
        chosen: dict[str, list[Any]] = {
            column.removesuffix("_id"): list(values) or [-1]
            for column, values in zip(self.columns, self.values, strict=True)
        }
        return Filters(**chosen)


class Named(NamedTuple):
    """One thing that a scope may be of: what people call it, and its keys in the rollups."""

    label: str
    keys: tuple[int, ...]


class Names:
    """What there is at one moment, each read once."""

    @cached_property
    def applications(self) -> dict[str, Named]:
        rows = Application.objects.values_list("slug", "name", "pk")
        return {slug: Named(name or slug, (pk,)) for slug, name, pk in rows}

    @cached_property
    def deployments(self) -> dict[str, Named]:
        rows = Deployment.objects.values_list("slug", "name", "pk")
        return {slug: Named(name or slug, (pk,)) for slug, name, pk in rows}

    @cached_property
    def owners(self) -> dict[str, Named]:
        """The applications of each person who may sign in, by user name."""
        by_user: dict[str, Named] = {}
        people = get_user_model().objects.filter(is_active=True)
        for user, first, last, application in people.values_list(
            "username", "first_name", "last_name", "owned_applications__pk"
        ):
            keys = by_user[user].keys if user in by_user else ()
            by_user[user] = Named(f"{first} {last}".strip() or user, (*keys, *([application] if application else [])))
        return by_user

    @cached_property
    def phases(self) -> dict[str, Phase]:
        return {phase.slug: phase for phase in Phase.objects.all()}

    @cached_property
    def providers(self) -> set[str]:
        theirs = Account.objects.values_list("kind", flat=True)
        return {*provider_names(), *theirs, *Deployment.objects.values_list("provider", flat=True)}

    def label(self, dimension: str, name: str) -> str:
        """What people call it; of what is gone the slug in quotes. Models and unknown providers are their own name."""
        labels: Mapping[str, str]
        match dimension:
            case "model":
                return name
            case "provider":
                return provider_name(name)
            case "task":
                labels = {value: str(label) for value, label in Task.choices}
            case "phase":
                labels = {slug: phase.name for slug, phase in self.phases.items()}
            case _:
                named: Mapping[str, Named] = getattr(self, f"{dimension}s")
                labels = {name: named[name].label} if name in named else {}
        return labels.get(name) or _("“%(name)s” (removed)") % {"name": name}

    def place(self, scope: Scope) -> Place:
        """Where a scope lies. Raises Missing."""
        columns: list[str] = []
        values: list[tuple[int | str, ...]] = []
        phase = None
        for dimension, name in scope.names:
            if dimension == "phase":
                phase = self._known(self.phases, dimension, name)
                continue
            columns.append({"application": "application_id", "owner": "application_id"}.get(dimension, dimension))
            if dimension == "deployment":
                columns[-1] = "deployment_id"
            values.append(self._values(dimension, name))
        return Place(tuple(columns), tuple(values), phase, scope)

    def _values(self, dimension: str, name: str) -> tuple[int | str, ...]:
        match dimension:
            case "application" | "deployment" | "owner":
                named: Named = self._known(getattr(self, f"{dimension}s"), dimension, name)
                return named.keys
            case "provider" if name not in self.providers:
                raise self._missing(dimension, name)
            case "task" if name not in Task.values:
                raise self._missing(dimension, name)
        return (name,)

    def _known(self, there: Mapping[str, Any], dimension: str, name: str) -> Any:
        if name not in there:
            raise self._missing(dimension, name)
        return there[name]

    def _missing(self, dimension: str, name: str) -> Missing:
        values = {"what": _(DIMENSIONS[dimension]), "name": name}
        return Missing(
            _("The %(what)s “%(name)s” was removed, so this rule is inactive. Change or delete it.") % values
        )
