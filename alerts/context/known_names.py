"""What alerts are called, and applications as people named them; each read at most once and only on demand."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from alerts.models import Alert
from traffic.models import Application


class KnownNames:
    """A part of `EvaluationContext`."""

    @cached_property
    def open_alerts(self) -> list[tuple[str, datetime, str]]:
        """Subject, since when, and title of what is open, of any kind, the newest first."""
        return list(Alert.objects.shown().order_by("-pending_since").values_list("subject", "pending_since", "title"))

    @cached_property
    def open_since(self) -> dict[str, datetime]:
        """Subjects whose alert is open, of any kind, and since when they have been so."""
        return {subject: since for subject, since, _title in self.open_alerts}

    def open_title(self, subject: str) -> str:
        """The title of the open alert about a subject; empty where none is."""
        return next((title for about, _since, title in reversed(self.open_alerts) if about == subject), "")

    @cached_property
    def applications(self) -> list[tuple[int, str, str]]:
        """Key, slug and name of each."""
        return list(Application.objects.values_list("pk", "slug", "name"))

    @property
    def application_slugs(self) -> dict[int, str]:
        return {pk: slug for pk, slug, _name in self.applications}

    @cached_property
    def application_names(self) -> dict[int, str]:
        """As people named them, by key; programs know the slugs."""
        return {pk: name or slug for pk, slug, name in self.applications}

    def named(self, slug: str) -> str:
        """An application as people named it; what is no application's slug stays as it is."""
        return next((name or slug for _pk, known_as, name in self.applications if known_as == slug), slug)
