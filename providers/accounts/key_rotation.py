"""What is stored under an older key of the installation, written anew under its first one, while everything runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model

from lib import keyring
from lib.encryption import EncryptedTextField

BATCH = 200  # rows locked at once: a form that saves one of them waits for milliseconds
LOCK = 7_203_031  # advisory; two rotations at once would each make a key


class Busy(RuntimeError):
    """Another rotation is running."""


@dataclass
class Rewritten:
    """How many stored secrets were written anew, were so already, and which cannot be read (table, column, row)."""

    renewed: int = 0
    current: int = 0
    unreadable: list[tuple[str, str, Any]] | None = None

    @property
    def lost(self) -> list[tuple[str, str, Any]]:
        return self.unreadable or []


@contextmanager
def alone() -> Iterator[None]:
    """Hold the advisory lock of rotations. Raises Busy where another rotation holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if cursor.fetchone() != (True,):
            raise Busy("Another rotation is running.")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def encrypted_columns() -> Iterator[tuple[type[Model], str]]:
    """Every model with a column of secrets, and the column."""
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field.name


def rewrite(keys: keyring.Keys) -> Rewritten:
    """Encrypt every stored secret under the first of the keys. After an interruption, call it again: it continues."""
    done = Rewritten(unreadable=[])
    for model, column in encrypted_columns():
        after: Any = None
        while (after := _rewrite_batch(model, column, keys, after, done)) is not None:
            pass
    return done


def _rewrite_batch(model: type[Model], column: str, keys: keyring.Keys, after: Any, done: Rewritten) -> Any:
    """The rows that follow `after` by their primary key; gives the last of them, None where there is no more."""
    rows = model._base_manager.exclude(**{column: ""}).order_by("pk")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    with transaction.atomic():
        batch = list(rows.select_for_update().values_list("pk", column)[:BATCH])
        for pk, ciphertext in batch:
            renewed = _renewed(str(ciphertext), keys)
            if renewed is None:
                done.unreadable = [*done.lost, (model._meta.db_table, column, pk)]
            elif renewed == str(ciphertext):
                done.current += 1
            else:
                model._base_manager.filter(pk=pk).update(**{column: renewed})
                done.renewed += 1
    return batch[-1][0] if len(batch) == BATCH else None


def _renewed(ciphertext: str, keys: keyring.Keys) -> str | None:
    """The same secret under the first key; as it is where it is so already, None where no key reads it."""
    try:
        keyring.cipher(keys[:1]).decrypt(ciphertext.encode())
    except InvalidToken:
        try:
            return keyring.cipher(keys).rotate(ciphertext.encode()).decode()
        except InvalidToken:
            return None
    return ciphertext
