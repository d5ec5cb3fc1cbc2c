"""Fields and checks of forms: keys that are written and never shown, web addresses, lengths of time, slugs, bounds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.validators import web_address

Person = AbstractBaseUser | AnonymousUser
N = TypeVar("N", int, float)
KEY_AGAIN = gettext_lazy("Enter the key again: the address that it is sent to has changed.")

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
LENGTH = re.compile(r"(\d{1,7})\s*(s|min|h|d|w)")
LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


class UtcDateTimeField(forms.DateTimeField):
    """A moment that is typed and shown in UTC whatever the zone of the page is: of a price, or the clock of a zone that
    is a field of its own."""

    def prepare_value(self, value: Any) -> Any:
        with timezone.override(UTC):
            return super().prepare_value(value)

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):
            return super().to_python(value)


def one_line(text: str) -> str:
    """A name that a table can show. Raises ValidationError."""
    name = text.strip()
    if not LINE.fullmatch(name):
        raise forms.ValidationError(_("A name has no line breaks and no control characters."))
    return name


class SecretField(forms.CharField):
    """A key: written, never shown, not even to whoever has just typed it."""

    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"})

    def __init__(self, *, label: Any) -> None:
        super().__init__(label=label, required=False, max_length=20_000)


class AddressField(forms.CharField):
    """A web address; one that is typed without http:// or https:// is meant to be https."""

    widget = forms.URLInput
    default_validators = [web_address]

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text if not text or "://" in text else f"https://{text}"


class LengthField(forms.CharField):
    """A length of time as `30 min`, `12 h` or `1 d 6 h`, or `0`; its value is whole seconds."""

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").strip().lower()
        if text and not re.fullmatch(rf"0|(?:{LENGTH.pattern}\s*)+", text):
            raise forms.ValidationError(_("Write a duration as 30 min, 12 h or 1 d."))
        return sum(int(n) * UNITS[unit] for n, unit in LENGTH.findall(text)) if text else None

    def prepare_value(self, value: Any) -> Any:
        return length(value) if isinstance(value, int) else value


def length(seconds: int) -> str:
    """`1 d 6 h` of 108,000: what a LengthField reads back."""
    parts, left = [], seconds
    for unit in ("d", "h", "min", "s"):
        n, left = divmod(left, UNITS[unit])
        if n:
            parts.append(f"{n} {unit}")
    return " ".join(parts) or "0"


def free_slug(name: str, fallback: str, model: type[Model]) -> str:
    """A slug of a name that nothing else has; `add` is an address of ours."""
    base = slugify(name)[:40] or fallback
    taken = {"add", *model._default_manager.filter(slug__startswith=base).values_list("slug", flat=True)}
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if slug not in taken)


def bounded(value: N, least: float, most: float) -> N:
    """A number between two bounds, or a sentence."""
    if not least <= value <= most:
        raise forms.ValidationError(_("From %(least)g to %(most)g.") % {"least": least, "most": most})
    return value


def is_admin(person: Person) -> bool:
    return bool(getattr(person, "is_superuser", False))
