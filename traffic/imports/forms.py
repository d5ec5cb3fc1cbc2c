"""Forms of the import pages: the file, and what a person says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from providers.models import Account
from traffic.imports import FORMATS, generic
from traffic.imports.base import Options
from traffic.models import Application, Import

# What the columns of the generic format become: what a row cannot be without, what it cost, whose it was, how it went.
TARGETS = {
    "started_at": _("Started at"),
    "model": _("Model"),
    "provider": _("Provider"),
    "input": _("Input, with the cache"),
    "uncached_input": _("Input, without the cache"),
    "cache_read": _("Read from the cache"),
    "cache_write_5m": _("Written to the cache, 5 minutes"),
    "cache_write_1h": _("Written to the cache, 1 hour"),
    "output": _("Output"),
    "reasoning": _("Of which reasoning"),
    "application": _("Application"),
    "task": _("Task"),
    "deployment": _("Deployment"),
    "user": _("User"),
    "outcome": _("Outcome"),
    "http_status": _("HTTP status"),
    "error_type": _("Error"),
    "ended_at": _("Ended at"),
    "latency_ms": _("Whole time"),
    "ttft_ms": _("Time to first token"),
    "streamed": _("Streamed"),
    "batch": _("In a batch"),
    "id": _("Id"),
    "response_id": _("Response id"),
}
DAY_FIRST = {"": None, "day": True, "month": False}


class UploadForm(forms.Form):
    """The file, up to 10 GB."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, JSON or JSON lines in UTF-8, up to 10 GB."),
        error_messages={"required": _("Choose a file of at most 10 GB.")},
    )


class OptionsForm(forms.Form):
    """What the file does not say itself; with the generic format, which column is what."""

    format = forms.ChoiceField(
        label=_("Format"), choices=[(format_.slug, format_.label) for format_ in FORMATS.values()]
    )
    application = forms.ChoiceField(
        label=_("Application"), required=False, help_text=_("For requests whose row has none.")
    )
    provider = forms.SlugField(
        label=_("Provider"),
        required=False,
        help_text=_("For rows without one, such as anthropic or openai. Empty: taken from the model’s name."),
    )
    zone = forms.ChoiceField(label=_("Time zone"), help_text=_("For times without an offset."))
    day_first = forms.ChoiceField(
        label=_("05/06/2026 means"),
        required=False,
        choices=[("", _("unclear: refuse the row")), ("day", _("5 June 2026")), ("month", _("6 May 2026"))],
    )
    decimal_comma = forms.BooleanField(label=_("1,5 is one and a half"), required=False)
    seconds = forms.BooleanField(label=_("Durations are in seconds"), required=False)
    account = forms.ChoiceField(
        label=_("Account"), required=False, help_text=_("The account of the report, if a provider has several.")
    )

    def __init__(self, imported: Import, data: Any = None, examples: Mapping[str, str] | None = None) -> None:
        """`examples` are values of the file by the name of their column, for whoever may see them."""
        options = Options.of(imported.options)
        first_word = {value: word for word, value in DAY_FIRST.items()}[options.day_first]
        initial = {**options.as_dict(), "format": imported.format, "day_first": first_word}
        super().__init__(
            data, initial={**initial, **{f"column_{name}": column for name, column in options.columns.items()}}
        )
        self.imported = imported
        self.choose("application", Application.objects.values_list("slug", "name"))
        self.choose("zone", [(zone, zone) for zone in sorted(available_timezones())], none=False)
        file_format = FORMATS[imported.format]
        if file_format.sums:
            for name in ("application", "provider", "seconds"):
                del self.fields[name]
            self.choose("account", Account.objects.filter(kind=file_format.provider).values_list("slug", "name"))
        else:
            del self.fields["account"]
        if file_format.slug == generic.FORMAT.slug:
            self.add_columns(examples or {})

    def choose(self, name: str, choices: Any, *, none: bool = True) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*([("", _("none"))] if none else []), *choices]

    def add_columns(self, examples: Mapping[str, str]) -> None:
        columns = self.imported.position.get("names", [])
        names = [
            ("", _("none")),
            *((name, f"{name}: {examples[name]}" if name in examples else name) for name in columns),
        ]
        for target, label in TARGETS.items():
            needed = target in ("started_at", "model")
            self.fields[f"column_{target}"] = forms.ChoiceField(label=label, required=needed, choices=names)

    def whole_file_fields(self) -> list[forms.BoundField]:
        """What holds for the whole file."""
        return [field for field in self if not field.name.startswith("column_")]

    def mapped(self) -> list[forms.BoundField]:
        """Which column is what; empty where the format knows."""
        return [field for field in self if field.name.startswith("column_")]

    def options(self) -> Options:
        """What was said; of a valid form."""
        cleaned = dict(self.cleaned_data)
        cleaned["day_first"] = DAY_FIRST[cleaned.get("day_first", "")]
        columns = {name: cleaned[f"column_{name}"] for name in TARGETS if cleaned.get(f"column_{name}")}
        return Options.of({**self.imported.options, **cleaned, "columns": columns})
