"""The usual widgets are byte for byte what Django's templates write."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from dashboard.http.widgets import Renderer

ATTRS: dict[str, Any] = {"id": 'a"b', "required": True, "disabled": False, "data-n": 5, "title": SafeString("&amp;")}
CHOICES = [
    ("", gettext_lazy("Choose")),
    ("<b>", 'quoted "label" & more'),
    (7, SafeString("<i>safe</i>")),
    ("group's", [("x", "X"), ("y", 12)]),
]
WIDGETS = [
    *(kind(attrs=ATTRS) for kind in (forms.TextInput, forms.NumberInput, forms.DateInput, forms.EmailInput)),
    *(kind(attrs=ATTRS) for kind in (forms.HiddenInput, forms.CheckboxInput, forms.URLInput)),
    forms.Select(attrs=ATTRS, choices=CHOICES),
    forms.SelectMultiple(attrs=ATTRS, choices=CHOICES),
]
VALUES: list[Any] = [None, "", "<b>", 7, 1234.5, True, SafeString("&lt;"), "x", ["x", "<b>"]]


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: type(widget).__name__)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_widget_is_as_djangos_templates_write_it(widget: forms.Widget, value: Any) -> None:
    ours = widget.render("na<me", value, renderer=Renderer())
    assert ours == widget.render("na<me", value, renderer=DjangoTemplates())
    assert hasattr(ours, "__html__")


def test_a_choice_with_a_template_of_its_own_keeps_it() -> None:
    class Marked(forms.Select):
        option_template_name = "django/forms/widgets/checkbox_option.html"

    widget = Marked(choices=CHOICES)
    assert widget.render("n", "x", renderer=Renderer()) == widget.render("n", "x", renderer=DjangoTemplates())
