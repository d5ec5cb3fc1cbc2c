"""The filters that every read takes: provider, model, application, task, deployment, each repeatable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.http import QueryDict

from providers.models import Deployment
from traffic.models import Application


class Attributed(Protocol):
    """Who used something, as far as it is known; 0 and empty are unknown."""

    @property
    def application_id(self) -> int: ...
    @property
    def deployment_id(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def task(self) -> str: ...


# The filters' names in addresses, and the columns of the usage tables.
COLUMNS = {
    "provider": "provider",
    "model": "model",
    "deployment": "deployment_id",
    "application": "application_id",
    "task": "task",
}


@dataclass
class Filters:
    """Empty lists let everything through. A slug that nobody bears is the id -1, which nothing has."""

    provider: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)
    application: list[int] = field(default_factory=list)
    task: list[str] = field(default_factory=list)
    deployment: list[int] = field(default_factory=list)

    @classmethod
    def of_query(cls, query: QueryDict) -> Filters:
        return cls.of_values(query.getlist)

    @classmethod
    def of_values(cls, values_of: Callable[[str], list[str]]) -> Filters:
        """From the values of each name, applications and deployments by their slugs."""
        texts = {name: values_of(name) for name in ("provider", "model", "task")}
        return cls(
            **texts,
            application=ids(Application, values_of("application")),
            deployment=ids(Deployment, values_of("deployment")),
        )

    def divides(self) -> bool:
        """Whether a filter asks for something that a bill does not itemise."""
        return bool(self.model or self.application or self.task or self.deployment)

    def hold(self, provider: str, who: Attributed) -> bool:
        """Whether a line of a bill passes the filters."""
        return (
            (not self.provider or provider in self.provider)
            and (not self.model or who.model in self.model)
            and (not self.application or who.application_id in self.application)
            and (not self.task or who.task in self.task)
            and (not self.deployment or who.deployment_id in self.deployment)
        )

    def lookups(self) -> dict[str, Any]:
        """The same as keyword arguments of `filter()` on a usage table."""
        return {f"{column}__in": values for name, column in COLUMNS.items() if (values := getattr(self, name))}

    def condition(self) -> tuple[str, list[list[Any]]]:
        """The same as SQL that begins with AND, empty without filters, and its parameters."""
        lookups = self.lookups()
        return "".join(f" AND {name.removesuffix('__in')} = ANY(%s)" for name in lookups), list(lookups.values())


def ids(model: type[Application] | type[Deployment], slugs: list[str]) -> list[int]:
    if not slugs:
        return []
    return list(model.objects.filter(slug__in=slugs).values_list("pk", flat=True)) or [-1]
