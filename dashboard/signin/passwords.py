"""Refuses passwords that are made of the words of this installation, which a stranger would try first."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from traffic.models import Application

SHORTEST = 4  # letters that a word must have to be taken out
REST = 8  # characters that must remain without these words
OURS = (
    "breakeven",
    "lanternloom",
    "password",
    "admin",
)  # the product, the company of its demo, and what is tried first


class InstallationWordsValidator:
    """Refuses a password of less than `REST` characters besides names of the installation, applications and person."""

    def validate(self, password: str, user: Any = None) -> None:
        words = sorted(set(words_of(user)), key=len, reverse=True)
        rest = plain(password)
        for word in words:
            rest = rest.replace(word, "")
        if len(rest) < REST and rest != plain(password):
            raise ValidationError(
                _("Without the names of this installation, its applications and you, too little of it is left."),
                code="password_of_known_words",
            )

    def get_help_text(self) -> str:
        return _("It cannot be made of the names of this installation, its applications, or your own.")


def words_of(user: Any) -> list[str]:
    """Names that an insider knows, reduced to lower-case letters and digits."""
    host = urlsplit(settings.BASE_URL).hostname or ""
    texts = [*OURS, *host.split("."), *host.split(".")[-2:-1]]
    for slug, name in Application.objects.values_list("slug", "name"):
        texts += [slug, name, *re.split(r"\W+", f"{slug} {name}")]
    if user is not None:
        own = [user.get_username(), user.first_name, user.last_name, *re.split(r"\W+", user.email or "")]
        texts += [part for text in own for part in (text, *re.split(r"\W+", text))]
    return [word for word in map(plain, texts) if len(word) >= SHORTEST]


def plain(text: str) -> str:
    """Lower-case letters and digits, with usual replacements undone: `Br3akeven!` becomes `breakeven`."""
    small = text.casefold().translate(str.maketrans("013457@$", "oleastas"))
    return re.sub(r"[\W_]", "", small)
