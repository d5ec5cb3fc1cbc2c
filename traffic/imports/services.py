"""What people do with imports: bring a file in, start it, stop it, take it back."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from lib.events import log_event
from traffic.imports import FORMATS, generic, recognise
from traffic.imports.base import Options
from traffic.imports.files import drop_file, path_of
from traffic.imports.readers import Unreadable, flat, has_rows, names_of, reader, sniff
from traffic.imports.run import dialect_of, translator_of
from traffic.imports.translate import RecordResult
from traffic.imports.values import blank, snake
from traffic.models import Import
from traffic.models.imports import ImportState

logger = logging.getLogger(__name__)

PREVIEWED = 20
EXAMPLE = 30  # characters


def bring_in(
    *, path: Path, name: str, size: int, sha256: str, by: Any = None, format: str = "", options: Options | None = None
) -> tuple[Import, bool]:
    """A draft of a file that lies in our folder, which is moved; whether it is new. Of a file that is there already
    the import it has. Raises Unreadable; the file is gone then."""
    try:
        if (existing := Import.objects.of_file(sha256)) is not None:
            path.unlink(missing_ok=True)
            return existing, False
        with path.open("rb") as file:
            dialect = sniff(file)
            names = names_of(file, dialect)
            if not has_rows(file, dialect):
                raise Unreadable("The file has the names of its columns and no row below them.")
        slug = format or recognise({snake(name) for name in names})
        chosen = with_columns(slug, options or Options(decimal_comma=dialect.delimiter == ";"), names)
        with transaction.atomic():
            made = Import.objects.create(
                file_name=name[:200], size=size, sha256=sha256, format=slug, options=chosen.as_dict(), by=by,
                position={"dialect": asdict(dialect), "names": names[:500]},
            )  # fmt: skip
            path.replace(path_of(made.pk))
        log_event(logger, logging.INFO, "import_uploaded", import_id=made.pk, format=slug, bytes=size)
        return made, True
    except IntegrityError:
        path.unlink(missing_ok=True)
        existing = Import.objects.of_file(sha256)
        assert existing is not None, "somebody brought the same file in this moment"
        return existing, False
    except Unreadable:
        path.unlink(missing_ok=True)
        raise


def with_columns(format: str, options: Options, names: Sequence[str]) -> Options:
    """The options, and where columns are chosen the likely ones of those that nobody named."""
    if format != generic.FORMAT.slug:
        return options
    return Options.of({**options.as_dict(), "columns": {**generic.guess(names), **options.columns}})


def describe_draft(imported: Import, *, format: str, options: Options) -> None:
    """Store what a person says that a draft is; columns that nobody named are guessed from their names."""
    if format == generic.FORMAT.slug and not options.columns:
        columns = generic.guess(imported.position.get("names", []))
        options = Options.of({**options.as_dict(), "columns": columns})
    drafts = Import.objects.filter(pk=imported.pk, state=ImportState.DRAFT)
    drafts.update(format=format, options=options.as_dict())


def set_description(imported: Import, *, format: str, options: Options) -> None:
    """Put another format and other options into a draft, without storing them; `start_described` does."""
    names = imported.position["names"]
    imported.format = format or recognise({snake(name) for name in names})
    imported.options = with_columns(imported.format, options, names).as_dict()


def start_described(*, imported: Import) -> bool:
    """Begin what is a draft by what it says now; one that stopped goes on as it began."""
    drafts = Import.objects.filter(pk=imported.pk, state=ImportState.DRAFT)
    drafts.update(format=imported.format, options=imported.options)
    return start(imported=imported)


def preview(imported: Import) -> list[RecordResult]:
    """What the first rows of a draft become. Raises Unreadable, OSError."""
    translator = translator_of(imported, timezone.now())
    results = []
    with path_of(imported.pk).open("rb") as file:
        for record in reader(file, dialect_of(imported)):
            results.append(translator(record))
            if len(results) == PREVIEWED:
                break
    return results


def examples(imported: Import) -> dict[str, str]:
    """The first value that each column of a draft has among the first rows, cut short. Raises Unreadable, OSError."""
    values: dict[str, str] = {}
    with path_of(imported.pk).open("rb") as file:
        for record in islice(reader(file, dialect_of(imported)), PREVIEWED):
            for name, value in flat(record.values).items():
                if not blank(value):
                    values.setdefault(name, shortened(str(value)))
    return values


def shortened(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= EXAMPLE else f"{value[: EXAMPLE - 1]}…"


def move(imported: Import, before: Iterable[str], *, state: ImportState, **fields: Any) -> bool:
    """Change the state if it is still one of `before`."""
    moved = Import.objects.filter(pk=imported.pk, state__in=list(before)).update(state=state, **fields)
    if moved:
        log_event(
            logger, logging.INFO, "import_state_changed", import_id=imported.pk, state=state, format=imported.format
        )
    return bool(moved)


def may_go_on(imported: Import) -> bool:
    """Whether one that stopped can be read on: its file is here, and nothing of it was taken back."""
    stopped = imported.state in (ImportState.CANCELLED, ImportState.FAILED)
    return stopped and not imported.removed and path_of(imported.pk).exists()


def start(*, imported: Import) -> bool:
    """A draft begins, one that stopped goes on where it was."""
    before = (ImportState.DRAFT, *((ImportState.CANCELLED, ImportState.FAILED) if may_go_on(imported) else ()))
    return move(
        imported, before, state=ImportState.RUNNING, started_at=imported.started_at or timezone.now(), problem="",
        finished_at=None, claimed_until=None,
    )  # fmt: skip


def cancel(*, imported: Import) -> bool:
    """Stop after the batch that is under way, which is then not committed; what came before stays."""
    return move(imported, [ImportState.RUNNING], state=ImportState.CANCELLED, finished_at=timezone.now())


def take_back(*, imported: Import) -> bool:
    """Remove all that it brought; also of one that is at work, which stops."""
    before = (ImportState.RUNNING, ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED)
    return move(imported, before, state=ImportState.UNDOING, claimed_until=None, problem="", removed=0)


def discard(*, imported: Import) -> bool:
    """Delete a draft and its file."""
    gone, _ = Import.objects.filter(pk=imported.pk, state=ImportState.DRAFT).delete()
    if gone:
        log_event(logger, logging.INFO, "import_discarded", import_id=imported.pk)
        drop_file(imported.pk)
    return bool(gone)


def label_of(imported: Import) -> str:
    return FORMATS[imported.format].label
