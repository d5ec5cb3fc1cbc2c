"""Inputs and lists of choices of forms, byte for byte as Django's templates write them.

Those include a template for the attributes of each choice, which took a fifth of the time of a page with a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.http import HttpRequest
from django.utils.html import conditional_escape as escaped
from django.utils.safestring import SafeString

WIDGETS = "django/forms/widgets"
SELECT, OPTION = f"{WIDGETS}/select.html", f"{WIDGETS}/select_option.html"
INPUTS = {f"{WIDGETS}/{kind}.html" for kind in ("checkbox", "date", "email", "hidden", "number", "text", "url")}


class Renderer(DjangoTemplates):
    """Django's renderer of forms, which writes the usual widgets without templates."""

    def render(
        self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None
    ) -> SafeString | str:
        if template_name in INPUTS:
            return SafeString(_input(context["widget"]))
        if template_name == SELECT and _is_plain(context["widget"]):
            return SafeString(_select(context["widget"]))
        return super().render(template_name, context, request)


def _is_plain(widget: Mapping[str, Any]) -> bool:
    """Whether every choice has Django's own template."""
    groups = (options for _name, options, _index in widget["optgroups"])
    return all(option["template_name"] == OPTION for options in groups for option in options)


def _attributes(widget: Mapping[str, Any]) -> str:
    return "".join(
        f" {escaped(name)}" if value is True else f' {escaped(name)}="{escaped(value)}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )


def _input(widget: Mapping[str, Any]) -> str:
    value = "" if widget["value"] is None else f' value="{escaped(widget["value"])}"'
    return f'<input type="{escaped(widget["type"])}" name="{escaped(widget["name"])}"{value}{_attributes(widget)}>'


def _select(widget: Mapping[str, Any]) -> str:
    parts = [f'<select name="{escaped(widget["name"])}"{_attributes(widget)}>']
    for name, options, _index in widget["optgroups"]:
        parts.append(f'\n  <optgroup label="{escaped(name)}">' if name else "")
        for option in options:
            attributes = _attributes(option)
            parts.append(
                f'\n  <option value="{escaped(option["value"])}"{attributes}>{escaped(option["label"])}</option>'
            )
            parts.append("\n")
        parts.append("\n  </optgroup>" if name else "")
    return "".join([*parts, "\n</select>"])
