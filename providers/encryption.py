"""Vendors' keys at rest: Fernet with the installation's own key; a value that cannot be read is said, not guessed."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models


class SecretUnreadable(Exception):
    """A stored secret was encrypted with another key than BREAKEVEN_KEY."""


def decrypt(ciphertext: str) -> str:
    """The secret again. Raises SecretUnreadable where the installation's key is another one now."""
    if not ciphertext:
        return ""
    try:
        return Fernet(settings.CREDENTIALS_KEY).decrypt(ciphertext.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable(
            "This key was stored under another BREAKEVEN_KEY; enter it again, or start with the old one."
        ) from None


class Secret(str):
    """Ciphertext of a secret, as models carry it: printing or logging it shows nothing; `reveal()` decrypts."""

    def reveal(self) -> str:
        return decrypt(str(self))

    def __repr__(self) -> str:
        return "Secret(…)"


def encrypt(text: str) -> Secret:
    """Ciphertext of a secret; the empty secret stays empty."""
    return Secret(Fernet(settings.CREDENTIALS_KEY).encrypt(text.encode()).decode() if text else "")


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # django-stubs: TextField is generic only there
    """Text that is ciphertext in the database and in memory alike; assign `encrypt(…)`, read with `.reveal()`."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Secret | None:
        return None if value is None else Secret(value)

    def to_python(self, value: Any) -> Secret:
        return Secret(value or "")
