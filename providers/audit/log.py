"""Who did what: the one way into the audit log. An entry is written in the transaction of the act that it tells of.

Values of fields stand in it before and after, but never a secret: of those only that they were changed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet
from django.forms import BaseForm, Field, PasswordInput
from django.forms.models import ModelChoiceField, ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils import timezone

from lib.client_address import client_address
from lib.encryption import EncryptedTextField
from providers.audit.chain import CONTENT, keys, mac_of, seal_after_commit
from providers.models.audit import HIDDEN, Action, ActorKind, AuditEntry, Changes

__all__ = ["HIDDEN", "Action", "Actor", "ActorKind", "AuditEntry", "Changes", "changes", "log", "log_form", "record"]

line = logging.getLogger("breakeven.audit")
SHOWN = 10
LONGEST = 500  # characters of one value
SECRET_NAMES = re.compile(r"password|passwd|secret|token|credential|api_key|(^|_)key$|ping_id|address$", re.IGNORECASE)
# What only sounds like a secret.
PLAIN_NAMES = {"max_tokens", "context_tokens", "prompt_tokens", "over_tokens", "min_tokens", "email"}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a name that outlives its person or key, its number where it has one, and the client's address."""

    kind: str
    name: str
    id: int | None = None
    address: str = ""


def person(request: HttpRequest) -> Actor:
    """Who is logged in; a stranger otherwise."""
    user = request.user
    if not user.is_authenticated:
        return stranger(request)
    return Actor(ActorKind.PERSON, user.get_username(), user.pk, client_address(request))


def stranger(request: HttpRequest, name: str = "") -> Actor:
    """Somebody who has proved nothing, by the name that they gave."""
    return Actor(ActorKind.STRANGER, name, None, client_address(request))


def record(
    action: str,
    *,
    actor: Actor,
    thing: Model | None = None,
    object_type: str = "",
    object_id: object = "",
    object_name: str = "",
    message: str = "",
    changes: Changes | None = None,
    count: int = 1,
    chain: bool = True,
) -> AuditEntry:
    """Write one entry, in the transaction that is open, and one line of the process's log.

    `thing` names itself; what is no row is named by the three `object_` parameters. `changes` are values by the
    field's label, before and after; no secret, for which `HIDDEN` stands. Without `chain` the entry gets its place with
    the next one, or within a minute: for what must cost one statement.
    """
    if thing is not None:
        object_type, object_id, object_name = thing._meta.label_lower, thing.pk, object_name or str(thing)
    number, secret = keys.newest()
    entry = AuditEntry(
        at=timezone.now(),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor=clean(actor.name, 200),
        address=clean(actor.address, 45),
        action=action,
        object_type=clean(object_type, 100),
        object_id=clean(str(object_id), 100),
        object_name=clean(object_name, 200),
        message=clean(message, 2_000),
        changes={clean(label, 200): values for label, values in (changes or {}).items()},
        count=count,
        key=number,
    )
    entry.mac = mac_of({name: getattr(entry, name) for name in CONTENT}, secret)
    entry.save(force_insert=True)
    if chain:
        seal_after_commit()
    line.info(
        "audit entry=%d action=%s actor=%s:%s address=%s object=%s:%s count=%d",
        entry.pk, entry.action, entry.actor_kind, one_word(entry.actor), entry.address or "-",
        entry.object_type or "-", one_word(entry.object_id) or "-", entry.count,
    )  # fmt: skip
    return entry


def clean(text: str, most: int) -> str:
    """Text that the database stores, cut to its column."""
    return str(text).replace("\0", "")[:most]


def one_word(text: str) -> str:
    """A name as one word of a log line: no space and no line break of a stranger's begins another field or line."""
    return re.sub(r"[^\w.@:/+-]", "_", text)[:80]


def log(
    request: HttpRequest,
    thing: Model,
    message: str = "",
    *,
    added: bool = False,
    deleted: bool = False,
    changes: Changes | None = None,
) -> None:
    """A change that a person made on a page; `message` is a sentence. Never a secret."""
    assert request.user.pk is not None, "only people who are logged in change settings"
    action = Action.ADDED if added else Action.DELETED if deleted else Action.CHANGED
    record(action, actor=person(request), thing=thing, message=message, changes=changes)


def log_form(request: HttpRequest, thing: Model, form: BaseForm, *, added: bool = False) -> None:
    """The fields that a form changed, with their values before and after; nothing where it changed none."""
    fields = changes_of(form, added=added)
    if added or fields:
        log(request, thing, added=added, changes=fields)


def changes_of(form: BaseForm, *, added: bool = False) -> Changes:
    """What a valid form changed, by the field's label. Of what is added there is no value before."""
    fields: Changes = {}
    for name in form.changed_data:
        field = form.fields[name]
        label = str(field.label or name.replace("_", " ").capitalize())
        if is_secret(form, name):
            fields[label] = HIDDEN
            continue
        before = None if added else shown(field, form.get_initial_for_field(field, name))
        after = shown(field, form.cleaned_data.get(name))
        if before != after:
            fields[label] = [before, after]
    return fields


def is_secret(form: BaseForm, name: str) -> bool:
    """Whether a field's values must stay out: typed hidden, stored encrypted, or called like a secret."""
    if isinstance(form.fields[name].widget, PasswordInput) or name in getattr(form, "secret_fields", ()):
        return True
    model = getattr(getattr(form, "_meta", None), "model", None)
    columns = {column.name: column for column in model._meta.fields} if model is not None else {}
    return isinstance(columns.get(name), EncryptedTextField) or sounds_secret(name)


def sounds_secret(name: str) -> bool:
    return name not in PLAIN_NAMES and SECRET_NAMES.search(name) is not None


def shown(field: Field, value: Any) -> str | None:
    """A field's value as people read it: the labels of choices, names of rows; None where there is none."""
    if value is None or value in ("", [], ()):
        return None
    if isinstance(field, ModelMultipleChoiceField):
        rows = [row if isinstance(row, Model) else _rows(field).filter(pk=row).first() for row in value]
        return ", ".join(sorted(str(row) for row in rows if row is not None))[:LONGEST] or None
    if isinstance(field, ModelChoiceField) and not isinstance(value, Model):
        key = field.to_field_name or "pk"
        return str(_rows(field).filter(**{key: value}).first() or value)[:LONGEST]
    choices = _labels(getattr(field, "choices", None)) if not isinstance(field, ModelChoiceField) else {}
    if isinstance(value, list | tuple | set):
        return ", ".join(choices.get(str(part), str(part)) for part in value)[:LONGEST]
    return without_credentials(choices.get(str(value), str(value)))[:LONGEST]


def without_credentials(text: str) -> str:
    """An address without what may be a secret in it: the user's part, the query and the fragment."""
    whole = ADDRESS.sub(lambda match: f"{match[1]}?…" if match[2] else match[1], text)
    return re.sub(r"://[^/\s@]*@", "://…@", whole)


# Whatever follows, so that each character is looked at once.
ADDRESS = re.compile(r"(://[^\s?#]*+)([?#]\S+)?")


def _rows(field: Any) -> QuerySet[Any]:
    rows: QuerySet[Any] = field.queryset
    return rows


def _labels(choices: Any) -> dict[str, str]:
    """Labels by value, of groups too."""
    labels: dict[str, str] = {}
    for value, label in choices or ():
        if isinstance(label, list | tuple):
            labels |= _labels(label)
        else:
            labels[str(value)] = str(label)
    return labels


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """The values that differ between two states of a thing, as `record` takes them."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: [_text(before.get(name)), _text(after.get(name))] for name in names}


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)[:LONGEST]


def changes(thing: Model) -> list[AuditEntry]:
    """The latest changes of one thing and who made them."""
    entries = AuditEntry.objects.filter(object_type=thing._meta.label_lower, object_id=str(thing.pk))
    return list(entries.filter(action__in=[Action.ADDED, Action.CHANGED, Action.DELETED])[:SHOWN])
