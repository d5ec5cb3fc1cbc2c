"""Vendors' keys at rest, encrypted by Fernet with the installation's own keys. A value that cannot be decrypted raises
SecretUnreadable."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import models

from lib import keyring


class SecretUnreadable(Exception):
    """A stored secret was encrypted with another key than BREAKEVEN_KEY."""


def keys() -> keyring.Keys:
    """The installation's keys as they are now, the one that encrypts first."""
    path = settings.CREDENTIALS_KEY_FILE
    return keyring.split(settings.CREDENTIALS_KEY) if path is None else _file(path, settings.CREDENTIALS_KEY).keys()


def readable_keys() -> keyring.Keys:
    """Every key by which this process can read, the one that encrypts first."""
    path = settings.CREDENTIALS_KEY_FILE
    return keyring.split(settings.CREDENTIALS_KEY) if path is None else _file(path, settings.CREDENTIALS_KEY).readable()


_file = cache(keyring.KeyFile)


def decrypt(ciphertext: str) -> str:
    """The secret again. Raises SecretUnreadable where the installation's key is another one now."""
    if not ciphertext:
        return ""
    try:
        return keyring.cipher(readable_keys()).decrypt(ciphertext.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable(
            "This key was stored under another BREAKEVEN_KEY. Enter it again, or start with the old one."
        ) from None


class Secret(str):
    """Ciphertext of a secret, as models carry it: printing or logging it shows nothing; `reveal()` decrypts."""

    def reveal(self) -> str:
        return decrypt(str(self))

    def __repr__(self) -> str:
        return "Secret(…)"


def encrypt(text: str) -> Secret:
    """Ciphertext of a secret; the empty secret stays empty."""
    return Secret(keyring.cipher(keys()).encrypt(text.encode()).decode() if text else "")


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # django-stubs: TextField is generic only there
    """Text that is ciphertext in the database and in memory alike; assign `encrypt(…)`, read with `.reveal()`."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Secret | None:
        return None if value is None else Secret(value)

    def to_python(self, value: Any) -> Secret:
        return Secret(value or "")
