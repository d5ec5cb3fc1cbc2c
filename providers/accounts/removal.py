"""Removing an account with all that it brought, and bringing it back for a day.

Its rows are read as JSON by the database, so that no figure loses a digit, and kept compressed in one row. Which tables
hold them is read from the models: what cannot be without the account goes with it, what only names it stays without.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, models, transaction

from providers.models import Account, RemovedAccount

PART = 10_000  # rows of one JSON text


def remove_account(*, account: Account, now: datetime) -> RemovedAccount:
    """Delete an account and its rows and keep them for a day; in the caller's transaction."""
    account = Account.objects.select_for_update().get(pk=account.pk)
    content: dict[str, Any] = {"rows": [], "names": []}
    deleted: list[tuple[type[models.Model], list[int]]] = []
    for model, ids in owned(account, content["names"]):
        content["rows"] += [[model._meta.label, text] for text in rows_of(model, ids)]
        deleted.append((model, ids))
    for model, ids in reversed(deleted):
        execute(f'DELETE FROM "{model._meta.db_table}" WHERE id = ANY(%s)', ids)
    packed = zlib.compress(json.dumps(content).encode())
    names = {"slug": account.slug, "name": account.name, "kind": account.kind}
    return RemovedAccount.objects.create(**names, removed_at=now, content=packed)


def owned(account: Account, names: list[Any]) -> Iterator[tuple[type[models.Model], list[int]]]:
    """Models with the ids of what goes, the account first. Columns elsewhere that name one of them are emptied, and
    noted in `names` as model, column, and id of the row with what it named."""
    waiting: list[tuple[type[models.Model], list[int]]] = [(Account, [account.pk])]
    while waiting:
        model, ids = waiting.pop(0)
        yield model, ids
        for relation in model._meta.related_objects:
            other, field = relation.related_model, relation.field
            assert not isinstance(other, str) and isinstance(field, models.ForeignKey)
            rows = other._default_manager.filter(**{f"{field.name}__in": ids}).order_by()
            goes = not field.null or getattr(relation, "on_delete", None) is models.CASCADE
            if goes and (keys := list(rows.values_list("pk", flat=True))):
                waiting.append((other, keys))
            elif not goes and (named := list(rows.values_list("pk", field.attname))):
                names.append([other._meta.label, field.name, named])
                rows.update(**{field.attname: None})


def rows_of(model: type[models.Model], ids: list[int]) -> Iterator[str]:
    for start in range(0, len(ids), PART):
        sql = f'SELECT jsonb_agg(to_jsonb(t))::text FROM "{model._meta.db_table}" AS t WHERE id = ANY(%s)'
        with connection.cursor() as cursor:
            cursor.execute(sql, [ids[start : start + PART]])
            yield cursor.fetchone()[0]


def restore_account(removed: RemovedAccount) -> Account | None:
    """Bring an account back with its rows; in the caller's transaction. None where another account has its name, or has
    brought the same rows, by now."""
    from django.apps import apps

    content = json.loads(zlib.decompress(bytes(removed.content)))
    try:
        with transaction.atomic():
            for label, text in content["rows"]:
                insert(apps.get_model(label), text)
            for label, name, rows in content["names"]:
                name_again(apps.get_model(label), name, rows)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            removed.delete()
    except IntegrityError:
        return None
    return Account.objects.get(slug=removed.slug)


def insert(model: type[models.Model], text: str) -> None:
    table = model._meta.db_table
    columns = ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields if not field.generated)
    rows = f'SELECT {columns} FROM jsonb_populate_recordset(NULL::"{table}", %s::jsonb)'
    execute(f'INSERT INTO "{table}" ({columns}) OVERRIDING SYSTEM VALUE {rows}', text)


def name_again(model: type[models.Model], name: str, rows: list[list[int]]) -> None:
    """Only where nothing else is named by now."""
    column = model._meta.get_field(name).column  # type: ignore[union-attr]  # a foreign key of that model
    ids, values = [row[0] for row in rows], [row[1] for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{model._meta.db_table}" AS t SET "{column}" = r.value FROM unnest(%s::bigint[], %s::bigint[])'
            f' AS r (id, value) WHERE t.id = r.id AND t."{column}" IS NULL',
            [ids, values],
        )


def execute(sql: str, value: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, [value])
