"""Files of other tools' history that people bring in, and how far each is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

ERRORS_SHOWN = 100


class ImportState(models.TextChoices):
    DRAFT = "draft", _("not started")
    RUNNING = "running", _("being read")
    DONE = "done", _("done")
    FAILED = "failed", _("stopped by an error")
    CANCELLED = "cancelled", _("cancelled")
    UNDOING = "undoing", _("being undone")
    UNDONE = "undone", _("undone")


class ImportQuerySet(models.QuerySet["Import"]):
    def due(self, now: datetime) -> ImportQuerySet:
        """Those that someone should be at and nobody is."""
        free = models.Q(claimed_until=None) | models.Q(claimed_until__lt=now)
        return self.filter(free, state__in=("running", "undoing"))

    def claim(self, pk: int, now: datetime, until: datetime) -> Import | None:
        """Take one that is due; None where another worker has it."""
        taken = self.due(now).filter(pk=pk).update(claimed_until=until)
        return self.get(pk=pk) if taken else None

    def of_file(self, sha256: str) -> Import | None:
        """The import that holds what this file says."""
        return self.exclude(state="undone").filter(sha256=sha256).first()


class Import(models.Model):
    """One file and what became of it; `offset` and `line` are where the last committed batch ended.

    The file lies in the data directory until it is read to its end. A file is known by its hash: it can be brought in
    once, and again after it was taken back.
    """

    file_name = models.CharField(max_length=200)
    size = models.BigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=30)
    options = models.JSONField(default=dict)  # what `traffic.imports.options.Options` keeps
    state = models.CharField(max_length=10, choices=ImportState.choices, default=ImportState.DRAFT)
    offset = models.BigIntegerField(default=0)  # bytes
    line = models.BigIntegerField(default=0)
    position = models.JSONField(default=dict)  # what the reader needs besides to go on
    accepted = models.BigIntegerField(default=0)  # rows that were not there before
    duplicates = models.BigIntegerField(default=0)  # rows that were there already; what they lacked was filled
    rejected = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)  # rows that are no call to a model
    removed = models.BigIntegerField(default=0)  # by taking back
    first_day = models.DateField(null=True)  # of what was read
    last_day = models.DateField(null=True)
    problem = models.TextField(blank=True)  # why it stopped, in a sentence
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)  # a worker is at it; past this it is taken for dead

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["sha256"], condition=~models.Q(state=ImportState.UNDONE), name="one_import_of_a_file"
            )
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def errors(self) -> list[list[Any]]:
        """Line and sentence of the first that were rejected, as many as a page shows."""
        return [list(row) for row in self.set_aside.values_list("line", "words")[:ERRORS_SHOWN]]

    @property
    def rows(self) -> int:
        """Read so far."""
        return self.accepted + self.duplicates + self.rejected + self.skipped

    @property
    def rows_expected(self) -> int | None:
        """About how many the whole file has, if the rest is like what was read; None before anything was."""
        return round(self.rows * self.size / self.offset) if self.rows and self.offset else None

    @property
    def percent(self) -> int:
        """Of the file that is read, or of its rows that are taken back."""
        if self.state == ImportState.DONE:
            return 100
        if self.state in (ImportState.UNDOING, ImportState.UNDONE):
            return min(100, 100 * self.removed // self.accepted) if self.accepted else 100
        return int(100 * self.offset / max(self.size, 1))

    @property
    def at_work(self) -> bool:
        return self.state in (ImportState.RUNNING, ImportState.UNDOING)


class SetAside(models.Model):
    """A line of a file that could not be stored, and why; not what stands in it. Of one file 100,000 are kept."""

    imported = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="set_aside")
    line = models.BigIntegerField()  # of the file; of a JSON array the number of the record
    words = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.line}: {self.words}"
